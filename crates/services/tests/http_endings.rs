//! How connections end, beside the real nginx, Apache and lighttpd: FIN or RST, when, and for how long the server reads
//! on after its FIN, so that what a client says then is taken or answered with RST.

mod daemon;
mod real;
mod server;
mod table;

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chaff_services::ServiceSpec;
use daemon::Daemon;
use server::Server;
use table::{Step, kind, set_up};

/// Conversations at the same time: most of their time they wait.
const AT_ONCE: usize = 96;
/// How long an end is waited for, in the ordinary run and in the soak.
const PATIENCE: Duration = Duration::from_secs(13);
const LONG_PATIENCE: Duration = Duration::from_secs(80);
/// How long a server that reads no more takes to say so.
const ECHO: Duration = Duration::from_millis(300);
/// Ends as late as that are the same: servers that count whole seconds are up to one late.
const NEAR_MS: u128 = 1300;
/// Milliseconds after the end at which the client says something more; each row is a connection of its own.
const WORDS_AFTER: [&[u64]; 4] = [&[300], &[4000], &[7500], &[3300, 6800]];
const WORDS_LONG_AFTER: [&[u64]; 2] = [&[33_000], &[4000, 8000, 12_000, 16_000, 20_000, 24_000, 28_000, 33_000]];
/// How often what differs is asked again.
const TRIES: usize = 3;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ending {
    /// The first line of what was said, and how many octets there were.
    said: String,
    /// FIN, RST or nothing.
    end: &'static str,
    /// Milliseconds after the last word of the client.
    after: u128,
    /// Whether each word after the end was refused.
    refused: Vec<bool>,
}

impl Ending {
    fn is_like(&self, other: &Self) -> bool {
        self.said == other.said
            && self.end == other.end
            && self.refused == other.refused
            && self.after.abs_diff(other.after) <= NEAR_MS
    }
}

