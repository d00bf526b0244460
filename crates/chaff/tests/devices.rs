//! Every device of the catalogue as nmap's version detection and its default scripts see it: products by name and version,
//! nothing that contradicts the device, nothing that calls it false. A port that says nothing must have its reason in the
//! file of the device, or of its service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use chaff_testkit::{
    network::{Network, alone, run_any},
    process::{Chaff, write_config},
};
use serde_json::Value;

/// What the installed nmap prints of a product that it knows; `{revision}` is the one that the decoy has drawn.
const PRODUCTS: [(&str, &str); 41] = [
    ("apache-2.4-freebsd", "Apache httpd 2.4.{revision} ((FreeBSD))"),
    ("apache-2.4.71-debian12", "Apache httpd 2.4.71 ((Debian))"),
    ("apple-vnc", "Apple remote desktop vnc"),
    ("cisco-asa-ssh", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-ios-http", "Cisco IOS http config"),
    ("cisco-ssh-1.25", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-ssh-1.25-ios15", "Cisco SSH 1.25 (protocol 2.0)"),
    ("cisco-telnet", "Cisco IOS telnetd"),
    ("dnsmasq-2.85", "dnsmasq 2.85"),
    ("dropbear-2020.81", "Dropbear sshd 2020.81 (protocol 2.0)"),
    ("dropbear-2022.83", "Dropbear sshd 2022.83 (protocol 2.0)"),
    ("hp-laserjet-p2055-http", "Virata-EmWeb 6.2.1"),
    ("hue-bridge-http", "nginx"),
    ("hue-bridge-https", "nginx"),
    ("jetdirect-telnet", "HP JetDirect telnetd"),
    ("jetdirect-web", "Virata-EmWeb 6.0.1"),
    ("http.sys-2.0", "Microsoft HTTPAPI httpd 2.0 (SSDP/UPnP)"),
    ("iis-10", "Microsoft IIS httpd 10.0"),
    ("iis-10-server-2022-tls", "Microsoft IIS httpd 10.0"),
    ("iis-10-server-2025-tls", "Microsoft IIS httpd 10.0"),
    ("microsoft-dns", "Simple DNS Plus"),
    ("mikrotik-bandwidth-test", "MikroTik bandwidth-test server"),
    ("mikrotik-routeros-ssh", "MikroTik RouterOS sshd (protocol 2.0)"),
    ("msrpc", "Microsoft Windows RPC"),
    ("ncacn-http", "Microsoft Windows RPC over HTTP 1.0"),
    ("nginx-1.18.0-debian11", "nginx 1.18.0"),
    ("nginx-1.18.0-ubuntu20.04", "nginx 1.18.0 (Ubuntu)"),
    ("nginx-1.22.1-debian12", "nginx 1.22.1"),
    ("nginx-1.22.1-debian12-tls", "nginx 1.22.1"),
    ("nginx-1.26.3-debian13", "nginx"),
    ("openssh-10.0-debian13", "OpenSSH 10.0p2 Debian 7+{revision} (protocol 2.0)"),
    ("openssh-7.4-junos18", "OpenSSH 7.4 (protocol 2.0)"),
    ("openssh-7.5-freebsd11", "OpenSSH 7.5 (FreeBSD 20170903; protocol 2.0)"),
    ("openssh-7.5-solaris11.4", "OpenSSH 7.5 (protocol 2.0)"),
    ("openssh-8.1-macos10.15", "OpenSSH 8.1 (protocol 2.0)"),
    ("openssh-8.2-ubuntu20.04", "OpenSSH 8.2p1 Ubuntu 4{revision} (Ubuntu Linux; protocol 2.0)"),
    ("openssh-8.4-debian11", "OpenSSH 8.4p1 Debian 5+{revision} (protocol 2.0)"),
    ("openssh-8.9-ubuntu22.04", "OpenSSH 8.9p1 Ubuntu 3{revision} (Ubuntu Linux; protocol 2.0)"),
    ("openssh-9.2-debian12", "OpenSSH 9.2p1 Debian 2+{revision} (protocol 2.0)"),
    ("openssh-9.6-ubuntu24.04", "OpenSSH 9.6p1 Ubuntu 3{revision} (Ubuntu Linux; protocol 2.0)"),
    ("rpcbind-solaris", "2-4 (RPC #100000)"),
];

/// What nmap calls the systems of a family, where a service tells it.
const SYSTEMS: [(&str, &[&str]); 6] = [
    ("windows", &["Windows"]),
    ("linux", &["Linux"]),
    ("cisco", &["IOS"]),
    ("bsd", &["FreeBSD"]),
    ("apple", &["Mac OS X"]),
    ("solaris", &["Solaris"]),
];

/// Words by which nmap and others call a host false.
const FALSE: [&str; 8] = ["honeypot", "honeyd", "kippo", "cowrie", "dionaea", "kojoney", "nepenthes", "glastopf"];
/// How long nmap may take for all of it: it waits some seconds for an answer to each of its probes, of which there are
/// nearly two hundred, at every port that says nothing.
const LIMIT_S: u64 = 3600;

/// Ports at which nmap detects no version, because a printer would print what it is sent.
const LEFT_OUT: std::ops::RangeInclusive<u16> = 9100..=9107;

/// A service of a decoy, with the revision that it has drawn, by port.
type Ports = BTreeMap<u16, (String, String)>;

#[test]
fn nmap_names_the_products_that_greet() {
    // Whoever waits for the client's first word costs some seconds, and nmap's scripts wait a minute and a half for a
    // Dropbear, for a real one as well; those are for the thorough run.
    let some = [
        "cisco-router",
        "debian-11-server",
        "freebsd-server",
        "juniper-switch",
        "laptop",
        "mikrotik-router",
        "solaris-server",
        "ubuntu-file-server",
    ];
    look("nmap_names_the_products_that_greet", &some, &[22, 5900], &["-sV", "-sC"]);
}

#[test]
fn nmap_names_the_products_behind_tls() {
    let some = ["light-bridge", "network-camera", "web-server", "windows-server-2022", "windows-server-2025"];
    look("nmap_names_the_products_behind_tls", &some, &[443], &["-sV", "-sC"]);
}

#[test]
#[ignore = "soak: half an hour"]
fn soak_nmap_names_the_products_of_every_device_and_finds_nothing_false() {
    let name = "soak_nmap_names_the_products_of_every_device_and_finds_nothing_false";
    let all = devices();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert!(all.len() >= 42, "{all:?}");
    look(name, &all, &[], &["-sV", "--version-all", "-sC"]);
}

/// Has nmap look at a decoy of each device, at all its ports or at `only` these.
fn look(name: &str, devices: &[&str], only: &[u16], words: &[&str]) {
    alone(name, || {
        let (folder, network) = (tempfile::tempdir().unwrap(), Network::new());
        let config = config(devices);
        write_config(folder.path(), &config);
        let _chaff = Chaff::start(binary(), &network, folder.path(), &config);
        let mut decoys = decoys(folder.path());
        decoys.iter_mut().for_each(|decoy| decoy.ports.retain(|port, _| only.is_empty() || only.contains(port)));
        assert_eq!(decoys.len(), devices.len());
        let ports: BTreeSet<u16> = decoys.iter().flat_map(|decoy| decoy.ports.keys().copied()).collect();
        let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let last = decoys.last().unwrap().ip.octets()[3];
        let range = format!("10.20.0.1-{last}");
        let mut all = vec!["-n", "-Pn", "-sS", "-T4", "--max-retries", "6", "--min-hostgroup", "64", "-p", &ports];
        all.extend(words);
        all.push(&range);
        let said = String::from_utf8_lossy(&run_any(&network.atk, LIMIT_S, "nmap", &all).stdout).into_owned();
        let small = said.to_lowercase();
        let named: Vec<&str> = FALSE.into_iter().filter(|word| small.contains(word)).collect();
        let mut wrong: Vec<String> = named.iter().map(|word| format!("something is called {word}")).collect();
        for decoy in &decoys {
            let report = report(&said, decoy.ip);
            wrong.extend(decoy.wrong(&report).into_iter().map(|what| format!("{}: {what}", decoy.profile)));
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}\n\n{said}", wrong.len(), wrong.join("\n"));
    });
}

/// A decoy as `chaff check` tells of it.
struct Decoy {
    name: String,
    ip: Ipv4Addr,
    profile: String,
    family: String,
    ports: Ports,
}

impl Decoy {
    /// What nmap's report has that the device has not, or lacks.
    fn wrong(&self, report: &[&str]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (port, (service, revision)) in &self.ports {
            let head = format!("{port}/tcp ");
            let Some(line) = report.iter().find(|line| line.starts_with(&head)) else {
                wrong.push(format!("{port} is not open"));
                continue;
            };
            if LEFT_OUT.contains(port) {
                continue;
            }
            let known = PRODUCTS.iter().find(|(name, _)| name == service);
            let named = line.split_whitespace().nth(2).unwrap_or("unknown");
            let nameless = named.ends_with('?') || ["unknown", "tcpwrapped", "ssl/unknown"].contains(&named);
            match known {
                Some((_, text)) => {
                    let text = text.replace("{revision}", revision);
                    if !line.contains(&text) {
                        wrong.push(format!("{service} is not {text}: {line}"));
                    }
                }
                None if nameless && !self.has_reason(*port, service) => {
                    wrong.push(format!("{service} is not named, and no file says why: {line}"));
                }
                None => {}
            }
        }
        wrong.extend(self.contradictions(report));
        wrong
    }

    /// Whether the file of the device says why this port says nothing, or that of the service what is missing.
    fn has_reason(&self, port: u16, service: &str) -> bool {
        let device = fs::read_to_string(profiles().join("devices").join(format!("{}.toml", self.profile))).unwrap();
        let service =
            fs::read_to_string(profiles().join("services").join(format!("{service}.toml"))).unwrap_or_default();
        device.contains(&format!("# {port}/tcp says nothing: ")) || service.contains("is not built yet")
    }

    /// Names of hosts and systems that are not this decoy's.
    fn contradictions(&self, report: &[&str]) -> Vec<String> {
        let mut wrong = Vec::new();
        for line in report {
            if line.contains("ntlm-info") && self.family != "windows" {
                wrong.push(format!("NTLM of a system that has none: {line}"));
            }
            if let Some((_, rest)) = line.split_once("commonName=")
                && let Some(name) = rest.split(['/', ' ']).next()
                && name != self.name
                // A bridge of Philips' is named by its hardware address.
                && name.get(6..10) != Some("fffe")
                && !line.contains("Issuer")
            {
                wrong.push(format!("a certificate of another than {}: {line}", self.name));
            }
            let Some(info) = line.strip_prefix("Service Info: ") else { continue };
            for part in info.split("; ") {
                let Some((what, value)) = part.split_once(": ") else { continue };
                let system = SYSTEMS.iter().find(|(family, _)| *family == self.family);
                let right = match (what, system) {
                    ("Host" | "Hosts", _) => value.eq_ignore_ascii_case(&self.name),
                    ("OS" | "OSs", Some((_, names))) => {
                        value.split(", ").all(|one| names.iter().any(|name| one.contains(name)))
                    }
                    _ => true,
                };
                if !right {
                    wrong.push(format!("{what} {value} is not that of {} with {}", self.name, self.family));
                }
            }
        }
        wrong
    }
}

/// The lines of one host.
fn report(said: &str, ip: Ipv4Addr) -> Vec<&str> {
    let head = format!("Nmap scan report for {ip}");
    let lines = said.lines().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.starts_with("Nmap scan report for ")).collect()
}

/// One decoy of each device.
fn config(devices: &[&str]) -> String {
    let head =
        "[[network]]\nname = \"office\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n";
    let groups = devices.iter().enumerate().map(|(place, device)| {
        format!("[[network.decoys]]\nprofile = \"{device}\"\naddresses = [\"10.20.0.{}\"]\n", place + 1)
    });
    head.to_owned() + &groups.collect::<String>()
}

fn decoys(folder: &Path) -> Vec<Decoy> {
    let mut command = Command::new(binary());
    command
        .arg("check")
        .arg("-c")
        .arg(folder.join("chaff.toml"))
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--json");
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let decoys = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        let ports = line["ports"].as_object().unwrap().iter().filter_map(|(range, service)| {
            let range = range.strip_suffix("/tcp").filter(|range| *range != "default")?;
            let service = service.as_str().filter(|service| !["closed", "filtered"].contains(service))?;
            let (service, revision) = service.split_once('@').unwrap_or((service, ""));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u16, u16) = (first.parse().unwrap(), last.parse().unwrap());
            Some((first..=last).map(move |port| (port, (service.to_owned(), revision.to_owned()))))
        });
        Decoy {
            name: text("name"),
            ip: text("ip").parse().unwrap(),
            profile: text("profile"),
            family: family(&text("personality")),
            ports: ports.flatten().collect(),
        }
    });
    decoys.collect()
}

/// The family of a system, by itself or by what it builds on.
fn family(system: &str) -> String {
    let file = profiles().join("systems").join(format!("{system}.toml"));
    let table: toml::Table = toml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let word = |key: &str| table.get(key).and_then(toml::Value::as_str);
    word("family").map(str::to_owned).unwrap_or_else(|| family(word("base").unwrap()))
}

fn devices() -> Vec<String> {
    let files = fs::read_dir(profiles().join("devices")).unwrap();
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned())).collect();
    names.sort_unstable();
    names
}

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles")
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}
