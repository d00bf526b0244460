//! What a file without mistakes is understood as.

use std::path::Path;

use chaff_config::{
    Accel, Config, Facility, Hypervisor, NodeSettings, NotifyKind, PortKey, PortValue, Rfc5424, Severity, SourceFile,
    SyslogTransport, Transport, Webhook,
};

const OFFICE: &str = r#"
state_dir = "/var/lib/chaff"
sensor = "office-1"
user = "chaff"
workers = 2

[[network]]
name      = "office"
interface = "eth1"
subnet    = "10.20.0.0/22"
gateway   = "10.20.0.1"
vlan      = 20

[[network.decoys]]
profile   = "windows-server-2022"
addresses = ["10.20.1.10-10.20.1.29", "10.20.1.40"]
hostname  = "FS-{n:02}"

[[network.decoys]]
profile     = "linux-server"
personality = "file:personalities/linux-5.4.toml"
addresses   = ["10.20.2.7"]
ports       = { "22/tcp" = "openssh-9.2-debian12", "80/tcp" = "open", "8000-8010/tcp" = "closed", "default/udp" = "filtered" }
mac         = "00:50:56:9a:10:07"
serial      = "VMware-56/4d.1A"
runtime     = "shared"
coherent    = false

[[allow]]
source = "10.20.0.50"
reason = "vulnerability scanner, Tuesdays"

[[allow]]
source = "10.20.3.0/24"
reason = "the auditors"

[[notify]]
kind = "stdout"

[[notify]]
kind = "syslog"
address = "10.20.0.9"
transport = "tcp"
facility = "local3"
min_severity = "medium"

[[notify]]
kind = "webhook"
url = "https://example.org/hook"
headers = { Authorization = "Bearer x" }

[chaff]
packets_per_second = 5
"#;

#[test]
fn machines_of_their_own() {
    let defaults = parse(OFFICE);
    assert_eq!(defaults.node, NodeSettings::default());
    assert!(defaults.nodes().is_empty());

    let single = OFFICE.replace("runtime     = \"shared\"", "runtime     = \"node\"");
    let table = "\n[node]\nimage = \"node.elf\"\nqemu = \"/opt/qemu\"\nhypervisor = \"xen\"\nxl = \"xl\"\naccel = \"tcg\"\nmemory_mib = 16\nstarts_at_once = 2\n";
    let config = parse(&(single + table));
    assert_eq!(config.nodes(), std::iter::once(21..22).collect::<Vec<_>>());
    let node = config.node;
    assert_eq!((node.image, node.qemu), (Some("node.elf".into()), Some("/opt/qemu".into())));
    assert_eq!((node.hypervisor, node.xl), (Hypervisor::Xen, Some("xl".into())));
    assert_eq!((node.accel, node.memory_mib, node.starts_at_once), (Accel::Tcg, 16, 2));

    let all = parse(&format!("runtime = \"node\"\n{OFFICE}"));
    assert_eq!(all.nodes(), std::iter::once(0..21).collect::<Vec<_>>(), "the second group says `shared`");
}

