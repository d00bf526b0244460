//! Decoys with a virtual machine each, in a real QEMU, beside decoys that share a worker.

#[path = "nodes/alike.rs"]
mod alike;
#[path = "nodes/clients.rs"]
mod clients;
#[path = "nodes/storm.rs"]
mod storm;
#[path = "../../services/tests/table/mod.rs"]
mod table;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use chaff_lab::PacketSocket;
use chaff_testkit::{
    battery, image,
    network::{Network, alone, run, run_any},
    office,
    process::Chaff,
};
use chaff_wire::{Mac, ethernet, ipv4, tcp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use storm::Length;

/// Four machines, and four decoys of a worker, which are the same but for who they are: servers, and a printer of each.
fn config() -> String {
    let ports = alike::ports();
    let head = office!(
        "
[chaff]
packets_per_second = 0

[node]
accel = \"tcg\"
"
    );
    let group = |addresses: &str, runtime: &str| {
        format!(
            "[[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"{addresses}\"]\nruntime = \"{runtime}\"\n\
             coherent = false\nports = {ports}\n"
        )
    };
    let printer = |address: &str, runtime: &str| {
        format!(
            "[[network.decoys]]\nprofile = \"hp-officejet\"\naddresses = [\"{address}\"]\nruntime = \"{runtime}\"\n\
             ports = {{ \"8081/tcp\" = \"jetdirect-web\" }}\nserial = \"CN{runtime}\"\n"
        )
    };
    let groups = [
        group("10.20.0.11-10.20.0.13", "shared"),
        group("10.20.0.21-10.20.0.23", "node"),
        printer("10.20.0.14", "shared"),
        printer("10.20.0.24", "node"),
    ]
    .concat();
    format!("{head}image = \"{}\"\n{groups}", image::with_holes().display())
}

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

/// A decoy of the worker, and one with a machine.
const SHARED: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 11);
const OWN: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 22);

/// The same of the printers.
const PRINTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 20, 0, 14), Ipv4Addr::new(10, 20, 0, 24)];

/// What real clients see of them.
fn compare_clients(network: &Network, chaff: &Chaff) {
    let roster = chaff.roster();
    let pair = |ips: [Ipv4Addr; 2]| ips.map(|ip| roster.iter().find(|decoy| decoy.ip == ip).expect("a decoy"));
    clients::compare(&network.atk, pair([SHARED, OWN]), pair(PRINTERS));
    for (ip, serial) in PRINTERS.into_iter().zip(["CNshared", "CNnode"]) {
        let page = run(&network.atk, 60, "curl", &["-s", "-m", "30", &format!("http://{ip}:8081/")]);
        assert!(page.contains(&format!("Serial Number:         {serial}\n")), "{page}");
    }
}

/// All eight, up.
fn start(network: &Network, folder: &Path) -> Chaff {
    battery::servers::write_services(folder).unwrap();
    let chaff = Chaff::start(binary(), network, folder, &config());
    wait_until("the start of four machines", || {
        let nodes = nodes(folder);
        nodes.len() == 4 && nodes.iter().all(|node| node["state"] == "up")
    });
    chaff
}

#[test]
#[ignore = "soak: the whole battery, the whole table, nmap's -O and -sV; some minutes"]
fn soak_a_machine_answers_as_a_decoy_of_a_worker_does() {
    alone("soak_a_machine_answers_as_a_decoy_of_a_worker_does", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = start(&network, folder.path());
        chaff.hurry();
        compare_clients(&network, &chaff);
        alike::compare(&network, SHARED, OWN, alike::Extent::Whole, || begin_anew(folder.path()));
    });
}

/// Starts the machine of [`OWN`] again, as an operator does, and waits for it.
fn begin_anew(folder: &Path) {
    let machine = || nodes(folder).into_iter().find(|node| node["ip"] == OWN.to_string()).expect("a machine");
    let before = machine();
    let mut command = std::process::Command::new(binary());
    command.args(["node", "restart", &OWN.to_string(), "--state"]).arg(folder.join("state"));
    assert!(command.status().expect("chaff node").success());
    wait_until("a machine that was started again", || {
        let now = machine();
        now["state"] == "up" && now["pid"] != before["pid"]
    });
}

/// How long mutated frames come in the ordinary run, and words of machines: a minute together.
const SAMPLE: Length = Length::Time(Duration::from_secs(30));

