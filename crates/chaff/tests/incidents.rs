//! What the defender is told: one incident for each intruder, at once, with the right counts, and nothing about the
//! ordinary life of a network.

use std::{
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};

use chaff_testkit::{
    load::{self, Generator, Kind, Target},
    network::{Network, alone, run, run_any},
    office,
    process::Chaff,
};
use chaff_wire::Mac;
use serde_json::Value;

/// Two hundred decoys.
const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.1-10.20.0.200"]
ports     = { "22/tcp" = "open", "default/tcp" = "closed" }
"#
);

/// An alarm is told within this time.
const ALARM_LIMIT: Duration = Duration::from_secs(1);
/// An incident's counts are those of the scan within this time of its first packet, or of its latest.
const COUNTS_LIMIT: Duration = Duration::from_secs(1);

fn with_fleet(name: &str, test: impl FnOnce(&Network, &Chaff)) {
    alone(name, || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), CONFIG);
        test(&network, &chaff);
    });
}

fn number(incident: &Value, key: &str) -> u64 {
    incident[key].as_u64().unwrap_or_else(|| panic!("no {key} in {incident}"))
}

#[test]
fn one_scan_is_one_incident_with_the_counts_right() {
    with_fleet("one_scan_is_one_incident_with_the_counts_right", |network, chaff| {
        let words = ["-n", "-sS", "-T5", "-p", "21,22,80,443,445", "10.20.0.1-200"];
        run(&network.atk, 120, "nmap", &words);
        // 200 ARP requests and 1,000 SYNs, folded ones counted one by one.
        let complete = |incidents: &[Value]| match incidents {
            [one] => number(one, "decoys") == 200 && number(one, "ports") == 5 && number(one, "observations") >= 1200,
            _ => false,
        };
        let incidents = chaff.wait_for_incidents(COUNTS_LIMIT, complete);
        let incident = &incidents[0];
        assert_eq!(incident["source"]["ip"], "10.0.0.5", "{incident:#}");
        assert_eq!(incident["network"], "office", "{incident:#}");
        assert_eq!(incident["title"], "nmap port scan of 200 decoys from 10.0.0.5", "{incident:#}");
        assert!(incident["tools"].to_string().contains("nmap"), "{incident:#}");
        assert!(incident["techniques"].to_string().contains("T1046"), "{incident:#}");
        assert!(number(incident, "first_alarm_ms") < 1000, "{incident:#}");
    });
}

#[test]
fn the_counts_are_right_within_a_second_of_the_first_packet() {
    with_fleet("the_counts_are_right_within_a_second_of_the_first_packet", |network, chaff| {
        // A SYN to each of five ports of all 200, from an address whose kernel is not there to answer, so that what is
        // sent is all that there is to count.
        let intruder = Target { mac: Mac(network.atk.link("atk0").mac().unwrap()), ip: Ipv4Addr::new(10, 0, 0, 77) };
        let decoys: Vec<Target> = chaff.roster().iter().map(|decoy| Target { mac: decoy.mac, ip: decoy.ip }).collect();
        let frames: Vec<Vec<u8>> = [21, 22, 80, 443, 445]
            .into_iter()
            .flat_map(|port| load::frames(Kind::Syn, intruder, &decoys, port, decoys.len(), u32::from(port)))
            .collect();
        let generator = Generator::open(&network.atk, "atk0").unwrap();
        let begun = Instant::now();
        generator.run(Kind::Syn, &frames, 20_000).unwrap();
        let right = |incidents: &[Value]| match incidents {
            [one] => ["decoys", "ports", "observations"].map(|key| number(one, key)) == [200, 5, 1000],
            _ => false,
        };
        let incidents = chaff.wait_for_incidents(COUNTS_LIMIT.saturating_sub(begun.elapsed()), right);
        assert_eq!(incidents[0]["title"], "port scan of 200 decoys from 10.0.0.77", "{:#}", incidents[0]);
    });
}

#[test]
fn the_alarm_comes_within_a_second_of_the_first_packet() {
    with_fleet("the_alarm_comes_within_a_second_of_the_first_packet", |network, chaff| {
        // The packet leaves within this command; ARP before it is no alarm yet.
        run(&network.atk, 10, "ping", &["-n", "-c", "1", "10.20.0.7"]);
        chaff.wait_for_incidents(ALARM_LIMIT, |incidents| incidents.len() == 1);
    });
}

