//! Workers and hub are killed at random while somebody scans: nobody looking from outside may see more than a short
//! silence, and what the hub has acknowledged is never lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chaff_testkit::chance::Chance;
use rustix::process::{Signal, kill_process};

use crate::bench::{Bench, answers, eventually, hardware_address, pid};

/// The fleet answers again within this after a death.
const BACK: Duration = Duration::from_secs(1);
/// The start of a process on a machine that does other things as well is not what is tested.
const BUSY: Duration = Duration::from_secs(4);
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

fn die(time: Duration) {
    let seed = chaff_testkit::seed(41);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let mut bench = Bench::new("");
    bench.start();
    let faces: BTreeMap<u8, String> = (1..=20).map(|host| (host, face(host))).collect();
    let mut scan = Scan::start();
    let (mut acknowledged, mut silences) = (BTreeSet::new(), Vec::new());
    let (mut touched, mut deaths) = (BTreeSet::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < time {
        thread::sleep(Duration::from_millis(PAUSES_MS.start + chance.below(PAUSES_MS.end - PAUSES_MS.start)));
        // A worker that lives sees a touch, and the hub has it sooner or later, however often the hub dies.
        let host = 1 + u8::try_from(chance.below(20)).expect("one of twenty");
        if touch(host) {
            touched.insert(format!("10.20.0.{host}"));
        }
        acknowledged.extend(ids(&bench));
        let roles: &[&str] = match chance.below(4) {
            0 => &["worker-process"],
            1 | 2 => &["hub-process"],
            _ => &["worker-process", "hub-process"],
        };
        if roles.contains(&"worker-process") {
            // What it has seen in the last moment and told nobody dies with it.
            thread::sleep(Duration::from_millis(200));
        }
        for role in roles {
            let child = eventually(BUSY, || bench.child(role));
            kill_process(pid(child), Signal::KILL).expect("killed");
            deaths += 1;
        }
        let killed = Instant::now();
        assert!(eventually(BUSY, || answers(&format!("10.20.0.{host}")).then_some(true)));
        silences.push(killed.elapsed());
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
    assert_eq!((1..=20).map(|host| (host, face(host))).collect::<BTreeMap<_, _>>(), faces);
    silences.sort();
    let median = silences[silences.len() / 2];
    println!("{deaths} deaths; silence: median {median:?}, longest {:?}", silences[silences.len() - 1]);
    println!("{} observations acknowledged on the way, {} in the end", acknowledged.len(), there.len());
    assert!(deaths >= 15 && acknowledged.len() > 100, "too little happened");
    // One that comes late is the machine's; most that come late are ours.
    assert!(silences[silences.len() * 9 / 10] < BACK, "{silences:?}");
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
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
        nmap.args(["-n", "-Pn", "-sS", "--max-rate", "200", "--max-retries", "0", "-p", "1-500", "10.20.0.1-20"]);
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
