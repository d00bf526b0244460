//! TLS as Windows speaks it, before real clients, and beside what was published of real ones. No Windows was at hand.

mod daemon;
mod hellos;
mod secure;
mod server;

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::Duration,
};

use chaff_services::{HttpPage, HttpSpec, ServiceKind, ServiceSpec, TlsSpec};
use secure::run;
use server::Server;

const SERVER_2019: &str = include_str!("../../../profiles/tls/schannel-server-2019.toml");
const SERVER_2022: &str = include_str!("../../../profiles/tls/schannel-server-2022.toml");

/// What nmap's ssl-enum-ciphers printed of Windows Server 2022, of port 636, without its warnings: dsinternals.com,
/// "Enforcing TLS 1.2+ for LDAPS on Domain Controllers", 2024-03-15.
const PUBLISHED: &str = "\
TLSv1.0:
ciphers:
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA (secp384r1) - A
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA (ecdh_x25519) - A
TLS_RSA_WITH_AES_256_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_3DES_EDE_CBC_SHA (rsa 2048) - C
compressors:
NULL
cipher preference: server
TLSv1.1:
ciphers:
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA (secp384r1) - A
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA (ecdh_x25519) - A
TLS_RSA_WITH_AES_256_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_3DES_EDE_CBC_SHA (rsa 2048) - C
compressors:
NULL
cipher preference: server
TLSv1.2:
ciphers:
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 (secp384r1) - A
TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (ecdh_x25519) - A
TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 (dh 2048) - A
TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 (dh 2048) - A
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 (secp384r1) - A
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 (ecdh_x25519) - A
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA (secp384r1) - A
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA (ecdh_x25519) - A
TLS_RSA_WITH_AES_256_GCM_SHA384 (rsa 2048) - A
TLS_RSA_WITH_AES_128_GCM_SHA256 (rsa 2048) - A
TLS_RSA_WITH_AES_256_CBC_SHA256 (rsa 2048) - A
TLS_RSA_WITH_AES_128_CBC_SHA256 (rsa 2048) - A
TLS_RSA_WITH_AES_256_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_AES_128_CBC_SHA (rsa 2048) - A
TLS_RSA_WITH_3DES_EDE_CBC_SHA (rsa 2048) - C
compressors:
NULL
cipher preference: server
TLSv1.3:
ciphers:
TLS_AKE_WITH_AES_256_GCM_SHA384 (secp384r1) - A
TLS_AKE_WITH_AES_128_GCM_SHA256 (ecdh_x25519) - A
cipher preference: server
";

/// JARM of a Windows at port 3389 in lists on GitHub; its last half, which is made of the extensions, is in a list of
/// Censys', of values that are too common to search for, beside others that begin as older Windows do.
const PUBLISHED_JARM: &str = "2ad2ad16d2ad2ad22c2ad2ad2ad2adfd9c9d14e4f4f67f94f0359f8b28f532";

fn serve(spec: &str) -> Server {
    let page = HttpPage { path: "/".into(), body: "<h1>{hostname}</h1>\n".repeat(2000), ..HttpPage::default() };
    let http = HttpSpec { pages: vec![page], http2: Some(toml::from_str("").unwrap()), ..HttpSpec::default() };
    let tls: TlsSpec = toml::from_str(spec).unwrap();
    let kind = ServiceKind::Http(Arc::new(http));
    let server = Server::with(ServiceSpec { tls: Some(Arc::new(tls)), ..ServiceSpec::new("https", kind) }, &[]);
    // The first client waits until the decoy's key is found.
    assert!((0..20).any(|_| client(&server, &["-tls1_2"]).0), "no key was found");
    server
}

fn client(server: &Server, words: &[&str]) -> (bool, String) {
    let to = format!("127.0.0.1:{}", server.port);
    run("timeout", &[&["20", "openssl", "s_client", "-connect", &to, "-servername", "nav-1"], words].concat())
}

#[test]
fn curl_reads_a_page_over_either_http_and_either_version() {
    let server = serve(SERVER_2022);
    let url = format!("https://127.0.0.1:{}/", server.port);
    for http in ["--http1.1", "--http2"] {
        for version in ["1.2", "1.3"] {
            let words = ["-sSkv", http, "--max-time", "20", "--tls-max", version, &url];
            let (done, said) = run("curl", &words);
            let agreed = if http == "--http2" { "accepted h2" } else { "accepted http/1.1" };
            let read = said.matches("<h1>nav-1</h1>").count();
            assert!(done && read == 2000 && said.contains(agreed), "{words:?}: {}", &said[..said.len().min(3000)]);
        }
    }
}

#[test]
fn clients_agree_on_every_suite() {
    let server = serve(SERVER_2022);
    let spec: toml::Table = toml::from_str(SERVER_2022).unwrap();
    for suite in spec["suites"].as_array().unwrap().iter().map(|suite| suite.as_str().unwrap()) {
        let list = format!("{suite}:@SECLEVEL=0");
        let versions: &[&str] = match suite {
            // Debian's OpenSSL has it no more.
            "DES-CBC3-SHA" => continue,
            _ if suite.contains("ECDSA") => continue,
            _ if suite.starts_with("TLS_") => &["-tls1_3"],
            _ if suite.ends_with("-SHA") => &["-tls1", "-tls1_1", "-tls1_2"],
            _ => &["-tls1_2"],
        };
        for version in versions {
            let choice = if suite.starts_with("TLS_") { ["-ciphersuites", suite] } else { ["-cipher", &list] };
            let (done, said) = client(&server, &[version, choice[0], choice[1]]);
            let strong = suite.contains("256") && !suite.contains("AES128");
            let key = match suite {
                _ if *version == "-tls1_3" => "Server Temp Key: X25519",
                _ if suite.starts_with("DHE") => "Server Temp Key: DH, 2048 bits",
                _ if !suite.starts_with("ECDHE") => "",
                _ if strong => "Server Temp Key: ECDH, secp384r1, 384 bits",
                _ => "Server Temp Key: X25519, 253 bits",
            };
            assert!(done && said.contains(suite) && said.contains(key), "{version} {suite}: {said}");
        }
    }
}

