//! A fleet is the same fleet after a restart, no decoy is like another, and it stops when it is told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use chaff_testkit::{
    network::{Network, alone, run},
    office,
    process::{self, Chaff},
};

const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.10-10.20.0.29"]
"#
);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

fn arp_table(network: &Network) -> Vec<String> {
    let words = ["--interface=atk0", "--plain", "--retry=2", "10.20.0.0/27"];
    let out = run(&network.atk, 60, "arp-scan", &words);
    let mut lines: Vec<String> = out.lines().map(String::from).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn a_restart_changes_nobodys_identity() {
    alone("a_restart_changes_nobodys_identity", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let mut chaff = Chaff::start(binary(), &network, folder.path(), CONFIG);
        let (roster, table) = (names(&chaff), arp_table(&network));
        assert_eq!(table.len(), 20, "{table:#?}");
        assert!(chaff.stop().1);
        let chaff = Chaff::start(binary(), &network, folder.path(), CONFIG);
        assert_eq!(names(&chaff), roster);
        assert_eq!(arp_table(&network), table);
    });
}

/// Host keys and certificate of a decoy, as a client is shown them. RSA is searched for at the first question, which takes
/// a build for tests its time.
fn keys(network: &Network, ip: &str) -> Vec<String> {
    let scanned = run(&network.atk, 600, "ssh-keyscan", &["-T", "240", ip]);
    let lines = scanned.lines().filter(|line| !line.starts_with('#'));
    let mut keys: Vec<String> =
        lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect();
    keys.sort_unstable();
    let fingerprint =
        format!("openssl s_client -connect {ip}:443 </dev/null | openssl x509 -noout -fingerprint -serial -dates");
    keys.extend(run(&network.atk, 60, "sh", &["-c", &fingerprint]).lines().map(Into::into));
    keys
}

#[test]
fn an_identity_keeps_keys_and_certificate_of_a_decoy_that_moves_to_another_install() {
    const PINNED: &str = office!(
        r#"
[[network.decoys]]
profile   = "linux-server"
hostname  = "gate"
addresses = ["10.20.0.10"]
ports     = { "443/tcp" = "nginx-1.22.1-debian12-tls" }
IDENTITY
"#
    );
    alone("an_identity_keeps_keys_and_certificate_of_a_decoy_that_moves_to_another_install", || {
        let network = Network::new();
        let shown = |config: &str, ip: &str| {
            let folder = tempfile::tempdir().unwrap();
            // The same address is another card's now; a host that knew the old one would ask for it for a minute.
            run(&network.atk, 10, "ip", &["neigh", "flush", "all"]);
            let chaff = Chaff::start(binary(), &network, folder.path(), config);
            let command = [binary().to_str().unwrap(), "check", "--identities", "-c"];
            let [file, state] = ["chaff.toml", "state"].map(|name| folder.path().join(name).display().to_string());
            let printed = run(&network.dut, 60, command[0], &[&command[1..], &[&file, "--state", &state]].concat());
            let keys = keys(&network, ip);
            drop(chaff);
            (keys, printed)
        };
        let (first, printed) = shown(&PINNED.replace("IDENTITY", ""), "10.20.0.10");
        let identity = printed.trim_end().rsplit("  ").next().unwrap().to_owned();
        let moved = PINNED.replace("10.20.0.10", "10.20.0.77");
        let (pinned, _) = shown(&moved.replace("IDENTITY", &identity), "10.20.0.77");
        assert_eq!(first.len(), 7, "three host keys and four lines of a certificate: {first:#?}");
        assert_eq!(pinned, first);
        let (drawn, _) = shown(&moved.replace("IDENTITY", ""), "10.20.0.77");
        assert!(drawn.iter().all(|line| !first.contains(line) || line.starts_with("not")), "{drawn:#?} {first:#?}");
    });
}

