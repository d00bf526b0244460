//! ARP as a Linux host speaks it on Ethernet (RFC 826, RFC 5227), and what a network card would never let through.

use std::net::Ipv4Addr;

use chaff_events::Kind;
use chaff_testkit::{
    fixture::{GATEWAY, HOST, decoy_ip, decoy_mac},
    script::{ACK, Packet, SYN, Script, arp_reply, arp_request, echo, echo_reply, tcp},
};
use chaff_wire::{Mac, arp};

const DECOY: u32 = 0;

fn script(name: &str) -> Script {
    let mut host = Script::new(name);
    host.handle_arp_yourself();
    host
}

fn who_has() -> Packet {
    arp_request(HOST, decoy_ip(DECOY))
}

/// What the decoy asks when it looks for the host.
fn question() -> Packet {
    arp_request((decoy_mac(DECOY), decoy_ip(DECOY)), HOST.1)
}

fn is_at() -> Packet {
    arp_reply((decoy_mac(DECOY), decoy_ip(DECOY)), HOST)
}

#[test]
fn a_request_is_answered_by_unicast() {
    let mut host = script("arp-request");
    host.send(who_has());
    let answer = host.expect(is_at());
    assert_eq!(answer.ether_destination, HOST.0);
    assert_eq!(answer.ether_source, decoy_mac(DECOY));
    host.expect_nothing(20_000);
}

#[test]
fn every_request_is_an_observation() {
    let mut host = script("arp-observation");
    host.send(who_has());
    host.expect(is_at());
    host.wait(60_000);
    let seen = host.rig().observations();
    assert_eq!(seen.iter().map(|o| o.count).sum::<u32>(), 1, "{seen:?}");
    assert_eq!(seen[0].kind, Kind::ArpRequest);
    assert_eq!(seen[0].source.mac, HOST.0);
    assert_eq!(seen[0].source.ip, HOST.1);
}

#[test]
fn an_address_that_is_no_decoys_is_not_answered() {
    let mut host = script("arp-other");
    for ip in [decoy_ip(4), Ipv4Addr::new(10, 0, 0, 255), HOST.1, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
        host.send(arp_request(HOST, ip));
        host.expect_nothing(100);
    }
}

#[test]
fn a_probe_without_a_sender_is_answered() {
    // RFC 5227 §2.1.1: somebody wants to know whether the address is free.
    let mut host = script("arp-probe");
    let nobody = (HOST.0, Ipv4Addr::UNSPECIFIED);
    host.send(arp_request(nobody, decoy_ip(DECOY)));
    host.expect(arp_reply((decoy_mac(DECOY), decoy_ip(DECOY)), nobody));
}

#[test]
fn a_sender_with_the_decoys_own_address_is_not_answered() {
    let mut host = script("arp-own");
    host.send(arp_request((HOST.0, decoy_ip(DECOY)), decoy_ip(DECOY)));
    host.expect_nothing(1000);
}

#[test]
fn a_claim_of_a_decoys_address_is_a_conflict() {
    let mut host = script("arp-conflict");
    let claim = arp_reply((HOST.0, decoy_ip(DECOY)), (Mac::BROADCAST, decoy_ip(DECOY)));
    host.send(claim);
    host.wait(60_000);
    assert!(host.rig().observations().iter().any(|o| o.kind == Kind::ArpConflict));
}

#[test]
fn a_request_to_the_decoys_own_address_is_answered_and_to_anothers_is_not() {
    let mut host = script("arp-unicast");
    host.send(who_has().ether_destination(decoy_mac(DECOY)));
    host.expect(is_at());
    host.send(who_has().ether_destination(decoy_mac(1)));
    host.expect_nothing(100);
    host.send(who_has().ether_destination(Mac([0x52, 0x54, 0, 9, 9, 9])));
    host.expect_nothing(100);
}

/// What nmap's `sniffer-detect` sends to. A card that is not promiscuous lets through its own address, broadcast and
/// the groups it joined: the pattern is `1_____1_`.
#[test]
fn only_the_groups_that_a_card_joined_are_heard() {
    let groups = [
        ("ff:ff:ff:ff:ff:ff", true),
        ("ff:ff:ff:ff:ff:fe", false),
        ("ff:ff:00:00:00:00", false),
        ("ff:00:00:00:00:00", false),
        ("01:00:00:00:00:00", false),
        ("01:00:5e:00:00:00", false),
        ("01:00:5e:00:00:01", true),
        ("01:00:5e:00:00:03", false),
    ];
    for (group, heard) in groups {
        let mut host = script("arp-group");
        host.send(who_has().ether_destination(group.parse().unwrap()));
        let came = host.take(100).len();
        assert_eq!(came == 1, heard, "{group}: {came} answers");
    }
}

