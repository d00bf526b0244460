use alloc::{string::ToString, vec::Vec};

use chaff_wire::Mac;

use super::{Who, mix, unescape};
use crate::Identity;

fn who(seed: u8) -> Who {
    Who::new(&Identity {
        hostname: "PRN-3",
        ip: "10.20.1.7".parse().unwrap(),
        mac: Mac([0, 0x1b, 0x78, 1, 2, 3]),
        seed: [seed; 16],
        serial: None,
    })
}

#[test]
fn placeholders_are_filled_and_other_braces_stay() {
    let filled = who(1).fill("a{hostname}b {ip} {mac} {colour} body{margin:0} {").to_string();
    assert_eq!(filled, "aPRN-3b 10.20.1.7 00:1b:78:01:02:03 {colour} body{margin:0} {");
    assert_eq!(who(1).fill("{{ip}}"), "{10.20.1.7}");
}

#[test]
fn a_serial_belongs_to_its_decoy() {
    let serial = |seed| who(seed).fill("{serial}").to_string();
    assert_eq!(serial(1), serial(1));
    assert_ne!(serial(1), serial(2));
    assert_eq!(serial(1).len(), 10);
    assert!(serial(1).bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
}

#[test]
fn a_serial_that_was_chosen_is_told_in_place_of_the_drawn_one() {
    let drawn = who(1);
    let chosen = Who::new(&Identity { serial: Some("CNB7K3X02Q"), ..drawn.identity() });
    // Services that wrap others, or answer by scripts, hand the identity on.
    for who in [&chosen, &Who::new(&chosen.identity())] {
        assert_eq!(who.fill("SN: {serial}"), "SN: CNB7K3X02Q");
        assert_eq!(who.fill("{uuid}"), drawn.fill("{uuid}"), "all else stays");
    }
}

#[test]
fn escapes_are_resolved_and_broken_ones_stay() {
    assert_eq!(unescape(r"a\r\n\t\0\\b\xfF"), b"a\r\n\t\0\\b\xff");
    assert_eq!(unescape(r"\q \x \xg1 \"), br"\q \x \xg1 \".to_vec());
    assert_eq!(unescape("é"), "é".as_bytes());
}

#[test]
fn mix_depends_on_every_octet_of_the_seed_and_on_the_purpose() {
    let mut all: Vec<u64> = (0..16)
        .map(|at| {
            let mut seed = [0; 16];
            seed[at] = 1;
            mix(&seed, 0)
        })
        .collect();
    all.push(mix(&[0; 16], 0));
    all.push(mix(&[0; 16], 1));
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
