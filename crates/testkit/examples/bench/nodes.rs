//! Decoys with a machine each: how long until all have answered, what each takes of the host's memory, what they take of
//! its processors while nobody asks, and whether each alarms when it is touched. One that does neither fails the run.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use chaff_lab::PacketSocket;
use chaff_testkit::{
    load::median,
    neighbour,
    network::{ATTACKER, Network, WATCHER},
    process::{Chaff, RosterLine, processor_ticks, write_config},
};
use serde_json::Value;

use crate::{kernel, processors};

/// Machines when nobody says how many.
pub(crate) const NODES: u32 = 200;
/// Machines at most, as the configuration allows.
pub(crate) const MOST: u32 = 1_024;
/// The first address.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
/// How long one machine may take, on a processor that starts another as well.
const PATIENCE_EACH: Duration = Duration::from_secs(2);
/// How long idle machines are watched, and how long they may take to come to rest before.
const IDLE: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_secs(5);
/// Clients that touch machines at the same time.
const INTRUDERS: usize = 8;
/// How long a client waits for a connection and for the first words on it.
const TOUCH: Duration = Duration::from_secs(10);
/// How soon an alarm is told, on a machine that starts none beside it.
const ALARM: Duration = Duration::from_secs(5);
/// Ticks of the processor clock in a second, as the kernel counts for everybody (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Starts `count` machines and prints what they cost.
pub(crate) fn measure(binary: &Path, count: u32) {
    println!("chaff bench nodes {count}: {} processors, {}", processors(), kernel());
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a temporary folder"));
    write_config(folder.path(), &config(count));
    let (begun, chaff) = (Instant::now(), Chaff::spawn(binary, &network.dut, folder.path()));
    let targets: Vec<Ipv4Addr> = (0..count).map(|n| Ipv4Addr::from_bits(FIRST.to_bits() + n)).collect();
    let answered = answers(&network, &chaff, &targets, begun);
    let last = answered.values().max().copied().unwrap_or_default();
    println!("all {count} have answered after {:.1} s", last.as_secs_f64());

    std::thread::sleep(REST);
    let nodes = list(binary, folder.path());
    let of = |key: &str| nodes.iter().filter_map(|node| node[key].as_u64()).collect::<Vec<_>>();
    let how: BTreeSet<_> = nodes.iter().filter_map(|node| node["accel"].as_str()).collect();
    let how = if how.contains("kvm") { "KVM" } else { "software emulation" };
    println!("they run by {how}");
    let memory: Vec<f64> = of("memory_kib").into_iter().map(|kib| kib as f64 / 1024.0).collect();
    let sum: f64 = memory.iter().sum();
    let (least, most) = memory.iter().fold((f64::MAX, 0_f64), |(a, b), &mib| (a.min(mib), b.max(mib)));
    println!(
        "memory (PSS of the emulator): {:.1} MiB each ({least:.1} to {most:.1}, median {:.1}), {sum:.0} MiB in all; all \
         of Chaff {:.0} MiB",
        sum / memory.len().max(1) as f64,
        median(&memory),
        chaff.memory_kib() as f64 / 1024.0
    );
    println!("starts after the first: {}", of("restarts").iter().sum::<u64>());

    let ids: Vec<u32> = of("pid").into_iter().filter_map(|id| u32::try_from(id).ok()).collect();
    let ticks = || ids.iter().map(|&id| processor_ticks(id)).sum::<u64>();
    let (before, since) = (ticks(), Instant::now());
    std::thread::sleep(IDLE);
    let share = (ticks() - before) as f64 / TICKS / since.elapsed().as_secs_f64() * 100.0;
    println!("idle: {share:.2} % of one processor, all of them together");

    alarms(&network, &chaff);
}

