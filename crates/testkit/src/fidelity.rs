//! How many of an installed nmap's fingerprints a decoy can be taken for: each is imported by `nmap-import`, worn by
//! one decoy, and scanned once by the real nmap.

mod nmap;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use chaff_lab::{Error, Namespace, veth};

use self::nmap::{Report, Reports};
use crate::{
    chance::Chance,
    network::{FAR, Network, ROUTER},
    process::Chaff,
};

/// One fingerprint of the database.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// The line on which it begins.
    pub line: usize,
    /// What nmap calls it.
    pub name: String,
}

/// Where the programs are, and how to scan.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `chaff`.
    pub chaff: PathBuf,
    /// `nmap-import`.
    pub import: PathBuf,
    /// nmap's database.
    pub database: PathBuf,
    /// From behind two routers.
    pub routed: bool,
    /// By two nmaps at once, from two addresses.
    pub two_scanners: bool,
}

/// How nmap named a decoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The only match of 100 %.
    Exact,
    /// One of several of 100 %.
    ExactMany,
    /// The first guess.
    First,
    /// A later guess.
    Guess,
    /// Others match at 100 %.
    OtherHundred,
    /// Not named.
    Miss,
}

/// What became of one fingerprint.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub fingerprint: Fingerprint,
    /// How it was named.
    pub class: Class,
    /// Names that matched at 100 %.
    pub hundred: usize,
    /// What did not fit, in words.
    pub why: String,
    /// What the importer said that cannot be shown.
    pub note: String,
}

/// Decoys that live at once: the kernel's neighbour table is one for all namespaces, and small.
const DECOYS: usize = 180;
/// Decoys that one nmap looks at.
const AT_ONCE: usize = 30;
/// Where Debian puts the database.
pub const DATABASE: &str = "/usr/share/nmap/nmap-os-db";
/// The second scanner.
const OTHER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 0, 0, 7);

impl Class {
    /// Whether the name is among those of 100 %.
    #[must_use]
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exact | Self::ExactMany)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::ExactMany => "exact-many",
            Self::First => "first",
            Self::Guess => "guess",
            Self::OtherHundred => "other-100",
            Self::Miss => "miss",
        })
    }
}

impl Setup {
    /// All fingerprints of the database.
    ///
    /// # Panics
    /// When `nmap-import` cannot be run.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let fingerprint = |line: &str| {
            let (number, name) = line.split_once('\t')?;
            Some(Fingerprint { line: number.parse().ok()?, name: name.to_owned() })
        };
        let out = self.run_import(&["--list"]);
        let read = |line| fingerprint(line).unwrap_or_else(|| panic!("nmap-import --list printed {line}"));
        out.lines().map(read).collect()
    }

    /// Scans decoys that wear these fingerprints, each once; `each` hears of every chunk.
    ///
    /// # Panics
    /// When something of it cannot be started.
    pub fn scan(&self, wanted: &[Fingerprint], mut each: impl FnMut(&[Outcome])) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for fleet in wanted.chunks(DECOYS) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let network = Network::new();
            let scanners = Scanners::new(self, &network);
            let notes = self.write_personalities(fleet, folder.path());
            let _chaff = Chaff::start(&self.chaff, &network, folder.path(), &config(fleet));
            for (index, chunk) in fleet.chunks(AT_ONCE).enumerate() {
                let first = index * AT_ONCE;
                let mut seen = self.look(&scanners, chunk, first, folder.path());
                for outcome in &mut seen {
                    outcome.note = notes.get(&outcome.fingerprint.line).cloned().unwrap_or_default();
                }
                each(&seen);
                outcomes.extend(seen);
            }
        }
        outcomes
    }

    /// One look of every scanner at decoys that are neighbours.
    fn look(&self, scanners: &Scanners<'_>, chunk: &[Fingerprint], first: usize, folder: &Path) -> Vec<Outcome> {
        let addresses: Vec<String> = (first..first + chunk.len()).map(address).collect();
        let reports: Vec<Reports> = std::thread::scope(|scope| {
            let addresses = &addresses;
            let scan = |from| scope.spawn(move || nmap::scan(from, self.routed, addresses));
            let running: Vec<_> = scanners.from().map(scan).collect();
            running.into_iter().map(|scan| scan.join().expect("nmap ended well")).collect()
        });
        let judged = |reports: &Reports| {
            let one =
                |(fingerprint, address): (&Fingerprint, &String)| self.judge(fingerprint, reports.get(address), folder);
            chunk.iter().zip(&addresses).map(one).collect::<Vec<_>>()
        };
        reports.iter().flat_map(judged).collect()
    }

    fn judge(&self, fingerprint: &Fingerprint, report: Option<&Report>, folder: &Path) -> Outcome {
        let nothing = Report::default();
        let report = report.unwrap_or(&nothing);
        let hundred: Vec<&str> = report.of(100).collect();
        let named = report.names.iter().position(|(name, _)| *name == fingerprint.name);
        let class = match named {
            Some(_) if hundred == [fingerprint.name.as_str()] => Class::Exact,
            Some(_) if hundred.contains(&fingerprint.name.as_str()) => Class::ExactMany,
            _ if !hundred.is_empty() => Class::OtherHundred,
            Some(0) => Class::First,
            Some(_) => Class::Guess,
            None => Class::Miss,
        };
        let why = if class.is_exact() { String::new() } else { self.differences(fingerprint, report, folder) };
        Outcome { fingerprint: fingerprint.clone(), class, hundred: hundred.len(), why, note: String::new() }
    }

    /// Where what nmap saw and the fingerprint differ.
    fn differences(&self, fingerprint: &Fingerprint, report: &Report, folder: &Path) -> String {
        if report.fingerprint.is_empty() {
            return "nmap printed no fingerprint".into();
        }
        let file = folder.join("seen.txt");
        fs::write(&file, &report.fingerprint).expect("the folder can be written");
        let (line, file) = (fingerprint.line.to_string(), file.display().to_string());
        let said = self.run_import(&["--line", &line, "--against", &file]);
        said.lines().map(str::trim).collect::<Vec<_>>().join("; ")
    }

    /// Imports them, and returns what of which line cannot be shown.
    fn write_personalities(&self, fleet: &[Fingerprint], folder: &Path) -> BTreeMap<usize, String> {
        let out = folder.join("personalities");
        let mut words = vec!["--out-dir".to_owned(), out.display().to_string()];
        words.extend(fleet.iter().flat_map(|f| ["--line".to_owned(), f.line.to_string()]));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.run_import(&words);
        let mut notes: BTreeMap<usize, String> = BTreeMap::new();
        let mut files = fleet.iter();
        let mut last = 0;
        for line in said.lines() {
            match line.strip_prefix('\t') {
                Some(note) => {
                    let all = notes.entry(last).or_default();
                    all.push_str(if all.is_empty() { "" } else { "; " });
                    all.push_str(note);
                }
                None => last = files.next().map_or(0, |fingerprint| fingerprint.line),
            }
        }
        notes
    }

    fn run_import(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.import);
        command.arg("--db").arg(&self.database).args(words).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", self.import.display()));
        assert!(output.status.success(), "nmap-import: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Who scans; routers between live as long.
struct Scanners<'a> {
    near: Option<&'a Namespace>,
    hosts: Vec<Namespace>,
    _routers: Vec<Namespace>,
}

