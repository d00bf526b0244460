//! Openings that no client sends, to the server and to the real ones of this machine beside it: what is answered, octet
//! for octet, and whether the connection stays, ends in order or is reset.

mod daemon;
mod openings;
mod products;
mod server;
mod sshd;
mod suites;

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use chaff_services::SshSpec;
use daemon::Daemon;
use openings::{Opening, half, init, packet, spoiled};
use server::Server;
use suites::{PAIRS, patient, start};

/// Connections at a time that sshd bears, told to, and that Dropbear does: 30 that have not logged in.
const OF_SSHD: u8 = 60;
const OF_DROPBEAR: u8 = 24;
/// What a server needs to read what was sent and to end, on a machine that has more to do.
const PAUSE: Duration = Duration::from_millis(60);
/// After so long a silence no answer comes.
const SILENCE: Duration = Duration::from_millis(1500);
/// The same pause, for what is asked again alone, and how often.
const CALM: Duration = Duration::from_millis(300);
const TRIES: usize = 7;
/// Seeds of the spoiled openings of an ordinary run, and of a thorough one.
const FEW: std::ops::Range<u64> = 0..60;
const MANY: std::ops::Range<u64> = 0..1000;

#[test]
fn nonsense_is_answered_as_the_real_one_answers() {
    compare(&ours("openssh-9.2-debian12"), &sshd::openssh(), OF_SSHD, &nonsense());
}

#[test]
fn spoiled_openings_are_answered_as_openssh_answers_them() {
    compare(&ours("openssh-9.2-debian12"), &sshd::openssh(), OF_SSHD, &by_chance(FEW));
}

#[test]
fn spoiled_openings_are_answered_as_dropbear_answers_them() {
    compare(&ours("dropbear-2022.83"), &sshd::dropbear(), OF_DROPBEAR, &by_chance(FEW));
}

#[test]
#[ignore = "soak: minutes, and servers of other suites"]
fn soak_nonsense_is_answered_by_every_product_as_by_the_real_one() {
    compare_all(&nonsense());
}

#[test]
#[ignore = "soak: minutes, and servers of other suites"]
fn soak_a_thousand_spoiled_openings_are_answered_by_every_product_as_by_the_real_one() {
    compare_all(&by_chance(MANY));
}

/// The product as it ships, but for what would turn the test's own connections away.
fn ours(product: &str) -> Server {
    start(SshSpec { version_delay_ms: 0, ..patient(products::product(product)) })
}

/// Each product in turn; what differs of all is said together.
fn compare_all(cases: &[(String, Opening)]) {
    let mut different = String::new();
    for pair in &PAIRS {
        let workers = if pair.is_openssh() { OF_SSHD } else { OF_DROPBEAR };
        let found = differences(&ours(pair.product), &pair.patient(), workers, cases);
        eprintln!("{}: {} of {} differ", pair.product, found.len(), cases.len());
        if !found.is_empty() {
            different += &format!("{}:\n{}\n", pair.product, found.join("\n"));
        }
    }
    assert!(different.is_empty(), "{different}");
}

fn compare(ours: &Server, real: &Daemon, workers: u8, cases: &[(String, Opening)]) {
    let different = differences(ours, real, workers, cases);
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), cases.len(), different.join("\n"));
}

fn nonsense() -> Vec<(String, Opening)> {
    table().into_iter().map(|(name, octets)| (name, Opening::whole(octets))).collect()
}

fn by_chance(seeds: std::ops::Range<u64>) -> Vec<(String, Opening)> {
    seeds.map(|seed| (format!("seed {seed}"), spoiled(seed))).collect()
}

/// What both servers do not answer alike, of `cases`.
///
/// Many at a time, a real server may come too late to read a piece before it ends, and then its system sends RST where
/// it sends FIN otherwise. So what differs is asked again, alone and with longer pauses; only what no two answers of both
/// have in common is different.
fn differences(ours: &Server, real: &Daemon, workers: u8, cases: &[(String, Opening)]) -> Vec<String> {
    let (ours, real) = (ours.port, real.port);
    let next = AtomicUsize::new(0);
    let run = |worker: u8| {
        let mut different = Vec::new();
        while let Some((name, opening)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if transcript(ours, worker, opening, PAUSE) != transcript(real, worker, opening, PAUSE) {
                different.push((name, opening));
            }
        }
        different
    };
    let doubtful: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || run(worker))).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    doubtful
        .into_iter()
        .filter_map(|(name, opening)| {
            let (mut of_ours, mut of_real) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..TRIES {
                of_ours.insert(transcript(ours, 0, opening, CALM));
                of_real.insert(transcript(real, 0, opening, CALM));
                if !of_ours.is_disjoint(&of_real) {
                    return None;
                }
            }
            let sent: Vec<String> = opening.pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect();
            let fin = if opening.fin { " and FIN" } else { "" };
            Some(format!("{name}: {}{fin}\n  ours {of_ours:?}\n  real {of_real:?}", sent.join(" | ")))
        })
        .collect()
}

