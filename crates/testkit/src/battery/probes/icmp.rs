//! ICMP and UDP: echoes, other questions, errors and their limits.

use super::probes;
use crate::battery::{packet::Ip, port, station::Station};

probes! {
    "ICMP: echo" => echo,
    "ICMP: echo, sizes" => sizes,
    "ICMP: echo, identifications" => identifications,
    "ICMP: other types" => types,
    "ICMP: bad checksums, too short" => broken,
    "ICMP: to everybody" => broadcast,
    "UDP: quotes" => quotes,
    "UDP: a burst to a closed port" => burst,
    "UDP: closed ports at intervals" => intervals,
    "UDP: open port" => open,
    "UDP: odd datagrams" => odd_udp,
    "IP: unknown protocols" => protocols,
    "IP: limits are of one kind, or of each" => shared_limit,
}

const WORD: [u8; 4] = [0x12, 0x34, 0, 1];

fn echo(station: &mut Station) {
    station.meet();
    for code in [0, 1, 9, 255] {
        station.icmp(&Ip::default(), 8, code, WORD, b"payload of an echo request");
        station.answer(&format!("code {code}"));
    }
    for tos in [0x04, 0x10, 0xb8, 0xc0, 0x01, 0x02, 0x03] {
        station.icmp(&Ip { tos, ..Ip::default() }, 8, 0, WORD, b"tos");
        station.answer(&format!("tos {tos:#x}"));
    }
    for (label, ip) in [
        ("DF", Ip { df: true, ..Ip::default() }),
        ("identification 0", Ip { id: 0, ..Ip::default() }),
        ("ttl 1", Ip { ttl: 1, ..Ip::default() }),
        ("ttl 0", Ip { ttl: 0, ..Ip::default() }),
        ("ttl 255", Ip { ttl: 255, ..Ip::default() }),
    ] {
        station.icmp(&ip, 8, 0, WORD, b"header");
        station.answer(label);
    }
}

fn sizes(station: &mut Station) {
    station.meet();
    for size in [0, 1, 7, 8, 56, 120, 150, 1000, 1471, 1472] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        station.icmp(&Ip { df: true, ..Ip::default() }, 8, 0, WORD, &body);
        station.answer(&format!("{size} octets"));
    }
}

/// Whether the numbers of answers grow by one, also after a pause.
fn identifications(station: &mut Station) {
    station.meet();
    let mut last = None;
    let mut steps = Vec::new();
    for _ in 0..16 {
        station.icmp(&Ip::default(), 8, 0, WORD, b"id");
        if let Some(id) = station.next_id() {
            if let Some(last) = last {
                steps.push(id.wrapping_sub(last));
            }
            last = Some(id);
        }
        station.wait(300);
    }
    let exact = steps.iter().filter(|&&step| step == 1).count();
    let near = steps.iter().filter(|&&step| (1..=400).contains(&step)).count();
    station.note(format!("fifteen steps of 0.3 s: all small {}, mostly one {}", near == 15, exact > 8));
}

fn types(station: &mut Station) {
    station.meet();
    for kind in [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 42, 255] {
        station.icmp(&Ip::default(), kind, 0, WORD, &[0; 32]);
        station.answer(&format!("type {kind}"));
    }
    for (size, code) in [(12, 0), (12, 5), (4, 0), (0, 0), (20, 0)] {
        station.icmp(&Ip { tos: 0x10, ..Ip::default() }, 13, code, WORD, &vec![0; size]);
        station.answer(&format!("timestamp, code {code}, {size} octets"));
    }
}

fn broken(station: &mut Station) {
    station.meet();
    let mut message = crate::battery::packet::icmp(8, 0, WORD, b"abcdef");
    message[2] ^= 1;
    station.ip(&Ip::default(), 1, &message);
    station.answer("bad ICMP checksum");
    station.icmp(&Ip { bad_checksum: true, ..Ip::default() }, 8, 0, WORD, b"abcdef");
    station.answer("bad IP checksum");
    let message = crate::battery::packet::icmp(8, 0, WORD, b"");
    for length in [0, 1, 4, 7] {
        station.ip(&Ip::default(), 1, &message[..length]);
        station.answer(&format!("{length} octets"));
    }
}

