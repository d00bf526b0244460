//! What belongs to one intruder, and how bad it is. Sans-io: no clock, no store, no log; time is an argument.
//!
//! An incident's key is the network and the source address; the hardware address where the packet gave no address (an
//! ARP probe), and for whoever claims a decoy's address. Rules:
//!
//! - A single ARP request is watched and raises nothing. [`SWEEP_DECOYS`] different decoys asked for within
//!   [`SWEEP_WINDOW`] by one source are a sweep and open an incident, which counts the requests before as well.
//! - Everything else that a decoy observes opens an incident at once.
//! - Authorised scanners are observed and open nothing. ARP requests of a gateway, and of a card that carries packets of
//!   others, are never a sweep.
//! - An incident grows ([`Stage`]) and never shrinks; after [`IDLE_CLOSE`] without anything new it is closed.
//! - What a sensor tells of its own processes has no source: it is one incident for each network, however many ended.
//! - More than [`NEW_PER_MINUTE`] new sources within a minute, of packets that can be sent under a false address, are
//!   one incident: a flood from many sources. Whoever completes a handshake always has an incident of his own.
//!
//! Memory is bounded by [`OPEN_INCIDENTS`], [`WATCHED_SOURCES`] and [`CHUNKS`].

mod case;
mod distinct;
mod pace;
mod routers;
mod stage;
mod techniques;
mod title;
mod trace;
mod watch;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use chaff_events::{EventId, Incident, IncidentState, Kind, Mac, Observation, Severity, Source, Transport, UtcNanos};

pub use case::{Case, Who};
pub use distinct::{CHUNKS, CHUNKS_PER_SET};
pub use stage::Stage;
pub use techniques::techniques;
pub use watch::WATCHED_SOURCES;

use crate::{Allow, DecoyView, HubNetwork, RosterView, store::Recent};
use distinct::Budget;
use routers::Routers;
use watch::Watches;

/// So many different decoys asked for by ARP are a sweep (fixed in the design; Slips uses the same figure).
pub const SWEEP_DECOYS: usize = 5;
/// … within this time.
pub const SWEEP_WINDOW: UtcNanos = UtcNanos(30_000_000_000);
/// An incident that was quiet for so long is closed: the window in which Zeek's scan detection joins one scan.
pub const IDLE_CLOSE: UtcNanos = UtcNanos(15 * 60_000_000_000);
/// Most incidents open at a time. Above it, the one that was quiet for longest among the least severe is closed.
pub const OPEN_INCIDENTS: usize = 1024;
/// Most incidents opened within one minute by packets whose source can be false: more sources than people scan at
/// once, few enough to be read.
pub const NEW_PER_MINUTE: u32 = 30;
/// The same, while the minute before had more new sources than that: a flood goes on.
pub const NEW_PER_MINUTE_IN_FLOOD: u32 = 3;

const MINUTE: u64 = 60_000_000_000;

/// Makes incidents of observations.
#[derive(Debug, Default)]
pub struct Correlator {
    allow: Vec<Allow>,
    gateways: Vec<Gateway>,
    cases: BTreeMap<EventId, Case>,
    open: HashMap<Key, EventId>,
    watches: Watches,
    routers: Routers,
    closed: VecDeque<Case>,
    newcomers: Newcomers,
    budget: Budget,
}

/// A router that `chaff.toml` names. Its requests are no sweep, whoever is scanned through it; but only those of the
/// card that was first heard to speak for it, or else anybody could sweep in its name.
#[derive(Debug)]
struct Gateway {
    network: String,
    ip: IpAddr,
    card: Option<Mac>,
}

impl Gateway {
    /// Whether this request is the router's own.
    fn asks(&mut self, network: &str, source: &Source) -> bool {
        self.network == network && self.ip == source.ip && *self.card.get_or_insert(source.mac) == source.mac
    }
}

