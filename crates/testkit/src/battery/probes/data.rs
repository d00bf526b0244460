//! Established connections: data, acknowledgments, and what is not acceptable.

use super::probes;
use crate::battery::{
    flow::Seg,
    packet::{Ip, options},
    port,
    station::{FlowId, Station},
};

/// What a modern client offers.
pub(super) const FULL: &str = "mss=1460,sok,ts=1000:0,nop,ws=7";
/// What a scanner offers.
pub(super) const PLAIN: &str = "mss=1460";
/// Octets of a full segment with timestamps.
pub(super) const SEGMENT: usize = 1448;

probes! {
    "data: requests and answers" => requests,
    "data: requests and answers, plain" => requests_plain,
    "data: acknowledgments of small segments" => small,
    "data: acknowledgments of small segments, plain" => small_plain,
    "data: acknowledgments of full segments" => full,
    "data: acknowledgments of full segments at intervals" => full_spaced,
    "data: out of order" => disorder,
    "data: out of order, without SACK" => disorder_plain,
    "data: duplicates and overlaps" => overlaps,
    "data: with the last segment of the handshake" => with_ack,
    "data: out of window" => outside,
    "data: out of window, often" => outside_often,
    "data: RST in and out of window" => resets,
    "data: SYN on it" => syns,
    "data: old timestamps" => paws,
    "data: odd timestamps" => odd_stamps,
    "data: acknowledgments of what was never sent" => bad_acks,
    "data: odd flags" => odd_flags,
    "data: urgent" => urgent,
    "data: congestion marks" => ecn,
}

pub(super) fn push(data: &[u8], seq: i64, ack: i64) -> Seg {
    Seg { flags: "PA", seq, ack, data: data.to_vec(), ..Seg::default() }
}

pub(super) fn ack(seq: i64, ack: i64) -> Seg {
    Seg { seq, ack, ..Seg::default() }
}

fn exchange(station: &mut Station, words: &str) {
    station.meet();
    let flow = station.connect(port::ECHO, words);
    station.ignore(30);
    let mut at = 1;
    for text in ["a", "hello", "more", "and more", "x", "y"] {
        let length = i64::try_from(text.len()).unwrap();
        station.note(format!("request of {length}"));
        station.tcp(flow, &push(text.as_bytes(), at, at));
        station.listen(25);
        at += length;
        station.note("its acknowledgment");
        station.tcp(flow, &ack(at, at));
        station.listen(70);
    }
    station.abort(flow, at);
}

fn requests(station: &mut Station) {
    exchange(station, FULL);
}

fn requests_plain(station: &mut Station) {
    exchange(station, PLAIN);
}

/// Small segments, each after the one before was acknowledged: when is it at once, when later?
fn one_by_one(station: &mut Station, words: &str) {
    station.meet();
    let flow = station.connect(port::DISCARD, words);
    station.ignore(30);
    let mut at = 1;
    for _ in 0..24 {
        station.tcp(flow, &push(b"abc", at, 1));
        at += 3;
        station.listen_for(1, 120);
    }
    station.abort(flow, at);
}

fn small(station: &mut Station) {
    one_by_one(station, FULL);
}

fn small_plain(station: &mut Station) {
    one_by_one(station, PLAIN);
}

/// The acknowledgment of the last of each burst. A host may join segments before it looks at them, so how many it takes
/// to get there is its scheduler's business.
fn full(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::DISCARD, FULL);
    station.ignore(30);
    let mut at = 1;
    station.hides_window = true;
    for burst in [1, 2, 2, 2, 3] {
        station.note(format!("burst of {burst}"));
        for _ in 0..burst {
            station.tcp(flow, &Seg { flags: "A", ..push(&[b'f'; SEGMENT], at, 1) });
            at += i64::try_from(SEGMENT).unwrap();
        }
        station.listen_to(&format!("ack=ours+{at} "), 90);
    }
    station.abort(flow, at);
}

/// How the window opens with full segments, one at a time.
fn full_spaced(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::DISCARD, FULL);
    station.ignore(30);
    let mut at = 1;
    for _ in 0..23 {
        station.tcp(flow, &Seg { flags: "A", ..push(&[b'f'; SEGMENT], at, 1) });
        at += i64::try_from(SEGMENT).unwrap();
        station.listen_for(1, 70);
    }
    station.abort(flow, at);
}