#[test]
fn what_was_told_survives_a_kill() {
    alone("what_was_told_survives_a_kill", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let binary = Path::new(env!("CARGO_BIN_EXE_chaff"));
        let mut chaff = Chaff::start(binary, &network, folder.path(), CONFIG);
        run(&network.atk, 10, "ping", &["-n", "-c", "1", "10.20.0.7"]);
        let before = chaff.wait_for_incidents(ALARM_LIMIT, |incidents| incidents.len() == 1);
        chaff.kill();
        let chaff = Chaff::start(binary, &network, folder.path(), CONFIG);
        let after = chaff.incidents();
        assert!(after.iter().any(|incident| incident["id"] == before[0]["id"]), "{after:#?}");
    });
}

#[test]
fn two_intruders_are_two_incidents() {
    with_fleet("two_intruders_are_two_incidents", |network, chaff| {
        let other = network.host("other0", Ipv4Addr::new(10, 0, 0, 7));
        run(&network.atk, 10, "ping", &["-n", "-c", "1", "10.20.0.7"]);
        run(&other, 10, "ping", &["-n", "-c", "1", "10.20.0.7"]);
        let incidents = chaff.wait_for_incidents(Duration::from_secs(5), |incidents| incidents.len() == 2);
        let sources: Vec<&Value> = incidents.iter().map(|incident| &incident["source"]["ip"]).collect();
        assert!(sources.contains(&&Value::from("10.0.0.5")) && sources.contains(&&Value::from("10.0.0.7")));
    });
}

#[test]
fn a_single_arp_request_is_observed_and_no_alarm() {
    with_fleet("a_single_arp_request_is_observed_and_no_alarm", |network, chaff| {
        run_any(&network.atk, 10, "arp-scan", &["--interface=atk0", "--retry=1", "10.20.0.7"]);
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(chaff.incidents(), Vec::<Value>::new());
        let asked = |event: &&Value| event["kind"] == "arp.request" && event["source"]["ip"] == "10.0.0.5";
        assert_eq!(chaff.events().iter().filter(asked).count(), 1, "{:#?}", chaff.events());
    });
}

#[test]
fn an_arp_sweep_is_an_alarm() {
    with_fleet("an_arp_sweep_is_an_alarm", |network, chaff| {
        run(&network.atk, 30, "arp-scan", &["--interface=atk0", "--retry=1", "10.20.0.1-10.20.0.50"]);
        let incidents = chaff.wait_for_incidents(Duration::from_secs(3), |incidents| incidents.len() == 1);
        assert_eq!(incidents[0]["source"]["ip"], "10.0.0.5", "{incidents:#?}");
        assert!(incidents[0]["techniques"].to_string().contains("T1018"), "{incidents:#?}");
    });
}

#[test]
fn an_authorised_scanner_is_observed_and_not_alarmed() {
    alone("an_authorised_scanner_is_observed_and_not_alarmed", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let allowed = format!("{CONFIG}\n[[allow]]\nsource = \"10.0.0.5\"\nreason = \"the test\"\n");
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), &allowed);
        run(&network.atk, 60, "nmap", &["-n", "-sS", "-T5", "-p", "22,80", "10.20.0.1-20"]);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(chaff.incidents(), Vec::<Value>::new());
        // Others ask too: the machine's own side of the link does so for its neighbours.
        let mut events = chaff.events();
        events.retain(|event| event["source"]["ip"] == "10.0.0.5");
        assert!(!events.is_empty() && events.iter().all(|event| event["allowed"] == "the test"), "{events:#?}");
    });
}

#[test]
fn the_tools_are_named() {
    with_fleet("the_tools_are_named", |network, chaff| {
        run_any(&network.atk, 20, "hping3", &["-n", "-S", "-c", "3", "-i", "u10000", "-p", "22", "10.20.0.9"]);
        let named =
            |incidents: &[Value], tool: &str| incidents.iter().any(|one| one["tools"].to_string().contains(tool));
        chaff.wait_for_incidents(Duration::from_secs(5), |incidents| named(incidents, "hping3"));
    });
}

#[test]
fn arp_scan_is_named() {
    with_fleet("arp_scan_is_named", |network, chaff| {
        run(&network.atk, 60, "arp-scan", &["--interface=atk0", "--retry=2", "10.20.0.1-10.20.0.200"]);
        let named = |incidents: &[Value]| incidents.iter().any(|one| one["tools"].to_string().contains("arp-scan"));
        chaff.wait_for_incidents(Duration::from_secs(5), named);
    });
}
