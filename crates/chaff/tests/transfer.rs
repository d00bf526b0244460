//! Octets through the built-in `echo`, there and back, over a link that loses, reorders and doubles frames.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use chaff_lab::{Namespace, veth};
use chaff_testkit::{
    chance::Chance,
    forwarder::Forwarder,
    link::Impairment,
    load::{self, Target},
    network::{ATTACKER, Network, TWIN, alone},
    office,
    process::Chaff,
    seed,
};

const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.10"]
ports     = { "7/tcp" = "echo", "22/tcp" = "open" }
"#
);

const DECOY: &str = "10.20.0.10:7";
/// Data in one piece of a transfer; the pieces travel one after another over one connection.
const MEGABYTE: usize = 1_000_000;

fn start(network: &Network, folder: &Path) -> Chaff {
    Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), network, folder, CONFIG)
}

#[test]
fn ten_megabytes_arrive_intact_over_a_rough_link() {
    alone("ten_megabytes_arrive_intact_over_a_rough_link", || transfer(10, Duration::from_secs(240)));
}

#[test]
#[ignore = "soak: minutes"]
fn soak_a_hundred_megabytes_arrive_intact_over_a_rough_link() {
    alone("soak_a_hundred_megabytes_arrive_intact_over_a_rough_link", || transfer(100, Duration::from_secs(3000)));
}

fn transfer(megabytes: usize, limit: Duration) {
    let seed = seed(0xc4af);
    println!("seed {seed}: CHAFF_SEED={seed} repeats the link's decisions");
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new();
    let _chaff = start(&network, folder.path());
    let middle = Namespace::new().unwrap();
    let client = Namespace::new().unwrap();
    network.plug(&middle, "left", None).unwrap();
    veth(&client, "client0", &middle, "right").unwrap();
    client.disable_ipv6().unwrap();
    client.link("client0").address("10.0.0.8/8").unwrap();
    let forwarder = Forwarder::start(&middle, "left", "right", Impairment::ROUGH, seed).unwrap();
    let begun = Instant::now();
    client.enter(|| echo(seed, megabytes * MEGABYTE, limit)).unwrap();
    println!("{megabytes} MB both ways in {:?}; {:?}", begun.elapsed(), forwarder.stop());
}

/// Sends and reads at once, as two threads, and compares.
fn echo(seed: u64, octets: usize, limit: Duration) {
    let stream = TcpStream::connect_timeout(&DECOY.parse().unwrap(), Duration::from_secs(30)).unwrap();
    stream.set_read_timeout(Some(limit)).unwrap();
    stream.set_write_timeout(Some(limit)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let mut chance = Chance::new(seed);
        let mut left = octets;
        while left > 0 {
            let part = chance.octets(left.min(MEGABYTE));
            writer.write_all(&part).unwrap();
            left -= part.len();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let (mut reader, mut chance, mut got) = (stream, Chance::new(seed), 0);
    while got < octets {
        let wanted = chance.octets((octets - got).min(MEGABYTE));
        let mut part = vec![0; wanted.len()];
        reader.read_exact(&mut part).unwrap_or_else(|error| panic!("after {got} octets: {error}"));
        assert!(part == wanted, "what came back is not what was sent, between octets {got} and {}", got + part.len());
        got += part.len();
    }
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "more came back than was sent");
    sender.join().unwrap();
}

#[test]
fn many_connections_at_once_do_not_mix() {
    alone("many_connections_at_once_do_not_mix", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let _chaff = start(&network, folder.path());
        let connect_all = || {
            let clients: Vec<_> = (0..50_u64).map(|n| std::thread::spawn(move || echo(n, 20_000, LIMIT))).collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
        };
        const LIMIT: Duration = Duration::from_secs(30);
        // Threads inherit the namespace of the one that starts them.
        network.atk.enter(connect_all).unwrap();
    });
}

/// A loose check: the figure itself is `cargo xtask bench`'s. A timer grid of a millisecond would show here as well.
#[test]
fn an_echo_comes_back_about_as_fast_as_a_kernels() {
    alone("an_echo_comes_back_about_as_fast_as_a_kernels", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = start(&network, folder.path());
        let own = Target { mac: chaff_wire::Mac(network.atk.link("atk0").mac().unwrap()), ip: ATTACKER };
        let twin = Target { mac: chaff_wire::Mac(network.twin.link("twin0").mac().unwrap()), ip: TWIN };
        let roster = chaff.roster();
        let decoy = Target { mac: roster[0].mac, ip: roster[0].ip };
        let median = |target| {
            let trips = load::round_trips((&network.atk, "atk0"), (load::Kind::Echo, 0), own, target, 500, 1).unwrap();
            let micros: Vec<f64> = trips.iter().flatten().map(|trip| trip.as_secs_f64() * 1e6).collect();
            assert!(micros.len() >= 495, "{} of 500 echoes answered", micros.len());
            load::median(&micros)
        };
        let (kernel, ours) = (median(twin), median(decoy));
        println!("median echo round trip: kernel {kernel:.1} µs, decoy {ours:.1} µs");
        assert!(ours < 500.0, "{ours:.1} µs: a timer grid");
    });
}