/// Touches each machine once: a connection, and the greeting of its SSH server. The intruder's kernel knows all cards and
/// asks nobody by ARP, which alone is no alarm. So what his incident counts are the machines that told of the touch.
fn alarms(network: &Network, chaff: &Chaff) {
    let roster = chaff.roster();
    let known = roster.iter().map(|decoy| (decoy.ip.into(), decoy.mac.0));
    network.atk.link("atk0").neighbours(known).unwrap_or_else(|error| panic!("cannot fix neighbours: {error}"));
    let begun = Instant::now();
    let silent = network.atk.enter(|| touch(&roster)).unwrap_or_else(|error| panic!("cannot enter: {error}"));
    assert!(silent.is_empty(), "{} of {} take no connection: {silent:?}", silent.len(), roster.len());
    println!("all {} have greeted a client within {:.1} s", roster.len(), begun.elapsed().as_secs_f64());

    let intruder = ATTACKER.to_string();
    let counted = |incidents: &[Value]| {
        let his = incidents.iter().filter(|incident| incident["source"]["ip"] == *intruder);
        his.filter_map(|incident| incident["decoys"].as_u64()).max().unwrap_or_default()
    };
    let asked = Instant::now();
    let mut count = 0;
    while count < roster.len() as u64 && asked.elapsed() < ALARM {
        std::thread::sleep(Duration::from_millis(100));
        count = counted(&chaff.incidents());
    }
    let events = chaff.events();
    let his = events.iter().filter(|event| event["source"]["ip"] == *intruder && event["kind"] != "arp.request");
    let told: BTreeSet<_> = his.filter_map(|event| event["decoy"]["ip"].as_str()).collect();
    let mute: Vec<_> = roster.iter().filter(|decoy| !told.contains(decoy.ip.to_string().as_str())).collect();
    assert!(mute.is_empty(), "{} of {} have told nothing: {mute:?}", mute.len(), roster.len());
    assert_eq!(count, roster.len() as u64, "decoys that the intruder's incident counts");
    println!("all {count} have alarmed, {:.1} s after the first of them was touched", begun.elapsed().as_secs_f64());
}

/// Asks each for the greeting of its SSH server; those that say none.
fn touch(roster: &[RosterLine]) -> Vec<Ipv4Addr> {
    let greets = |ip: Ipv4Addr| {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((ip, 22)), TOUCH).ok()?;
        stream.set_read_timeout(Some(TOUCH)).ok()?;
        let mut greeting = [0; 8];
        stream.read_exact(&mut greeting).ok()?;
        (greeting == *b"SSH-2.0-").then_some(())
    };
    let silent = |share: &[RosterLine]| -> Vec<Ipv4Addr> {
        share.iter().map(|decoy| decoy.ip).filter(|&ip| greets(ip).is_none()).collect()
    };
    std::thread::scope(|scope| {
        let share = roster.len().div_ceil(INTRUDERS).max(1);
        let clients: Vec<_> = roster.chunks(share).map(|share| scope.spawn(move || silent(share))).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    })
}

/// Asks each that has not answered, again and again; when each answered.
fn answers(network: &Network, chaff: &Chaff, targets: &[Ipv4Addr], begun: Instant) -> BTreeMap<Ipv4Addr, Duration> {
    let socket = PacketSocket::open(&network.atk, "atk0").unwrap_or_else(|error| panic!("no packet socket: {error}"));
    let mut answered = BTreeMap::new();
    let limit = PATIENCE_EACH * u32::try_from(targets.len()).unwrap_or(u32::MAX).max(10);
    let mut buffer = [0; 2048];
    while answered.len() < targets.len() {
        assert!(begun.elapsed() < limit, "{} answered in {limit:?}: {}", answered.len(), chaff.log());
        for ip in targets.iter().filter(|ip| !answered.contains_key(*ip)).take(64).collect::<Vec<_>>() {
            let question = neighbour::question(WATCHER, *ip);
            // What is not sent now is sent with the next question.
            let _ = socket.send(&question);
        }
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_millis(20) {
            let Ok(Some(length)) = socket.receive(&mut buffer, Duration::from_millis(5)) else { continue };
            if let Some((_, ip)) = neighbour::answered(&buffer[..length], WATCHER.0) {
                answered.entry(ip).or_insert_with(|| begun.elapsed());
            }
        }
    }
    answered
}

/// What `chaff node list --json` prints.
fn list(binary: &Path, folder: &Path) -> Vec<Value> {
    let mut command = Command::new(binary);
    command.args(["node", "list", "--json", "--state"]).arg(folder.join("state"));
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()));
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn config(count: u32) -> String {
    let last = Ipv4Addr::from_bits(FIRST.to_bits() + count - 1);
    let image = std::env::var_os("CHAFF_NODE_IMAGE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/chaff-node.elf"), PathBuf::from);
    format!(
        "[[network]]\nname = \"bench\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"{FIRST}-{last}\"]\nruntime = \"node\"\n\
         [node]\nimage = \"{}\"\n",
        image.display()
    )
}
