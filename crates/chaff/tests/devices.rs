//! Every device of the catalogue as nmap's version detection and its default scripts see it: products by name and version,
//! nothing that contradicts the device, nothing that calls it false. A port that says nothing must have its reason in the
//! file of the device, or of its service.

mod known;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use chaff_testkit::{
    network::{Network, alone, run_any},
    process::{Chaff, write_config},
};
use serde_json::Value;

/// What nmap calls the systems of a family, where a service tells it.
const SYSTEMS: [(&str, &[&str]); 6] = [
    ("windows", &["Windows"]),
    ("linux", &["Linux"]),
    ("cisco", &["IOS"]),
    ("bsd", &["FreeBSD"]),
    ("apple", &["Mac OS X"]),
    ("solaris", &["Solaris"]),
];

/// How long nmap may take for all of it: it waits some seconds for an answer to each of its probes, of which there are
/// nearly two hundred, at every port that says nothing.
const LIMIT_S: u64 = 3600;

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
fn nmap_names_the_products_with_a_page() {
    let some = [
        "managed-switch",
        "network-camera",
        "network-storage",
        "print-server",
        "windows-server-2022",
        "windows-workstation",
        "wlan-router",
    ];
    look("nmap_names_the_products_with_a_page", &some, &[80, 5000, 5357, 5985], &["-sV", "-sC"]);
}

#[test]
#[ignore = "soak: half an hour"]
fn soak_nmap_names_the_products_of_every_device_and_finds_nothing_false() {
    let name = "soak_nmap_names_the_products_of_every_device_and_finds_nothing_false";
    let all = known::names("devices");
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
        let mut wrong = known::false_names(&said);
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
            if known::LEFT_OUT.contains(port) {
                continue;
            }
            let column = line.split_whitespace().nth(2).unwrap_or("unknown");
            let nameless = column.ends_with('?') || ["unknown", "tcpwrapped", "ssl/unknown"].contains(&column);
            if nameless && self.has_reason(*port, service) {
                continue;
            }
            wrong.extend(known::named(service, revision, line).err());
        }
        wrong.extend(self.contradictions(report));
        wrong.extend(self.told_by_scripts(report));
        wrong
    }

    /// Whether the file of the device says why this port says nothing, or that of the service what is missing.
    fn has_reason(&self, port: u16, service: &str) -> bool {
        let (device, service) = (known::text("devices", &self.profile), known::text("services", service));
        device.contains(&format!("# {port}/tcp says nothing: ")) || service.contains("is not built yet")
    }

    /// What scripts read at a port and its service does not have: kinds of keys, titles, servers, names and dates.
    fn told_by_scripts(&self, report: &[&str]) -> Vec<String> {
        let (mut wrong, mut here) = (Vec::new(), None);
        for line in report {
            if let Some(port) = line.split_once("/tcp ").and_then(|(port, _)| port.parse().ok()) {
                here = self.ports.get(&port);
            }
            let Some((service, revision)) = here else { continue };
            let text = known::whole_text(service).replace("{revision}", revision);
            let words = line.trim_start_matches(['|', '_', ' ']);
            if !self.says(words, &text) {
                wrong.push(format!("{service} does not say: {words}"));
            }
        }
        wrong
    }

    /// Whether a service with a file of this `text` says what a script has read; true of what is not looked at.
    fn says(&self, words: &str, text: &str) -> bool {
        if let Some((bits, kind)) = hostkey(words) {
            return match kind {
                "RSA" => text.contains(&format!("{{ rsa = {bits} }}")),
                "ECDSA" => text.contains(&format!("{{ ecdsa = \"nistp{bits}\" }}")),
                "ED25519" => text.contains("\"ed25519\""),
                _ => false,
            };
        }
        let Some((script, value)) = words.split_once(':').map(|(script, value)| (script, value.trim())) else {
            return true;
        };
        match script {
            "http-server-header" | "http-generator" | "http-powered-by" => text.contains(value),
            "http-title" if value.starts_with("Site doesn't have a title") => true,
            // The title as the file has it, with what is the decoy's own; old pages have their tags in capitals.
            "http-title" => {
                let own = [(self.name.clone(), "{hostname}"), (self.ip.to_string(), "{ip}")];
                let written =
                    own.iter().fold(value.to_owned(), |value, (own, place)| value.replace(own.as_str(), place));
                ["title", "TITLE"].iter().any(|tag| text.contains(&format!("<{tag}>{written}</{tag}>")))
            }
            "Subject Alternative Name" => value.split(", ").all(|name| {
                let own = [format!("DNS:{}", self.name), format!("IP Address:{}", self.ip)];
                own.iter().any(|own| name.eq_ignore_ascii_case(own) || name.starts_with(&format!("{own}.")))
            }),
            "Not valid before" => *value < *now(),
            "Not valid after" => *value > *now(),
            _ => true,
        }
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

/// The bits and kind of a key, from a line of ssh-hostkey: `256 aabb… (ECDSA)`.
fn hostkey(words: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = words.split(' ').collect();
    let &[bits, print, kind] = &parts[..] else { return None };
    let is_one = print.len() == 32 && print.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_one.then_some((bits, kind.strip_prefix('(')?.strip_suffix(')')?))
}

/// The time, in the form of a certificate's as nmap prints it.
fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
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
    let table: toml::Table = toml::from_str(&known::text("systems", system)).unwrap();
    let word = |key: &str| table.get(key).and_then(toml::Value::as_str);
    word("family").map(str::to_owned).unwrap_or_else(|| family(word("base").unwrap()))
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}
