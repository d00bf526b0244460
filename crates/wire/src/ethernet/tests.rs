use alloc::{string::ToString, vec::Vec};

use proptest::prelude::*;

use super::*;

const A: Mac = Mac([0x00, 0x50, 0x56, 0x9a, 0x10, 0x07]);
const B: Mac = Mac([0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc]);

fn frame(after_addresses: &[u8]) -> Vec<u8> {
    [&A.0[..], &B.0, after_addresses].concat()
}

#[test]
fn plain_tagged_and_priority_tagged_frames() {
    let octets = frame(&[0x08, 0x06, 1, 2, 3]);
    let plain = Frame::parse(&octets).unwrap();
    assert_eq!((plain.destination, plain.source, plain.tag, plain.vlan()), (A, B, None, None));
    assert_eq!(plain.content, Content::Type(ARP, &[1, 2, 3]));

    let octets = frame(&[0x81, 0x00, 0x60, 0x05, 0x08, 0x00, 9]);
    let tagged = Frame::parse(&octets).unwrap();
    assert_eq!((tagged.tag, tagged.vlan()), (Some(0x6005), Some(5)));
    assert_eq!(tagged.content, Content::Type(IPV4, &[9]));

    let octets = frame(&[0x81, 0x00, 0xe0, 0x00, 0x86, 0xdd]);
    let priority = Frame::parse(&octets).unwrap();
    assert_eq!((priority.tag, priority.vlan()), (Some(0xe000), None), "VLAN 0 is no VLAN");
    assert_eq!(priority.content, Content::Type(IPV6, &[]));
}

#[test]
fn a_second_tag_is_content() {
    let octets = frame(&[0x81, 0x00, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x08, 0x00]);
    assert_eq!(Frame::parse(&octets).unwrap().content, Content::Type(0x8100, &[0x00, 0x06, 0x08, 0x00]));
}

#[test]
fn a_length_field_makes_it_llc_without_its_padding() {
    // LLC/SNAP with IPv4 inside, as an old bridge would send it.
    let snap = [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00, 0x45];
    let mut octets = frame(&[0x00, 0x09]);
    octets.extend(snap);
    octets.resize(60, 0);
    assert_eq!(Frame::parse(&octets).unwrap().content, Content::Llc(&snap));
    let octets = frame(&[0x05, 0xff, 1, 2]);
    assert_eq!(Frame::parse(&octets).unwrap().content, Content::Llc(&[1, 2]), "a length that lies");
    let octets = frame(&[0x06, 0x00]);
    assert_eq!(Frame::parse(&octets).unwrap().content, Content::Type(0x0600, &[]));
    let octets = frame(&[0x81, 0x00, 0x00, 0x05, 0x00, 0x01, 7, 0]);
    assert_eq!(Frame::parse(&octets).unwrap().content, Content::Llc(&[7]));
}

#[test]
fn short_frames_are_none() {
    let octets = frame(&[0x08, 0x00]);
    for length in 0..HEADER {
        assert_eq!(Frame::parse(&octets[..length]), None);
    }
    let tagged = frame(&[0x81, 0x00, 0x00, 0x05, 0x08]);
    assert_eq!(Frame::parse(&tagged), None);
}

#[test]
fn macs_are_read_in_two_forms_and_no_other() {
    assert_eq!("00:50:56:9a:10:07".parse(), Ok(A));
    assert_eq!("00-50-56-9A-10-07".parse(), Ok(A));
    assert_eq!(A.to_string(), "00:50:56:9a:10:07");
    for wrong in [
        "",
        "00:50:56:9a:10",
        "00:50:56:9a:10:07:08",
        "00:50:56:9a:10:7",
        "00:50:56:9a:10:007",
        "00:50:56:9a:10:+7",
        "00:50:56:9a:10:0g",
        "00:50-56:9a-10:07",
        "0050569a1007",
        "00:50:56:9a:10:é",
        " 00:50:56:9a:10:07",
    ] {
        assert_eq!(wrong.parse::<Mac>(), Err(NotAMac), "{wrong:?}");
    }
}

#[test]
fn bits_of_an_address() {
    assert!(Mac::BROADCAST.is_group() && !A.is_group());
    assert!(B.is_local() && !A.is_local());
    assert_eq!(A.oui(), [0x00, 0x50, 0x56]);
}

proptest! {
    #[test]
    fn a_mac_reads_back(octets: [u8; 6]) {
        prop_assert_eq!(Mac(octets).to_string().parse(), Ok(Mac(octets)));
    }

    #[test]
    fn what_is_emitted_is_parsed(
        destination: [u8; 6],
        source: [u8; 6],
        vlan in proptest::option::of(1u16..4096),
        kind in prop_oneof![FIRST_ETHERTYPE..VLAN, VLAN + 1..SERVICE_VLAN, SERVICE_VLAN + 1..],
        payload in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let header = Header { destination: Mac(destination), source: Mac(source), vlan, kind };
        let mut octets = Vec::new();
        header.emit(&mut octets);
        octets.extend_from_slice(&payload);
        let frame = Frame::parse(&octets).unwrap();
        prop_assert_eq!((frame.destination, frame.source, frame.vlan()), (header.destination, header.source, vlan));
        prop_assert_eq!(frame.content, Content::Type(kind, &payload));
    }
}
