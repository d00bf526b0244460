//! TLS before real clients, and beside the real servers that it claims to be.

mod daemon;
mod hellos;
mod server;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use chaff_events::{Detail, Kind};
use chaff_services::{HttpPage, HttpSpec, ServiceKind, ServiceSpec, TlsSpec};
use daemon::{Daemon, nginx_alone, packaged};
use hellos::{Said, answer};
use server::Server;

const NGINX: &str = include_str!("../../../profiles/tls/openssl-3.0-nginx.toml");
const OPENSSL: &str = include_str!("../../../profiles/tls/openssl-3.0.toml");
/// What Debian's ssl-cert gives to `openssl req`, with the name of the decoy under test.
const SNAKEOIL: &str = "[req]\ndistinguished_name = name\nprompt = no\nreq_extensions = v3\nx509_extensions = v3\n\
                        [name]\ncommonName = nav-1\n[v3]\nbasicConstraints = CA:FALSE\nsubjectAltName = DNS:nav-1\n";
/// Of 20 octets, as ours are: so the records of both have the same lengths.
const SERIAL: &str = "0x5101010101010101010101010101010101010101";
const MUTATIONS: usize = 500;
/// Conversations at the same time: most of their time they wait for silence.
const AT_ONCE: usize = 24;

fn https(spec: &str) -> Server {
    let page = HttpPage { path: "/".into(), body: "<h1>{hostname}</h1>\n".repeat(2000), ..HttpPage::default() };
    let http = HttpSpec { server: "nginx/1.22.1".into(), pages: vec![page], ..HttpSpec::default() };
    let tls: TlsSpec = toml::from_str(spec).unwrap();
    let kind = ServiceKind::Http(Arc::new(http));
    let server = Server::with(ServiceSpec { tls: Some(Arc::new(tls)), ..ServiceSpec::new("https", kind) }, &[]);
    // The first client waits until the decoy's key is found.
    let said = Said { pieces: vec![hellos::new().record()], ends: false };
    let ready = (0..20).any(|_| answer(server.port, &said).len() > 1);
    assert!(ready, "no key was found");
    server
}

fn run(program: &str, words: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The real nginx, with the lines of Debian's nginx.conf that TLS depends on.
fn real_nginx() -> Daemon {
    Daemon::start(|folder, port| {
        let path = folder.display();
        make_certificate(folder);
        let text = format!(
            "{} ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n\
             ssl_prefer_server_ciphers on;\nserver {{ listen 127.0.0.1:{port} ssl; root {path};\n\
             ssl_certificate {path}/cert; ssl_certificate_key {path}/key; }} }}\n",
            nginx_alone(folder)
        );
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/nginx"));
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("conf"));
        command
    })
}

fn real_openssl() -> Daemon {
    Daemon::start(|folder, port| {
        make_certificate(folder);
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
        command.arg(folder.join("cert")).arg("-key").arg(folder.join("key"));
        command
    })
}

/// Files `cert` and `key`.
fn make_certificate(folder: &Path) {
    fs::write(folder.join("req"), SNAKEOIL).unwrap();
    let [config, cert, key] = ["req", "cert", "key"].map(|name| folder.join(name).display().to_string());
    let words = ["req", "-config", &config, "-new", "-x509", "-days", "3650", "-nodes", "-sha256", "-newkey"];
    let (done, said) =
        run("openssl", &[&words[..], &["rsa:2048", "-set_serial", SERIAL, "-out", &cert, "-keyout", &key]].concat());
    assert!(done, "{said}");
}