/// The eleven requests of `arp-fingerprint`; Linux with a default route is `01010100000`.
#[test]
fn malformed_requests_are_answered_as_linux_does() {
    type Change = fn(&mut arp::Packet);
    let from = |ip: [u8; 4]| arp_request((HOST.0, Ipv4Addr::from(ip)), decoy_ip(DECOY));
    let changed = |change: Change| who_has().with_arp(change);
    let rows = [
        ("sender 127.0.0.1", from([127, 0, 0, 1]), false),
        ("sender 0.0.0.0", from([0, 0, 0, 0]), true),
        ("sender 255.255.255.255", from([255, 255, 255, 255]), false),
        ("sender elsewhere", from([1, 0, 0, 1]), true),
        ("hardware type 255", changed(|p| p.hardware = 255), false),
        ("hardware type 6", changed(|p| p.hardware = 6), true),
        ("protocol type 0xffff", changed(|p| p.protocol = 0xffff), false),
        ("hardware address length 6 -> 5", changed(|p| p.hardware_length = 5), false),
        ("protocol address length 4 -> 6", changed(|p| p.protocol_length = 6), false),
        ("reverse request", changed(|p| p.operation = 3), false),
        ("inverse request", changed(|p| p.operation = 8), false),
        ("an answer", changed(|p| p.operation = arp::REPLY), false),
        ("in LLC/SNAP", who_has().in_snap(), false),
    ];
    for (name, request, answered) in rows {
        let mut host = script("arp-malformed");
        host.send(request);
        let came = host.take(100).len();
        assert_eq!(came == 1, answered, "{name}: {came} answers");
    }
}

#[test]
fn a_truncated_request_is_dropped() {
    let mut host = script("arp-truncated");
    for length in [14, 20, 41] {
        let mut frame = vec![0xff; 6];
        frame.extend_from_slice(&HOST.0.0);
        frame.extend_from_slice(&[8, 6]);
        frame.resize(length, 0);
        host.send_octets(&frame);
        host.expect_nothing(100);
    }
}

#[test]
fn a_priority_tag_is_as_good_as_none_and_another_vlan_is_not() {
    let mut host = script("arp-vlan");
    host.send(who_has().tag(0));
    host.expect(is_at());
    host.send(who_has().tag(0x6000));
    host.expect(is_at());
    host.send(who_has().tag(5));
    host.expect_nothing(100);
}

/// Neighbour unreachability detection: five seconds after the first packet to a peer that was only overheard comes a
/// unicast question, and no broadcast before the first answer.
#[test]
fn a_new_peer_is_verified_by_unicast_after_five_seconds() {
    let mut host = script("arp-verify");
    host.send(who_has());
    host.expect(is_at());
    host.send(echo(1, 1, b"ping"));
    host.expect(echo_reply(1, 1, b"ping"));
    let question = host.expect_at(5000, arp_request((decoy_mac(DECOY), decoy_ip(DECOY)), HOST.1));
    assert_eq!(question.ether_destination, HOST.0);
    host.send(arp_reply(HOST, (decoy_mac(DECOY), decoy_ip(DECOY))));
    host.expect_nothing(20_000);
}

#[test]
fn a_peer_that_does_not_answer_is_asked_three_times_a_second_apart() {
    let mut host = script("arp-verify-silent");
    host.send(who_has());
    host.expect(is_at());
    host.send(echo(1, 1, b"ping"));
    host.expect(echo_reply(1, 1, b"ping"));
    for at in [5000, 6000, 7000] {
        let seen = host.expect_at(at, question());
        assert_eq!(seen.ether_destination, HOST.0, "asked by unicast");
    }
    host.expect_nothing(60_000);
    // From now on nothing is known of it.
    host.send(echo(1, 2, b"ping"));
    let seen = host.expect(question());
    assert_eq!(seen.ether_destination, Mac::BROADCAST, "asked of everybody");
}

/// A host that never said where it is gets no answer before it has answered ARP; the card that its packet came from
/// proves nothing.
#[test]
fn a_peer_that_was_never_heard_of_is_asked_for_first() {
    let mut host = script("arp-unknown");
    host.send(echo(1, 1, b"ping"));
    for at in [0, 1000] {
        let seen = host.expect_at(at, question());
        assert_eq!(seen.ether_destination, Mac::BROADCAST);
    }
    host.send(echo(1, 2, b"pong"));
    host.send(arp_reply(HOST, (decoy_mac(DECOY), decoy_ip(DECOY))));
    for (number, text) in [(1, b"ping"), (2, b"pong")] {
        let seen = host.expect(echo_reply(1, number, text));
        assert_eq!(seen.ether_destination, HOST.0);
    }
    host.send(echo(1, 3, b"ping"));
    host.expect(echo_reply(1, 3, b"ping"));
}

