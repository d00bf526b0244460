//! Observations that the sensor makes of itself: a process that ended, a machine that misbehaves.

use std::net::Ipv4Addr;

use chaff_events::{DecoyId, Detail, EventId, Kind, Mac, Observation, Source, Transport, UtcNanos};

/// Octets of what a machine sent that are kept: the headers.
const KEPT: usize = 128;

/// A process that hosts `decoy` ended unbidden and is replaced. It has no source.
pub(crate) fn process_ended(utc: UtcNanos, decoy: DecoyId, process: &str, reason: &str) -> Observation {
    let source = Source { ip: Ipv4Addr::UNSPECIFIED.into(), mac: Mac::ZERO, port: 0 };
    let detail = Detail::Process { process: process.into(), reason: reason.into() };
    observation(utc, decoy, source, Kind::ProcessEnded, 1, detail)
}

/// The machine of `decoy`, which is the source, did `count` times what its program never does.
pub(crate) fn misbehaved(
    utc: UtcNanos,
    decoy: DecoyId,
    source: Source,
    count: u32,
    what: &str,
    octets: &[u8],
) -> Observation {
    let octets = octets.get(..KEPT).unwrap_or(octets).to_vec();
    let detail = Detail::Misbehaved { what: what.into(), octets };
    observation(utc, decoy, source, Kind::NodeMisbehaved, count, detail)
}

fn observation(utc: UtcNanos, decoy: DecoyId, source: Source, kind: Kind, count: u32, detail: Detail) -> Observation {
    Observation {
        id: id(utc),
        time: utc,
        decoy,
        source,
        kind,
        transport: Transport::Ip,
        port: 0,
        service: String::new(),
        tool: None,
        count,
        ports: Vec::new(),
        detail,
    }
}

/// An identifier of its own: the engine's counter is not at hand here.
fn id(utc: UtcNanos) -> EventId {
    let mut random = [0; 10];
    // Without chance the time alone tells it from others; it is not secret.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let [a, b, rest @ ..] = random;
    EventId::new(utc, u16::from_le_bytes([a, b]), u64::from_le_bytes(rest))
}