#[test]
fn a_printer_shows_the_serial_number_that_was_chosen_for_it() {
    const PRINTERS: &str = office!(
        r#"
[[network.decoys]]
profile   = "print-server"
addresses = ["10.20.0.10"]
serial    = "CNB7K3X02Q"

[[network.decoys]]
profile   = "print-server"
addresses = ["10.20.0.11"]
"#
    );
    alone("a_printer_shows_the_serial_number_that_was_chosen_for_it", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let _chaff = Chaff::start(binary(), &network, folder.path(), PRINTERS);
        let told = |ip: &str| {
            let page = run(&network.atk, 60, "curl", &["-s", &format!("http://{ip}/")]);
            serial(&page).unwrap_or_else(|| panic!("{page}"))
        };
        assert_eq!(told("10.20.0.10"), "CNB7K3X02Q");
        let drawn = told("10.20.0.11");
        assert!(drawn.len() == 10 && drawn != "CNB7K3X02Q", "{drawn}");
    });
}

#[test]
fn another_install_is_another_fleet() {
    let cards = |secret: u8| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        std::fs::write(folder.path().join("state/secret"), [secret; 32]).unwrap();
        process::write_config(folder.path(), CONFIG);
        process::check(binary(), folder.path()).iter().map(|decoy| decoy.mac).collect::<Vec<_>>()
    };
    assert_ne!(cards(1), cards(2));
    assert_eq!(cards(1), cards(1));
}

#[test]
fn a_decoy_more_leaves_the_others_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    process::write_config(folder.path(), CONFIG);
    let before = process::check(binary(), folder.path());
    process::write_config(folder.path(), &CONFIG.replace("10.20.0.10-", "10.20.0.9-"));
    let after = process::check(binary(), folder.path());
    assert_eq!((before.len(), after.len()), (20, 21));
    for decoy in before {
        let same = after.iter().find(|other| other.ip == decoy.ip).map(|other| other.mac);
        assert_eq!(same, Some(decoy.mac), "{}", decoy.ip);
    }
}

#[test]
fn it_stops_when_it_is_told_to_and_leaves_no_process() {
    alone("it_stops_when_it_is_told_to_and_leaves_no_process", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let mut chaff = Chaff::start(binary(), &network, folder.path(), CONFIG);
        let family = chaff.processes();
        assert!(family.len() >= 3, "a supervisor, a worker and a hub: {family:?}");
        let (took, clean) = chaff.stop();
        assert!(clean, "exit code is not 0; log: {}", chaff.log());
        assert!(took < Duration::from_secs(2), "{took:?}");
        std::thread::sleep(Duration::from_millis(100));
        let left: Vec<u32> = family.into_iter().filter(|id| Path::new(&format!("/proc/{id}")).exists()).collect();
        assert_eq!(left, Vec::<u32>::new());
    });
}

fn names(chaff: &Chaff) -> Vec<String> {
    chaff.roster().iter().map(|decoy| format!("{} {} {}", decoy.name, decoy.ip, decoy.mac)).collect()
}

/// Devices with keys of every kind, certificates, and pages that tell a serial number.
const DEVICES: [&str; 5] = ["web-server", "management-controller", "light-bridge", "print-server", "plc"];

/// So many decoys of each device.
fn mixed_fleet(each: usize) -> String {
    let head = office!("").to_owned();
    let groups = DEVICES.iter().enumerate().map(|(place, device)| {
        format!("[[network.decoys]]\nprofile = \"{device}\"\naddresses = [\"10.20.{place}.1-10.20.{place}.{each}\"]\n")
    });
    head + &groups.collect::<String>()
}

