//! A fleet that several workers share: on the wire, to real scanners and to the defender it is one fleet, and the death
//! of one worker is nobody else's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use chaff_testkit::{
    network::{ATTACKER, Network, alone, run},
    office,
    prober::{Answer, PROBER, Prober, cards, who},
    process::{self, Chaff},
};
use chaff_wire::Mac;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Two hundred decoys. Printers, switches and controllers answer the ping of everybody, Linux does not.
const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.1-10.20.0.140"]

[[network.decoys]]
profile   = "hp-printer"
addresses = ["10.20.0.141-10.20.0.170"]

[[network.decoys]]
profile   = "cisco-switch"
addresses = ["10.20.0.171-10.20.0.185"]

[[network.decoys]]
profile   = "plc"
addresses = ["10.20.0.186-10.20.0.200"]

[chaff]
packets_per_second = 0
"#
);

/// Of the last octet: those that answer the ping of everybody.
const TALKATIVE: std::ops::RangeInclusive<u8> = 141..=200;

/// Two, and no power of two.
const WORKERS: [usize; 2] = [2, 3];

/// How long an answer may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(5);

/// Questions that wait for their answers at a time: the prober's socket holds some 250 frames.
const WINDOW: usize = 60;

/// A killed worker's decoys answer again within this.
const BACK: Duration = Duration::from_secs(1);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

fn config(workers: usize) -> String {
    format!("workers = {workers}\n{CONFIG}")
}

fn decoy(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, 0, last)
}

fn fleet() -> BTreeSet<Ipv4Addr> {
    (1..=200).map(decoy).collect()
}

/// Which worker owns a decoy.
fn owner(ip: Ipv4Addr, workers: usize) -> usize {
    ip.to_bits() as usize % workers
}

/// Starts it, and waits until every worker answers. Asks for fewer decoys than a sweep does.
fn start(network: &Network, folder: &Path, workers: usize) -> Chaff {
    let chaff = Chaff::start(binary(), network, folder, &config(workers));
    for last in (1..).take(workers) {
        let _ = network.wait_for_decoy(decoy(last), Instant::now(), Duration::from_secs(20));
    }
    assert_eq!(workers_of(&chaff).len(), workers);
    chaff
}

fn with_workers(name: &str, counts: &[usize], test: impl Fn(&Network, &Chaff, usize)) {
    alone(name, || {
        for &workers in counts {
            let folder = tempfile::tempdir().unwrap();
            let network = Network::new();
            let chaff = start(&network, folder.path(), workers);
            test(&network, &chaff, workers);
        }
    });
}

/// The processes of the workers, by their number.
fn workers_of(chaff: &Chaff) -> BTreeMap<usize, u32> {
    let number = |id: u32| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
        let mut words = line.split('\0').skip_while(|word| *word != "worker-process");
        words.next()?;
        words.skip_while(|word| *word != "--index").nth(1)?.parse().ok()
    };
    chaff.processes().into_iter().filter_map(|id| Some((number(id)?, id))).collect()
}

fn pinged(answer: &Answer, wanted: u16) -> Option<Ipv4Addr> {
    if let Answer::Echo(ip, sequence) = *answer { (sequence == wanted).then_some(ip) } else { None }
}

fn number(incident: &Value, key: &str) -> u64 {
    incident[key].as_u64().unwrap_or_else(|| panic!("no {key} in {incident}"))
}

