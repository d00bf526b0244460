//! Answers in gzip, in a form in which those of two servers can be compared: the octets are each compressor's own, what
//! comes out of them is not, and the fields that tell their number are left out.

/// How much longer than the real one's an answer of ours may be, and shorter, in percent: compressors differ so much.
pub(crate) const SPREAD: usize = 12;

/// The octets of a connection with every compressed answer replaced by what comes out of it.
pub(crate) fn decoded(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = octets;
    while let Some(at) = find(rest, b"Content-Encoding: gzip\r\n") {
        let start = rfind(&rest[..at], b"HTTP/1.").unwrap_or(0);
        let Some(end) = find(&rest[at..], b"\r\n\r\n").map(|end| at + end + 4) else { break };
        out.extend_from_slice(&rest[..start]);
        let head = String::from_utf8_lossy(&rest[start..end]).into_owned();
        let mut chunked = false;
        for line in head.split_inclusive("\r\n") {
            let name = line.split(':').next().unwrap();
            chunked |= name == "Transfer-Encoding";
            let told = ["Content-Length", "Content-Range"].contains(&name);
            out.extend_from_slice(if told { name } else { line }.as_bytes());
            out.extend_from_slice(if told { b": {coded}\r\n" } else { b"" });
        }
        rest = &rest[end..];
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map(|n| n.parse().unwrap());
        let (body, after) = match length {
            // A head alone.
            _ if rest.is_empty() || rest.starts_with(b"HTTP/1.") => continue,
            Some(length) => rest.split_at(rest.len().min(length)),
            None if chunked => {
                let (body, after) = joined(rest);
                out.extend_from_slice(&opened(&body));
                rest = after;
                continue;
            }
            None => (rest, &[][..]),
        };
        out.extend_from_slice(&opened(body));
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// What comes out of compressed octets; of a part of such, that it is one.
fn opened(body: &[u8]) -> Vec<u8> {
    if !body.starts_with(b"\x1f\x8b") {
        return b"{a part of gzip}\n".to_vec();
    }
    let told = body[..10].escape_ascii().to_string();
    match miniz_oxide::inflate::decompress_to_vec(&body[10..]) {
        Ok(text) => [format!("{{gzip {told}}}\n").as_bytes(), &text, b"{end of gzip}\n"].concat(),
        Err(_) => format!("{{the start of gzip {told}}}\n").into_bytes(),
    }
}

/// Chunks made one, and what follows them.
fn joined(mut octets: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    while let Some(line) = find(octets, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&octets[..line]).unwrap(), 16).unwrap();
        let chunk = &octets[line + 2..];
        out.extend_from_slice(&chunk[..size.min(chunk.len())]);
        octets = chunk.get(size + 2..).unwrap_or(&[]);
        if size == 0 {
            break;
        }
    }
    (out, octets)
}

fn find(octets: &[u8], part: &[u8]) -> Option<usize> {
    octets.windows(part.len()).position(|window| window == part)
}

fn rfind(octets: &[u8], part: &[u8]) -> Option<usize> {
    octets.windows(part.len()).rposition(|window| window == part)
}

/// Requests whose answers depend on what the client takes, as steps of the table have them.
pub(crate) fn requests() -> Vec<String> {
    let values = [
        "gzip",
        "GZIP",
        "x-gzip",
        "deflate",
        "*",
        "gzip;q=0",
        "gzip;q=0.0000",
        "gzip;q=0.001",
        "gzip;q=1.5",
        "gzip;q=.5",
        "gzip; q=0",
        "gzip ; q=0.5",
        "gzip;Q=0",
        "gzip;q=",
        "gzip;",
        "gzip;foo",
        "deflate, gzip",
        "deflate;q=1, gzip;q=0",
        "br, gzip, deflate",
        "gzipx",
        "x gzip",
        "gzip x",
        ",gzip",
        "\"gzip\"",
        "x;gzip",
        "",
        "gzip;q=0, gzip",
        "gzip;q=0 ,x",
        "gzip;q=0.,x",
        "gzip;q=0;x",
        "gzip;x;q=0",
        "deflate \"a,gzip\"",
        "deflate\\r\\nAccept-Encoding: gzip",
        "gzip\\r\\nAccept-Encoding: gzip;q=0",
    ];
    let fields = [
        "Connection: close",
        "Connection: keep-alive",
        "Via: 1.1 proxy",
        "Range: bytes=0-99",
        "Range: bytes=-50",
        "Range: bytes=0-9,400-409",
        "Range: bytes=99999-",
        "If-Modified-Since: {modified}",
        "If-None-Match: {etag}",
        "If-None-Match: W/{etag}",
        "If-None-Match: *",
        "If-Match: {etag}",
        "If-Match: W/{etag}",
        "If-Range: {etag}\\r\\nRange: bytes=0-9",
        "If-Range: {modified}\\r\\nRange: bytes=0-9",
        "If-Unmodified-Since: Mon, 14 Nov 2022 22:13:20 GMT",
        "Expect: 100-continue",
        "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "User-Agent: Chrome/120",
    ];
    let request = |line: &str, field: &str| format!("{line}\\r\\nHost: decoy\\r\\n{field}\\r\\n\\r\\n");
    let valued = values.iter().map(|value| request("GET / HTTP/1.1", &format!("Accept-Encoding: {value}")));
    let mut out: Vec<String> = valued.collect();
    for line in [
        "GET / HTTP/1.1",
        "HEAD / HTTP/1.1",
        "GET / HTTP/1.0",
        "HEAD / HTTP/1.0",
        "GET /none HTTP/1.1",
        "HEAD /none HTTP/1.1",
        "GET /assets HTTP/1.1",
        "GET /assets/ HTTP/1.1",
        "GET /assets/site.css HTTP/1.1",
        "OPTIONS / HTTP/1.1",
        "FOO / HTTP/1.1",
        "POST / HTTP/1.1\\r\\nContent-Length: 0",
    ] {
        out.push(request(line, "Accept-Encoding: gzip"));
    }
    for field in fields {
        for line in ["GET / HTTP/1.1", "HEAD / HTTP/1.1"] {
            out.push(request(line, &format!("{field}\\r\\nAccept-Encoding: gzip")));
        }
    }
    let twice = request("GET / HTTP/1.1", "Accept-Encoding: gzip");
    out.push(format!("{twice}{}", request("GET /none HTTP/1.1", "Accept-Encoding: gzip")));
    out
}
