//! Established connections: how the window closes and opens.

use super::{
    data::{FULL, PLAIN, SEGMENT, ack, push},
    probes,
};
use crate::battery::{flow::Seg, port, station::Station};

probes! {
    "data: a host that does not read" => unread,
    "data: a host that does not read, plain" => unread_plain,
    "data: a flow that is read" => bulk,
}

/// Sends until the window is closed, then beyond it.
fn fill(station: &mut Station, words: &str, segment: usize) {
    station.meet();
    let flow = station.connect(port::MUTE, words);
    station.ignore(30);
    let mut at = 1_i64;
    let length = i64::try_from(segment).unwrap();
    for n in 0..70 {
        station.tcp(flow, &Seg { flags: "A", ..push(&vec![b'm'; segment], at, 1) });
        let Some((late, text)) = station.heard(std::time::Duration::from_millis(90)) else {
            station.note(format!("segment {n}: silence"));
            continue;
        };
        let zero = text.contains(" win=0 ");
        station.write(late, format!("segment {n}: {text}"));
        if text.contains(&format!("ack=ours+{} ", at + length)) {
            at += length;
        }
        if zero {
            break;
        }
    }
    station.note("a probe of the closed window");
    station.tcp(flow, &push(b"p", at, 1));
    station.listen(60);
    station.tcp(flow, &ack(at - 1, 1));
    station.listen(60);
    station.note("FIN into the closed window");
    station.tcp(flow, &Seg { flags: "FA", ..ack(at, 1) });
    station.listen(60);
    station.abort(flow, at);
}

fn unread(station: &mut Station) {
    fill(station, FULL, SEGMENT);
}

fn unread_plain(station: &mut Station) {
    fill(station, PLAIN, 1460);
}

/// How the window opens under a fast sender. What is written down is the window after each quarter of the way.
fn bulk(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::DISCARD, FULL);
    station.ignore(30);
    let mut at = 1_i64;
    // First as much in a round trip as every connection is made for, then more: memory grows with what is read. When a
    // round trip begins, and how much the service has read at that moment, is its scheduler's business: what counts is
    // whether the window opens, not how far.
    let mut first = None;
    for (rounds, segments) in [(8, 4), (8, 32)] {
        let mut widest = 0;
        for n in 0..rounds {
            for _ in 0..segments {
                station.tcp(flow, &Seg { flags: "A", ..push(&[b'b'; SEGMENT], at, 1) });
                at += i64::try_from(SEGMENT).unwrap();
            }
            match station.window_when_acked(at) {
                Some(window) => widest = widest.max(window),
                None => station.note(format!("{segments} segments, round {n}: not acknowledged")),
            }
            station.ignore(5);
        }
        let before = *first.get_or_insert(widest);
        station.note(format!("rounds of {segments}: the window opened: {}", widest > before + before / 2));
    }
    station.abort(flow, at);
}