#[test]
fn every_decoy_answers_once_and_the_scan_is_one_incident_with_every_packet_counted() {
    let name = "every_decoy_answers_once_and_the_scan_is_one_incident_with_every_packet_counted";
    with_workers(name, &WORKERS, |network, chaff, _| {
        let everyone: Vec<Ipv4Addr> = fleet().into_iter().collect();
        let prober = Prober::new(network);
        for (asked, &ip) in everyone.iter().enumerate() {
            prober.ask(PROBER, ip);
            prober.wait_for((asked + 1).saturating_sub(WINDOW));
        }
        let answers = prober.hear(200);
        let arp = |answer: &Answer| if let Answer::Arp(ip, _) = *answer { Some(ip) } else { None };
        assert_eq!(who(&answers, arp), everyone, "each answers ARP, and once");
        let cards = cards(&answers);
        for (asked, &ip) in everyone.iter().enumerate() {
            prober.ping(cards[&ip], ip, 1);
            prober.syn(cards[&ip], ip, 80);
            prober.wait_for((2 * asked + 2).saturating_sub(WINDOW));
        }
        let answers = prober.hear(400);
        assert_eq!(who(&answers, |answer| pinged(answer, 1)), everyone, "each answers the ping, and once");
        // Two answerers would number their segments differently.
        let segments: BTreeSet<Answer> =
            answers.iter().copied().filter(|answer| matches!(answer, Answer::Segment(..))).collect();
        let segments: Vec<Answer> = segments.into_iter().collect();
        let from = |answer: &Answer| if let Answer::Segment(ip, ..) = *answer { Some(ip) } else { None };
        assert_eq!(who(&segments, from), everyone, "each answers the SYN, and with one number");

        let of_prober = |incident: &&Value| incident["source"]["ip"] == PROBER.1.to_string();
        let complete = |incidents: &[Value]| {
            incidents.iter().filter(of_prober).any(|incident| number(incident, "observations") >= 600)
        };
        let incidents = chaff.wait_for_incidents(PATIENCE, complete);
        let incidents: Vec<&Value> = incidents.iter().filter(of_prober).collect();
        let [incident] = incidents.as_slice() else { panic!("{incidents:#?}") };
        let counts = ["observations", "decoys", "ports"].map(|key| number(incident, key));
        assert_eq!(counts, [600, 200, 1], "200 each of ARP, echo and SYN: {incident:#}");
    });
}

#[test]
fn nmap_finds_all_and_its_scan_is_one_incident() {
    with_workers("nmap_finds_all_and_its_scan_is_one_incident", &WORKERS, |network, chaff, _| {
        let words = ["-n", "-sn", "-PR", "-T4", "--max-retries", "3", "-oG", "-", "10.20.0.1-200"];
        let out = run(&network.atk, 120, "nmap", &words);
        let up = out.lines().filter(|line| line.contains("Status: Up"));
        let found: BTreeSet<Ipv4Addr> = up.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
        assert_eq!(found, fleet());
        run(&network.atk, 120, "nmap", &["-n", "-sS", "-T4", "-p", "21,22,80,443,445", "10.20.0.1-200"]);
        let complete = |incidents: &[Value]| match incidents {
            [one] => number(one, "decoys") == 200 && number(one, "ports") == 5 && number(one, "observations") >= 1400,
            _ => false,
        };
        let incidents = chaff.wait_for_incidents(PATIENCE, complete);
        let incident = &incidents[0];
        assert_eq!(incident["source"]["ip"], ATTACKER.to_string(), "{incident:#}");
        assert_eq!(incident["title"], format!("nmap port scan of 200 decoys from {ATTACKER}"), "{incident:#}");
        assert!(number(incident, "first_alarm_ms") < 1000, "{incident:#}");
    });
}

