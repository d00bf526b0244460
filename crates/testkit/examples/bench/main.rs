//! `cargo xtask bench`: our figures beside the kernel's, measured in one lab in one run. Every figure is the median of
//! several; the table says what was run.

mod doors;
mod nodes;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use chaff_lab::{Namespace, veth};
use chaff_testkit::{
    load::{self, Generator, Kind, Resident, Target, median},
    neighbour,
    network::{Network, run},
    process::{Chaff, RosterLine},
};
use chaff_wire::Mac;

/// Answered at least, of all frames, for a rate to count.
const SHARE: f64 = 0.99;
/// One try of a rate: shorter than the second after which a SYN-ACK is sent again.
const TRY_SECONDS: f64 = 0.8;
/// Halvings in the search for the highest rate.
const STEPS: u32 = 6;
/// Runs of which the median counts.
const RUNS: usize = 3;
/// Round trips measured.
const TRIPS: u32 = 2000;
/// Decoys of the fleet that rates are measured on.
const SIXTEEN: u32 = 65_534;
/// The largest fleet that is measured.
const MILLION: u32 = 1_000_000;
/// Port that decoys and the kernel listen on.
const PORT: u16 = 80;
/// Where the load comes from; the attacker's own address, so that its kernel answers SYN-ACKs with RST.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
/// An address that nobody has: no RST comes back.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
/// Processor of the load.
const LOAD_CPU: usize = 1;
/// Processor of what answers, as taskset(1) and the kernel's receive steering name it.
const ANSWER_CPU: &str = "0";

/// Measures a part of the table, with this binary.
type Measure = fn(&Path);

/// The parts of the table by their names on the command line.
const PARTS: [(&str, Measure); 6] = [
    ("memory", memory_and_start),
    ("rates", rates),
    ("latency", latency),
    ("alarm", alarm),
    ("instructions", |_| instructions()),
    ("doors", doors::doors),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let [part, rest @ ..] = &wanted[..]
        && part == "nodes"
    {
        let number = rest.first().map_or(Ok(nodes::NODES), |word| word.parse());
        match (number, rest.len()) {
            (Ok(number), 0 | 1) if (1..=nodes::MOST).contains(&number) => nodes::measure(&binary(), number),
            _ => {
                eprintln!("usage: bench nodes [N], of 1 to {}", nodes::MOST);
                std::process::exit(2);
            }
        }
        return;
    }
    if let Some(unknown) = wanted.iter().find(|word| PARTS.iter().all(|(name, _)| name != word)) {
        let names = PARTS.map(|(name, _)| name).join(", ");
        eprintln!("no part of the bench is named {unknown:?}; there are {names}");
        std::process::exit(2);
    }
    let binary = binary();
    println!("chaff bench: {} processors, {}", processors(), kernel());
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure(&binary);
        }
    }
}

fn row(name: &str, ours: &str, kernel: &str, ratio: &str) {
    println!("| {name:<52} | {ours:>16} | {kernel:>12} | {ratio:>6} |");
}

fn heading(text: &str, command: &str) {
    println!("\n{text}\n    {command}");
    row("", "chaff", "peer", "ratio");
}

fn memory_and_start(binary: &Path) {
    heading("Memory (PSS of all processes, at rest) and time from start to first answer", "chaff run -c FLEET.toml");
    for count in [1, 1_000, SIXTEEN, MILLION] {
        let (mut memory, mut start) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let network = Network::new();
            let chaff = Chaff::start(binary, &network, folder.path(), &config(count));
            start.push(chaff.started_in.as_secs_f64() * 1e3);
            std::thread::sleep(Duration::from_millis(500));
            memory.push(chaff.memory_kib() as f64 / 1024.0);
        }
        row(&format!("{count} decoys: memory"), &format!("{:.1} MiB", median(&memory)), "", "");
        row(&format!("{count} decoys: start"), &format!("{:.0} ms", median(&start)), "", "");
    }
}

/// Two ends of one cable: the load in `atk`, what answers in `dut`. No switch between, which would be measured as well.
struct Bench {
    atk: Namespace,
    dut: Namespace,
}

impl Bench {
    fn new() -> Self {
        let make = || {
            let (atk, dut) = (Namespace::new()?, Namespace::new()?);
            atk.disable_ipv6()?;
            dut.disable_ipv6()?;
            veth(&atk, "atk0", &dut, "dut0")?;
            atk.link("atk0").address(&format!("{OWN}/8"))?;
            Ok::<_, chaff_lab::Error>(Self { atk, dut })
        };
        make().unwrap_or_else(|error| panic!("cannot make the lab: {error}"))
    }

