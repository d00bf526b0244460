//! SYNs: every offer that a client can make, and what comes beside the options.

use super::probes;
use crate::battery::{flow::Seg, packet::options, port, station::Station};

probes! {
    "SYN: subsets of options" => subsets,
    "SYN: orders and padding" => orders,
    "SYN: segment sizes" => sizes,
    "SYN: window scales and timestamps" => values,
    "SYN: unknown options, TFO, broken ones" => unknown,
    "SYN: flags beside it" => flags,
    "SYN: with data" => data,
    "SYN: windows of the client" => windows,
    "SYN: to a closed port" => closed,
    "SYN: again, other, half-open" => again,
}

fn ask(station: &mut Station, label: &str, to: u16, seg: &Seg) {
    let flow = station.flow(to);
    station.tcp(flow, seg);
    station.answer(label);
    station.abort(flow, 1);
}

fn ask_options(station: &mut Station, words: &str) {
    let seg = Seg { flags: "S", options: Some(options(words)), ..Seg::default() };
    ask(station, &format!("<{words}>"), port::ECHO, &seg);
}

fn subsets(station: &mut Station) {
    station.meet();
    for set in 0..16_u8 {
        let words = [(1, "mss=1460"), (2, "sok"), (4, "ts=1000:0"), (8, "ws=7")];
        let words: Vec<&str> = words.iter().filter(|(bit, _)| set & bit != 0).map(|(_, word)| *word).collect();
        ask_options(station, &words.join(","));
    }
}

fn orders(station: &mut Station) {
    station.meet();
    for words in [
        "ws=7,ts=1000:0,sok,mss=1460",
        "ts=1000:0,ws=7,mss=1460,sok",
        "nop,nop,nop,mss=1460",
        "mss=1460,eol,sok",
        "eol,mss=1460",
        "mss=1460,nop,ws=8,nop,nop,sok",
        "nop,nop,sok,nop,nop,ts=1:0,mss=1400,nop,ws=2",
        "mss=1460,sok,eol,ts=1000:0",
        "mss=1460,mss=500",
        "ws=3,ws=7,mss=1460",
        "sok,sok,mss=1460",
        "ts=5:0,ts=7:0,mss=1460",
    ] {
        ask_options(station, words);
    }
}

fn sizes(station: &mut Station) {
    station.meet();
    for mss in [0, 1, 48, 88, 256, 536, 1200, 1459, 1461, 8960, 65_495, 65_535] {
        ask_options(station, &format!("mss={mss}"));
        ask_options(station, &format!("mss={mss},sok,ts=1000:0,nop,ws=7"));
    }
}

fn values(station: &mut Station) {
    station.meet();
    for shift in [0, 1, 14, 15, 255] {
        ask_options(station, &format!("mss=1460,nop,ws={shift}"));
    }
    for stamp in ["0:0", "1:0", "4294967295:0", "7:99", "2147483648:5"] {
        ask_options(station, &format!("mss=1460,nop,nop,ts={stamp}"));
    }
}

fn unknown(station: &mut Station) {
    station.meet();
    for words in [
        "tfo",
        "mss=1460,tfo",
        "mss=1460,sok,ts=1000:0,nop,ws=7,tfo,nop,nop",
        "mss=1460,raw=220a0102030405060708",
        "mss=1460,raw=fd04f989",
        "mss=1460,raw=fe06f989aabb",
        "mss=1460,raw=1e0c00010203040506070809",
        "mss=1460,raw=13120102030405060708090a0b0c0d0e0f10",
        "raw=0506010203040506,mss=1460",
        "mss=1460,raw=0000000000000000",
        "raw=0201",
        "raw=02ff05b4",
        "raw=0200",
        "raw=020305b4",
        "raw=03040707",
        "raw=0803010203",
        "raw=ff",
        "raw=4200",
        "raw=42",
        "mss=1460,raw=0a0c0b",
    ] {
        ask_options(station, words);
    }
}

fn flags(station: &mut Station) {
    station.meet();
    for (letters, reserved, urgent) in [
        ("SEC", 0, 0),
        ("SE", 0, 0),
        ("SC", 0, 0),
        ("SP", 0, 0),
        ("SU", 0, 7),
        ("SUP", 0, 0),
        ("SPEC", 0, 0),
        ("S", 1, 0),
        ("S", 8, 0),
        ("S", 15, 0),
        ("SEC", 8, 0xf7f5),
        ("S", 0, 500),
    ] {
        for words in ["", "mss=1460,sok,ts=1000:0,nop,ws=7"] {
            let seg = Seg { flags: letters, reserved, urgent, options: Some(options(words)), ..Seg::default() };
            ask(station, &format!("{letters} reserved {reserved} urgent {urgent} <{words}>"), port::ECHO, &seg);
        }
    }
}

