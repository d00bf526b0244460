use alloc::vec::Vec;

use super::{Echo, MAX_PENDING};
use crate::{Conversation, Output, tests::at};

#[test]
fn what_is_said_comes_back_and_then_the_end() {
    let mut echo = Echo::new(true);
    assert_eq!(echo.handle_octets(at!(0), b"hello"), 5);
    echo.handle_end(at!(0));
    assert_eq!(echo.poll(at!(0), 3), Some(Output::Send(b"hel".to_vec())));
    assert_eq!(echo.poll(at!(0), 0), None);
    assert_eq!(echo.poll(at!(0), 3), Some(Output::Send(b"lo".to_vec())));
    assert_eq!(echo.poll(at!(0), 3), Some(Output::Close));
    assert_eq!(echo.poll(at!(0), 3), None);
}

#[test]
fn a_client_that_does_not_read_is_not_stored_for() {
    let mut echo = Echo::new(true);
    let much = alloc::vec![7; MAX_PENDING + 5];
    assert_eq!(echo.handle_octets(at!(0), &much), MAX_PENDING);
    assert_eq!(echo.handle_octets(at!(0), &much), 0);
    assert_eq!(echo.poll(at!(0), 100), Some(Output::Send(alloc::vec![7; 100])));
    assert_eq!(echo.handle_octets(at!(0), &much), 100);
}

#[test]
fn discard_takes_all_and_says_nothing() {
    let mut discard = Echo::new(false);
    for _ in 0..100 {
        assert_eq!(discard.handle_octets(at!(0), &[1; 60_000]), 60_000);
        assert_eq!(discard.poll(at!(0), 1000), None);
    }
    discard.handle_end(at!(0));
    assert_eq!(discard.poll(at!(0), 1000), Some(Output::Close));
}

#[test]
fn a_megabyte_in_odd_pieces_is_intact() {
    let whole: Vec<u8> = (0u32..1 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut echo = Echo::new(true);
    let (mut offered, mut got, mut turn) = (0, Vec::new(), 1usize);
    while got.len() < whole.len() {
        turn = turn * 31 % 4099;
        let piece = &whole[offered..whole.len().min(offered + turn)];
        offered += echo.handle_octets(at!(0), piece);
        if let Some(Output::Send(part)) = echo.poll(at!(0), 1 + turn % 1460) {
            got.extend(part);
        }
    }
    assert_eq!(got, whole);
}
