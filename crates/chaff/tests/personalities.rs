//! nmap, p0f and arp-fingerprint look at one decoy of each system in the catalogue. nmap names the system exactly where
//! its database knows it; elsewhere its raw fingerprint is the recorded one. What they are to say of each lies in
//! `systems/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use chaff_testkit::{
    network::{Network, Turn, run},
    p0f,
    process::Chaff,
};
use serde::Deserialize;

/// What the tools say of one system: `systems/NAME.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// nmap's name for it, which is the first or only one that fits; or [`NO_NAME`].
    nmap: Option<String>,
    /// Other names that nmap may give it, when what is chance with this system falls otherwise.
    #[serde(default)]
    nmap_or: Vec<String>,
    /// With [`NO_NAME`]: what nmap's best guess begins with, one of these. A stack that nobody published is near the real one.
    #[serde(default)]
    nearest: Vec<String>,
    /// The fingerprint of a real one, below `recordings/`: for what came after nmap 7.93. The tests that it holds are
    /// compared.
    recorded: Option<String>,
    /// Fields of the recording that are chance with this system: `TEST.FIELD`.
    #[serde(default)]
    restless: Vec<String>,
    /// p0f's raw signature of the SYN-ACK that a Linux client gets.
    p0f: String,
    /// What `arp-fingerprint` sees: the answers to eleven odd ARP requests.
    arp: String,
}

type Systems = BTreeMap<String, Expected>;

/// What nmap says of a system that its database does not know.
const NO_NAME: &str = "No exact OS matches";
/// Tests that every recording holds; a host behind a firewall shows no more of itself.
const RECORDED: [&str; 4] = ["OPS", "WIN", "ECN", "T1"];
/// What differs from one scan of the same host to the next: statistics of random numbers.
const NEVER_THE_SAME: [&str; 3] = ["SEQ.SP", "SEQ.GCD", "SEQ.ISR"];
/// nmap itself says that a busy machine spoils its timing; a system that is right is right in one of these.
const SCANS: usize = 3;
/// Decoys in one run of a tool: more at a time and nmap's probes come too far apart, fewer and the test takes long.
const AT_ONCE: usize = 20;
/// Runs of nmap beside each other: it waits more than it works, and its probes keep their distance.
const BESIDE: usize = 2;

/// One test of a fingerprint, `T1(R=Y%DF=Y…)`: its name and what was seen.
type Group = (String, BTreeMap<String, String>);

#[test]
fn nmap_sees_every_system_as_it_is() {
    with_decoys(Turn::Alone, "nmap_sees_every_system_as_it_is", |network, systems| {
        let mut missing: Vec<&str> = systems.keys().map(String::as_str).collect();
        let mut said = String::new();
        for _ in 0..SCANS {
            let reports = scan(network, systems, &missing);
            missing.retain(|system| {
                let wrong = wrong(&systems[*system], &reports[*system]);
                if !wrong.is_empty() {
                    said = format!("{said}\n{system}: {}\n{}", wrong.join("; "), reports[*system]);
                }
                !wrong.is_empty()
            });
            if missing.is_empty() {
                return;
            }
        }
        panic!("not seen as they are: {missing:?}\n{said}");
    });
}

#[test]
fn arp_fingerprint_sees_the_right_answers() {
    with_decoys(Turn::Beside, "arp_fingerprint_sees_the_right_answers", |network, systems| {
        let all: Vec<&String> = systems.keys().collect();
        // Eleven requests with a pause after each, for each decoy: side by side.
        for some in all.chunks(AT_ONCE) {
            thread::scope(|scope| {
                for &system in some {
                    let (ip, pattern) = (address(systems, system), &systems[system].arp);
                    scope.spawn(move || {
                        let out = run(&network.atk, 60, "arp-fingerprint", &["-o", "-I atk0", &ip]);
                        assert!(out.starts_with(&format!("{ip}\t{pattern}")), "{system}: {out}");
                    });
                }
            });
        }
    });
}

#[test]
fn p0f_sees_the_right_signatures() {
    with_decoys(Turn::Beside, "p0f_sees_the_right_signatures", |network, systems| {
        let address = |system: &String| -> Ipv4Addr { address(systems, system).parse().unwrap() };
        let wanted: BTreeMap<Ipv4Addr, &str> =
            systems.iter().map(|(name, of)| (address(name), of.p0f.as_str())).collect();
        let servers: Vec<Ipv4Addr> = wanted.keys().copied().collect();
        let right = |server, seen: &BTreeSet<String>| seen.contains(wanted[&server]);
        let seen = p0f::watch(&network.atk, "atk0", &servers, 22, right);
        let wrong: Vec<_> = systems
            .keys()
            .filter(|name| !right(address(name), &seen[&address(name)]))
            .map(|n| (n, &seen[&address(n)]))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    });
}

#[test]
fn every_system_of_the_catalogue_is_tested() {
    let there = stems("profiles/systems");
    assert_eq!(there, stems("crates/chaff/tests/systems"));
    for (system, expected) in expected() {
        assert!(expected.nmap.is_some() || expected.recorded.is_some(), "{system}: nmap is not asked");
    }
}

