use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::node::switch::LONGEST;

const FROM: Ipv4Addr = Ipv4Addr::new(10, 20, 3, 9);
const TO: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 10);
/// NOP, NOP, timestamps.
const OPTIONS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];

fn merged(tag: &[u8], flags: Flags, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9][..], tag, &[8, 0]].concat();
    let tcp = tcp::Header {
        source: 40_000,
        destination: 80,
        seq: u32::MAX - 2_000,
        ack: 7,
        reserved: 0,
        flags,
        window: 501,
        urgent: 0,
        options: &OPTIONS,
    };
    let ip = ipv4::Header {
        tos: 0,
        id: u16::MAX,
        df: true,
        mf: false,
        offset: 0,
        ttl: 64,
        protocol: TCP,
        source: FROM,
        destination: TO,
        options: &[],
    };
    ip.emit(tcp.length() + payload.len(), &mut frame);
    tcp.emit(FROM, TO, payload, &mut frame);
    frame
}

fn parts(frame: &[u8]) -> (Datagram<'_>, Segment<'_>) {
    let Content::Type(IPV4, packet) = Frame::parse(frame).expect("a frame").content else { panic!("no IPv4") };
    let ip = Datagram::parse(packet).expect("a datagram");
    (ip, Segment::parse(ip.payload).expect("a segment"))
}

#[test]
fn what_was_merged_comes_apart_into_full_frames_in_order() {
    let payload: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
    let flags = Flags::ACK.with(Flags::PSH).with(Flags::FIN).with(Flags::CWR);
    for tag in [&[][..], &[0x81, 0, 0, 20]] {
        let frames = segments(&merged(tag, flags, &payload));
        assert_eq!(frames.len(), 7);
        let (mut heard, mut seq, mut id) = (Vec::new(), u32::MAX - 2_000, u16::MAX);
        for (n, frame) in frames.iter().enumerate() {
            assert!(frame.len() <= LONGEST && frame.get(12..12 + tag.len()) == Some(tag));
            let (ip, segment) = parts(frame);
            assert!(ip.checksum_holds() && segment.checksum_holds(FROM, TO));
            assert_eq!((ip.id, segment.seq, segment.options, ip.df), (id, seq, &OPTIONS[..], true));
            let last = n + 1 == frames.len();
            assert_eq!(segment.flags.has(Flags::FIN), last);
            assert_eq!(segment.flags.has(Flags::PSH), last);
            assert_eq!(segment.flags.has(Flags::CWR), n == 0);
            assert_eq!(segment.payload.len() == MTU - 20 - 32, !last);
            heard.extend_from_slice(segment.payload);
            seq = seq.wrapping_add(u32::try_from(segment.payload.len()).expect("short"));
            id = id.wrapping_add(1);
        }
        assert_eq!(heard, payload);
    }
}

#[test]
fn what_was_not_merged_or_is_damaged_is_left_out() {
    let payload = [1; 3_000];
    assert!(segments(&merged(&[], Flags::SYN, &payload)).is_empty());
    let mut damaged = merged(&[], Flags::ACK, &payload);
    *damaged.last_mut().expect("octets") ^= 1;
    assert!(segments(&damaged).is_empty());
    let mut other = merged(&[], Flags::ACK, &payload);
    other[23] = 17;
    assert!(segments(&other).is_empty(), "another protocol, and a header whose sum does not hold");
    assert!(segments(&[0; 2_000]).is_empty());
}

proptest! {
    #[test]
    fn whatever_comes_no_piece_is_too_long(mut octets in proptest::collection::vec(any::<u8>(), 0..4_000), at in 0..60_usize, to: u8) {
        segments(&octets);
        let payload = std::mem::take(&mut octets);
        let mut frame = merged(&[], Flags::ACK, &payload);
        frame[at] = to;
        for piece in segments(&frame) {
            prop_assert!(piece.len() <= LONGEST);
        }
    }
}
