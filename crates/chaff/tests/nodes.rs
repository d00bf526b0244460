//! Decoys with a virtual machine each, in a real QEMU, beside decoys that share a worker.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chaff_testkit::{
    network::{Network, alone, run, run_any},
    process::Chaff,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Three machines, and three decoys of a worker.
const CONFIG: &str = r#"
[[network]]
name      = "office"
interface = "dut0"
subnet    = "10.0.0.0/8"
gateway   = "10.0.0.1"

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
"#;

/// How long a machine may take to be back on a processor that others use.
const PATIENCE: Duration = Duration::from_secs(20);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

/// Where `cargo xtask image` puts it.
fn image() -> PathBuf {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/chaff-node.elf");
    assert!(image.is_file(), "{} is not there: cargo xtask image", image.display());
    image
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

fn kinds(folder: &Path) -> Vec<String> {
    let state = folder.join("state");
    let output = std::process::Command::new(binary()).args(["events", "--json", "--state"]).arg(&state).output();
    let output = output.expect("chaff events");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let kind = |line: &str| serde_json::from_str::<Value>(line).ok()?.get("kind")?.as_str().map(str::to_owned);
    text.lines().filter_map(kind).collect()
}

#[test]
fn machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker() {
    alone("machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let config = format!("{CONFIG}image = \"{}\"\n", image().display());
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
            let state = folder.path().join("state");
            let state = state.to_str().unwrap();
            let said = run_any(&network.dut, 10, binary().to_str().unwrap(), &["incidents", "--state", state]);
            String::from_utf8_lossy(&said.stdout).contains("scan")
        });

        let before = nodes(folder.path());
        let victim = i32::try_from(before[1]["pid"].as_u64().unwrap()).unwrap();
        kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
        wait_until("the machine's return", || {
            let now = nodes(folder.path());
            now[1]["state"] == "up" && now[1]["pid"] != before[1]["pid"] && now[1]["restarts"] == 1
        });
        assert_eq!(nodes(folder.path())[0]["pid"], before[0]["pid"], "the others go on");
        wait_until("word of it", || kinds(folder.path()).iter().any(|kind| kind == "process.ended"));

        let status = fs::read_to_string(format!("/proc/{}/status", before[0]["pid"])).unwrap();
        for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line}: {status}");
        }
        let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(!uid.split_whitespace().any(|id| id == "0"), "{uid}");
    });
}
