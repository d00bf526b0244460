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
use secure::{https, run, same_sessions};

const AT_ONCE: usize = 16;

/// What a server says to each opening.
fn answers(port: u16, openings: &[(String, Said)]) -> Vec<String> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); openings.len()]));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut count = next.fetch_add(1, Ordering::Relaxed);
                while let Some((name, opening)) = openings.get(count) {
                    let text = format!("{name}\n    {}\n", answer(port, opening).join("\n    "));
                    said.lock().unwrap()[count] = text;
                    count = next.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    said.into_inner().unwrap()
}

/// Holds answers against those of the real server. What differs must differ twice: under load, silence may be mistaken.
fn compare(ours: u16, real: &[String], openings: &[(String, Said)]) {
    let wrong = |openings: &[(String, Said)], real: &[String]| {
        let own = answers(ours, openings);
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
    let openings = every_opening();
    let said = answers(real, &openings);
    compare(ours, &said, &openings);
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
    same_sessions(ours, real, name.starts_with("apache"), sessions);
}

/// What `curl -v` says of TLS, in either version, without what is a certificate's own.
fn curl(port: u16) -> String {
    let mut text = String::new();
    for version in ["1.2", "1.3"] {
        let (url, to) = (format!("https://nav-1:{port}/"), format!("nav-1:{port}:127.0.0.1"));
        let words = ["-skv", "--max-time", "20", "-o", "/dev/null", "--resolve", &to, "--tls-max", version, &url];
        let (_, said) = run("curl", &words);
        let tells = |line: &&str| {
            line.starts_with("* ") && ["TLS", "SSL", "ALPN", "subject", "issuer"].iter().any(|word| line.contains(word))
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
fn soak_apache_beside_the_real_one() {
    let (ours, real) = (https(secure::APACHE), secure::apache());
    same("apache-2.4.71-debian12", ours.port, real.port, &SESSIONS);
}

#[test]
#[ignore = "soak: hundreds of handshakes"]
fn soak_lighttpd_beside_the_real_one() {
    let (ours, real) = (https(secure::LIGHTTPD), secure::lighttpd());
    // It has none of the other suites.
    same("lighttpd-1.4.69-debian12", ours.port, real.port, &SESSIONS[..5]);
}

#[test]
fn openings_are_answered_as_recorded() {
    thread::scope(|scope| {
        for (name, spec) in [
            ("apache-2.4.71-debian12", secure::APACHE),
            ("lighttpd-1.4.69-debian12", secure::LIGHTTPD),
            ("nginx-1.18.0-debian11", secure::NGINX_OLD),
            ("nginx-1.22.1-debian12", secure::NGINX),
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
                compare(ours.port, &real, &openings);
            });
        }
    });
}
