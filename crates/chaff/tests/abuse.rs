//! What nobody sends who means to be served, at the doors of running decoys with real products: endless names, half a
//! handshake and then silence, a thousand idle connections, an octet at a time, nonsense, a body of a gigabyte. Each is
//! observed and answered as the product does, the memory of the processes is bounded, and others are served meanwhile.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use chaff_testkit::{
    network::{Network, alone, run, run_any},
    office,
    process::Chaff,
};
use rustix::process::{Resource, Rlimit};
use serde_json::Value;

const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "web-server"
addresses = ["10.20.0.1"]

[[network.decoys]]
profile   = "wlan-router"
addresses = ["10.20.0.2"]

[[network.decoys]]
profile   = "cisco-switch"
addresses = ["10.20.0.3"]

[[network.decoys]]
profile   = "apache-server"
addresses = ["10.20.0.4"]
"#
);

/// OpenSSH 9.2, nginx 1.22.1, the same behind TLS.
const WEB: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
/// A page with a form.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 2);
/// Basic, by Cisco IOS.
const CISCO: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 3);
/// Apache 2.4.
const APACHE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 4);

/// By how much any process of Chaff's may grow, whatever is sent.
const GROWTH_KIB: u64 = 48 * 1024;
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long others may wait meanwhile.
const PROMPT: Duration = Duration::from_secs(5);
/// Octets of a name that is kept of it: `message::MAX_CREDENTIAL`.
const KEPT: usize = 16 << 10;
/// Connections that one source may have with one decoy: `admission::MAX_CONNECTIONS_PER_PAIR`.
const PER_PAIR: usize = 1_024;
/// Options of curl: quiet, bounded.
const CURL: [&str; 4] = ["-sk", "--max-time", "60", "-o/dev/null"];

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

/// Runs `test` beside a fleet, and looks at what it left: no process has grown beyond its bound or died.
fn with_fleet(name: &str, test: impl FnOnce(&Network, &Chaff)) {
    alone(name, || {
        let (folder, network) = (tempfile::tempdir().unwrap(), Network::new());
        network.atk.link("lo").up().unwrap();
        let chaff = Chaff::start(binary(), &network, folder.path(), CONFIG);
        // Keys and certificates, which are made at the first question and kept.
        others_are_served(&network);
        let before = resident(&chaff);
        test(&network, &chaff);
        bounded(&chaff, &before);
        others_are_served(&network);
    });
}

/// Resident memory of each process of Chaff's, in KiB.
fn resident(chaff: &Chaff) -> Vec<(u32, u64)> {
    let mut all: Vec<(u32, u64)> = chaff.processes().into_iter().map(|id| (id, resident_kib(id))).collect();
    all.sort_unstable();
    assert!(all.len() >= 3, "supervisor, hub and worker: {all:?}");
    all
}

fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

fn bounded(chaff: &Chaff, before: &[(u32, u64)]) {
    let after = resident(chaff);
    assert_eq!(before.iter().map(|one| one.0).collect::<Vec<_>>(), after.iter().map(|one| one.0).collect::<Vec<_>>());
    for ((id, before), (_, after)) in before.iter().zip(&after) {
        assert!(after.saturating_sub(*before) < GROWTH_KIB, "process {id}: {before} KiB before, {after} after");
    }
}

/// Another client, of another address, gets the card, the page and the page behind TLS.
fn others_are_served(network: &Network) {
    let begun = Instant::now();
    network.twin.enter(|| assert!(greeting(WEB).starts_with("SSH-2.0-OpenSSH_9.2p1"), "SSH")).unwrap();
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{WEB}/");
        let words = [&CURL[..], &["-w", "%{http_code}", &url]].concat();
        assert_eq!(run(&network.twin, 60, "curl", &words), "200", "{scheme}");
    }
    assert!(begun.elapsed() < 3 * PROMPT, "{:?}", begun.elapsed());
}

/// The line by which an SSH server begins.
fn greeting(ip: Ipv4Addr) -> String {
    let mut stream = connect(ip, 22);
    let mut line = [0; 64];
    let length = stream.read(&mut line).unwrap_or(0);
    String::from_utf8_lossy(&line[..length]).into_owned()
}