    fn own(&self, ip: Ipv4Addr) -> Target {
        Target { mac: Mac(self.atk.link("atk0").mac().expect("atk0 is there")), ip }
    }

    /// The kernel answers for all of 10.20.0.0/16 and listens on the port.
    fn kernel_answers(&self) -> (std::process::Child, Vec<Target>) {
        let set = || {
            self.dut.link("dut0").address("10.0.0.6/8")?;
            let known = [OWN, NOBODY].map(|ip| (ip.into(), self.own(ip).mac.0));
            self.dut.link("dut0").neighbours(known)?;
            self.dut.sysctl("net.core.somaxconn", "65535")?;
            self.dut.sysctl("net.ipv4.tcp_max_syn_backlog", "65535")
        };
        set().unwrap_or_else(|error: chaff_lab::Error| panic!("cannot set up the kernel's side: {error}"));
        run(&self.dut, 5, "ip", &["route", "add", "local", "10.20.0.0/16", "dev", "lo"]);
        // The kernel's work goes to a processor of its own, as ours does; sysfs shows a namespace's own interfaces only
        // when it is mounted there.
        let steer = "mount -t sysfs none /sys && echo 1 > /sys/class/net/dut0/queues/rx-0/rps_cpus";
        run(&self.dut, 5, "unshare", &["--mount", "sh", "-c", steer]);
        let listen =
            format!("import socket,time;s=socket.socket();s.bind(('',{PORT}));s.listen(65535);time.sleep(3600)");
        let listener = self.dut.command("python3").args(["-c", &listen]).spawn().expect("python3 is installed");
        std::thread::sleep(Duration::from_millis(500));
        let mac = Mac(self.dut.link("dut0").mac().expect("dut0 is there"));
        let targets: Vec<_> = (1..SIXTEEN).map(|n| Target { mac, ip: Ipv4Addr::from_bits(0x0a14_0000 + n) }).collect();
        self.know(&targets);
        (listener, targets)
    }

    /// The load's kernel knows everybody's card. It sends a RST for each SYN-ACK, and its table of neighbours holds
    /// 1,024: beyond that each RST, and each answer to a decoy's own ARP question, would first search the whole table for
    /// an entry to throw out. That is work of the load's side, but on a veth it is done by the processor that answers.
    fn know(&self, targets: &[Target]) {
        let known = targets.iter().map(|target| (target.ip.into(), target.mac.0));
        self.atk.link("atk0").neighbours(known).unwrap_or_else(|error| panic!("cannot fix neighbours: {error}"));
    }
}

/// The fleet answers on a bench; the worker shares no processor with the load.
fn fleet_answers(binary: &Path, bench: &Bench, folder: &Path, count: u32) -> (Chaff, Vec<Target>) {
    fleet_of(binary, bench, folder, &config(count), count)
}

/// The same with a `chaff.toml` that tells of so many decoys.
fn fleet_of(binary: &Path, bench: &Bench, folder: &Path, config: &str, count: u32) -> (Chaff, Vec<Target>) {
    chaff_testkit::process::write_config(folder, config);
    let chaff = Chaff::spawn(binary, &bench.dut, folder);
    wait_for_answer(bench, count);
    for id in chaff.processes() {
        // Where this is refused, figures are less steady and no less true.
        let _ = Command::new("taskset").args(["-a", "-p", "-c", ANSWER_CPU, &id.to_string()]).output();
    }
    let target = |decoy: &RosterLine| Target { mac: decoy.mac, ip: decoy.ip };
    let targets: Vec<_> = chaff.roster().iter().map(target).collect();
    bench.know(&targets);
    (chaff, targets)
}

fn wait_for_answer(bench: &Bench, count: u32) {
    let last = Ipv4Addr::from_bits(first(count) + count - 1).to_string();
    for _ in 0..100 {
        let one = ["-n", "-q", "-c", "1", "-W", "1", &last];
        if chaff_testkit::network::run_any(&bench.atk, 5, "ping", &one).status.success() {
            return;
        }
    }
    panic!("the fleet does not answer at {last}");
}