fn broadcast(station: &mut Station) {
    station.meet();
    let everybody = Some(chaff_wire::Mac::BROADCAST);
    for (label, destination) in [
        ("subnet", "10.255.255.255"),
        ("limited", "255.255.255.255"),
        ("all systems", "224.0.0.1"),
        ("zero", "10.0.0.0"),
    ] {
        let ip = Ip { destination: destination.parse().ok(), to: everybody, ..Ip::default() };
        station.icmp(&ip, 8, 0, WORD, b"anybody");
        station.answer(&format!("echo, {label}"));
        station.icmp(&ip, 13, 0, WORD, &[0; 12]);
        station.answer(&format!("timestamp, {label}"));
    }
    let ip = Ip { to: everybody, ..Ip::default() };
    station.icmp(&ip, 8, 0, WORD, b"you");
    station.answer("echo to its address in a broadcast frame");
    station.icmp(&ip, 13, 0, WORD, &[0; 12]);
    station.answer("timestamp to its address in a broadcast frame");
    station.udp(&ip, 5000, port::CLOSED, b"x");
    station.answer("UDP closed in a broadcast frame");
    station.udp(&ip, 5000, port::ECHO, b"x");
    station.answer("UDP open in a broadcast frame");
    station.ip(&ip, 253, b"x");
    station.answer("unknown protocol in a broadcast frame");
    let flow = station.flow(port::ECHO);
    station.tcp_in(&ip, flow, &crate::battery::flow::Seg { flags: "S", ..Default::default() });
    station.answer("SYN in a broadcast frame");
}

fn quotes(station: &mut Station) {
    station.meet();
    for size in [0, 8, 100, 300, 600, 1472] {
        // One a second, so that the limit is not part of it.
        station.udp(&Ip { tos: 0x10, df: size == 8, ..Ip::default() }, 5000, port::CLOSED, &vec![b'C'; size]);
        station.answer(&format!("{size} octets"));
        station.wait(1100);
    }
}

fn burst(station: &mut Station) {
    station.meet();
    station.gathers = true;
    for n in 0..60 {
        station.udp(&Ip::default(), 5000 + n, 30_000 + n, b"burst");
    }
    let mut heard = Vec::new();
    while let Some((_, text)) = station.heard(std::time::Duration::from_millis(300)) {
        heard.push(text);
    }
    station.note(format!(
        "sixty at once: {} answers, the last {}",
        heard.len(),
        heard.last().cloned().unwrap_or_default()
    ));
    station.gathers = false;
    // Ten a second: what comes back is the pace of the host.
    let mut heard = 0;
    for n in 0..60 {
        station.udp(&Ip::default(), 6000 + n, 30_000 + n, b"slow");
        heard += usize::from(station.heard(std::time::Duration::from_millis(20)).is_some());
        station.wait(80);
    }
    station.note(format!(
        "six seconds of ten a second: {}",
        if (5..=7).contains(&heard) { "one a second".to_owned() } else { heard.to_string() }
    ));
}

fn intervals(station: &mut Station) {
    station.meet();
    for n in 0..4 {
        station.udp(&Ip::default(), 5000, 31_000 + n, b"x");
        station.answer(&format!("{n}"));
        station.wait(1100);
    }
}

fn open(station: &mut Station) {
    station.meet();
    for size in [0, 5, 1400, 1472] {
        station.udp(&Ip::default(), 5000, port::ECHO, &vec![b'e'; size]);
        station.answer(&format!("{size} octets"));
    }
    station.udp(&Ip { tos: 0x10, df: true, ..Ip::default() }, 5001, port::ECHO, b"tos");
    station.answer("tos and DF");
    station.udp(&Ip::default(), 0, port::ECHO, b"x");
    station.answer("from port 0");
}

