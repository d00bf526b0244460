//! What the installed nmap prints of each service of the catalogue: every file of `profiles/services` is in exactly one of
//! three lists, of products that it knows, of those that it does not, and of those that it does not ask.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What nmap prints of a product that it knows, by the words with which the product names itself; `{revision}` is the one
/// that the decoy has drawn.
const PRODUCTS: [(&str, &str); 68] = [
    ("apache-2.4-freebsd", "Apache httpd 2.4.{revision} ((FreeBSD))"),
    ("apache-2.4.71-debian12", "Apache httpd 2.4.71 ((Debian))"),
    ("apache-2.4.71-debian12-http2", "Apache httpd 2.4.71 ((Debian))"),
    ("apache-2.4.71-debian12-tls", "Apache httpd 2.4.71 ((Debian))"),
    ("apple-vnc", "Apple remote desktop vnc"),
    ("camera-web", "Boa 0.94.14rc21"),
    ("camera-web-tls", "Boa 0.94.14rc21"),
    ("cisco-asa-ssh", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-ios-http", "Cisco IOS http config"),
    ("cisco-ssh-1.25", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-ssh-1.25-ios15", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-telnet", "Cisco IOS telnetd"),
    ("dnsmasq-2.85", "dnsmasq 2.85"),
    ("dropbear-2020.81", "Dropbear sshd 2020.81 (protocol 2.0)"),
    ("dropbear-2022.83", "Dropbear sshd 2022.83 (protocol 2.0)"),
    ("dropbear-2025.89", "Dropbear sshd 2025.89 (protocol 2.0)"),
    ("hp-ipp", "Virata-EmWeb 6.2.1"),
    ("hp-laserjet-p2055-http", "Virata-EmWeb 6.2.1"),
    ("http.sys-2.0", "Microsoft HTTPAPI httpd 2.0 (SSDP/UPnP)"),
    ("hue-bridge-http", "nginx"),
    ("hue-bridge-https", "nginx"),
    ("iis-10", "Microsoft IIS httpd 10.0"),
    ("iis-10-server-2019-tls", "Microsoft IIS httpd 10.0"),
    ("iis-10-server-2022-tls", "Microsoft IIS httpd 10.0"),
    ("iis-10-server-2025-tls", "Microsoft IIS httpd 10.0"),
    ("jetdirect-telnet", "HP JetDirect telnetd"),
    ("jetdirect-web", "Virata-EmWeb 6.0.1"),
    ("lighttpd-1.4.69-debian12", "lighttpd 1.4.69"),
    ("lighttpd-1.4.69-debian12-tls", "lighttpd 1.4.69"),
    ("management-controller-web", "Management-Http/1.30"),
    ("management-controller-web-tls", "Management-Http/1.30"),
    ("microsoft-dns", "Simple DNS Plus"),
    ("mikrotik-bandwidth-test", "MikroTik bandwidth-test server"),
    ("mikrotik-routeros-ssh", "MikroTik RouterOS sshd (protocol 2.0)"),
    ("msrpc", "Microsoft Windows RPC"),
    ("nas-web", "nginx"),
    ("nas-web-tls", "nginx"),
    ("ncacn-http", "Microsoft Windows RPC over HTTP 1.0"),
    ("nginx-1.18.0-debian11", "nginx 1.18.0"),
    ("nginx-1.18.0-debian11-tls", "nginx 1.18.0"),
    ("nginx-1.18.0-ubuntu20.04", "nginx 1.18.0 (Ubuntu)"),
    ("nginx-1.22.1-debian12", "nginx 1.22.1"),
    ("nginx-1.22.1-debian12-ecdsa", "nginx 1.22.1"),
    ("nginx-1.22.1-debian12-http2", "nginx 1.22.1"),
    ("nginx-1.22.1-debian12-tls", "nginx 1.22.1"),
    ("nginx-1.26.3-debian13", "nginx"),
    ("nmea-0183", "NMEA 0183 GPS data"),
    ("openssh-10.0-debian13", "OpenSSH 10.0p2 Debian 7+{revision} (protocol 2.0)"),
    ("openssh-7.4-junos18", "OpenSSH 7.4 (protocol 2.0)"),
    ("openssh-7.5-freebsd11", "OpenSSH 7.5 (FreeBSD 20170903; protocol 2.0)"),
    ("openssh-7.5-solaris11.4", "OpenSSH 7.5 (protocol 2.0)"),
    ("openssh-8.0-rhel8", "OpenSSH 8.0 (protocol 2.0)"),
    ("openssh-8.1-macos10.15", "OpenSSH 8.1 (protocol 2.0)"),
    ("openssh-8.1-windows", "OpenSSH for_Windows_8.1 (protocol 2.0)"),
    ("openssh-8.2-ubuntu20.04", "OpenSSH 8.2p1 Ubuntu 4{revision} (Ubuntu Linux; protocol 2.0)"),
    ("openssh-8.4-debian11", "OpenSSH 8.4p1 Debian 5+{revision} (protocol 2.0)"),
    ("openssh-8.7-rhel9", "OpenSSH 8.7 (protocol 2.0)"),
    ("openssh-8.9-ubuntu22.04", "OpenSSH 8.9p1 Ubuntu 3{revision} (Ubuntu Linux; protocol 2.0)"),
    ("openssh-9.2-debian12", "OpenSSH 9.2p1 Debian 2+{revision} (protocol 2.0)"),
    ("openssh-9.6-ubuntu24.04", "OpenSSH 9.6p1 Ubuntu 3{revision} (Ubuntu Linux; protocol 2.0)"),
    ("plug-web", "Embedded-HTTP"),
    ("printer-web", "Embedded-HTTP"),
    ("printer-web-tls", "Embedded-HTTP"),
    ("rockwell-http", "A-B WWW/0.1"),
    ("router-web", "lighttpd 1.4.59"),
    ("rpcbind-solaris", "2-4 (RPC #100000)"),
    ("signalk-2", "Node.js Express framework"),
    ("switch-web", "GoAhead WebServer"),
];

/// Services whose product nmap does not know: what it prints in place of it, and why.
const UNKNOWN: [(&str, &[&str], &str); 11] = [
    ("apple-lockdownd", &["iphone-sync?"], "it says nothing to whoever has no pairing record, as the real one"),
    ("aten-ikvm", &["vnc (protocol 5)"], "nmap reads a version of RFB that it has no product for"),
    ("axis-rtsp", &["rtsp"], "the protocol is known, no product answers so"),
    ("discard", &["discard?"], "says nothing (RFC 863)"),
    ("echo", &["echo"], "says what it is told (RFC 862)"),
    ("ethernet-ip", &["EtherNetIP-2?"], "the protocol is not built yet"),
    ("lpd", &["printer"], "the protocol is known, no product answers so"),
    ("microsoft-ds", &["microsoft-ds?"], "the protocol is not built yet"),
    ("ms-rdp", &["ms-wbt-server?"], "the protocol is not built yet"),
    ("netbios-ssn", &["netbios-ssn?"], "the protocol is not built yet"),
    ("samba", &["microsoft-ds?", "netbios-ssn?"], "the protocol is not built yet"),
];

/// Services at whose ports nmap detects no version, because a printer would print what it is sent.
const PRINTED: [&str; 3] = ["hp-laserjet-p2055-jetdirect", "hp-officejet-pjl", "jetdirect-9100"];

/// Ports at which nmap detects no version, whatever is there.
pub(crate) const LEFT_OUT: std::ops::RangeInclusive<u16> = 9100..=9107;

/// Words by which nmap and others call a host false.
const FALSE: [&str; 8] = ["honeypot", "honeyd", "kippo", "cowrie", "dionaea", "kojoney", "nepenthes", "glastopf"];

/// Whether nmap's line of a port names the product and version of `service`, or what it prints of one that it does not
/// know. `line` is as nmap prints it: `22/tcp open ssh OpenSSH …`.
pub(crate) fn named(service: &str, revision: &str, line: &str) -> Result<(), String> {
    let column = line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    if let Some((_, text)) = PRODUCTS.iter().find(|(name, _)| *name == service) {
        let text = text.replace("{revision}", revision);
        // `ssl/http nginx`: the version stands at the end, and nothing follows it.
        return if column.split_once(' ').is_some_and(|(_, version)| version == text) {
            Ok(())
        } else {
            Err(format!("{service} is not {text}: {line}"))
        };
    }
    let Some((_, columns, _)) = UNKNOWN.iter().find(|(name, ..)| *name == service) else {
        return Err(format!("{service} is in no list of what nmap says: {line}"));
    };
    if columns.contains(&column.as_str()) { Ok(()) } else { Err(format!("{service} is not {columns:?}: {line}")) }
}

/// Whether nmap asks a service for its version at all.
pub(crate) fn is_asked(service: &str) -> bool {
    !PRINTED.contains(&service)
}

/// Words in what was said that call a host false.
pub(crate) fn false_names(said: &str) -> Vec<String> {
    let small = said.to_lowercase();
    let named = FALSE.into_iter().filter(|word| small.contains(word));
    named.map(|word| format!("something is called {word}")).collect()
}

/// Every service of the catalogue, each of which is in exactly one list.
pub(crate) fn services() -> BTreeSet<String> {
    let files = names("services");
    let products = PRODUCTS.iter().map(|(name, _)| *name);
    let listed: Vec<&str> = products.chain(UNKNOWN.iter().map(|(name, ..)| *name)).chain(PRINTED).collect();
    let once: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(once.len(), listed.len(), "a service is listed twice");
    assert_eq!(once, files, "the lists are of the catalogue's services");
    files
}

/// The files in a folder of the catalogue, without their ending.
pub(crate) fn names(folder: &str) -> BTreeSet<String> {
    let files = fs::read_dir(profiles().join(folder)).unwrap();
    files.filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned())).collect()
}

/// The text of a file of the catalogue.
pub(crate) fn text(folder: &str, name: &str) -> String {
    fs::read_to_string(profiles().join(folder).join(format!("{name}.toml"))).unwrap_or_default()
}

/// The text of a service, and of those that it builds on.
pub(crate) fn whole_text(service: &str) -> String {
    let own = text("services", service);
    let base = own.lines().find_map(|line| line.strip_prefix("base = \"")?.strip_suffix('"'));
    base.map_or_else(String::new, whole_text) + &own
}

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles")
}
