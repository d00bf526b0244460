//! The IPv4 header: options, fragments, and what is wrong with it.

use super::probes;
use crate::battery::{
    flow::Seg,
    packet::{Ip, datagram, icmp, options},
    port,
    station::Station,
};

probes! {
    "IP: options, echo" => echo_options,
    "IP: options, TCP and UDP" => other_options,
    "IP: broken headers" => broken,
    "IP: fragments in and out of order" => fragments,
    "IP: fragments that overlap" => overlaps,
    "IP: tiny and odd fragments" => tiny,
    "IP: a datagram beyond the longest" => too_long,
    "IP: fragments of large datagrams" => large,
    "IP: the first fragment alone" => first_alone,
    "IP: a later fragment alone" => later_alone,
    "IP: fragments of a TCP segment" => tcp_fragments,
}

const WORD: [u8; 4] = [0x55, 0x66, 0, 9];

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// Options of the IP header that a host may act on.
const OPTIONS: [(&str, &str); 21] = [
    ("record route, room for three", "070f0400000000000000000000000000"),
    ("record route, room for nine", "07270400000000000000000000000000000000000000000000000000000000000000000000000000"),
    ("record route, full", "07070800000000"),
    ("record route, one taken", "070b080a00000500000000"),
    ("record route, pointer too low", "0707030000000000"),
    ("record route, pointer within", "070b050000000000000000"),
    ("record route, bad length", "0702040000000000"),
    ("record route after NOPs", "010101070704000000000000"),
    ("record route twice", "07070400000000000707040000000000"),
    ("timestamp, times only", "440c0500000000000000000000000000"),
    ("timestamp, addresses", "440c0501000000000000000000000000"),
    ("timestamp, full", "44080900000000000000"),
    ("timestamp, full, overflow", "440809f000000000"),
    ("timestamp, bad flag", "440c0502000000000000000000000000"),
    ("router alert", "94040000"),
    ("security", "820b00000000000000000000"),
    ("CIPSO", "8606000000000000"),
    ("stream", "88040000"),
    ("unknown", "1e040000"),
    ("NOPs alone", "01010101"),
    ("length beyond the header", "07270400"),
];

/// Source routes: refused by every host.
const ROUTES: [(&str, &str); 5] = [
    ("loose source route, to go", "8307040a00000600"),
    ("loose source route, done", "8307080a00000600"),
    ("strict source route, to go", "8907040a00000600"),
    ("strict source route, done", "8907080a00000600"),
    ("loose source route, bad pointer", "8307030a00000600"),
];