#[test]
fn triple_des_is_spoken_with_a_client_that_has_it() {
    let server = serve(SERVER_2022);
    for version in ["1.0", "1.1", "1.2"] {
        let priority = format!("NONE:+VERS-TLS{version}:+3DES-CBC:+RSA:+SHA1:+COMP-NULL:+SIGN-ALL:+GROUP-ALL");
        let script = format!(
            "(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 2) | timeout 20 gnutls-cli --insecure -p {} \
             --sni-hostname=nav-1 --priority '{priority}' 127.0.0.1",
            server.port
        );
        let (_, said) = run("sh", &["-c", &script]);
        let read = said.matches("<h1>nav-1</h1>").count();
        assert!(said.contains("3DES-CBC") && read == 2000, "{version}: {}", &said[..said.len().min(3000)]);
    }
}

#[test]
fn nmap_prints_what_it_printed_of_windows_server_2022() {
    let server = serve(SERVER_2022);
    let port = server.port.to_string();
    let (done, said) = run("nmap", &["-n", "-Pn", "-p", &port, "--script", "ssl-enum-ciphers", "127.0.0.1"]);
    let list: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix('|')).collect();
    let own = ["ssl-enum-ciphers:", "warnings:", "64-bit block cipher", "least strength"];
    let kept = list.iter().map(|line| line.trim_matches(['_', ' '])).filter(|l| !own.iter().any(|w| l.contains(w)));
    let ours: Vec<&str> = kept.collect();
    assert!(done && ours == PUBLISHED.lines().collect::<Vec<_>>(), "{said}");
}

#[test]
fn jarm_is_that_of_windows_where_it_was_published() {
    // What is at port 3389 agrees on no protocol inside.
    let without = SERVER_2019.replace("alpn = [\"h2\", \"http/1.1\"]", "alpn = []");
    assert_ne!(without, SERVER_2019);
    assert_eq!(secure::jarm(serve(&without).port), PUBLISHED_JARM);
}

#[test]
fn a_session_goes_on_by_an_identifier_of_the_form_that_windows_gives() {
    let server = serve(SERVER_2019);
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session").display().to_string();
    let (_, first) = client(&server, &["-tls1_2", "-sess_out", &session]);
    let (_, again) = client(&server, &["-tls1_2", "-sess_in", &session]);
    let name = |said: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix("Session-ID: ").map(String::from));
        line.unwrap_or_else(|| panic!("{said}"))
    };
    let own = name(&first);
    assert!(own.len() == 64 && own[4..8] == *"0000" && own[8..12] != *"0000", "{own}");
    assert!(again.contains("Reused, TLSv1.2") && name(&again) == own, "{again}");
}

#[test]
fn what_cannot_be_agreed_on_is_reset_without_a_word() {
    let server = serve(SERVER_2022);
    let mut table = hellos::table();
    table.push(("RC4", hellos::old().but(|hello| hello.suites = vec![0, 5]).record()));
    for name in ["RC4", "SSL 3", "fallback", "TLS 1.3 without its suites", "HTTP", "no HTTP"] {
        let octets = &table.iter().find(|(other, _)| *other == name).unwrap().1;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(octets).unwrap();
        let mut said = Vec::new();
        let end = stream.read_to_end(&mut said);
        let reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(said.is_empty() && reset, "{name}: {said:?}");
    }
}

#[test]
fn a_flight_goes_out_in_one_record() {
    let server = serve(SERVER_2019);
    let (_, octets) = hellos::table().into_iter().find(|(name, _)| *name == "TLS 1.2").unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
    stream.write_all(&octets).unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let mut flight = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut flight).unwrap();
    let (mut kinds, mut rest) = (Vec::new(), flight.as_slice());
    while let [kind, a, b, c, after @ ..] = rest {
        kinds.push(*kind);
        rest = &after[usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap()..];
    }
    assert_eq!((head[0], kinds.as_slice()), (22, [2, 11, 12, 14].as_slice()));
}

#[test]
fn the_certificate_is_as_new_self_signed_certificate_makes_one() {
    let server = serve(SERVER_2022);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate").display().to_string();
    fs::write(&file, client(&server, &["-tls1_2"]).1).unwrap();
    let (done, said) = run("openssl", &["x509", "-in", &file, "-noout", "-text"]);
    let order = [
        "Signature Algorithm: sha256WithRSAEncryption",
        "Issuer: CN = nav-1",
        "Subject: CN = nav-1",
        "Public-Key: (2048 bit)",
        "X509v3 Key Usage: critical",
        "Digital Signature, Key Encipherment",
        "X509v3 Extended Key Usage:",
        "TLS Web Client Authentication, TLS Web Server Authentication",
        "X509v3 Subject Alternative Name:",
        "DNS:nav-1",
        "X509v3 Subject Key Identifier:",
    ];
    let mut rest = said.as_str();
    for line in order {
        let place = rest.find(line).unwrap_or_else(|| panic!("no {line} in its place: {said}"));
        rest = &rest[place..];
    }
    assert!(done && said.matches("X509v3 ").count() == 5, "{said}");
}
