use proptest::prelude::*;

use super::*;

const MOST: usize = 256 * 1024;

#[test]
fn a_stream_goes_on_from_packet_to_packet() {
    let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
    let first = packer.pack(b"the same words again and again");
    let second = packer.pack(b"the same words again and again");
    assert!(second.len() < first.len() / 2, "{} {}", first.len(), second.len());
    for packed in [first, second] {
        assert_eq!(unpacker.unpack(&packed, MOST).unwrap(), b"the same words again and again");
    }
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    let bomb = Packer::new().pack(&[0; MOST + 1]);
    assert!(bomb.len() < 1024, "{}", bomb.len());
    assert_eq!(Unpacker::new().unpack(&bomb, MOST), None);
    let large = Packer::new().pack(&[0; MOST]);
    assert_eq!(Unpacker::new().unpack(&large, MOST).map(|octets| octets.len()), Some(MOST));
    assert_eq!(Unpacker::new().unpack(b"no stream at all", MOST), None);
}

proptest! {
    #[test]
    fn payloads_come_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 1..5)) {
        let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
        for payload in payloads {
            let packed = packer.pack(&payload);
            prop_assert_eq!(unpacker.unpack(&packed, MOST), Some(payload));
        }
    }

    #[test]
    fn nonsense_neither_panics_nor_grows(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut unpacker = Unpacker::new();
        for _ in 0..2 {
            if let Some(out) = unpacker.unpack(&octets, 1 << 16) {
                prop_assert!(out.len() <= 1 << 16);
            }
        }
    }
}
