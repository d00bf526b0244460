//! HTTP/2 beside the real servers: the same frames for the same frames, to the octet, and what real clients print.

mod daemon;
mod frames;
mod hellos;
mod real;
mod secure;
mod server;
mod table;

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use chaff_services::{ServiceSpec, TlsSpec};
use daemon::Daemon;
use frames::{Case, Step};
use server::Server;

/// Conversations at the same time: most of their time they wait for silence.
const AT_ONCE: usize = 8;
/// Silence after which nothing more is awaited. A busy machine is slow to answer: what differs is asked again.
const SILENCES_MS: [u64; 5] = [300, 500, 900, 1500, 1500];
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A pause of a slow client; how long a silent one waits for its end; and how many seconds apart is at the same time.
const SLOW: Duration = Duration::from_secs(10);
const LONG_SILENCE: Duration = Duration::from_secs(420);
const NEAR_S: u64 = 3;
/// Of the table, each row of this many in the ordinary run.
const SAMPLE: usize = 5;

/// Clients that are answered otherwise by the real server, and why that is left so.
const LEFT: [(&str, &str); 0] = [];

/// A product and the real one that it claims to be.
struct Pair {
    name: &'static str,
    secure: bool,
    ours: Server,
    real: Daemon,
}

impl Pair {
    fn new(name: &'static str, real: impl FnOnce(&str) -> Daemon) -> Self {
        let plain = name.strip_suffix("-http2").or_else(|| name.strip_suffix("-tls")).unwrap();
        let real = real(&table::set_up(plain, 443).pages[0].body);
        // Redirects of nginx name its own port; pages of Apache that of the scheme, if the client names none.
        let spec = table::set_up(plain, if plain.starts_with("nginx") { real.port } else { 0 });
        let file: toml::Table = toml::from_str(&text("services", name)).unwrap();
        let base = file["tls"]["base"].as_str().unwrap();
        let mut tls: TlsSpec = toml::from_str(&text("tls", base)).unwrap();
        if let Some(alpn) = file["tls"].get("alpn") {
            tls.alpn = alpn.clone().try_into().unwrap();
        }
        Self { name, secure: true, ours: secure::behind(name, tls, table::kind(spec)), real }
    }

    /// Without TLS.
    fn clear(name: &'static str, real: impl FnOnce(&str) -> Daemon) -> Self {
        let real = real(&table::set_up(name, 80).pages[0].body);
        let ours = Server::with(ServiceSpec::new(name, table::kind(table::set_up(name, 80))), &[]);
        Self { name, secure: false, ours, real }
    }

    /// The table without what is left.
    fn table(&self) -> Vec<Case> {
        self.without_left(frames::table(self.name))
    }

    fn without_left(&self, cases: Vec<Case>) -> Vec<Case> {
        let is_left = |case: &Case| {
            let product = self.name.split('-').next().unwrap();
            LEFT.iter().any(|(name, _)| *name == format!("{product} {}", case.name))
        };
        cases.into_iter().filter(|case| !is_left(case)).collect()
    }

