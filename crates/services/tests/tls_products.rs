//! TLS of the products that have it, beside the real servers, opening by opening.

mod daemon;
mod hellos;
mod secure;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hellos::{Said, answer};
use secure::{https, run, same_sessions, with_ecdsa};

const AT_ONCE: usize = 16;

/// What a server says to each opening. A signature of ECDSA has no length of its own; what is signed is rounded.
fn answers(port: u16, openings: &[(String, Said)], ecdsa: bool) -> Vec<String> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); openings.len()]));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut count = next.fetch_add(1, Ordering::Relaxed);
                while let Some((name, opening)) = openings.get(count) {
                    let mut words = answer(port, opening);
                    if ecdsa {
                        words.iter_mut().for_each(|word| *word = rounded(word));
                    }
                    let text = format!("{name}\n    {}\n", words.join("\n    "));
                    said.lock().unwrap()[count] = text;
                    count = next.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    said.into_inner().unwrap()
}

/// What is signed, its length in steps of sixteen: a signature has 70 to 72 octets with P-256 and 102 to 104 with
/// P-384, rarely fewer, and no message with one is near the next step.
fn rounded(word: &str) -> String {
    let signed = ["message 11, ", "message 12, ", "protected, "].into_iter().find(|start| word.starts_with(start));
    let length = |start: &str| word[start.len()..].strip_suffix(" octets")?.parse::<usize>().ok();
    match signed.and_then(|start| Some((start, length(start)?))) {
        Some((start, length)) => format!("{start}about {} octets", (length + 2) / 16 * 16),
        None => word.into(),
    }
}

/// Holds answers against those of the real server. What differs must differ twice: under load, silence may be mistaken.
fn compare(ours: u16, real: &[String], openings: &[(String, Said)], ecdsa: bool) {
    let wrong = |openings: &[(String, Said)], real: &[String]| {
        let own = answers(ours, openings, ecdsa);
        (0..own.len())
            .filter(|&count| own[count] != real[count])
            .map(|count| (count, own[count].clone()))
            .collect::<Vec<_>>()
    };
    let again: Vec<usize> = wrong(openings, real).into_iter().map(|(count, _)| count).collect();
    let some = |count: &usize| (openings[*count].clone(), real[*count].clone());
    let (openings, real): (Vec<_>, Vec<_>) = again.iter().map(some).unzip();
    let wrong: Vec<_> =
        wrong(&openings, &real).iter().map(|(n, own)| format!("ours: {own}real: {}", real[*n])).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_opening() -> Vec<(String, Said)> {
    let whole = |octets| Said { pieces: vec![octets], ends: false };
    let table = hellos::table().into_iter().map(|(name, octets)| (name.to_string(), whole(octets)));
    table.chain(hellos::sweep().into_iter().map(|(name, octets)| (name, whole(octets)))).collect()
}

/// The recording of a product: its openings in their order, each with what came back.
fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../recordings/tls/{name}.txt"))
}

/// Everything of which two servers of TLS can be told apart from outside: answers to openings, JARM, what nmap says, what
/// `openssl s_client` prints of `sessions`. The answers are recorded where `UPDATE_GOLDENS` is set.
fn same(name: &str, ours: u16, real: u16, sessions: &[(&str, &str)]) {
    let (openings, ecdsa) = (every_opening(), name.ends_with("-ecdsa"));
    let said = answers(real, &openings, ecdsa);
    compare(ours, &said, &openings, ecdsa);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::create_dir_all(recording(name).parent().unwrap()).unwrap();
        fs::write(recording(name), said.concat()).unwrap();
    }
    let (own, other) = (secure::jarm(ours), secure::jarm(real));
    assert!(own == other && !own.starts_with("000000"), "ours {own}\nreal {other}");
    let (own, other) = (secure::scanned(ours), secure::scanned(real));
    assert!(own == other && own.len() > 20, "ours:\n{}\nreal:\n{}", own.join("\n"), other.join("\n"));
    let (own, other) = (curl(ours), curl(real));
    assert!(own == other && own.contains("SSL connection using"), "ours:\n{own}\nreal:\n{other}");
    same_sessions(ours, real, name.starts_with("apache"), !ecdsa, sessions);
}

/// What `curl -v` says of TLS, in either version, without what is a certificate's own.
fn curl(port: u16) -> String {
    let mut text = String::new();
    for version in ["1.2", "1.3"] {
        let (url, to) = (format!("https://nav-1:{port}/"), format!("nav-1:{port}:127.0.0.1"));
        let words = ["-skv", "--max-time", "20", "-o", "/dev/null", "--resolve", &to, "--tls-max", version, &url];
        let (_, said) = run("curl", &words);
        let tells = |line: &&str| {
            let words = ["TLS", "SSL", "ALPN", "subject", "issuer"];
            // What is spoken inside is no part of this, nor how that ends.
            line.starts_with("* ") && words.iter().any(|word| line.contains(word)) && !line.contains("errno")
        };
        said.lines().filter(tells).for_each(|line| text += &format!("{line}\n"));
    }
    text
}