fn padded(hex: &str) -> Vec<u8> {
    let mut octets = octets(hex);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn echo_options(station: &mut Station) {
    station.meet();
    for (label, hex) in OPTIONS.iter().chain(&ROUTES) {
        station.icmp(&Ip { options: padded(hex), ..Ip::default() }, 8, 0, WORD, b"options");
        station.answer(label);
        // Errors about bad options are limited.
        station.wait(200);
    }
}

fn other_options(station: &mut Station) {
    station.meet();
    for (label, hex) in OPTIONS.iter().chain(&ROUTES) {
        let flow = station.flow(port::ECHO);
        let ip = Ip { options: padded(hex), ..Ip::default() };
        station.tcp_in(&ip, flow, &Seg { flags: "S", options: Some(options("mss=1460")), ..Seg::default() });
        station.answer(&format!("SYN, {label}"));
        station.abort(flow, 1);
        let flow = station.flow(port::CLOSED);
        station.tcp_in(&ip, flow, &Seg { flags: "S", options: Some(Vec::new()), ..Seg::default() });
        station.answer(&format!("SYN to a closed port, {label}"));
        station.udp(&ip, 5000, port::ECHO, b"udp");
        station.answer(&format!("UDP, {label}"));
        station.wait(1050);
        station.udp(&ip, 5000, port::CLOSED, b"udp");
        station.answer(&format!("UDP closed, {label}"));
    }
}

/// Changes a good frame in its header and mends the checksum.
fn altered(station: &mut Station, label: &str, change: fn(&mut Vec<u8>)) {
    let ip = Ip::default();
    let payload = icmp(8, 0, WORD, b"0123456789abcdef0123456789abcdef");
    let mut frame = crate::battery::packet::frame(&ip, station.own, station.target, 1, &payload);
    change(&mut frame);
    frame[24] = 0;
    frame[25] = 0;
    let length = usize::from(frame[14] & 15) * 4;
    let sum = chaff_wire::checksum::of(&frame[14..14 + length.max(20)]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    station.send(&frame);
    station.answer(label);
}

fn broken(station: &mut Station) {
    station.meet();
    altered(station, "as it should be", |_| {});
    altered(station, "version 5", |frame| frame[14] = 0x55);
    altered(station, "version 6", |frame| frame[14] = 0x65);
    altered(station, "header length 4", |frame| frame[14] = 0x44);
    altered(station, "header length 0", |frame| frame[14] = 0x40);
    altered(station, "header length 15", |frame| frame[14] = 0x4f);
    altered(station, "total length beyond the frame", |frame| frame[16] = 0x05);
    altered(station, "total length 20", |frame| frame[16..18].copy_from_slice(&20_u16.to_be_bytes()));
    altered(station, "total length 10", |frame| frame[16..18].copy_from_slice(&10_u16.to_be_bytes()));
    altered(station, "octets behind its end", |frame| frame.extend_from_slice(&[0xee; 20]));
    altered(station, "reserved bit", |frame| frame[20] |= 0x80);
    altered(station, "more fragments, not a multiple of eight", |frame| {
        frame[20] |= 0x20;
        frame[16..18].copy_from_slice(&51_u16.to_be_bytes());
    });
}

/// Cuts a payload into fragments of `size` octets and sends them in this order.
fn send_cut(station: &mut Station, id: u16, protocol: u8, payload: &[u8], size: usize, order: &[usize]) {
    let pieces: Vec<&[u8]> = payload.chunks(size).collect();
    for &n in order {
        let ip = Ip { id, mf: n + 1 < pieces.len(), offset: n * size, ..Ip::default() };
        station.ip(&ip, protocol, pieces[n]);
    }
}

fn fragments(station: &mut Station) {
    station.meet();
    let message = icmp(8, 0, WORD, &(0..120).collect::<Vec<u8>>());
    for (n, order) in
        [&[0, 1, 2, 3][..], &[3, 2, 1, 0], &[1, 3, 0, 2], &[0, 0, 1, 1, 2, 3], &[0, 1, 3, 3, 2], &[0, 1, 2]]
            .iter()
            .enumerate()
    {
        send_cut(station, 100 + u16::try_from(n).unwrap(), 1, &message, 32, order);
        station.answer(&format!("{order:?}"));
    }
    let message = datagram(5000, port::ECHO, station.own.1, station.target.1, &[b'u'; 100]);
    send_cut(station, 200, 17, &message, 24, &[4, 3, 2, 1, 0]);
    station.answer("UDP, from the last to the first");
    let message = datagram(5000, port::CLOSED, station.own.1, station.target.1, &[b'u'; 100]);
    send_cut(station, 201, 17, &message, 24, &[0, 1, 2, 3, 4]);
    station.answer("UDP closed");
    // With DF on the fragments, and different types of service and times to live.
    let message = icmp(8, 0, WORD, &(0..56).collect::<Vec<u8>>());
    for (n, (tos, ttl, df)) in [(0x10, 64, false), (0, 9, false), (0, 64, true), (3, 64, false)].iter().enumerate() {
        let id = 210 + u16::try_from(n).unwrap();
        station.ip(&Ip { id, mf: true, tos: 0, ..Ip::default() }, 1, &message[..32]);
        station.ip(&Ip { id, offset: 32, tos: *tos, ttl: *ttl, df: *df, ..Ip::default() }, 1, &message[32..]);
        station.answer(&format!("second fragment with tos {tos:#x}, ttl {ttl}, DF {df}"));
    }
}

fn overlaps(station: &mut Station) {
    station.meet();
    let message = icmp(8, 0, WORD, &(0..88).collect::<Vec<u8>>());
    // Pieces as (from, to), each with the octets that belong there, so that every policy yields the same datagram.
    let cases: [(&str, &[(usize, usize)]); 9] = [
        ("one octet group twice", &[(0, 32), (24, 64), (64, 96)]),
        ("a duplicate of the first", &[(0, 32), (0, 32), (32, 96)]),
        ("a duplicate of the last", &[(64, 96), (64, 96), (0, 64)]),
        ("within another", &[(0, 64), (16, 32), (64, 96)]),
        ("around another", &[(16, 32), (0, 64), (64, 96)]),
        ("all the same start", &[(0, 16), (0, 32), (32, 96)]),
        ("the last one longer", &[(64, 96), (32, 96), (0, 32)]),
        ("the whole over a piece", &[(32, 64), (0, 96)]),
        ("over two pieces", &[(0, 32), (32, 64), (16, 48), (64, 96)]),
    ];
    for (n, (label, pieces)) in cases.iter().enumerate() {
        let id = 300 + u16::try_from(n).unwrap();
        for &(from, to) in *pieces {
            let ip = Ip { id, offset: from, mf: to < message.len(), ..Ip::default() };
            station.ip(&ip, 1, &message[from..to]);
        }
        station.answer(label);
        // What was thrown away for its overlap is not put together later either.
        send_cut(station, id, 1, &message, 48, &[0, 1]);
        station.answer("the same identification, whole");
    }
    // A duplicate with other content.
    let mut other = message.clone();
    other[20] ^= 0xff;
    for (offset, mf, octets) in [(0, true, &message[..32]), (0, true, &other[..32]), (32, false, &message[32..])] {
        station.ip(&Ip { id: 400, offset, mf, ..Ip::default() }, 1, octets);
    }
    station.answer("a duplicate with other content");
}

fn tiny(station: &mut Station) {
    station.meet();
    let message = icmp(8, 0, WORD, &(0..24).collect::<Vec<u8>>());
    send_cut(station, 500, 1, &message, 8, &[0, 1, 2, 3]);
    station.answer("eight octets each");
    station.ip(&Ip { id: 501, mf: true, ..Ip::default() }, 1, &message[..16]);
    station.ip(&Ip { id: 501, mf: true, offset: 16, ..Ip::default() }, 1, &[]);
    station.ip(&Ip { id: 501, offset: 16, ..Ip::default() }, 1, &message[16..]);
    station.answer("an empty one in the middle");
    station.ip(&Ip { id: 502, mf: true, ..Ip::default() }, 1, &message[..16]);
    station.ip(&Ip { id: 502, offset: 16, ..Ip::default() }, 1, &message[16..]);
    station.ip(&Ip { id: 502, offset: 16, ..Ip::default() }, 1, &message[16..]);
    station.answer("the last one twice");
    station.ip(&Ip { id: 503, mf: true, ..Ip::default() }, 1, &message[..13]);
    station.ip(&Ip { id: 503, offset: 8, ..Ip::default() }, 1, &message[8..]);
    station.answer("a first one of thirteen octets");
    station.ip(&Ip { id: 504, offset: 16, ..Ip::default() }, 1, &message[16..24]);
    station.ip(&Ip { id: 504, offset: 16, ..Ip::default() }, 1, &message[16..]);
    station.ip(&Ip { id: 504, mf: true, ..Ip::default() }, 1, &message[..16]);
    station.answer("two ends");
    station.ip(&Ip { id: 505, mf: true, ..Ip::default() }, 1, &message[..16]);
    station.ip(&Ip { id: 505, offset: 16, mf: true, ..Ip::default() }, 17, &message[16..24]);
    station.ip(&Ip { id: 505, offset: 16, ..Ip::default() }, 1, &message[16..]);
    station.answer("another protocol between");
}

fn too_long(station: &mut Station) {
    station.meet();
    station.ip(&Ip { id: 600, offset: 65_528, ..Ip::default() }, 1, &[7; 400]);
    station.answer("an end beyond 65,535");
    let message = icmp(8, 0, WORD, &[7; 24]);
    station.ip(&Ip { id: 600, mf: true, ..Ip::default() }, 1, &message);
    station.answer("its first fragment");
}

fn large(station: &mut Station) {
    station.meet();
    for size in [2000, 3000, 8000, 20_000, 65_000] {
        let message = icmp(8, 0, WORD, &(0..=255).cycle().take(size).collect::<Vec<u8>>());
        let count = message.len().div_ceil(1480);
        send_cut(station, u16::try_from(size).unwrap(), 1, &message, 1480, &(0..count).collect::<Vec<_>>());
        let mut frames = Vec::new();
        while let Some((_, text)) = station.heard(std::time::Duration::from_millis(200)) {
            frames.push(text);
        }
        let last = frames.last().cloned().unwrap_or_default();
        let first = frames.first().cloned().unwrap_or_default();
        station.note(format!("{size} octets: {} frames, first {first}, last {last}", frames.len()));
    }
}

fn first_alone(station: &mut Station) {
    station.meet();
    let message = icmp(8, 0, WORD, &[9; 56]);
    station.ip(&Ip { id: 700, mf: true, tos: 0x10, ..Ip::default() }, 1, &message);
    station.ip(&Ip { id: 701, mf: true, ..Ip::default() }, 17, &message);
    station.listen(34_000);
}

fn later_alone(station: &mut Station) {
    station.meet();
    station.ip(&Ip { id: 702, mf: true, offset: 64, ..Ip::default() }, 1, &[9; 56]);
    station.listen(34_000);
}

fn tcp_fragments(station: &mut Station) {
    station.meet();
    for size in [8, 16] {
        let flow = station.flow(port::ECHO);
        let seg = Seg { flags: "S", options: Some(options("mss=1460,sok")), ..Seg::default() };
        let whole = station.flows[flow].emit(&seg, station.own.1, station.target.1);
        let count = whole.len().div_ceil(size);
        send_cut(station, 800 + u16::try_from(size).unwrap(), 6, &whole, size, &(0..count).rev().collect::<Vec<_>>());
        station.answer(&format!("SYN in pieces of {size}"));
        station.abort(flow, 1);
    }
}