fn shuffled(station: &mut Station, words: &str) {
    station.meet();
    let flow = station.connect(port::ECHO, words);
    station.ignore(30);
    let part = |n: u8| push(&[b'0' + n; 10], i64::from(n) * 10 + 1, 1);
    for n in [2, 4, 6, 8, 10, 12, 3, 14, 1, 5] {
        station.tcp(flow, &part(n));
        station.answer(&format!("part {n}"));
    }
    station.note("what closes the first gap");
    station.tcp(flow, &part(0));
    station.listen(30);
    station.tcp(flow, &ack(71, 71));
    station.listen(60);
    for n in [7, 13, 11, 9] {
        station.note(format!("part {n}"));
        station.tcp(flow, &part(n));
        station.listen(30);
    }
    station.note("acknowledged");
    station.tcp(flow, &ack(151, 91));
    station.listen(50);
    station.abort(flow, 151);
}

fn disorder(station: &mut Station) {
    shuffled(station, FULL);
}

fn disorder_plain(station: &mut Station) {
    shuffled(station, PLAIN);
}

fn overlaps(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    let say = |station: &mut Station, label: &str, text: &str, seq: i64| {
        station.note(label);
        station.tcp(flow, &push(text.as_bytes(), seq, 1));
        station.listen(30);
    };
    say(station, "ten octets", "aaaaaaaaaa", 1);
    say(station, "the same again", "AAAAAAAAAA", 1);
    say(station, "a part of them again", "BBBB", 3);
    say(station, "old and new", "CCCCCCCC", 7);
    say(station, "early", "dddd", 21);
    say(station, "over its beginning", "EEEE", 19);
    say(station, "over its end", "FFFF", 23);
    say(station, "all around", "GGGGGGGGGGGG", 17);
    say(station, "what closes the gap, and more", "hhhhhhhh", 13);
    say(station, "early, again", "ii", 40);
    say(station, "the same early one", "II", 40);
    say(station, "one octet, long known", "z", 2);
    station.abort(flow, 29);
}

fn with_ack(station: &mut Station) {
    station.meet();
    for words in [FULL, PLAIN] {
        let flow = station.flow(port::ECHO);
        station.tcp(flow, &Seg { flags: "S", options: Some(options(words)), ..Seg::default() });
        station.answer("SYN");
        station.tcp(flow, &push(b"early", 1, 1));
        station.listen(30);
        station.tcp(flow, &ack(6, 6));
        station.listen(60);
        station.abort(flow, 6);
        let flow = station.flow(port::ECHO);
        station.tcp(flow, &Seg { flags: "S", options: Some(options(words)), ..Seg::default() });
        station.answer("SYN");
        station.tcp(flow, &Seg { flags: "FPA", ..push(b"early", 1, 1) });
        station.listen(15);
        station.abort(flow, 7);
    }
}

fn outside(station: &mut Station) {
    station.meet();
    for words in [FULL, PLAIN] {
        for (label, seg) in [
            ("an old octet", push(b"x", 0, 1)),
            ("old, far", push(b"old", -100_000, 1)),
            ("a keep-alive", ack(0, 1)),
            ("a keep-alive with an octet", push(b"\0", 0, 1)),
            ("old, empty", ack(-5, 1)),
            ("beyond the window", push(b"far", 200_000, 1)),
            ("beyond the window, empty", ack(200_000, 1)),
            ("across its end", push(&[b'x'; 1400], 63_900, 1)),
            ("at its end", ack(64_241, 1)),
            ("old FIN", Seg { flags: "FA", ..ack(-5, 1) }),
            ("FIN beyond the window", Seg { flags: "FA", ..ack(200_000, 1) }),
        ] {
            // Each on a connection of its own: hosts limit such answers for each connection.
            let flow = station.connect(port::DISCARD, words);
            station.ignore(15);
            station.note(label);
            station.tcp(flow, &seg);
            station.listen(60);
            station.abort(flow, 1);
        }
    }
}