    fn compare(&self, cases: &[Case]) {
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut told = None;
                        for silence in SILENCES_MS {
                            let (ours, real) = thread::scope(|scope| {
                                let real = scope.spawn(|| self.converse(self.real.port, case, silence));
                                (self.converse(self.ours.port, case, silence), real.join().unwrap())
                            });
                            let speaks = !self.secure || real.0.len() > 20;
                            assert!(speaks, "{}: the real one says nothing: {real:?}", case.name);
                            let (ours, real) = (frames::show(&ours), frames::show(&real));
                            told = (ours != real).then_some((ours, real));
                            if told.is_none() {
                                break;
                            }
                        }
                        if let Some((ours, real)) = told {
                            wrong.lock().unwrap().push(format!("== {}\n--- ours\n{ours}--- real\n{real}", case.name));
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{}: {} of {} differ:\n{}", self.name, wrong.len(), cases.len(), wrong.join("\n"));
    }

    fn converse(&self, port: u16, case: &Case, silence: u64) -> (Vec<u8>, bool) {
        if self.secure {
            return converse(port, case, silence);
        }
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let said = heard(stream.try_clone().unwrap());
        talk(&stream, &said, Vec::new(), case, silence)
    }

    /// The clients that are silent or slow, all at a time: what is said to each, when, and when it is left.
    fn compare_silences(&self) {
        let wrong = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for case in frames::silences() {
                let wrong = &wrong;
                scope.spawn(move || {
                    let [ours, real] = thread::scope(|scope| {
                        [self.ours.port, self.real.port]
                            .map(|port| {
                                scope.spawn({
                                    let case = &case;
                                    move || in_time(port, case)
                                })
                            })
                            .map(|one| one.join().unwrap())
                    });
                    let alike = ours.len() == real.len()
                        && ours
                            .iter()
                            .zip(&real)
                            .all(|(one, other)| one.1 == other.1 && one.0.abs_diff(other.0) <= NEAR_S);
                    if !alike {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("== {}\n--- ours\n{ours:#?}\n--- real\n{real:#?}", case.name));
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{}: {} differ:\n{}", self.name, wrong.len(), wrong.join("\n"));
    }

    /// What curl prints of some requests, without what is time or a tag made of an inode.
    fn same_with_curl(&self, how: &str) {
        let cases: [&[&str]; 8] = [
            &["/"],
            &["/none"],
            &["-I", "/"],
            &["-H", "Accept-Encoding: gzip", "-o", "/dev/null", "/"],
            &["-X", "FOO", "/"],
            &["-X", "OPTIONS", "/"],
            &["-r", "0-9,40-49", "/"],
            &["/assets"],
        ];
        // None has a body: whether the reset of what is still uploaded comes before the answer is read is chance.
        for case in cases {
            let [ours, real] = [self.ours.port, self.real.port].map(|port| {
                let (path, words) = case.split_last().unwrap();
                let to = format!("nav-1:{port}:127.0.0.1");
                let url = format!("{}://nav-1:{port}{path}", if self.secure { "https" } else { "http" });
                let words = [&["-skv", how, "--max-time", "20", "--resolve", &to, &url], words].concat();
                printed(&secure::run("curl", &words).1)
                    .replace(&self.real.port.to_string(), "{port}")
                    .replace(&self.ours.port.to_string(), "{port}")
            });
            assert_eq!(ours, real, "{}: {case:?}", self.name);
            // A refusal of what asks for an upgrade is one of HTTP/1.
            assert!(ours.contains("< HTTP/2 ") || ours.contains("< HTTP/1.1 501 ") && !self.secure, "{ours}");
        }
    }
}

/// Lines of curl about the answer, and the answer.
fn printed(said: &str) -> String {
    let own = ["date: ", "etag: ", "content-length: ", "boundary="];
    // HTTP/1 says its time as `Date`; its length is compared.
    let is_told = |line: &&str| {
        !line.starts_with(['*', '>', '{', '}'])
            && !line.starts_with("< Date: ")
            && !own.iter().any(|word| line.contains(word))
    };
    let line = |line: &str| match line.strip_prefix("< allow: ") {
        Some(methods) => {
            let mut words: Vec<_> = methods.trim().split(',').map(str::trim).collect();
            words.sort_unstable();
            format!("< allow: {}\n", words.join(","))
        }
        None if line.starts_with("--") => "{boundary}\n".into(),
        None => format!("{line}\n"),
    };
    said.lines().filter(is_told).map(line).collect()
}

fn text(folder: &str, name: &str) -> String {
    std::fs::read_to_string(table::root().join("profiles").join(folder).join(format!("{name}.toml"))).unwrap()
}

/// A client of TLS that has connected: its program, what it is told to say, and what it hears.
fn connect(port: u16) -> (Child, ChildStdin, mpsc::Receiver<Vec<u8>>) {
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-alpn", "h2", "-servername", "nav-1", "-connect", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (input, output) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    (client, input, heard(output))
}

/// What a server sends to one client of TLS, and whether it has then ended.
fn converse(port: u16, case: &Case, silence: u64) -> (Vec<u8>, bool) {
    let (mut client, input, said) = connect(port);
    // Each of these servers begins to speak when the handshake is over.
    let first = said.recv_timeout(PATIENCE).unwrap_or_default();
    let told = talk(input, &said, first, case, silence);
    let _ = client.kill();
    let _ = client.wait();
    told
}

/// What is read of a server, by a thread of its own.
fn heard(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let mut octets = [0; 16_384];
        while let Ok(count) = from.read(&mut octets)
            && count > 0
            && sender.send(octets[..count].to_vec()).is_ok()
        {}
    });
    said
}

/// A client's steps: all that came from the first octets on, and whether the server has then ended.
fn talk(
    mut to: impl Write,
    said: &mpsc::Receiver<Vec<u8>>,
    mut all: Vec<u8>,
    case: &Case,
    silence: u64,
) -> (Vec<u8>, bool) {
    let mut ended = false;
    let listen = |silence: u64, all: &mut Vec<u8>| {
        loop {
            match said.recv_timeout(Duration::from_millis(silence)) {
                Ok(octets) => all.extend(octets),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            }
        }
    };
    for step in &case.steps {
        match step {
            // Who has ended is heard of when it is read from.
            Step::Say(octets) => drop(to.write_all(octets).and_then(|()| to.flush())),
            Step::Pause => ended |= listen(silence, &mut all),
        }
    }
    ended |= ended || listen(silence + 300, &mut all);
    (all, ended)
}

/// What is said to a client, each time with the second since its first word, and whether the server has then ended.
fn in_time(port: u16, case: &Case) -> Vec<(u64, String)> {
    let (mut client, mut input, said) = connect(port);
    // When the handshake is over.
    let mut told: Vec<(u64, Vec<u8>, bool)> = vec![(0, said.recv_timeout(PATIENCE).unwrap_or_default(), false)];
    let begun = Instant::now();
    let mut listen = |time: Duration| {
        let until = Instant::now() + time;
        loop {
            let heard = said.recv_timeout(until.saturating_duration_since(Instant::now()));
            let now = begun.elapsed().as_secs();
            let last = told.last_mut().unwrap();
            match heard {
                Ok(octets) if now - last.0 <= NEAR_S => last.1.extend(octets),
                Ok(octets) => told.push((now, octets, false)),
                Err(mpsc::RecvTimeoutError::Timeout) => return,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    if now - last.0 > NEAR_S {
                        told.push((now, Vec::new(), true));
                    }
                    told.last_mut().unwrap().2 = true;
                    return;
                }
            }
        }
    };
    for step in &case.steps {
        match step {
            Step::Say(octets) => drop(input.write_all(octets).and_then(|()| input.flush())),
            Step::Pause => listen(SLOW),
        }
    }
    listen(LONG_SILENCE.saturating_sub(begun.elapsed()));
    let _ = client.kill();
    let _ = client.wait();
    told.into_iter().map(|(second, octets, ended)| (second, frames::show(&(octets, ended)))).collect()
}

fn nginx() -> Pair {
    Pair::new("nginx-1.22.1-debian12-http2", real::nginx_http2)
}

fn apache() -> Pair {
    Pair::new("apache-2.4.71-debian12-http2", real::apache_http2)
}

fn lighttpd() -> Pair {
    Pair::new("lighttpd-1.4.69-debian12-tls", real::lighttpd_tls)
}

fn lighttpd_in_clear() -> Pair {
    Pair::clear("lighttpd-1.4.69-debian12", real::lighttpd)
}

/// Every so many rows of the table.
fn sample(pair: &Pair) {
    let rows: Vec<_> = pair.table().into_iter().step_by(SAMPLE).collect();
    pair.compare(&rows);
    pair.same_with_curl("--http2");
}

#[test]
fn frames_are_answered_as_nginx_answers_them() {
    sample(&nginx());
}

#[test]
fn frames_are_answered_as_apache_answers_them() {
    sample(&apache());
}

#[test]
fn frames_are_answered_as_lighttpd_answers_them() {
    sample(&lighttpd());
}

/// To who begins with HTTP/2, and to who asks for it.
#[test]
fn frames_in_clear_are_answered_as_lighttpd_answers_them() {
    let pair = lighttpd_in_clear();
    sample(&pair);
    pair.same_with_curl("--http2-prior-knowledge");
    pair.compare(&pair.without_left(frames::upgrades()));
}

#[test]
#[ignore = "soak: the whole table of frames, beside lighttpd without TLS"]
fn soak_all_frames_in_clear_are_answered_as_lighttpd_answers_them() {
    let pair = lighttpd_in_clear();
    pair.compare(&pair.table());
}

#[test]
#[ignore = "soak: the whole table of frames, beside lighttpd"]
fn soak_all_frames_are_answered_as_lighttpd_answers_them() {
    let pair = lighttpd();
    pair.compare(&pair.table());
}

#[test]
#[ignore = "soak: the whole table of frames, beside nginx"]
fn soak_all_frames_are_answered_as_nginx_answers_them() {
    let pair = nginx();
    pair.compare(&pair.table());
}

#[test]
#[ignore = "soak: the whole table of frames, beside Apache"]
fn soak_all_frames_are_answered_as_apache_answers_them() {
    let pair = apache();
    pair.compare(&pair.table());
}

#[test]
#[ignore = "soak: seven minutes of silence"]
fn soak_silence_ends_as_at_the_real_ones() {
    thread::scope(|scope| {
        for pair in [nginx(), apache(), lighttpd()] {
            scope.spawn(move || pair.compare_silences());
        }
    });
}
