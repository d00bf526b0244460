//! The real scanners look at the real binary over real packets.

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

use chaff_testkit::{
    network::{Network, alone, run, run_any},
    office,
    process::{Chaff, RosterLine},
};

/// Two Linux servers with a known set of ports, and eight more.
const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.10-10.20.0.11"]
ports     = { "7/tcp" = "echo", "7/udp" = "echo", "22/tcp" = "open", "80/tcp" = "open", "100-109/tcp" = "filtered", "445/tcp" = "filtered", "900-902/tcp" = "open", "default/tcp" = "closed", "default/udp" = "closed" }

[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.20"]
ports     = { "22/tcp" = "open", "80/tcp" = "filtered", "443/tcp" = "closed", "default/tcp" = "filtered", "default/udp" = "filtered" }

[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.30-10.20.0.36"]
"#
);

const FIRST: &str = "10.20.0.10";
const FIREWALLED: &str = "10.20.0.20";

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

fn with_fleet(name: &str, test: impl FnOnce(&Network, &Chaff)) {
    alone(name, || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = Chaff::start(binary(), &network, folder.path(), CONFIG);
        test(&network, &chaff);
    });
}

/// Every decoy's address as `text` names it.
fn addresses(text: &str) -> BTreeSet<Ipv4Addr> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter_map(|word| word.parse().ok()).collect()
}

fn fleet(roster: &[RosterLine]) -> BTreeSet<Ipv4Addr> {
    roster.iter().map(|decoy| decoy.ip).collect()
}

/// Ports that nmap names with a state: `80/open/tcp//http///`.
fn ports(grepable: &str, state: &str) -> BTreeSet<u16> {
    let parts = grepable.split([' ', ',', '\t']);
    let port = |part: &str| {
        let mut fields = part.split('/');
        let number = fields.next()?.parse().ok()?;
        (fields.next()? == state).then_some(number)
    };
    parts.filter_map(port).collect()
}

#[test]
fn arp_scan_finds_every_decoy_at_its_own_card() {
    with_fleet("arp_scan_finds_every_decoy_at_its_own_card", |network, chaff| {
        let words = ["--interface=atk0", "--plain", "--retry=2", "--timeout=200", "10.20.0.0/26"];
        let out = run(&network.atk, 60, "arp-scan", &words);
        let seen: BTreeSet<(String, String)> = out
            .lines()
            .filter_map(|line| {
                let mut fields = line.split('\t');
                Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
            })
            .collect();
        let there = chaff.roster().iter().map(|decoy| (decoy.ip.to_string(), decoy.mac.to_string())).collect();
        assert_eq!(seen, there, "{out}");
    });
}

#[test]
fn nmap_finds_every_decoy_and_nothing_else() {
    with_fleet("nmap_finds_every_decoy_and_nothing_else", |network, chaff| {
        let out = run(&network.atk, 120, "nmap", &["-n", "-sn", "-oG", "-", "10.20.0.0/26"]);
        let up: String = out.lines().filter(|line| line.contains("Status: Up")).collect();
        assert_eq!(addresses(&up), fleet(&chaff.roster()), "{out}");
    });
}

#[test]
fn ping_is_answered_by_each() {
    with_fleet("ping_is_answered_by_each", |network, chaff| {
        for decoy in chaff.roster() {
            let out = run(&network.atk, 10, "ping", &["-n", "-c", "2", "-i", "0.05", "-W", "1", &decoy.ip.to_string()]);
            assert!(out.contains(" 0% packet loss") && out.contains("ttl=64"), "{out}");
        }
    });
}

#[test]
fn nmap_sees_exactly_the_configured_ports() {
    with_fleet("nmap_sees_exactly_the_configured_ports", |network, _| {
        let scan =
            |target| run(&network.atk, 240, "nmap", &["-n", "-Pn", "-sS", "-v", "-p", "1-1000", "-oG", "-", target]);
        let out = scan(FIRST);
        assert_eq!(ports(&out, "open"), BTreeSet::from([7, 22, 80, 900, 901, 902]), "{out}");
        let filtered: BTreeSet<u16> = (100..=109).chain([445]).collect();
        assert_eq!(ports(&out, "filtered"), filtered, "{out}");
        assert!(out.contains("Ignored State: closed (983)"), "{out}");
        let out = scan(FIREWALLED);
        assert_eq!(ports(&out, "open"), BTreeSet::from([22]), "{out}");
        assert_eq!(ports(&out, "closed"), BTreeSet::from([443]), "{out}");
        assert!(out.contains("Ignored State: filtered (998)"), "{out}");
    });
}

#[test]
fn nmap_sees_no_answer_to_wrong_checksums() {
    with_fleet("nmap_sees_no_answer_to_wrong_checksums", |network, _| {
        let out = run(&network.atk, 60, "nmap", &["-n", "-Pn", "-sS", "--badsum", "-p", "22,81", "-oG", "-", FIRST]);
        assert_eq!(ports(&out, "filtered"), BTreeSet::from([22, 81]), "{out}");
    });
}

/// The scans that tell stacks apart by what they do not answer.
#[test]
fn nmaps_odd_scans_see_what_they_see_of_a_real_host() {
    with_fleet("nmaps_odd_scans_see_what_they_see_of_a_real_host", |network, _| {
        for scan in ["-sF", "-sN", "-sX", "-sA", "-sW", "-sM"] {
            let words = |target| ["-n", "-Pn", scan, "-p", "22,80,81,82", "-oG", "-", target];
            let listener = network.twin.command("python3").args(["-c", LISTENER]).spawn();
            let mut listener = listener.expect("python3 is installed");
            std::thread::sleep(std::time::Duration::from_millis(500));
            let ours = run(&network.atk, 60, "nmap", &words(FIRST));
            let theirs = run(&network.atk, 60, "nmap", &words("10.0.0.6"));
            // It has done its work; a failure to end it shows at the next bind.
            let _ = listener.kill();
            let _ = listener.wait();
            for state in ["open|filtered", "closed", "unfiltered", "filtered", "open"] {
                assert_eq!(ports(&ours, state), ports(&theirs, state), "{scan}\n{ours}\n{theirs}");
            }
        }
    });
}

