//! Mutated frames to a machine, and mutated words of machines to the node host: nothing hangs, nothing that ends stays
//! ended, nothing grows.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chaff_lab::PacketSocket;
use chaff_testkit::{
    chance::Chance,
    neighbour,
    network::Network,
    office,
    process::{Chaff, memory_kib},
};
use chaff_unikernel::{
    console::{ToHost, encode},
    module::VERSION,
};
use chaff_wire::{Mac, arp, checksum::Checksum, ethernet, ipv4, tcp};
use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, binary, nodes, wait_until};

/// Frames between two questions whether it is still there: fewer than wait on the way to a machine, so that it gets all.
const BURST: u64 = 64;
/// Bursts between two real connections, whose request is mutated.
const CONNECT_EVERY: u64 = 64;
/// How long a connection may take: where the table of handshakes is full of mutated ones, a SYN is lost.
const CONNECT: Duration = Duration::from_millis(50);
/// A machine that says nothing for so long hangs. One that had ended would be back by then, and is found out as well.
const SILENCE: Duration = Duration::from_secs(30);
/// How soon a question is asked again: it may be lost behind a burst, as any frame.
const AGAIN: Duration = Duration::from_millis(50);
/// The part of the storm after which memory is measured for the first time.
const WARM: f64 = 0.1;
/// What the emulator and the node host may grow by between that and its end, in KiB: pages of the machine
/// that were not touched before, buffers of the allocator. A leak of an octet for each frame would be more after ten million.
const GROWTH_KIB: u64 = 6 * 1024;
/// How long a storm lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// So many frames, or words.
    Count(u64),
    Time(Duration),
}

impl Length {
    /// The part of it that is over, of 1.
    fn over(self, done: u64, begun: Instant) -> f64 {
        match self {
            Self::Count(count) => done as f64 / count as f64,
            Self::Time(time) => begun.elapsed().as_secs_f64() / time.as_secs_f64(),
        }
    }
}

/// The asker, who is no attacker: his card and address.
const ASKER: (Mac, Ipv4Addr) = (Mac([0x52, 0x54, 0, 0, 0x66, 6]), Ipv4Addr::new(10, 0, 0, 66));

/// Sends mutated frames to the machine at `ip`.
pub(crate) fn frames(network: &Network, chaff: &Chaff, folder: &Path, ip: Ipv4Addr, length: Length) {
    let seed = chaff_testkit::seed(97);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let mac = chaff.roster().iter().find(|line| line.ip == ip).map(|line| line.mac).expect("a decoy");
    let socket = PacketSocket::open(&network.atk, "atk0").unwrap();
    let machine = || nodes(folder).into_iter().find(|node| node["ip"] == ip.to_string()).expect("a machine");
    let before = machine();
    let process = before["pid"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("a process");
    let host = node_host(chaff);
    let memory =
        || [process, host].map(|id| memory_kib(id).unwrap_or_else(|| panic!("one of them has ended: {}", chaff.log())));
    let (begun, mut sent, mut bursts, mut warm, mut slowest) = (Instant::now(), 0, 0, None, Duration::ZERO);
    while length.over(sent, begun) < 1.0 {
        for _ in 0..BURST {
            let frame = mutated(&mut chance, (mac, ip));
            // A frame that the sender's own card refuses is none.
            let _ = socket.send(&frame);
            sent += 1;
        }
        slowest = slowest.max(answers(&socket, ip));
        bursts += 1;
        if bursts % CONNECT_EVERY == 0 {
            network.atk.enter(|| converse(ip, &mut chance)).unwrap();
        }
        if warm.is_none() && length.over(sent, begun) >= WARM {
            warm = Some(memory());
        }
    }
    let (warm, end, after) = (warm.unwrap_or_else(memory), memory(), machine());
    let rate = sent as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{sent} frames, {rate:.0} a second, slowest answer {slowest:?}; emulator and node host: {warm:?} to {end:?} KiB"
    );
    assert_eq!(after["pid"], before["pid"], "the machine ended: {}", console(folder, &ip.to_string()));
    assert_eq!((&after["forged"], &after["restarts"]), (&before["forged"], &before["restarts"]));
    for (warm, end) in warm.into_iter().zip(end) {
        assert!(end <= warm + GROWTH_KIB, "{warm} to {end} KiB");
    }
}