fn rates(binary: &Path) {
    heading(
        &format!("Highest rate with at least {:.0} % answered, /s, one processor answering", SHARE * 100.0),
        "load: testkit's generator over one veth; kernel: ip route add local 10.20.0.0/16 dev lo, listen(65535)",
    );
    let bench = Bench::new();
    let (mut listener, targets) = bench.kernel_answers();
    let kernel: Vec<f64> = LOADS.iter().map(|load| measure(&bench, &targets, load)).collect();
    let _ = listener.kill();
    let _ = listener.wait();
    for count in [10, SIXTEEN, MILLION] {
        for (load, kernel) in LOADS.iter().zip(&kernel) {
            let bench = Bench::new();
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (_chaff, targets) = fleet_answers(binary, &bench, folder.path(), count);
            let ours = measure(&bench, &targets, load);
            let name = format!("{}, {count} decoys", load.name);
            row(&name, &thousands(ours), &thousands(*kernel), &format!("{:.2}", ours / kernel));
        }
    }
}

/// How fast the load asks for everybody before it begins: a pace at which no answer is lost.
const QUESTIONS_PER_SECOND: u64 = 40_000;

struct Load {
    name: &'static str,
    kind: Kind,
    source: Ipv4Addr,
}

const LOADS: [Load; 3] = [
    Load { name: "SYN, RST coming back", kind: Kind::Syn, source: OWN },
    Load { name: "SYN, no RST", kind: Kind::Syn, source: NOBODY },
    Load { name: "ICMP echo", kind: Kind::Echo, source: OWN },
];

fn measure(bench: &Bench, targets: &[Target], load: &Load) -> f64 {
    let (own, mut salt) = (bench.own(load.source), 0);
    let work = || {
        load::pin(LOAD_CPU.min(processors().saturating_sub(1)));
        let generator = Generator::open(&bench.atk, "atk0")?;
        let _resident = (load.source == NOBODY).then(|| Resident::at(&bench.atk, "atk0", own)).transpose()?;
        // Whoever sends to a host has asked for it before, and is known to it from then on.
        let questions: Vec<_> =
            targets.iter().map(|target| neighbour::question((own.mac, own.ip), target.ip)).collect();
        generator.run(load.kind, &questions, QUESTIONS_PER_SECOND)?;
        generator.search(load.kind, SHARE, STEPS, TRY_SECONDS, |count| {
            salt += 1;
            load::frames(load.kind, own, targets, PORT, count, salt)
        })
    };
    let outcome = std::thread::scope(|scope| scope.spawn(work).join().expect("the load does not panic"));
    let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error}", load.name));
    if outcome.share() < SHARE { 0.0 } else { outcome.rate() }
}

fn latency(binary: &Path) {
    heading(
        "Round trip, µs",
        "ping -c 500 -i 0.002; and one echo or SYN at a time, at moments off any grid, waited for by spinning",
    );
    let bench = Bench::new();
    let (mut listener, targets) = bench.kernel_answers();
    let kernel = trips(&bench, targets[0]);
    let _ = listener.kill();
    let _ = listener.wait();
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_chaff, targets) = fleet_answers(binary, &bench, folder.path(), 10);
    let ours = trips(&bench, targets[0]);
    let pair = |name: &str, ours: f64, kernel: f64| {
        row(name, &format!("{ours:.1}"), &format!("{kernel:.1}"), &format!("{:.2}", ours / kernel));
    };
    for ((name, ours), (_, kernel)) in ours.iter().zip(&kernel) {
        pair(&format!("{name}: median"), median(ours), median(kernel));
        pair(&format!("{name}: 99th percentile"), percentile(ours, 0.99), percentile(kernel, 0.99));
        // With a timer grid of a millisecond half of all round trips would take longer than half a millisecond.
        let late = |trips: &[f64]| trips.iter().filter(|trip| **trip > 500.0).count();
        let of = |trips: &[f64]| format!("{} of {}", late(trips), trips.len());
        row(&format!("{name}: longer than 500 µs (a timer grid)"), &of(ours), &of(kernel), "");
    }
}

