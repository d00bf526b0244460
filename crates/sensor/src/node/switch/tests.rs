use std::net::Ipv4Addr;

use chaff_wire::ipv4::Header;

use super::*;

const OWN: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 20, 1, 1));
const FELLOW: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(10, 20, 1, 2));
const HOST: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 9]), Ipv4Addr::new(10, 20, 1, 9));

fn switch() -> Switch {
    let port = |(mac, ip): (Mac, Ipv4Addr), vlan| Port { link: 0, vlan, mac, ip: ip.into() };
    Switch::new(vec![port(OWN, None), port(FELLOW, None), port(OWN, Some(20))])
}

fn frame(destination: Mac, source: Mac, tag: Option<u16>, kind: u16, payload: &[u8]) -> Vec<u8> {
    let tag = tag.map_or_else(Vec::new, |vlan| [[0x81, 0], vlan.to_be_bytes()].concat());
    [&destination.0[..], &source.0, &tag, &kind.to_be_bytes(), payload].concat()
}

fn arp(sender: (Mac, Ipv4Addr), asked: Ipv4Addr) -> Vec<u8> {
    let mut packet = Vec::new();
    arp::Packet::new(1, sender, (Mac::ZERO, asked)).emit(&mut packet);
    packet
}

fn ip(source: Ipv4Addr) -> Vec<u8> {
    let mut packet = Vec::new();
    let header = Header {
        tos: 0,
        id: 1,
        df: true,
        mf: false,
        offset: 0,
        ttl: 64,
        protocol: 17,
        source,
        destination: HOST.1,
        options: &[],
    };
    header.emit(8, &mut packet);
    packet.extend([0; 8]);
    packet
}

#[test]
fn what_is_its_own_passes() {
    let switch = switch();
    for payload in [arp(OWN, HOST.1), arp((OWN.0, Ipv4Addr::UNSPECIFIED), OWN.1)] {
        assert_eq!(switch.admit(0, &frame(Mac::BROADCAST, OWN.0, None, ethernet::ARP, &payload)), Ok(()));
    }
    assert_eq!(switch.admit(0, &frame(HOST.0, OWN.0, None, ethernet::IPV4, &ip(OWN.1))), Ok(()));
    assert_eq!(switch.admit(2, &frame(HOST.0, OWN.0, Some(20), ethernet::IPV4, &ip(OWN.1))), Ok(()));
}

#[test]
fn what_is_anothers_does_not() {
    let switch = switch();
    let cases = [
        (Forgery::Card, frame(HOST.0, FELLOW.0, None, ethernet::IPV4, &ip(OWN.1))),
        (Forgery::Card, frame(HOST.0, HOST.0, None, ethernet::ARP, &arp(OWN, HOST.1))),
        (Forgery::IpSource, frame(HOST.0, OWN.0, None, ethernet::IPV4, &ip(FELLOW.1))),
        (Forgery::IpSource, frame(HOST.0, OWN.0, None, ethernet::IPV4, &[0x45; 8])),
        (Forgery::ArpSender, frame(HOST.0, OWN.0, None, ethernet::ARP, &arp((OWN.0, HOST.1), FELLOW.1))),
        (Forgery::ArpSender, frame(HOST.0, OWN.0, None, ethernet::ARP, &arp((HOST.0, OWN.1), FELLOW.1))),
        (Forgery::Vlan, frame(HOST.0, OWN.0, Some(20), ethernet::IPV4, &ip(OWN.1))),
        (Forgery::Protocol, frame(HOST.0, OWN.0, None, ethernet::IPV6, &[0x60; 40])),
        (Forgery::Protocol, frame(HOST.0, OWN.0, None, ethernet::ARP, &[0; 4])),
        (Forgery::NoFrame, vec![0xff; 5]),
        (Forgery::NoFrame, frame(HOST.0, OWN.0, None, ethernet::IPV4, &[0; LONGEST])),
    ];
    for (forgery, octets) in cases {
        assert_eq!(switch.admit(0, &octets), Err(forgery), "{octets:02x?}");
    }
}

