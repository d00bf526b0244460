//! Every service of the catalogue as nmap's version detection sees it, also those that no device has: product and version
//! as the product claims them. Decoys stand for it, each with one port.

mod known;

use std::{collections::BTreeMap, path::Path, process::Command};

use chaff_testkit::{
    network::{Network, alone, run_any},
    process::{Chaff, write_config},
};
use serde_json::Value;

/// How long nmap may take for all of it: it waits for each of nearly two hundred probes at a port that says nothing.
const LIMIT_S: u64 = 3600;

/// Services that no device of the catalogue has, but for those that only tests use: tests/devices.rs never sees them.
#[test]
fn nmap_names_the_products_that_no_device_has() {
    let devices: String = known::names("devices").iter().map(|name| known::text("devices", name)).collect();
    let all = known::services().into_iter();
    let some: Vec<String> = all
        .filter(|name| !devices.contains(&format!("\"{name}\"")) && !["echo", "discard"].contains(&name.as_str()))
        .collect();
    assert!(some.len() >= 10, "{some:?}");
    look("nmap_names_the_products_that_no_device_has", &some);
}

#[test]
#[ignore = "soak: a quarter of an hour"]
fn soak_nmap_names_every_product() {
    look("soak_nmap_names_every_product", &known::services().into_iter().collect::<Vec<_>>());
}

/// Has nmap look at a decoy of each service.
fn look(name: &str, services: &[String]) {
    alone(name, || {
        let (folder, network) = (tempfile::tempdir().unwrap(), Network::new());
        let usual = usual_ports();
        let doors: Vec<(&String, u16)> = services.iter().map(|service| (service, port(service, &usual))).collect();
        let config = config(&doors);
        write_config(folder.path(), &config);
        let _chaff = Chaff::start(binary(), &network, folder.path(), &config);
        let revisions = revisions(folder.path());
        let mut ports: Vec<String> = doors.iter().map(|(_, port)| port.to_string()).collect();
        ports.sort_unstable();
        ports.dedup();
        let (ports, range) = (ports.join(","), format!("10.20.0.1-{}", doors.len()));
        let mut words = vec!["-n", "-Pn", "-sS", "-T4", "--max-retries", "6", "--min-hostgroup", "128", "-sV"];
        words.extend(["--version-all", "-p", &ports, &range]);
        let said = String::from_utf8_lossy(&run_any(&network.atk, LIMIT_S, "nmap", &words).stdout).into_owned();
        let mut wrong = known::false_names(&said);
        for (place, (service, port)) in doors.iter().enumerate().filter(|(_, (service, _))| known::is_asked(service)) {
            let head = format!("Nmap scan report for 10.20.0.{}", place + 1);
            let report = said.lines().skip_while(|line| *line != head).skip(1);
            let mut report = report.take_while(|line| !line.starts_with("Nmap scan report for "));
            let Some(line) = report.find(|line| line.starts_with(&format!("{port}/tcp "))) else {
                wrong.push(format!("{service} is not open at {port}"));
                continue;
            };
            let revision = revisions.get(*service).map_or("", String::as_str);
            wrong.extend(known::named(service, revision, line).err());
            let behind_tls = line.split_whitespace().nth(2).is_some_and(|column| column.starts_with("ssl/"));
            if behind_tls != has_tls(service) {
                wrong.push(format!("{service}: TLS where there is none, or the other way round: {line}"));
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}\n\n{said}", wrong.len(), wrong.join("\n"));
    });
}

/// One decoy for each service, with nothing else open.
fn config(doors: &[(&String, u16)]) -> String {
    let head =
        "[[network]]\nname = \"office\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n";
    // A service of Windows on a decoy of Linux: what is looked at is its product alone.
    let groups = doors.iter().enumerate().map(|(place, (service, port))| {
        format!(
            "[[network.decoys]]\nprofile = \"linux-server\"\ncoherent = false\naddresses = [\"10.20.0.{}\"]\n\
             ports = {{ \"1-65535/tcp\" = \"closed\", \"{port}/tcp\" = \"{service}\" }}\n",
            place + 1
        )
    });
    head.to_owned() + &groups.collect::<String>()
}

/// The first port at which devices of the catalogue have each service.
fn usual_ports() -> BTreeMap<String, u16> {
    let mut usual = BTreeMap::new();
    for device in known::names("devices") {
        let table: toml::Table = toml::from_str(&known::text("devices", &device)).unwrap();
        for (range, service) in table["ports"].as_table().unwrap() {
            let port = range.strip_suffix("/tcp").and_then(|range| range.split('-').next()?.parse().ok());
            if let Some(port) = port {
                usual.entry(service.as_str().unwrap().to_owned()).or_insert(port);
            }
        }
    }
    usual
}

/// Where a service listens: as on a device, else as its protocol does. nmap asks otherwise at other ports.
fn port(service: &str, usual: &BTreeMap<String, u16>) -> u16 {
    let text = known::text("services", service);
    let usual = usual.get(service).copied();
    usual.unwrap_or_else(|| match service {
        "echo" => 7,
        "discard" => 9,
        _ if text.contains("[kind.ssh]") => 22,
        _ if has_tls(service) => 443,
        _ => 80,
    })
}

/// Whether the file says that the service speaks TLS.
fn has_tls(service: &str) -> bool {
    known::text("services", service).lines().any(|line| line.starts_with("[tls"))
}

/// The revision that the decoy of each service has drawn.
fn revisions(folder: &Path) -> BTreeMap<String, String> {
    let mut command = Command::new(binary());
    command.args(["check", "--json", "-c"]).arg(folder.join("chaff.toml")).arg("--state").arg(folder.join("state"));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let services = lines.flat_map(|line| {
        let ports = line["ports"].as_object().unwrap().values();
        ports.filter_map(|service| service.as_str().map(str::to_owned)).collect::<Vec<_>>()
    });
    services.filter_map(|text| text.split_once('@').map(|(name, drawn)| (name.into(), drawn.into()))).collect()
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}