/// Each way of asking, with the round trips that it found.
fn trips(bench: &Bench, target: Target) -> [(&'static str, Vec<f64>); 3] {
    [
        ("ping(8)", ping(bench, target.ip)),
        ("echo, spinning", spin(bench, Kind::Echo, target)),
        ("SYN, spinning", spin(bench, Kind::Syn, target)),
    ]
}

fn ping(bench: &Bench, to: Ipv4Addr) -> Vec<f64> {
    let out = run(&bench.atk, 60, "ping", &["-n", "-c", "500", "-i", "0.002", &to.to_string()]);
    let time = |line: &str| line.split("time=").nth(1)?.split(' ').next()?.parse::<f64>().ok();
    out.lines().filter_map(time).map(|milliseconds| milliseconds * 1e3).collect()
}

/// Asks from the load's processor: on the one that answers, the spinning itself would keep the answer from being made.
fn spin(bench: &Bench, kind: Kind, target: Target) -> Vec<f64> {
    let own = bench.own(OWN);
    let work = || {
        load::pin(LOAD_CPU.min(processors().saturating_sub(1)));
        load::round_trips((&bench.atk, "atk0"), (kind, PORT), own, target, TRIPS, 1)
    };
    let trips = std::thread::scope(|scope| scope.spawn(work).join().expect("the load does not panic"));
    trips.expect("the link is up").iter().flatten().map(|trip| trip.as_secs_f64() * 1e6).collect()
}

fn alarm(binary: &Path) {
    heading(
        "First alarm after the first packet, ms, 20 intruders",
        "one SYN from a new address each; chaff incidents --json, first_alarm_ms",
    );
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (chaff, targets) = fleet_answers(binary, &bench, folder.path(), 200);
    let generator = Generator::open(&bench.atk, "atk0").expect("atk0 is there");
    for n in 0..20 {
        let intruder = bench.own(Ipv4Addr::new(10, 0, 9, n));
        let frames = load::frames(Kind::Syn, intruder, &targets[..1], PORT, 1, u32::from(n));
        generator.run(Kind::Syn, &frames, 0).expect("the link is up");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(1));
    let alarms: Vec<f64> = chaff.incidents().iter().filter_map(|one| one["first_alarm_ms"].as_f64()).collect();
    row("incidents", &alarms.len().to_string(), "", "");
    row("median", &format!("{:.0}", median(&alarms)), "", "");
    row("longest", &format!("{:.0}", alarms.iter().copied().fold(0.0, f64::max)), "", "");
}

fn instructions() {
    heading(
        "The engine alone, a frame",
        "valgrind --tool=callgrind engine_load KIND DECOYS N: difference of two N; and a clock, without valgrind",
    );
    let (few, many) = (20_000, 60_000);
    for kind in ["syn", "closed", "echo", "arp"] {
        for decoys in [10, SIXTEEN, MILLION] {
            let count = (callgrind(kind, decoys, many) - callgrind(kind, decoys, few)) / f64::from(many - few);
            let times: Vec<f64> = (0..RUNS).map(|_| clock(kind, decoys)).collect();
            row(&format!("{kind}, {decoys} decoys: instructions"), &format!("{count:.0}"), "", "");
            row(&format!("{kind}, {decoys} decoys: ns"), &format!("{:.0}", median(&times)), "", "");
        }
    }
}

fn callgrind(kind: &str, decoys: u32, frames: u32) -> f64 {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=engine_load::drive*"])
        .arg(beside("examples/engine_load"));
    let output =
        command.args([kind, &decoys.to_string(), &frames.to_string()]).output().expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok());
    collected.unwrap_or_else(|| panic!("callgrind said: {text}"))
}

fn clock(kind: &str, decoys: u32) -> f64 {
    let mut command = Command::new(beside("examples/engine_load"));
    let output = command.args([kind, &decoys.to_string(), "500000"]).output().expect("engine_load is built");
    let text = String::from_utf8_lossy(&output.stdout);
    let each = text.rsplit(", ").next().and_then(|part| part.split(' ').next()?.parse().ok());
    each.unwrap_or_else(|| panic!("engine_load said: {text}"))
}

/// A fleet of `count` in one network.
fn config(count: u32) -> String {
    let (low, high) = (first(count), first(count) + count - 1);
    format!(
        "[[network]]\nname = \"bench\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"{}-{}\"]\nports = {{ \"{PORT}/tcp\" = \"open\" }}\n",
        Ipv4Addr::from_bits(low),
        Ipv4Addr::from_bits(high)
    )
}

/// The first address of a fleet of `count`.
fn first(count: u32) -> u32 {
    if count > SIXTEEN { 0x0a20_0000 } else { 0x0a14_0001 }
}

/// A program that was built with this one.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let folder = own.parent().and_then(Path::parent).expect("examples lie below the target directory");
    folder.join(name)
}

fn binary() -> PathBuf {
    let path = beside("chaff");
    assert!(path.exists(), "{} is not there: run this by `cargo xtask bench`", path.display());
    path
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64) * share) as usize;
    sorted.get(at).or_else(|| sorted.last()).copied().unwrap_or(f64::NAN)
}

fn thousands(rate: f64) -> String {
    format!("{:.0} k", rate / 1e3)
}