/// Asks until the decoy answers; says how long that took.
fn answers(socket: &PacketSocket, ip: Ipv4Addr) -> Duration {
    let question = neighbour::question(ASKER, ip);
    let begun = Instant::now();
    let mut buffer = [0; 2048];
    while begun.elapsed() < SILENCE {
        socket.send(&question).unwrap();
        let asked = Instant::now();
        while asked.elapsed() < AGAIN {
            let Some(length) = socket.receive(&mut buffer, AGAIN).unwrap() else { continue };
            if neighbour::answered(&buffer[..length], ASKER.0).is_some_and(|who| who.1 == ip) {
                return begun.elapsed();
            }
        }
    }
    panic!("{ip} has said nothing for {SILENCE:?}");
}

/// A real connection with a request that chance has spoiled.
fn converse(ip: Ipv4Addr, chance: &mut Chance) {
    let (port, said): (u16, &[u8]) = match chance.below(3) {
        0 => (22, b"SSH-2.0-OpenSSH_9.2p1\r\n\0\0\0\x2c\x06\x140123456789abcdef\0\0\0\0\0\0\0\0"),
        1 => (80, b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n"),
        _ => (7, b"echo"),
    };
    let mut said = said.to_vec();
    spoil(chance, &mut said);
    // What becomes of it is not looked at: whether the machine is there is asked by others.
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::from((ip, port)), CONNECT) else {
        return;
    };
    let _ = stream.write_all(&said);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(2)));
    let _ = stream.read(&mut [0; 4096]);
}

/// A frame that could be one, with something wrong in it.
fn mutated(chance: &mut Chance, (mac, ip): (Mac, Ipv4Addr)) -> Vec<u8> {
    let source_ip = match chance.below(4) {
        0 => ASKER.1,
        1 => Ipv4Addr::new(10, 0, 0, 77),
        2 => Ipv4Addr::new(10, 9, chance.octet(), chance.octet()),
        _ => Ipv4Addr::from_bits(u32::try_from(chance.below(1 << 32)).expect("below")),
    };
    let destination = if chance.below(16) == 0 { Mac::BROADCAST } else { mac };
    let source = Mac([0x52, 0x54, 0, 0x66, chance.octet(), chance.octet()]);
    let protocol = match chance.below(10) {
        0 => None,
        1 | 2 => Some(1),
        3 => Some(17),
        4 => Some(chance.octet()),
        _ => Some(ipv4::TCP),
    };
    let mut frame = Vec::new();
    let kind = if protocol.is_some() { ethernet::IPV4 } else { ethernet::ARP };
    ethernet::Header { destination, source, vlan: None, kind }.emit(&mut frame);
    let Some(protocol) = protocol else {
        let operation = u16::try_from(chance.below(4)).expect("small");
        arp::Packet::new(operation, (source, source_ip), (mac, ip)).emit(&mut frame);
        spoil(chance, &mut frame);
        return frame;
    };
    let payload = transport(chance, protocol, source_ip, ip);
    let (mf, offset) = match chance.below(12) {
        0 => (true, 0),
        1 => (chance.below(2) == 0, chance.index(8_000) * 8),
        _ => (false, 0),
    };
    let options: Vec<u8> = (0..chance.below(12) / 9 * chance.below(10) * 4).map(|_| chance.octet()).collect();
    let (tos, id, ttl) = (chance.octet(), u16::from(chance.octet()), chance.octet());
    let df = chance.below(2) == 0;
    let header =
        ipv4::Header { tos, id, df, mf, offset, ttl, protocol, source: source_ip, destination: ip, options: &options };
    header.emit(payload.len(), &mut frame);
    frame.extend(payload);
    if chance.below(4) == 0 {
        spoil(chance, &mut frame);
    }
    frame.truncate(1_514);
    frame
}