/// What the server said, without what is its own chance, and how the connection ended.
fn transcript(port: u16, worker: u8, opening: &Opening, pause: Duration) -> String {
    let mut stream = connect(port, worker);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut said = vec![0; 4096];
    let count = stream.read(&mut said).unwrap();
    said.truncate(count);
    assert!(said.starts_with(b"SSH-"), "{}", said.escape_ascii());
    let mut end = "open";
    for (place, piece) in opening.pieces.iter().enumerate() {
        if place > 0 {
            thread::sleep(pause);
        }
        if stream.write_all(piece).is_err() {
            end = "reset";
            break;
        }
    }
    if opening.fin && end == "open" {
        thread::sleep(pause);
        // One that is over already cannot be ended.
        let _ = stream.shutdown(Shutdown::Write);
    }
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => end = if end == "open" { "closed" } else { end },
            Ok(count) => {
                said.extend_from_slice(&buffer[..count]);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => end = "reset",
            Err(_) => {}
        }
        break;
    }
    let mut text = described(&said);
    if end == "reset" {
        // The end of the line is a segment of its own, which the RST may overtake.
        text.truncate(text.trim_end_matches("\\r\\n").len());
    }
    format!("{end} {text}")
}

/// Of a source of its own: servers count connections of each.
fn connect(port: u16, worker: u8) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 2, worker + 1), 0)).unwrap();
    connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    TcpStream::from(socket)
}

/// The version line, and packets: what no two connections share is left out.
fn described(said: &[u8]) -> String {
    let line = said.iter().position(|octet| *octet == b'\n').map_or(said.len(), |end| end + 1);
    let (line, mut rest) = said.split_at(line);
    let mut out = line.escape_ascii().to_string();
    while let [a, b, c, d, padding, kind, ..] = *rest {
        let length = 4 + usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
        if length > rest.len() || length < 6 + usize::from(padding) {
            break;
        }
        let (packet, after) = rest.split_at(length);
        let payload = &packet[5..length - usize::from(padding)];
        rest = after;
        match kind {
            // Without the cookie.
            20 if payload.len() > 17 => out += &format!("\n    20 {}", payload[17..].escape_ascii()),
            // Halves of a secret, and signatures, which are not all of one length.
            31 | 33 => out += &format!("\n    {kind}"),
            21 => {
                // What is behind it is under keys.
                return out + &format!("\n    21 and {} octets", rest.len());
            }
            _ => out += &format!("\n    {}", payload.escape_ascii()),
        }
    }
    if rest.is_empty() { out } else { format!("{out}\n    {}", rest.escape_ascii()) }
}