/// nmap's report for each of `wanted`.
fn scan(network: &Network, systems: &Systems, wanted: &[&str]) -> BTreeMap<String, String> {
    let (waiting, reports) = (Mutex::new(wanted.chunks(AT_ONCE)), Mutex::new(BTreeMap::new()));
    let next = || waiting.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while let Some(some) = next() {
                    let addresses: Vec<String> = some.iter().map(|system| address(systems, system)).collect();
                    // Whole frames: the kernel's neighbour table is one for all namespaces, and other tests fill it.
                    let mut words = vec!["--send-eth", "-O", "--osscan-guess", "-d", "-n", "-Pn", "-p", "T:22,23"];
                    words.extend(addresses.iter().map(String::as_str));
                    let out = run(&network.atk, 240, "nmap", &words);
                    let of = |system: &&str| ((*system).to_owned(), report(&out, &address(systems, system)));
                    reports.lock().unwrap().extend(some.iter().map(of));
                }
            });
        }
    });
    reports.into_inner().unwrap()
}

/// What nmap's report says that is not expected.
fn wrong(expected: &Expected, report: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(name) = &expected.nmap {
        let details = line(report, "OS details: ");
        // More than one name may fit; the expected one comes first.
        let first = |name: &String| details == name || details.starts_with(&format!("{name}, "));
        let unknown = name == NO_NAME && report.contains("No exact OS matches for host");
        if !unknown && !first(name) && !expected.nmap_or.iter().any(first) {
            wrong.push(format!("expected {name:?}"));
        }
    }
    let guess = line(report, "Aggressive OS guesses: ");
    if !expected.nearest.is_empty() && !expected.nearest.iter().any(|name| guess.starts_with(name.as_str())) {
        wrong.push(format!("expected a guess of {:?}", expected.nearest));
    }
    if let Some(file) = &expected.recorded {
        wrong.extend(differences(file, &expected.restless, &fingerprint(report)));
    }
    wrong
}

/// Puts one decoy of each system on a network: port 22 open, all others closed.
fn with_decoys(turn: Turn, name: &str, test: impl FnOnce(&Network, &Systems)) {
    let systems = expected();
    let groups = systems.keys().map(|system| {
        format!(
            r#"
[[network.decoys]]
profile     = "linux-server"
personality = "{system}"
addresses   = ["{}"]
ports       = {{ "22/tcp" = "open", "default/tcp" = "closed", "default/udp" = "closed" }}
coherent    = false
"#,
            address(&systems, system)
        )
    });
    let network = "[[network]]\nname = \"office\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\n";
    let config: String = std::iter::once(network.to_owned()).chain(groups).collect();
    turn.take(name, || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let _chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), &config);
        test(&network, &systems);
    });
}

/// Where the decoy of a system is: a hundred of them in each /24.
fn address(systems: &Systems, system: &str) -> String {
    let number = systems.keys().position(|other| other == system).unwrap();
    format!("10.20.{}.{}", number / 100, 10 + number % 100)
}

/// What is expected of each system.
fn expected() -> Systems {
    let read = |system: String| {
        let text = fs::read_to_string(repository().join(format!("crates/chaff/tests/systems/{system}.toml"))).unwrap();
        let expected = toml::from_str(&text).unwrap_or_else(|error| panic!("{system}: {error}"));
        (system, expected)
    };
    stems("crates/chaff/tests/systems").into_iter().map(read).collect()
}

/// Names of the files in a folder of the repository.
fn stems(folder: &str) -> BTreeSet<String> {
    let files = fs::read_dir(repository().join(folder)).unwrap();
    files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The part of nmap's output that is about `address`.
fn report(out: &str, address: &str) -> String {
    let begin = format!("Nmap scan report for {address}\n");
    let rest = out.split_once(&begin).unwrap_or_else(|| panic!("no report for {address}: {out}")).1;
    rest.split("Nmap scan report for ").next().unwrap_or_default().to_owned()
}

fn line<'a>(report: &'a str, begin: &str) -> &'a str {
    report.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or_default()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The tests of a fingerprint, as nmap prints it (wrapped, behind `OS:`) or one a line. nmap may print a test twice,
/// when its rounds saw different things.
fn fingerprint(text: &str) -> Vec<Group> {
    let one_a_line = |line: &&str| {
        let name = line.split('(').next().unwrap_or_default();
        line.ends_with(')') && !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let wrapped: String = text.lines().filter_map(|line| line.strip_prefix("OS:")).collect();
    let joined = if wrapped.is_empty() { text.lines().filter(one_a_line).collect() } else { wrapped };
    let group = |group: &str| {
        let (name, fields) = group.split_once('(')?;
        let fields = fields.split('%').filter_map(|field| field.split_once('='));
        Some((name.to_owned(), fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
    };
    joined.split(')').filter_map(group).collect()
}

/// What of the recorded fingerprint nmap did not see now.
fn differences(file: &str, restless: &[String], seen: &[Group]) -> Vec<String> {
    let recorded = fingerprint(&fs::read_to_string(repository().join("recordings").join(file)).unwrap());
    let holds = |test: &&str| recorded.iter().any(|(name, _)| name == test);
    assert!(RECORDED.iter().all(holds), "{file} lacks one of {RECORDED:?}");
    let counts = |name: &str, key: &str| {
        let field = format!("{name}.{key}");
        !restless.contains(&field) && !NEVER_THE_SAME.contains(&field.as_str())
    };
    let wanted = recorded.iter().filter(|(name, _)| name != "SCAN");
    let missing = wanted.filter(|(name, fields)| {
        let mut same = seen.iter().filter(|(other, _)| other == name);
        !same.any(|(_, now)| fields.iter().all(|(key, value)| !counts(name, key) || now.get(key) == Some(value)))
    });
    missing.map(|(name, fields)| format!("recorded {name} {fields:?}, seen {:?}", of(seen, name))).collect()
}

fn of<'a>(seen: &'a [Group], name: &str) -> Vec<&'a BTreeMap<String, String>> {
    seen.iter().filter(|(other, _)| other == name).map(|(_, fields)| fields).collect()
}