fn parse(text: &str) -> Config {
    chaff_config::parse(&SourceFile::new("chaff.toml", text), Path::new("/etc")).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_whole_file() {
    let config = parse(OFFICE);
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/var/lib/chaff")));
    assert_eq!((config.sensor.as_str(), config.directory.as_path()), ("office-1", Path::new("/etc")));
    assert_eq!(config.user.as_ref().map(|u| u.value.as_str()), Some("chaff"));
    assert_eq!(config.workers, 2);
    assert_eq!((config.chaff.packets_per_second, config.decoy_count()), (5, 22));
    let network = &config.networks[0];
    assert_eq!((network.name.as_str(), network.interface.as_str()), ("office", "eth1"));
    assert_eq!(network.subnet.to_string(), "10.20.0.0/22");
    assert_eq!(network.gateway.as_ref().map(|g| g.to_string()).as_deref(), Some("10.20.0.1"));
    assert_eq!(network.vlan.as_ref().map(|v| v.value), Some(20));
}

#[test]
fn its_groups() {
    let config = parse(OFFICE);
    let [servers, single] = config.networks[0].decoys.as_slice() else { panic!("two groups") };
    let ranges: Vec<_> = servers.addresses.iter().map(|r| r.to_string()).collect();
    assert_eq!(ranges, ["10.20.1.10-10.20.1.29", "10.20.1.40"]);
    assert!(servers.coherent && !single.coherent);
    assert_eq!(single.mac.as_ref().map(|m| m.to_string()).as_deref(), Some("00:50:56:9a:10:07"));
    assert_eq!(single.serial.as_ref().map(|s| s.as_str()), Some("VMware-56/4d.1A"));
    assert!(servers.serial.is_none());
    assert_eq!(single.personality.as_ref().map(|p| p.as_str()), Some("file:personalities/linux-5.4.toml"));
    let ports: Vec<_> = single.ports.iter().map(|c| (c.key.value, c.value.value.clone())).collect();
    let key = |transport, range| PortKey { transport, range };
    assert_eq!(ports[0], (key(Transport::Udp, None), PortValue::Filtered));
    assert_eq!(ports[1], (key(Transport::Tcp, Some((8000, 8010))), PortValue::Closed));
    assert!(ports.contains(&(key(Transport::Tcp, Some((80, 80))), PortValue::Open)));
}

#[test]
fn who_may_scan_and_who_is_told() {
    let config = parse(OFFICE);
    let allowed: Vec<_> = config.allow.iter().map(|a| a.source.to_string()).collect();
    assert_eq!(allowed, ["10.20.0.50/32", "10.20.3.0/24"]);
    let [stdout, syslog, webhook] = config.notify.as_slice() else { panic!("three ways out") };
    assert_eq!(stdout.min_severity, Severity::Info);
    let address = [10, 20, 0, 9].into();
    let expected = Rfc5424 { address, port: 514, transport: SyslogTransport::Tcp, facility: Facility::Local3 };
    assert_eq!((syslog.min_severity, &syslog.kind), (Severity::Medium, &NotifyKind::Syslog(expected)));
    let headers = vec![("Authorization".to_owned(), "Bearer x".to_owned())];
    assert_eq!(webhook.kind, NotifyKind::Webhook(Webhook { url: "https://example.org/hook".into(), headers }));
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = parse(
        r#"
        [[network]]
        name = "lab"
        interface = "eth0"
        subnet = "10.9.0.0/16"
        [[network.decoys]]
        profile = "linux-server"
        addresses = ["10.9.0.0/16"]
        "#,
    );
    assert_eq!(config.sensor, chaff_config::host_name());
    assert_eq!(config.workers, 1);
    assert_eq!((config.state_dir, config.chaff.packets_per_second), (None, 20));
    assert_eq!(config.networks[0].decoys.iter().map(|g| g.count()).sum::<u64>(), 65_534);
}

#[test]
fn a_network_of_addresses_leaves_out_what_no_decoy_may_have() {
    let config = parse(
        r#"
        [[network]]
        name = "lab"
        interface = "eth0"
        subnet = "10.9.0.0/28"
        gateway = "10.9.0.1"
        [[network.decoys]]
        profile = "linux-server"
        addresses = ["10.9.0.0/28"]
        "#,
    );
    let ranges: Vec<_> = config.networks[0].decoys[0].addresses.iter().map(|r| r.to_string()).collect();
    assert_eq!(ranges, ["10.9.0.2-10.9.0.14"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = chaff_config::load(Path::new("no/such/chaff.toml")).unwrap_err().to_string();
    assert!(said.contains("cannot read `no/such/chaff.toml`: there is no such file"), "{said}");
    assert!(said.contains("name the file with `-c`"), "{said}");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chaff.toml");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let said = chaff_config::load(&path).unwrap_err().to_string();
    assert!(said.contains("not UTF-8 text"), "{said}");
    let said = chaff_config::load(folder.path()).unwrap_err().to_string();
    assert!(said.contains("it is a directory"), "{said}");
}
