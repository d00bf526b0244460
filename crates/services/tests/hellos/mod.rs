//! Hellos of TLS clients, right and wrong, and what a server makes of them, without what is random in it.

// Private to the test programs that name it.
#![allow(unreachable_pub)]
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    thread,
    time::Duration,
};

/// How long nothing may come until nothing is said to come.
const SILENCE: Duration = Duration::from_millis(700);

/// The limit that one of the hellos asks for (RFC 6066 §4).
const FRAGMENT: usize = 512;

/// What a client sends, piece by piece, and whether it then ends.
#[derive(Clone, Debug)]
pub struct Said {
    pub pieces: Vec<Vec<u8>>,
    pub ends: bool,
}

/// The answer's shape: a word for each record, and how the connection ended.
pub fn answer(port: u16, said: &Said) -> Vec<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    for (count, piece) in said.pieces.iter().enumerate() {
        if count > 0 {
            thread::sleep(Duration::from_millis(2));
        }
        // A server that gave up early is seen below.
        let _ = stream.write_all(piece);
    }
    if said.ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let (mut all, mut octets) = (Vec::new(), [0; 4096]);
    let end = loop {
        match stream.read(&mut octets) {
            Ok(0) => break "closed",
            Ok(count) => all.extend_from_slice(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break "open",
            Err(_) => break "closed",
        }
        if is_whole_flight(&shape(&all)) {
            break "goes on";
        }
    };
    let mut words = shape(&all);
    words.push(end.into());
    words
}

/// Whether the server now waits for the client: after ServerHelloDone, HelloRetryRequest or its Finished.
fn is_whole_flight(words: &[String]) -> bool {
    let protected = words.iter().filter(|word| word.starts_with("protected")).count();
    words.iter().any(|word| word.starts_with("message 14")) || protected >= 4
}

/// Records by what they say: for a ServerHello what was chosen, for an alert which, for all else how long.
fn shape(mut octets: &[u8]) -> Vec<String> {
    let (mut words, mut full) = (Vec::new(), false);
    if octets.starts_with(b"HTTP/") {
        let text = String::from_utf8_lossy(octets);
        let is_own = |line: &&str| !["Date:", "Content-Length:"].iter().any(|start| line.starts_with(start));
        // Some pages name the port, which is no one's in a test.
        let without_port = |line: &str| line.split(" Port ").next().unwrap_or(line).to_string();
        return text.lines().filter(is_own).map(without_port).collect();
    }
    while let Some((&[kind, major, minor, high, low], rest)) = octets.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (body, after) = rest.split_at(length);
        octets = after;
        let cut = core::mem::replace(&mut full, length == FRAGMENT);
        words.push(match (kind, body) {
            (22, [2, ..]) => server_hello(body),
            // The rest of a message that was cut at a limit begins with anything.
            (22, _) if cut => format!("the rest, {length} octets"),
            (22, [message, ..]) => format!("message {message}, {length} octets"),
            (21, body) => format!("alert {major}.{minor} {body:?}"),
            (23, _) => format!("protected, {length} octets"),
            _ => format!("record {kind}, {length} octets"),
        });
    }
    words
}

fn server_hello(body: &[u8]) -> String {
    let session = usize::from(body[38]);
    let mut rest = &body[39 + session..];
    let mut words = format!("hello {:02x}{:02x}, session of {session},", rest[0], rest[1]);
    rest = &rest[3..];
    rest = rest.get(2..).unwrap_or(&[]);
    while let [a, b, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let fixed = [*a, *b] != [0, 51];
        words += &format!(" {a:02x}{b:02x}:{length}:{:?}", if fixed { &after[..length] } else { &after[..2] });
        rest = &after[length..];
    }
    words
}

pub fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[4 - width..], body].concat()
}

pub fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), vector(2, body).as_slice()].concat()
}

