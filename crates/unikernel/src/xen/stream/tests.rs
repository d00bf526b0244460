use core::mem::offset_of;
use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

#[test]
fn pages_are_laid_out_as_xen_has_them() {
    assert_eq!((offset_of!(StorePage, responses), offset_of!(StorePage, requests_consumed)), (1_024, 2_048));
    assert_eq!((offset_of!(StorePage, requests_produced), offset_of!(StorePage, responses_produced)), (2_052, 2_060));
    assert_eq!((offset_of!(ConsolePage, output), offset_of!(ConsolePage, input_consumed)), (1_024, 3_072));
    assert_eq!((offset_of!(ConsolePage, input_produced), offset_of!(ConsolePage, output_produced)), (3_076, 3_084));
    assert_eq!((size_of::<StorePage>(), size_of::<ConsolePage>()), (4_096, 4_096));
}

#[test]
fn a_full_ring_takes_no_more_until_the_other_end_has_read() {
    let page = ConsolePage::new();
    let (mut output, _) = page.ends();
    assert_eq!(output.write(&[7; 3_000]), Ok(2_048));
    assert_eq!((output.room(), output.write(b"x"), output.is_drained()), (Ok(0), Ok(0), Ok(false)));
    page.output_consumed.store(2_048, Ordering::Relaxed);
    assert_eq!((output.room(), output.is_drained()), (Ok(2_048), Ok(true)));
}

#[test]
fn indices_that_cannot_be_are_faults() {
    let page = ConsolePage::new();
    let (mut output, mut input) = page.ends();
    page.input_produced.store(1_025, Ordering::Relaxed);
    assert_eq!(input.read(&mut [0; 8]), Err(Fault::Index));
    // It has read what was never written.
    page.output_consumed.store(1, Ordering::Relaxed);
    assert_eq!((output.room(), output.write(b"x")), (Err(Fault::Index), Err(Fault::Index)));
}

#[test]
fn what_the_other_end_writes_over_our_own_indices_changes_nothing() {
    let page = StorePage::new();
    let ((mut output, mut input), (mut answers, mut questions)) = (page.ends(), page.far_ends());
    output.write(b"abc").expect("room");
    page.requests_produced.store(900, Ordering::Relaxed);
    output.write(b"def").expect("room");
    let mut heard = [0; 16];
    assert_eq!((questions.read(&mut heard), &heard[..6]), (Ok(6), &b"abcdef"[..]));
    answers.write(b"xyz").expect("room");
    page.responses_consumed.store(77, Ordering::Relaxed);
    assert_eq!((input.read(&mut heard), &heard[..3]), (Ok(3), &b"xyz"[..]));
}

proptest! {
    #[test]
    fn every_octet_arrives_once_and_in_order(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..1_500), 0_usize..1_500), 1..40),
        start in any::<u32>(),
    ) {
        let page = StorePage::new();
        for index in [&page.requests_consumed, &page.requests_produced] {
            index.store(start, Ordering::Relaxed);
        }
        let ((mut output, _), (_, mut input)) = (page.ends(), page.far_ends());
        let (mut said, mut heard): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        for (piece, most) in pieces {
            let written = output.write(&piece).expect("sound");
            said.extend(&piece[..written]);
            let mut octets = vec![0; most];
            let read = input.read(&mut octets).expect("sound");
            heard.extend(&octets[..read]);
        }
        let mut rest = vec![0; 1_024];
        let read = input.read(&mut rest).expect("sound");
        heard.extend(&rest[..read]);
        prop_assert_eq!(said, heard);
    }
}