impl<'a> Scanners<'a> {
    fn new(setup: &Setup, network: &'a Network) -> Self {
        let (mut hosts, mut routers) = (Vec::new(), Vec::new());
        if setup.routed {
            let (far, between) = behind_two_routers(network)
                .unwrap_or_else(|error| panic!("cannot put a host behind two routers: {error}"));
            hosts.push(far);
            routers = between;
        } else if setup.two_scanners {
            hosts.push(network.host("atk1", OTHER));
        }
        Self { near: (!setup.routed).then_some(&network.atk), hosts, _routers: routers }
    }

    fn from(&self) -> impl Iterator<Item = &Namespace> {
        self.near.into_iter().chain(&self.hosts)
    }
}

/// A host that reaches the decoys through two routers, and the routers.
fn behind_two_routers(network: &Network) -> Result<(Namespace, Vec<Namespace>), Error> {
    let near = network.host("router0", ROUTER);
    let (middle, far) = (Namespace::new()?, Namespace::new()?);
    for host in [&middle, &far] {
        host.disable_ipv6()?;
    }
    veth(&near, "middle-r", &middle, "near0")?;
    veth(&middle, "far-r", &far, "far0")?;
    near.link("middle-r").address("198.51.100.1/30")?;
    middle.link("near0").address("198.51.100.2/30")?;
    middle.link("far-r").address("192.0.2.1/24")?;
    far.link("far0").address(&format!("{FAR}/24"))?;
    near.forward_ipv4()?;
    middle.forward_ipv4()?;
    near.route("192.0.2.0/24", "198.51.100.2")?;
    middle.route("0.0.0.0/0", "198.51.100.1")?;
    far.route("0.0.0.0/0", "192.0.2.1")?;
    Ok((far, vec![near, middle]))
}

/// One decoy for each fingerprint: port 22 open, all others closed.
fn config(fleet: &[Fingerprint]) -> String {
    let mut text = format!(
        "[[network]]\nname = \"office\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"{ROUTER}\"\n"
    );
    for (index, fingerprint) in fleet.iter().enumerate() {
        text += &format!(
            r#"
[[network.decoys]]
profile     = "linux-server"
personality = "file:personalities/line-{}.toml"
addresses   = ["{}"]
ports       = {{ "22/tcp" = "open", "default/tcp" = "closed", "default/udp" = "closed" }}
coherent    = false
"#,
            fingerprint.line,
            address(index)
        );
    }
    text
}

fn address(index: usize) -> String {
    format!("10.20.{}.{}", index / 200, 10 + index % 200)
}

/// Some of `all`, no one twice, by a seed.
#[must_use]
pub fn sample(mut all: Vec<Fingerprint>, count: usize, seed: u64) -> Vec<Fingerprint> {
    let mut chance = Chance::new(seed);
    let count = count.min(all.len());
    for place in 0..count {
        let other = place + chance.index(all.len() - place);
        all.swap(place, other);
    }
    all.truncate(count);
    all
}

/// How many of each class.
#[must_use]
pub fn totals(outcomes: &[Outcome]) -> BTreeMap<Class, usize> {
    let mut totals = BTreeMap::new();
    for outcome in outcomes {
        *totals.entry(outcome.class).or_insert(0) += 1;
    }
    totals
}

/// The share, in per cent, whose name is among those of 100 %.
#[must_use]
pub fn share(outcomes: &[Outcome]) -> f64 {
    let exact = outcomes.iter().filter(|outcome| outcome.class.is_exact()).count();
    exact as f64 * 100.0 / outcomes.len().max(1) as f64
}