/// A hello, as a client composes it.
#[derive(Clone)]
pub struct Hello {
    pub version: u16,
    pub session: Vec<u8>,
    pub suites: Vec<u8>,
    pub compressions: Vec<u8>,
    pub extensions: Option<Vec<Vec<u8>>>,
    pub tail: Vec<u8>,
}

const GROUPS: [u8; 6] = [0, 29, 0, 23, 0, 24];
const SCHEMES: [u8; 20] = [4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1, 2, 1, 2, 3];

pub fn old() -> Hello {
    let name = vector(2, &[vec![0], vector(2, b"nav-1")].concat());
    let extensions = vec![
        extension(0, &name),
        extension(11, &[1, 0]),
        extension(10, &vector(2, &GROUPS)),
        extension(13, &vector(2, &SCHEMES)),
        extension(35, b""),
        extension(22, b""),
        extension(0xff01, &[0]),
        extension(23, b""),
    ];
    Hello {
        version: 0x0303,
        session: vec![],
        suites: vec![0xc0, 0x2f, 0xc0, 0x30, 0, 0x2f, 0, 0x9c],
        compressions: vec![0],
        extensions: Some(extensions),
        tail: vec![],
    }
}

pub fn new() -> Hello {
    let half = [[0, 29].as_slice(), &vector(2, &[9; 32])].concat();
    let extensions = vec![
        extension(10, &vector(2, &GROUPS)),
        extension(13, &vector(2, &SCHEMES)),
        extension(43, &vector(1, &[3, 4])),
        extension(51, &vector(2, &half)),
    ];
    Hello { session: vec![7; 32], suites: vec![0x13, 1, 0x13, 2, 0x13, 3], extensions: Some(extensions), ..old() }
}

impl Hello {
    /// The same hello with something else about it.
    pub fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Without, or with another, extension of this kind.
    pub fn with(mut self, kind: u16, body: Option<&[u8]>) -> Self {
        let extensions = self.extensions.get_or_insert_default();
        let place = extensions.iter().position(|other| other.starts_with(&kind.to_be_bytes()));
        match (place, body) {
            (Some(place), Some(body)) => extensions[place] = extension(kind, body),
            (None, Some(body)) => extensions.push(extension(kind, body)),
            (Some(place), None) => drop(extensions.remove(place)),
            (None, None) => {}
        }
        self
    }

    pub fn record(&self) -> Vec<u8> {
        let mut body = [self.version.to_be_bytes().as_slice(), &[b'r'; 32]].concat();
        body.extend(vector(1, &self.session));
        body.extend(vector(2, &self.suites));
        body.extend(vector(1, &self.compressions));
        if let Some(extensions) = &self.extensions {
            body.extend(vector(2, &extensions.concat()));
        }
        body.extend_from_slice(&self.tail);
        [[22, 3, 1].as_slice(), &vector(2, &[vec![1], vector(3, &body)].concat())].concat()
    }
}

