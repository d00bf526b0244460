//! How connections end, and what is left of them.

use super::{
    data::{FULL, PLAIN, ack, push},
    probes,
};
use crate::battery::{
    flow::Seg,
    packet::options,
    port,
    station::{FlowId, Station},
};

probes! {
    "close: by the host, in order" => by_host,
    "close: by the host, plain" => by_host_plain,
    "close: by the host, FIN not acknowledged" => fin_again,
    "close: by the host, FIN acknowledged, never answered" => fin_wait,
    "close: by the host, data after it" => after_close,
    "close: by the client, in order" => by_client,
    "close: by the client, answer not acknowledged" => last_ack,
    "close: by the client, with data" => with_data,
    "close: both at once" => both,
    "close: data left unread" => left_unread,
    "close: half, data still out of order" => half_disorder,
    "close: after RST" => after_reset,
    "close: TIME-WAIT" => time_wait,
    "close: TIME-WAIT, how long" => time_wait_long,
    "close: TIME-WAIT, a new SYN" => time_wait_syn,
    "close: the same ports again" => again,
}

fn fin(seq: i64, ack: i64) -> Seg {
    Seg { flags: "FA", seq, ack, ..Seg::default() }
}

fn syn() -> Seg {
    Seg { flags: "S", options: Some(options(FULL)), ..Seg::default() }
}

/// A connection that the host closed after one line; everything acknowledged but the FIN.
fn closed_by_host(station: &mut Station, words: &str) -> FlowId {
    let flow = station.connect(port::CLOSER, words);
    station.ignore(30);
    station.tcp(flow, &push(b"bye\r\n", 1, 1));
    flow
}

fn ordered(station: &mut Station, words: &str) {
    station.meet();
    let flow = closed_by_host(station, words);
    station.listen(30);
    station.note("acknowledged");
    station.tcp(flow, &ack(6, 6));
    station.listen(60);
    station.note("our FIN");
    station.tcp(flow, &fin(6, 6));
    station.listen(60);
    station.note("our FIN again");
    station.tcp(flow, &fin(6, 6));
    station.listen(60);
}

fn by_host(station: &mut Station) {
    ordered(station, FULL);
}

fn by_host_plain(station: &mut Station) {
    ordered(station, PLAIN);
}

fn fin_again(station: &mut Station) {
    station.meet();
    let flow = closed_by_host(station, FULL);
    station.listen(7000);
    station.abort(flow, 6);
}

fn fin_wait(station: &mut Station) {
    station.meet();
    let flow = closed_by_host(station, FULL);
    station.ignore(30);
    station.tcp(flow, &ack(6, 6));
    station.listen(55_000);
    station.note("before it is given up");
    station.tcp(flow, &ack(5, 6));
    station.listen(100);
    station.ignore(10_000);
    station.note("after it is given up");
    station.tcp(flow, &ack(5, 6));
    station.listen(100);
}

fn after_close(station: &mut Station) {
    station.meet();
    for (label, first, second) in [
        ("data, FIN acknowledged", ack(6, 6), push(b"more", 6, 6)),
        ("data, FIN not acknowledged", ack(6, 5), push(b"more", 6, 5)),
        ("data and FIN", ack(6, 6), Seg { flags: "FPA", ..push(b"more", 6, 6) }),
        ("early data", ack(6, 6), push(b"more", 60, 6)),
        ("old data", ack(6, 6), push(b"bye\r\n", 1, 6)),
    ] {
        let flow = closed_by_host(station, FULL);
        station.ignore(30);
        station.tcp(flow, &first);
        station.ignore(30);
        station.note(label);
        station.tcp(flow, &second);
        station.listen(40);
        station.note("more of it");
        station.tcp(flow, &push(b"!", 10, 6));
        station.listen(40);
        station.abort(flow, 10);
    }
}

fn by_client(station: &mut Station) {
    station.meet();
    for words in [FULL, PLAIN] {
        let flow = station.connect(port::ECHO, words);
        station.ignore(30);
        station.note("our FIN");
        station.tcp(flow, &fin(1, 1));
        station.listen(60);
        station.note("the last acknowledgment");
        station.tcp(flow, &ack(2, 2));
        station.listen(40);
        station.note("the same again");
        station.tcp(flow, &ack(2, 2));
        station.listen(40);
        station.note("our FIN again");
        station.tcp(flow, &fin(1, 1));
        station.listen(40);
    }
}

fn last_ack(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.tcp(flow, &fin(1, 1));
    station.listen(7000);
    station.note("our FIN again");
    station.tcp(flow, &fin(1, 1));
    station.listen(60);
    station.abort(flow, 2);
}

fn with_data(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.tcp(flow, &Seg { flags: "FPA", ..push(b"hello", 1, 1) });
    station.listen(60);
    station.note("acknowledged");
    station.tcp(flow, &ack(7, 7));
    station.listen(60);
    station.tcp(flow, &ack(7, 7));
    station.answer("and again");
    let flow = station.connect(port::CLOSER, FULL);
    station.ignore(30);
    station.note("to one that closes itself");
    station.tcp(flow, &Seg { flags: "FPA", ..push(b"hello\n", 1, 1) });
    station.listen(60);
    station.tcp(flow, &ack(8, 6));
    station.answer("acknowledged");
}

