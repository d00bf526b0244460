use std::{net::Ipv4Addr, vec::Vec};

use chaff_wire::ipv4::Header;

use super::*;

fn fragment(offset: usize, mf: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header {
        tos: 0,
        id: 7,
        df: false,
        mf,
        offset,
        ttl: 64,
        protocol: 17,
        source: Ipv4Addr::new(10, 0, 0, 1),
        destination: Ipv4Addr::new(10, 0, 0, 2),
        options: &[],
    };
    header.emit(payload.len(), &mut out);
    out.extend_from_slice(payload);
    out
}

const KEY: Key = Key { decoy: 0, source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), id: 7, protocol: 17 };

/// Adds fragments in turn; the payload of the whole datagram, if one came together.
fn feed(overlap: Overlap, fragments: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut reassembler = Reassembler::new(Share::WHOLE);
    for octets in fragments {
        let ip = Datagram::parse(octets).unwrap();
        if let Assembled::Whole { octets, .. } = reassembler.add(KEY, &ip, Mac::ZERO, overlap, |_| TimerId::NONE) {
            assert_eq!(reassembler.octets, 0);
            return Some(Datagram::parse(&octets).unwrap().payload.to_vec());
        }
    }
    None
}

#[test]
fn any_order() {
    let pieces = [fragment(0, true, &[1; 8]), fragment(8, true, &[2; 16]), fragment(24, false, &[3; 5])];
    let whole = [[1; 8].as_slice(), &[2; 16], &[3; 5]].concat();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1]] {
        assert_eq!(feed(Overlap::Drop, &order.map(|i| pieces[i].clone())), Some(whole.clone()));
    }
}

#[test]
fn a_duplicate_changes_nothing() {
    let pieces = [fragment(0, true, &[1; 8]), fragment(0, true, &[1; 8]), fragment(8, false, &[2; 8])];
    assert_eq!(feed(Overlap::Drop, &pieces), Some([[1; 8], [2; 8]].concat()));
}

#[test]
fn overlaps_by_the_rule() {
    let pieces = [fragment(0, true, &[1; 16]), fragment(8, true, &[2; 16]), fragment(24, false, &[3; 8])];
    assert_eq!(feed(Overlap::Drop, &pieces), None);
    assert_eq!(feed(Overlap::First, &pieces), Some([[1; 8], [1; 8], [2; 8], [3; 8]].concat()));
    assert_eq!(feed(Overlap::Last, &pieces), Some([[1; 8], [2; 8], [2; 8], [3; 8]].concat()));
}

#[test]
fn a_second_end_is_refused() {
    let pieces = [fragment(8, false, &[2; 8]), fragment(16, false, &[3; 8]), fragment(0, true, &[1; 8])];
    assert_eq!(feed(Overlap::First, &pieces), Some([[1; 8], [2; 8]].concat()));
}

#[test]
fn numbers_are_bounded() {
    let mut reassembler = Reassembler::new(Share::WHOLE);
    for id in 0..10_000u16 {
        let octets = fragment(0, true, &[0; 1024]);
        let ip = Datagram::parse(&octets).unwrap();
        let key = Key { id, decoy: u32::from(id % 50), ..KEY };
        reassembler.add(key, &ip, Mac::ZERO, Overlap::Drop, |_| TimerId::NONE);
        assert!(reassembler.len() <= MAX_DATAGRAMS);
        assert!(reassembler.octets <= MAX_OCTETS_IN_ALL);
    }
    assert_eq!(reassembler.len(), MAX_DATAGRAMS);
}

#[test]
fn what_lies_inside_of_a_stretch_is_overlooked_where_nothing_may_overlap() {
    // In order, so that the first two are one stretch: what lies across them is a duplicate, whatever it says.
    let pieces = [
        fragment(0, true, &[1; 16]),
        fragment(16, true, &[2; 16]),
        fragment(8, true, &[9; 16]),
        fragment(32, false, &[3; 8]),
    ];
    assert_eq!(feed(Overlap::Drop, &pieces), Some([&[1; 16][..], &[2; 16], &[3; 8]].concat()));
    // The other way round they are two, and it costs the datagram.
    let pieces = [pieces[1].clone(), pieces[0].clone(), pieces[2].clone(), pieces[3].clone()];
    assert_eq!(feed(Overlap::Drop, &pieces), None);
}

#[test]
fn odd_lengths_and_empty_fragments_where_nothing_may_overlap() {
    // Thirteen octets count as eight.
    let pieces = [fragment(0, true, &[1; 13]), fragment(8, false, &[2; 8])];
    assert_eq!(feed(Overlap::Drop, &pieces), Some([[1; 8], [2; 8]].concat()));
    let pieces = [fragment(0, true, &[1; 8]), fragment(8, true, &[]), fragment(8, false, &[2; 8])];
    assert_eq!(feed(Overlap::Drop, &pieces), None);
}

#[test]
fn a_whole_datagram_has_a_header_that_holds() {
    let mut reassembler = Reassembler::new(Share::WHOLE);
    let pieces = [fragment(0, true, &[1; 8]), fragment(8, false, &[2; 8])];
    for octets in &pieces {
        let ip = Datagram::parse(octets).unwrap();
        let added = reassembler.add(KEY, &ip, Mac::ZERO, Overlap::Drop, |_| TimerId::NONE);
        if let Assembled::Whole { octets, .. } = added {
            assert!(Datagram::parse(&octets).unwrap().checksum_holds());
            return;
        }
    }
    panic!("it did not come together");
}
