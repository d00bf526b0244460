//! An incident while it grows, with what is needed to count on.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, Ipv4Addr},
};

use chaff_events::{Detail, EventId, Incident, IncidentState, Kind, Mac, Observation, Source, Tool, UtcNanos};
use serde::{Deserialize, Serialize};

use super::{
    SWEEP_WINDOW, Stage,
    distinct::{Budget, Distinct},
    is_neighbour_request,
    pace::Pace,
    techniques, title,
    trace::Trace,
    watch::Watch,
};
use crate::DecoyView;

/// Whose incident it is, within one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Who {
    /// Whoever has this address.
    Ip(IpAddr),
    /// Whoever has this hardware address and gave no address of his own.
    Mac(Mac),
    /// Nobody in particular: a flood from many sources.
    Many,
    /// Nobody: the sensor tells of itself.
    Sensor,
}

impl Who {
    pub(super) fn of(observation: &Observation) -> Self {
        let Source { ip, mac, .. } = observation.source;
        if observation.kind == Kind::ProcessEnded {
            return Self::Sensor;
        }
        // Whoever claims a decoy's address sends that address as his own.
        if ip.is_unspecified() || observation.kind == Kind::ArpConflict { Self::Mac(mac) } else { Self::Ip(ip) }
    }
}

/// An incident that grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// As it is told.
    pub incident: Incident,
    /// Whose it is.
    pub who: Who,
    /// Receipt of the first packet of what raised the alarm: of the sweep, or the first that was no mere ARP request.
    pub(crate) alarm_from: UtcNanos,
    pub(super) stage: Stage,
    /// What was done at each stage that was seen.
    pub(super) traces: BTreeMap<Stage, Trace>,
    decoys: Distinct,
    ports: Distinct,
    pace: Pace,
}

impl Case {
    /// A new one, still without its first observation.
    pub(super) fn open(now: UtcNanos, who: Who, observation: &Observation, decoy: DecoyView<'_>) -> Self {
        let source = match who {
            Who::Many => Source { ip: Ipv4Addr::UNSPECIFIED.into(), mac: Mac::default(), port: 0 },
            _ => Source { port: 0, ..observation.source },
        };
        let stage = Stage::of(observation);
        let incident = Incident {
            id: incident_id(now, who, observation),
            state: IncidentState::Open,
            severity: stage.severity(),
            title: String::new(),
            source,
            network: decoy.network.to_string(),
            opened: observation.time,
            updated: observation.time.min(now),
            observations: 0,
            decoys: 0,
            ports: 0,
            credentials: 0,
            tools: Vec::new(),
            techniques: Vec::new(),
            first_alarm_ms: 0,
        };
        Self {
            incident,
            who,
            alarm_from: observation.time,
            stage,
            traces: BTreeMap::new(),
            decoys: Distinct::default(),
            ports: Distinct::default(),
            pace: Pace::default(),
        }
    }

    /// Takes over what the same source did before it raised an alarm.
    pub(super) fn adopt(&mut self, watch: &Watch, observation: &Observation, budget: &mut Budget) {
        let start = observation.time.0.saturating_sub(SWEEP_WINDOW.0);
        for asked in watch.asked.iter().filter(|asked| asked.last.0 >= start) {
            self.incident.opened = self.incident.opened.min(asked.first);
            if is_neighbour_request(observation.kind) {
                self.alarm_from = self.alarm_from.min(asked.first);
            }
            self.incident.observations += asked.count;
            self.decoys.insert_ip(asked.decoy, budget);
            self.pace.note(asked.first, asked.decoy);
            self.traces.entry(Stage::Discovery).or_default().note_decoy(Kind::ArpRequest, asked.decoy, budget);
            self.note_techniques(&["T1018"]);
        }
    }

    /// Takes one observation.
    pub(super) fn grow(&mut self, now: UtcNanos, observation: &Observation, decoy: DecoyView<'_>, budget: &mut Budget) {
        let incident = &mut self.incident;
        incident.opened = incident.opened.min(observation.time);
        // A sensor's clock that runs ahead must not keep an incident open for ever.
        incident.updated = incident.updated.max(observation.time.min(now));
        incident.observations = incident.observations.saturating_add(u64::from(observation.count));
        if observation.kind == Kind::Credential && !is_bare(&observation.detail) {
            incident.credentials = incident.credentials.saturating_add(u64::from(observation.count));
        }
        if self.who != Who::Many {
            incident.source.mac = observation.source.mac;
        }
        self.decoys.insert_ip(decoy.ip, budget);
        self.note_ports(observation, budget);
        self.note_stage(observation, decoy, budget);
        self.note_techniques(&techniques(observation));
        self.note_tools(observation, decoy.ip);
        self.incident.decoys = self.decoys.count();
        self.incident.ports = self.ports.count();
        self.incident.title = title::of(self);
    }

    pub(super) fn chunks(&self) -> usize {
        let traces: usize = self.traces.values().map(Trace::chunks).sum();
        self.decoys.chunks() + self.ports.chunks() + traces
    }

    fn note_ports(&mut self, observation: &Observation, budget: &mut Budget) {
        if observation.ports.is_empty() {
            self.ports.insert_port(observation.transport, observation.port, budget);
        }
        for &port in &observation.ports {
            self.ports.insert_port(observation.transport, port, budget);
        }
    }

    fn note_stage(&mut self, observation: &Observation, decoy: DecoyView<'_>, budget: &mut Budget) {
        let stage = Stage::of(observation);
        self.traces.entry(stage).or_default().note(observation, decoy, budget);
        self.stage = self.stage.max(stage);
        self.incident.severity = self.incident.severity.max(stage.severity());
    }

    fn note_techniques(&mut self, found: &[&str]) {
        for &technique in found {
            if let Err(place) = self.incident.techniques.binary_search_by(|known| known.as_str().cmp(technique)) {
                self.incident.techniques.insert(place, technique.into());
            }
        }
    }

    /// Marks of single packets, and what only the sequence of packets shows.
    fn note_tools(&mut self, observation: &Observation, decoy: IpAddr) {
        if observation.kind == Kind::ArpRequest && self.who != Who::Many {
            self.pace.note(observation.time, decoy);
        }
        if let Some(tool) = observation.tool {
            self.note_tool(tool);
        }
        let touched =
            self.traces.values().filter(|trace| !trace.saw_only(&[Kind::ArpRequest])).map(Trace::decoys).sum();
        let Some(discovery) = self.traces.get_mut(&Stage::Discovery) else { return };
        if let Some(tool) = self.pace.tool(discovery.tools(), touched) {
            discovery.tools_extend(Some(tool));
            self.note_tool(tool);
        }
    }

    fn note_tool(&mut self, tool: Tool) {
        if !self.incident.tools.contains(&tool) {
            self.incident.tools.push(tool);
        }
    }
}

fn is_bare(detail: &Detail) -> bool {
    matches!(detail, Detail::Credential { secret_kind, .. } if secret_kind == Detail::NOTHING)
}

/// A version 7 UUID of the time of opening, with the fraction of its millisecond (RFC 9562 §6.2, method 3). Its random part
/// is a hash, so that the same first observation opens the same incident when it is handled again by a hub that was
/// killed before it could commit.
fn incident_id(now: UtcNanos, who: Who, observation: &Observation) -> EventId {
    let mut hasher = DefaultHasher::new();
    (who, observation.id).hash(&mut hasher);
    let fraction = u16::try_from(now.0 % 1_000_000 * 4_096 / 1_000_000).unwrap_or(0);
    EventId::new(now, fraction, hasher.finish())
}