fn both(station: &mut Station) {
    station.meet();
    let flow = closed_by_host(station, FULL);
    station.ignore(30);
    station.note("our FIN, theirs not yet acknowledged");
    station.tcp(flow, &fin(6, 5));
    station.listen(60);
    station.note("theirs acknowledged");
    station.tcp(flow, &ack(7, 6));
    station.listen(60);
    station.tcp(flow, &ack(6, 6));
    station.answer("what is left");
}

fn left_unread(station: &mut Station) {
    station.meet();
    for words in [FULL, PLAIN] {
        let flow = station.connect(port::LEAVER, words);
        station.ignore(30);
        station.tcp(flow, &push(b"never read", 1, 1));
        station.listen(1500);
        station.note("after it");
        station.tcp(flow, &ack(11, 1));
        station.listen(40);
        let flow = station.connect(port::LEAVER, words);
        station.ignore(30);
        station.note("with FIN behind it");
        station.tcp(flow, &Seg { flags: "FPA", ..push(b"never read", 1, 1) });
        station.listen(1500);
    }
}

fn half_disorder(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.note("FIN behind a gap");
    station.tcp(flow, &Seg { flags: "FPA", ..push(b"world", 6, 1) });
    station.listen(40);
    station.note("the gap closes");
    station.tcp(flow, &push(b"hello", 1, 1));
    station.listen(60);
    station.note("data beyond the FIN");
    station.tcp(flow, &push(b"more", 12, 11));
    station.listen(60);
    station.abort(flow, 12);
}

fn after_reset(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.abort(flow, 1);
    for seg in [ack(1, 1), push(b"x", 1, 1), fin(1, 1)] {
        station.tcp(flow, &seg);
        station.answer(seg.flags);
    }
}

/// A flow that the host has in TIME-WAIT: our next number is 7, its own 6.
fn in_time_wait(station: &mut Station, words: &str) -> FlowId {
    let flow = closed_by_host(station, words);
    station.ignore(60);
    station.tcp(flow, &ack(6, 6));
    station.tcp(flow, &fin(6, 6));
    station.ignore(40);
    flow
}

fn time_wait(station: &mut Station) {
    station.meet();
    for words in [FULL, PLAIN] {
        for (label, seg) in [
            ("the exact acknowledgment", ack(7, 6)),
            ("an old acknowledgment", ack(6, 5)),
            ("FIN again", fin(6, 6)),
            ("FIN beyond", fin(7, 6)),
            ("data", push(b"more", 7, 6)),
            ("old data", push(b"bye\r\n", 1, 1)),
            ("data far out", push(b"more", 300_000, 6)),
            ("RST", Seg { flags: "R", options: Some(Vec::new()), ..ack(7, 0) }),
            ("RST in the window", Seg { flags: "R", options: Some(Vec::new()), ..ack(70, 0) }),
            ("RST far out", Seg { flags: "R", options: Some(Vec::new()), ..ack(300_000, 0) }),
            ("SYN-ACK", Seg { flags: "SA", ..ack(7, 6) }),
        ] {
            let flow = in_time_wait(station, words);
            station.tcp(flow, &seg);
            station.answer(label);
            station.tcp(flow, &ack(6, 5));
            station.answer("and then");
        }
        let flow = in_time_wait(station, words);
        for n in 0..4 {
            station.tcp(flow, &fin(6, 6));
            station.answer(&format!("FIN again, {n}"));
            station.wait(150);
        }
    }
}

fn time_wait_long(station: &mut Station) {
    station.meet();
    let flow = in_time_wait(station, FULL);
    station.listen(56_000);
    station.tcp(flow, &ack(6, 5));
    station.answer("before its end");
    station.ignore(6000);
    station.tcp(flow, &ack(6, 5));
    station.answer("after its end");
}

fn time_wait_syn(station: &mut Station) {
    station.meet();
    for (label, seg) in [
        ("a higher number, a later stamp", Seg { seq: 100_000, ..stamped(90_000) }),
        ("a higher number, an earlier stamp", Seg { seq: 100_000, ..stamped(10) }),
        ("a lower number, a later stamp", Seg { seq: -100_000, ..stamped(90_000) }),
        ("a lower number, an earlier stamp", Seg { seq: -100_000, ..stamped(10) }),
        ("a higher number, no stamp", Seg { seq: 100_000, options: Some(options(PLAIN)), ..syn() }),
        ("a lower number, no stamp", Seg { seq: -100_000, options: Some(options(PLAIN)), ..syn() }),
        ("the same number", syn()),
    ] {
        let flow = in_time_wait(station, FULL);
        station.forget(flow);
        station.tcp(flow, &seg);
        station.answer(label);
        station.abort(flow, seg.seq + 1);
    }
}

fn stamped(stamp: u32) -> Seg {
    Seg { options: Some(options(&format!("mss=1460,sok,ts={stamp}:0,nop,ws=7"))), ..syn() }
}

fn again(station: &mut Station) {
    station.meet();
    // The first connection is reset; the next SYN from the same port is welcome.
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.abort(flow, 1);
    station.forget(flow);
    station.tcp(flow, &Seg { seq: 77, ..syn() });
    station.answer("SYN after RST");
    station.tcp(flow, &Seg { seq: 78, ack: 1, ..Seg::default() });
    station.tcp(flow, &push(b"new", 78, 1));
    station.listen(25);
    station.abort(flow, 81);
}
