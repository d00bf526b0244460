//! ARP and the neighbour cache, and frames that are not meant for the host.

use std::net::Ipv4Addr;

use chaff_wire::{Mac, arp, ethernet};

use super::probes;
use crate::battery::{flow::Seg, packet::Ip, port, station::Station};

probes! {
    "ARP: senders" => senders,
    "ARP: fields" => fields,
    "ARP: by unicast, and to others" => unicast,
    "ARP: its own address claimed" => claimed,
    "ARP: replies that nobody asked for" => unasked,
    "ARP: the peer is asked for after first contact" => verified,
    "ARP: the peer does not answer" => unanswered,
    "ARP: a peer that was never heard of" => stranger,
    "ARP: the peer moves to another card" => moved,
    "ARP: traffic in both directions keeps it quiet" => confirmed,
    "link: frames for another card" => another_card,
    "link: tags and other encapsulations" => encapsulations,
}

fn request(station: &Station) -> arp::Packet {
    arp::Packet::new(arp::REQUEST, station.own, (Mac::ZERO, station.target.1))
}

fn ask(station: &mut Station, label: &str, packet: &arp::Packet) {
    station.arp(packet, Mac::BROADCAST);
    station.answer(label);
}

fn senders(station: &mut Station) {
    station.hears_arp = true;
    let plain = request(station);
    ask(station, "plain", &plain);
    for sender in
        ["0.0.0.0", "255.255.255.255", "127.0.0.1", "1.0.0.1", "192.0.2.7", "224.0.0.5", "10.255.255.255", "10.0.0.0"]
    {
        let packet = arp::Packet { sender_ip: sender.parse().unwrap(), ..plain };
        ask(station, &format!("sender {sender}"), &packet);
    }
    for mac in [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1], [0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]] {
        let packet = arp::Packet { sender_mac: Mac(mac), ..plain };
        ask(station, &format!("sender's card {}", Mac(mac)), &packet);
    }
    for mac in [[0xff; 6], station.own.0.0] {
        let packet = arp::Packet { target_mac: Mac(mac), ..plain };
        ask(station, "with a target's card", &packet);
    }
}

fn fields(station: &mut Station) {
    station.hears_arp = true;
    let plain = request(station);
    for hardware in [0, 2, 6, 7, 32, 255] {
        ask(station, &format!("hardware {hardware}"), &arp::Packet { hardware, ..plain });
    }
    for protocol in [0x0806, 0x8137, 0xffff, 0x86dd, 0] {
        ask(station, &format!("protocol {protocol:#x}"), &arp::Packet { protocol, ..plain });
    }
    for (hardware_length, protocol_length) in [(8, 4), (6, 6), (0, 0), (6, 16), (5, 4)] {
        let packet = arp::Packet { hardware_length, protocol_length, ..plain };
        ask(station, &format!("lengths {hardware_length} {protocol_length}"), &packet);
    }
    for operation in [0, 3, 4, 8, 9, 255] {
        ask(station, &format!("operation {operation}"), &arp::Packet { operation, ..plain });
    }
}

fn unicast(station: &mut Station) {
    station.meet();
    station.hears_arp = true;
    let plain = request(station);
    let card = station.target.0;
    station.arp(&plain, card);
    station.answer("to its card");
    station.arp(&arp::Packet { target_ip: Ipv4Addr::new(10, 20, 99, 99), ..plain }, card);
    station.answer("for another's address");
    station.arp(&plain, Mac([0x52, 0x54, 0, 1, 2, 3]));
    station.answer("to another card");
    station.arp(&plain, Mac([1, 0, 0x5e, 0, 0, 1]));
    station.answer("to all systems");
}

fn claimed(station: &mut Station) {
    station.hears_arp = true;
    let target = station.target.1;
    let plain = request(station);
    let claim = arp::Packet { sender_ip: target, ..plain };
    ask(station, "announced by another", &claim);
    ask(station, "announced again", &claim);
    ask(station, "as a reply", &arp::Packet { operation: arp::REPLY, ..claim });
    ask(station, "probed for", &arp::Packet { sender_ip: Ipv4Addr::UNSPECIFIED, ..plain });
    ask(station, "asks for us in its name", &arp::Packet { sender_ip: target, target_ip: station.own.1, ..plain });
}

fn unasked(station: &mut Station) {
    station.hears_arp = true;
    let plain = request(station);
    ask(station, "a reply", &arp::Packet { operation: arp::REPLY, ..plain });
    ask(station, "our own announcement", &arp::Packet { target_ip: station.own.1, ..plain });
    station.listen(500);
}

fn echo(station: &mut Station) {
    station.icmp(&Ip::default(), 8, 0, [1, 2, 3, 4], b"neighbour");
}

fn verified(station: &mut Station) {
    station.meet();
    station.hears_arp = true;
    echo(station);
    station.listen(9000);
    // While it holds, nothing is asked again; each packet comes sooner than the shortest time that it may hold.
    echo(station);
    station.answer("echo while it holds");
    station.listen(4000);
}