/// What the datagram carries; its sum holds most of the time, or nobody would look at the rest.
fn transport(chance: &mut Chance, protocol: u8, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let length = if chance.below(8) == 0 { chance.index(1_400) } else { chance.index(40) };
    let payload: Vec<u8> = (0..length).map(|_| chance.octet()).collect();
    let port = [7, 9, 11, 17, 19, 22, 80, 81, 443][chance.index(9)];
    match protocol {
        ipv4::TCP => {
            let options: Vec<u8> = (0..chance.below(11) * 4).map(|_| chance.octet()).collect();
            let flags = if chance.below(3) == 0 { tcp::Flags::SYN } else { tcp::Flags(chance.octet()) };
            let header = tcp::Header {
                source: 1024 + u16::from(chance.octet()),
                destination: port,
                seq: u32::from(chance.octet()) << 24,
                ack: u32::from(chance.octet()) << 24,
                reserved: chance.octet() & 15,
                flags,
                window: u16::from(chance.octet()) << 8,
                urgent: u16::from(chance.octet()),
                options: &options,
            };
            let mut segment = Vec::new();
            header.emit(source, destination, &payload, &mut segment);
            if chance.below(4) == 0 {
                // A data offset that does not fit, with a sum that does.
                segment[12] = chance.octet();
                fill(&mut segment, 16, Checksum::pseudo_header(source, destination, protocol, 0), true);
            }
            segment
        }
        17 => {
            let said = if chance.below(4) == 0 {
                chance.octet()
            } else {
                u8::try_from(8 + payload.len() % 248).expect("small")
            };
            let mut datagram = [1024_u16.to_be_bytes(), port.to_be_bytes(), [0, said], [0; 2]].concat();
            datagram.extend(payload);
            fill(&mut datagram, 6, Checksum::pseudo_header(source, destination, protocol, 0), true);
            datagram
        }
        1 => {
            let kind = [8, 8, 8, 13, 17, 3, 5, 11][chance.index(8)];
            let mut message = vec![kind, chance.octet() & 3, 0, 0, 0, 1, 0, chance.octet()];
            message.extend(payload);
            fill(&mut message, 2, Checksum::new(), false);
            message
        }
        _ => payload,
    }
}