/// The limit on answers to what is not acceptable.
fn outside_often(station: &mut Station) {
    station.meet();
    for (label, make) in [
        ("empty ones beyond the window", (|n| ack(200_000 + n, 1)) as fn(i64) -> Seg),
        ("data beyond the window", |n| push(b"far", 200_000 + n, 1)),
        ("RST in the window", |n| Seg { flags: "R", options: Some(Vec::new()), ..ack(100 + n, 0) }),
        ("SYN in the window", |n| Seg { flags: "S", options: Some(Vec::new()), ..ack(100 + n, 0) }),
    ] {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        for n in 0..14 {
            station.note(format!("{label}, {n}"));
            station.tcp(flow, &make(n));
            station.listen(85);
        }
        station.abort(flow, 1);
    }
}

/// Tells whether a connection is still there: it acknowledges data, or resets.
fn alive(station: &mut Station, flow: FlowId, at: i64) {
    station.tcp(flow, &push(b"z", at, 1));
    station.answer("and then data");
    station.abort(flow, at + 1);
}

fn resets(station: &mut Station) {
    station.meet();
    for (label, flags, seq, ack) in [
        ("exact", "R", 1, 0),
        ("exact, with ACK", "RA", 1, 1),
        ("exact, with a wrong ACK", "RA", 1, 999_999),
        ("in the window", "R", 2, 0),
        ("in the window, with ACK", "RA", 1000, 1),
        ("one too low", "R", 0, 0),
        ("at the end of the window", "R", 64_240, 0),
        ("beyond it", "R", 90_000, 0),
        ("far beyond it", "R", 900_000, 0),
    ] {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        station.tcp(flow, &Seg { flags, seq, ack, options: Some(Vec::new()), ..Seg::default() });
        station.answer(label);
        alive(station, flow, 1);
    }
}

fn syns(station: &mut Station) {
    station.meet();
    for (label, flags, seq, ack) in [
        ("the first SYN again", "S", 0, 0),
        ("in the window", "S", 50, 0),
        ("exact", "S", 1, 0),
        ("beyond the window", "S", 900_000, 0),
        ("SYN-ACK", "SA", 1, 1),
        ("SYN+FIN", "SF", 1, 0),
        ("SYN+RST", "SR", 1, 0),
        ("before", "S", -5000, 0),
    ] {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        station.tcp(flow, &Seg { flags, seq, ack, options: Some(options(FULL)), ..Seg::default() });
        station.answer(label);
        alive(station, flow, 1);
    }
}

fn stamped(seg: Seg, stamp: u32, echo: &str) -> Seg {
    Seg { options: Some(options(&format!("nop,nop,ts={stamp}:{echo}"))), ..seg }
}

fn paws(station: &mut Station) {
    station.meet();
    for (label, stamp, seg) in [
        ("data, stamp one lower", 999, push(b"x", 1, 1)),
        ("data, stamp far lower", 0x8000_0000 + 2000, push(b"x", 1, 1)),
        ("empty, stamp lower", 900, ack(1, 1)),
        ("FIN, stamp lower", 900, Seg { flags: "FA", ..ack(1, 1) }),
        ("RST, stamp lower", 900, Seg { flags: "R", ..ack(1, 0) }),
        ("SYN, stamp lower", 900, Seg { flags: "S", ..ack(1, 0) }),
        ("the same stamp", 1000, push(b"x", 1, 1)),
        ("a later stamp", 5000, push(b"x", 1, 1)),
    ] {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        station.tcp(flow, &stamped(seg, stamp, "0"));
        station.answer(label);
        station.tcp(flow, &stamped(push(b"yy", 1, 1), 6000, "0"));
        station.answer("and then data");
        station.abort(flow, 3);
    }
}