/// What one server made of a client that says something more at `words` after the end.
fn ending(port: u16, steps: &[Step], words: &[u64], patience: Duration) -> Ending {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut said, mut end, mut finished) = (Vec::new(), "open", false);
    for step in steps {
        match step {
            // A server that gave up early is seen when it is read from.
            Step::Say(octets) => drop(stream.write_all(octets)),
            Step::Pause => listen(&mut stream, &mut said, &mut end, Duration::from_millis(400)),
            Step::Fin => {
                finished = true;
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    }
    let begun = Instant::now();
    listen(&mut stream, &mut said, &mut end, patience);
    let after = begun.elapsed().as_millis();
    let over = Instant::now();
    let mut refused = Vec::new();
    if end == "fin" && !finished {
        for &word in words {
            thread::sleep(Duration::from_millis(word).saturating_sub(over.elapsed()));
            let sent = stream.write_all(b"x");
            thread::sleep(ECHO);
            refused.push(sent.is_err() || stream.take_error().unwrap().is_some());
        }
    }
    let line = said.split(|&octet| octet == b'\r').next().unwrap_or(&[]).escape_ascii().to_string();
    Ending { said: line, end, after, refused }
}

fn listen(stream: &mut TcpStream, said: &mut Vec<u8>, end: &mut &'static str, patience: Duration) {
    let until = Instant::now() + patience;
    let mut octets = [0; 8192];
    while *end == "open" {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut octets) {
            Ok(0) => *end = "fin",
            Ok(count) => said.extend_from_slice(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(_) => *end = "rst",
        }
    }
}

/// What clients do until the server ends, by name.
fn clients() -> Vec<(&'static str, Vec<Step>)> {
    let say = |text: &str| Step::Say(text.as_bytes().to_vec());
    let one = |text: &str| vec![say(text)];
    let then = |text: &str, step: Step| vec![say(text), step];
    let host = "Host: decoy\r\n";
    let get = format!("GET / HTTP/1.1\r\n{host}");
    let post = format!("POST /nothing HTTP/1.1\r\n{host}");
    let long = "a".repeat(9000);
    vec![
        ("a page, and close", one(&format!("{get}Connection: close\r\n\r\n"))),
        ("a page for HTTP/1.0", one("GET / HTTP/1.0\r\n\r\n")),
        ("nothing there, and close", one(&format!("GET /nothing HTTP/1.1\r\n{host}Connection: close\r\n\r\n"))),
        ("HEAD, and close", one(&format!("HEAD / HTTP/1.1\r\n{host}Connection: close\r\n\r\n"))),
        ("a page, and silence", one(&format!("{get}\r\n"))),
        ("two pages, the first to close", one(&format!("{get}Connection: close\r\n\r\n{get}\r\n"))),
        ("a page and half of another", one(&format!("{get}\r\nGET / HT"))),
        ("no line of a request", one("what is this\r\n\r\n")),
        ("half a wrong line", one("get /")),
        ("no line, and a page behind it", one(&format!("what is this\r\n\r\n{get}\r\n"))),
        ("no host", one("GET / HTTP/1.1\r\n\r\n")),
        ("no host, and a page behind it", one(&format!("GET / HTTP/1.1\r\n\r\n{get}\r\n"))),
        ("a wrong host", one("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")),
        ("a wrong host and no more", one("GET / HTTP/1.1\r\nHost: a/b\r\n")),
        ("a wrong length", one(&format!("{post}Content-Length: x\r\n\r\n"))),
        ("HTTP/2.0", one(&format!("GET / HTTP/2.0\r\n{host}\r\n"))),
        ("HTTP/1.2", one(&format!("GET / HTTP/1.2\r\n{host}Connection: close\r\n\r\n"))),
        ("an unknown method", one(&format!("JUMP / HTTP/1.1\r\n{host}\r\n"))),
        ("an unknown method, and close", one(&format!("JUMP / HTTP/1.1\r\n{host}Connection: close\r\n\r\n"))),
        ("TRACE", one(&format!("TRACE / HTTP/1.1\r\n{host}\r\n"))),
        ("a wrong escape", one(&format!("GET /%zz HTTP/1.1\r\n{host}\r\n"))),
        ("a line above the root", one("GET /../../x HTTP/1.1\r\n")),
        ("above the root", one(&format!("GET /../../x HTTP/1.1\r\n{host}\r\n"))),
        ("a long target", one(&format!("GET /{long} HTTP/1.1\r\n{host}\r\n"))),
        ("a long field", one(&format!("{get}X: {long}\r\n\r\n"))),
        ("long fields without end", one(&format!("{get}{}", format!("X: {}\r\n", "a".repeat(4000)).repeat(12)))),
        ("many fields", one(&format!("{get}{}\r\n", "X: y\r\n".repeat(200)))),
        ("an unknown coding", one(&format!("{post}Transfer-Encoding: rot13\r\n\r\n"))),
        ("an unknown expectation", one(&format!("{post}Expect: wonders\r\nContent-Length: 5\r\n\r\nabcde"))),
        ("a body, and close", one(&format!("{post}Connection: close\r\nContent-Length: 5\r\n\r\nabcde"))),
        (
            "a body that comes late, and close",
            vec![say(&format!("{post}Connection: close\r\nContent-Length: 5\r\n\r\n")), Step::Pause, say("abcde")],
        ),
        ("a body, and silence", one(&format!("{post}Content-Length: 5\r\n\r\nabcde"))),
        ("half a body", one(&format!("{post}Content-Length: 50\r\n\r\nabcde"))),
        ("half a body, and close", one(&format!("{post}Connection: close\r\nContent-Length: 50\r\n\r\nabcde"))),
        ("a body for a page", one(&format!("POST / HTTP/1.1\r\n{host}Content-Length: 5\r\n\r\nabcde"))),
        ("half a body for a page", one(&format!("POST / HTTP/1.1\r\n{host}Content-Length: 50\r\n\r\nabcde"))),
        ("half a body with GET", one(&format!("{get}Content-Length: 50\r\n\r\nabcde"))),
        ("a body with GET, and close", one(&format!("{get}Connection: close\r\nContent-Length: 5\r\n\r\nabcde"))),
        ("a body and more, and close", one(&format!("{get}Connection: close\r\nContent-Length: 5\r\n\r\nabcdefgh"))),
        ("a body that is too long", one(&format!("{post}Content-Length: 20000000\r\n\r\nabcde"))),
        (
            "a long body",
            vec![say(&format!("{post}Connection: close\r\nContent-Length: 90000\r\n\r\n{}", "a".repeat(90_000)))],
        ),
        ("chunks, and close", one(&format!("{post}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))),
        ("half of chunks", one(&format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\nab"))),
        ("wrong chunks", one(&format!("{post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"))),
        (
            "wrong chunks that come late",
            vec![say(&format!("{post}Transfer-Encoding: chunked\r\n\r\n")), Step::Pause, say("xyz\r\n\r\n")],
        ),
        ("the end at once", vec![Step::Fin]),
        ("the end in the line", then("GET / HT", Step::Fin)),
        ("the end in the fields", then(&get, Step::Fin)),
        ("the end behind a page", then(&format!("{get}\r\n"), Step::Fin)),
        ("the end behind a page to close", then(&format!("{get}Connection: close\r\n\r\n"), Step::Fin)),
        ("the end after a page", vec![say(&format!("{get}\r\n")), Step::Pause, Step::Fin]),
        ("the end in a body", then(&format!("{post}Content-Length: 50\r\n\r\nabcde"), Step::Fin)),
        ("the end in a body with GET", then(&format!("{get}Content-Length: 50\r\n\r\nabcde"), Step::Fin)),
        ("the end in chunks", then(&format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\nab"), Step::Fin)),
        ("the end behind what is wrong", then("what is this\r\n\r\n", Step::Fin)),
    ]
}

/// Clients whose ends are so late that only the soak awaits them.
fn slow_clients() -> Vec<(&'static str, Vec<Step>)> {
    let say = |text: &str| vec![Step::Say(text.as_bytes().to_vec())];
    // For half a minute, one octet at a time.
    let drops = |text: &str| {
        let mut steps = say(text);
        steps.extend((0..70).flat_map(|_| [Step::Pause, Step::Say(b"a".to_vec())]));
        steps
    };
    vec![
        ("nothing at all", vec![]),
        ("a head in drops", drops("GET / HTTP/1.1\r\nHost: decoy\r\nX: ")),
        ("a body in drops", drops("POST / HTTP/1.1\r\nHost: decoy\r\nContent-Length: 500\r\n\r\n")),
        (
            "an unknown expectation and no body",
            say("POST /nothing HTTP/1.1\r\nHost: decoy\r\nExpect: wonders\r\nContent-Length: 5\r\n\r\n"),
        ),
        ("half a line", say("GET / HT")),
        ("half the fields", say("GET / HTTP/1.1\r\nHost: decoy\r\n")),
        ("a page, and long silence", say("GET / HTTP/1.1\r\nHost: decoy\r\n\r\n")),
        ("half a body, and long silence", say("POST / HTTP/1.1\r\nHost: decoy\r\nContent-Length: 50\r\n\r\nabcde")),
    ]
}

struct Pair {
    ours: Server,
    real: Daemon,
}

impl Pair {
    fn new(name: &str, real: impl FnOnce(&str) -> Daemon) -> Self {
        let page = set_up(name, 80).pages[0].body.clone();
        let real = real(&page);
        let spec = set_up(name, real.port);
        Self { ours: Server::with(ServiceSpec::new(name, kind(spec)), &[]), real }
    }

    fn compare(&self, clients: &[(&str, Vec<Step>)], words: &[&[u64]], patience: Duration) {
        let all: Vec<_> = clients.iter().flat_map(|client| words.iter().map(move |words| (client, *words))).collect();
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(((name, steps), words)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Some(told) = self.difference(steps, words, patience) {
                            wrong.lock().unwrap().push(format!("{name}, {words:?}: {told}"));
                        }
                    }
                });
            }
        });
        let mut wrong = wrong.into_inner().unwrap();
        wrong.sort_unstable();
        assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    }

    fn difference(&self, steps: &[Step], words: &[u64], patience: Duration) -> Option<String> {
        let (mut of_ours, mut of_real) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..TRIES {
            let (ours, real) = thread::scope(|scope| {
                let ours = scope.spawn(|| ending(self.ours.port, steps, words, patience));
                let real = ending(self.real.port, steps, words, patience);
                (ours.join().unwrap(), real)
            });
            of_ours.insert(ours);
            of_real.insert(real);
            if of_ours.iter().any(|ours| of_real.iter().any(|real| ours.is_like(real))) {
                return None;
            }
        }
        Some(format!("\n  ours {of_ours:?}\n  real {of_real:?}"))
    }
}

fn nginx() -> Pair {
    Pair::new("nginx-1.22.1-debian12", real::nginx)
}

fn apache() -> Pair {
    Pair::new("apache-2.4.71-debian12", real::apache)
}

/// HTTP/2 without TLS, until the server ends.
fn clients_of_two() -> Vec<(&'static str, Vec<Step>)> {
    let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let then = |more: &[u8]| vec![Step::Say([&start[..], more].concat())];
    let wrong = b"\0\0\x04\x06\0\0\0\0\x001234";
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    vec![
        ("HTTP/2, and silence", then(b"")),
        ("HTTP/2, and a wrong ping", then(wrong)),
        ("HTTP/2, a wrong ping and more", then(&[&wrong[..], &[0; 50]].concat())),
        ("HTTP/2, and GOAWAY", then(goaway)),
        ("HTTP/2, and the end", [then(b""), vec![Step::Fin]].concat()),
    ]
}

fn lighttpd() -> Pair {
    Pair::new("lighttpd-1.4.69-debian12", real::lighttpd)
}

fn soak(pair: &Pair) {
    pair.compare(&clients(), &WORDS_LONG_AFTER, PATIENCE);
    pair.compare(&slow_clients(), &[&[300], &[4000]], LONG_PATIENCE);
}

#[test]
fn connections_end_as_nginx_ends_them() {
    nginx().compare(&clients(), &WORDS_AFTER, PATIENCE);
}

#[test]
fn connections_end_as_apache_ends_them() {
    apache().compare(&clients(), &WORDS_AFTER, PATIENCE);
}

#[test]
fn connections_end_as_lighttpd_ends_them() {
    lighttpd().compare(&[clients(), clients_of_two()].concat(), &WORDS_AFTER, PATIENCE);
}

#[test]
#[ignore = "soak: minutes"]
fn soak_connections_end_as_nginx_ends_them_in_the_long_run() {
    soak(&nginx());
}

#[test]
#[ignore = "soak: minutes"]
fn soak_connections_end_as_apache_ends_them_in_the_long_run() {
    soak(&apache());
}

#[test]
#[ignore = "soak: minutes"]
fn soak_connections_end_as_lighttpd_ends_them_in_the_long_run() {
    soak(&lighttpd());
}