fn odd_udp(station: &mut Station) {
    station.meet();
    let good = crate::battery::packet::datagram(5000, port::ECHO, station.own.1, station.target.1, b"hello");
    let mut bad = good.clone();
    bad[6] ^= 1;
    station.ip(&Ip::default(), 17, &bad);
    station.answer("bad checksum");
    let mut none = good.clone();
    none[6..8].copy_from_slice(&[0, 0]);
    station.ip(&Ip::default(), 17, &none);
    station.answer("no checksum");
    let mut long = none.clone();
    long[4..6].copy_from_slice(&100_u16.to_be_bytes());
    station.ip(&Ip::default(), 17, &long);
    station.answer("length too high");
    let mut short = none.clone();
    short[4..6].copy_from_slice(&10_u16.to_be_bytes());
    station.ip(&Ip::default(), 17, &short);
    station.answer("length too low");
    let mut tiny = none.clone();
    tiny[4..6].copy_from_slice(&4_u16.to_be_bytes());
    station.ip(&Ip::default(), 17, &tiny);
    station.answer("length below a header");
    station.ip(&Ip::default(), 17, &good[..6]);
    station.answer("six octets");
    let mut closed = crate::battery::packet::datagram(5000, port::CLOSED, station.own.1, station.target.1, b"hello");
    closed[6] ^= 1;
    station.ip(&Ip::default(), 17, &closed);
    station.answer("bad checksum, closed");
    station.udp(&Ip::default(), 0, port::CLOSED, b"x");
    station.answer("from port 0, closed");
    station.udp(&Ip::default(), 5000, 0, b"x");
    station.answer("to port 0");
}

fn protocols(station: &mut Station) {
    station.meet();
    // Those that no kernel module of this machine's takes.
    for protocol in [3, 77, 253, 254, 255] {
        station.ip(&Ip::default(), protocol, &[0; 40]);
        station.answer(&format!("protocol {protocol}"));
        station.wait(1100);
    }
    station.ip(&Ip::default(), 253, &[0; 1400]);
    station.answer("protocol 253, 1,400 octets");
    station.wait(1100);
    station.ip(&Ip::default(), 253, &[]);
    station.answer("protocol 253, empty");
    station.ip(&Ip::default(), 2, &[0x11, 0, 0xee, 0xff, 0, 0, 0, 0]);
    station.answer("IGMP");
}

/// Spends the limit with one kind of error and asks for another.
fn shared_limit(station: &mut Station) {
    station.meet();
    for n in 0..12 {
        station.udp(&Ip::default(), 5000 + n, 30_000 + n, b"burst");
    }
    station.ignore(100);
    station.ip(&Ip::default(), 253, &[0; 40]);
    station.answer("protocol unreachable after many port unreachables");
    station.icmp(&Ip::default(), 8, 0, WORD, b"echo");
    station.answer("echo after them");
    station.icmp(&Ip::default(), 13, 0, WORD, &[0; 12]);
    station.answer("timestamp after them");
    let flow = station.flow(port::CLOSED);
    station.tcp(flow, &crate::battery::flow::Seg { flags: "S", ..Default::default() });
    station.answer("TCP closed after them");
    station.gathers = true;
    for n in 0..40 {
        station.icmp(&Ip::default(), 8, 0, [0, 0, 0, n], b"flood");
    }
    let mut replies = 0;
    while station.heard(std::time::Duration::from_millis(100)).is_some() {
        replies += 1;
    }
    station.note(format!("echoes of forty at once: {replies}"));
    for n in 0..40 {
        let flow = station.flow(1000 + n);
        station.tcp(flow, &crate::battery::flow::Seg { flags: "S", options: Some(Vec::new()), ..Default::default() });
    }
    let mut replies = 0;
    while station.heard(std::time::Duration::from_millis(100)).is_some() {
        replies += 1;
    }
    station.note(format!("resets of forty at once: {replies}"));
}
