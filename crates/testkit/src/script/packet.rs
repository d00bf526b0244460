use std::net::Ipv4Addr;

use chaff_wire::{
    Mac, arp, ethernet, icmpv4, ipv4,
    tcp::{self as wire_tcp, OptionList},
    udp as wire_udp,
};

use super::{Script, Seen, option::Option, read};

/// A set of TCP flags; `SYN | ACK` joins two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub(crate) wire_tcp::Flags);

macro_rules! flags {
    ($($name:ident $text:literal),*) => {
        $(#[doc = $text] pub const $name: Flags = Flags(wire_tcp::Flags::$name);)*
    };
}

flags!(SYN "SYN", ACK "ACK", FIN "FIN", RST "RST", PSH "PSH", URG "URG", ECE "ECE", CWR "CWR", NONE "No flag.");

impl std::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0.with(other.0))
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// A packet to send, or what to expect of one.
#[derive(Clone, Default)]
pub struct Packet {
    body: Body,
    ether_source: std::option::Option<Mac>,
    ether_destination: std::option::Option<Mac>,
    tag: std::option::Option<u16>,
    llc: bool,
    source: std::option::Option<Ipv4Addr>,
    destination: std::option::Option<Ipv4Addr>,
    ttl: std::option::Option<u8>,
    tos: std::option::Option<u8>,
    id: std::option::Option<u16>,
    df: std::option::Option<bool>,
    mf: bool,
    offset: usize,
    ip_options: Vec<u8>,
    bad_ip_sum: bool,
    bad_sum: bool,
    ports: std::option::Option<(u16, u16)>,
    seq: std::option::Option<u32>,
    ack: std::option::Option<u32>,
    window: std::option::Option<u16>,
    urgent: std::option::Option<u16>,
    options: std::option::Option<Vec<Option>>,
    word: std::option::Option<[u8; 4]>,
    data: std::option::Option<Vec<u8>>,
    length: std::option::Option<usize>,
    arp: std::option::Option<arp::Packet>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Body {
    #[default]
    Arp,
    Tcp(Flags),
    Udp,
    Icmp(u8, u8),
    Ip(u8),
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.body)?;
        let mut say =
            |name: &str, value: std::option::Option<String>| value.map_or(Ok(()), |value| write!(f, " {name} {value}"));
        say("seq", self.seq.map(|v| v.to_string()))?;
        say("ack", self.ack.map(|v| v.to_string()))?;
        say("win", self.window.map(|v| v.to_string()))?;
        say("options", self.options.as_ref().map(|v| format!("{v:?}")))?;
        say("ttl", self.ttl.map(|v| v.to_string()))?;
        say("id", self.id.map(|v| v.to_string()))?;
        say("df", self.df.map(|v| v.to_string()))?;
        say("length", self.length.map(|v| v.to_string()))?;
        say("arp", self.arp.as_ref().map(|v| format!("{v:?}")))?;
        say("data", self.data.as_ref().map(|v| format!("{} octets", v.len())))
    }
}

/// A TCP segment.
#[must_use]
pub fn tcp(flags: Flags) -> Packet {
    Packet { body: Body::Tcp(flags), ..Packet::default() }
}

/// A UDP datagram.
#[must_use]
pub fn udp(data: &[u8]) -> Packet {
    Packet { body: Body::Udp, data: Some(data.to_vec()), ..Packet::default() }
}

/// An ICMP message.
#[must_use]
pub fn icmp(kind: u8, code: u8) -> Packet {
    Packet { body: Body::Icmp(kind, code), ..Packet::default() }
}

/// An ICMP echo request.
#[must_use]
pub fn echo(identifier: u16, sequence: u16, data: &[u8]) -> Packet {
    icmp(icmpv4::ECHO, 0).identifier(identifier, sequence).data(data)
}

/// An ICMP echo reply.
#[must_use]
pub fn echo_reply(identifier: u16, sequence: u16, data: &[u8]) -> Packet {
    icmp(icmpv4::ECHO_REPLY, 0).identifier(identifier, sequence).data(data)
}

/// An IPv4 datagram of another protocol.
#[must_use]
pub fn ip_protocol(protocol: u8, data: &[u8]) -> Packet {
    Packet { body: Body::Ip(protocol), data: Some(data.to_vec()), ..Packet::default() }
}

/// An ARP request for `target`: from the host by broadcast when sent.
#[must_use]
pub fn arp_request(sender: (Mac, Ipv4Addr), target: Ipv4Addr) -> Packet {
    let packet = arp::Packet::new(arp::REQUEST, sender, (Mac::ZERO, target));
    Packet { arp: Some(packet), ether_destination: Some(Mac::BROADCAST), ..Packet::default() }
}

/// An ARP reply.
#[must_use]
pub fn arp_reply(sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Packet {
    let packet = arp::Packet::new(arp::REPLY, sender, target);
    Packet { arp: Some(packet), ether_destination: Some(target.0), ..Packet::default() }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $field:ident;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(mut self, value: $type) -> Self {
            self.$field = Some(value);
            self
        })*
    };
}

