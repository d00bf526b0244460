//! The two halves of a connection against the simplest model of each: a string of octets.

use std::vec::Vec;

use proptest::prelude::*;

use super::{
    receive::{Arrived, Receive},
    send::{SEND_BUFFER, Send, Timeout},
    seq::Seq,
};
use crate::{
    clock::Ticks,
    personality::{Acknowledge, ConnectionRules},
};

const MS: u64 = 1_000_000;
const SEGMENT: u32 = 1000;

fn rules() -> ConnectionRules {
    ConnectionRules {
        source: "rfc: RFC 6298".into(),
        syn_ack_ms: Vec::new(),
        syn_ack_reset: false,
        rto_initial_ms: 1000,
        rto_min_ms: 200,
        rto_max_ms: 120_000,
        retries: 15,
        delayed_ack_ms: 40,
        time_wait_ms: 60_000,
        fin_wait_ms: 60_000,
        unread_resets: true,
        challenge_acks: 100,
        receive_buffer: 65_535,
        acknowledge: Acknowledge::Delayed,
        receive_memory: 0,
        sack_history: false,
        invalid_ms: 0,
        rack: false,
        loss_keeps_tenths: 0,
        burst_push: false,
        half_window: false,
        least_segment: 0,
        timer_tick_ms: 0,
        urgent_apart: false,
        reset_window: false,
        mini_sockets: false,
    }
}

fn sender(una: Seq) -> Send {
    Send::new(una, 60_000, SEGMENT, Some(10 * MS), &rules(), Ticks::default())
}

#[test]
fn sequence_numbers_compare_across_the_wrap() {
    let (low, high) = (Seq(5), Seq(u32::MAX - 5));
    assert!(high.before(low) && low.after(high) && !low.before(high));
    assert_eq!(low.since(high), 11);
    assert_eq!(high.since(low), 0);
    assert_eq!(low.max(high), low);
    assert_eq!(low.minus(11), high);
}

#[test]
fn a_window_that_was_given_is_not_taken_back() {
    let mut receive = Receive::new(Seq(0), 8_000, 8_000, SEGMENT);
    receive.take(Seq(0), &[7; 8_000], false);
    assert_eq!(receive.window(), 0);
    receive.consume(0, 500);
    assert_eq!(receive.window(), 0, "half a segment of room is not worth telling");
    receive.consume(0, 1_500);
    assert_eq!(receive.window(), 2_000);
}

#[test]
fn what_does_not_fit_the_window_is_cut_off() {
    let mut receive = Receive::new(Seq(100), 10, 10, SEGMENT);
    assert_eq!(receive.take(Seq(100), &[1; 50], false), Arrived::InOrder);
    assert_eq!(receive.next, Seq(110));
    assert_eq!(receive.held(), 10);
}

#[test]
fn a_fin_counts_once_everything_before_it_is_here() {
    let mut receive = Receive::new(Seq(0), 1_000, 1_000, SEGMENT);
    receive.take(Seq(4), b"efg", true);
    assert!(!receive.finished());
    receive.take(Seq(0), b"abcd", false);
    assert!(receive.finished());
    assert_eq!(receive.next, Seq(8));
}

#[test]
fn the_latest_gap_is_reported_first() {
    let mut receive = Receive::new(Seq(0), 50_000, 50_000, SEGMENT);
    for start in [10u32, 30, 20, 50] {
        receive.take(Seq(start), &[0; 5], false);
    }
    receive.take(Seq(30), &[0; 7], false);
    let blocks: Vec<(u32, u32)> = receive.blocks().map(|(a, b)| (a.0, b.0)).collect();
    assert_eq!(blocks, [(30, 37), (10, 15), (20, 25), (50, 55)]);
}

#[test]
fn three_duplicates_send_the_lost_segment_again_and_nothing_else() {
    let mut send = sender(Seq(0));
    send.push(&[1; 10_000]);
    while send.next_chunk(0).is_some() {}
    for (n, end) in [2_000u32, 3_000, 4_000].into_iter().enumerate() {
        send.acknowledge(MS, Seq(1), Seq(0), 60_000, true, [(Seq(1_000), Seq(end))].into_iter());
        let chunk = send.next_chunk(MS);
        assert_eq!(chunk.is_some(), n == 2, "after {} duplicates", n + 1);
        if let Some(chunk) = chunk {
            assert_eq!((chunk.seq, chunk.length), (Seq(0), 1_000));
        }
    }
    assert_eq!(send.next_chunk(MS), None);
}

