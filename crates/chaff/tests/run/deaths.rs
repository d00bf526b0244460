//! Workers, hub, node host and machines are killed at random while somebody scans: nobody looking from outside may see
//! more than a short silence, and what the hub has acknowledged is never lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chaff_testkit::{chance::Chance, image};
use rustix::process::{Signal, kill_process};

use crate::bench::{Bench, CHAFF, answers, eventually, hardware_address, pid};

/// Behind the twenty decoys of the bench: two that have a machine each.
const MACHINES: &str = r#"
[[network.decoys]]
profile = "linux-server"
addresses = ["10.20.0.21-10.20.0.22"]
runtime = "node"

[node]
accel = "tcg"
"#;
/// The decoys of a worker, and those of the node host.
const SHARED: std::ops::RangeInclusive<u8> = 1..=20;
const OWN: std::ops::RangeInclusive<u8> = 21..=22;

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
    Worker,
    Hub,
    Both,
    /// The process that runs all machines, and so they as well.
    NodeHost,
    /// One machine.
    Machine,
}

impl Victim {
    fn draw(chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Worker,
            1 | 2 => Self::Hub,
            3 | 4 => Self::Both,
            5 => Self::NodeHost,
            _ => Self::Machine,
        }
    }

    /// A decoy that shows whether the fleet answers.
    fn witness(self, chance: &mut Chance) -> u8 {
        let decoys = match self {
            Self::Worker | Self::Hub | Self::Both => SHARED,
            Self::NodeHost | Self::Machine => OWN,
        };
        decoys.start() + u8::try_from(chance.index(decoys.len())).expect("one of twenty")
    }

    /// Kills it; says how many processes that were.
    fn kill(self, bench: &Bench, host: u8) -> usize {
        let roles: &[&str] = match self {
            Self::Worker => &["worker-process"],
            Self::Hub => &["hub-process"],
            Self::Both => &["worker-process", "hub-process"],
            Self::NodeHost => &["nodes-process"],
            Self::Machine => {
                let process = eventually(BUSY_MACHINE, || machine(bench, host));
                kill_process(pid(process), Signal::KILL).expect("killed");
                return 1;
            }
        };
        for role in roles {
            let child = eventually(BUSY, || bench.child(role));
            kill_process(pid(child), Signal::KILL).expect("killed");
        }
        roles.len()
    }

    fn patience(self) -> Duration {
        match self {
            Self::Worker | Self::Hub | Self::Both => BUSY,
            Self::NodeHost | Self::Machine => BUSY_MACHINE,
        }
    }
}

fn die(time: Duration) {
    let seed = chaff_testkit::seed(41);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let mut bench = Bench::with("", &format!("{MACHINES}image = \"{}\"\n", image::with_holes().display()));
    bench.start();
    for host in OWN {
        eventually(BUSY_MACHINE, || answers(&format!("10.20.0.{host}")).then_some(()));
    }
    let everybody = || (*SHARED.start()..=*OWN.end()).map(|host| (host, face(host)));
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
            Victim::Worker | Victim::Hub | Victim::Both => silences.push(killed.elapsed()),
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
    let median = |what: &str, silences: &mut Vec<Duration>| {
        silences.sort();
        let median = silences[silences.len() / 2];
        println!("silence of {what}, {} times: median {median:?}, longest {:?}", silences.len(), silences.last());
        median
    };
    let shared = median("decoys of the worker", &mut silences);
    let own = median("decoys with a machine", &mut silences_of_machines);
    println!("{} observations acknowledged on the way, {} in the end", acknowledged.len(), there.len());
    assert!(deaths >= 15 && acknowledged.len() > 100, "too little happened");
    // One that comes late is the machine's; most that come late are ours.
    assert!(silences[silences.len() * 9 / 10] < BACK, "{silences:?}");
    assert!(shared < BACK && own < 2 * BACK, "{silences_of_machines:?}");
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

/// What may not change: the card, and what the SSH server says first.
fn face(host: u8) -> String {
    let card = hardware_address(&format!("10.20.0.{host}"));
    let greeting = eventually(BUSY, || {
        let mut stream = connect(host)?;
        let mut line = [0; 64];
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let length = std::io::Read::read(&mut stream, &mut line).ok().filter(|length| *length > 0)?;
        Some(String::from_utf8_lossy(&line[..length]).into_owned())
    });
    format!("{card} {greeting}")
}

fn touch(host: u8) -> bool {
    connect(host).is_some()
}

fn connect(host: u8) -> Option<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from(([10, 20, 0, host], 22)), Duration::from_secs(1)).ok()
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
        nmap.args(["-n", "-Pn", "-sS", "--max-rate", "200", "--max-retries", "0", "-p", "1-500", "10.20.0.1-22"]);
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
