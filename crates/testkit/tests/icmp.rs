//! ICMP and IPv4 as a Linux host answers them (RFC 791, RFC 792, RFC 1122 §3.2), measured on kernel 6.18.

use std::net::Ipv4Addr;

use chaff_testkit::{
    fixture::{self, HOST, decoy_ip},
    script::{SYN, Script, echo, echo_reply, icmp, ip_protocol, tcp, udp},
};
use chaff_wire::Mac;

#[test]
fn echo_is_answered_in_kind() {
    let mut host = Script::new("icmp-echo");
    host.send(echo(0x1234, 1, b"abcdefghijklmnop").ttl(3));
    host.expect(echo_reply(0x1234, 1, b"abcdefghijklmnop").ttl(64).df(false).tos(0));
}

#[test]
fn echo_keeps_code_and_type_of_service() {
    // nmap's first ICMP probe: code 9; its second: type of service 4.
    let mut host = Script::new("icmp-echo-code");
    host.send(echo(1, 295, &[0; 120]).code(9).df(true));
    host.expect(echo_reply(1, 295, &[0; 120]).code(9).df(false));
    host.send(echo(2, 296, &[0; 150]).tos(4));
    host.expect(echo_reply(2, 296, &[0; 150]).tos(4));
}

#[test]
fn identifications_of_echo_replies_grow_for_each_peer() {
    let mut host = Script::new("icmp-echo-id");
    let mut reply = |n| {
        host.send(echo(1, n, b""));
        host.expect(echo_reply(1, n, b"")).id
    };
    let ids = [reply(1), reply(2), reply(3)];
    assert_eq!(ids[1].wrapping_sub(ids[0]), 1, "{ids:?}");
    assert_eq!(ids[2].wrapping_sub(ids[1]), 1, "{ids:?}");
}

#[test]
fn echo_of_any_size_comes_back_whole() {
    let mut host = Script::new("icmp-echo-sizes");
    for size in [0, 1, 7, 56, 1471, 1472] {
        let data = vec![0x5a; size];
        host.send(echo(1, 1, &data));
        host.expect(echo_reply(1, 1, &data));
    }
}

#[test]
fn timestamp_is_answered_and_other_questions_are_not() {
    let mut host = Script::new("icmp-timestamp");
    let mut question = 0x0102_0304_u32.to_be_bytes().to_vec();
    question.resize(12, 0);
    host.send(icmp(13, 0).identifier(7, 8).data(&question));
    let answer = host.expect(icmp(14, 0).identifier(7, 8).length(12));
    assert_eq!(answer.data[..4], question[..4], "the originate timestamp comes back");
    for kind in [10, 15, 17, 37, 42, 200] {
        host.send(icmp(kind, 0).identifier(7, 8).data(&[0; 12]));
        host.expect_nothing(100);
    }
}

#[test]
fn wrong_checksums_are_met_with_silence() {
    let mut host = Script::new("icmp-checksum");
    host.send(echo(1, 1, b"x").bad_checksum());
    host.expect_nothing(100);
    host.send(echo(1, 1, b"x").bad_ip_checksum());
    host.expect_nothing(100);
    host.send(udp(b"x").ports(40_000, 81).bad_checksum());
    host.expect_nothing(100);
    host.send(tcp(SYN).seq(1).bad_checksum());
    host.expect_nothing(100);
    host.send(tcp(SYN).seq(1).ports(40_000, 81).bad_checksum());
    host.expect_nothing(100);
    host.send(tcp(SYN).seq(1).bad_ip_checksum());
    host.expect_nothing(100);
}

#[test]
fn an_unknown_protocol_is_unreachable() {
    let mut host = Script::new("icmp-protocol");
    host.send(ip_protocol(253, b"abcdefgh"));
    let answer = host.expect(icmp(3, 2).tos(0xc0).df(false).ttl(64));
    assert_eq!(answer.data.len(), 28, "the whole datagram is quoted");
    assert_eq!(answer.data[9], 253);
}

#[test]
fn broadcast_and_multicast_pings_are_not_answered() {
    let mut host = Script::new("icmp-broadcast");
    host.send(echo(1, 1, b"").ether_destination(Mac::BROADCAST).destination(Ipv4Addr::new(10, 255, 255, 255)));
    host.expect_nothing(100);
    host.send(echo(1, 1, b"").ether_destination(Mac::BROADCAST).destination(Ipv4Addr::BROADCAST));
    host.expect_nothing(100);
    let all_hosts = Mac([1, 0, 0x5e, 0, 0, 1]);
    host.send(echo(1, 1, b"").ether_destination(all_hosts).destination(Ipv4Addr::new(224, 0, 0, 1)));
    host.expect_nothing(100);
}

#[test]
fn a_ping_of_everybody_is_answered_by_every_card_that_it_came_to_and_no_other() {
    let mut personality = fixture::linux();
    personality.icmp.broadcast_echo = true;
    let mut host = Script::with("icmp-everybody", fixture::fleet_of(4, personality));
    for destination in [Ipv4Addr::new(10, 255, 255, 255), Ipv4Addr::BROADCAST] {
        host.send(echo(1, 1, b"").ether_destination(Mac::BROADCAST).destination(destination));
        assert_eq!(host.take(100).len(), 4, "{destination}");
    }
    host.send(echo(1, 2, b"").destination(Ipv4Addr::BROADCAST));
    let answers = host.take(100);
    assert_eq!(answers.iter().map(|answer| answer.ether_source).collect::<Vec<_>>(), [fixture::decoy_mac(0)]);
}