#[test]
fn the_timer_backs_off_and_gives_up() {
    let mut send = sender(Seq(0));
    send.push(b"hello");
    assert!(send.next_chunk(0).is_some());
    let mut waits = Vec::new();
    let mut last = 0;
    loop {
        let at = send.deadline().unwrap();
        waits.push((at - last) / MS);
        last = at;
        match send.handle_timeout(at) {
            Timeout::Resend => assert_eq!(send.next_chunk(at).map(|c| c.length), Some(5)),
            Timeout::GiveUp => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits.len(), 16);
    assert!(waits.windows(2).all(|w| w[1] == (2 * w[0]).min(120_000)), "{waits:?}");
}

#[test]
fn a_closed_window_is_probed() {
    let mut send = Send::new(Seq(0), 0, SEGMENT, Some(MS), &rules(), Ticks::default());
    send.push(b"waiting");
    assert_eq!(send.next_chunk(0), None);
    let at = send.deadline().expect("the persist timer runs");
    assert_eq!(send.handle_timeout(at), Timeout::Probe);
    send.acknowledge(at + MS, Seq(1), Seq(0), 4, true, core::iter::empty());
    assert_eq!(send.next_chunk(at + MS).map(|c| c.length), Some(4), "four octets of window carry four octets");
}

#[test]
fn the_buffer_is_bounded_and_closes_with_the_fin() {
    let mut send = sender(Seq(0));
    assert_eq!(send.room(), SEND_BUFFER);
    send.push(&[0; SEND_BUFFER]);
    assert_eq!(send.room(), 0);
    let mut send = sender(Seq(0));
    send.finish();
    assert_eq!(send.room(), 0);
    assert!(send.next_chunk(0).is_some_and(|chunk| chunk.fin && chunk.length == 0));
}

proptest! {
    /// Pieces of one stream in any order, overlapping and repeated, come out as the stream.
    #[test]
    fn any_disorder_comes_out_in_order(
        start in any::<u32>(),
        length in 1usize..3_000,
        cuts in prop::collection::vec((0usize..3_000, 1usize..700), 0..60),
    ) {
        let stream: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
        let mut receive = Receive::new(Seq(start), 60_000, 60_000, SEGMENT);
        let mut read = Vec::new();
        let mut take = |receive: &mut Receive, from: usize, to: usize| {
            receive.take(Seq(start).plus(from as u32), &stream[from..to], to == length);
            while receive.unread() > 0 {
                let octets = receive.readable().to_vec();
                receive.consume(0, octets.len());
                read.extend_from_slice(&octets);
            }
        };
        for (from, size) in cuts {
            let from = from.min(length - 1);
            take(&mut receive, from, (from + size).min(length));
        }
        take(&mut receive, 0, length);
        prop_assert_eq!(&read, &stream);
        prop_assert!(receive.finished());
        prop_assert_eq!(receive.next, Seq(start).plus(length as u32 + 1));
        prop_assert_eq!(receive.held(), 0);
        prop_assert_eq!(receive.blocks().count(), 0);
    }

    /// Whatever is lost, the other side gets every octet: a lossy walk between the two halves.
    #[test]
    fn what_is_lost_is_sent_again(
        start in any::<u32>(),
        length in 1usize..20_000,
        losses in prop::collection::vec(0u8..4, 200),
    ) {
        let stream: Vec<u8> = (0..length).map(|n| (n * 31 % 253) as u8).collect();
        let mut send = sender(Seq(start));
        let mut receive = Receive::new(Seq(start), 60_000, 60_000, SEGMENT);
        send.push(&stream);
        send.finish();
        let mut losses = losses.into_iter();
        let mut now = 0;
        let mut read = Vec::new();
        for _ in 0..5_000 {
            let mut acks = 0;
            while let Some(chunk) = send.next_chunk(now) {
                let mut data = Vec::new();
                send.read(chunk, &mut data);
                prop_assert_eq!(data.len(), chunk.length);
                if losses.next() == Some(0) {
                    continue;
                }
                receive.take(chunk.seq, &data, chunk.fin);
                acks += 1;
            }
            while receive.unread() > 0 {
                let octets = receive.readable().to_vec();
                receive.consume(0, octets.len());
                read.extend_from_slice(&octets);
            }
            receive.finished();
            now += MS;
            for _ in 0..acks {
                let blocks: Vec<(Seq, Seq)> = receive.blocks().take(3).collect();
                send.acknowledge(now, Seq(1), receive.next, 60_000, true, blocks.into_iter());
            }
            if send.fin_acknowledged() {
                break;
            }
            if let Some(at) = send.deadline().filter(|_| acks == 0) {
                now = now.max(at);
                prop_assert_ne!(send.handle_timeout(now), Timeout::GiveUp);
            }
        }
        prop_assert!(send.fin_acknowledged(), "the transfer does not end");
        prop_assert_eq!(read, stream);
    }
}
