use std::{fmt::Write, net::Ipv4Addr};

use chaff_wire::{
    Mac, arp as wire_arp,
    ethernet::{self, Content, Frame},
    icmpv4, ipv4,
    tcp::{Flags, Segment, TcpOption},
    udp,
};

use super::option::Option;

/// A frame that a decoy sent, taken apart. Fields that it does not have are zero or empty.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was sent.
    pub at: u64,
    /// All of it.
    pub frame: Vec<u8>,
    /// Ethernet source.
    pub ether_source: Mac,
    /// Ethernet destination.
    pub ether_destination: Mac,
    /// 802.1Q VLAN.
    pub vlan: std::option::Option<u16>,
    /// IP source.
    pub source: Ipv4Addr,
    /// IP destination.
    pub destination: Ipv4Addr,
    /// IP protocol.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// IP identification.
    pub id: u16,
    /// Don't fragment.
    pub df: bool,
    /// More fragments.
    pub mf: bool,
    /// Fragment offset in octets.
    pub offset: usize,
    /// Total length as the IP header has it.
    pub total_length: u16,
    /// IP options.
    pub ip_options: Vec<u8>,
    /// Source and destination port.
    pub ports: (u16, u16),
    /// TCP flags.
    pub flags: Flags,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment field.
    pub ack: u32,
    /// Window, not scaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// TCP options.
    pub options: Vec<Option>,
    /// ICMP type and code.
    pub icmp: (u8, u8),
    /// Octets 4 to 7 of an ICMP message.
    pub word: [u8; 4],
    /// What TCP, UDP or ICMP carries.
    pub data: Vec<u8>,
}

impl Seen {
    pub(crate) fn read(at: u64, frame: &[u8]) -> Self {
        let mut seen = Self::empty(at, frame);
        let Some(view) = Frame::parse(frame) else {
            return seen;
        };
        (seen.ether_source, seen.ether_destination, seen.vlan) = (view.source, view.destination, view.vlan());
        if let Some(packet) = datagram(frame) {
            seen.read_ip(&packet);
        }
        seen
    }

    /// The timestamps option, if there is one.
    #[must_use]
    pub fn timestamps(&self) -> std::option::Option<(u32, u32)> {
        self.options.iter().find_map(|option| match option {
            Option::Timestamps(value, echo) => Some(((*value)?, (*echo)?)),
            _ => None,
        })
    }

    /// The packet as one line.
    #[must_use]
    pub fn line(&self) -> String {
        line(&self.frame)
    }

    /// Every packet that leaves a decoy has right checksums and lengths.
    pub(crate) fn checksums_hold(&self) -> Result<(), &'static str> {
        let packet = datagram(&self.frame).ok_or("no IPv4 packet")?;
        if !packet.checksum_holds() {
            return Err("wrong IP checksum");
        }
        let holds = match packet.protocol {
            _ if packet.is_fragment() => true,
            ipv4::TCP => {
                Segment::parse(packet.payload).is_some_and(|s| s.checksum_holds(packet.source, packet.destination))
            }
            ipv4::UDP => udp::Datagram::parse(packet.payload)
                .is_some_and(|d| d.checksum_holds(packet.source, packet.destination)),
            ipv4::ICMP => icmpv4::Message::parse(packet.payload).is_some_and(|m| m.checksum_holds()),
            _ => true,
        };
        if holds { Ok(()) } else { Err("wrong checksum") }
    }

    fn empty(at: u64, frame: &[u8]) -> Self {
        Self {
            at,
            frame: frame.to_vec(),
            ether_source: Mac::ZERO,
            ether_destination: Mac::ZERO,
            vlan: None,
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::UNSPECIFIED,
            protocol: 0,
            ttl: 0,
            tos: 0,
            id: 0,
            df: false,
            mf: false,
            offset: 0,
            total_length: 0,
            ip_options: Vec::new(),
            ports: (0, 0),
            flags: Flags::NONE,
            seq: 0,
            ack: 0,
            window: 0,
            urgent: 0,
            options: Vec::new(),
            icmp: (0, 0),
            word: [0; 4],
            data: Vec::new(),
        }
    }

    fn read_ip(&mut self, packet: &ipv4::Datagram<'_>) {
        (self.source, self.destination, self.protocol) = (packet.source, packet.destination, packet.protocol);
        (self.ttl, self.tos, self.id, self.df) = (packet.ttl, packet.tos, packet.id, packet.df);
        (self.mf, self.offset, self.total_length) = (packet.mf, packet.offset, packet.total_length);
        self.ip_options = packet.options.to_vec();
        self.data = packet.payload.to_vec();
        if packet.offset != 0 {
            return;
        }
        match packet.protocol {
            ipv4::TCP => self.read_tcp(packet.payload),
            ipv4::UDP => {
                if let Some(datagram) = udp::Datagram::parse(packet.payload) {
                    self.ports = (datagram.source, datagram.destination);
                    self.data = datagram.payload.to_vec();
                }
            }
            ipv4::ICMP => {
                if let Some(message) = icmpv4::Message::parse(packet.payload) {
                    self.icmp = (message.kind, message.code);
                    self.word = message.word;
                    self.data = message.payload.to_vec();
                }
            }
            _ => {}
        }
    }

    fn read_tcp(&mut self, octets: &[u8]) {
        let Some(segment) = Segment::parse(octets) else {
            return;
        };
        self.ports = (segment.source, segment.destination);
        self.flags = segment.flags;
        (self.seq, self.ack, self.window, self.urgent) = (segment.seq, segment.ack, segment.window, segment.urgent);
        self.options = segment.options().map(owned).collect();
        self.data = segment.payload.to_vec();
    }
}

