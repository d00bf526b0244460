//! p0f(1), which listens while somebody connects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    process::Stdio,
    time::{Duration, Instant},
};

use chaff_lab::Namespace;

use crate::network::run_any;

/// How long p0f may take to listen, and to write down the last connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// Raw signatures of SYN-ACKs, by server.
pub type Signatures = BTreeMap<Ipv4Addr, BTreeSet<String>>;

/// Connects from `namespace`, whose interface p0f listens on, to a port of each server until `enough` has been seen of it,
/// or patience ends. p0f does not say when it begins to listen: what it missed is connected to again.
///
/// # Panics
/// When p0f is not installed.
pub fn watch(
    namespace: &Namespace,
    interface: &str,
    servers: &[Ipv4Addr],
    port: u16,
    enough: impl Fn(Ipv4Addr, &BTreeSet<String>) -> bool,
) -> Signatures {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("p0f.log");
    let mut command = namespace.command("p0f");
    command.args(["-i", interface, "-o"]).arg(&log);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut p0f = command.spawn().expect("p0f is not installed: run `cargo xtask tools`");
    let begun = Instant::now();
    let mut missing = servers.to_vec();
    let connect = format!("for ip; do exec 3<>/dev/tcp/$ip/{port}; sleep 0.02; exec 3>&-; done");
    let mut seen = Signatures::new();
    while !missing.is_empty() && begun.elapsed() < PATIENCE {
        let addresses: Vec<String> = missing.iter().map(Ipv4Addr::to_string).collect();
        let words: Vec<&str> =
            ["-c", &connect, "connect"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
        run_any(namespace, 60, "bash", &words);
        std::thread::sleep(Duration::from_millis(500));
        let text = fs::read_to_string(&log).unwrap_or_default();
        seen = servers.iter().map(|&server| (server, signatures(&text, server))).collect();
        missing.retain(|server| !enough(*server, &seen[server]));
    }
    // It has no end of its own.
    let _ = p0f.kill();
    let _ = p0f.wait();
    seen
}

fn signatures(log: &str, server: Ipv4Addr) -> BTreeSet<String> {
    let server = format!("|srv={server}/");
    let lines = log.lines().filter(|line| line.contains("mod=syn+ack|") && line.contains(&server));
    lines.filter_map(|line| Some(line.split_once("|raw_sig=")?.1.to_owned())).collect()
}
