//! Which frame goes to which machine, and what a machine may send. Pure: no socket, no time.
//!
//! A port of this switch is stricter than a real one's. What comes out of a machine must have its own card as source,
//! its network's tag, and its own address in ARP and IPv4; anything else is a forgery, since the engine never makes it.

use std::{collections::HashMap, net::IpAddr};

use chaff_events::Mac;
use chaff_wire::{
    arp,
    ethernet::{self, Content, Frame},
    ipv4::Datagram,
};

/// The longest frame that a machine's card takes: 1,500 octets, an Ethernet header and a tag.
pub const LONGEST: usize = 1_518;

/// Pairs of a machine and a host that it has spoken to, of all machines together; of more all are forgotten, which costs a
/// machine one move of a peer that it finds out about later.
const MAX_PAIRS: usize = 4_096;

/// Where a machine is plugged in, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Which of the sensor's interfaces.
    pub link: u16,
    /// 802.1Q VLAN on that interface.
    pub vlan: Option<u16>,
    /// Hardware address.
    pub mac: Mac,
    /// Address.
    pub ip: IpAddr,
}

/// Whom a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'s> {
    /// No machine.
    Nobody,
    /// One.
    One(usize),
    /// All of a network.
    All(&'s [usize]),
}

/// What a machine sent that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// No whole Ethernet frame, or a longer one than its card sends.
    NoFrame,
    /// Another card's address as source.
    Card,
    /// Another network's tag.
    Vlan,
    /// Another host's address in ARP.
    ArpSender,
    /// Another host's address in IPv4.
    IpSource,
    /// A protocol that no decoy speaks.
    Protocol,
}

impl Forgery {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFrame => "what is no frame of a card",
            Self::Card => "a frame from another's hardware address",
            Self::Vlan => "a frame of another network",
            Self::ArpSender => "an ARP packet in another's name",
            Self::IpSource => "a packet from another's address",
            Self::Protocol => "a protocol that no decoy speaks",
        }
    }
}

/// All ports.
#[derive(Debug)]
pub struct Switch {
    ports: Vec<Port>,
    by_card: HashMap<(Place, Mac), usize>,
    by_ip: HashMap<(Place, IpAddr), usize>,
    by_place: HashMap<Place, Vec<usize>>,
    peers: HashMap<(Place, IpAddr), Peer>,
    /// Machines of all peers.
    pairs: usize,
}

/// A host that machines have spoken to.
#[derive(Debug)]
struct Peer {
    /// The card that they last sent to.
    mac: Mac,
    /// Which machines.
    ports: Vec<usize>,
}

type Place = (u16, Option<u16>);

impl Switch {
    /// A switch with these ports, numbered as they come.
    #[must_use]
    pub fn new(ports: Vec<Port>) -> Self {
        let mut by_place: HashMap<Place, Vec<usize>> = HashMap::new();
        for (index, port) in ports.iter().enumerate() {
            by_place.entry(port.place()).or_default().push(index);
        }
        let numbered = || ports.iter().enumerate();
        Self {
            by_card: numbered().map(|(index, port)| ((port.place(), port.mac), index)).collect(),
            by_ip: numbered().map(|(index, port)| ((port.place(), port.ip), index)).collect(),
            by_place,
            peers: HashMap::new(),
            pairs: 0,
            ports,
        }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Whom a frame is for that came in on `link`, or that a machine there has sent. A card lets through what is for
    /// it and what is for everybody; of ARP, only those hear who are named in it, and those who have spoken to its sender
    /// at another card, as no other would do anything.
    #[must_use]
    pub fn deliver(&self, link: u16, octets: &[u8]) -> Delivery<'_> {
        let Some(frame) = Frame::parse(octets) else { return Delivery::Nobody };
        let place = (link, frame.vlan());
        if !frame.destination.is_group() {
            return self.by_card.get(&(place, frame.destination)).map_or(Delivery::Nobody, |&port| Delivery::One(port));
        }
        if frame.destination != Mac::BROADCAST && !is_ip_group(frame.destination) {
            return Delivery::Nobody;
        }
        match arp_of(&frame) {
            Some(packet) => {
                let named = [packet.sender_ip, packet.target_ip];
                let port = named.into_iter().find_map(|ip| self.by_ip.get(&(place, IpAddr::from(ip))));
                let moved = || self.peers.get(&(place, packet.sender_ip.into())).filter(|p| p.mac != packet.sender_mac);
                port.map_or_else(
                    || moved().map_or(Delivery::Nobody, |peer| Delivery::All(&peer.ports)),
                    |&port| Delivery::One(port),
                )
            }
            None => self.by_place.get(&place).map_or(Delivery::Nobody, |ports| Delivery::All(ports)),
        }
    }