fn owned(option: TcpOption<'_>) -> Option {
    match option {
        TcpOption::End => Option::End,
        TcpOption::Nop => Option::Nop,
        TcpOption::MaxSegmentSize(size) => Option::MaxSegmentSize(size),
        TcpOption::WindowScale(shift) => Option::WindowScale(shift),
        TcpOption::SackPermitted => Option::SackPermitted,
        TcpOption::Sack(blocks) => {
            let edge = |octets: &[u8; 4]| u32::from_be_bytes(*octets);
            let (edges, _) = blocks.as_chunks::<4>();
            let pairs = edges.chunks_exact(2);
            Option::Sack(pairs.map(|pair| (edge(&pair[0]), edge(&pair[1]))).collect())
        }
        TcpOption::Timestamps(value, echo) => Option::Timestamps(Some(value), Some(echo)),
        TcpOption::Unknown(kind, body) => Option::Raw(kind, body.to_vec()),
    }
}

/// The ARP packet in a frame.
pub(crate) fn arp(frame: &[u8]) -> std::option::Option<wire_arp::Packet> {
    match Frame::parse(frame)?.content {
        Content::Type(ethernet::ARP, payload) => wire_arp::Packet::parse(payload),
        _ => None,
    }
}

fn datagram(frame: &[u8]) -> std::option::Option<ipv4::Datagram<'_>> {
    match Frame::parse(frame)?.content {
        Content::Type(ethernet::IPV4, payload) => ipv4::Datagram::parse(payload),
        _ => None,
    }
}

/// A frame as one line, for transcripts.
pub(crate) fn line(frame: &[u8]) -> String {
    if let Some(packet) = arp(frame) {
        let what = if packet.operation == wire_arp::REQUEST { "who-has" } else { "is-at" };
        return format!("arp {what} {} from {} {}", packet.target_ip, packet.sender_ip, packet.sender_mac);
    }
    let seen = Seen::read(0, frame);
    let mut text = format!("{} > {}", seen.source, seen.destination);
    // Writing to a string cannot fail.
    let _ = match seen.protocol {
        ipv4::TCP => write!(
            text,
            " {}>{} [{}] seq {} ack {} win {} {:?} {} octets",
            seen.ports.0,
            seen.ports.1,
            seen.flags,
            seen.seq,
            seen.ack,
            seen.window,
            seen.options,
            seen.data.len()
        ),
        ipv4::UDP => write!(text, " udp {}>{} {} octets", seen.ports.0, seen.ports.1, seen.data.len()),
        ipv4::ICMP => write!(text, " icmp {}/{} {} octets", seen.icmp.0, seen.icmp.1, seen.data.len()),
        other => write!(text, " protocol {other}, {} octets", frame.len()),
    };
    text
}