#[test]
fn frames_come_to_whom_they_are_for() {
    let switch = switch();
    let to =
        |destination, tag, kind, payload: &[u8]| switch.deliver(0, &frame(destination, HOST.0, tag, kind, payload));
    assert_eq!(to(OWN.0, None, ethernet::IPV4, &ip(HOST.1)), Delivery::One(0));
    assert_eq!(to(OWN.0, Some(20), ethernet::IPV4, &ip(HOST.1)), Delivery::One(2));
    assert_eq!(to(HOST.0, None, ethernet::IPV4, &ip(HOST.1)), Delivery::Nobody);
    assert_eq!(to(Mac::BROADCAST, None, ethernet::IPV4, &ip(HOST.1)), Delivery::All(&[0, 1]));
    assert_eq!(to(Mac([1, 0, 0x5e, 0, 0, 1]), None, ethernet::IPV4, &ip(HOST.1)), Delivery::All(&[0, 1]));
    assert_eq!(to(Mac([0x33, 0x33, 0, 0, 0, 1]), None, ethernet::IPV6, &[0x60; 40]), Delivery::Nobody);
    assert_eq!(to(Mac::BROADCAST, None, ethernet::ARP, &arp(HOST, FELLOW.1)), Delivery::One(1));
    assert_eq!(to(Mac::BROADCAST, None, ethernet::ARP, &arp(HOST, HOST.1)), Delivery::Nobody);
    let claim = arp((HOST.0, OWN.1), HOST.1);
    assert_eq!(to(Mac::BROADCAST, None, ethernet::ARP, &claim), Delivery::One(0), "whose address is claimed hears it");
    assert_eq!(switch.deliver(1, &frame(OWN.0, HOST.0, None, ethernet::IPV4, &ip(HOST.1))), Delivery::Nobody);
}

#[test]
fn who_has_spoken_to_a_host_hears_that_it_has_moved() {
    let mut switch = switch();
    let elsewhere = (Mac([2, 0, 0, 0, 0, 10]), HOST.1);
    let third = Ipv4Addr::new(10, 20, 1, 77);
    let announced = frame(Mac::BROADCAST, elsewhere.0, None, ethernet::ARP, &arp(elsewhere, HOST.1));
    let asked = frame(Mac::BROADCAST, elsewhere.0, None, ethernet::ARP, &arp(elsewhere, third));
    assert_eq!(switch.deliver(0, &announced), Delivery::Nobody, "nobody has spoken to it");
    // The datagram goes to HOST.
    switch.handle_sent(1, &frame(HOST.0, FELLOW.0, None, ethernet::IPV4, &ip(FELLOW.1)));
    let known = frame(Mac::BROADCAST, HOST.0, None, ethernet::ARP, &arp(HOST, third));
    assert_eq!(switch.deliver(0, &known), Delivery::Nobody, "it is where it was: a sweep wakes nobody");
    for moved in [&announced, &asked] {
        assert_eq!(switch.deliver(0, moved), Delivery::All(&[1]));
    }
    switch.handle_sent(1, &frame(elsewhere.0, FELLOW.0, None, ethernet::IPV4, &ip(FELLOW.1)));
    assert_eq!(switch.deliver(0, &announced), Delivery::Nobody, "the machine knows");
    for last in 0..=MAX_PAIRS {
        let [.., a, b] = u32::try_from(last).expect("small").to_be_bytes();
        let mut packet = ip(OWN.1);
        packet[18..20].copy_from_slice(&[a, b]);
        for port in [0, 1] {
            switch.handle_sent(port, &frame(HOST.0, OWN.0, None, ethernet::IPV4, &packet));
        }
        let pairs: usize = switch.peers.values().map(|peer| peer.ports.len()).sum();
        assert!(pairs == switch.pairs && pairs <= MAX_PAIRS);
    }
}
