//! Every product of SSH that says to be equal to a real one, beside that real one: what ssh-audit and nmap say of both, the
//! HASSH of the server, and the limits that each sets to its clients. The ordinary run does so with the two servers of the
//! machine's own Debian 12, the thorough one with those of all suites.

mod daemon;
mod products;
mod server;
mod sshd;
mod suites;

use std::{
    fmt::Debug,
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use chaff_services::{SshSpec, SshStartups};
use md5::{Digest, Md5};
use suites::{PAIRS, patient, start};

/// In so much time a server answers that means to, on a machine that has more to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so long a silence a server that has greeted is waiting.
const SILENCE: Duration = Duration::from_millis(400);
/// Seconds for a login, where a test waits for their end.
const GRACE_S: u32 = 2;
/// Clients that come in a row where chance decides about some of them.
const CROWD: usize = 60;
/// Clients that come and go until one is turned away.
const MOST: usize = 60;
/// Suites with an old, a middle and a new client: what a server says depends on what its client knows.
const CLIENTS: [&str; 3] = ["bullseye", "noble", "trixie"];

/// The product with three clients at a time that have not logged in.
fn of_three(spec: SshSpec) -> SshSpec {
    SshSpec { startups: Some(SshStartups { begin: 3, rate: 100, full: 3 }), ..spec }
}

/// The product with little time for a login.
fn of_grace(spec: SshSpec) -> SshSpec {
    SshSpec { login_grace_s: GRACE_S, ..spec }
}

#[test]
fn tools_say_the_same_of_the_servers_of_this_machine() {
    let sshd = sshd::openssh();
    let ours = start(patient(products::product("openssh-9.2-debian12")));
    // As published of this server.
    assert_eq!(hassh(sshd.port), "425d29fe50d8e4f5e37efb6e24bcf660");
    compare("openssh-9.2-debian12", ours.port, sshd.port);
    let dropbear = sshd::dropbear();
    let ours = start(patient(products::product("dropbear-2022.83")));
    assert_eq!(hassh(dropbear.port), "e1a0b5f8d334ec70fe937b2d5ff8d0b6");
    assert_eq!(hassh(ours.port), hassh(dropbear.port));
}

#[test]
#[ignore = "soak: minutes, and servers of other suites"]
fn soak_tools_say_the_same_of_every_product_and_the_real_one() {
    for pair in &PAIRS {
        let (ours, real) = (start(patient(pair.spec())), pair.patient());
        assert_eq!(kexinit(ours.port), kexinit(real.port), "{}", pair.product);
        compare(pair.product, ours.port, real.port);
    }
}

#[test]
#[ignore = "soak: minutes, and servers and clients of other suites"]
fn soak_clients_tell_the_same_of_every_product_and_the_real_one() {
    for pair in &PAIRS {
        let (ours, real) = (start(patient(pair.spec())), pair.patient());
        for suite in CLIENTS {
            let told = equal(&format!("{}, {suite}", pair.product), ours.port, real.port, |port| dialogue(suite, port));
            assert!(told.iter().any(|line| line.contains("Authentications that can continue")), "{told:?}");
        }
    }
}

#[test]
fn limits_are_those_of_the_servers_of_this_machine() {
    let (ours, real) =
        (start(of_three(products::product("openssh-9.2-debian12"))), sshd::openssh_with("MaxStartups 3:100:3\n"));
    let hasty = start(of_grace(products::product("openssh-9.2-debian12")));
    let hasty_sshd = sshd::openssh_with(&format!("LoginGraceTime {GRACE_S}\n"));
    let (small, dropbear) = (start(products::product("dropbear-2022.83")), sshd::dropbear());
    thread::scope(|scope| {
        scope.spawn(|| {
            let (of_ours, of_real) = both(ours.port, real.port, |port| crowd(port, 5));
            let refused = |said: &&String| said.ends_with("Exceeded MaxStartups\\r\\n, closed");
            assert_eq!(of_real.iter().filter(refused).count(), 2, "{of_real:?}");
            assert_eq!(of_ours, of_real);
        });
        scope.spawn(|| {
            let (of_ours, of_real) = both(hasty.port, hasty_sshd.port, late);
            assert_eq!(of_ours, of_real);
        });
        scope.spawn(|| {
            let (of_ours, of_real) = both(small.port, dropbear.port, |port| crowd(port, 7));
            assert_eq!(of_ours, of_real);
        });
    });
}

#[test]
#[ignore = "soak: minutes, and servers of other suites"]
fn soak_limits_of_every_product_are_those_of_the_real_one() {
    for pair in &PAIRS {
        let name = pair.product;
        eprintln!("── {name}");
        if pair.is_openssh() {
            let (ours, real) = (start(of_three(pair.spec())), pair.real(&["MaxStartups=3:100:3"]));
            equal(name, ours.port, real.port, |port| crowd(port, 5));
            let (ours, real) = (start(of_grace(pair.spec())), pair.real(&[&format!("LoginGraceTime={GRACE_S}")]));
            equal(name, ours.port, real.port, late);
            // As they ship: of the first ten none is turned away, of so many some are.
            for (whose, port) in [("ours", start(pair.spec()).port), ("real", pair.real(&[]).port)] {
                let said = crowd(port, CROWD);
                let refused: Vec<usize> = (0..CROWD).filter(|place| !said[*place].ends_with("open")).collect();
                assert!(refused.first().is_some_and(|first| *first >= 10), "{name}, {whose}: {refused:?}");
            }
        } else {
            // Five of a source, thirty of all; which of those that come at once are late is the machine's matter.
            let (ours, real) = (start(pair.spec()), pair.real(&[]));
            equal(name, ours.port, real.port, |port| crowd(port, 7));
            let all = |port: u16| {
                let held: Vec<_> = (1..=33).map(|place| opened(port, Ipv4Addr::new(127, 0, 3, place))).collect();
                let mut said: Vec<_> = held.into_iter().map(|mut stream| heard(&mut stream)).collect();
                said.sort();
                said
            };
            equal(name, ours.port, real.port, all);
        }
        let (ours, real) = (start(patient(pair.spec())), pair.patient());
        equal(name, ours.port, real.port, passwords);
    }
}

#[test]
#[ignore = "soak: a server of another suite"]
fn soak_sources_that_come_to_nothing_are_turned_away_as_by_the_real_one() {
    let pair = PAIRS.iter().find(|pair| pair.punishes()).unwrap();
    // Without a login, which costs a second each, and with a login that fails, which costs five: both until more than
    // fifteen have come together. The real one counts when a process has ended, and clients that only look come faster. A
    // login takes seconds itself, of which each takes one off: how many it takes is then the machine's matter.
    for fails in [false, true] {
        let (ours, real) = (start(pair.spec()), pair.real(&[]));
        let (of_ours, of_real) = both(ours.port, real.port, |port| until_turned_away(port, fails));
        assert_eq!(of_ours.1, of_real.1);
        if fails {
            assert!(of_ours.0 >= 3 && of_real.0 >= 3, "{of_ours:?} {of_real:?}");
        } else {
            assert!(of_ours.0.abs_diff(of_real.0) <= 5, "{of_ours:?} {of_real:?}");
        }
    }
}

/// What ssh-audit and nmap print of both, but for what no two servers share.
fn compare(name: &str, ours: u16, real: u16) {
    // The first client of a decoy with an RSA key waits while it is searched for, longer than ssh-audit does on a machine
    // that has more to do.
    let keys = run("ssh-keyscan", &["-T", "60", "-t", "rsa", "-p", &ours.to_string(), "127.0.0.1"]);
    assert!(keys.contains(" ssh-rsa "), "{name}: {keys}");
    let said = equal(name, ours, real, audit);
    assert!(said.contains("\"kex\""), "{name}: {said}");
    let said = equal(name, ours, real, nmap);
    assert!(said.contains("kex_algorithms"), "{name}: {said}");
    equal(name, ours, real, hassh);
}

/// The same of both, at the same time.
fn both<T: Send>(ours: u16, real: u16, ask: impl Fn(u16) -> T + Sync) -> (T, T) {
    thread::scope(|scope| {
        let of_ours = scope.spawn(|| ask(ours));
        let of_real = ask(real);
        (of_ours.join().unwrap(), of_real)
    })
}

/// Asserts that both give the same, and returns it.
fn equal<T: Debug + PartialEq + Send>(name: &str, ours: u16, real: u16, ask: impl Fn(u16) -> T + Sync) -> T {
    let (of_ours, of_real) = both(ours, real, ask);
    assert_eq!(of_ours, of_real, "{name}");
    of_real
}

/// The report of ssh-audit, line by line, without fingerprints of keys and the port.
fn audit(port: u16) -> String {
    let said = run("ssh-audit", &["-4", "-n", "-jj", "-p", &port.to_string(), "127.0.0.1"]);
    let port = port.to_string();
    let own = |line: &&str| !["\"hash\"", "\"fp\"", "\"target\"", "\"ip\""].iter().any(|field| line.contains(field));
    said.lines().filter(own).map(|line| line.replace(&port, "PORT")).collect::<Vec<_>>().join("\n")
}

/// All that a suite's ssh(1) tells of a connection on which it gets as far as the question who it is, without what no two
/// servers share.
fn dialogue(suite: &str, port: u16) -> Vec<String> {
    let mut client = sshd::client_of_suite(suite);
    client.args(["-F", "/dev/null", "-vvv", "-p", &port.to_string(), "-l", "nobody-here", "-o", "BatchMode=yes"]);
    client.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none"]);
    let output = client.args(["-o", "ConnectTimeout=60", "127.0.0.1", "true"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).replace(&port.to_string(), "PORT");
    let own = ["Started with:", "SHA256:"];
    said.lines().filter(|line| !own.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
}

/// One script, since the order of two is chance.
fn nmap(port: u16) -> String {
    let port = port.to_string();
    let said = run("nmap", &["-Pn", "-n", "-sV", "-p", &port, "--script", "ssh2-enum-algos", "127.0.0.1"]);
    let lines = said.lines().skip_while(|line| !line.starts_with("PORT")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("Service detection"));
    lines.map(|line| line.replace(&port, "PORT")).collect::<Vec<_>>().join("\n")
}

fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new("timeout").arg("120").arg(program).args(words).output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{program} is not installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The lists of the server's KEXINIT and what follows them, without the cookie.
fn kexinit(port: u16) -> Vec<u8> {
    let mut stream = opened(port, Ipv4Addr::LOCALHOST);
    stream.write_all(b"SSH-2.0-x\r\n").unwrap();
    let mut octet = [0];
    while octet != *b"\n" {
        stream.read_exact(&mut octet).unwrap();
    }
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let length = usize::try_from(u32::from_be_bytes([head[0], head[1], head[2], head[3]])).unwrap();
    let mut rest = vec![0; length - 1];
    stream.read_exact(&mut rest).unwrap();
    rest.truncate(rest.len() - usize::from(head[4]));
    rest.split_off(17)
}

/// MD5 of key exchanges, and of ciphers, MACs and compressions to the client (github.com/salesforce/hassh).
fn hassh(port: u16) -> String {
    let init = kexinit(port);
    let mut lists = Vec::new();
    let mut rest = init.as_slice();
    for _ in 0..8 {
        let (length, after) = rest.split_at(4);
        let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        let (list, after) = after.split_at(length);
        lists.push(std::str::from_utf8(list).unwrap());
        rest = after;
    }
    let text = [lists[0], lists[3], lists[5], lists[7]].join(";");
    Md5::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What each of so many clients hears that come one after the other, say nothing and stay.
fn crowd(port: u16, count: usize) -> Vec<String> {
    let mut held = Vec::new();
    let mut said = Vec::new();
    for _ in 0..count {
        let mut stream = opened(port, Ipv4Addr::LOCALHOST);
        // Each is waited for, so that the server has counted it before the next one comes.
        said.push(heard(&mut stream));
        held.push(stream);
    }
    said
}

/// What a server says first, and whether it stays.
fn heard(stream: &mut TcpStream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        let patience = if all.is_empty() { PATIENCE } else { SILENCE };
        stream.set_read_timeout(Some(patience)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => break "closed",
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break "open",
            Err(_) => break "reset",
        }
    };
    // What comes behind the version line has chance in it.
    let line = all.iter().position(|octet| *octet == b'\n').map_or(all.len(), |end| end + 1);
    format!("{}, {end}", all[..line].escape_ascii())
}

/// What a server says first.
fn first_line(stream: &mut TcpStream) -> String {
    let (mut line, mut octet) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') && matches!(stream.read(&mut octet), Ok(1)) {
        line.extend(octet);
    }
    line.escape_ascii().to_string()
}

/// How a server ends the connections of clients that do not log in, one that says nothing and one that says its name.
fn late(port: u16) -> Vec<&'static str> {
    thread::scope(|scope| {
        let all = [&b""[..], b"SSH-2.0-x\r\n"].map(|says| scope.spawn(move || end_of_a_silent_client(port, says)));
        all.map(|one| one.join().unwrap()).to_vec()
    })
}

fn end_of_a_silent_client(port: u16, says: &[u8]) -> &'static str {
    let begun = Instant::now();
    let mut stream = opened(port, Ipv4Addr::LOCALHOST);
    stream.write_all(says).unwrap();
    let mut buffer = [0; 4096];
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break "closed",
            Ok(_) => {}
            Err(error) => break if error.kind() == ErrorKind::ConnectionReset { "reset" } else { "open" },
        }
    };
    let grace = Duration::from_secs(u64::from(GRACE_S));
    assert!(begun.elapsed() >= grace - Duration::from_millis(200), "{port}: too soon");
    end
}