const LISTENER: &str = "
import socket, time
sockets = []
for port in (22, 80):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', port)); s.listen(); sockets.append(s)
time.sleep(120)
";

#[test]
fn nmap_finds_an_operating_system_and_no_duplicates() {
    with_fleet("nmap_finds_an_operating_system_and_no_duplicates", |network, chaff| {
        let out = run(&network.atk, 180, "nmap", &["-n", "-Pn", "-O", "-v", "-p", "22,80,81,82", FIRST]);
        assert!(out.contains("Network Distance: 1 hop"), "{out}");
        // With an open, a closed TCP and a closed UDP port nmap says so if it is in doubt about the conditions.
        assert!(!out.contains("OSScan results may be unreliable"), "{out}");
        assert!(!out.contains("promiscuous"), "{out}");
        let seen = chaff.wait_for_incidents(std::time::Duration::from_secs(5), |incidents| !incidents.is_empty());
        assert_eq!(seen.len(), 1, "{seen:#?}");
        assert!(seen[0]["tools"].to_string().contains("nmap"), "{seen:#?}");
    });
}

#[test]
fn arp_fingerprint_finds_linux() {
    with_fleet("arp_fingerprint_finds_linux", |network, _| {
        let out = run(&network.atk, 60, "arp-fingerprint", &["-o", "-I atk0", FIRST]);
        assert!(out.contains("01010100000"), "{out}");
    });
}

#[test]
fn masscan_finds_the_open_ports_of_all() {
    with_fleet("masscan_finds_the_open_ports_of_all", |network, _| {
        let words = ["-p22", "10.20.0.10-10.20.0.20", "--rate", "2000", "--wait", "3", "-e", "atk0"];
        // masscan asks a router where everything is: the addresses are its neighbours' here, so it is told.
        let mac = network.atk.link("atk0").mac().map(|mac| chaff_wire_mac(&mac)).unwrap();
        let mut found = BTreeSet::new();
        for target in [FIRST, "10.20.0.11", FIREWALLED] {
            let router = decoy_mac(network, target);
            let own = ["--router-mac", &router, "--adapter-ip", "10.0.0.5", "--adapter-mac", &mac, "-oG", "-"];
            let words: Vec<&str> = words
                .iter()
                .chain(&own)
                .copied()
                .map(|word| if word.contains('-') && word.starts_with("10.20") { target } else { word })
                .collect();
            found.append(&mut addresses(&run(&network.atk, 60, "masscan", &words)));
        }
        let wanted: BTreeSet<Ipv4Addr> =
            [FIRST, "10.20.0.11", FIREWALLED].iter().filter_map(|ip| ip.parse().ok()).collect();
        assert!(found.is_superset(&wanted), "{found:?}");
    });
}

/// The address at which the attacker's kernel finds a host.
fn decoy_mac(network: &Network, ip: &str) -> String {
    run(&network.atk, 10, "ping", &["-n", "-c", "1", ip]);
    let out = run(&network.atk, 10, "ip", &["neigh", "show", ip]);
    let mut words = out.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

fn chaff_wire_mac(octets: &[u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

#[test]
fn hping3_sees_open_closed_and_filtered() {
    with_fleet("hping3_sees_open_closed_and_filtered", |network, _| {
        let probe = |port: &str| {
            let out = run_any(&network.atk, 20, "hping3", &["-n", "-S", "-c", "2", "-i", "u50000", "-p", port, FIRST]);
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let open = probe("22");
        assert!(open.contains("flags=SA") && open.contains("ttl=64") && open.contains("id=0"), "{open}");
        assert!(probe("81").contains("flags=RA"));
        assert!(!probe("445").contains("flags="));
        let out = run_any(&network.atk, 20, "hping3", &["-n", "--udp", "-c", "1", "-p", "999", FIRST]);
        let text = [out.stdout, out.stderr].concat();
        assert!(String::from_utf8_lossy(&text).contains("Port Unreachable"), "{}", String::from_utf8_lossy(&text));
    });
}

#[test]
fn curl_connects_and_is_refused_as_configured() {
    with_fleet("curl_connects_and_is_refused_as_configured", |network, _| {
        let code = |url: &str| {
            run_any(&network.atk, 20, "curl", &["--silent", "--max-time", "2", "--output", "/dev/null", url])
                .status
                .code()
        };
        // 7: could not connect; 28: connected, and nothing came.
        assert_eq!(code(&format!("http://{FIRST}:81/")), Some(7));
        assert_eq!(code(&format!("http://{FIRST}:80/")), Some(28));
        assert_eq!(code(&format!("http://{FIRST}:445/")), Some(28));
    });
}

#[test]
fn one_decoys_card_does_not_answer_for_another() {
    with_fleet("one_decoys_card_does_not_answer_for_another", |network, chaff| {
        let roster = chaff.roster();
        let other = roster[3].ip.to_string();
        let target: std::net::IpAddr = other.parse().unwrap();
        network.atk.link("atk0").neighbours([(target, roster[0].mac.0)]).unwrap();
        let out = run_any(&network.atk, 20, "ping", &["-n", "-c", "3", "-i", "0.1", "-W", "1", &other]);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(text.contains("100% packet loss"), "{text}");
    });
}