impl Packet {
    setters! {
        /// Ethernet source.
        ether_source: Mac => ether_source;
        /// Ethernet destination.
        ether_destination: Mac => ether_destination;
        /// 802.1Q tag control field.
        tag: u16 => tag;
        /// IP source.
        source: Ipv4Addr => source;
        /// IP destination.
        destination: Ipv4Addr => destination;
        /// Time to live.
        ttl: u8 => ttl;
        /// Type of service.
        tos: u8 => tos;
        /// IP identification.
        id: u16 => id;
        /// Don't fragment.
        df: bool => df;
        /// Sequence number.
        seq: u32 => seq;
        /// Acknowledgment field.
        ack: u32 => ack;
        /// Window, not scaled.
        window: u16 => window;
        /// Urgent pointer.
        urgent: u16 => urgent;
        /// Length of the data, whatever it says.
        length: usize => length;
    }

    /// Source and destination port.
    #[must_use]
    pub fn ports(mut self, source: u16, destination: u16) -> Self {
        self.ports = Some((source, destination));
        self
    }

    /// TCP options, these and no others, in this order.
    #[must_use]
    pub fn options(mut self, options: impl Into<Vec<Option>>) -> Self {
        self.options = Some(options.into());
        self
    }

    /// What it carries.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = Some(data.to_vec());
        self
    }

    /// Identifier and sequence number of an ICMP message.
    #[must_use]
    pub fn identifier(mut self, identifier: u16, sequence: u16) -> Self {
        let ([a, b], [c, d]) = (identifier.to_be_bytes(), sequence.to_be_bytes());
        self.word = Some([a, b, c, d]);
        self
    }

    /// Code of an ICMP message.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        if let Body::Icmp(kind, _) = self.body {
            self.body = Body::Icmp(kind, code);
        }
        self
    }

    /// IP options.
    #[must_use]
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        self.ip_options = options.to_vec();
        self
    }

    /// A wrong checksum of TCP, UDP or ICMP.
    #[must_use]
    pub fn bad_checksum(mut self) -> Self {
        self.bad_sum = true;
        self
    }

    /// A wrong checksum of the IP header.
    #[must_use]
    pub fn bad_ip_checksum(mut self) -> Self {
        self.bad_ip_sum = true;
        self
    }

    /// Inside IEEE 802.3 with LLC/SNAP.
    #[must_use]
    pub fn in_snap(mut self) -> Self {
        self.llc = true;
        self
    }

    /// The ARP packet with a field changed.
    #[must_use]
    pub fn with_arp(mut self, change: impl FnOnce(&mut arp::Packet)) -> Self {
        if let Some(packet) = &mut self.arp {
            change(packet);
        }
        self
    }

    /// The frames of this datagram cut into fragments of so many octets each.
    #[must_use]
    pub fn fragments(&self, script: &Script, size: usize) -> Vec<Vec<u8>> {
        let payload = self.ip_payload(script);
        let mut frames = Vec::new();
        for (n, part) in payload.chunks(size).enumerate() {
            let mut one = self.clone();
            one.offset = n * size;
            one.mf = one.offset + part.len() < payload.len();
            frames.push(one.frame(script, part));
        }
        frames
    }

    /// One fragment of this datagram: `length` octets from `offset` on.
    #[must_use]
    pub fn fragment(&self, script: &Script, offset: usize, length: usize, more: bool) -> Vec<u8> {
        let payload = self.ip_payload(script);
        let mut one = self.clone();
        (one.offset, one.mf) = (offset, more);
        one.frame(script, payload.get(offset..offset + length).unwrap_or_default())
    }

    /// The frame, as the host of `script` sends it.
    #[must_use]
    pub fn octets(&self, script: &Script) -> Vec<u8> {
        if let Some(packet) = &self.arp {
            let mut payload = Vec::new();
            packet.emit(&mut payload);
            return self.ethernet(script, ethernet::ARP, &payload);
        }
        self.frame(script, &self.ip_payload(script))
    }

    fn frame(&self, script: &Script, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let header = ipv4::Header {
            tos: self.tos.unwrap_or(0),
            id: self.id.unwrap_or(0x1234),
            df: self.df.unwrap_or(self.offset == 0 && !self.mf),
            mf: self.mf,
            offset: self.offset,
            ttl: self.ttl.unwrap_or(64),
            protocol: self.protocol(),
            source: self.source.unwrap_or(script.me.1),
            destination: self.destination.unwrap_or(script.peer.1),
            options: &self.ip_options,
        };
        header.emit(payload.len(), &mut packet);
        if self.bad_ip_sum
            && let Some(octet) = packet.get_mut(10)
        {
            *octet ^= 0xff;
        }
        packet.extend_from_slice(payload);
        self.ethernet(script, ethernet::IPV4, &packet)
    }

    fn ethernet(&self, script: &Script, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend_from_slice(&self.ether_destination.unwrap_or(script.peer.0).0);
        frame.extend_from_slice(&self.ether_source.unwrap_or(script.me.0).0);
        if let Some(tag) = self.tag {
            frame.extend_from_slice(&ethernet::VLAN.to_be_bytes());
            frame.extend_from_slice(&tag.to_be_bytes());
        }
        if self.llc {
            let length = u16::try_from(payload.len() + 8).unwrap_or(0);
            frame.extend_from_slice(&length.to_be_bytes());
            frame.extend_from_slice(&[0xaa, 0xaa, 3, 0, 0, 0]);
        }
        frame.extend_from_slice(&kind.to_be_bytes());
        frame.extend_from_slice(payload);
        frame.resize(frame.len().max(ethernet::MIN_FRAME), 0);
        frame
    }

    fn protocol(&self) -> u8 {
        match self.body {
            Body::Tcp(_) => ipv4::TCP,
            Body::Udp => ipv4::UDP,
            Body::Icmp(..) => ipv4::ICMP,
            Body::Ip(protocol) => protocol,
            Body::Arp => 0,
        }
    }

    fn ip_payload(&self, script: &Script) -> Vec<u8> {
        let (source, destination) = (self.source.unwrap_or(script.me.1), self.destination.unwrap_or(script.peer.1));
        let (from, to) = self.ports.unwrap_or(script.ports);
        let data = self.data.clone().unwrap_or_default();
        let mut out = Vec::new();
        let sum_at = match self.body {
            Body::Tcp(flags) => {
                let mut list = OptionList::new();
                self.options.iter().flatten().for_each(|option| option.push(&mut list));
                let header = wire_tcp::Header {
                    source: from,
                    destination: to,
                    seq: self.seq.unwrap_or(0),
                    ack: self.ack.unwrap_or(0),
                    reserved: 0,
                    flags: flags.0,
                    window: self.window.unwrap_or(1024),
                    urgent: self.urgent.unwrap_or(0),
                    options: list.as_octets(),
                };
                header.emit(source, destination, &data, &mut out);
                16
            }
            Body::Udp => {
                wire_udp::Header { source: from, destination: to }.emit(source, destination, &data, &mut out);
                6
            }
            Body::Icmp(kind, code) => {
                icmpv4::Header { kind, code, word: self.word.unwrap_or([0; 4]) }.emit(&data, &mut out);
                2
            }
            Body::Ip(_) | Body::Arp => return data,
        };
        if self.bad_sum
            && let Some(octet) = out.get_mut(sum_at)
        {
            *octet ^= 0xff;
        }
        out
    }

    /// Whether `seen` is what this describes; what differs if not.
    pub(crate) fn compare(&self, script: &Script, seen: &Seen) -> Result<(), String> {
        if let Some(wanted) = &self.arp {
            let got = read::arp(&seen.frame).ok_or_else(|| format!("saw {}", seen.line()))?;
            return if got == *wanted { Ok(()) } else { Err(format!("saw {got:?}")) };
        }
        seen.checksums_hold().map_err(|what| format!("{what}: {}", seen.line()))?;
        differ("protocol", Some(self.protocol()), seen.protocol)?;
        differ("Ethernet destination", Some(self.ether_destination.unwrap_or(script.me.0)), seen.ether_destination)?;
        differ("Ethernet source", Some(self.ether_source.unwrap_or(script.peer.0)), seen.ether_source)?;
        differ("source", Some(self.source.unwrap_or(script.peer.1)), seen.source)?;
        differ("destination", Some(self.destination.unwrap_or(script.me.1)), seen.destination)?;
        differ("ttl", self.ttl, seen.ttl)?;
        differ("tos", self.tos, seen.tos)?;
        differ("id", self.id, seen.id)?;
        differ("df", self.df, seen.df)?;
        match self.body {
            Body::Tcp(flags) => {
                differ("flags", Some(flags), Flags(seen.flags))?;
                let ports = self.ports.unwrap_or((script.ports.1, script.ports.0));
                differ("ports", Some(ports), seen.ports)?;
            }
            Body::Udp => {
                let ports = self.ports.unwrap_or((script.ports.1, script.ports.0));
                differ("ports", Some(ports), seen.ports)?;
            }
            Body::Icmp(kind, code) => differ("type and code", Some((kind, code)), seen.icmp)?,
            Body::Ip(_) | Body::Arp => {}
        }
        differ("seq", self.seq, seen.seq)?;
        differ("ack", self.ack, seen.ack)?;
        differ("window", self.window, seen.window)?;
        differ("urgent pointer", self.urgent, seen.urgent)?;
        differ("word", self.word, seen.word)?;
        differ("length of data", self.length, seen.data.len())?;
        if let Some(wanted) = &self.options {
            let same = wanted.len() == seen.options.len()
                && wanted.iter().zip(&seen.options).all(|(wanted, seen)| wanted.matches(seen));
            if !same {
                return Err(format!("options are {:?}", seen.options));
            }
        }
        match &self.data {
            Some(wanted) if *wanted != seen.data => Err(format!("data is {:02x?}", seen.data)),
            _ => Ok(()),
        }
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(name: &str, wanted: std::option::Option<T>, seen: T) -> Result<(), String> {
    match wanted {
        Some(wanted) if wanted != seen => Err(format!("{name} is {seen:?}, not {wanted:?}")),
        _ => Ok(()),
    }
}