#[test]
fn curl_reads_a_page_over_either_version_and_is_told_of() {
    let server = https(NGINX);
    let url = format!("https://127.0.0.1:{}/", server.port);
    for version in [&["--tlsv1.3"][..], &["--tlsv1.2", "--tls-max", "1.2"]] {
        let words = [&["-sSk", "--http1.1", "--max-time", "20", &url], version].concat();
        let (done, said) = run("curl", &words);
        assert!(done && said.len() == 2000 * "<h1>nav-1</h1>\n".len(), "{version:?}: {}", &said[..said.len().min(500)]);
    }
    let facts = server.facts();
    let hellos: Vec<_> = facts.iter().filter(|fact| fact.0 == Kind::TlsHello).collect();
    // And the one that waited for the key.
    assert!(hellos.len() >= 3);
    let Detail::Tls { alpn, ja3, ja4, .. } = &hellos.last().unwrap().2 else { panic!("{:?}", hellos[0]) };
    assert!(*alpn == [b"http/1.1".to_vec()] && ja3.len() == 32 && ja4.starts_with("t12i"), "{ja3} {ja4}");
}

#[test]
fn openssl_agrees_on_every_suite_and_group() {
    let server = https(OPENSSL);
    let to = format!("127.0.0.1:{}", server.port);
    let spec: toml::Table = toml::from_str(OPENSSL).unwrap();
    let suites = spec["suites"].as_array().unwrap().iter().map(|suite| suite.as_str().unwrap());
    let mut cases = Vec::new();
    for suite in suites.filter(|suite| !suite.contains("ECDSA")) {
        let [flag, version] =
            if suite.starts_with("TLS_") { ["-ciphersuites", "-tls1_3"] } else { ["-cipher", "-tls1_2"] };
        cases.push(vec![version, flag, suite]);
        if suite.contains("-SHA") && !suite.contains("GCM") {
            cases.push(vec![version, flag, suite, "-no_etm"]);
        }
    }
    for group in ["X25519", "P-256", "P-384", "P-521"] {
        cases.extend([vec!["-tls1_2", "-groups", group], vec!["-tls1_3", "-groups", group]]);
    }
    // The first half is of a group that is not ours: we ask for another one.
    cases.push(vec!["-tls1_3", "-groups", "X448:P-384"]);
    for case in cases {
        let words = [&["s_client", "-connect", &to, "-servername", "nav-1"], &case[..]].concat();
        let (done, said) = run("openssl", &words);
        let agreed = case.iter().find(|word| word.contains("SHA")).is_none_or(|suite| said.contains(suite));
        assert!(done && agreed && said.contains("Verify return code: 18"), "{case:?}: {said}");
    }
}

#[test]
fn sessions_go_on_and_openssl_prints_the_same_of_ours_and_of_nginx() {
    let (ours, real) = (https(NGINX), real_nginx());
    let folder = tempfile::tempdir().unwrap();
    // Three handshakes: a new one, one with its ticket, one with the next ticket and another name.
    let print = |port: u16, version: &str, more: &str| {
        let session = folder.path().join(format!("{port}{version}{}", more.replace([' ', '/'], "")));
        let session = session.display();
        let ask = |server: &str, file: &str| {
            // Tickets of TLS 1.3 come after the handshake: the client stays for them.
            let client = format!("openssl s_client -connect 127.0.0.1:{port} {version} {more}");
            let script = format!("sleep 2 | timeout 20 {client} -servername {server} {file}");
            negotiation(&run("sh", &["-c", &script]).1)
        };
        let first = ask("nav-1", &format!("-sess_out {session}"));
        let again = ask("nav-1", &format!("-sess_in {session} -sess_out {session}"));
        let third = ask("other", &format!("-sess_in {session}"));
        format!("{first}\n== again\n{again}\n== with another name\n{third}")
    };
    thread::scope(|scope| {
        for (version, more) in [
            ("-tls1_3", ""),
            ("-tls1_3", "-groups P-256"),
            ("-tls1_3", "-ciphersuites TLS_AES_128_GCM_SHA256 -alpn http/1.1"),
            ("-tls1_3", "-groups P-384"),
            ("-tls1_2", ""),
            ("-tls1_2", "-cipher AES128-SHA"),
            ("-tls1_2", "-no_ticket"),
        ] {
            let (print, ports) = (&print, [ours.port, real.port]);
            scope.spawn(move || {
                let [own, other] = ports.map(|port| print(port, version, more));
                assert_eq!(own, other, "{version} {more}");
                let reused = own.matches("Reused, ").count();
                assert_eq!(reused, if more == "-no_ticket" { 0 } else { 2 }, "{version} {more}: {own}");
            });
        }
    });
}

