//! What a node is told, and what it and its host say to each other: neither side may be brought down, or made to keep
//! more than a message, by whatever the other says.

use chaff_unikernel::{
    build::BUILD,
    console::{FromHost, MAX_BODY, Message, Reader, ToHost, encode},
    module::{BootModule, VERSION},
    report::Reporter,
};

/// Octets of a frame before its body: magic, length, checksum.
const HEADER: usize = 12;

/// A boot module, as it came and with a header that fits what came: a checksum keeps chance out, and not whoever writes one.
pub fn check_module(octets: &[u8]) {
    let _ = BootModule::decode(octets);
    let mut framed = b"CHAFNODE".to_vec();
    framed.extend(VERSION.to_le_bytes());
    framed.extend([0; 2]);
    framed.extend(BUILD);
    framed.extend(length(octets));
    framed.extend(checksum(octets).to_le_bytes());
    framed.extend(octets);
    let Ok(module) = BootModule::decode(&framed) else { return };
    assert_eq!(module.fleet.decoys.len(), 1);
    let once = module.encode().expect("what was read can be written");
    let again = BootModule::decode(&once).expect("and read");
    // Octets and not values: a number that is none is not equal to itself.
    assert_eq!(again.encode().expect("and written"), once);
}

/// Both directions of the console: pieces of a length that the input names, each as it comes or as the body of a frame.
pub fn check_console(octets: &[u8]) {
    let stream = stream(octets);
    read::<ToHost>(&stream);
    read::<FromHost>(&stream);
    let mut reporter = Reporter::new(1);
    for piece in stream.chunks(97) {
        let wishes = reporter.handle_octets(piece);
        assert!(wishes.len() <= piece.len() / HEADER + 1);
        while reporter.poll().is_some() {}
    }
}

fn stream(mut octets: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some((&[kind, long], rest)) = octets.split_first_chunk() {
        let (piece, rest) = rest.split_at(usize::from(long).min(rest.len()));
        if kind & 1 == 1 {
            stream.extend([0xc4, 0xaf, 0x0d, 0xe1]);
            stream.extend(length(piece));
            // One that is wrong now and then.
            stream.extend((checksum(piece) ^ u32::from(kind >> 7)).to_le_bytes());
        }
        stream.extend(piece);
        octets = rest;
    }
    stream
}

fn read<M: Message>(stream: &[u8]) {
    let mut reader = Reader::new();
    let (mut rest, mut heard) = (stream, 0);
    loop {
        let before = reader.room();
        assert!(before <= HEADER + MAX_BODY);
        let taken = reader.handle_octets(rest);
        assert_eq!(taken, rest.len().min(before));
        rest = &rest[taken..];
        while let Some(message) = reader.poll::<M>() {
            assert!(message.is_within_limits());
            let octets = encode(&message).expect("what was heard can be said");
            assert!(octets.len() <= HEADER + MAX_BODY);
            heard += 1;
        }
        assert!(reader.room() > 0, "a reader that takes nothing more hangs");
        if rest.is_empty() {
            break;
        }
    }
    // Whatever was no message was counted, and nothing twice.
    assert!(reader.skipped() as usize + heard * (HEADER + 1) <= stream.len());
}

fn length(octets: &[u8]) -> [u8; 4] {
    u32::try_from(octets.len()).expect("an input is short").to_le_bytes()
}

/// FNV-1a, 32 bits.
fn checksum(octets: &[u8]) -> u32 {
    octets.iter().fold(0x811c_9dc5, |hash, &octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}
