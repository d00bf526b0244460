use alloc::{format, string::String, vec::Vec};

use super::*;

const KEY: &[u8; 16] = b"abcdefghijklmnop";
const NONCE: &[u8; 8] = b"bcdefghi";

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// RFC 4418, appendix; the last 32 bits of the long tags, which it does not have, are those of Nettle's test suite.
/// The vector of 2^25 octets needs the second polynomial.
#[test]
fn vectors() {
    let umac = Umac::new(KEY);
    for (unit, times, tag64, tag128) in [
        ("", 0, "6E155FAD26900BE1", "32FEDB100C79AD58F07FF7643CC60465"),
        ("a", 3, "44B5CB542F220104", "185E4FE905CBA7BD85E4C2DC3D117D8D"),
        ("a", 1 << 10, "26BF2F5D60118BD9", "7A54ABE04AF82D60FB298C3CBD195BCB"),
        ("a", 1 << 15, "27F8EF643B0D118D", "7B136BD911E4B734286EF2BE501F2C3C"),
        ("a", 1 << 20, "A4477E87E9F55853", "F8ACFA3AC31CFEEA047F7B115B03BEF5"),
        ("abc", 1, "D4D7B9F6BD4FBFCF", "883C3D4B97A61976FFCF2323"),
        ("abc", 500, "D4CF26DDEFD5C01A", "8824A260C53C66A36C9260A6"),
    ] {
        let message: Vec<u8> = unit.repeat(times).into_bytes();
        assert_eq!(hex(&umac.tag64(*NONCE, &message)), tag64, "{times} of {unit}");
        let tag = hex(&umac.tag128(*NONCE, &message));
        assert!(tag.starts_with(tag128), "{times} of {unit}: {tag}");
    }
}

/// Words that do not fit below the prime of the second layer, which no message of the vectors has.
#[test]
fn words_above_the_prime() {
    let stream = Stream { keys: Vec::new(), point: 3, factors: [0; 8], mask: 0 };
    // The marker is p - 1, and what follows is the word less 2^64 - p:
    // 3 * 1 + (p - 1) = 2, then 3 * 2 + (2^64 - 1 - 59) = 5, modulo p = 2^64 - 59.
    assert_eq!(stream.evaluate(1, u64::MAX), 5);
}
