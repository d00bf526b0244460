//! The attack where no nmap is installed: an ARP sweep, TCP connects, and what the servers say first.

use std::{
    collections::BTreeMap,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{Finding, OpenPort, Teller, printable};
use crate::lab::{
    interrupt,
    network::Network,
    plan::{INTRUDER_MAC, Plan},
};

/// Ports that are open on most networks somewhere.
const PORTS: [u16; 26] = [
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 515, 631, 3000, 3306, 3389, 5432, 5900, 8000, 8080,
    8443, 9100, 10110, 62078,
];
/// Ports that one thread tries one after the other: with firewalls that drop, it takes a few seconds in all.
const PORTS_IN_TURN: usize = 6;
/// Hosts that are knocked at together, each by a thread of its own.
const HOSTS_AT_ONCE: usize = 64;
/// Between two requests of the sweep: a thousand a second, as arp-scan does.
const SWEEP_GAP: Duration = Duration::from_millis(1);
/// After the last request.
const SWEEP_PATIENCE: Duration = Duration::from_millis(500);
const CONNECT_PATIENCE: Duration = Duration::from_millis(700);
const BANNER_PATIENCE: Duration = Duration::from_millis(600);
/// A frame without payload is padded to this.
const MIN_FRAME: usize = 60;
const MAX_FRAME: usize = 2048;

/// Asks for every address by ARP.
pub(super) fn sweep(plan: &Plan, network: &Network, teller: &Teller<'_>) -> Vec<Finding> {
    teller.step(format!("ARP sweep of {} (nmap is not installed)", plan.sweep()));
    let Ok(socket) = network.intruder_frames() else {
        teller.result("no packet socket");
        return Vec::new();
    };
    let mut found = BTreeMap::new();
    let mut buffer = [0; MAX_FRAME];
    for target in plan.swept_addresses() {
        let _ = socket.send(&arp_request(plan.intruder(), target));
        if let Ok(Some(length)) = socket.receive(&mut buffer, SWEEP_GAP) {
            found.extend(buffer.get(..length).and_then(arp_reply));
        }
        if interrupt::caught() {
            break;
        }
    }
    let deadline = Instant::now() + SWEEP_PATIENCE;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        if let Ok(Some(length)) = socket.receive(&mut buffer, left) {
            found.extend(buffer.get(..length).and_then(arp_reply));
        }
    }
    found.remove(&plan.intruder());
    teller.result(format!("{} hosts answer", found.len()));
    let finding = |(ip, mac): (Ipv4Addr, [u8; 6])| Finding { ip: Some(ip), mac: text(mac), ..Finding::default() };
    found.into_iter().map(finding).map(with_vendor_bits).collect()
}

/// Connects to the usual ports of the targets, all targets at once.
pub(super) fn probe(targets: &[Ipv4Addr], network: &Network, teller: &Teller<'_>) -> Vec<Finding> {
    teller.step(format!("TCP connect to {} ports of {} of them", PORTS.len(), targets.len()));
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        let found = &found;
        for (&ip, ports) in targets.iter().flat_map(|ip| PORTS.chunks(PORTS_IN_TURN).map(move |ports| (ip, ports))) {
            scope.spawn(move || {
                let open = network.intruder().enter(|| open_ports(ip, ports)).unwrap_or_default();
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.entry(ip).or_insert_with(Vec::new).extend(open);
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    teller.result(format!("{} open ports", found.values().map(Vec::len).sum::<usize>()));
    let finding = |(ip, mut ports): (Ipv4Addr, Vec<OpenPort>)| {
        ports.sort_unstable_by_key(|open| open.port);
        Finding { ip: Some(ip), ports, probed: true, ..Finding::default() }
    };
    found.into_iter().map(finding).collect()
}

/// Who has one of a few ports open.
pub(super) fn knock(hosts: &[Ipv4Addr], ports: &[u16], network: &Network) -> Vec<Finding> {
    let found = Mutex::new(Vec::new());
    for together in hosts.chunks(HOSTS_AT_ONCE) {
        thread::scope(|scope| {
            for &ip in together {
                let found = &found;
                scope.spawn(move || {
                    let ports = network.intruder().enter(|| open_ports(ip, ports)).unwrap_or_default();
                    if !ports.is_empty() {
                        let finding = Finding { ip: Some(ip), ports, probed: true, ..Finding::default() };
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
                    }
                });
            }
        });
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|finding| finding.ip);
    found
}

fn open_ports(ip: Ipv4Addr, ports: &[u16]) -> Vec<OpenPort> {
    let knock = |&port: &u16| {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((ip, port)), CONNECT_PATIENCE).ok()?;
        stream.set_read_timeout(Some(BANNER_PATIENCE)).ok()?;
        let mut octets = [0; 256];
        let length = stream.read(&mut octets).unwrap_or(0);
        let said = String::from_utf8_lossy(octets.get(..length).unwrap_or(&[])).into_owned();
        Some(OpenPort { port, service: printable(said.lines().next().unwrap_or_default()) })
    };
    ports.iter().take_while(|_| !interrupt::caught()).filter_map(knock).collect()
}

/// The vendor is in the first half of the address; without nmap's table, those octets stand for it.
fn with_vendor_bits(mut finding: Finding) -> Finding {
    finding.vendor = finding.mac.get(..8).unwrap_or_default().to_owned();
    finding
}

/// RFC 826, in an Ethernet frame to everybody.
pub(super) fn arp_request(from: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(INTRUDER_MAC);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend(INTRUDER_MAC);
    frame.extend(from.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame.resize(MIN_FRAME, 0);
    frame
}

/// Who a reply says it is.
pub(super) fn arp_reply(frame: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    let is_reply = frame.get(12..22)? == [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 2];
    let mac: [u8; 6] = frame.get(22..28)?.try_into().ok()?;
    let ip: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
    is_reply.then(|| (Ipv4Addr::from(ip), mac))
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
