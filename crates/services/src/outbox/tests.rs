use alloc::vec::Vec;

use chaff_events::{Detail, Kind};

use super::{COMPACT_AT, MAX_FACTS, Outbox};
use crate::Output;

#[test]
fn facts_come_first_then_the_clock_then_octets_then_the_end() {
    let mut outbox = Outbox::default();
    outbox.send(b"bye");
    outbox.close();
    outbox.wake(7);
    outbox.observe(Kind::ServiceRequest, None, Detail::None);
    assert!(matches!(outbox.poll(10), Some(Output::Observe(..))));
    assert_eq!(outbox.poll(10), Some(Output::Wake(7)));
    assert_eq!(outbox.poll(0), None, "no room, so neither octets nor the end");
    assert_eq!(outbox.poll(2), Some(Output::Send(b"by".to_vec())));
    assert_eq!(outbox.poll(2), Some(Output::Send(b"e".to_vec())));
    assert_eq!(outbox.poll(2), Some(Output::Close));
    assert_eq!(outbox.poll(2), None, "the end is said once");
}

#[test]
fn nothing_is_sent_after_the_end() {
    let mut outbox = Outbox::default();
    outbox.close();
    outbox.send(b"late");
    assert_eq!(outbox.poll(10), Some(Output::Close));
    assert_eq!(outbox.poll(10), None);
}

#[test]
fn small_rooms_give_the_same_octets_over_compactions() {
    let whole: Vec<u8> = (0..3 * COMPACT_AT).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let mut outbox = Outbox::default();
    outbox.send(&whole);
    let mut got = Vec::new();
    while let Some(Output::Send(part)) = outbox.poll(1460) {
        assert!(part.len() <= 1460);
        got.extend(part);
    }
    assert_eq!(got, whole);
    assert_eq!(outbox.pending(), 0);
}

#[test]
fn a_queue_of_facts_counts_as_being_behind_and_is_bounded() {
    let mut outbox = Outbox::default();
    for _ in 0..10 * MAX_FACTS {
        outbox.observe(Kind::ServiceRequest, None, Detail::None);
    }
    assert!(outbox.is_behind());
    let held = core::iter::from_fn(|| outbox.poll(0)).count();
    assert_eq!(held, 2 * MAX_FACTS);
}

#[test]
fn who_has_finished_says_no_more_and_closes_later() {
    let mut outbox = Outbox::default();
    outbox.send(b"bye");
    outbox.finish();
    outbox.send(b"late");
    assert!(outbox.is_closing() && outbox.is_finished());
    assert_eq!(outbox.poll(10), Some(Output::Send(b"bye".to_vec())));
    assert_eq!(outbox.poll(10), Some(Output::Finish));
    assert_eq!(outbox.poll(10), None);
    outbox.wake(7);
    outbox.close();
    assert!(!outbox.is_finished());
    assert_eq!(outbox.poll(10), Some(Output::Wake(7)));
    assert_eq!(outbox.poll(10), Some(Output::Close));
    outbox.close();
    assert_eq!(outbox.poll(10), None);
}
