//! What the battery sends, written from words, and what it hears, written as words.

use std::{collections::HashMap, fmt::Write as _, net::Ipv4Addr};

use chaff_wire::{
    Mac, arp, checksum,
    ethernet::{self, Content, Frame},
    icmpv4, ipv4,
    tcp::{Segment, TcpOption},
    udp,
};

use super::flow::Flow;

/// The time to live of what is sent, unless the probe says otherwise.
pub(super) const TTL: u8 = 64;

/// An IPv4 header to be sent; everything can be wrong.
#[derive(Clone, Debug)]
pub(super) struct Ip {
    pub(super) tos: u8,
    pub(super) id: u16,
    pub(super) df: bool,
    pub(super) mf: bool,
    pub(super) offset: usize,
    pub(super) ttl: u8,
    pub(super) options: Vec<u8>,
    /// Instead of the station's own.
    pub(super) source: Option<Ipv4Addr>,
    /// Instead of the target's.
    pub(super) destination: Option<Ipv4Addr>,
    /// Instead of the target's card.
    pub(super) to: Option<Mac>,
    pub(super) bad_checksum: bool,
}

impl Default for Ip {
    fn default() -> Self {
        Self {
            tos: 0,
            id: 0x4321,
            df: false,
            mf: false,
            offset: 0,
            ttl: TTL,
            options: Vec::new(),
            source: None,
            destination: None,
            to: None,
            bad_checksum: false,
        }
    }
}

/// A whole frame around an IPv4 payload.
pub(super) fn frame(ip: &Ip, own: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let destination = ip.to.unwrap_or(target.0);
    ethernet::Header { destination, source: own.0, vlan: None, kind: ethernet::IPV4 }.emit(&mut out);
    let header = ipv4::Header {
        tos: ip.tos,
        id: ip.id,
        df: ip.df,
        mf: ip.mf,
        offset: ip.offset,
        ttl: ip.ttl,
        protocol,
        source: ip.source.unwrap_or(own.1),
        destination: ip.destination.unwrap_or(target.1),
        options: &ip.options,
    };
    header.emit(payload.len(), &mut out);
    if ip.bad_checksum {
        out[ethernet::HEADER + 10] ^= 0x5a;
    }
    out.extend_from_slice(payload);
    out
}

/// TCP options from words: `mss=1460,sok,ts=1000:0,nop,ws=7,eol,tfo,raw=fe04dead`, padded with zeros.
pub(super) fn options(words: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = |default: u32| value.parse().unwrap_or(default);
        match name {
            "mss" => {
                octets.extend([2, 4]);
                octets.extend(u16::try_from(number(1460)).unwrap().to_be_bytes());
            }
            "ws" => octets.extend([3, 3, u8::try_from(number(7)).unwrap()]),
            "sok" => octets.extend([4, 2]),
            "nop" => octets.push(1),
            "eol" => octets.push(0),
            "tfo" => octets.extend([34, 2]),
            "ts" => {
                let (stamp, echo) = value.split_once(':').unwrap_or(("1000", "0"));
                octets.extend([8, 10]);
                octets.extend(stamp.parse::<u32>().unwrap().to_be_bytes());
                octets.extend(echo.parse::<u32>().unwrap().to_be_bytes());
            }
            "raw" => {
                octets.extend((0..value.len() / 2).map(|i| u8::from_str_radix(&value[2 * i..2 * i + 2], 16).unwrap()))
            }
            other => panic!("no option is called {other}"),
        }
    }
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// The flow that a frame belongs to.
pub(super) fn flow_of(octets: &[u8], flows: &[Flow]) -> Option<usize> {
    let Content::Type(ethernet::IPV4, datagram) = Frame::parse(octets)?.content else { return None };
    let ip = ipv4::Datagram::parse(datagram).filter(|ip| ip.protocol == ipv4::TCP && !ip.is_fragment())?;
    let segment = Segment::parse(ip.payload)?;
    flows.iter().position(|flow| flow.is(&segment))
}

/// An ICMP message.
pub(super) fn icmp(kind: u8, code: u8, word: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    icmpv4::Header { kind, code, word }.emit(body, &mut out);
    out
}

