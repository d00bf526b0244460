//! Frames of HTTP/2 as clients send them, right and wrong, and as a person reads them.

use std::fmt::Write as _;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(Vec<u8>),
    Pause,
}

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let body: Vec<u8> =
        pairs.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, &body)
}

/// RFC 7541 §6.2.2, without the code of strings.
fn field(name: &str, value: &str) -> Vec<u8> {
    let string = |text: &str| {
        let mut out = Vec::new();
        let mut rest = text.len();
        if rest < 127 {
            out.push(u8::try_from(rest).unwrap());
        } else {
            out.push(127);
            rest -= 127;
            while rest >= 128 {
                out.push(u8::try_from(rest % 128 + 128).unwrap());
                rest /= 128;
            }
            out.push(u8::try_from(rest).unwrap());
        }
        out.extend(text.bytes());
        out
    };
    [vec![0], string(name), string(value)].concat()
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "https"), (":authority", "nav-1"), (":path", path)]
}

fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

fn start() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings(&[])].concat()
}

/// Clients that ask within HTTP/1.1 for HTTP/2, and go on with it or not.
pub(crate) fn upgrades() -> Vec<Case> {
    let asks =
        |method: &str, fields: &str| format!("{method} /none HTTP/1.1\r\nHost: decoy\r\n{fields}\r\n").into_bytes();
    let usual = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let with = |settings: &str| {
        format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: {settings}\r\n")
    };
    let get = headers(3, 5, &request("GET", "/none"));
    let case = |name: &str, steps: Vec<Vec<u8>>| {
        let steps = steps.into_iter().flat_map(|octets| [Step::Say(octets), Step::Pause]).collect();
        Case { name: format!("upgrade: {name}"), steps }
    };
    vec![
        case("and no more", vec![asks("GET", usual)]),
        case("and another request", vec![asks("GET", usual), [&start()[..], &get].concat()]),
        case("and all at once", vec![[&asks("GET", usual)[..], &start(), &get].concat()]),
        case("and no preface", vec![asks("GET", usual), asks("GET", "")]),
        case("HEAD", vec![asks("HEAD", usual)]),
        case("OPTIONS", vec![asks("OPTIONS", usual)]),
        case("with a body", vec![[&asks("POST", &format!("{usual}Content-Length: 3\r\n"))[..], b"abc"].concat()]),
        case("without settings", vec![asks("GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n")]),
        case("the settings not named", vec![asks("GET", &usual.replace(", HTTP2-Settings", ""))]),
        case("the upgrade not named", vec![asks("GET", &usual.replace("Upgrade, ", ""))]),
        case("empty settings", vec![asks("GET", &with(""))]),
        case("settings that are none", vec![asks("GET", &with("!!!!"))]),
        case("a wrong setting", vec![asks("GET", &with("AAUAAAAB"))]),
        case("a small window", vec![asks("GET", &with("AAQAAAAK"))]),
        case("of several", vec![asks("GET", &usual.replace("h2c", "websocket, h2c"))]),
        case("to h2", vec![asks("GET", &usual.replace("h2c", "h2"))]),
        case("of HTTP/1.0", vec![String::from_utf8(asks("GET", usual)).unwrap().replace("/1.1", "/1.0").into_bytes()]),
        case("as the second request", vec![asks("GET", ""), asks("GET", usual)]),
        case("the preface as the second request", vec![asks("GET", ""), start()]),
        case("half a preface", vec![start()[..17].to_vec(), [&start()[17..], &get].concat()]),
        case("the head of a preface", vec![start()[..18].to_vec(), [&start()[18..], &get].concat()]),
    ]
}