/// Writes the sum of `octets` at `at`. `sum` is that of the addresses with a length of none.
fn fill(octets: &mut [u8], at: usize, sum: Checksum, with_length: bool) {
    octets[at..at + 2].fill(0);
    let length = if with_length { u16::try_from(octets.len()).expect("short") } else { 0 };
    let sum = sum.add(&length.to_be_bytes()).add(octets).finish();
    octets[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Changes, leaves out, puts in, repeats or cuts, in up to four places.
fn spoil(chance: &mut Chance, octets: &mut Vec<u8>) {
    for _ in 0..=chance.below(4) {
        let at = chance.index(octets.len());
        match chance.below(6) {
            0 if octets.len() > 1 => drop(octets.remove(at)),
            1 => octets.insert(at, chance.octet()),
            2 => octets.truncate(at.max(1)),
            3 => octets.extend_from_within(at..),
            _ if !octets.is_empty() => octets[at] = [chance.octet(), 0, 0xff, 0x7f][chance.index(4)],
            _ => {}
        }
    }
}

/// An emulator that is none: it says what it was given, in any order, on its console and on its card, and now and then
/// what ends it.
const EMULATOR: &str = r#"#!/usr/bin/python3
import os, re, sys, time
words = " ".join(sys.argv)
console = int(re.search(r"id=console,fd=(\d+)", words).group(1))
card = int(re.search(r"local.str=(\d+)", words).group(1))
os.set_blocking(console, True)
good = [bytes.fromhex(word) for word in "GOOD".split()]
bad = [bytes.fromhex(word) for word in "BAD".split()]
state, said, name = os.getpid(), 0, time.monotonic_ns()
def below(n):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % n
def say(octets):
    while octets:
        octets = octets[os.write(console, octets):]
say(good[0])
while True:
    say(b"".join(good[below(len(good))] for _ in range(50)))
    said += 50
    try:
        os.write(card, bad[below(len(bad))])
    except OSError:
        pass
    # A third of the words are lines of the console, of which the node host keeps two hundred: one of these is among them.
    if said % 250 == 0:
        print("said", name, said, flush=True)
    if below(4000) == 0:
        say(bad[below(len(bad))])
"#;

/// What a machine in wrong hands could say, as long as it wants to be listened to: all of it decodes, nothing is true.
fn words(chance: &mut Chance) -> Vec<Vec<u8>> {
    let text = |chance: &mut Chance| {
        let length = chance.index(chaff_unikernel::console::MAX_TEXT / 2);
        let octets: Vec<u8> = (0..length).map(|_| chance.octet()).collect();
        chaff_unikernel::console::cut(&String::from_utf8_lossy(&octets))
    };
    let mut words = vec![ToHost::Up { version: VERSION, run: 1, lost: 0 }];
    for _ in 0..60 {
        words.push(ToHost::Log { text: text(chance) });
        words.push(ToHost::Up { version: VERSION, run: chance.next_u64(), lost: chance.next_u64() });
        words.push(ToHost::Observations { first: chance.next_u64(), observations: Vec::new() });
    }
    words.iter().filter_map(encode).collect()
}

/// Words of two machines that are none, to the node host of a sensor of its own.
pub(crate) fn words_of_machines(network: &Network, folder: &Path, length: Length) {
    let mut chance = Chance::new(chaff_testkit::seed(98));
    let hex = |words: &[Vec<u8>]| {
        let hex = |word: &Vec<u8>| word.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        words.iter().map(hex).collect::<Vec<_>>().join(" ")
    };
    let good = words(&mut chance);
    let mut bad = good.clone();
    for word in &mut bad {
        spoil(&mut chance, word);
    }
    let (place, emulator) = (folder.join("emulator"), folder.join("emulator/emulator"));
    fs::create_dir_all(&place).unwrap();
    fs::write(&emulator, EMULATOR.replace("GOOD", &hex(&good)).replace("BAD", &hex(&bad))).unwrap();
    // The emulator is run by nobody.
    for path in [folder, &place, &emulator] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let image = chaff_testkit::image::with_holes().display();
    let config = format!(
        "{}image = \"{image}\"\nqemu = \"{}\"\n",
        office!(
            "
[[network.decoys]]
profile   = \"linux-server\"
addresses = [\"10.20.0.1\"]

[[network.decoys]]
profile   = \"linux-server\"
addresses = [\"10.20.0.41-10.20.0.42\"]
runtime   = \"node\"

[node]
accel = \"tcg\"
"
        ),
        emulator.display()
    );
    chaff_testkit::process::write_config(folder, &config);
    let chaff = Chaff::spawn(binary(), &network.dut, folder);
    wait_until("two that say they are machines", || {
        let nodes = fs::exists(folder.join("state/node.sock")).unwrap_or_default().then(|| nodes(folder));
        nodes.is_some_and(|nodes| nodes.len() == 2 && nodes.iter().all(|node| node["state"] == "up"))
    });
    let host = node_host(&chaff);
    let mut said: BTreeMap<String, u64> = BTreeMap::new();
    let (begun, mut warm, mut heard) = (Instant::now(), None, 0);
    let mut news = Instant::now();
    while length.over(heard, begun) < 1.0 {
        std::thread::sleep(Duration::from_millis(100));
        for name in ["10.20.0.41", "10.20.0.42"] {
            for line in console(folder, name).lines().filter_map(|line| line.strip_prefix("said ")) {
                if let Some((id, number)) = line.split_once(' ')
                    && let Ok(number) = number.parse()
                {
                    said.insert(id.to_owned(), number);
                }
            }
        }
        let sum = said.values().sum();
        if sum > heard {
            (heard, news) = (sum, Instant::now());
        }
        assert!(news.elapsed() < 2 * SILENCE, "the node host hears nothing any more: {}", chaff.log());
        if warm.is_none() && length.over(heard, begun) >= WARM {
            warm = memory_kib(host);
        }
    }
    let (warm, end) = (warm.unwrap_or_default(), memory_kib(host).expect("it runs"));
    println!("{heard} words in {:?}, of {} machines; node host: {warm} to {end} KiB", begun.elapsed(), said.len());
    assert_eq!(node_host(&chaff), host, "the node host goes on: {}", chaff.log());
    assert!(end <= warm + GROWTH_KIB, "{warm} to {end} KiB");
    // Whoever is ended is started again.
    let killed = nodes(folder).into_iter().find_map(|node| node["pid"].as_u64());
    if let Some(pid) = killed.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        // It may have ended by what it said a moment ago.
        let _ = kill_process(pid, Signal::KILL);
    }
    wait_until("the return of whoever was ended", || {
        let nodes = nodes(folder);
        nodes.iter().all(|node| node["pid"].as_u64() != killed || killed.is_none())
            && nodes.iter().any(|node| node["restarts"].as_u64() > Some(0))
    });
    let told = || chaff.events().iter().any(|event| event["kind"] == "node.misbehaved");
    wait_until("word of what they sent", told);
}

/// The process of a sensor that runs machines.
fn node_host(chaff: &Chaff) -> u32 {
    let is_host =
        |id: &u32| fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.contains("nodes-process"));
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(id) = chaff.processes().into_iter().find(is_host) {
            return id;
        }
        assert!(Instant::now() < end, "no node host: {}", chaff.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What `chaff node console` prints.
fn console(folder: &Path, name: &str) -> String {
    let output = Command::new(binary()).args(["node", "console", name, "--state"]).arg(folder.join("state")).output();
    String::from_utf8_lossy(&output.expect("chaff node").stdout).into_owned()
}
