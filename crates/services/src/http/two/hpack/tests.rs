use alloc::{string::String, vec, vec::Vec};

use super::{Decoder, Encoder, MAX_LIST, Wrong};
use crate::http::two::{huffman::Huffman, spec::Indexing};

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn read(decoder: &mut Decoder, hex: &str) -> String {
    let list = decoder.decode(&octets(hex), &Huffman::new()).unwrap();
    let line = |(name, value): &(Vec<u8>, Vec<u8>)| [name.as_slice(), b"=", value, b"\n"].concat();
    String::from_utf8(list.fields.iter().flat_map(line).collect()).unwrap()
}

#[test]
fn examples_of_the_rfc() {
    // RFC 7541, C.4: three requests on one connection, with the code of strings.
    let mut decoder = Decoder::new(false);
    let first = ":method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\n";
    assert_eq!(read(&mut decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), first);
    let second = [first, "cache-control=no-cache\n"].concat();
    assert_eq!(read(&mut decoder, "8286 84be 5886 a8eb 1064 9cbf"), second);
    let third = ":method=GET\n:scheme=https\n:path=/index.html\n:authority=www.example.com\ncustom-key=custom-value\n";
    assert_eq!(read(&mut decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"), third);
    // C.3.1, without the code.
    let plain = "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d";
    assert_eq!(read(&mut Decoder::new(false), plain), first);
}

#[test]
fn every_octet_is_read_as_it_was_written() {
    let huffman = Huffman::new();
    let all: Vec<u8> = (0..=255).collect();
    let mut out = Vec::new();
    huffman.encode(&all, &mut out);
    assert_eq!(out.len(), huffman.length(&all));
    assert_eq!(huffman.decode(&out).unwrap(), all);
    // RFC 7541, C.6.1.
    let mut out = Vec::new();
    huffman.encode(b"Mon, 21 Oct 2013 20:13:21 GMT", &mut out);
    assert_eq!(out, octets("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"));
}

#[test]
fn what_cannot_be_read() {
    let decode = |block: &[u8]| Decoder::new(false).decode(block, &Huffman::new()).map(|list| list.count);
    for block in ["80", "ff8001", "ffffffff0f", "3fe21f", "0001 6184 ffff ffff", "0001 6181 00", "82 20"] {
        assert_eq!(decode(&octets(block)), Err(Wrong::Malformed), "{block}");
    }
    for block in ["8241", "41 05 61", "00", "7f", "0082 ff"] {
        assert_eq!(decode(&octets(block)), Err(Wrong::Short), "{block}");
    }
    // Nginx takes a change of size anywhere.
    assert_eq!(Decoder::new(true).decode(&octets("82 20"), &Huffman::new()).unwrap().count, 1);
}

#[test]
fn a_few_octets_that_stand_for_many_are_counted_and_not_kept() {
    let mut decoder = Decoder::new(false);
    let value = vec![b'x'; 4000];
    let mut block = vec![0x40, 1, b'a', 0x7f];
    block.extend([0xa1, 0x1e]);
    block.extend(&value);
    block.extend(vec![0xbe; 10_000]);
    let list = decoder.decode(&block, &Huffman::new()).unwrap();
    assert_eq!(list.count, 10_001);
    assert_eq!(list.octets, 10_001 * 4001);
    assert!(list.fields.len() * 4001 <= MAX_LIST, "{}", list.fields.len());
}

#[test]
fn what_was_said_once_is_referred_to() {
    let huffman = Huffman::new();
    let fields = [("server", "x/1"), ("etag", "\"1\""), ("x-own", "value")];
    let (mut encoder, mut decoder) = (Encoder::new(Indexing::Table), Decoder::new(false));
    let first = encoder.encode(200, &fields, &huffman);
    let second = encoder.encode(200, &fields, &huffman);
    assert!(second.len() < first.len());
    let read = |decoder: &mut Decoder, block: &[u8]| decoder.decode(block, &huffman).unwrap().fields;
    let expected = read(&mut decoder, &first);
    assert_eq!(expected[1], (b"server".to_vec(), b"x/1".to_vec()));
    assert_eq!(read(&mut decoder, &second), expected);
    // A table that the client makes smaller is told of.
    encoder.set_size(0);
    let third = encoder.encode(200, &fields, &huffman);
    assert_eq!(third[0], 0x20);
    assert_eq!(read(&mut decoder, &third), expected);
    // Who refers to nothing says the same again.
    let mut named = Encoder::new(Indexing::Named);
    assert_eq!(named.encode(200, &fields, &huffman), named.encode(200, &fields, &huffman));
}
