//! Workers, hub, node host and machines are killed at random while somebody scans: nobody looking from outside may see
//! more than a short silence, and what the hub has acknowledged is never lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chaff_testkit::{chance::Chance, image};
use rustix::process::{Signal, kill_process};

use crate::bench::{Bench, CHAFF, answers, eventually, hardware_address, pid};

/// The decoys of the bench are shared by two workers.
const WORKERS: u8 = 2;
/// Behind those twenty: two that have a machine each, and two with a page that shows a serial number.
const OTHERS: &str = r#"
[[network.decoys]]
profile = "linux-server"
addresses = ["10.20.0.21-10.20.0.22"]
runtime = "node"

[[network.decoys]]
profile = "hp-printer"
addresses = ["10.20.0.23-10.20.0.24"]

[node]
accel = "tcg"
"#;
/// The decoys of the node host; all others are of the workers.
const OWN: std::ops::RangeInclusive<u8> = 21..=22;
const ALL: std::ops::RangeInclusive<u8> = 1..=24;
/// Those that have an SSH server.
const SERVERS: std::ops::RangeInclusive<u8> = 1..=22;

/// The fleet answers again within this after a death.
const BACK: Duration = Duration::from_secs(1);
/// The start of a process on a machine that does other things as well is not what is tested.
const BUSY: Duration = Duration::from_secs(4);
/// The start of a machine under emulation, likewise: several times what it takes beside other tests.
const BUSY_MACHINE: Duration = Duration::from_secs(20);
/// Pauses between two deaths.
const PAUSES_MS: std::ops::Range<u64> = 700..2500;

#[test]
fn a_minute_of_deaths_loses_nothing_and_changes_no_face() {
    die(Duration::from_secs(60));
}

#[test]
#[ignore = "soak: ten minutes"]
fn soak_ten_minutes_of_deaths_lose_nothing_and_change_no_face() {
    die(Duration::from_secs(600));
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// By its number.
    Worker(u8),
    Hub,
    /// This worker and the hub.
    Both(u8),
    /// The process that runs all machines, and so they as well.
    NodeHost,
    /// One machine.
    Machine,
}

impl Victim {
    fn draw(chance: &mut Chance) -> Self {
        let worker = if chance.below(2) == 0 { 0 } else { WORKERS - 1 };
        match chance.below(8) {
            0 | 1 => Self::Worker(worker),
            2 => Self::Hub,
            3 | 4 => Self::Both(worker),
            5 => Self::NodeHost,
            _ => Self::Machine,
        }
    }

    /// A decoy that shows whether the fleet answers: one of those that the victim speaks for.
    fn witness(self, chance: &mut Chance) -> u8 {
        let decoys: Vec<u8> = ALL
            .filter(|&host| match self {
                Self::Worker(worker) | Self::Both(worker) => !OWN.contains(&host) && owner(host) == worker,
                Self::Hub => !OWN.contains(&host),
                Self::NodeHost | Self::Machine => OWN.contains(&host),
            })
            .collect();
        decoys[chance.index(decoys.len())]
    }

    /// Kills it; says how many processes that were.
    fn kill(self, bench: &Bench, host: u8) -> usize {
        let worker = |number: u8| format!("worker-process\0--index\0{number}\0");
        let roles = match self {
            Self::Worker(number) => vec![worker(number)],
            Self::Hub => vec!["hub-process".to_owned()],
            Self::Both(number) => vec![worker(number), "hub-process".to_owned()],
            Self::NodeHost => vec!["nodes-process".to_owned()],
            Self::Machine => {
                let process = eventually(BUSY_MACHINE, || machine(bench, host));
                kill_process(pid(process), Signal::KILL).expect("killed");
                return 1;
            }
        };
        for role in &roles {
            let child = eventually(BUSY, || bench.child(role));
            kill_process(pid(child), Signal::KILL).expect("killed");
        }
        roles.len()
    }

    fn patience(self) -> Duration {
        match self {
            Self::Worker(_) | Self::Hub | Self::Both(_) => BUSY,
            Self::NodeHost | Self::Machine => BUSY_MACHINE,
        }
    }
}

/// Which worker has a decoy: they take turns by its address.
fn owner(host: u8) -> u8 {
    u8::try_from(u32::from_be_bytes([10, 20, 0, host]) % u32::from(WORKERS)).expect("a worker")
}