/// `cargo xtask storm`: as many as `CHAFF_FRAMES` says.
#[test]
#[ignore = "soak: ten million frames and words take long; `cargo xtask storm`"]
fn storm_of_mutated_frames_and_words() {
    alone("storm_of_mutated_frames_and_words", || {
        let count = std::env::var("CHAFF_FRAMES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000_000);
        let network = Network::new();
        let folder = tempfile::tempdir().unwrap();
        let chaff = start(&network, folder.path());
        storm::frames(&network, &chaff, folder.path(), OWN, Length::Count(count));
        drop(chaff);
        storm::words_of_machines(&network, tempfile::tempdir().unwrap().path(), Length::Count(count));
    });
}

#[test]
fn whatever_machines_say_the_node_host_goes_on() {
    alone("whatever_machines_say_the_node_host_goes_on", || {
        storm::words_of_machines(&Network::new(), tempfile::tempdir().unwrap().path(), SAMPLE);
    });
}

/// Somebody asks one in the name of the other, as an idle scan does. Whoever is asked answers the other, who has asked for
/// nothing and says so: all of it happens inside the sensor, and looks like two hosts.
fn they_hear_each_other(network: &Network, chaff: &Chaff) {
    let roster = chaff.roster();
    let card = |ip| roster.iter().find(|line| line.ip == ip).map(|line| line.mac).expect("a decoy");
    let socket = PacketSocket::open(&network.atk, "atk0").unwrap();
    let told = |events: &[Value], decoy: Ipv4Addr, source: Ipv4Addr| {
        events.iter().any(|event| {
            event["decoy"]["ip"] == decoy.to_string()
                && event["source"]["ip"] == source.to_string()
                && event["source"]["mac"] == card(source).to_string()
        })
    };
    wait_until("a word between a decoy of a worker and a machine", || {
        for (asked, named) in [(SHARED, OWN), (OWN, SHARED)] {
            socket.send(&syn(named, (card(asked), asked))).unwrap();
        }
        std::thread::sleep(Duration::from_millis(200));
        let events = chaff.events();
        told(&events, OWN, SHARED) && told(&events, SHARED, OWN)
    });
}

/// A SYN in the name of another, from a card that is nobody's.
fn syn(source: Ipv4Addr, (mac, destination): (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut frame = Vec::new();
    let somebody = Mac([0x52, 0x54, 0, 0, 0x77, 0x77]);
    ethernet::Header { destination: mac, source: somebody, vlan: None, kind: ethernet::IPV4 }.emit(&mut frame);
    let (tos, id, df, mf, offset, ttl, protocol, options) = (0, 7, true, false, 0, 64, ipv4::TCP, &[][..]);
    let ip = ipv4::Header { tos, id, df, mf, offset, ttl, protocol, source, destination, options };
    let (flags, seq, ack, reserved, window, urgent) = (tcp::Flags::SYN, 1, 0, 0, 1024, 0);
    let tcp = tcp::Header { source: 40_001, destination: 22, seq, ack, reserved, flags, window, urgent, options };
    ip.emit(tcp.length(), &mut frame);
    tcp.emit(source, destination, &[], &mut frame);
    frame.resize(frame.len().max(ethernet::MIN_FRAME), 0);
    frame
}

/// A sender on this machine leaves the cutting to its card, so that many segments arrive as one frame.
fn what_the_kernel_merged_comes_whole(network: &Network, folder: &Path) {
    // From here on the attacker's card, and the switch's port to the decoys, leave the cutting to others.
    for (namespace, name) in [(&network.atk, "atk0"), (&network.net, "dut0-p")] {
        run(namespace, 5, "ethtool", &["-K", name, "tx", "on", "sg", "on", "tso", "on", "gso", "on"]);
    }
    let seen = PacketSocket::open(&network.dut, "dut0").unwrap();
    let lost = || nodes(folder).iter().filter_map(|node| node["lost"].as_u64()).sum::<u64>();
    let before = lost();
    let said: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
    let talk = || {
        let mut stream = TcpStream::connect((OWN, 7)).unwrap();
        let mut listening = stream.try_clone().unwrap();
        let hearing = std::thread::spawn(move || {
            let mut heard = vec![0; 60_000];
            listening.set_read_timeout(Some(PATIENCE)).unwrap();
            listening.read_exact(&mut heard).map(|()| heard)
        });
        stream.write_all(&said).unwrap();
        hearing.join().unwrap().unwrap()
    };
    assert!(network.atk.enter(talk).unwrap() == said, "what was said comes back");
    let (mut buffer, mut longest) = ([0; 2048], 0);
    while let Some(length) = seen.receive(&mut buffer, Duration::ZERO).unwrap() {
        longest = longest.max(length);
    }
    assert!(longest > 1_518, "nothing was merged here: the longest frame had {longest} octets");
    assert_eq!(lost(), before, "frames that no machine could take");
}

#[test]
fn machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker() {
    alone("machines_answer_alarm_and_are_mended_beside_decoys_of_a_worker", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = start(&network, folder.path());
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

        compare_clients(&network, &chaff);
        alike::compare(&network, SHARED, OWN, alike::Extent::Sample, || begin_anew(folder.path()));
        they_hear_each_other(&network, &chaff);
        what_the_kernel_merged_comes_whole(&network, folder.path());
        storm::frames(&network, &chaff, folder.path(), OWN, SAMPLE);

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
        // Those of the node host, which it inherits, and its own.
        let host = number(&status, "PPid:");
        let of_host = fs::read_to_string(format!("/proc/{host}/status")).unwrap();
        let [own, inherited] = [&status, &of_host].map(|status| number(status, "Seccomp_filters:"));
        assert!(inherited > 0 && own > inherited, "{own} filters, {inherited} of the node host");
    });
}

/// A field of `/proc/PID/status`.
fn number(status: &str, field: &str) -> u32 {
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in {status}"))
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
