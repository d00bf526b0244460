//! A conversation behind a socket of the kernel, on the loopback address, for real clients.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chaff_events::{Detail, Kind, Tool};
use chaff_services::{Account, Around, Context, Identity, Opening, Output, ServiceKind, ServiceSpec, Shared, open};
use chaff_wire::Mac;

/// As long as Linux waits for data if it is asked to wait for 30 s: until the SYN-ACK would go out for the last time.
const HELD_BACK: Duration = Duration::from_millis(31_500);

pub(crate) type Facts = Arc<Mutex<Vec<(Kind, Option<Tool>, Detail)>>>;

/// Longer than any test waits for an end: seven minutes of silence.
const LONGEST: Duration = Duration::from_secs(450);

/// Serves `spec` on a free port of the loopback address until it is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) port: u16,
    facts: Facts,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(kind: ServiceKind) -> Self {
        Self::with(ServiceSpec::new("under-test", kind), &[])
    }

    /// A server with planted accounts.
    pub(crate) fn with(spec: ServiceSpec, accounts: &[Account]) -> Self {
        let accounts: Arc<[Account]> = accounts.into();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (facts, stop) = (Facts::default(), Arc::new(AtomicBool::new(false)));
        let (told, stopped) = (Arc::clone(&facts), Arc::clone(&stop));
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (spec, told) = (spec.clone(), Arc::clone(&told));
                        let (accounts, shared) = (Arc::clone(&accounts), Arc::clone(&shared));
                        thread::spawn(move || {
                            hold_back(&spec, &stream);
                            serve(&spec, &stream, &told, &accounts, &shared);
                        });
                    }
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        Self { port, facts, stop }
    }

    /// What was told, in order.
    pub(crate) fn facts(&self) -> Vec<(Kind, Option<Tool>, Detail)> {
        self.facts.lock().unwrap().clone()
    }

    /// Names and secrets that were offered; without SSH's `none`, by which clients ask what there is.
    pub(crate) fn credentials(&self) -> Vec<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut all: Vec<_> = self
            .facts()
            .iter()
            .filter_map(|(_, _, detail)| match detail {
                Detail::Credential { username, secret, secret_kind, .. } if secret_kind != "none" => {
                    Some(format!("{}/{}", text(username), text(secret)))
                }
                _ => None,
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Waits for what comes, where the server's system does (TCP_DEFER_ACCEPT). In short steps, as the kernel is seconds late
/// with a long one.
fn hold_back(spec: &ServiceSpec, stream: &TcpStream) {
    let start = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    while spec.deferred_s() > 0 && start.elapsed() < HELD_BACK {
        // Data, the client's end, an error: the conversation sees to it.
        match stream.peek(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return,
        }
    }
}

/// One conversation over one socket, at most for so long.
fn serve(spec: &ServiceSpec, mut stream: &TcpStream, told: &Facts, accounts: &Arc<[Account]>, shared: &Mutex<Shared>) {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_nanos()).unwrap();
    let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let opening = Opening {
        identity: Identity {
            hostname: "nav-1",
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mac: Mac([0, 0x50, 0x56, 1, 2, 3]),
            seed: [1; 16],
            serial: None,
        },
        now: 0,
        utc: u64::try_from(utc.as_nanos()).unwrap(),
        chance: chance(stream),
        accounts,
        around: Around { peer: stream.peer_addr().ok().map(|peer| (peer.ip(), peer.port())), ..Around::default() },
    };
    macro_rules! at {
        ($now:expr) => {
            &mut Context { now: $now, shared: &mut shared.lock().unwrap() }
        };
    }
    let mut talk = open(spec, &opening);
    let (mut wake, mut waiting, mut ended) = (None, Vec::new(), false);
    // As much as there is, which is how the engine offers it.
    let mut octets = vec![0; 1 << 17];
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    while start.elapsed() < LONGEST {
        loop {
            let output = talk.poll(at!(now()), 1460);
            let Some(output) = output else { break };
            match output {
                Output::Send(octets) => {
                    if stream.write_all(&octets).is_err() {
                        return;
                    }
                }
                Output::Observe(kind, tool, detail) => told.lock().unwrap().push((kind, tool, detail)),
                Output::Wake(at) => wake = Some(at),
                Output::Finish => {
                    // A client that is gone has nothing to be told.
                    let _ = stream.shutdown(Shutdown::Write);
                }
                Output::Close if waiting.is_empty() => return,
                // As a kernel does for a server that closes before it has read all.
                Output::Close | Output::Reset => return reset(stream),
            }
        }
        if wake.is_some_and(|at| at <= now()) {
            wake = None;
            talk.handle_wake(at!(now()));
        }
        match stream.read(&mut octets) {
            Ok(0) if !ended && waiting.is_empty() => {
                ended = true;
                talk.handle_end(at!(now()));
            }
            Ok(count) => waiting.extend_from_slice(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        if !waiting.is_empty() {
            let taken = talk.handle_octets(at!(now()), &waiting);
            waiting.drain(..taken);
        }
    }
}

/// Chance that no other connection of this test has.
fn chance(stream: &TcpStream) -> [u8; 32] {
    let port = stream.peer_addr().map_or(0, |peer| peer.port());
    let mut chance = [7; 32];
    chance[..2].copy_from_slice(&port.to_le_bytes());
    chance
}

/// Ends a connection with RST.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}