/// Passwords that an OpenSSH client is asked for until the end, and how it ends.
fn passwords(port: u16) -> (usize, String) {
    let folder = askpass();
    let said = ssh(port, folder.path(), &["-o", "NumberOfPasswordPrompts=20"]);
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap_or_default().lines().count();
    let last = said.lines().filter(|line| !line.starts_with("debug1")).collect::<Vec<_>>().join("\n");
    (asked, last.replace(&port.to_string(), "PORT"))
}

/// Clients that come and go until one is turned away, and what that one hears.
fn until_turned_away(port: u16, fails: bool) -> (usize, String) {
    let folder = askpass();
    for count in 0..MOST {
        if fails && count > 0 {
            ssh(port, folder.path(), &["-o", "NumberOfPasswordPrompts=1"]);
        }
        // Quickly, since what has come together passes with time.
        let said = first_line(&mut opened(port, Ipv4Addr::LOCALHOST));
        if !said.starts_with("SSH-2.0-") {
            return (count, said);
        }
    }
    (MOST, "nobody".to_owned())
}

/// The OpenSSH client as nobody in particular, with wrong passwords; what it says.
fn ssh(port: u16, folder: &Path, options: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["120", "ssh", "-F", "/dev/null", "-p", &port.to_string(), "-l", "nobody-here"])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=INFO"])
        .args(["-o", "PreferredAuthentications=password", "-o", "IdentityAgent=none"])
        .args(options)
        .args(["127.0.0.1", "true"])
        .env("SSH_ASKPASS", folder.join("askpass"))
        .env("SSH_ASKPASS_REQUIRE", "force")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a program that gives a wrong password and notes that it was asked.
fn askpass() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("askpass");
    fs::write(&program, format!("#!/bin/sh\necho x >> '{}'\necho wrong\n", folder.path().join("asked").display()))
        .unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    folder
}

/// A connection of this source.
fn opened(port: u16, source: Ipv4Addr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(source, 0)).unwrap();
    connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}
