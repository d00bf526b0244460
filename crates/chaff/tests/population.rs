//! Many decoys: a /16 on one interface, up at once, small, and every one found.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};

use chaff_testkit::{
    network::{FAR, Network, alone, run},
    process::Chaff,
};

/// 65,534 decoys: every host address of 10.20.0.0/16, inside a larger subnet so that others have room beside them.
const SIXTEEN: &str = r#"
[[network]]
name      = "campus"
interface = "dut0"
subnet    = "10.0.0.0/8"
gateway   = "10.0.0.1"

[[network.decoys]]
profile   = "linux-server"
addresses = ["10.20.0.1-10.20.255.254"]
"#;

/// 900 decoys: below the 1,024 entries of a router's neighbour table.
const NINE_HUNDRED: &str = r#"
[[network]]
name      = "branch"
interface = "dut0"
subnet    = "10.0.0.0/8"
gateway   = "10.0.0.1"

[[network.decoys]]
profile   = "linux-server"
addresses = ["10.30.0.1-10.30.3.132"]
ports     = { "22/tcp" = "open" }
"#;

/// Neighbours that a scan of 900 through a router leaves room for, in a table of 1,024.
const NEIGHBOURS_OF_OTHERS: usize = 100;
/// The kernel forgets neighbours that nobody needs after a minute.
const NEIGHBOURS_PATIENCE: Duration = Duration::from_secs(120);
/// All processes together, rings included.
const MEMORY_LIMIT_KIB: u64 = 96 * 1024;
/// From the start of the process to the first answer.
const START_LIMIT: Duration = Duration::from_secs(1);
/// How much slower unoptimised code may be.
const DEBUG_FACTOR: u32 = if cfg!(debug_assertions) { 5 } else { 1 };

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaff"))
}

fn found_by_arp(network: &Network, range: &str, limit: u64) -> BTreeSet<Ipv4Addr> {
    let words = ["-n", "-sn", "-PR", "-T5", "--min-rate", "5000", "--max-retries", "3", "-oG", "-", range];
    let out = run(&network.atk, limit, "nmap", &words);
    let up = out.lines().filter(|line| line.contains("Status: Up"));
    up.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect()
}

#[test]
fn sixty_five_thousand_decoys_are_up_at_once_and_small() {
    alone("sixty_five_thousand_decoys_are_up_at_once_and_small", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = Chaff::start(binary(), &network, folder.path(), SIXTEEN);
        println!("up in {:?}", chaff.started_in);
        assert!(chaff.started_in < START_LIMIT * DEBUG_FACTOR, "up in {:?}", chaff.started_in);
        let idle = chaff.memory_kib();
        assert!(idle < MEMORY_LIMIT_KIB, "{idle} KiB at rest");

        // One part in sixteen here; `soak` asks for all.
        let found = found_by_arp(&network, "10.20.16.0/20", 180);
        let wanted: BTreeSet<Ipv4Addr> = (0x0a14_1000..0x0a14_2000).map(Ipv4Addr::from_bits).collect();
        assert_eq!(found.len(), wanted.len());
        assert_eq!(found, wanted);
        let scanned = chaff.memory_kib();
        println!("{idle} KiB at rest, {scanned} KiB after the scan");
        assert!(scanned < MEMORY_LIMIT_KIB, "{scanned} KiB after the scan");
    });
}

#[test]
#[ignore = "soak: minutes"]
fn soak_nmap_finds_every_one_of_sixty_five_thousand() {
    alone("soak_nmap_finds_every_one_of_sixty_five_thousand", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = Chaff::start(binary(), &network, folder.path(), SIXTEEN);
        let begun = Instant::now();
        let found = found_by_arp(&network, "10.20.0.0/16", 1800);
        println!("{} found in {:?}, {} KiB", found.len(), begun.elapsed(), chaff.memory_kib());
        assert_eq!(found.len(), 65_534);
        assert!(chaff.memory_kib() < MEMORY_LIMIT_KIB, "{} KiB", chaff.memory_kib());
    });
}

#[test]
fn masscan_through_a_router_finds_all_nine_hundred() {
    alone("masscan_through_a_router_finds_all_nine_hundred", || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let (_router, far) = network.far_host();
        let _chaff = Chaff::start(binary(), &network, folder.path(), NINE_HUNDRED);
        wait_for_room_in_the_neighbour_table();
        let wanted: BTreeSet<Ipv4Addr> = (0x0a1e_0001..=0x0a1e_0384).map(Ipv4Addr::from_bits).collect();
        assert_eq!(wanted.len(), 900);
        let found = masscan(&far);
        let missing: Vec<Ipv4Addr> = wanted.difference(&found).copied().collect();
        assert!(missing.is_empty(), "{} missing, the first of them {:?}", missing.len(), missing.first());
        assert_eq!(found, wanted);
    });
}

/// All namespaces of a machine share one table of 1,024 neighbours, and a router drops what finds no place in it. A test
/// before this one fills it: decoys ask for whoever asked for them, and the kernel keeps each of them for some seconds, even
/// after its namespace is gone.
fn wait_for_room_in_the_neighbour_table() {
    let begun = Instant::now();
    while let Some(others) = neighbours().filter(|&others| others > NEIGHBOURS_OF_OTHERS) {
        assert!(begun.elapsed() < NEIGHBOURS_PATIENCE, "{others} neighbours of others are still there");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Entries of the kernel's table for IPv4, all namespaces together: the first column of its statistics, hexadecimal. Only the
/// machine's first namespace shows them, which a user without root has left by now.
fn neighbours() -> Option<usize> {
    let statistics = std::fs::read_to_string("/proc/net/stat/arp_cache").ok()?;
    let entries = statistics.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
    Some(usize::from_str_radix(entries, 16).unwrap())
}

fn masscan(far: &chaff_lab::Namespace) -> BTreeSet<Ipv4Addr> {
    let router_mac = far_router_mac(far);
    // Only the 900: the router's table would not hold those besides them that nobody answers for.
    let words = ["-p22", "10.30.0.1-10.30.3.132", "--rate", "1000", "--wait", "3", "-e", "far0"];
    let own = ["--adapter-ip", &FAR.to_string(), "--router-mac", &router_mac, "-oG", "-"];
    let words: Vec<&str> = words.iter().chain(&own).copied().collect();
    // masscan ends only when a packet comes in after its time of waiting: the router's answers to this.
    let mut traffic = far.command("ping").args(["-n", "-q", "-i", "0.5", "-w", "120", "192.0.2.1"]).spawn().unwrap();
    let out = run(far, 120, "masscan", &words);
    // It would end by itself after two minutes.
    let _ = traffic.kill();
    let _ = traffic.wait();
    let hosts = out.lines().filter(|line| line.contains("22/open"));
    hosts.filter_map(|line| line.split_whitespace().find_map(|word| word.parse().ok())).collect()
}

fn far_router_mac(far: &chaff_lab::Namespace) -> String {
    run(far, 10, "ping", &["-n", "-c", "1", "192.0.2.1"]);
    let out = run(far, 10, "ip", &["neigh", "show", "192.0.2.1"]);
    let mut words = out.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

#[test]
fn every_decoy_has_a_card_and_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    chaff_testkit::process::write_config(folder.path(), SIXTEEN);
    let roster = chaff_testkit::process::check(binary(), folder.path());
    let cards: BTreeSet<_> = roster.iter().map(|decoy| decoy.mac).collect();
    assert_eq!((roster.len(), cards.len()), (65_534, 65_534));
    assert!(roster.iter().all(|decoy| !decoy.mac.is_group() && !decoy.mac.is_local()));
}
