use core::mem::offset_of;
use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

/// All pages of a card.
struct Pages {
    transmit: TransmitPage,
    receive: ReceivePage,
    sent: Vec<Buffer>,
    received: Vec<Buffer>,
}

/// The first entry of the table of grants, for either kind of buffer.
const SENT: u32 = 100;
const RECEIVED: u32 = 200;

impl Pages {
    fn new() -> Self {
        Self {
            transmit: RingPage::new(),
            receive: RingPage::new(),
            sent: (0..SENDING).map(|_| Buffer::new()).collect(),
            received: (0..RECEIVING).map(|_| Buffer::new()).collect(),
        }
    }

    fn card(&self) -> Card<'_> {
        Card::new(
            &self.transmit,
            self.sent.iter().zip(SENT..).collect(),
            &self.receive,
            self.received.iter().zip(RECEIVED..).collect(),
        )
    }

    /// As netback, gives back the buffer of request `request` with these words of an answer, its number before them.
    fn answer_received(&self, request: usize, offset: u16, flags: u16, status: i16) {
        let id = self.receive.places[request % PLACES][0].load(Ordering::Relaxed) & 0xffff;
        self.put(
            &self.receive,
            [id | u32::from(offset) << 16, u32::from(flags) | u32::from(status.cast_unsigned()) << 16],
        );
    }

    fn answer_sent(&self, id: u32) {
        self.put(&self.transmit, [id, 0, 0]);
    }

    fn put<const W: usize>(&self, ring: &RingPage<W>, words: [u32; W]) {
        let at = ring.answers.load(Ordering::Relaxed);
        let place = &ring.places[usize::try_from(at).expect("small") % PLACES];
        place.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        ring.answers.store(at.wrapping_add(1), Ordering::Release);
    }

    /// As netback, puts `frame` into the buffer of request `request`.
    fn deliver(&self, request: usize, frame: &[u8]) {
        let reference = self.receive.places[request % PLACES][1].load(Ordering::Relaxed);
        self.received[usize::try_from(reference - RECEIVED).expect("a buffer")].write(frame);
        self.answer_received(request, 0, 0, i16::try_from(frame.len()).expect("short"));
    }

    fn sent(&self, request: usize) -> (u32, Vec<u8>) {
        let [reference, offset, tail] = &self.transmit.places[request % PLACES];
        assert_eq!(offset.load(Ordering::Relaxed), 0);
        let tail = tail.load(Ordering::Relaxed);
        let mut frame = Vec::new();
        let buffer = usize::try_from(reference.load(Ordering::Relaxed) - SENT).expect("a buffer");
        self.sent[buffer].read(0, &mut frame, usize::try_from(tail >> 16).expect("small"));
        (tail & 0xffff, frame)
    }
}

#[test]
fn a_ring_is_laid_out_as_xen_has_it() {
    assert_eq!((offset_of!(TransmitPage, answers), offset_of!(TransmitPage, places)), (8, 64));
    assert_eq!((size_of::<TransmitPage>(), size_of::<ReceivePage>(), size_of::<Buffer>()), (4_096, 4_096, 4_096));
}

#[test]
fn buffers_are_lent_at_the_start_and_again_after_each_frame() {
    let pages = Pages::new();
    let mut card = pages.card();
    assert_eq!(pages.receive.requests.load(Ordering::Relaxed), 32);
    assert!(card.poll_notify() && !card.poll_notify());
    assert_eq!(card.receive(), Ok(None));
    // Seven times around the ring, some at a time.
    for round in 0..256 {
        for n in 0..7 {
            pages.deliver(round * 7 + n, &[u8::try_from(n).expect("small"); 1_514]);
        }
        for n in 0..7_u8 {
            assert_eq!(card.receive(), Ok(Some(&[n; 1_514][..])));
        }
        assert_eq!(card.receive(), Ok(None));
    }
    assert_eq!(pages.receive.requests.load(Ordering::Relaxed), 32 + 7 * 256);
}

#[test]
fn frames_leave_until_there_is_no_room_and_again_when_they_were_taken() {
    let pages = Pages::new();
    let mut card = pages.card();
    for round in 0..40 {
        for n in 0..SENDING {
            assert_eq!(card.send(&vec![u8::try_from(n).expect("small"); 60 + n]), Ok(true));
        }
        assert_eq!(card.send(&[0; 60]), Ok(false), "all buffers are out");
        for n in 0..SENDING {
            let (id, frame) = pages.sent(round * SENDING + n);
            assert_eq!(frame, vec![u8::try_from(n).expect("small"); 60 + n]);
            pages.answer_sent(id);
        }
    }
    assert_eq!((card.send(&[0; LONGEST + 1]), card.send(&vec![0; 70_000])), (Ok(false), Ok(false)));
    assert_eq!(card.send(&[0; LONGEST]), Ok(true));
}