    /// The machine at `port` sends this frame, which was admitted: it knows the receiver's card.
    pub fn handle_sent(&mut self, port: usize, octets: &[u8]) {
        let Some(place) = self.ports.get(port).map(Port::place) else { return };
        let Some(frame) = Frame::parse(octets).filter(|frame| !frame.destination.is_group()) else { return };
        let Content::Type(ethernet::IPV4, packet) = frame.content else { return };
        let Some(datagram) = Datagram::parse(packet) else { return };
        let key = (place, IpAddr::from(datagram.destination));
        if self.pairs >= MAX_PAIRS {
            self.peers.clear();
            self.pairs = 0;
        }
        let peer = self.peers.entry(key).or_insert_with(|| Peer { mac: frame.destination, ports: Vec::new() });
        peer.mac = frame.destination;
        // In order, as the numbers of those that hear a broadcast are.
        if let Err(at) = peer.ports.binary_search(&port) {
            peer.ports.insert(at, port);
            self.pairs += 1;
        }
    }

    /// Whether the machine at `port` may send this frame.
    ///
    /// # Errors
    /// With what is not its own.
    pub fn admit(&self, port: usize, octets: &[u8]) -> Result<(), Forgery> {
        let port = self.ports.get(port).ok_or(Forgery::NoFrame)?;
        let frame = Frame::parse(octets).filter(|_| octets.len() <= LONGEST).ok_or(Forgery::NoFrame)?;
        if frame.source != port.mac {
            return Err(Forgery::Card);
        }
        if frame.vlan() != port.vlan {
            return Err(Forgery::Vlan);
        }
        if let Some(packet) = arp_of(&frame) {
            let probe = packet.sender_ip.is_unspecified();
            let own = packet.sender_mac == port.mac && (probe || port.ip == packet.sender_ip);
            return if own { Ok(()) } else { Err(Forgery::ArpSender) };
        }
        match frame.content {
            Content::Type(ethernet::IPV4, packet) => {
                let own = Datagram::parse(packet).is_some_and(|datagram| port.ip == datagram.source);
                if own { Ok(()) } else { Err(Forgery::IpSource) }
            }
            Content::Type(..) | Content::Llc(_) => Err(Forgery::Protocol),
        }
    }
}

impl Port {
    fn place(&self) -> Place {
        (self.link, self.vlan)
    }
}

/// 01:00:5e:00:00:00 to 01:00:5e:7f:ff:ff (RFC 1112 §6.4).
fn is_ip_group(mac: Mac) -> bool {
    matches!(mac.0, [0x01, 0x00, 0x5e, 0..=0x7f, _, _])
}

/// ARP in either of its envelopes (RFC 826, RFC 1042).
fn arp_of(frame: &Frame<'_>) -> Option<arp::Packet> {
    match frame.content {
        Content::Type(ethernet::ARP, packet) | Content::Llc([0xaa, 0xaa, 3, 0, 0, 0, 8, 6, packet @ ..]) => {
            arp::Packet::parse(packet)
        }
        Content::Type(..) | Content::Llc(_) => None,
    }
}

#[cfg(test)]
mod tests;
