//! What real clients see of a decoy of a worker and of the same as a machine: a key exchange of SSH, handshakes of TLS, the
//! certificate, pages. What is each one's own, as keys and serial numbers are, is left out or may differ.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use chaff_lab::Namespace;
use chaff_testkit::{
    network::{run, run_any},
    process::RosterLine,
};

/// Patience with one client, in seconds.
const LIMIT: u64 = 60;
/// A server that says nothing for so long has said all.
const SILENCE: Duration = Duration::from_secs(2);
/// How often one asks again that heard something else: a busy machine is late, a wrong one is wrong every time.
const TRIES: usize = 3;

/// What openssl offers.
const HELLOS: [&[&str]; 7] = [
    &[],
    &["-tls1_2"],
    &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
    &["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
    &["-tls1_2", "-cipher", "AES128-SHA"],
    &["-alpn", "h2,http/1.1", "-servername", "www.example.net"],
    &["-groups", "X448:P-521"],
];

/// Requests for pages, with and without TLS; the last is none.
const REQUESTS: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: device\r\nConnection: close\r\n\r\n",
    "HEAD / HTTP/1.0\r\n\r\n",
    "GET /nothing-here HTTP/1.1\r\nHost: device\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: device\r\nContent-Length: 9\r\nConnection: close\r\n\r\nuser=root",
    "OPTIONS * HTTP/1.1\r\nHost: device\r\nConnection: close\r\n\r\n",
    "\r\nnonsense\r\n\r\n",
];

/// A decoy of a worker, and a machine.
pub(crate) type Pair<'a> = [&'a RosterLine; 2];

/// Asks the two of a server, and the two of a device. Port 443 speaks TLS, 80 shows pages.
pub(crate) fn compare(from: &Namespace, server: Pair<'_>, device: Pair<'_>) {
    same("ssh", server, |decoy| ssh(from, decoy), str::eq);
    same("ssh-keyscan", server, |decoy| keyscan(from, decoy), str::eq);
    for pair in [server, device] {
        for words in HELLOS {
            same(&format!("openssl s_client {words:?}"), pair, |decoy| handshake(from, decoy.ip, words), str::eq);
        }
        same("certificate", pair, |decoy| certificate(from, decoy), alike);
        for request in REQUESTS {
            for tls in [false, true] {
                same(&format!("TLS {tls}: {request:?}"), pair, |decoy| page(from, decoy, request, tls), alike);
            }
        }
    }
}

fn same(what: &str, pair: Pair<'_>, ask: impl Fn(&RosterLine) -> String, alike: impl Fn(&str, &str) -> bool) {
    let mut heard = Vec::new();
    let found = (0..TRIES).any(|_| {
        heard = pair.iter().map(|decoy| ask(decoy)).collect();
        alike(&heard[0], &heard[1])
    });
    assert!(found, "{what}\na decoy of a worker:\n{}\na machine:\n{}", heard[0], heard[1]);
    assert!(!heard[0].trim().is_empty(), "{what}: nothing was said");
}

/// What ssh tells of a key exchange and of the refusal behind it, but for the host key.
fn ssh(from: &Namespace, decoy: &RosterLine) -> String {
    let to = format!("nobody@{}", decoy.ip);
    let options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ControlPath=none"];
    let mut words = vec!["-F", "none", "-vvv"];
    words.extend(options.iter().flat_map(|option| ["-o", *option]));
    words.push(&to);
    let output = run_any(from, LIMIT, "ssh", &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = |line: &&str| TOLD_BY_SSH.iter().any(|words| line.contains(words));
    let kept: String = said.lines().filter(told).map(|line| format!("{}\n", line.trim_end())).collect();
    assert!(kept.contains("Permission denied") && kept.contains("receive packet: type 31"), "{said}");
    let named = kept.replace(&decoy.ip.to_string(), "{ip}");
    named.lines().map(|line| line.split("SHA256:").next().unwrap_or_default().to_owned() + "\n").collect()
}

/// Lines of ssh that come from what the server says.
const TOLD_BY_SSH: [&str; 12] = [
    "Remote protocol version",
    "algorithms",
    "ciphers",
    "MACs",
    "compression",
    "kex",
    "first_kex_follows",
    "Server host key",
    "receive packet",
    "server-sig-algs",
    "Authentications that can continue",
    "Permission denied",
];

/// Kinds of host keys and how long they are.
fn keyscan(from: &Namespace, decoy: &RosterLine) -> String {
    let said = run(from, LIMIT, "ssh-keyscan", &["-t", "rsa,ecdsa,ed25519", &decoy.ip.to_string()]);
    let mut kinds: Vec<String> = said
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some(format!("{} {}", words.next()?, words.next()?.len()))
        })
        .collect();
    kinds.sort_unstable();
    assert!(kinds.len() >= 2, "{said}");
    kinds.join("\n")
}