/// Whose incident it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    network: Arc<str>,
    who: Who,
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The roster has no such decoy.
    UnknownDecoy,
    /// Its source is an authorised scanner.
    Allowed,
    /// It raises nothing yet.
    Watched,
    /// It joined an incident.
    Joined {
        /// Which.
        incident: EventId,
        /// What that changed, if people should hear of it.
        change: Option<Change>,
    },
}

/// What people hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Opened,
    Escalated,
    Closed,
}

impl Change {
    /// The name as printed in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
        }
    }
}

impl Correlator {
    /// A correlator that knows of no incident.
    #[must_use]
    pub fn new(allow: Vec<Allow>, networks: &[HubNetwork]) -> Self {
        let gateway =
            |network: &HubNetwork| Some(Gateway { network: network.name.clone(), ip: network.gateway?, card: None });
        let gateways = networks.iter().filter_map(gateway).collect();
        Self { allow, gateways, ..Self::default() }
    }

    /// Takes an incident that was open when an earlier hub ended. It goes on growing.
    pub fn restore(&mut self, case: Case) {
        let key = Key { network: case.incident.network.as_str().into(), who: case.who };
        self.budget.take(case.chunks());
        self.open.insert(key, case.incident.id);
        self.cases.insert(case.incident.id, case);
    }

    /// Takes a request that an earlier hub watched.
    pub fn watch_again(&mut self, recent: &Recent) {
        let key = Key { network: Arc::clone(&recent.network), who: Who::of(&recent.observation) };
        let source = &recent.observation.source;
        let of_gateway = self.gateways.iter_mut().any(|gateway| gateway.asks(&recent.network, source));
        if !self.open.contains_key(&key) && !of_gateway {
            self.watches.note(&key, &recent.observation, recent.decoy_ip);
        }
    }

    /// Takes one observation of a decoy in `roster`. `now` is the time at which the hub has it.
    pub fn handle_observation(&mut self, now: UtcNanos, observation: &Observation, roster: &RosterView) -> Verdict {
        match roster.decoy(observation.decoy) {
            Some(decoy) => self.handle_touch(now, observation, decoy),
            None => Verdict::UnknownDecoy,
        }
    }

    /// Takes one observation of this decoy.
    pub fn handle_touch(&mut self, now: UtcNanos, observation: &Observation, decoy: DecoyView<'_>) -> Verdict {
        self.routers.note(observation);
        if self.allowed(observation.source.ip).is_some() {
            return Verdict::Allowed;
        }
        let key = Key { network: Arc::clone(decoy.network), who: Who::of(observation) };
        if let Some(&incident) = self.open.get(&key) {
            return self.join(now, incident, observation, decoy);
        }
        if is_neighbour_request(observation.kind) && !self.is_sweep(&key, observation, decoy) {
            return Verdict::Watched;
        }
        let key = self.newcomers.admit(now, key, observation);
        match self.open.get(&key) {
            Some(&incident) => self.join(now, incident, observation, decoy),
            None => self.open(now, key, observation, decoy),
        }
    }

    /// Why that source may do what it likes, if it may.
    #[must_use]
    pub fn allowed(&self, source: IpAddr) -> Option<&str> {
        self.allow.iter().find(|allow| allow.source.contain(source)).map(|allow| allow.reason.as_str())
    }

    /// An incident that has been closed since the last call: call until there is none.
    pub fn poll(&mut self, now: UtcNanos) -> Option<Case> {
        if self.closed.is_empty() {
            let idle = self.cases.values().find(|case| now.0.saturating_sub(case.incident.updated.0) >= IDLE_CLOSE.0);
            if let Some(id) = idle.map(|case| case.incident.id) {
                self.close(id);
            }
        }
        self.closed.pop_front()
    }

    /// The open incident with that id.
    #[must_use]
    pub fn case(&self, id: EventId) -> Option<&Case> {
        self.cases.get(&id)
    }

    /// The same, to note when it was stored.
    pub fn case_mut(&mut self, id: EventId) -> Option<&mut Case> {
        self.cases.get_mut(&id)
    }

