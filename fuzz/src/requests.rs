//! Requests made of pieces: what a fuzzer would take long to find letter by letter.

const PIECES: [&[u8]; 32] = [
    b"GET / HTTP/1.1\r\n",
    b"POST /login HTTP/1.1\r\n",
    b"HEAD /big HTTP/1.0\r\n",
    b"GET /admin HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://a:80/%2e%2e/ HTTP/1.1\r\n",
    b"GET /\r\n",
    b"Host: a\r\n",
    b"Host: [::1]:80\r\n",
    b"\r\n",
    b"\n",
    b"\tfold\r\n",
    b"Content-Length: 9\r\n",
    b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"5;x=y\r\nhello\r\n",
    b"0\r\n\r\n",
    b"fffffffffffffff\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: keep-alive, close\r\n",
    b"Range: bytes=0-1,-5,3-\r\n",
    b"If-Range: \"6553f100-2\"\r\n",
    b"If-None-Match: W/\"x\", *\r\n",
    b"If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
    b"Authorization: Basic cm9vdDp0b29y\r\n",
    b"Authorization: Digest username=\"a\\\"b\", nonce=\"0000\", response=x\r\n",
    b"Authorization: NTLM TlRMTVNTUAABAAAA\r\n",
    b"Authorization: NTLM TlRMTVNTUAADAAAAGAAYAEAAAAAYABgAQAAAAAAAAABAAAAABAAEAEAAAAAAAAAAQAAAAAAAAABAAAAAAQAAAA==\r\n",
    b"Content-Type: application/json\r\n",
    b"{\"user\":\"a\",\"password\":\"\\u00e4\"}",
    b"user=a&password=%zz",
    b"Cookie: sid=0011223344556677; sid=\r\n",
];

/// A script ([`crate::run_script`]) whose clients say these pieces: five bits of each octet say which, the others what
/// happens after it.
pub fn script(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &octet in octets {
        let piece = PIECES[usize::from(octet & 31)];
        for part in piece.chunks(62) {
            out.push(u8::try_from(part.len()).unwrap_or(0) << 2);
            out.extend_from_slice(part);
        }
        match octet >> 5 {
            1 => out.push(5 << 2 | 1),
            2 => out.push(40 << 2 | 2),
            3 => out.push(3),
            _ => {}
        }
    }
    out
}