/// What each decoy is known by, by kind and decoy.
type Known = BTreeMap<(&'static str, Ipv4Addr), String>;

/// Names and cards, host keys of each kind, certificates and serial numbers, as an intruder reads them.
fn known(network: &Network, chaff: &Chaff) -> Known {
    let (mut known, roster) = (Known::new(), chaff.roster());
    for decoy in &roster {
        // Each bridge of Philips' is called `Philips-hue`.
        if DEVICES[usize::from(decoy.ip.octets()[2])] != "light-bridge" {
            known.insert(("name", decoy.ip), decoy.name.clone());
        }
        known.insert(("card", decoy.ip), decoy.mac.to_string());
    }
    let of = |device: &str| {
        let place = DEVICES.iter().position(|one| *one == device).unwrap();
        roster.iter().map(|decoy| decoy.ip).filter(move |ip| usize::from(ip.octets()[2]) == place)
    };
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let ips: Vec<String> = of("web-server").chain(of("management-controller")).map(|ip| ip.to_string()).collect();
        // RSA is made at the first question, a decoy at a time.
        let words = [&["-T", "240", "-t", kind][..], &ips.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        let said = run(&network.atk, 1200, "ssh-keyscan", &words);
        for line in said.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split(' ').collect();
            known.insert((kind, parts[0].parse().unwrap()), parts[2].to_owned());
        }
    }
    for ip in of("web-server").chain(of("management-controller")).chain(of("light-bridge")) {
        let said = run(&network.atk, 60, "openssl", &["s_client", "-connect", &format!("{ip}:443")]);
        let certificate = said.split_once("-----BEGIN CERTIFICATE-----").unwrap().1;
        let certificate = certificate.split_once("-----END").unwrap().0;
        known.insert(("certificate", ip), certificate.to_owned());
    }
    for ip in of("print-server").chain(of("plc")) {
        let page = run(&network.atk, 60, "curl", &["-s", &format!("http://{ip}/")]);
        let serial = serial(&page).unwrap_or_else(|| panic!("{ip}: {page}"));
        known.insert(("serial number", ip), serial);
    }
    known
}

/// What a page says behind "Serial Number", whatever signs and tags are between.
fn serial(page: &str) -> Option<String> {
    let (_, mut rest) = page.split_once("Serial Number")?;
    loop {
        rest = rest.trim_start_matches(|sign: char| sign == ':' || sign.is_whitespace());
        match rest.strip_prefix('<') {
            Some(tag) => rest = tag.split_once('>')?.1,
            None => break,
        }
    }
    let value: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    (!value.is_empty()).then_some(value)
}

/// No two decoys have anything in common by which hosts are told apart, and each has the same after a restart.
fn nobody_is_like_another(name: &str, each: usize) {
    alone(name, || {
        let (folder, network) = (tempfile::tempdir().unwrap(), Network::new());
        let config = mixed_fleet(each);
        let mut chaff = Chaff::start(binary(), &network, folder.path(), &config);
        let before = known(&network, &chaff);
        // Of how many devices each is read; keys are those of OpenSSH and of Dropbear.
        for (kind, devices) in [
            ("name", 4),
            ("card", 5),
            ("rsa", 2),
            ("ecdsa", 2),
            ("ed25519", 2),
            ("certificate", 3),
            ("serial number", 2),
        ] {
            let all: Vec<&String> = before.iter().filter(|((of, _), _)| *of == kind).map(|(_, value)| value).collect();
            assert_eq!(all.len(), devices * each, "{kind}: {all:?}");
            let different: BTreeSet<&String> = all.iter().copied().collect();
            assert_eq!(different.len(), all.len(), "a {kind} is there twice: {all:?}");
        }
        assert!(chaff.stop().1);
        let chaff = Chaff::start(binary(), &network, folder.path(), &config);
        assert_eq!(known(&network, &chaff), before);
    });
}

#[test]
fn decoys_of_several_devices_have_nothing_in_common_and_stay() {
    nobody_is_like_another("decoys_of_several_devices_have_nothing_in_common_and_stay", 3);
}

#[test]
#[ignore = "soak: eighty keys of RSA, twice"]
fn soak_two_hundred_decoys_have_nothing_in_common_and_stay() {
    nobody_is_like_another("soak_two_hundred_decoys_have_nothing_in_common_and_stay", 40);
}
