//! A sensor that is not one: it says over a socket pair what a worker would say.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::{
    net::{IpAddr, Ipv4Addr},
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use chaff_events::{
    DecoyId, Detail, EventId, Kind, Mac, Observation, RosterDecoy, RosterNetwork, Source, Tool, Transport, VERSION,
    message::{FromHub, MAX_DATAGRAM, ToHub},
};
use chaff_hub::{HubNetwork, HubSpec, Notify, utc_now};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn spec(state_dir: &Path, notify: Vec<Notify>) -> HubSpec {
    let networks = vec![HubNetwork { name: "office".into(), gateway: Some(Ipv4Addr::new(10, 20, 0, 1).into()) }];
    HubSpec { state_dir: state_dir.into(), sensor: "lab".into(), networks, allow: vec![], notify }
}

pub fn decoy_ip(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a14_0100 + n).into()
}

/// Both ends of a worker's socket: ours, the hub's.
pub fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

pub struct Worker {
    pub socket: OwnedFd,
    pub decoys: u32,
    next: u64,
    ids: u128,
}

impl Worker {
    pub fn new(socket: OwnedFd, decoys: u32) -> Self {
        let timeout = Some(PATIENCE);
        rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, timeout).unwrap();
        Self { socket, decoys, next: 1, ids: u128::from(utc_now().0 / 1_000_000) << 80 | 7 << 76 }
    }

    /// Several workers must not make the same identifiers.
    pub fn skip_ids(&mut self, ids: u128) {
        self.ids += ids;
    }

    /// Waits for the greeting and answers with the roster.
    pub fn greet(&self) {
        assert_eq!(self.receive(), FromHub::Hello { version: VERSION });
        self.send(&ToHub::RosterBegin {
            version: VERSION,
            sensor: "lab".into(),
            networks: vec![RosterNetwork { name: "office".into() }],
            profiles: vec!["windows-server-2022".into()],
            decoys: self.decoys,
        });
        for first in (0..self.decoys).step_by(500) {
            let decoys = (first..self.decoys.min(first + 500)).map(decoy).collect();
            self.send(&ToHub::RosterPart { first, decoys });
        }
    }

    pub fn observe(&mut self, observations: Vec<Observation>) -> u64 {
        let first = self.next;
        self.next += observations.len() as u64;
        self.send(&ToHub::Observations { first, observations });
        self.next - 1
    }

    pub fn again(&self, first: u64, observations: Vec<Observation>) {
        self.send(&ToHub::Observations { first, observations });
    }

    /// Waits until everything up to there is acknowledged.
    pub fn acknowledged(&self, up_to: u64) {
        let start = Instant::now();
        loop {
            match self.receive() {
                FromHub::Acknowledge { up_to: now } if now >= up_to => return,
                _ => assert!(start.elapsed() < PATIENCE, "not acknowledged"),
            }
        }
    }

    pub fn send(&self, message: &ToHub) {
        let octets = postcard::to_allocvec(message).unwrap();
        assert!(octets.len() <= MAX_DATAGRAM);
        send(&self.socket, &octets, SendFlags::NOSIGNAL).unwrap();
    }

    pub fn receive(&self) -> FromHub {
        let mut buffer = [0; 64];
        let (_, length) = recv(&self.socket, &mut buffer, RecvFlags::empty()).expect("the hub says nothing");
        assert_ne!(length, 0, "the hub is gone");
        postcard::from_bytes(&buffer[..length]).unwrap()
    }

    pub fn syn(&mut self, decoy: u32, source: [u8; 4], port: u16) -> Observation {
        self.observation(decoy, source, Kind::TcpSyn, Transport::Tcp, port)
    }

    pub fn observation(
        &mut self,
        decoy: u32,
        source: [u8; 4],
        kind: Kind,
        transport: Transport,
        port: u16,
    ) -> Observation {
        self.ids += 1;
        Observation {
            id: EventId(self.ids),
            time: utc_now(),
            decoy: DecoyId(decoy),
            source: Source { ip: IpAddr::from(source), mac: Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]), port: 51_544 },
            kind,
            transport,
            port,
            service: String::new(),
            tool: (kind == Kind::TcpSyn).then_some(Tool::Nmap),
            count: 1,
            ports: vec![],
            detail: Detail::None,
        }
    }
}

pub fn decoy(n: u32) -> RosterDecoy {
    let [.., a, b] = n.to_be_bytes();
    let mac = Mac([0, 0x50, 0x56, 0x9a, a, b]);
    RosterDecoy { name: format!("FS-{n:02}"), ip: decoy_ip(n), mac, profile: 0, network: 0 }
}

/// A hub on a thread of this process.
pub struct Hub {
    stop: OwnedFd,
    thread: std::thread::JoinHandle<Result<(), chaff_hub::HubError>>,
}

impl Hub {
    pub fn start(spec: HubSpec, sockets: Vec<OwnedFd>) -> Self {
        let (stop, theirs) = pair();
        let thread = std::thread::spawn(move || chaff_hub::run(spec, sockets, theirs));
        Self { stop, thread }
    }

    pub fn stop(self) {
        drop(self.stop);
        self.thread.join().unwrap().unwrap();
    }
}

/// What the store prints, a JSON value a line.
pub fn incidents(state_dir: &Path) -> Vec<serde_json::Value> {
    printed(|out| chaff_hub::print::incidents(state_dir, &JSON, out))
}

pub fn events(state_dir: &Path) -> Vec<serde_json::Value> {
    printed(|out| chaff_hub::print::events(state_dir, &JSON, out))
}

const JSON: chaff_hub::print::PrintOptions =
    chaff_hub::print::PrintOptions { json: true, follow: false, since: None, terminal: None };

fn printed(print: impl FnOnce(&mut Vec<u8>) -> Result<(), chaff_hub::print::PrintError>) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