#[test]
fn what_waits_for_a_peer_that_does_not_answer_is_thrown_away() {
    let mut host = script("arp-unanswered");
    host.send(echo(1, 1, b"ping"));
    for at in [0, 1000, 2000] {
        host.expect_at(at, question());
    }
    host.expect_nothing(60_000);
    assert_eq!(host.rig().usage().waiting, 0);
    // It was asked in vain: an answer that comes now is to no question.
    host.send(arp_reply(HOST, (decoy_mac(DECOY), decoy_ip(DECOY))));
    host.expect_nothing(1000);
    host.send(echo(1, 2, b"ping"));
    host.expect(question());
}

/// A peer that asks for the decoy while it is being asked for says where it is as well.
#[test]
fn a_request_of_the_peer_is_an_answer_too() {
    let mut host = script("arp-crossing");
    host.send(echo(1, 1, b"ping"));
    host.expect(question());
    host.send(who_has());
    host.expect(is_at());
    host.expect(echo_reply(1, 1, b"ping"));
    let seen = host.expect_at(5000, question());
    assert_eq!(seen.ether_destination, HOST.0, "it was only overheard");
}

/// RFC 826, packet reception: whoever knows the sender takes over the card, whomever the packet asks for.
#[test]
fn a_neighbour_that_moves_to_another_card_is_found_there_at_once() {
    let mut host = script("arp-moved");
    host.send(who_has());
    host.expect(is_at());
    host.send(echo(1, 1, b"x"));
    host.expect(echo_reply(1, 1, b"x"));
    for (id, asked) in [(2, HOST.1), (3, Ipv4Addr::new(10, 0, 0, 254))] {
        let card = Mac([2, 0, 0, 0, 0x77, u8::try_from(id).unwrap()]);
        host.be(card, HOST.1);
        // Linux believes no other card for a second, unless it is announced (arp(7), locktime).
        host.wait(1_000);
        host.send(arp_request((card, HOST.1), asked));
        host.send(echo(id, 1, b"x"));
        let answer = host.expect(echo_reply(id, 1, b"x"));
        assert_eq!(answer.ether_destination, card, "after a question for {asked}");
    }
    // It was overheard only, so it is asked.
    host.expect_at(5_000, question());
}

/// Of two who say within a second that they have an address, the first is believed; an announcement by all.
#[test]
fn another_card_is_not_believed_for_a_second() {
    let mut host = script("arp-locked");
    let other = Mac([2, 0, 0, 0, 0x77, 7]);
    host.send(who_has());
    host.expect(is_at());
    host.send(echo(1, 1, b"x"));
    host.expect(echo_reply(1, 1, b"x"));
    for lie in [
        arp_request((other, HOST.1), Ipv4Addr::new(10, 0, 0, 254)),
        arp_reply((other, HOST.1), (decoy_mac(DECOY), decoy_ip(DECOY))),
    ] {
        host.send(lie.ether_source(other));
        host.send(echo(1, 2, b"x"));
        let answer = host.expect(echo_reply(1, 2, b"x"));
        assert_eq!(answer.ether_destination, HOST.0);
    }
    host.be(other, HOST.1);
    host.send(arp_request((other, HOST.1), HOST.1));
    host.send(echo(1, 3, b"x"));
    let answer = host.expect(echo_reply(1, 3, b"x"));
    assert_eq!(answer.ether_destination, other);
}

/// What was overheard before an answer is older than the answer.
#[test]
fn what_was_overheard_before_the_neighbour_was_known_is_forgotten() {
    let mut host = script("arp-moved-before");
    host.send(arp_request((Mac([2, 0, 0, 0, 0x77, 9]), HOST.1), HOST.1));
    host.send(who_has());
    host.expect(is_at());
    host.send(echo(1, 1, b"x"));
    let answer = host.expect(echo_reply(1, 1, b"x"));
    assert_eq!(answer.ether_destination, HOST.0);
}