/// A UDP datagram.
pub(super) fn datagram(source: u16, destination: u16, from: Ipv4Addr, to: Ipv4Addr, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    udp::Header { source, destination }.emit(from, to, body, &mut out);
    out
}

/// What of earlier packets is needed to say what a random number is.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Latest identification of each protocol, or of each TCP flow (by our port).
    ids: HashMap<(u8, u16), u16>,
}

impl Memory {
    fn id(&mut self, protocol: u8, flow: u16, id: u16) -> String {
        if id == 0 {
            return "id=0".into();
        }
        match self.ids.insert((protocol, flow), id).map(|last| id.wrapping_sub(last)) {
            None => "id=any".into(),
            Some(0) => "id=same".into(),
            Some(1) if protocol == ipv4::TCP => "id+1".into(),
            // Some stacks add a little chance to a counter that had time to rest.
            Some(1..=4000) if protocol != ipv4::TCP => "id up".into(),
            Some(_) => "id=other".into(),
        }
    }

    /// A frame in words; `None` where the frame does not concern the battery.
    pub(super) fn describe(&mut self, octets: &[u8], at: u64, flows: &mut [Flow]) -> Option<String> {
        let frame = Frame::parse(octets)?;
        let to = if frame.destination.is_group() { "to everybody: " } else { "" };
        match frame.content {
            Content::Type(ethernet::ARP, packet) => {
                arp::Packet::parse(packet).map(|p| format!("{to}{}", describe_arp(&p)))
            }
            Content::Type(ethernet::IPV4, datagram) => {
                let ip = ipv4::Datagram::parse(datagram)?;
                let padding = datagram.get(usize::from(ip.total_length)..).unwrap_or(&[]);
                let dirty = if padding.iter().any(|&octet| octet != 0) { " dirty padding" } else { "" };
                Some(format!("{to}{}{dirty}", self.describe_ip(&ip, at, flows)))
            }
            _ => None,
        }
    }

    fn describe_ip(&mut self, ip: &ipv4::Datagram<'_>, at: u64, flows: &mut [Flow]) -> String {
        let segment = if ip.protocol == ipv4::TCP && !ip.is_fragment() { Segment::parse(ip.payload) } else { None };
        let flow = segment.as_ref().map_or(0, |s| s.destination);
        let mut text = String::new();
        let _ = write!(text, "ttl={} tos={:#x}", ip.ttl, ip.tos);
        for (set, name) in [(ip.reserved, " evil"), (ip.df, " df"), (ip.mf, " mf"), (!ip.checksum_holds(), " badsum")] {
            text.push_str(if set { name } else { "" });
        }
        if ip.offset > 0 {
            let _ = write!(text, " offset={}", ip.offset);
        }
        let _ = write!(text, " {}", self.id(ip.protocol, flow, ip.id));
        if !ip.options.is_empty() {
            let _ = write!(text, " ipopt={}", describe_ip_options(ip.options, ip.source, ip.destination));
        }
        match segment {
            Some(segment) => {
                if !segment.checksum_holds(ip.source, ip.destination) {
                    text.push_str(" badsum");
                }
                let flow = flows.iter_mut().find(|flow| flow.is(&segment));
                let what = match flow {
                    Some(flow) => flow.describe(&segment, at),
                    None => format!("TCP {} of no flow", segment.flags),
                };
                let _ = write!(text, " {what}");
            }
            None if ip.protocol == ipv4::ICMP && ip.offset == 0 => {
                let _ = write!(text, " {}", describe_icmp(ip));
            }
            None => {
                let _ = write!(text, " protocol={} length={}", ip.protocol, ip.payload.len());
            }
        }
        text
    }
}

fn describe_arp(packet: &arp::Packet) -> String {
    let operation = match packet.operation {
        arp::REQUEST => "ARP who-has".to_owned(),
        arp::REPLY => "ARP reply".to_owned(),
        other => format!("ARP {other}"),
    };
    let zero = if packet.target_mac == Mac::ZERO { "zero" } else { "ours" };
    format!(
        "{operation} hrd={} pro={:#x} target-mac={zero}{}",
        packet.hardware,
        packet.protocol,
        if packet.sender_ip == packet.target_ip { " gratuitous" } else { "" }
    )
}