/// Openings that no client sends, by name.
fn table() -> Vec<(String, Vec<u8>)> {
    const HELLO: &[u8] = b"SSH-2.0-x\r\n";
    let offer = init("curve25519-sha256", "aes128-ctr");
    let strict = init("curve25519-sha256,kex-strict-c-v00@openssh.com", "aes128-ctr");
    let with = |payloads: &[&[u8]]| {
        let mut all = HELLO.to_vec();
        payloads.iter().for_each(|payload| all.extend(packet(payload)));
        all
    };
    let mut guess = offer.clone();
    let flag = guess.len() - 5;
    guess[flag] = 1;
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, octets: Vec<u8>| all.push((name.into(), octets));
    for line in [
        "foo\r\n",
        "SSH-1337-OpenSSH_9.0\r\n",
        "SSH-1111-x\r\n",
        "SSH-3.0-x\r\n",
        "SSH-1.5-x\r\n",
        "SSH-2.2-OpenSSH_9.0\r\n",
        "SSH-1.99-x\r\n",
        "SSH-2.0-x\n",
        "SSH-2.0-x \r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\n\n\n\n\n\n\n\n",
        "SSH-2.0-\0x\r\n",
        "SSH-2.0-x\rx\r\n",
        "SSH-2.0-\r\n",
        "SSH-2.0\r\n",
        "SSH- 2. 0-x\r\n",
        "SSH-+2.-1-x\r\n",
        "SSH-2.0-x\r\r\n",
        "foo\r\nbar\r\n",
        "SSH-2.0-SSH_Version_Mapper\r\n",
        "SSH-2.0-Probe-x\r\n",
        "SSH-2.0-xProbe-x\r\n",
        "SSH-\r\n",
        "SSH\r\n",
        "\r\n",
        "ssh-2.0-x\r\n",
    ] {
        add(&line.escape_debug().to_string(), line.as_bytes().to_vec());
    }
    add("a line of 9,000", [b"SSH-2.0-", &[b'a'; 9000][..], b"\r\n"].concat());
    add("a line of 8,184", [b"SSH-2.0-", &[b'a'; 8184][..], b"\r\n"].concat());
    for (name, octet, count) in [("ones", 0xff, 64), ("feeds", b'\n', 8), ("zeros", 0, 64), ("many ones", 0xff, 20_000)]
    {
        add(name, [HELLO, &vec![octet; count]].concat());
    }
    let raw =
        |length: u32, padding: u8, rest: usize| [HELLO, &length.to_be_bytes(), &[padding], &vec![0; rest]].concat();
    add("padding beyond the packet", raw(12, 200, 11));
    add("no padding", raw(12, 0, 11));
    add("no whole block", raw(13, 4, 12));
    add("the shortest packet", raw(12, 11, 11));
    add("a packet that is too long", raw(262_145, 4, 11));
    add("a packet of which the rest does not come", raw(35_004, 4, 100));
    for kind in [0, 2, 3, 4, 5, 6, 7, 21, 30, 31, 34, 49, 50, 80, 99, 191, 192, 193, 194, 254, 255] {
        add(&format!("message {kind} first"), with(&[&[kind]]));
        add(&format!("message {kind} in the exchange"), with(&[&offer, &[kind]]));
        add(&format!("message {kind} in a strict exchange"), with(&[&strict, &[kind]]));
    }
    add("a message to be ignored", with(&[&[2, 0, 0, 0, 0]]));
    for (name, payload) in [
        ("a word for the debugger", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("a message that was not understood", &[3, 0, 0, 0, 0]),
        ("a ping", b"\xc0\0\0\0\x04ping"),
        ("a pong", b"\xc1\0\0\0\x04ping"),
    ] {
        add(name, with(&[payload]));
        add(&format!("{name} in the exchange"), with(&[&offer, payload]));
        add(&format!("{name} in a strict exchange"), with(&[&strict, payload]));
    }
    add("a goodbye", with(&[&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]]));
    add("half a goodbye", with(&[&[1]]));
    add("a service too early", with(&[b"\x05\0\0\0\x0cssh-userauth"]));
    add("a strict exchange that is late", with(&[&[2, 0, 0, 0, 0], &strict]));
    add("half an offer", with(&[&offer[..offer.len() - 1]]));
    add("more than an offer", with(&[&[&offer[..], b"x"].concat()]));
    add("nothing in common", with(&[&init("curve25519-sha256", "aes129-ctr")]));
    add("no exchange in common", with(&[&init("curve25518-sha256", "aes128-ctr")]));
    add("two offers", with(&[&offer, &offer]));
    add("31 octets for a point", with(&[&offer, &half(&[9; 31])]));
    add("a point of small order", with(&[&offer, &half(&[0; 32])]));
    add("a point and more", with(&[&offer, &[&half(&[9; 32])[..], b"x"].concat()]));
    add("keys before a secret", with(&[&offer, &[21]]));
    add("a half twice", with(&[&offer, &half(&[9; 32]), &half(&[9; 32])]));
    add("a wrong guess", with(&[&guess, &half(&[9; 31]), &[21]]));
    let gex = |numbers: [u32; 3]| [&[34][..], &numbers.map(u32::to_be_bytes).concat()].concat();
    let group = init("diffie-hellman-group-exchange-sha256", "aes128-ctr");
    add("a group of nothing", with(&[&group, &gex([0, 0, 0])]));
    add("a group twice", with(&[&group, &gex([2048, 3072, 8192]), &gex([2048, 3072, 8192])]));
    add("a half of a group, and its like", with(&[&group, &gex([2048, 3072, 8192]), &half(&[9; 32])]));
    add("a group between nothing", with(&[&group, &gex([4096, 2048, 8192])]));
    add("a group that is too small", with(&[&group, &gex([1024, 1024, 1024])]));
    add("a group that is too large", with(&[&group, &gex([16_384, 16_384, 16_384])]));
    let fixed = init("diffie-hellman-group14-sha256", "aes128-ctr");
    for (name, number) in
        [("zero", vec![0]), ("one", vec![1]), ("minus one", vec![255]), ("far too much", vec![1; 300])]
    {
        add(&format!("a half of {name}"), with(&[&fixed, &half(&number)]));
    }
    let curve = init("ecdh-sha2-nistp256", "aes128-ctr");
    add("no point of the curve", with(&[&curve, &half(&[4; 65])]));
    add("the point at infinity", with(&[&curve, &half(&[0])]));
    all
}
