use alloc::{string::ToString, vec::Vec};

use super::{gzip, has_token, has_word};

/// What the real ones made of a value: nginx 1.22.1 and Apache 2.4.71.
const VALUES: [(&str, bool, bool); 40] = [
    ("gzip", true, true),
    ("GZIP", true, true),
    ("x-gzip", false, false),
    ("deflate", false, false),
    ("*", false, false),
    ("gzip;q=0", false, false),
    ("gzip;q=0.000", false, false),
    ("gzip;q=0.0000", false, true),
    ("gzip;q=0.001", true, true),
    ("gzip;q=1.0", true, true),
    ("gzip;q=1.5", false, true),
    ("gzip;q=2", false, true),
    ("gzip;q=.5", false, true),
    ("gzip; q=0", false, false),
    ("gzip ; q=0.5", true, true),
    ("gzip;Q=0", false, true),
    ("gzip;q=", false, true),
    ("gzip;", true, true),
    ("gzip;foo", false, true),
    ("deflate, gzip", true, true),
    ("deflate;q=1, gzip;q=0", false, false),
    ("br, gzip, deflate", true, true),
    ("gzipx", false, false),
    ("xgzip", false, false),
    ("x gzip", true, true),
    ("gzip x", false, true),
    (",gzip", true, false),
    ("\"gzip\"", false, false),
    ("x;gzip", false, false),
    ("", false, false),
    ("gzip;q=0, gzip", false, false),
    ("gzip, gzip;q=0", true, true),
    ("gzip;q=0 ,x", false, true),
    ("gzip;q=0.,x", false, false),
    ("gzip;q=1.0000", false, true),
    ("gzip;q=0;x", false, false),
    ("gzip;x;q=0", false, true),
    ("gzip;;q=0", false, false),
    ("deflate \"a,gzip\"", false, false),
    ("notgzip;q=1,gzip", true, true),
];

#[test]
fn values_are_read_as_the_real_ones_read_them() {
    for (value, word, tokens) in VALUES {
        assert_eq!((has_word(value.as_bytes()), has_token(value.as_bytes())), (word, tokens), "{value}");
    }
}

#[test]
fn what_was_compressed_comes_out_again() {
    let text: Vec<u8> = (0..5000u32).flat_map(|n| n.to_string().into_bytes()).collect();
    for level in 1..=9 {
        let packed = gzip(&text, level);
        let inner = &packed[10..packed.len() - 8];
        assert_eq!(miniz_oxide::inflate::decompress_to_vec(inner).unwrap(), text);
        assert!(packed.len() < text.len() / 2, "level {level}: {}", packed.len());
    }
    // RFC 1952 §8; the check of "123456789" is the one that every description of it gives.
    assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
}