#[test]
fn the_other_end_is_notified_when_it_wants_to_be() {
    let pages = Pages::new();
    let mut card = pages.card();
    card.poll_notify();
    // It has not looked yet, and so it wants to hear of the first alone.
    assert_eq!(card.send(&[0; 60]), Ok(true));
    assert!(card.poll_notify());
    assert_eq!(card.send(&[0; 60]), Ok(true));
    assert!(!card.poll_notify());
    pages.transmit.request_event.store(3, Ordering::Relaxed);
    assert_eq!(card.send(&[0; 60]), Ok(true));
    assert!(card.poll_notify());
}

#[test]
fn a_frame_that_was_lost_and_one_in_pieces_are_passed_over() {
    let pages = Pages::new();
    let mut card = pages.card();
    pages.answer_received(0, 0, 0, -1);
    pages.answer_received(1, 0, 1 << 2, 4_096);
    pages.answer_received(2, 0, 0, 100);
    // One with something besides, which takes the next place.
    pages.answer_received(3, 0, 1 << 3, 100);
    pages.answer_received(4, 0, 0, 0);
    pages.deliver(5, b"whole");
    assert_eq!(card.receive(), Ok(Some(&b"whole"[..])));
    assert_eq!(card.receive(), Ok(None));
    assert_eq!(pages.receive.requests.load(Ordering::Relaxed), 38, "their buffers are lent again");
}

#[test]
fn what_cannot_be_is_a_fault() {
    let index = Pages::new();
    let mut card = index.card();
    index.receive.answers.store(33, Ordering::Relaxed);
    assert_eq!(card.receive(), Err(Fault::Index));
    index.transmit.answers.store(1, Ordering::Relaxed);
    assert_eq!(card.send(&[0; 60]), Err(Fault::Index));

    for status in [4_097, i16::MAX] {
        let long = Pages::new();
        let mut card = long.card();
        long.answer_received(0, 0, 0, status);
        assert_eq!(card.receive(), Err(Fault::Length));
    }
    let behind = Pages::new();
    let mut card = behind.card();
    behind.answer_received(0, 4_000, 0, 97);
    assert_eq!(card.receive(), Err(Fault::Length));

    // One that it never had, one that does not exist, one twice.
    let buffer = Pages::new();
    let mut card = buffer.card();
    buffer.put(&buffer.receive, [RECEIVED, 60 << 16]);
    assert_eq!(card.receive(), Err(Fault::Buffer));
    let twice = Pages::new();
    let mut card = twice.card();
    assert_eq!((card.send(&[0; 60]), card.send(&[0; 60])), (Ok(true), Ok(true)));
    twice.answer_sent(0);
    twice.answer_sent(0);
    assert_eq!(card.send(&[0; 60]), Err(Fault::Buffer));
}

#[test]
fn what_is_written_over_a_ring_of_ours_changes_nothing() {
    let pages = Pages::new();
    let mut card = pages.card();
    pages.deliver(0, b"one");
    pages.receive.requests.store(7, Ordering::Relaxed);
    pages.transmit.requests.store(99, Ordering::Relaxed);
    assert_eq!(card.receive(), Ok(Some(&b"one"[..])));
    assert_eq!(card.send(&[1; 60]), Ok(true));
    assert_eq!(
        (pages.receive.requests.load(Ordering::Relaxed), pages.transmit.requests.load(Ordering::Relaxed)),
        (33, 1)
    );
}

#[test]
fn an_offset_is_heeded() {
    let pages = Pages::new();
    let mut card = pages.card();
    pages.received[0].write(b"0123456789abcdefghij");
    pages.answer_received(0, 3, 0, 10);
    assert_eq!(card.receive(), Ok(Some(&b"3456789abc"[..])));
}

proptest! {
    /// Whatever the other end writes, a card says what came, or that it cannot be; it never goes outside of its pages.
    #[test]
    fn a_hostile_other_end_gets_nowhere(
        words in prop::collection::vec((0_u32..34, any::<u16>(), 0_u32..16, any::<u16>()), 1..200),
        steps in prop::collection::vec((0_u32..3, any::<bool>()), 1..100),
    ) {
        let pages = Pages::new();
        let mut card = pages.card();
        let mut answers = words.iter().cycle();
        for (step, sends) in steps {
            for _ in 0..step {
                let &(id, offset, flags, status) = answers.next().expect("some");
                // Mostly such as could be, so that it goes on.
                let (offset, status) = (offset % 2_100, if status % 8 == 0 { status } else { status % 2_000 });
                pages.put(&pages.receive, [id | u32::from(offset) << 16, flags | u32::from(status) << 16]);
                pages.put(&pages.transmit, [id % 17, 0, 0]);
            }
            match card.receive() {
                Ok(frame) => prop_assert!(frame.is_none_or(|frame| frame.len() <= PAGE)),
                Err(_) => break,
            }
            if sends && card.send(&[0; 60]).is_err() {
                break;
            }
        }
    }
}
