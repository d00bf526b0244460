//! Segments outside of any connection, to an open and to a closed port.

use super::probes;
use crate::battery::{flow::Seg, packet::Ip, packet::options, port, station::Station};

probes! {
    "odd: every set of flags, open" => open,
    "odd: every set of flags, closed" => closed,
    "odd: with data and options, open" => dressed_open,
    "odd: with data and options, closed" => dressed_closed,
    "odd: bad checksum, bad offset" => broken,
    "odd: from port 0, from the broadcast address" => sources,
    "odd: type of service and DF are not copied" => copied,
}

/// All 64 sets of the six classic flags.
fn all_flags() -> Vec<&'static str> {
    const LETTERS: [char; 6] = ['F', 'S', 'R', 'P', 'A', 'U'];
    let set = |bits: usize| -> &'static str {
        let word: String = (0..6).filter(|i| bits & 1 << i != 0).map(|i| LETTERS[i]).collect();
        // 64 short words, once a recording.
        word.leak()
    };
    (0..64).map(set).collect()
}

fn each(station: &mut Station, to: u16) {
    station.meet();
    for flags in all_flags() {
        let flow = station.flow(to);
        station.tcp(flow, &Seg { flags, options: Some(Vec::new()), ..Seg::default() });
        station.answer(if flags.is_empty() { "none" } else { flags });
        station.abort(flow, 1);
    }
}

fn open(station: &mut Station) {
    each(station, port::ECHO);
}

fn closed(station: &mut Station) {
    each(station, port::CLOSED);
}

fn dressed(station: &mut Station, to: u16) {
    station.meet();
    for flags in ["", "F", "FPU", "A", "PA", "FA", "SA", "SF", "SFPU", "U", "E", "C", "EC", "AEC", "FEC"] {
        let flow = station.flow(to);
        let options = Some(options("ws=10,nop,mss=265,ts=4294967295:0,sok"));
        station.tcp(flow, &Seg { flags, options, data: b"hello".to_vec(), urgent: 3, ..Seg::default() });
        station.answer(if flags.is_empty() { "none" } else { flags });
        station.abort(flow, 1);
    }
    // The acknowledgment field counts without its flag, or it does not.
    for (flags, ack) in [("", 0), ("F", 7), ("A", 0)] {
        for reserved in [0, 8, 15] {
            let flow = station.flow(to);
            station.tcp(flow, &Seg { flags, ack, reserved, window: 0, options: Some(Vec::new()), ..Seg::default() });
            station.answer(&format!("{flags} ack {ack} reserved {reserved} window 0"));
        }
    }
}

fn dressed_open(station: &mut Station) {
    dressed(station, port::ECHO);
}

fn dressed_closed(station: &mut Station) {
    dressed(station, port::CLOSED);
}

fn broken(station: &mut Station) {
    station.meet();
    for (to, label) in [(port::ECHO, "open"), (port::CLOSED, "closed")] {
        for flags in ["S", "A", "F"] {
            let base = || Seg { flags, options: Some(Vec::new()), ..Seg::default() };
            for (what, seg) in [
                ("bad checksum", Seg { bad_checksum: true, ..base() }),
                ("offset 0", Seg { offset: Some(0), ..base() }),
                ("offset 4", Seg { offset: Some(4), ..base() }),
                ("offset beyond the end", Seg { offset: Some(15), ..base() }),
                ("offset into the data", Seg { offset: Some(6), data: b"abcdefgh".to_vec(), ..base() }),
            ] {
                let flow = station.flow(to);
                station.tcp(flow, &seg);
                station.answer(&format!("{label} {flags} {what}"));
                station.abort(flow, 1);
            }
        }
    }
    let flow = station.flow(port::ECHO);
    station.tcp_in(&Ip { bad_checksum: true, ..Ip::default() }, flow, &Seg { flags: "S", ..Seg::default() });
    station.answer("bad IP checksum");
    let (own, target) = (station.own.1, station.target.1);
    let whole = station.flows[flow].emit(&Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() }, own, target);
    for length in [0, 1, 8, 19] {
        station.ip(&Ip::default(), 6, &whole[..length]);
        station.answer(&format!("{length} octets of a header"));
    }
}

fn sources(station: &mut Station) {
    station.meet();
    for (to, label) in [(port::ECHO, "open"), (port::CLOSED, "closed")] {
        let flow = station.flow(to);
        station.flows[flow].ours = 0;
        station.tcp(flow, &Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() });
        station.answer(&format!("{label}, from port 0"));
        station.abort(flow, 1);
        // Answers to these would go elsewhere, or nowhere; none comes here in any case that is not broken.
        for source in ["127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "10.255.255.255", "240.0.0.1"] {
            let flow = station.flow(to);
            let ip = Ip { source: source.parse().ok(), ..Ip::default() };
            station.tcp_in(&ip, flow, &Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() });
            station.answer(&format!("{label}, from {source}"));
        }
        // A land attack: from the host's own address.
        let flow = station.flow(to);
        let ip = Ip { source: Some(station.target.1), ..Ip::default() };
        station.tcp_in(&ip, flow, &Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() });
        station.answer(&format!("{label}, from its own address"));
    }
}

fn copied(station: &mut Station) {
    station.meet();
    for (to, label) in [(port::ECHO, "open"), (port::CLOSED, "closed")] {
        for tos in [0x04, 0x10, 0xb8, 0x03] {
            for df in [false, true] {
                for flags in ["S", "A"] {
                    let flow = station.flow(to);
                    let seg = Seg { flags, options: Some(Vec::new()), ..Seg::default() };
                    station.tcp_in(&Ip { tos, df, ..Ip::default() }, flow, &seg);
                    station.answer(&format!("{label} {flags} tos {tos:#x} df {df}"));
                    station.abort(flow, 1);
                }
            }
        }
    }
}
