//! Frames of HTTP/2 that belong together: what a fuzzer would take long to find octet by octet.

/// Blocks of headers, whole and broken, without the code of strings and with it.
const BLOCKS: [&[u8]; 8] = [
    b"\x82\x87\x84\x41\x01a",
    b"\x83\x87\x44\x06/login\x41\x01a",
    b"\x82\x87\x44\x04/big\x01\x01a",
    b"\x82\x87\x44\x06/admin\x41\x01a\x00\x0dauthorization\x0eBasic YTphYWFh",
    b"\xbe\xbf\xc0\xc1",
    b"\x3f\xe1\x1f\x20\x82",
    b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
    b"\x40\x01a\x7f\x00",
];

/// A script ([`crate::run_script`]): the preface, and then a frame for two octets each. The first says which kind it is and
/// what happens after it; the second its flags, its stream and what is in it.
pub fn script(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    say(&mut out, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    for pair in octets.chunks_exact(2) {
        let (kind, how) = (pair[0] & 15, pair[1]);
        let stream = u32::from(how & 7) * 2 + u32::from(how & 1 == 1 || kind < 4);
        let flags = [5, 4, 1, 0, 0x2d, 8, 0x25, 0xff][usize::from(how >> 3 & 7)];
        let block = BLOCKS[usize::from(how >> 5)];
        let body: &[u8] = match kind {
            0 => b"user=a&password=a",
            1 | 9 => block,
            2 => b"\0\0\0\x03\x10",
            3 => b"\0\0\0\x08",
            4 => [&b"\0\x04\0\0\0\x0a"[..], b"\0\x01\0\0\0\0", b"\0\x04\0\x01\0\0", b"\0\x05\0\0\x40\0"]
                [usize::from(how & 3)],
            6 => b"12345678",
            7 => &[0; 8],
            8 => [&b"\0\0\0\x40"[..], b"\0\x01\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\0"][usize::from(how & 3)],
            _ => &pair[..1],
        };
        let of_connection = matches!(kind, 4 | 6 | 7) || kind == 8 && how & 4 != 0;
        let mut frame = u32::try_from(body.len()).unwrap_or(0).to_be_bytes()[1..].to_vec();
        frame.extend([kind, if kind == 4 { how >> 7 } else { flags }]);
        frame.extend(if of_connection { 0 } else { stream }.to_be_bytes());
        frame.extend_from_slice(body);
        say(&mut out, &frame);
        match pair[0] >> 4 {
            1 => out.push(5 << 2 | 1),
            2 => out.push(40 << 2 | 2),
            3 => out.push(3),
            _ => {}
        }
    }
    out
}

fn say(out: &mut Vec<u8>, octets: &[u8]) {
    for part in octets.chunks(62) {
        out.push(u8::try_from(part.len()).unwrap_or(0) << 2);
        out.extend_from_slice(part);
    }
}