/// Openings that servers tell apart, each with a name.
pub fn table() -> Vec<(&'static str, Vec<u8>)> {
    let share = |group: &[u8], half: &[u8]| vector(2, &[group, &vector(2, half)].concat());
    let hello = |hello: Hello| hello.record();
    vec![
        ("TLS 1.2", hello(old())),
        ("TLS 1.2, RSA key exchange", hello(old().but(|h| h.suites = vec![0, 0x2f]))),
        ("TLS 1.2 without extensions", hello(old().but(|h| h.extensions = None))),
        ("TLS 1.2 without groups", hello(old().but(|h| h.suites = vec![0xc0, 0x2f]).with(10, None))),
        ("TLS 1.2 without schemes", hello(old().with(13, None))),
        ("TLS 1.1", hello(old().but(|h| h.version = 0x0302))),
        ("TLS 1.0", hello(old().but(|h| h.version = 0x0301))),
        ("SSL 3", hello(old().but(|h| h.version = 0x0300))),
        ("version 2.0", hello(old().but(|h| h.version = 0x0200))),
        ("version 4.4", hello(old().but(|h| h.version = 0x0404))),
        ("nothing in common", hello(old().but(|h| h.suites = vec![0, 5, 0, 10]))),
        ("fallback", hello(old().but(|h| h.suites.extend([0x56, 0])))),
        ("another compression", hello(old().but(|h| h.compressions = vec![1]))),
        ("no compression at all", hello(old().but(|h| h.compressions = vec![]))),
        ("half a suite", hello(old().but(|h| h.suites.push(0)))),
        ("no suite", hello(old().but(|h| h.suites = vec![]))),
        ("something after the end", hello(old().but(|h| h.tail = vec![1, 2]))),
        ("a session of 33", hello(old().but(|h| h.session = vec![1; 33]))),
        ("an extension twice", hello(old().but(|h| h.extensions.as_mut().unwrap().push(extension(23, b""))))),
        ("a renegotiation", hello(old().with(0xff01, Some(&[1, 7])))),
        ("fragments of 512", hello(old().with(1, Some(&[1])))),
        ("fragments of none", hello(old().with(1, Some(&[9])))),
        ("a name with NUL", hello(old().with(0, Some(&vector(2, &[vec![0], vector(2, b"a\0b")].concat()))))),
        ("an empty name", hello(old().with(0, Some(b"")))),
        ("h2 alone", hello(old().with(16, Some(&vector(2, b"\x02h2"))))),
        ("HTTP/1.1", hello(old().with(16, Some(&vector(2, b"\x02h2\x08http/1.1"))))),
        ("TLS 1.3", hello(new())),
        ("TLS 1.3 with a share of another group", hello(new().with(51, Some(&share(&[0, 24], &[4; 97]))))),
        ("TLS 1.3 with no share", hello(new().with(51, Some(&[0, 0])))),
        ("TLS 1.3 without shares", hello(new().with(51, None))),
        ("TLS 1.3 without schemes", hello(new().with(13, None))),
        ("TLS 1.3 with a share of nothing", hello(new().with(51, Some(&share(&[0, 29], &[0; 32]))))),
        ("TLS 1.3 with a short share", hello(new().with(51, Some(&share(&[0, 29], &[1; 31]))))),
        ("TLS 1.3 with compression", hello(new().but(|h| h.compressions = vec![1, 0]))),
        ("TLS 1.3 without its suites", hello(new().but(|h| h.suites = vec![0xc0, 0x2f]))),
        ("a draft", hello(new().with(43, Some(&vector(1, &[0x7f, 0x1c]))))),
        ("a version of old among the versions", hello(new().with(43, Some(&vector(1, &[3, 2]))))),
        ("HTTP", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("half of a request", b"POST /x HTTP/1.1\r\nHost".to_vec()),
        ("a letter", b"G".to_vec()),
        ("no HTTP", b"FOO\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-x\r\n".to_vec()),
        ("another major version", b"\x16\x04\x00\x00\x05hello".to_vec()),
        ("a record too long", [b"\x16\x03\x01\x41\x41".as_slice(), &[1; 100]].concat()),
        ("another message", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01a".to_vec()),
        ("a message too long", b"\x16\x03\x01\x00\x05\x01\xff\xff\xffa".to_vec()),
        ("a body too short", b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03aa".to_vec()),
    ]
}

/// Openings that ask for one thing alone: each suite in each version, each group, each signature scheme.
pub fn sweep() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, version) in [("1.0", 0x0301_u16), ("1.1", 0x0302), ("1.2", 0x0303)] {
        for &suite in SUITES {
            let hello = old().with(10, Some(&vector(2, &EVERY_GROUP))).but(|hello| {
                hello.version = version;
                hello.suites = suite.to_be_bytes().into();
            });
            all.push((format!("TLS {name}, suite {suite:04x}"), hello.record()));
        }
    }
    for group in EVERY_GROUP.chunks(2).chain([&[0x11, 0xec][..], &[0, 21]]) {
        let list = vector(2, group);
        let name = format!("group {}", u16::from_be_bytes([group[0], group[1]]));
        all.push((format!("TLS 1.2, {name}"), old().with(10, Some(&list)).record()));
        let hello = new().with(10, Some(&list)).with(51, Some(&[0, 0]));
        all.push((format!("TLS 1.3, {name}, asked for"), hello.record()));
    }
    for &scheme in SIGNATURES {
        let list = vector(2, &scheme.to_be_bytes());
        all.push((format!("TLS 1.2, scheme {scheme:04x}"), old().with(13, Some(&list)).record()));
        all.push((format!("TLS 1.3, scheme {scheme:04x}"), new().with(13, Some(&list)).record()));
    }
    for &suite in &[0x1301_u16, 0x1302, 0x1303, 0x1304, 0x1305] {
        let hello = new().but(|hello| hello.suites = suite.to_be_bytes().into());
        all.push((format!("TLS 1.3, suite {suite:04x}"), hello.record()));
    }
    all
}

const EVERY_GROUP: [u8; 20] = [0, 29, 0, 23, 0, 30, 0, 25, 0, 24, 1, 0, 1, 1, 1, 2, 1, 3, 1, 4];
const SIGNATURES: &[u16] = &[
    0x0201, 0x0202, 0x0203, 0x0301, 0x0303, 0x0401, 0x0403, 0x0501, 0x0503, 0x0601, 0x0603, 0x0804, 0x0805, 0x0806,
    0x0807, 0x0808, 0x0809, 0x080a, 0x080b,
];
/// Those of OpenSSL 1.0 to 3.0 for RSA and ECDSA, some that are too weak, and some without a certificate.
const SUITES: &[u16] = &[
    0x0001, 0x0004, 0x0005, 0x0007, 0x000a, 0x0016, 0x002f, 0x0033, 0x0034, 0x0035, 0x0039, 0x003a, 0x003b, 0x003c,
    0x003d, 0x0041, 0x0045, 0x0067, 0x006b, 0x0084, 0x0088, 0x0096, 0x009a, 0x009c, 0x009d, 0x009e, 0x009f, 0x00ba,
    0x00be, 0x00c0, 0x00c4, 0xc009, 0xc00a, 0xc011, 0xc012, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0xc02b,
    0xc02c, 0xc02f, 0xc030, 0xc050, 0xc051, 0xc052, 0xc053, 0xc05c, 0xc060, 0xc061, 0xc072, 0xc076, 0xc077, 0xc09c,
    0xc09d, 0xc09e, 0xc09f, 0xc0a0, 0xc0a1, 0xc0a2, 0xc0a3, 0xc0ac, 0xc0ae, 0xcca8, 0xcca9, 0xccaa,
];

/// Openings that no table has: hellos with octets changed, cut in pieces, ended early. The same ones for a seed.
pub fn mutations(count: usize) -> Vec<Said> {
    let mut state = 0x5eed_u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let changed = |_| {
        let mut octets = if draw(2) == 0 { old().record() } else { new().record() };
        for _ in 0..draw(3) {
            // Behind the record's header: what is in front of that, the table has.
            let place = 5 + draw(octets.len() - 5);
            octets[place] = u8::try_from(draw(256)).unwrap();
        }
        let ends = draw(4) == 0;
        if ends {
            octets.truncate(1 + draw(octets.len()));
        }
        let mut pieces = vec![octets];
        for _ in 0..draw(3) {
            let last = pieces.pop().unwrap();
            let cut = draw(last.len().max(2) - 1) + 1;
            let (before, after) = last.split_at(cut.min(last.len()));
            pieces.push(before.to_vec());
            if !after.is_empty() {
                pieces.push(after.to_vec());
            }
        }
        Said { pieces, ends }
    };
    (0..count).map(changed).collect()
}