fn data(station: &mut Station) {
    station.meet();
    for (to, label) in [(port::ECHO, "open"), (port::CLOSED, "closed")] {
        for length in [1, 5, 1000, 1460] {
            let seg = Seg { flags: "S", options: Some(Vec::new()), data: vec![b'd'; length], ..Seg::default() };
            ask(station, &format!("{label}, {length} octets"), to, &seg);
        }
    }
}

fn windows(station: &mut Station) {
    station.meet();
    for window in [0, 1, 4, 512, 1024, 65_535] {
        for words in ["mss=1460", "mss=1460,sok,ts=1000:0,nop,ws=7"] {
            let seg = Seg { flags: "S", window, options: Some(options(words)), ..Seg::default() };
            ask(station, &format!("window {window} <{words}>"), port::ECHO, &seg);
        }
    }
}

fn closed(station: &mut Station) {
    station.meet();
    for words in ["", "mss=1460", "mss=1460,sok,ts=1000:0,nop,ws=7", "ts=9:0"] {
        let seg = Seg { flags: "S", options: Some(options(words)), ..Seg::default() };
        ask(station, &format!("<{words}>"), port::CLOSED, &seg);
    }
    for to in [0, 65_535] {
        ask(station, &format!("port {to}"), to, &Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() });
    }
}

/// What becomes of a handshake when something else comes than its last segment.
fn again(station: &mut Station) {
    station.meet();
    let syn = |words: &str| Seg { flags: "S", options: Some(options(words)), ..Seg::default() };
    let full = syn("mss=1460,sok,ts=1000:0,nop,ws=7");
    let open = |station: &mut Station| {
        let flow = station.flow(port::DISCARD);
        station.tcp(flow, &full);
        station.answer("SYN");
        flow
    };
    let flow = open(station);
    station.tcp(flow, &full);
    station.answer("the same SYN again");
    station.tcp(flow, &syn("mss=1460,sok,ts=2000:0,nop,ws=7"));
    station.answer("a later timestamp");
    station.tcp(flow, &syn("mss=536"));
    station.answer("the same number, other options");
    station.tcp(flow, &Seg { seq: 5000, ..full.clone() });
    station.answer("another number");
    station.tcp(flow, &Seg { seq: -5000, ..full.clone() });
    station.answer("a number before");
    for (label, seg) in [
        ("FIN", Seg { flags: "F", seq: 1, ..Seg::default() }),
        ("NULL", Seg { flags: "", seq: 1, ..Seg::default() }),
        ("wrong ACK", Seg { seq: 1, ack: 5, ..Seg::default() }),
        ("ACK of nothing", Seg { seq: 1, ack: 0, ..Seg::default() }),
        ("SYN-ACK, right", Seg { flags: "SA", seq: 0, ack: 1, ..Seg::default() }),
        ("SYN-ACK, wrong", Seg { flags: "SA", seq: 0, ack: 99, ..Seg::default() }),
        ("ACK out of window", Seg { seq: 200_000, ack: 1, ..Seg::default() }),
        ("old ACK", Seg { seq: -1000, ack: 1, ..Seg::default() }),
        ("SYN+FIN", Seg { flags: "SF", seq: 0, options: Some(Vec::new()), ..Seg::default() }),
        ("RST, wrong number", Seg { flags: "R", seq: 9000, options: Some(Vec::new()), ..Seg::default() }),
        ("RST far out", Seg { flags: "R", seq: 900_000, options: Some(Vec::new()), ..Seg::default() }),
    ] {
        let flow = open(station);
        station.tcp(flow, &seg);
        station.answer(label);
        // What was left of it: the last segment of the handshake says so.
        station.tcp(flow, &Seg { seq: 1, ack: 1, ..Seg::default() });
        station.answer("and then the right ACK");
        station.tcp(flow, &Seg { flags: "PA", seq: 1, ack: 1, data: b"a".to_vec(), ..Seg::default() });
        station.answer("and then data");
        station.tcp(flow, &Seg { flags: "R", seq: 1, options: Some(Vec::new()), ..Seg::default() });
        station.tcp(flow, &Seg { flags: "R", seq: 2, options: Some(Vec::new()), ..Seg::default() });
    }
    let flow = open(station);
    station.tcp(flow, &Seg { flags: "R", seq: 1, options: Some(Vec::new()), ..Seg::default() });
    station.answer("RST, right number");
    station.tcp(flow, &Seg { seq: 1, ack: 1, ..Seg::default() });
    station.answer("ACK after it");
}