#[test]
fn inside_a_broadcast_frame_only_echo_is_answered() {
    let mut host = Script::new("icmp-in-broadcast");
    host.send(echo(1, 1, b"x").ether_destination(Mac::BROADCAST));
    host.expect(echo_reply(1, 1, b"x"));
    host.send(tcp(SYN).seq(1).ether_destination(Mac::BROADCAST));
    host.expect_nothing(100);
    host.send(udp(b"x").ports(40_000, 81).ether_destination(Mac::BROADCAST));
    host.expect_nothing(100);
}

#[test]
fn sources_that_no_host_can_have_are_not_answered() {
    let mut host = Script::new("icmp-martians");
    let martians = [[127, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 5], [255, 255, 255, 255]];
    for source in martians.map(Ipv4Addr::from).into_iter().chain([decoy_ip(0)]) {
        host.send(echo(1, 1, b"x").source(source));
        host.expect_nothing(100);
        host.send(tcp(SYN).seq(1).source(source));
        host.expect_nothing(100);
    }
}

#[test]
fn a_priority_tag_is_accepted_and_another_vlan_or_snap_is_not() {
    let mut host = Script::new("icmp-vlan");
    host.send(echo(1, 1, b"x").tag(0));
    let answer = host.expect(echo_reply(1, 1, b"x"));
    assert_eq!(answer.vlan, None);
    host.send(echo(1, 1, b"x").tag(5));
    host.expect_nothing(100);
    host.send(echo(1, 1, b"x").in_snap());
    host.expect_nothing(100);
}

#[test]
fn a_reply_that_nobody_asked_for_and_an_error_are_not_answered() {
    // RFC 1122 §3.2.2: no error about an error.
    let mut host = Script::new("icmp-unasked");
    host.send(echo_reply(1, 1, b"x"));
    host.expect_nothing(100);
    host.send(icmp(3, 3).data(&[0x45; 28]));
    host.expect_nothing(100);
}

#[test]
fn record_route_is_answered_with_the_route() {
    let mut host = Script::new("icmp-record-route");
    // Record route (RFC 791 §3.1): kind 7, length 11, pointer 4, room for two addresses.
    host.send(echo(1, 1, b"x").ip_options(&[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let answer = host.expect(echo_reply(1, 1, b"x"));
    assert_eq!(answer.ip_options.first(), Some(&7), "{:02x?}", answer.ip_options);
}

#[test]
fn source_routed_datagrams_are_not_answered() {
    let mut host = Script::new("icmp-source-route");
    let [a, b, c, d] = HOST.1.octets();
    host.send(echo(1, 1, b"x").ip_options(&[0x83, 7, 4, a, b, c, d, 0]));
    host.expect_nothing(100);
}

#[test]
fn fragments_in_any_order_are_reassembled() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut host = Script::new("fragments-order");
        let data: Vec<u8> = (0..2000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let frames = echo(1, 1, &data).df(false).fragments(&host, 800);
        for n in order {
            host.send_octets(&frames[n]);
        }
        let parts = host.take(10);
        assert_eq!(parts.len(), 2, "the reply is longer than a frame");
        assert!(parts[0].mf && !parts[1].mf);
        assert_eq!((parts[0].offset, parts[1].offset), (0, 1480));
        assert_eq!(parts[0].id, parts[1].id);
        assert_eq!([&parts[0].data[..], &parts[1].data[..]].concat(), data);
    }
}

#[test]
fn a_syn_in_fragments_of_eight_octets_is_answered() {
    let mut host = Script::new("fragments-syn");
    for frame in tcp(SYN).seq(100).df(false).fragments(&host, 8) {
        host.send_octets(&frame);
    }
    host.expect(tcp(SYN | chaff_testkit::script::ACK).ack(101));
}

#[test]
fn a_fragment_that_comes_twice_does_no_harm() {
    let mut host = Script::new("fragments-twice");
    let frames = echo(1, 1, &[7; 64]).df(false).fragments(&host, 24);
    for frame in [&frames[0], &frames[0], &frames[1], &frames[1], &frames[2]] {
        host.send_octets(frame);
    }
    host.expect(echo_reply(1, 1, &[7; 64]));
}

#[test]
fn fragments_that_overlap_are_lost() {
    let mut host = Script::new("fragments-overlap");
    let datagram = echo(1, 1, &[7; 64]).df(false);
    for (offset, length, more) in [(0, 32, true), (24, 16, true), (40, 32, false)] {
        let frame = datagram.fragment(&host, offset, length, more);
        host.send_octets(&frame);
    }
    host.expect_nothing(35_000);
}

#[test]
fn a_first_fragment_alone_times_out_after_thirty_seconds() {
    let mut host = Script::new("fragments-timeout");
    let frame = echo(1, 1, &[7; 64]).df(false).fragment(&host, 0, 32, true);
    host.send_octets(&frame);
    host.expect_at(30_000, icmp(11, 1).df(false));
    host.expect_nothing(60_000);
}

#[test]
fn a_later_fragment_alone_is_forgotten_in_silence() {
    let mut host = Script::new("fragments-tail");
    let frame = echo(1, 1, &[7; 64]).df(false).fragment(&host, 32, 40, false);
    host.send_octets(&frame);
    host.expect_nothing(60_000);
}

#[test]
fn a_fragment_beyond_the_largest_datagram_is_dropped() {
    // The "ping of death": offset and length together pass 65,535.
    let mut host = Script::new("fragments-death");
    let datagram = echo(1, 1, &vec![7; 60_000]).df(false);
    let mut frame = datagram.fragment(&host, 0, 1480, true);
    // Flags and offset: the last of 8,191 units.
    frame[20..22].copy_from_slice(&0x1fff_u16.to_be_bytes());
    frame[24..26].copy_from_slice(&[0, 0]);
    let sum = chaff_wire::checksum::of(&frame[14..34]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    host.send_octets(&frame);
    host.expect_nothing(60_000);
}