fn describe_icmp(ip: &ipv4::Datagram<'_>) -> String {
    let Some(message) = icmpv4::Message::parse(ip.payload) else { return "ICMP too short".into() };
    let bad = if !ip.mf && !message.checksum_holds() { " badsum" } else { "" };
    let mut text = format!("ICMP {}/{}{bad} length={}", message.kind, message.code, message.payload.len());
    match message.kind {
        icmpv4::UNREACHABLE | icmpv4::TIME_EXCEEDED | 12 => {
            let quoted = message.payload.get(..20).map_or(0, |header| usize::from(header[0] & 15) * 4);
            let sum = message.payload.get(..quoted).is_some_and(|header| checksum::of(header) == 0);
            let _ = write!(text, " word={:02x?} quotes a {} header", message.word, if sum { "good" } else { "bad" });
        }
        _ => {
            let _ = write!(text, " word={:02x?} body={:04x}", message.word, checksum::of(message.payload));
        }
    }
    if message.kind == icmpv4::TIMESTAMP_REPLY {
        // The body is a time of day: only whether it is said at all, and in standard form, counts.
        let plain = message.payload.get(4).is_some_and(|octet| octet & 0x80 == 0);
        text = format!("ICMP 14/{}{bad} length={} time of day: {plain}", message.code, message.payload.len());
    }
    text
}

/// IP options with addresses and times taken out.
fn describe_ip_options(octets: &[u8], host: Ipv4Addr, us: Ipv4Addr) -> String {
    let mut words = Vec::new();
    let mut rest = octets;
    while let Some((&kind, after)) = rest.split_first() {
        if kind <= 1 {
            words.push(if kind == 0 { "eol".to_owned() } else { "nop".to_owned() });
            rest = after;
            continue;
        }
        let length = after.first().map_or(0, |&length| usize::from(length));
        let Some(body) = rest.get(2..length) else {
            words.push(format!("{kind}:broken"));
            break;
        };
        let (pointer, data) = body.split_first().map_or((0, &[][..]), |(p, d)| (*p, d));
        // A timestamp has flags before its entries (RFC 791 §3.1).
        let (flags, data) = if kind == 68 { data.split_at_checked(1).unwrap_or((&[], data)) } else { (&[][..], data) };
        let entries = data.chunks(4).map(|entry| match entry {
            [0, 0, 0, 0] => "0".to_owned(),
            &[a, b, c, d] if host == Ipv4Addr::new(a, b, c, d) => "host".to_owned(),
            &[a, b, c, d] if us == Ipv4Addr::new(a, b, c, d) => "us".to_owned(),
            [_, _, _, _] => "value".to_owned(),
            short => format!("{short:02x?}"),
        });
        words.push(format!("{kind}/{length}@{pointer}{flags:x?}[{}]", entries.collect::<Vec<_>>().join(" ")));
        rest = rest.get(length..).unwrap_or(&[]);
    }
    words.join(",")
}

/// TCP options in words; `stamp` says what a timestamp of the host is.
pub(super) fn describe_options(
    segment: &Segment<'_>,
    mut stamp: impl FnMut(u32) -> String,
    sack: impl Fn(u32) -> String,
) -> String {
    let word = |option| match option {
        TcpOption::End => "eol".to_owned(),
        TcpOption::Nop => "nop".to_owned(),
        TcpOption::MaxSegmentSize(mss) => format!("mss={mss}"),
        TcpOption::WindowScale(shift) => format!("ws={shift}"),
        TcpOption::SackPermitted => "sok".to_owned(),
        TcpOption::Sack(blocks) => {
            let edge = |octets: &[u8]| octets.try_into().map_or(0, u32::from_be_bytes);
            let blocks = blocks.chunks(8).map(|b| format!("{}..{}", sack(edge(&b[..4])), sack(edge(&b[4..]))));
            format!("sack {}", blocks.collect::<Vec<_>>().join(" "))
        }
        TcpOption::Timestamps(value, echo) => format!("ts {}:{echo}", stamp(value)),
        TcpOption::Unknown(kind, body) => format!("{kind}:{body:02x?}"),
    };
    segment.options().map(word).collect::<Vec<_>>().join(",")
}
