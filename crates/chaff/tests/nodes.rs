//! Decoys with a virtual machine each, in a real QEMU, beside decoys that share a worker.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use chaff_lab::PacketSocket;
use chaff_testkit::{
    image,
    network::{Network, alone, run, run_any},
    office,
    process::Chaff,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Three machines, and three decoys of a worker.
const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.11-10.20.0.13"]

[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.21-10.20.0.23"]
runtime   = "node"

[chaff]
packets_per_second = 0

[node]
accel = "tcg"
"#
);

/// How long a machine may take to be back on a processor that others use.
const PATIENCE: Duration = Duration::from_secs(20);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

fn nodes(folder: &Path) -> Vec<Value> {
    let state = folder.join("state");
    let output = std::process::Command::new(binary()).args(["node", "list", "--json", "--state"]).arg(&state).output();
    let output = output.expect("chaff node");
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what} took longer than {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker() {
    alone("machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let config = format!("{CONFIG}image = \"{}\"\n", image::with_holes().display());
        let chaff = Chaff::start(binary(), &network, folder.path(), &config);
        wait_until("the start of three machines", || {
            let nodes = nodes(folder.path());
            nodes.len() == 3 && nodes.iter().all(|node| node["state"] == "up")
        });
        for last in [11, 21, 22, 23] {
            let ip = format!("10.20.0.{last}");
            let ping = run(&network.atk, 10, "ping", &["-c", "2", "-W", "2", &ip]);
            assert!(ping.contains(" 0% packet loss"), "{ping}\n{}", chaff.log());
        }
        let states = |ip: &str| {
            let scan = run(&network.atk, 60, "nmap", &["-n", "-sS", "-p", "1-200", "-oG", "-", ip]);
            let line = scan.lines().find(|line| line.contains("Ports:")).unwrap_or_else(|| panic!("{scan}"));
            line.split_once("Ports:").unwrap().1.to_owned()
        };
        assert_eq!(states("10.20.0.11"), states("10.20.0.22"), "the same to a scanner");
        wait_until("an incident", || {
            chaff.incidents().iter().any(|one| one["title"].as_str().is_some_and(|title| title.contains("scan")))
        });

        let before = nodes(folder.path());
        let victim = i32::try_from(before[1]["pid"].as_u64().unwrap()).unwrap();
        kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
        wait_until("the machine's return", || {
            let now = nodes(folder.path());
            now[1]["state"] == "up" && now[1]["pid"] != before[1]["pid"] && now[1]["restarts"] == 1
        });
        assert_eq!(nodes(folder.path())[0]["pid"], before[0]["pid"], "the others go on");
        wait_until("word of it", || chaff.events().iter().any(|event| event["kind"] == "process.ended"));

        let status = fs::read_to_string(format!("/proc/{}/status", before[0]["pid"])).unwrap();
        for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line}: {status}");
        }
        let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(!uid.split_whitespace().any(|id| id == "0"), "{uid}");
    });
}

/// Machines whose names tell the image's holes what to try: the host holds all of them, and says so.
const INTRUDED: &str = office!(
    r#"
[chaff]
packets_per_second = 0

[node]
accel = "tcg"
"#
);

/// How a machine's hole is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What it sends is dropped and told; the machine goes on.
    Told,
    /// The machine is ended and started again.
    Ended,
}

#[test]
fn a_machine_that_was_taken_over_reaches_nobody() {
    let holes = [
        ("hole-card", End::Told),
        ("hole-address", End::Told),
        ("hole-protocol", End::Told),
        ("hole-console", End::Ended),
        ("hole-queue", End::Ended),
    ];
    alone("a_machine_that_was_taken_over_reaches_nobody", || intrude(&holes));
}

fn intrude(holes: &[(&str, End)]) {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new();
    let mut config = format!("{INTRUDED}image = \"{}\"\n", image::with_holes().display());
    for (n, (hole, _)) in holes.iter().enumerate() {
        config += &format!(
            "[[network.decoys]]\nprofile = \"linux-server\"\nhostname = \"{hole}\"\n\
             addresses = [\"10.20.0.{}\"]\nruntime = \"node\"\n",
            31 + n
        );
    }
    let heard = PacketSocket::open(&network.atk, "atk0").unwrap();
    let chaff = Chaff::start(binary(), &network, folder.path(), &config);
    let begun = Instant::now();
    let mut buffer = [0; 2048];
    let mut outcome = Vec::new();
    while begun.elapsed() < 2 * PATIENCE {
        // What is asked keeps the machines awake.
        for n in 0..holes.len() {
            let _ = run_any(&network.atk, 2, "ping", &["-c", "1", "-W", "0.2", &format!("10.20.0.{}", 31 + n)]);
        }
        while let Some(length) = heard.receive(&mut buffer, Duration::ZERO).unwrap() {
            let frame = &buffer[..length];
            let forged = frame.windows(6).any(|octets| octets == [0x52, 0x54, 0, 0xba, 0xd0, 0x01]);
            assert!(!forged, "a forged frame came out: {frame:02x?}");
            let lent = frame[12..14] == [8, 6] && frame[28..32] == [10, 20, 0, 99];
            assert!(!lent, "an ARP packet in another's name came out: {frame:02x?}");
        }
        let events = chaff.events();
        let nodes = nodes(folder.path());
        let told =
            |hole: &str, kind: &str| events.iter().any(|event| event["decoy"]["name"] == hole && event["kind"] == kind);
        outcome = holes
            .iter()
            .map(|&(hole, end)| {
                let node = nodes.iter().find(|node| node["name"] == hole);
                let restarts = node.and_then(|node| node["restarts"].as_u64()).unwrap_or(0);
                match end {
                    End::Told => told(hole, "node.misbehaved"),
                    End::Ended => restarts > 0 && told(hole, "process.ended"),
                }
            })
            .collect();
        if outcome.iter().all(|&held| held) {
            let incidents = chaff.incidents();
            let critical = incidents.iter().any(|incident| incident["severity"] == "critical");
            assert!(critical, "{incidents:#?}");
            return;
        }
    }
    panic!("{holes:?}: {outcome:?}\n{}", chaff.log());
}