/// What came of a handshake, and which messages the server sent for it.
fn handshake(from: &Namespace, ip: Ipv4Addr, words: &[&str]) -> String {
    let to = format!("{ip}:443");
    // What a server says behind the handshake, as tickets are, comes while the client still listens.
    let script = "sleep 0.4 | openssl s_client -brief -msg \"$@\"";
    let all = [&["-c", script, "sh", "-connect", &to][..], words].concat();
    let output = run_any(from, LIMIT, "sh", &all);
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    let lines = said.lines().filter(|line| {
        let received = line.starts_with("<<< ");
        received
            || ["Protocol", "Cipher", "Hash", "Signature", "Server Temp", "Peer Temp"]
                .iter()
                .any(|field| line.starts_with(field))
    });
    // How long a message is that holds a name or a signature is each one's own.
    let without_length = |line: &str| match (line.find(" [length "), line.find(']')) {
        (Some(from), Some(to)) if from < to => format!("{}{}\n", &line[..from], &line[to + 1..]),
        _ => format!("{line}\n"),
    };
    lines.map(without_length).collect()
}

/// The certificate as openssl shows it.
fn certificate(from: &Namespace, decoy: &RosterLine) -> String {
    let script =
        format!("openssl s_client -connect {}:443 </dev/null 2>/dev/null | openssl x509 -noout -text", decoy.ip);
    let said = run(from, LIMIT, "sh", &["-c", &script]);
    // Digits of keys and signatures fill lines of their own; from when to when it holds is each one's own.
    let is_own = |line: &str| {
        line.contains("Not Before")
            || line.contains("Not After")
            || line.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == ' ')
    };
    let text: String = said.lines().filter(|line| !is_own(line)).map(|line| format!("{line}\n")).collect();
    anonymous(&text, decoy)
}

/// What comes for a request until the server closes, or says nothing more.
fn page(from: &Namespace, decoy: &RosterLine, request: &str, tls: bool) -> String {
    let said = if tls {
        let to = format!("{}:443", decoy.ip);
        let script = "printf %s \"$1\" | timeout 5 openssl s_client -quiet -connect \"$2\" 2>/dev/null";
        run_any(from, LIMIT, "sh", &["-c", script, "sh", request, &to]).stdout
    } else {
        from.enter(|| converse(decoy.ip, request)).expect("the namespace is there")
    };
    let text = String::from_utf8_lossy(&said);
    let lasting = |line: &&str| !["Date:", "Last-Modified:", "Expires:"].iter().any(|field| line.starts_with(field));
    anonymous(&text.lines().filter(lasting).map(|line| format!("{line}\n")).collect::<String>(), decoy)
}

fn converse(ip: Ipv4Addr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect((ip, 80)).expect("it listens");
    stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it takes a request");
    let mut said = Vec::new();
    // One that does not close has said what it says.
    let _ = stream.read_to_end(&mut said);
    said
}

fn anonymous(text: &str, decoy: &RosterLine) -> String {
    text.replace(&decoy.ip.to_string(), "{ip}")
        .replace(&decoy.name, "{name}")
        .replace(&decoy.name.to_lowercase(), "{name}")
}

/// Whether two texts are the same but for words with a digit in them: serial numbers, cards, times, marks of files.
fn alike(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let [one, other] = [words(one), words(other)];
    let has_digit = |word: &str| word.chars().any(|c| c.is_ascii_digit());
    one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| a == b || (has_digit(a) && has_digit(b)))
}
