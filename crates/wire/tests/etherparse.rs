//! Every header against etherparse: what we emit, it must read and sum the same; what it reads in mutated octets, we
//! must read the same.

use std::net::Ipv4Addr;

use chaff_wire::{
    Mac, arp, ethernet, icmpv4, ipv4, ipv6,
    tcp::{self, Flags},
    udp,
};
use etherparse::{
    ArpPacketSlice, Ethernet2Slice, Icmpv4Slice, IpFragOffset, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6HeaderSlice,
    SingleVlanSlice, TcpHeader, TcpSlice, UdpHeader, UdpSlice,
};
use proptest::{collection::vec, option, prelude::*};

fn payload() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..100)
}

fn words(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<[u8; 4]>(), 0..=most).prop_map(|words| words.concat())
}

/// Octets that are nearly `good`: cut, lengthened, with some octets changed.
fn mutate(mut good: Vec<u8>, changes: &[(usize, u8)], length: usize) -> Vec<u8> {
    for &(at, octet) in changes {
        if let Some(place) = at.checked_rem(good.len()).and_then(|at| good.get_mut(at)) {
            *place = octet;
        }
    }
    good.resize(length % (good.len() + 8), 0x5a);
    good
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    // Mostly near the front, where the lengths are.
    vec((prop_oneof![0usize..14, any::<usize>()], any::<u8>()), 0..4)
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..200, any::<usize>()]
}

/// A tag of either kind, the priority tag as often as one that names a network.
fn tag() -> impl Strategy<Value = [u8; 4]> {
    let kind = prop_oneof![Just(ethernet::VLAN), Just(ethernet::SERVICE_VLAN)];
    let control = prop_oneof![any::<u16>().prop_map(|control| control & 0xf000), any::<u16>()];
    (kind, control).prop_map(|(kind, control)| {
        let ([k0, k1], [c0, c1]) = (kind.to_be_bytes(), control.to_be_bytes());
        [k0, k1, c0, c1]
    })
}

prop_compose! {
    fn tcp_header()(source: u16, destination: u16, seq: u32, ack: u32, reserved in 0u8..2, flags: u8, window: u16,
                    urgent: u16, options in words(10)) -> (tcp::Header<'static>, Vec<u8>) {
        let flags = Flags(flags);
        (tcp::Header { source, destination, seq, ack, reserved, flags, window, urgent, options: &[] }, options)
    }
}

prop_compose! {
    fn ipv4_header()(tos: u8, id: u16, df: bool, mf: bool, offset in 0u16..0x2000, ttl: u8, protocol: u8,
                     source: [u8; 4], destination: [u8; 4], options in words(10))
                     -> (ipv4::Header<'static>, Vec<u8>) {
        let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
        let offset = usize::from(offset) * 8;
        (ipv4::Header { tos, id, df, mf, offset, ttl, protocol, source, destination, options: &[] }, options)
    }
}