    /// All open incidents, oldest first.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.cases.values().map(|case| &case.incident)
    }

    fn is_sweep(&mut self, key: &Key, observation: &Observation, decoy: DecoyView<'_>) -> bool {
        let of_gateway = self.gateways.iter_mut().any(|gateway| gateway.asks(decoy.network, &observation.source));
        if of_gateway || self.routers.asks_for_another(observation) {
            return false;
        }
        self.watches.note(key, observation, decoy.ip) >= SWEEP_DECOYS
    }

    fn join(&mut self, now: UtcNanos, incident: EventId, observation: &Observation, decoy: DecoyView<'_>) -> Verdict {
        let Some(case) = self.cases.get_mut(&incident) else { return Verdict::Watched };
        let before = case.incident.severity;
        case.grow(now, observation, decoy, &mut self.budget);
        let change = (case.incident.severity > before).then_some(Change::Escalated);
        Verdict::Joined { incident, change }
    }

    fn open(&mut self, now: UtcNanos, key: Key, observation: &Observation, decoy: DecoyView<'_>) -> Verdict {
        if self.cases.len() >= OPEN_INCIDENTS {
            self.evict();
        }
        let mut case = Case::open(now, key.who, observation, decoy);
        if let Some(watch) = self.watches.take(&key) {
            case.adopt(&watch, observation, &mut self.budget);
        }
        case.grow(now, observation, decoy, &mut self.budget);
        let incident = case.incident.id;
        self.open.insert(key, incident);
        self.cases.insert(incident, case);
        Verdict::Joined { incident, change: Some(Change::Opened) }
    }

    fn evict(&mut self) {
        let rank = |case: &&Case| (case.incident.severity, case.incident.updated);
        if let Some(id) = self.cases.values().min_by_key(rank).map(|case| case.incident.id) {
            self.close(id);
        }
    }

    fn close(&mut self, id: EventId) {
        let Some(mut case) = self.cases.remove(&id) else { return };
        let key = Key { network: case.incident.network.as_str().into(), who: case.who };
        self.open.remove(&key);
        self.budget.give_back(case.chunks());
        case.incident.state = IncidentState::Closed;
        self.closed.push_back(case);
    }
}

/// Counts new sources, minute by minute.
#[derive(Debug, Default)]
struct Newcomers {
    minute: u64,
    this_minute: u32,
    last_minute: u32,
}

impl Newcomers {
    /// The key under which a new source is filed: its own, or that of the flood.
    fn admit(&mut self, now: UtcNanos, key: Key, observation: &Observation) -> Key {
        if !source_can_be_false(observation) {
            return key;
        }
        let minute = now.0 / MINUTE;
        if minute != self.minute {
            self.last_minute = if minute == self.minute + 1 { self.this_minute } else { 0 };
            self.minute = minute;
            self.this_minute = 0;
        }
        self.this_minute = self.this_minute.saturating_add(1);
        let flood = self.last_minute > NEW_PER_MINUTE;
        let limit = if flood { NEW_PER_MINUTE_IN_FLOOD } else { NEW_PER_MINUTE };
        if self.this_minute <= limit { key } else { Key { who: Who::Many, ..key } }
    }
}

/// Whether the packet needs no answer to reach its sender: only then can its source be made up.
fn source_can_be_false(observation: &Observation) -> bool {
    match observation.kind {
        Kind::TcpConnect | Kind::TcpClose => false,
        Kind::TlsHello | Kind::ServiceRequest | Kind::Credential | Kind::Command | Kind::File => {
            observation.transport != Transport::Tcp
        }
        // Told by the sensor itself.
        Kind::ProcessEnded | Kind::NodeMisbehaved => false,
        _ => true,
    }
}

/// Whether it is what every host on a LAN does to find its neighbours.
fn is_neighbour_request(kind: Kind) -> bool {
    matches!(kind, Kind::ArpRequest | Kind::NdSolicit)
}

/// How bad a stage is.
impl From<Stage> for Severity {
    fn from(stage: Stage) -> Self {
        stage.severity()
    }
}

#[cfg(test)]
mod tests;