/// Clients that stop somewhere, or are slow: a pause is ten seconds.
pub(crate) fn silences() -> Vec<Case> {
    let (get, post) = (request("GET", "/none"), request("POST", "/none"));
    let page = |stream: u32| headers(stream, 5, &get);
    let half = |octets: &[u8]| octets[..octets.len() / 2].to_vec();
    let opened = |stream: u32| headers(stream, 1, &get);
    let ping = frame(PING, 0, 0, b"12345678");
    let case = |name: &str, said: &[&[u8]]| Case {
        name: name.into(),
        steps: vec![Step::Say([&start()[..], &said.concat()].concat())],
    };
    let slowly = |name: &str, first: &[u8], octets: &[u8], times: usize| {
        let mut slow = case(name, &[first]);
        slow.steps.extend((0..times).flat_map(|_| [Step::Pause, Step::Say(octets.to_vec())]));
        slow
    };
    let body = frame(DATA, 0, 1, b"0123456789");
    let mut all = vec![
        Case { name: "nothing".into(), steps: vec![] },
        Case { name: "half a preface".into(), steps: vec![Step::Say(start()[..10].to_vec())] },
        Case { name: "no settings".into(), steps: vec![Step::Say(start()[..24].to_vec())] },
        case("no request", &[]),
        Case { name: "two octets of something else".into(), steps: vec![Step::Say(b"xx".to_vec())] },
        Case { name: "a preface, and something else".into(), steps: vec![Step::Say(b"PRI *xxx".to_vec())] },
        case("half the head of a frame", &[&page(1)[..5]]),
        case("half a ping", &[&half(&ping)]),
        case("headers: the head of the frame", &[&page(1)[..9]]),
        case("headers: half a frame", &[&half(&page(1))]),
        case("headers: more to come", &[&opened(1)]),
        case(
            "headers: half of what was to come",
            &[&opened(1), &half(&frame(CONTINUATION, 4, 1, &field("x", "yyyy")))],
        ),
        case("a page", &[&page(1)]),
        case("a page, and half the head of a frame", &[&page(1), &page(3)[..5]]),
        case("a page, and half a ping", &[&page(1), &half(&ping)]),
        case("a page, and half the next headers", &[&page(1), &half(&page(3))]),
        case("a page, and more to come", &[&page(1), &opened(3)]),
        case("no body", &[&headers(1, 4, &post)]),
        case("half a frame of a body", &[&headers(1, 4, &post), &half(&body)]),
        case("a part of a body", &[&headers(1, 4, &post), &body]),
        case("no window", &[&settings(&[(4, 0)]), &page(1)]),
        slowly("pings", &[], &ping, 20),
        slowly("pings after a page", &page(1), &ping, 20),
        slowly("two pages", &page(1), &page(3), 1),
        case("headers: the first field", &[&opened(1)[..9 + field(get[0].0, get[0].1).len()]]),
        case("headers: less than a field", &[&opened(1)[..8 + field(get[0].0, get[0].1).len()]]),
        case("headers: none yet", &[&headers(1, 1, &[])]),
        slowly("headers in pieces", &opened(1), &frame(CONTINUATION, 0, 1, &field("x", "y")), 12),
        slowly("a body in pieces", &headers(1, 4, &post), &body, 12),
    ];
    // The rest comes when the server has given the stream up.
    for (name, first, rest) in [
        ("headers: the other half late", half(&page(1)), page(1)[half(&page(1)).len()..].to_vec()),
        ("headers: the rest late", opened(1), frame(CONTINUATION, 4, 1, &field("x", "y"))),
    ] {
        let mut late = case(name, &[&first]);
        late.steps.extend((0..7).map(|_| Step::Pause));
        late.steps.push(Step::Say([&rest[..], &ping, &page(3)].concat()));
        all.push(late);
    }
    all
}