proptest! {
    #[test]
    fn arp_both_ways(hardware: u16, protocol: u16, operation: u16, sender: ([u8; 6], [u8; 4]), target: ([u8; 6], [u8; 4])) {
        let packet = arp::Packet {
            hardware,
            protocol,
            ..arp::Packet::new(operation, (Mac(sender.0), sender.1.into()), (Mac(target.0), target.1.into()))
        };
        let mut octets = Vec::new();
        packet.emit(&mut octets);
        prop_assert_eq!(octets.len(), arp::LENGTH);
        let theirs = ArpPacketSlice::from_slice(&octets).unwrap();
        prop_assert_eq!((theirs.hw_addr_type().0, theirs.proto_addr_type().0), (hardware, protocol));
        prop_assert_eq!((theirs.hw_addr_size(), theirs.proto_addr_size(), theirs.operation().0), (6, 4, operation));
        prop_assert_eq!((theirs.sender_hw_addr(), theirs.sender_protocol_addr()), (&sender.0[..], &sender.1[..]));
        prop_assert_eq!((theirs.target_hw_addr(), theirs.target_protocol_addr()), (&target.0[..], &target.1[..]));
        prop_assert_eq!(arp::Packet::parse(&octets), Some(packet));
        octets.pop();
        prop_assert_eq!(arp::Packet::parse(&octets), None);
    }

    #[test]
    fn ethernet_frames_read_the_same(addresses: [u8; 12], tags in vec(tag(), 0..4), rest in vec(any::<u8>(), 0..30),
                                     cut in option::weighted(0.3, 0usize..40)) {
        let mut octets = addresses.to_vec();
        octets.extend(tags.into_iter().flatten());
        octets.extend(rest);
        octets.truncate(cut.unwrap_or(usize::MAX));
        let (ours, theirs) = (ethernet::Frame::parse(&octets), Ethernet2Slice::from_slice_without_fcs(&octets));
        let Ok(theirs) = theirs else {
            prop_assert_eq!(ours, None);
            return Ok(());
        };
        let (mut kind, mut rest, mut tag) = (theirs.ether_type().0, theirs.payload_slice(), None);
        // A second tag is read behind a priority tag only, and never a third.
        for _ in 0..2 {
            if ![ethernet::VLAN, ethernet::SERVICE_VLAN].contains(&kind) || tag.is_some_and(|vlan| vlan != 0) {
                break;
            }
            let Ok(vlan) = SingleVlanSlice::from_slice(rest) else {
                prop_assert_eq!(ours, None);
                return Ok(());
            };
            (kind, rest) = (vlan.ether_type().0, vlan.payload_slice());
            tag = Some(vlan.vlan_identifier().value());
        }
        let ours = ours.unwrap();
        prop_assert_eq!((ours.destination.0, ours.source.0), (theirs.destination(), theirs.source()));
        prop_assert_eq!(ours.vlan(), tag.filter(|&vlan| vlan != 0));
        match ours.content {
            ethernet::Content::Type(ours_kind, payload) => prop_assert_eq!((ours_kind, payload), (kind, rest)),
            ethernet::Content::Llc(payload) => {
                prop_assert!(kind < 0x0600);
                prop_assert_eq!(payload, rest.get(..usize::from(kind)).unwrap_or(rest));
            }
        }
    }

    #[test]
    fn ipv4_headers_are_equal_to_the_octet((header, options) in ipv4_header(), length in 0usize..1400) {
        let ours = ipv4::Header { options: &options, ..header };
        let mut theirs = Ipv4Header::new(0, ours.ttl, IpNumber(ours.protocol), ours.source.octets(), ours.destination.octets()).unwrap();
        theirs.options = options.as_slice().try_into().unwrap();
        theirs.set_payload_len(length).unwrap();
        theirs.dscp = (ours.tos >> 2).try_into().unwrap();
        theirs.ecn = (ours.tos & 3).try_into().unwrap();
        theirs.identification = ours.id;
        theirs.dont_fragment = ours.df;
        theirs.more_fragments = ours.mf;
        theirs.fragment_offset = IpFragOffset::try_new(u16::try_from(ours.offset / 8).unwrap()).unwrap();
        theirs.header_checksum = theirs.calc_header_checksum();
        let mut octets = Vec::new();
        ours.emit(length, &mut octets);
        prop_assert_eq!(&octets[..], &theirs.to_bytes()[..]);
        octets.resize(octets.len() + length, 7);
        let read = ipv4::Datagram::parse(&octets).unwrap();
        prop_assert!(read.checksum_holds());
        prop_assert_eq!(read.is_fragment(), ours.mf || ours.offset > 0);
        prop_assert_eq!((read.options, read.payload.len(), read.offset), (&options[..], length, ours.offset));
    }

    #[test]
    fn mutated_ipv4_reads_the_same((header, options) in ipv4_header(), body in payload(), changes in changes(), length in length()) {
        let mut good = Vec::new();
        ipv4::Header { options: &options, ..header }.emit(body.len(), &mut good);
        good.extend(body);
        let octets = mutate(good, &changes, length);
        let ours = ipv4::Datagram::parse(&octets);
        let theirs = Ipv4HeaderSlice::from_slice(&octets).ok().filter(|header| {
            usize::from(header.total_len()) <= octets.len() && usize::from(header.total_len()) >= header.slice().len()
        });
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            return Ok(());
        };
        prop_assert_eq!((ours.header, ours.options), (theirs.slice(), theirs.options()));
        prop_assert_eq!((ours.id, ours.df, ours.mf), (theirs.identification(), theirs.dont_fragment(), theirs.more_fragments()));
        prop_assert_eq!(ours.offset, usize::from(theirs.fragments_offset().value()) * 8);
        prop_assert_eq!((ours.ttl, ours.protocol), (theirs.ttl(), theirs.protocol().0));
        prop_assert_eq!((ours.source, ours.destination), (theirs.source_addr(), theirs.destination_addr()));
        prop_assert_eq!(ours.tos, theirs.dcp().value() << 2 | theirs.ecn().value());
        prop_assert_eq!(ours.payload, &octets[theirs.slice().len()..usize::from(theirs.total_len())]);
        // 0xffff and 0x0000 are the same number in one's complement; etherparse's sum never gives the one of them.
        let sum = theirs.to_header().calc_header_checksum();
        if ours.header[6] & 0x80 == 0 && theirs.header_checksum() != 0xffff {
            prop_assert_eq!(ours.checksum_holds(), sum == theirs.header_checksum());
        }
    }

    #[test]
    fn tcp_segments_are_equal_to_the_octet((header, options) in tcp_header(), body in payload(), ends: ([u8; 4], [u8; 4])) {
        let ours = tcp::Header { options: &options, ..header };
        let mut theirs = TcpHeader::new(ours.source, ours.destination, ours.seq, ours.window);
        theirs.set_options_raw(&options).unwrap();
        theirs.acknowledgment_number = ours.ack;
        theirs.urgent_pointer = ours.urgent;
        theirs.ns = ours.reserved == 1;
        let has = |flag| ours.flags.has(flag);
        (theirs.fin, theirs.syn, theirs.rst, theirs.psh) = (has(Flags::FIN), has(Flags::SYN), has(Flags::RST), has(Flags::PSH));
        (theirs.ack, theirs.urg, theirs.ece, theirs.cwr) = (has(Flags::ACK), has(Flags::URG), has(Flags::ECE), has(Flags::CWR));
        theirs.checksum = theirs.calc_checksum_ipv4_raw(ends.0, ends.1, &body).unwrap();
        let mut octets = Vec::new();
        ours.emit(ends.0.into(), ends.1.into(), &body, &mut octets);
        prop_assert_eq!(&octets[..ours.length()], &theirs.to_bytes()[..]);
        prop_assert_eq!(&octets[ours.length()..], body.as_slice());
        let read = tcp::Segment::parse(&octets).unwrap();
        prop_assert!(read.checksum_holds(ends.0.into(), ends.1.into()));
        let space = body.len() + usize::from(has(Flags::SYN)) + usize::from(has(Flags::FIN));
        prop_assert_eq!(usize::try_from(read.sequence_length()).unwrap(), space);
    }

    #[test]
    fn mutated_tcp_reads_the_same((header, options) in tcp_header(), body in payload(), changes in changes(), length in length()) {
        let mut good = Vec::new();
        let ends = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        tcp::Header { options: &options, ..header }.emit(ends.0, ends.1, &body, &mut good);
        let octets = mutate(good, &changes, length);
        let (Some(ours), Ok(theirs)) = (tcp::Segment::parse(&octets), TcpSlice::from_slice(&octets)) else {
            prop_assert_eq!(tcp::Segment::parse(&octets).is_some(), TcpSlice::from_slice(&octets).is_ok());
            return Ok(());
        };
        prop_assert_eq!((ours.source, ours.destination), (theirs.source_port(), theirs.destination_port()));
        prop_assert_eq!((ours.seq, ours.ack), (theirs.sequence_number(), theirs.acknowledgment_number()));
        prop_assert_eq!((ours.window, ours.urgent), (theirs.window_size(), theirs.urgent_pointer()));
        prop_assert_eq!((ours.options, ours.payload), (theirs.options(), theirs.payload()));
        prop_assert_eq!((ours.flags.has(Flags::FIN), ours.flags.has(Flags::CWR), ours.reserved & 1 == 1), (theirs.fin(), theirs.cwr(), theirs.ns()));
        prop_assert_eq!((ours.flags.has(Flags::SYN), ours.flags.has(Flags::ACK), ours.flags.has(Flags::URG)), (theirs.syn(), theirs.ack(), theirs.urg()));
        // etherparse writes three of the four reserved bits as zero, so its sum is of other octets if they are set.
        if ours.reserved <= 1 && theirs.checksum() != 0xffff {
            let sum = theirs.to_header().calc_checksum_ipv4_raw(ends.0.octets(), ends.1.octets(), theirs.payload()).unwrap();
            prop_assert_eq!(ours.checksum_holds(ends.0, ends.1), sum == theirs.checksum());
        }
    }

    #[test]
    fn udp_datagrams_are_equal_to_the_octet(source: u16, destination: u16, ends: ([u8; 4], [u8; 4]), body in payload()) {
        let mut octets = Vec::new();
        udp::Header { source, destination }.emit(ends.0.into(), ends.1.into(), &body, &mut octets);
        let ip = Ipv4Header::new(0, 64, IpNumber::UDP, ends.0, ends.1).unwrap();
        let theirs = UdpHeader::with_ipv4_checksum(source, destination, &ip, &body).unwrap();
        prop_assert_eq!(&octets[..8], theirs.to_bytes());
        let read = udp::Datagram::parse(&octets).unwrap();
        prop_assert!(read.checksum_holds(ends.0.into(), ends.1.into()));
        prop_assert_eq!((read.source, read.destination, read.payload), (source, destination, body.as_slice()));
    }

    #[test]
    fn mutated_udp_reads_the_same(source: u16, destination: u16, body in payload(), changes in changes(), length in length()) {
        let mut good = Vec::new();
        udp::Header { source, destination }.emit([1; 4].into(), [2; 4].into(), &body, &mut good);
        let octets = mutate(good, &changes, length);
        // etherparse takes a length of zero for "all of it" (RFC 2675 on IPv6); on IPv4 it is wrong.
        let theirs = UdpSlice::from_slice(&octets).ok().filter(|theirs| theirs.length() != 0);
        let ours = udp::Datagram::parse(&octets);
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            prop_assert_eq!(ours.is_some(), UdpSlice::from_slice(&octets).is_ok_and(|theirs| theirs.length() != 0));
            return Ok(());
        };
        prop_assert_eq!((ours.source, ours.destination), (theirs.source_port(), theirs.destination_port()));
        prop_assert_eq!((ours.checksum, ours.payload), (theirs.checksum(), theirs.payload()));
    }

    #[test]
    fn icmp_both_ways(kind: u8, code: u8, word: [u8; 4], body in payload(), changes in changes(), length in length()) {
        let mut octets = Vec::new();
        icmpv4::Header { kind, code, word }.emit(&body, &mut octets);
        prop_assert_eq!(etherparse::checksum::Sum16BitWords::new().add_slice(&octets).ones_complement(), 0);
        let octets = mutate(octets, &changes, length);
        let ours = icmpv4::Message::parse(&octets);
        // etherparse wants timestamp messages to have 20 octets.
        let Ok(theirs) = Icmpv4Slice::from_slice(&octets) else {
            let timestamp = matches!(octets.first(), Some(13 | 14));
            prop_assert!(ours.is_none() || timestamp);
            return Ok(());
        };
        let ours = ours.unwrap();
        prop_assert_eq!((ours.kind, ours.code, ours.word), (theirs.type_u8(), theirs.code_u8(), theirs.bytes5to8()));
        prop_assert_eq!(&octets[8..], ours.payload);
        let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&octets).ones_complement();
        prop_assert_eq!(ours.checksum_holds(), sum == 0);
    }

    #[test]
    fn ipv6_headers_read_the_same(mut octets in vec(any::<u8>(), 0..90), six: bool, short: bool) {
        if let (true, Some(first)) = (six, octets.first_mut()) {
            *first = 0x60 | *first & 0x0f;
        }
        if let (true, Some(length)) = (short, octets.get_mut(4..6)) {
            length.copy_from_slice(&[0, length[1] & 0x3f]);
        }
        let ours = ipv6::Packet::parse(&octets);
        let theirs = Ipv6HeaderSlice::from_slice(&octets).ok();
        let theirs = theirs.filter(|header| octets.len() >= 40 + usize::from(header.payload_length()));
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            return Ok(());
        };
        prop_assert_eq!((ours.traffic_class, ours.flow_label), (theirs.traffic_class(), theirs.flow_label().value()));
        prop_assert_eq!((ours.next_header, ours.hop_limit), (theirs.next_header().0, theirs.hop_limit()));
        prop_assert_eq!((ours.source, ours.destination), (theirs.source_addr(), theirs.destination_addr()));
        prop_assert_eq!(ours.payload.len(), usize::from(theirs.payload_length()));
    }
}
