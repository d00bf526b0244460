//! The ordinary life of a LAN raises nothing: real avahi, dnsmasq with clients, lldpd and nmbd beside the decoys.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};

use chaff_lab::{Namespace, PacketSocket};
use chaff_testkit::{
    neighbourhood::{Daemon, Kind},
    network::{DECOY_INTERFACE, Network, alone, run_any},
    office,
    process::Chaff,
};
use serde_json::Value;

const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.1-10.20.0.200"]
"#
);

#[test]
fn a_minute_of_lan_life_raises_nothing() {
    alone("noise::a_minute_of_lan_life_raises_nothing", || live(Duration::from_secs(60)));
}

#[test]
#[ignore = "soak: ten minutes"]
fn soak_ten_minutes_of_lan_life_raise_nothing() {
    alone("noise::soak_ten_minutes_of_lan_life_raise_nothing", || live(Duration::from_secs(600)));
}

fn live(time: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new();
    let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), CONFIG);
    let hosts = [
        ("gate0", [10, 0, 0, 1], Kind::DhcpServer),
        ("pc0", [10, 0, 0, 50], Kind::DhcpClient),
        ("pc1", [10, 0, 0, 51], Kind::DhcpClient),
        ("desk0", [10, 0, 0, 52], Kind::Mdns),
        ("desk1", [10, 0, 0, 53], Kind::Mdns),
        ("filer0", [10, 0, 0, 54], Kind::Netbios),
    ];
    let hosts: Vec<(&str, Namespace, Kind)> =
        hosts.map(|(name, ip, kind)| (name, network.host(name, Ipv4Addr::from(ip)), kind)).into();
    let heard = PacketSocket::open(&network.dut, DECOY_INTERFACE).unwrap();
    let mut daemons: Vec<Daemon> = hosts.iter().map(|(name, host, kind)| Daemon::start(host, name, *kind)).collect();
    // A bridge does not pass LLDP on, so the switch itself speaks it on the decoys' port.
    daemons.push(Daemon::start(&network.net, &format!("{DECOY_INTERFACE}-p"), Kind::Lldp));
    let protocols = listen(&heard, time, || {
        // Real hosts look for each other and for the router.
        let _ = run_any(&network.atk, 5, "ping", &["-n", "-c", "1", "10.0.0.1"]);
        let _ = run_any(&network.twin, 5, "ping", &["-n", "-c", "1", "10.0.0.54"]);
    });
    println!("heard: {protocols:?}");
    assert!(daemons.iter_mut().all(Daemon::is_alive), "a daemon ended early");
    for (protocol, least) in [("arp", 5), ("dhcp", 4), ("mdns", 4), ("lldp", 5), ("netbios", 4)] {
        assert!(protocols.get(protocol).is_some_and(|n| *n >= least), "too little {protocol}: {protocols:?}");
    }
    assert_eq!(chaff.incidents(), Vec::<Value>::new());
}

/// Counts what arrives at the decoys' interface, and does `now_and_then` every few seconds.
fn listen(socket: &PacketSocket, time: Duration, now_and_then: impl Fn()) -> BTreeMap<&'static str, u32> {
    let begun = Instant::now();
    let mut last = begun;
    let mut counts = BTreeMap::new();
    let mut buffer = [0; 2048];
    while begun.elapsed() < time {
        if let Ok(Some(length)) = socket.receive(&mut buffer, Duration::from_millis(100)) {
            *counts.entry(protocol(&buffer[..length])).or_default() += 1;
        }
        if last.elapsed() > Duration::from_secs(10) {
            last = Instant::now();
            now_and_then();
        }
    }
    counts
}

fn protocol(frame: &[u8]) -> &'static str {
    match (frame.get(12..14), frame.get(36..38)) {
        (Some([8, 6]), _) => "arp",
        (Some([0x88, 0xcc]), _) => "lldp",
        (Some([8, 0]), Some([0, 67 | 68])) => "dhcp",
        (Some([8, 0]), Some([0x14, 0xe9])) => "mdns",
        (Some([8, 0]), Some([0, 137 | 138])) => "netbios",
        _ => "other",
    }
}
