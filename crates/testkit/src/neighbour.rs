//! ARP as the hosts of tests speak it: questions, answers, and who asks.

use std::net::Ipv4Addr;

use chaff_wire::{
    Mac, arp,
    ethernet::{self, Content, Frame},
};

/// A card and its address.
pub type Station = (Mac, Ipv4Addr);

/// The question of `from` for `target`, to everybody.
#[must_use]
pub fn question(from: Station, target: Ipv4Addr) -> Vec<u8> {
    frame(arp::REQUEST, from, (Mac::ZERO, target), Mac::BROADCAST)
}

/// What `who` answers, if `octets` are a question for his address.
#[must_use]
pub fn answer(octets: &[u8], who: Station) -> Option<Vec<u8>> {
    let Content::Type(ethernet::ARP, packet) = Frame::parse(octets)?.content else { return None };
    let asked = arp::Packet::parse(packet)?;
    let for_him = asked.operation == arp::REQUEST && asked.target_ip == who.1;
    for_him.then(|| frame(arp::REPLY, who, (asked.sender_mac, asked.sender_ip), asked.sender_mac))
}

/// Who says to the card `to` where he is, if `octets` are an answer.
#[must_use]
pub fn answered(octets: &[u8], to: Mac) -> Option<Station> {
    let frame = Frame::parse(octets).filter(|frame| frame.destination == to)?;
    let Content::Type(ethernet::ARP, packet) = frame.content else { return None };
    let said = arp::Packet::parse(packet).filter(|packet| packet.operation == arp::REPLY)?;
    Some((said.sender_mac, said.sender_ip))
}

fn frame(operation: u16, from: Station, to: Station, destination: Mac) -> Vec<u8> {
    let mut octets = Vec::with_capacity(ethernet::MIN_FRAME);
    ethernet::Header { destination, source: from.0, vlan: None, kind: ethernet::ARP }.emit(&mut octets);
    arp::Packet::new(operation, from, to).emit(&mut octets);
    octets.resize(ethernet::MIN_FRAME, 0);
    octets
}