/// The clients whose answers are the same in each run of the server `name`.
pub(crate) fn table(name: &str) -> Vec<Case> {
    // Where tags are made of inodes, no page is asked for.
    let path = if name.contains("lighttpd") { "/none" } else { "/" };
    let get = |stream: u32| headers(stream, 5, &request("GET", path));
    let base = block(&request("GET", path));
    let window = |stream: u32, more: u32| frame(WINDOW, 0, stream, &more.to_be_bytes());
    let ping = frame(PING, 0, 0, b"12345678");
    let preface = &start()[..24];
    let mut out: Vec<Case> = Vec::new();
    let mut add = |name: &str, steps: &[&[u8]]| {
        let mut all = vec![Step::Say(Vec::new())];
        for step in steps {
            if step.is_empty() {
                all.push(Step::Pause);
            } else {
                all.push(Step::Say(step.to_vec()));
            }
        }
        out.push(Case { name: name.into(), steps: all });
    };
    let after = |frames: &[&[u8]]| [&start()[..], &frames.concat()].concat();
    add("nothing", &[]);
    add("preface", &[preface]);
    add("settings", &[&start()]);
    add("another protocol", &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    add("no settings", &[&[preface, &get(1)].concat()]);
    for (name, frames) in [
        ("get", get(1)),
        ("ping", ping.clone()),
        ("ping acknowledged", frame(PING, 1, 0, b"12345678")),
        ("ping short", frame(PING, 0, 0, b"1234")),
        ("ping of a stream", frame(PING, 0, 1, b"12345678")),
        ("settings of 5", frame(SETTINGS, 0, 0, b"12345")),
        ("settings of a stream", frame(SETTINGS, 0, 1, b"")),
        ("settings acknowledged with more", frame(SETTINGS, 1, 0, b"123456")),
        ("push 2", settings(&[(2, 2)])),
        ("push 1", settings(&[(2, 1)])),
        ("large window", settings(&[(4, 1 << 31)])),
        ("small frame", settings(&[(5, 100)])),
        ("large frame", settings(&[(5, 1 << 24)])),
        ("unknown setting", settings(&[(99, 1)])),
        ("no table", [settings(&[(1, 0)]), get(1)].concat()),
        ("large table", [settings(&[(1, 65_536)]), get(1)].concat()),
        ("no streams", [settings(&[(3, 0)]), get(1)].concat()),
        ("short list", [settings(&[(6, 10)]), get(1)].concat()),
        ("window by nothing", window(0, 0)),
        ("window of the connection too large", window(0, 0x7fff_ffff)),
        ("window short", frame(WINDOW, 0, 0, b"\0\0\0")),
        ("window of idle", window(5, 1)),
        ("window of even", window(2, 1)),
        ("unknown frame", [frame(77, 3, 5, b"hello"), ping.clone()].concat()),
        ("priority update", [frame(16, 0, 0, b"\0\0\0\x01u=1"), get(1)].concat()),
        ("data of 0", frame(DATA, 0, 0, b"x")),
        ("data of idle", frame(DATA, 0, 1, b"x")),
        ("headers of 0", get(0)),
        ("headers of even", get(2)),
        ("headers again", [get(1), get(1)].concat()),
        ("headers backwards", [get(5), get(3)].concat()),
        ("headers padded", frame(HEADERS, 13, 1, &[&b"\x03"[..], &base, b"\0\0\0"].concat())),
        ("headers padded too much", frame(HEADERS, 13, 1, &[&b"\xff"[..], &base].concat())),
        ("headers with priority", frame(HEADERS, 0x25, 1, &[&b"\0\0\0\0\x10"[..], &base].concat())),
        ("headers of themselves", frame(HEADERS, 0x25, 1, &[&b"\0\0\0\x01\x10"[..], &base].concat())),
        ("headers short", frame(HEADERS, 0x25, 1, b"\0\0")),
        ("headers empty", frame(HEADERS, 5, 1, b"")),
        ("priority", [frame(PRIORITY, 0, 3, b"\0\0\0\x01\x10"), get(5)].concat()),
        ("priority of itself", frame(PRIORITY, 0, 1, b"\0\0\0\x01\x10")),
        ("priority short", frame(PRIORITY, 0, 1, b"\0\0\0\x01")),
        ("priority of 0", frame(PRIORITY, 0, 0, b"\0\0\0\x01\x10")),
        ("reset of idle", frame(RST, 0, 1, b"\0\0\0\x08")),
        ("reset of 0", frame(RST, 0, 0, b"\0\0\0\x08")),
        ("reset short", frame(RST, 0, 1, b"\0\0\0")),
        ("push", frame(PUSH, 4, 1, &[&b"\0\0\0\x02"[..], &base].concat())),
        ("goaway", frame(GOAWAY, 0, 0, &[0; 8])),
        ("goaway and get", [frame(GOAWAY, 0, 0, &[0; 8]), get(1)].concat()),
        ("goaway short", frame(GOAWAY, 0, 0, &[0; 4])),
        ("goaway of a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("continuation alone", frame(CONTINUATION, 4, 1, &base)),
        ("continuation", [frame(HEADERS, 1, 1, &base[..5]), frame(CONTINUATION, 4, 1, &base[5..])].concat()),
        ("continuation of another", [frame(HEADERS, 1, 1, &base), frame(CONTINUATION, 4, 3, b"")].concat()),
        ("ping in headers", [frame(HEADERS, 1, 1, &base[..5]), ping.clone()].concat()),
        ("index 0", frame(HEADERS, 5, 1, b"\x80")),
        ("index too large", frame(HEADERS, 5, 1, b"\xff\x80\x01")),
        ("number too large", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff\x0f")),
        ("string cut", frame(HEADERS, 5, 1, b"\x82\x41")),
        ("end of string", frame(HEADERS, 5, 1, &[&base[..], b"\0\x01a\x84\xff\xff\xff\xff"].concat())),
        ("padding of string", frame(HEADERS, 5, 1, &[&base[..], b"\0\x01a\x81\0"].concat())),
        ("resized", frame(HEADERS, 5, 1, &[b"\x20", &base[..]].concat())),
        ("resized too much", frame(HEADERS, 5, 1, &[b"\x3f\xe2\x1f", &base[..]].concat())),
        ("resized late", frame(HEADERS, 5, 1, &[&base[..], b"\x20"].concat())),
        ("two", [get(1), get(3)].concat()),
        ("padding of data", [headers(1, 4, &request("POST", path)), frame(DATA, 9, 1, b"\x05x")].concat()),
        ("body", [headers(1, 4, &request("POST", "/none")), frame(DATA, 1, 1, b"abc")].concat()),
        ("body of a get", [headers(1, 4, &request("GET", path)), frame(DATA, 1, 1, b"abc")].concat()),
        ("no end", headers(1, 4, &request("GET", path))),
    ] {
        add(name, &[&after(&[&frames])]);
    }
    add("window 0", &[&[preface, &settings(&[(4, 0)]), &get(1)].concat()]);
    if !name.contains("lighttpd") {
        add("window 10", &[&[preface, &settings(&[(4, 10)]), &get(1)].concat()]);
        add("window 10 and more", &[&[preface, &settings(&[(4, 10)]), &get(1)].concat(), b"", &window(1, 100_000)]);
        add("window by a setting", &[&after(&[&settings(&[(4, 0)]), &get(1)]), b"", &settings(&[(4, 100_000)])]);
        add(
            "data behind the end",
            &[&[preface, &settings(&[(4, 10)]), &get(1)].concat(), b"", &frame(DATA, 0, 1, b"x")],
        );
    }
    add("two, one after the other", &[&after(&[&get(1)]), b"", &get(3)]);
    add("reset of what is over", &[&after(&[&get(1)]), b"", &[frame(RST, 0, 1, b"\0\0\0\x08"), ping.clone()].concat()]);
    let mut with = |name: &str, fields: &[(&str, &str)]| add(name, &[&after(&[&headers(1, 5, fields)])]);
    let of = request("GET", path);
    let without = |name: &str| of.iter().copied().filter(|(other, _)| *other != name).collect::<Vec<_>>();
    let more = |name, value| [&of[..], &[(name, value)]].concat();
    let other = |name: &'static str, value| {
        of.iter().map(|&(n, v)| if n == name { (n, value) } else { (n, v) }).collect::<Vec<_>>()
    };
    for part in [":method", ":scheme", ":authority", ":path"] {
        with(&format!("without {part}"), &without(part));
        with(&format!("empty {part}"), &other(part, ""));
        with(&format!("twice {part}"), &more(part, "GET"));
    }
    with("host alone", &[&without(":authority")[..], &[("host", "nav-1")]].concat());
    with("late", &[&of[..1], &[("a", "b")], &of[1..]].concat());
    for (name, value) in [
        (":foo", "x"),
        (":status", "200"),
        ("Foo", "x"),
        ("fo o", "x"),
        ("", "x"),
        ("foo", "a\nb"),
        ("foo", "a\0b"),
        ("foo", " a "),
        ("connection", "close"),
        ("te", "gzip"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("content-length", "5"),
        ("content-length", "x"),
        ("expect", "100-continue"),
        ("expect", "foo"),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("range", "bytes=0-9"),
        ("range", "bytes=999999-"),
        ("if-match", "\"x\""),
        ("user-agent", "Chrome/120"),
    ] {
        if !(name.starts_with("if-") && path == "/none") {
            with(&format!("{name}: {value:?}"), &more(name, value));
        }
    }
    for method in ["G T", "TRACE", "HEAD"] {
        with(&format!("method {method}"), &other(":method", method));
    }
    for path in ["http://a/", "foo", "/a b", "/a\x01", "/none#a", "/../a", "/%zz", "*"] {
        with(&format!("path {path}"), &other(":path", path));
    }
    for scheme in ["x", "http"] {
        with(&format!("scheme {scheme}"), &other(":scheme", scheme));
    }
    with("host a/b", &other(":authority", "a/b"));
    with("long path", &other(":path", &format!("/{}", "a".repeat(8191))));
    with("long field", &more("foo", &"a".repeat(8186)));
    let many = |count: usize| [&of[..], &vec![("a", "b"); count]].concat();
    with("101 fields", &many(101));
    with("201 fields", &many(201));
    with("1100 fields", &many(1100));
    let streams = |count: u32| (0..count).flat_map(|n| get(2 * n + 1)).collect::<Vec<_>>();
    if !name.contains("lighttpd") {
        add("150 at a time", &[&after(&[&settings(&[(4, 0)]), &streams(150)])]);
    }
    if !name.contains("apache") {
        // How many of these it reads at once, and so how many are too many, is chance there.
        add("2000 settings", &[&after(&[&settings(&[(4, 65_535)]).repeat(2000)])]);
        add("1000 priorities", &[&after(&[&frame(PRIORITY, 0, 3, b"\0\0\0\x01\x10").repeat(1000)])]);
    }
    out
}

/// A block of headers without its date: a literal of name 33 that has the length of one.
fn undated(block: &[u8]) -> Vec<u8> {
    let is_date = |pair: &[u8]| pair[0] == 0x61 && (0x80 + 20..0x80 + 26).contains(&pair[1]);
    match block.windows(2).position(is_date) {
        Some(at) => {
            let end = (at + 2 + usize::from(block[at + 1] - 0x80)).min(block.len());
            [&block[..at], b"{date}", &block[end..]].concat()
        }
        None => block.to_vec(),
    }
}

/// Frames of a server, one a line; without dates, which are of another second now and then.
pub(crate) fn show((octets, ended): &(Vec<u8>, bool)) -> String {
    let names = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH", "PING", "GOAWAY", "WINDOW", "CONT"];
    let (mut out, mut rest) = (String::new(), &octets[..]);
    // An answer of HTTP/1, or the agreement to go on with HTTP/2.
    while rest.starts_with(b"HTTP/") {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").map_or(rest.len(), |at| at + 4);
        let head = String::from_utf8_lossy(&rest[..end]);
        let own = |line: &&str| line.starts_with("Date: ") || line.starts_with("ETag: ");
        out.extend(head.lines().filter(|line| !own(line)).flat_map(|line| [line, "\n"]));
        rest = &rest[end..];
        if !head.contains(" 101 ") {
            let next = rest.windows(5).position(|five| five == b"HTTP/").unwrap_or(rest.len());
            writeln!(out, "{}", rest[..next].escape_ascii()).unwrap();
            rest = &rest[next..];
        }
    }
    while rest.len() >= 9 {
        let length = usize::from(rest[1]) << 8 | usize::from(rest[2]);
        let name = names.get(usize::from(rest[3])).unwrap_or(&"?");
        let stream = u32::from_be_bytes([rest[5], rest[6], rest[7], rest[8]]);
        let body = rest.get(9..9 + length).unwrap_or_else(|| &rest[9..]);
        let body = match rest[3] {
            DATA => format!("{length} octets"),
            HEADERS => undated(body).escape_ascii().to_string(),
            _ => body.escape_ascii().to_string(),
        };
        writeln!(out, "{name} {:#x} {stream} {body}", rest[4]).unwrap();
        rest = rest.get(9 + length..).unwrap_or(&[]);
    }
    writeln!(out, "{} {}", rest.escape_ascii(), if *ended { "-- end" } else { "-- open" }).unwrap();
    out
}