fn odd_stamps(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::DISCARD, FULL);
    station.ignore(15);
    for (label, seg) in [
        ("none", Seg { options: Some(Vec::new()), ..push(b"a", 1, 1) }),
        ("in front of NOPs", Seg { options: Some(options("ts=1001:0,nop,nop")), ..push(b"b", 2, 1) }),
        ("early data, later stamp", stamped(push(b"d", 4, 1), 2000, "0")),
        ("what closes the gap, stamp between", stamped(push(b"c", 3, 1), 1500, "0")),
        ("echo of a stamp never sent", stamped(push(b"e", 5, 1), 2100, "12345")),
        ("with SYN's options", Seg { options: Some(options("mss=99,ts=2200:0,nop,nop")), ..push(b"f", 6, 1) }),
    ] {
        station.tcp(flow, &seg);
        station.answer(label);
    }
    station.abort(flow, 7);
    let flow = station.connect(port::DISCARD, PLAIN);
    station.ignore(15);
    station.tcp(flow, &stamped(push(b"a", 1, 1), 77, "0"));
    station.answer("where none were agreed on");
    station.abort(flow, 2);
}

fn bad_acks(station: &mut Station) {
    station.meet();
    for (label, seg) in [
        ("one too high", ack(1, 2)),
        ("far too high", ack(1, 100_000)),
        ("too high, with data", push(b"x", 1, 50)),
        ("one too low", ack(1, 0)),
        ("too low, with data", push(b"x", 1, 0)),
        ("far too low", ack(1, -100_000)),
        ("far too low, with data", push(b"x", 1, -100_000)),
    ] {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        station.note(label);
        station.tcp(flow, &seg);
        station.listen(60);
        alive(station, flow, 2);
    }
}

fn odd_flags(station: &mut Station) {
    station.meet();
    for (flags, data) in
        [("", "x"), ("P", "x"), ("F", ""), ("U", "x"), ("FPU", ""), ("FPUA", ""), ("EA", "x"), ("CA", "x"), ("FRA", "")]
    {
        let flow = station.connect(port::DISCARD, FULL);
        station.ignore(15);
        station.note(format!("{flags} with {} octets", data.len()));
        station.tcp(flow, &Seg { flags, ..push(data.as_bytes(), 1, 1) });
        station.listen(60);
        alive(station, flow, 2);
    }
    let flow = station.connect(port::DISCARD, FULL);
    station.ignore(15);
    station.tcp(flow, &Seg { reserved: 7, ..push(b"x", 1, 1) });
    station.answer("reserved bits");
    station.tcp(flow, &Seg { bad_checksum: true, ..push(b"x", 2, 1) });
    station.answer("bad checksum");
    station.abort(flow, 2);
}

fn urgent(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.note("urgent pointer 3 of 5");
    station.tcp(flow, &Seg { flags: "PAU", urgent: 3, ..push(b"abcde", 1, 1) });
    station.listen(30);
    station.note("what was read before it is acknowledged");
    station.tcp(flow, &ack(6, 3));
    station.listen(60);
    station.tcp(flow, &ack(6, 5));
    station.note("urgent pointer without its flag");
    station.tcp(flow, &Seg { urgent: 2, ..push(b"fghij", 6, 5) });
    station.listen(60);
    station.abort(flow, 11);
}

fn ecn(station: &mut Station) {
    station.meet();
    let flow = station.flow(port::ECHO);
    station.tcp(flow, &Seg { flags: "SEC", options: Some(options(FULL)), ..Seg::default() });
    station.answer("SYN+ECE+CWR");
    station.tcp(flow, &ack(1, 1));
    station.ignore(15);
    let ce = Ip { tos: 3, df: true, ..Ip::default() };
    let ect = Ip { tos: 2, df: true, ..Ip::default() };
    station.note("data, not marked");
    station.tcp_in(&ect, flow, &push(b"a", 1, 1));
    station.listen(30);
    station.note("data, congestion met");
    station.tcp_in(&ce, flow, &push(b"b", 2, 2));
    station.listen(30);
    station.note("data after it");
    station.tcp_in(&ect, flow, &push(b"c", 3, 3));
    station.listen(30);
    station.note("CWR");
    station.tcp_in(&ect, flow, &Seg { flags: "PAC", ..push(b"d", 4, 4) });
    station.listen(30);
    station.note("ECE for what the host sent");
    station.tcp_in(&ect, flow, &Seg { flags: "PAE", ..push(b"e", 5, 5) });
    station.listen(30);
    station.abort(flow, 6);
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(15);
    station.note("congestion met where nothing was agreed on");
    station.tcp_in(&ce, flow, &push(b"a", 1, 1));
    station.listen(30);
    station.abort(flow, 2);
}