fn connect(ip: Ipv4Addr, port: u16) -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((ip, port)), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server closes or resets.
fn rest(stream: &mut TcpStream) -> String {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut part) {
        all.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends `octets`, as far as the server takes them, and returns the answer.
fn ask(ip: Ipv4Addr, port: u16, octets: &[u8]) -> String {
    let mut stream = connect(ip, port);
    // It may close before it has read all.
    let _ = stream.write_all(octets);
    let _ = stream.shutdown(Shutdown::Write);
    rest(&mut stream)
}

/// Waits until something observed is as it should be.
fn observed(chaff: &Chaff, what: &str, is: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    while !chaff.events().iter().any(&is) {
        assert!(begun.elapsed() < PATIENCE, "{what} was not observed: {}", kinds(chaff));
        thread::sleep(Duration::from_millis(200));
    }
}

/// Whether an observation is a login at `ip` whose field is the beginning of `whole`, and as much of it as is kept.
fn is_login(event: &Value, ip: Ipv4Addr, field: &str, whole: &str, kept: usize) -> bool {
    let told = event["detail"][field].as_str().unwrap_or_default();
    event["kind"] == "credential"
        && event["decoy"]["ip"] == ip.to_string()
        && told.len() >= kept.min(whole.len())
        && whole.starts_with(told)
}

/// What was observed, shortly.
fn kinds(chaff: &Chaff) -> String {
    let short = |event: &Value| {
        let text = format!("{} {} {} {}", event["decoy"]["ip"], event["port"], event["kind"], event["detail"]);
        text.chars().take(300).collect::<String>()
    };
    chaff.events().iter().map(short).collect::<Vec<_>>().join("\n")
}

#[test]
fn names_of_64_kilobytes_are_refused_and_told() {
    with_fleet("names_of_64_kilobytes_are_refused_and_told", |network, chaff| {
        let name = "n".repeat(64 << 10);
        let target = WEB.to_string();
        let words = ["-F/dev/null", "-oUserKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=no", "-oBatchMode=yes"];
        let words = [&words[..], &["-l", &name, &target, "id"]].concat();
        let said = run_any(&network.atk, 60, "ssh", &words);
        assert_eq!(said.status.code(), Some(255), "{said:?}");
        // It says `NAME@10.20.0.1: Permission denied`, as much of it as fits a kilobyte.
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("nnnn") && !said.contains("Connection "), "{said}");
        observed(chaff, "the name by SSH", |event| is_login(event, WEB, "username", &name, KEPT));

        let form = format!("username={name}&password=secret");
        let request = format!(
            "POST /cgi-bin/login HTTP/1.1\r\nHost: {ROUTER}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        let answer = network.atk.enter(|| ask(ROUTER, 80, request.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        observed(chaff, "the form", |event| {
            event["decoy"]["ip"] == ROUTER.to_string() && event.to_string().contains("username=nnnn")
        });

        // What fits the buffer of a header is a login, and told as a whole.
        let name = "n".repeat(3 * 1024);
        let login = format!("GET / HTTP/1.0\r\nAuthorization: Basic {}OnM=\r\n\r\n", "bm5u".repeat(1024));
        let answer = network.atk.enter(|| ask(CISCO, 80, login.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
        observed(chaff, "the name by Basic", |event| is_login(event, CISCO, "username", &name, name.len()));

        let login =
            format!("GET / HTTP/1.1\r\nHost: {CISCO}\r\nAuthorization: Basic {}\r\n\r\n", "bm5u".repeat(22_000));
        let answer = network.atk.enter(|| ask(CISCO, 80, login.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains(" 200 "), "{answer}");
        observed(chaff, "the request with Basic", |event| {
            event["decoy"]["ip"] == CISCO.to_string() && event.to_string().contains("Authorization: Basic bm5u")
        });
    });
}

/// Half of an identification and half of a packet; half of a hello.
#[test]
fn half_a_handshake_and_silence_is_waited_for() {
    with_fleet("half_a_handshake_and_silence_is_waited_for", |network, chaff| {
        let held = network.atk.enter(|| half_handshakes(20)).unwrap();
        thread::sleep(Duration::from_secs(2));
        others_are_served(network);
        for (mut stream, port) in held {
            stream.set_nonblocking(true).unwrap();
            let mut octet = [0];
            let waits = stream.read(&mut octet).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(waits, "{port} was closed, or answered");
        }
        observed(chaff, "a connection", |event| event["kind"] == "tcp.connect" && event["port"] == 443);
    });
}

/// As sshd and nginx do as delivered: `LoginGraceTime` of two minutes, a minute for the first request.
#[test]
#[ignore = "soak: two minutes"]
fn soak_who_stays_silent_is_closed_in_time() {
    with_fleet("soak_who_stays_silent_is_closed_in_time", |network, _| {
        let begun = Instant::now();
        let held = network.atk.enter(|| half_handshakes(3)).unwrap();
        for (mut stream, port) in held {
            stream.set_read_timeout(Some(Duration::from_secs(180))).unwrap();
            let _ = rest(&mut stream);
            // Those of the other port were opened at the same time, and are read later.
            let least = if port == 22 { 118 } else { 58 };
            let (least, took) = (Duration::from_secs(least), begun.elapsed());
            assert!(took >= least && took < Duration::from_secs(140), "{port}: {took:?}");
        }
    });
}

/// Connections of SSH that say half a packet, and of TLS that say half a hello; what was said to them is read.
fn half_handshakes(each: usize) -> Vec<(TcpStream, u16)> {
    // A hello of 512 octets is announced, a KEXINIT of 1,020.
    let halves: [(u16, &[u8]); 2] = [
        (443, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half a hello"),
        (22, b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\x00\x03\xfc\x06\x14half a KEXINIT"),
    ];
    let mut held = Vec::new();
    for (port, half) in halves {
        // No more of SSH than it lets in before the login (`MaxStartups`).
        for _ in 0..if port == 22 { each.min(5) } else { each } {
            let mut stream = connect(WEB, port);
            stream.write_all(half).unwrap();
            if port == 22 {
                // Its line and its KEXINIT, after which nothing comes.
                stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                assert!(rest(&mut stream).starts_with("SSH-2.0-"));
            }
            held.push((stream, port));
        }
    }
    held
}

#[test]
fn a_thousand_idle_connections_are_held_and_others_served() {
    with_fleet("a_thousand_idle_connections_are_held_and_others_served", |network, chaff| {
        let held: Vec<TcpStream> = network
            .atk
            .enter(|| (0..1_000).map(|n| connect(WEB, if n % 2 == 0 { 80 } else { 443 })).collect())
            .unwrap();
        others_are_served(network);
        // A further one is served as well, and what is held is still open.
        let answer = network.atk.enter(|| ask(WEB, 80, b"GET / HTTP/1.0\r\n\r\n")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let mut first = &held[0];
        first.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert!(rest(&mut held[0].try_clone().unwrap()).starts_with("HTTP/1.1 200 OK"));
        let before = resident(chaff);
        drop(held);
        observed(chaff, "the end of a connection", |event| event["kind"] == "tcp.close");
        bounded(chaff, &before);

        // Of SSH all are taken by the system, and those beyond a hundred turned away, as sshd does (`MaxStartups`).
        let held = network.atk.enter(|| (0..400).map(|_| connect(WEB, 22)).collect::<Vec<_>>()).unwrap();
        let mut greeted = 0;
        for stream in held {
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let mut line = [0; 64];
            let length = (&stream).read(&mut line).unwrap_or(0);
            greeted += usize::from(line[..length].starts_with(b"SSH-2.0-OpenSSH_9.2"));
        }
        assert!(greeted < 400, "{greeted} were greeted");
        assert!(greeted >= 10, "{greeted} were greeted");
    });
}

/// What waits beyond it waits as in a full queue of connections: it is served once another has ended.
#[test]
fn one_source_has_its_part_of_a_decoy_and_others_find_room() {
    with_fleet("one_source_has_its_part_of_a_decoy_and_others_find_room", |network, _| {
        // Some users may open no more files than that.
        let most = rustix::process::getrlimit(Resource::Nofile).maximum;
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
        let mut held = network.atk.enter(|| (0..PER_PAIR).map(|_| connect(WEB, 80)).collect::<Vec<_>>()).unwrap();
        let mut beyond = network.atk.enter(|| connect(WEB, 443)).unwrap();
        beyond.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        beyond.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        assert!(beyond.read(&mut [0]).is_err(), "one more was served");
        others_are_served(network);
        held.truncate(PER_PAIR / 2);
        beyond.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = rest(&mut beyond);
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n"), "{answer}");
    });
}

/// Passes on what a client says, an octet at a time, and what the server says as it comes.
fn drip(network: &Network, ip: Ipv4Addr, port: u16, pause: Duration) -> u16 {
    let listener = network.atk.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let at = listener.local_addr().unwrap().port();
    // It ends with the client.
    let serve = move || {
        let (client, _) = listener.accept().unwrap();
        let server = connect(ip, port);
        server.set_nodelay(true).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let slowly = thread::spawn(move || {
            let mut octet = [0];
            while let Ok(1..) = from.read(&mut octet) {
                if to.write_all(&octet).is_err() {
                    break;
                }
                thread::sleep(pause);
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut &server, &mut &client);
        let _ = client.shutdown(Shutdown::Both);
        slowly.join().unwrap();
    };
    network.atk.spawn(serve).unwrap();
    at
}

#[test]
fn who_sends_an_octet_at_a_time_is_served() {
    with_fleet("who_sends_an_octet_at_a_time_is_served", |network, chaff| {
        let pause = Duration::from_millis(1);
        let port = drip(network, WEB, 80, 10 * pause).to_string();
        let words = [&CURL[..], &["-w", "%{http_code}"]].concat();
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(run(&network.atk, 60, "curl", &[&words[..], &[&url]].concat()), "200");
        others_are_served(network);

        let url = format!("https://127.0.0.1:{}/", drip(network, WEB, 443, pause));
        assert_eq!(run(&network.atk, 60, "curl", &[&words[..], &[&url]].concat()), "200");

        let port = drip(network, WEB, 22, pause).to_string();
        let words = ["-F/dev/null", "-oUserKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=no", "-oBatchMode=yes"];
        let said = run_any(&network.atk, 60, "ssh", &[&words[..], &["-p", &port, "drip@127.0.0.1"]].concat());
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("Permission denied (publickey,password"), "{said}");
        observed(chaff, "the login", |event| is_login(event, WEB, "username", "drip", 4));
    });
}

#[test]
fn nonsense_is_answered_as_the_products_do() {
    with_fleet("nonsense_is_answered_as_the_products_do", |network, chaff| {
        // All octets, in an order that repeats after 64 KiB: no line of text, no hello, no packet.
        let nonsense: Vec<u8> = (0..1u32 << 16).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
        let said = network.atk.enter(|| [22, 80, 443].map(|port| ask(WEB, port, &nonsense))).unwrap();
        let [ssh, http, https] = said;
        let lines: Vec<&str> = ssh.lines().collect();
        assert!(lines[0].starts_with("SSH-2.0-OpenSSH_9.2p1"), "{ssh}");
        assert!(lines.len() == 1 || lines[1..] == ["Invalid SSH identification string."], "{ssh}");
        assert!(http.starts_with("HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n") || http.is_empty(), "{http}");
        assert!(
            https.starts_with("HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n") || https.is_empty(),
            "{https}"
        );
        for port in [22, 80, 443] {
            observed(chaff, "the nonsense", |event| {
                event["port"] == port && ["service.request", "tls.hello"].iter().any(|kind| event["kind"] == *kind)
            });
        }
    });
}

/// Posts so many octets, as long as they are taken, and returns the answer and how many were.
fn post(ip: Ipv4Addr, octets: u64) -> (String, u64) {
    let mut stream = connect(ip, 80);
    let head = format!("POST / HTTP/1.1\r\nHost: {ip}\r\nConnection: close\r\nContent-Length: {octets}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let (part, mut sent) = (vec![b'a'; 1 << 16], 0);
    while sent < octets && stream.write_all(&part).is_ok() {
        sent += part.len() as u64;
    }
    (rest(&mut stream), sent)
}

/// `client_max_body_size` of nginx is a megabyte; Apache reads all of it, and has no limit as delivered.
fn post_to_both(name: &str, megabytes: u64) {
    with_fleet(name, |network, chaff| {
        let size = megabytes << 20;
        thread::scope(|scope| {
            let posts = scope.spawn(|| network.atk.enter(|| [post(WEB, size), post(APACHE, size)]).unwrap());
            while !posts.is_finished() {
                others_are_served(network);
                thread::sleep(Duration::from_millis(500));
            }
            let [(nginx, _), (apache, taken)] = posts.join().unwrap();
            assert!(nginx.is_empty() || nginx.starts_with("HTTP/1.1 413 Request Entity Too Large\r\n"), "{nginx}");
            assert!(apache.starts_with("HTTP/1.1 200 OK\r\n"), "{apache}");
            assert_eq!(taken, size);
        });
        for ip in [WEB, APACHE] {
            observed(chaff, "the request", |event| {
                event["decoy"]["ip"] == ip.to_string() && event["detail"]["method"] == "POST"
            });
        }
    });
}

#[test]
fn a_body_of_megabytes_is_refused_or_read_past() {
    post_to_both("a_body_of_megabytes_is_refused_or_read_past", 24);
}

#[test]
#[ignore = "soak: a gigabyte through two network stacks"]
fn soak_a_body_of_a_gigabyte_is_refused_or_read_past() {
    post_to_both("soak_a_body_of_a_gigabyte_is_refused_or_read_past", 1024);
}