#[test]
fn a_ping_of_everybody_is_answered_by_those_systems_that_answer_it_and_once() {
    let name = "a_ping_of_everybody_is_answered_by_those_systems_that_answer_it_and_once";
    with_workers(name, &[1, 2, 3], |network, chaff, workers| {
        let prober = Prober::new(network);
        let talkative: Vec<Ipv4Addr> = TALKATIVE.map(decoy).collect();
        for (sequence, destination) in [(1, Ipv4Addr::new(10, 255, 255, 255)), (2, Ipv4Addr::BROADCAST)] {
            prober.ping(Mac::BROADCAST, destination, sequence);
            let answers = prober.hear(talkative.len());
            assert_eq!(who(&answers, |answer| pinged(answer, sequence)), talkative, "{workers} workers, {destination}");
        }
        // Inside a broadcast frame, but for one decoy: it alone answers, whoever owns it.
        for last in 1..=4 {
            prober.ping(Mac::BROADCAST, decoy(last), 3);
            assert_eq!(prober.hear(1), [Answer::Echo(decoy(last), 3)], "{workers} workers");
        }
        let complete = |incidents: &[Value]| {
            let of_prober = |incident: &&Value| incident["source"]["ip"] == PROBER.1.to_string();
            incidents.iter().filter(of_prober).any(|incident| number(incident, "observations") == 124)
        };
        chaff.wait_for_incidents(PATIENCE, complete);
    });
}