/// Whoever has asked is known from then on, also before anything was sent to him.
#[test]
fn one_that_asked_and_announces_itself_elsewhere_is_found_there() {
    let mut host = script("arp-asked-and-moved");
    host.send(who_has());
    host.expect(is_at());
    let card = Mac([2, 0, 0, 0, 0x77, 3]);
    host.be(card, HOST.1);
    host.send(arp_request((card, HOST.1), HOST.1));
    host.send(echo(1, 1, b"x"));
    let answer = host.expect(echo_reply(1, 1, b"x"));
    assert_eq!(answer.ether_destination, card);
}

/// Somebody who lends another's address, as a scan over a third host does: the answer goes to the one who has it.
#[test]
fn an_answer_goes_to_the_owner_of_the_address() {
    let mut host = script("arp-lent");
    let owner = (Mac([0x52, 0x54, 0, 0, 0, 9]), HOST.1);
    host.send(tcp(SYN).seq(100));
    host.expect(question());
    host.send(arp_reply(owner, (decoy_mac(DECOY), decoy_ip(DECOY))).ether_source(owner.0));
    host.be(owner.0, owner.1);
    let seen = host.expect(tcp(SYN | ACK).ack(101));
    assert_eq!(seen.ether_destination, owner.0);
}

/// What comes from another network is answered by way of the router, whoever sent it.
#[test]
fn an_answer_to_another_network_goes_to_the_router() {
    let mut host = script("arp-router");
    let router = (Mac([0x52, 0x54, 0, 0, 0, 1]), GATEWAY);
    let ask = || arp_request((decoy_mac(DECOY), decoy_ip(DECOY)), GATEWAY);
    host.be(HOST.0, Ipv4Addr::new(192, 0, 2, 7));
    host.send(echo(1, 1, b"ping"));
    host.expect(ask());
    host.send(arp_reply(router, (decoy_mac(DECOY), decoy_ip(DECOY))).ether_source(router.0));
    host.be(router.0, Ipv4Addr::new(192, 0, 2, 7));
    host.expect(echo_reply(1, 1, b"ping"));
    host.send(echo(1, 2, b"ping").ether_source(HOST.0));
    host.expect(echo_reply(1, 2, b"ping"));
}

/// A wrong `gateway` must not make a fleet mute to what a real router brings.
#[test]
fn a_router_that_does_not_answer_is_replaced_by_the_card_that_was_heard() {
    let mut host = script("arp-no-router");
    host.be(HOST.0, Ipv4Addr::new(192, 0, 2, 7));
    host.send(echo(1, 1, b"ping"));
    for at in [0, 1000, 2000] {
        host.expect_at(at, arp_request((decoy_mac(DECOY), decoy_ip(DECOY)), GATEWAY));
    }
    assert_eq!(host.expect_at(3000, echo_reply(1, 1, b"ping")).ether_destination, HOST.0);
    host.send(echo(1, 2, b"ping"));
    assert_eq!(host.expect(echo_reply(1, 2, b"ping")).ether_destination, HOST.0);
}

/// Sources that do not exist cost one decoy a bounded number of questions and of waiting frames.
#[test]
fn invented_neighbours_are_asked_for_up_to_a_limit() {
    let mut host = script("arp-invented");
    for n in 0..2000u32 {
        host.be(HOST.0, Ipv4Addr::from_bits(0x0a80_0000 + n));
        host.send(echo(1, 1, b"ping"));
    }
    let questions = host.take(0).len();
    assert_eq!(questions, 128, "the limit of one decoy");
    assert!(host.rig().usage().waiting < 128 * 64, "{:?}", host.rig().usage());
    // Another decoy is not concerned.
    host.be(HOST.0, HOST.1);
    host.talk_to(1);
    host.send(echo(1, 1, b"ping"));
    host.expect(arp_request((decoy_mac(1), decoy_ip(1)), HOST.1));
    // When all were given up, the decoy asks again.
    host.wait(4000);
    let _ = host.take(0);
    host.talk_to(DECOY);
    host.send(echo(1, 2, b"ping"));
    host.expect(question());
}

/// One known decoy must not give the others away: a frame for its card that carries another's address is nobody's.
#[test]
fn a_frame_to_one_decoys_card_for_anothers_address_is_not_answered() {
    let mut host = script("cross");
    for (card, address) in [(0, 1), (1, 0), (2, 3)] {
        let to = |packet: Packet| packet.ether_destination(decoy_mac(card)).destination(decoy_ip(address));
        host.send(to(echo(1, 1, b"ping")));
        host.expect_nothing(100);
        host.send(to(tcp(SYN).seq(1)));
        host.expect_nothing(100);
        host.send(to(tcp(SYN).seq(1).ports(40_000, 81)));
        host.expect_nothing(100);
    }
}