/// What `openssl s_client` prints of a handshake, without what is chance or time.
fn negotiation(said: &str) -> String {
    let own = ["Session-ID: ", "Master-Key", "Resumption PSK", "Start Time", "a:", "v:", "s:", "i:", "NotBefore"];
    let is_dump = |line: &str| line.get(4..7) == Some(" - ") || line.len() == 64;
    let kept =
        said.lines().map(str::trim).filter(|line| !own.iter().any(|start| line.starts_with(start)) && !is_dump(line));
    // The certificate itself is of another key.
    let (mut inside, mut lines) = (false, Vec::new());
    for line in kept {
        inside |= line.contains("BEGIN CERTIFICATE");
        if !inside {
            lines.push(line);
        }
        inside &= !line.contains("END CERTIFICATE");
    }
    lines.join("\n")
}

#[test]
fn openings_are_answered_as_openssl_answers_them() {
    let (ours, real) = (https(OPENSSL), real_openssl());
    compare_table(ours.port, real.port, |name| {
        // s_server was given no list of protocols and speaks no HTTP; nginx is asked these below.
        !matches!(name, "HTTP" | "no HTTP" | "SSH")
    });
}

#[test]
fn openings_are_answered_as_nginx_answers_them() {
    let (ours, real) = (https(NGINX), real_nginx());
    compare_table(ours.port, real.port, |_| true);
}

fn compare_table(ours: u16, real: u16, asked: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for (name, octets) in hellos::table().into_iter().filter(|(name, _)| asked(name)) {
        let said = Said { pieces: vec![octets], ends: false };
        let (own, other) = (answer(ours, &said), answer(real, &said));
        if own != other {
            wrong.push(format!("{name}:\n  ours {own:?}\n  real {other:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mutated_openings_are_answered_as_nginx_answers_them() {
    let (ours, real) = (https(NGINX), real_nginx());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let all = hellos::mutations(MUTATIONS);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(said) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (own, other) = (answer(ours.port, said), answer(real.port, said));
                    // Under load silence may be mistaken; what differs must differ twice.
                    if own != other {
                        let (own, other) = (answer(ours.port, said), answer(real.port, said));
                        if own != other {
                            wrong.lock().unwrap().push(format!("{said:?}:\n  ours {own:?}\n  real {other:?}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {MUTATIONS} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn jarm_is_that_of_openssl() {
    let (ours, real) = (https(OPENSSL), real_openssl());
    let jarm = |port: u16| rust_jarm::Jarm::new("127.0.0.1".into(), port.to_string()).hash().unwrap();
    let (own, other) = (jarm(ours.port), jarm(real.port));
    assert!(own == other && !own.starts_with("000000"), "ours {own}\nreal {other}");
}

#[test]
fn nmap_sees_the_same_suites_and_certificate_as_behind_openssl() {
    let (ours, real) = (https(OPENSSL), real_openssl());
    let scan = |port: u16| {
        let scripts = "ssl-cert,ssl-enum-ciphers,tls-alpn";
        let (done, said) = run("nmap", &["-n", "-Pn", "-p", &port.to_string(), "--script", scripts, "127.0.0.1"]);
        assert!(done, "{said}");
        let own = ["Not valid", "MD5", "SHA-1", "least strength"];
        let keep = |line: &&str| line.starts_with('|') && !own.iter().any(|word| line.contains(word));
        // Scripts run side by side, and whichever ends first is printed first.
        let mut lines: Vec<_> =
            said.lines().filter(keep).map(|line| line.trim_start_matches(['|', '_', ' '])).collect();
        lines.sort_unstable();
        lines.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let (own, other) = (scan(ours.port), scan(real.port));
    assert!(own == other && own.len() > 20, "ours:\n{}\nreal:\n{}", own.join("\n"), other.join("\n"));
}