const SESSIONS: [(&str, &str); 8] = [
    ("-tls1_3", ""),
    ("-tls1_3", "-groups X448"),
    ("-tls1_3", "-ciphersuites TLS_AES_128_GCM_SHA256 -alpn http/1.1"),
    ("-tls1_2", ""),
    ("-tls1_2", "-no_ticket"),
    ("-tls1_2", "-cipher AES256-CCM8 -groups X448"),
    ("-tls1_2", "-cipher CAMELLIA128-SHA256"),
    ("-tls1_2", "-cipher ECDHE-ARIA128-GCM-SHA256"),
];
const ECDSA_SESSIONS: [(&str, &str); 6] = [
    ("-tls1_3", ""),
    ("-tls1_3", "-ciphersuites TLS_AES_128_GCM_SHA256 -alpn http/1.1"),
    ("-tls1_2", ""),
    ("-tls1_2", "-no_ticket"),
    ("-tls1_2", "-cipher ECDHE-ECDSA-AES256-CCM8 -groups P-256:X448"),
    ("-tls1_2", "-cipher ECDHE-ECDSA-CAMELLIA128-SHA256"),
];
const OLD_SESSIONS: [(&str, &str); 4] = [
    ("-tls1", "-cipher ALL:@SECLEVEL=0"),
    ("-tls1", "-cipher AES128-SHA:@SECLEVEL=0 -no_etm"),
    ("-tls1_1", "-cipher CAMELLIA256-SHA:@SECLEVEL=0"),
    ("-tls1_1", "-cipher AES128-SHA:@SECLEVEL=0 -no_ticket"),
];

#[test]
#[ignore = "soak: runs the nginx of Debian 11, which `cargo xtask soak` unpacks"]
fn soak_openssl_1_1_beside_the_real_one() {
    let (ours, real) = (https(secure::NGINX_OLD), secure::nginx_old());
    same("nginx-1.18.0-debian11", ours.port, real.port, &[SESSIONS.as_slice(), &OLD_SESSIONS].concat());
}

#[test]
#[ignore = "soak: hundreds of handshakes"]
fn soak_nginx_beside_the_real_one() {
    let (ours, real) = (https(secure::NGINX), secure::nginx());
    same("nginx-1.22.1-debian12", ours.port, real.port, &SESSIONS);
}

#[test]
#[ignore = "soak: hundreds of handshakes"]
fn soak_nginx_with_ecdsa_beside_the_real_one() {
    let (ours, real) = (https(&with_ecdsa(secure::NGINX, "ecdsa-p256")), secure::nginx_ecdsa("prime256v1"));
    same("nginx-1.22.1-debian12-ecdsa", ours.port, real.port, &ECDSA_SESSIONS);
}

#[test]
fn openings_are_answered_as_with_either_curve() {
    for (key, curve) in [("ecdsa-p256", "prime256v1"), ("ecdsa-p384", "secp384r1")] {
        let (ours, real) = (https(&with_ecdsa(secure::NGINX, key)), secure::nginx_ecdsa(curve));
        let asked = |name: &str| name.contains("scheme") || name.contains("group") || name.starts_with("TLS 1.3");
        let openings: Vec<_> = every_opening().into_iter().filter(|(name, _)| asked(name)).collect();
        assert!(openings.len() > 60, "{}", openings.len());
        let said = answers(real.port, &openings, true);
        compare(ours.port, &said, &openings, true);
    }
}

#[test]
#[ignore = "soak: hundreds of handshakes"]
fn soak_apache_beside_the_real_one() {
    let (ours, real) = (https(secure::APACHE), secure::apache());
    same("apache-2.4.71-debian12", ours.port, real.port, &SESSIONS);
}

#[test]
#[ignore = "soak: hundreds of handshakes"]
fn soak_lighttpd_beside_the_real_one() {
    let (ours, real) = (https(secure::LIGHTTPD), secure::lighttpd());
    // It has none of the other suites, and keeps no sessions.
    same("lighttpd-1.4.69-debian12", ours.port, real.port, &SESSIONS[..4]);
}

#[test]
fn openings_are_answered_as_recorded() {
    let ecdsa = with_ecdsa(secure::NGINX, "ecdsa-p256");
    thread::scope(|scope| {
        for (name, spec) in [
            ("apache-2.4.71-debian12", secure::APACHE),
            ("lighttpd-1.4.69-debian12", secure::LIGHTTPD),
            ("nginx-1.18.0-debian11", secure::NGINX_OLD),
            ("nginx-1.22.1-debian12", secure::NGINX),
            ("nginx-1.22.1-debian12-ecdsa", &ecdsa),
        ] {
            scope.spawn(move || {
                let ours = https(spec);
                let text = fs::read_to_string(recording(name)).unwrap();
                // A name begins at the margin, what it brings does not.
                let starts = text.match_indices('\n').map(|(at, _)| at + 1).filter(|&at| !text[at..].starts_with(' '));
                let starts: Vec<usize> = [0].into_iter().chain(starts).collect();
                let real: Vec<String> = starts.windows(2).map(|pair| text[pair[0]..pair[1]].to_string()).collect();
                let openings = every_opening();
                assert_eq!(real.len(), openings.len(), "{name} was recorded with other openings");
                compare(ours.port, &real, &openings, name.ends_with("-ecdsa"));
            });
        }
    });
}