fn die(time: Duration) {
    let seed = chaff_testkit::seed(41);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let head = format!("workers = {WORKERS}");
    let mut bench = Bench::with(&head, &format!("{OTHERS}image = \"{}\"\n", image::with_holes().display()));
    bench.start();
    for host in OWN {
        eventually(BUSY_MACHINE, || answers(&format!("10.20.0.{host}")).then_some(()));
    }
    let everybody = || ALL.map(|host| (host, face(host)));
    let faces: BTreeMap<u8, String> = everybody().collect();
    let mut scan = Scan::start();
    let mut acknowledged = BTreeSet::new();
    let (mut silences, mut silences_of_machines) = (Vec::new(), Vec::new());
    let (mut touched, mut deaths) = (BTreeSet::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < time {
        thread::sleep(Duration::from_millis(PAUSES_MS.start + chance.below(PAUSES_MS.end - PAUSES_MS.start)));
        let victim = Victim::draw(&mut chance);
        // A decoy that lives sees a touch, and the hub has it sooner or later, however often the hub dies.
        let host = victim.witness(&mut chance);
        if touch(host) {
            touched.insert(format!("10.20.0.{host}"));
        }
        acknowledged.extend(ids(&bench));
        if victim != Victim::Hub {
            // What it has seen in the last moment and told nobody dies with it.
            thread::sleep(Duration::from_millis(200));
        }
        deaths += victim.kill(&bench, host);
        let killed = Instant::now();
        eventually(victim.patience(), || answers(&format!("10.20.0.{host}")).then_some(()));
        match victim {
            Victim::NodeHost | Victim::Machine => silences_of_machines.push(killed.elapsed()),
            Victim::Worker(_) | Victim::Hub | Victim::Both(_) => silences.push(killed.elapsed()),
        }
        assert_eq!(face(host), faces[&host], "decoy {host} after {deaths} deaths");
        scan.go_on();
    }
    scan.end();
    let missing = |have: &BTreeSet<String>, want: &BTreeSet<String>| want.difference(have).next().cloned();
    let (mut there, mut decoys) = (BTreeSet::new(), BTreeSet::new());
    eventually(Duration::from_secs(20), || {
        let events = bench.events();
        there = events.iter().map(|event| event["id"].to_string()).collect();
        decoys = events.iter().filter_map(|event| Some(event["decoy"]["ip"].as_str()?.to_owned())).collect();
        missing(&decoys, &touched).is_none().then_some(())
    });
    assert_eq!(missing(&there, &acknowledged), None, "of {} that had been acknowledged", acknowledged.len());
    assert_eq!(everybody().collect::<BTreeMap<_, _>>(), faces);
    println!("{deaths} deaths");
    println!("{} observations acknowledged on the way, {} in the end", acknowledged.len(), there.len());
    assert!(deaths >= 10 && acknowledged.len() > 100, "too little happened");
    for (whose, silences) in [("workers", &mut silences), ("machines", &mut silences_of_machines)] {
        short(whose, silences);
    }
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
}

/// The process of a decoy's machine, once it answers.
fn machine(bench: &Bench, host: u8) -> Option<u32> {
    let state = bench.state().display().to_string();
    let output = Command::new(CHAFF).args(["node", "list", "--json", "--state", &state]).output().expect("chaff runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let nodes = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut of_host = nodes.filter(|node| node["ip"] == format!("10.20.0.{host}") && node["state"] == "up");
    of_host.find_map(|node| node["pid"].as_u64()?.try_into().ok())
}

/// Prints how long decoys were silent, and judges it. One of ten that comes late is the machine's, which does other
/// things as well; more are ours.
fn short(whose: &str, silences: &mut [Duration]) {
    silences.sort();
    let at = |percent: usize| silences[(silences.len() - 1) * percent / 100];
    let [middle, ninth, last] = [at(50), at(90), at(100)];
    let late = silences.iter().filter(|silence| **silence >= BACK).count();
    println!(
        "silence of decoys of {whose}, {} times: median {middle:.2?}, nine of ten below {ninth:.2?}, longest {last:.2?}; \
         {late} of {BACK:?} or more",
        silences.len()
    );
    assert!(ninth < BACK, "{whose}: {silences:?}");
}

/// What may not change: the card, what the SSH server says first and its host keys, the page with the marks of its file or
/// its serial number.
fn face(host: u8) -> String {
    let card = hardware_address(&format!("10.20.0.{host}"));
    let page = eventually(BUSY, || {
        let mut stream = connect(host, 80)?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page).ok().filter(|length| *length > 0)?;
        Some(String::from_utf8_lossy(&page).into_owned())
    });
    let lasting: Vec<&str> = page.lines().filter(|line| !line.starts_with("Date: ")).collect();
    if SERVERS.contains(&host) {
        format!("{card} {} {}", keys(host), lasting.join("\n"))
    } else {
        format!("{card} {}", lasting.join("\n"))
    }
}

/// What ssh-keyscan says: the version line, and a key of each kind.
fn keys(host: u8) -> String {
    eventually(BUSY, || {
        let mut scan = Command::new("ssh-keyscan");
        scan.args(["-T", "2", "-t", "ecdsa,ed25519", &format!("10.20.0.{host}")]);
        let output = scan.output().expect("ssh-keyscan is installed");
        // Among the keys is the version line, once for each kind, on either output.
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        let mut lines: Vec<&str> = said.iter().flat_map(|said| said.lines()).collect();
        lines.sort_unstable();
        (lines.len() == 4).then(|| lines.join("\n"))
    })
}

fn touch(host: u8) -> bool {
    connect(host, 80).is_some()
}

fn connect(host: u8, port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from(([10, 20, 0, host], port)), Duration::from_secs(1)).ok()
}

fn ids(bench: &Bench) -> BTreeSet<String> {
    bench.events().iter().map(|event| event["id"].to_string()).collect()
}

/// nmap, again and again, at a rate that leaves the machine to others.
struct Scan(Option<Child>);

impl Scan {
    fn start() -> Self {
        let mut scan = Self(None);
        scan.go_on();
        scan
    }

    fn go_on(&mut self) {
        if self.0.as_mut().is_some_and(|child| child.try_wait().expect("waited").is_none()) {
            return;
        }
        let mut nmap = Command::new("nmap");
        nmap.args(["-n", "-Pn", "-sS", "--max-rate", "200", "--max-retries", "0", "-p", "1-500", "10.20.0.1-24"]);
        self.0 = Some(nmap.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nmap is installed"));
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.end();
    }
}