#[test]
fn a_claim_of_a_decoys_address_is_seen_once_whomever_it_asks_for() {
    let name = "a_claim_of_a_decoys_address_is_seen_once_whomever_it_asks_for";
    with_workers(name, &WORKERS, |network, chaff, workers| {
        let prober = Prober::new(network);
        // A gratuitous one, one in a question for the gateway, and two in questions for fellows, of which at least one
        // has another owner.
        let claims = [(10, decoy(10)), (20, Ipv4Addr::new(10, 0, 0, 1)), (30, decoy(31)), (40, decoy(42))];
        assert!(claims.iter().any(|&(last, asked)| owner(decoy(last), workers) != owner(asked, workers)));
        for (last, asked) in claims {
            prober.ask((PROBER.0, decoy(last)), asked);
        }
        assert_eq!(prober.hear(0), [], "nobody answers such a question");
        let expected: Vec<String> = claims.iter().map(|&(last, _)| decoy(last).to_string()).collect();
        let begun = Instant::now();
        loop {
            let events = chaff.events();
            let of_prober = events.iter().filter(|event| event["source"]["mac"] == PROBER.0.to_string());
            let seen: Vec<&Value> = of_prober.collect();
            let kinds: BTreeSet<&str> = seen.iter().filter_map(|event| event["kind"].as_str()).collect();
            let mut decoys: Vec<&str> = seen.iter().filter_map(|event| event["decoy"]["ip"].as_str()).collect();
            decoys.sort_unstable();
            if decoys == expected && kinds == BTreeSet::from(["arp.conflict"]) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{seen:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn a_killed_worker_is_back_within_a_second_and_the_others_go_on() {
    with_workers(
        "a_killed_worker_is_back_within_a_second_and_the_others_go_on",
        &WORKERS,
        |network, chaff, workers| {
            let prober = Prober::new(network);
            let before = workers_of(chaff);
            // One decoy of each worker; the last worker is killed, then the first, who hears what is for everybody.
            let decoys: Vec<Ipv4Addr> = (1..).map(decoy).take(workers).collect();
            for &ip in &decoys {
                prober.ask(PROBER, ip);
            }
            let cards = cards(&prober.hear(workers));
            let mut sequence = 0;
            for victim in [workers - 1, 0] {
                let id = before[&victim];
                let mut sent = BTreeMap::new();
                let mut heard: BTreeSet<Answer> = BTreeSet::new();
                let begun = Instant::now();
                let mut killed = None;
                while begun.elapsed() < Duration::from_millis(1_800) {
                    if killed.is_none() && begun.elapsed() > Duration::from_millis(200) {
                        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
                        killed = Some(Instant::now());
                    }
                    sequence += 1;
                    sent.insert(sequence, Instant::now());
                    for &ip in &decoys {
                        prober.ping(cards[&ip], ip, sequence);
                    }
                    let asked = Instant::now();
                    while let Some(left) = Duration::from_millis(10).checked_sub(asked.elapsed()) {
                        prober.receive(left);
                    }
                }
                heard.extend(prober.hear(0));
                let killed = killed.unwrap();
                for &ip in &decoys {
                    let answered = |sequence| heard.contains(&Answer::Echo(ip, sequence));
                    if owner(ip, workers) == victim {
                        let back = sent.iter().find(|&(&sequence, &at)| at > killed && answered(sequence));
                        let took = back.map(|(_, at)| at.duration_since(killed));
                        println!("{workers} workers: worker {victim} is back after {took:?}");
                        assert!(took.is_some_and(|took| took < BACK), "{ip}: {took:?}; {}", chaff.log());
                    } else {
                        let lost: Vec<&u16> = sent.keys().filter(|&&sequence| !answered(sequence)).collect();
                        assert!(lost.is_empty(), "{ip} of another worker did not answer {lost:?} of {}", sent.len());
                    }
                }
                let after = workers_of(chaff);
                assert!(after.len() == workers && after[&victim] != id, "{before:?} {after:?}");
            }
            // Frames for everybody reach all of them again, and so do their observations the hub.
            prober.ping(Mac::BROADCAST, Ipv4Addr::BROADCAST, u16::MAX);
            let talkative: Vec<Ipv4Addr> = TALKATIVE.map(decoy).collect();
            assert_eq!(who(&prober.hear(talkative.len()), |answer| pinged(answer, u16::MAX)), talkative);
            let complete = |incidents: &[Value]| {
                let of_prober = |incident: &&Value| incident["source"]["ip"] == PROBER.1.to_string();
                let of_prober: Vec<&Value> = incidents.iter().filter(of_prober).collect();
                matches!(of_prober.as_slice(), [one] if number(one, "decoys") == 60 + workers as u64)
            };
            chaff.wait_for_incidents(PATIENCE, complete);
        },
    );
}

#[test]
fn nobodys_identity_depends_on_the_number_of_workers() {
    alone("nobodys_identity_depends_on_the_number_of_workers", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let mut known: Option<(Vec<String>, Vec<String>, Vec<String>)> = None;
        for workers in [1, 2, 3, 1] {
            let mut chaff = start(&network, folder.path(), workers);
            let roster = chaff.roster().iter().map(|line| format!("{} {} {}", line.name, line.ip, line.mac)).collect();
            let out = run(&network.atk, 60, "arp-scan", &["--interface=atk0", "--plain", "--retry=3", "10.20.0.0/24"]);
            let lines: BTreeSet<String> = out.lines().map(String::from).collect();
            let banners = (1..=12).map(|last| banner(&network, decoy(last))).collect();
            let found = (roster, lines.into_iter().collect::<Vec<String>>(), banners);
            assert_eq!(found.1.len(), 200, "{workers} workers");
            // Spools of workers that there are no more are gone.
            let spools = fs::read_dir(folder.path().join("state")).unwrap().flatten();
            let spools = spools.filter(|entry| entry.file_name().to_string_lossy().starts_with("spool-")).count();
            assert_eq!(spools, workers);
            match &known {
                Some(known) => assert_eq!(&found, known, "{workers} workers"),
                None => known = Some(found),
            }
            assert!(chaff.stop().1, "{}", chaff.log());
        }
        let banners = known.unwrap().2;
        assert!(banners.iter().collect::<BTreeSet<_>>().len() > 1, "they differ from decoy to decoy: {banners:?}");
        // And the store knows each decoy once, whoever hosted it.
        let incidents = process::incidents(binary(), folder.path());
        let of_scan = |incident: &&Value| incident["source"]["ip"] == ATTACKER.to_string();
        let scans: Vec<&Value> = incidents.iter().filter(of_scan).collect();
        let [scan] = scans.as_slice() else { panic!("{scans:#?}") };
        assert_eq!(number(scan, "decoys"), 200, "{scan:#}");
    });
}

/// What a server says first.
fn banner(network: &Network, ip: Ipv4Addr) -> String {
    let greet = || {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((ip, 22)), Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    };
    network.atk.enter(greet).unwrap()
}