fn unanswered(station: &mut Station) {
    station.meet();
    station.hears_arp = true;
    station.answer_arp(false);
    echo(station);
    station.listen(12_000);
    station.note("another packet");
    echo(station);
    station.listen(4500);
    station.answer_arp(true);
    station.note("another packet, and ARP is answered");
    echo(station);
    station.listen(1500);
}

fn stranger(station: &mut Station) {
    // The target's card is learned without telling it who asks.
    station.hears_arp = true;
    station.who_has(Ipv4Addr::UNSPECIFIED, Mac::BROADCAST);
    station.learn_card();
    station.note("a first packet");
    echo(station);
    station.listen(1200);
    station.note("a second packet");
    echo(station);
    station.listen(300);
}

/// An answer that goes to another card is not heard.
fn moved(station: &mut Station) {
    station.meet();
    echo(station);
    station.answer("echo");
    let announced = arp::Packet::new(arp::REQUEST, station.own, (Mac::ZERO, station.own.1));
    let elsewhere = arp::Packet { sender_mac: Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]), ..announced };
    for (operation, kind) in [(arp::REQUEST, "announced"), (arp::REPLY, "told to all")] {
        station.arp(&arp::Packet { operation, ..elsewhere }, Mac::BROADCAST);
        echo(station);
        station.answer(&format!("{kind} elsewhere: echo"));
        station.arp(&arp::Packet { operation, ..announced }, Mac::BROADCAST);
        echo(station);
        station.answer(&format!("{kind} back again: echo"));
    }
    let third = Ipv4Addr::new(10, 20, 99, 99);
    for label in ["at once", "later"] {
        station.arp(&arp::Packet { target_ip: third, ..elsewhere }, Mac::BROADCAST);
        echo(station);
        station.answer(&format!("asks for a third from elsewhere, {label}: echo"));
        station.wait(1500);
    }
    station.arp(&arp::Packet { target_ip: third, ..announced }, Mac::BROADCAST);
    echo(station);
    station.answer("asks for a third from its own card again: echo");
}

/// TCP that moves forward confirms the neighbour by itself.
fn confirmed(station: &mut Station) {
    station.meet();
    station.hears_arp = true;
    let flow = station.connect(port::ECHO, super::data::FULL);
    station.ignore(50);
    let mut at = 1;
    let mut questions = 0;
    for _ in 0..80 {
        station.tcp(flow, &super::data::push(b"x", at, at));
        at += 1;
        let until = std::time::Instant::now() + std::time::Duration::from_millis(100);
        while let Some((_, text)) = station.heard_until(until) {
            questions += usize::from(text.contains("ARP who-has"));
        }
    }
    station.note(format!("questions in eight seconds of talk: {questions}"));
    station.abort(flow, at);
}

fn another_card(station: &mut Station) {
    station.meet();
    for to in [Mac([0x52, 0x54, 0, 1, 2, 3]), Mac([0, 0, 0, 0, 0, 0])] {
        let ip = Ip { to: Some(to), ..Ip::default() };
        station.icmp(&ip, 8, 0, [0; 4], b"card");
        station.answer("echo");
        let flow = station.flow(port::ECHO);
        station.tcp_in(&ip, flow, &Seg { flags: "S", ..Seg::default() });
        station.answer("SYN");
    }
    // Another's address in a frame for its card.
    let ip = Ip { destination: Some(Ipv4Addr::new(10, 20, 99, 99)), ..Ip::default() };
    station.icmp(&ip, 8, 0, [0; 4], b"address");
    station.answer("echo for another's address");
    let ip = Ip { destination: Some(Ipv4Addr::LOCALHOST), ..Ip::default() };
    station.icmp(&ip, 8, 0, [0; 4], b"address");
    station.answer("echo for its loopback");
    let ip = Ip { source: Some(Ipv4Addr::new(192, 0, 2, 7)), ..Ip::default() };
    station.icmp(&ip, 8, 0, [0; 4], b"address");
    station.answer("echo from a network without a route");
}

fn encapsulations(station: &mut Station) {
    station.meet();
    let payload = crate::battery::packet::icmp(8, 0, [0; 4], b"inside");
    let frame = crate::battery::packet::frame(&Ip::default(), station.own, station.target, 1, &payload);
    let (addresses, datagram) = (frame[..12].to_vec(), frame[ethernet::HEADER..].to_vec());
    let wrapped = |between: &[u8]| [&addresses[..], between, &datagram].concat();
    for (label, between) in [
        ("priority tag", &[0x81, 0, 0, 0, 8, 0][..]),
        ("priority tag of class 7", &[0x81, 0, 0xe0, 0, 8, 0]),
        ("VLAN 5", &[0x81, 0, 0, 5, 8, 0]),
        ("two tags", &[0x81, 0, 0, 0, 0x81, 0, 0, 0, 8, 0]),
        ("service tag", &[0x88, 0xa8, 0, 0, 8, 0]),
        ("unknown type", &[0x88, 0xb5]),
    ] {
        station.send(&wrapped(between));
        station.answer(label);
    }
    let length = u16::try_from(datagram.len() + 8).unwrap().to_be_bytes();
    station.send(&wrapped(&[&length[..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat()));
    station.answer("LLC and SNAP");
}
