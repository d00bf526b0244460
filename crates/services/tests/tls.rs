//! TLS before real clients, and beside the real servers that it claims to be.

mod daemon;
mod hellos;
mod secure;
mod server;

use std::{
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use chaff_events::{Detail, Kind};
use hellos::{Said, answer};
use secure::{APACHE, NGINX, NGINX_OLD, OPENSSL, https, run, same_sessions};

const MUTATIONS: usize = 500;
/// Of them, those that the ordinary run asks of the second server.
const SAMPLE: usize = 60;
/// Conversations at the same time: most of their time they wait for silence.
const AT_ONCE: usize = 24;

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
    let versions = ["-tls1_2", "-tls1_3", "-tls1", "-tls1_1"];
    let [p256, p384, old] = [(OPENSSL, "ecdsa-p256"), (OPENSSL, "ecdsa-p384"), (NGINX_OLD, "ecdsa-p256")]
        .map(|(spec, key)| secure::with_ecdsa(spec, key));
    thread::scope(|scope| {
        for (spec, count) in [(OPENSSL, 2), (&p256, 2), (&p384, 2), (NGINX_OLD, 4), (&old, 4)] {
            scope.spawn(move || agrees_on_every_suite_and_group(spec, &versions[..count]));
        }
    });
}

fn agrees_on_every_suite_and_group(text: &str, versions: &[&'static str]) {
    let server = https(text);
    let to = format!("127.0.0.1:{}", server.port);
    let spec: toml::Table = toml::from_str(text).unwrap();
    let words =
        |key: &str| -> Vec<&str> { spec[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect() };
    let mut cases = Vec::new();
    let key = spec["certificate"]["key"].as_str().unwrap();
    let ecdsa = key.starts_with("ecdsa");
    let fits = |suite: &&str| suite.starts_with("TLS_") || suite.contains("ECDSA") == ecdsa;
    for suite in words("suites").into_iter().filter(fits) {
        let is_old = suite.ends_with("-SHA");
        let fits = |version: &&&str| match **version {
            "-tls1_3" => suite.starts_with("TLS_"),
            // The other one has these as well.
            "-tls1_2" if versions.contains(&"-tls1") => ["CCM", "ARIA", "CAMELLIA"].iter().any(|c| suite.contains(c)),
            "-tls1_2" => !suite.starts_with("TLS_"),
            _ => is_old,
        };
        for &version in versions.iter().filter(fits) {
            let (flag, list) = if version == "-tls1_3" {
                ("-ciphersuites", suite.to_string())
            } else {
                ("-cipher", format!("{suite}:@SECLEVEL=0"))
            };
            cases.push(vec![version.to_string(), flag.into(), list.clone()]);
            if is_old || suite.contains("-SHA") && !suite.contains("GCM") {
                cases.push(vec![version.into(), flag.into(), list, "-no_etm".into()]);
            }
        }
    }
    let groups = if versions.contains(&"-tls1_3") { words("groups") } else { Vec::new() };
    for group in groups {
        let curve = match group {
            "x25519" => "X25519",
            "x448" => "X448",
            "secp256r1" => "P-256",
            "secp384r1" => "P-384",
            "secp521r1" => "P-521",
            field => field,
        };
        cases.push(["-tls1_3", "-groups", curve].map(String::from).into());
        if !curve.starts_with("ffdhe") {
            // Before TLS 1.3 a client wants the certificate's curve among them (RFC 8422 §5.1.1).
            let own = if key == "ecdsa-p384" { "P-384" } else { "P-256" };
            let list = if ecdsa && curve != own { format!("{curve}:{own}") } else { curve.into() };
            cases.push(["-tls1_2", "-groups", &list].map(String::from).into());
        }
    }
    for case in cases {
        let words: Vec<&str> = case.iter().map(String::as_str).collect();
        let (done, said) =
            run("openssl", &[&["s_client", "-connect", &to, "-servername", "nav-1"], &words[..]].concat());
        let suite = case.iter().find(|word| word.contains("SHA") || word.contains("CCM"));
        let agreed = suite.is_none_or(|suite| said.contains(suite.trim_end_matches(":@SECLEVEL=0")));
        assert!(done && agreed && said.contains("Verify return code: 18"), "{case:?}: {said}");
    }
}

#[test]
fn a_half_of_another_group_is_asked_for() {
    let server = https(&OPENSSL.replace("\"x448\", ", ""));
    let to = format!("127.0.0.1:{}", server.port);
    let (done, said) = run("openssl", &["s_client", "-connect", &to, "-tls1_3", "-groups", "X448:P-384"]);
    assert!(done && said.contains("Server Temp Key: ECDH, prime384v1") | said.contains("secp384r1"), "{said}");
}

#[test]
fn sessions_go_on_and_openssl_prints_the_same_of_ours_and_of_nginx() {
    let (ours, real) = (https(NGINX), secure::nginx());
    same_sessions(
        ours.port,
        real.port,
        false,
        true,
        &[
            ("-tls1_3", ""),
            ("-tls1_3", "-groups P-256"),
            ("-tls1_3", "-ciphersuites TLS_AES_128_GCM_SHA256 -alpn http/1.1"),
            ("-tls1_3", "-groups P-384"),
            ("-tls1_2", ""),
            ("-tls1_2", "-cipher AES128-SHA"),
            ("-tls1_2", "-no_ticket"),
        ],
    );
}

#[test]
fn openings_are_answered_as_openssl_answers_them() {
    let (ours, real) = (https(OPENSSL), secure::openssl());
    compare_table(ours.port, real.port, |name| {
        // s_server was given no list of protocols and speaks no HTTP; nginx is asked these below.
        !matches!(name, "HTTP" | "half of a request" | "no HTTP" | "SSH")
    });
}

#[test]
fn openings_are_answered_as_nginx_answers_them() {
    let (ours, real) = (https(NGINX), secure::nginx());
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
    let (ours, real) = (https(NGINX), secure::nginx());
    compare_mutations(ours.port, real.port, MUTATIONS);
}

#[test]
fn mutated_openings_are_answered_as_apache_answers_them() {
    let (ours, real) = (https(APACHE), secure::apache());
    compare_mutations(ours.port, real.port, SAMPLE);
}

#[test]
#[ignore = "soak: 500 mutated hellos, beside Apache"]
fn soak_all_mutated_openings_are_answered_as_apache_answers_them() {
    let (ours, real) = (https(APACHE), secure::apache());
    compare_mutations(ours.port, real.port, MUTATIONS);
}

#[test]
#[ignore = "soak: 500 mutated hellos, beside lighttpd"]
fn soak_all_mutated_openings_are_answered_as_lighttpd_answers_them() {
    let (ours, real) = (https(secure::LIGHTTPD), secure::lighttpd());
    compare_mutations(ours.port, real.port, MUTATIONS);
}

fn compare_mutations(ours: u16, real: u16, count: usize) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let all = hellos::mutations(count);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(said) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (own, other) = (answer(ours, said), answer(real, said));
                    // Under load silence may be mistaken; what differs must differ twice.
                    if own != other {
                        let (own, other) = (answer(ours, said), answer(real, said));
                        if own != other {
                            wrong.lock().unwrap().push(format!("{said:?}:\n  ours {own:?}\n  real {other:?}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn jarm_is_that_of_openssl() {
    let (ours, real) = (https(OPENSSL), secure::openssl());
    let (own, other) = (secure::jarm(ours.port), secure::jarm(real.port));
    assert!(own == other && !own.starts_with("000000"), "ours {own}\nreal {other}");
}

#[test]
fn nmap_sees_the_same_suites_and_certificate_as_behind_openssl() {
    let (ours, real) = (https(OPENSSL), secure::openssl());
    let (own, other) = (secure::scanned(ours.port), secure::scanned(real.port));
    assert!(own == other && own.len() > 20, "ours:\n{}\nreal:\n{}", own.join("\n"), other.join("\n"));
}

/// The octets of a client's hello, by a listener that says nothing, and what the client then is called by ours.
fn hello_of(server: &server::Server, client: &str) -> (Vec<u8>, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let ours = server.port;
    let copy = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut hello = vec![0; 5];
        client.read_exact(&mut hello).expect("the client said hello");
        hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
        client.read_exact(&mut hello[5..]).unwrap();
        let said = Said { pieces: vec![hello.clone()], ends: false };
        assert!(answer(ours, &said).len() > 1);
        hello
    });
    // It fails, since it is not answered; that it said hello is what counts.
    run("sh", &["-c", &format!("timeout 10 {}", client.replace("PORT", &port.to_string()))]);
    // One that never came must not be waited for.
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    let hello = copy.join().unwrap_or_else(|_| panic!("{client} said no hello"));
    let facts = server.facts();
    let Some(Detail::Tls { ja3, .. }) = facts.iter().rev().find(|fact| fact.0 == Kind::TlsHello).map(|fact| &fact.2)
    else {
        panic!("{client} is not told of")
    };
    (hello, ja3.clone())
}

#[test]
fn clients_have_the_ja3_that_tshark_prints() {
    let server = https(NGINX);
    let folder = tempfile::tempdir().unwrap();
    let python = "import socket,ssl;c=ssl._create_unverified_context();\
                  c.wrap_socket(socket.create_connection((\\\"127.0.0.1\\\",PORT)),server_hostname=\\\"nav-1\\\")";
    let mut seen = std::collections::BTreeSet::new();
    for client in [
        "curl -sk https://127.0.0.1:PORT/",
        "curl -sk --http1.1 --tls-max 1.2 https://localhost:PORT/",
        "openssl s_client -connect 127.0.0.1:PORT",
        "openssl s_client -connect 127.0.0.1:PORT -tls1_1 -cipher ALL:@SECLEVEL=0 -noservername",
        "openssl s_client -connect 127.0.0.1:PORT -groups X448:P-256 -alpn h2 -servername nav-1",
        // By number: a machine need not know the name of localhost.
        "gnutls-cli --insecure --sni-hostname=localhost -p PORT 127.0.0.1",
        &format!("python3 -c \"{python}\""),
    ] {
        let (hello, ja3) = hello_of(&server, client);
        let [dump, capture] = ["hello.txt", "hello.pcap"].map(|name| folder.path().join(name).display().to_string());
        let octets: Vec<String> = hello.iter().map(|octet| format!("{octet:02x}")).collect();
        std::fs::write(&dump, format!("0000 {}\n", octets.join(" "))).unwrap();
        let (done, said) = run("text2pcap", &["-q", "-T", "50000,443", &dump, &capture]);
        assert!(done, "{said}");
        let fields = ["-r", &capture, "-T", "fields", "-e", "tls.handshake.ja3"];
        let output = std::process::Command::new("tshark").args(fields).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), ja3, "{client}");
        seen.insert(ja3);
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}
