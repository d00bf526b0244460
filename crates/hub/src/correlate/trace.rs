//! What the source of an incident did at one stage: what a title counts and names.

use chaff_events::{Detail, Kind, Observation, Tool, Transport};
use serde::{Deserialize, Serialize};

use super::distinct::{Budget, Distinct};
use crate::{DecoyView, json::text, print::plain};

/// User names that are kept: one more than a title shows.
const MAX_NAMES: usize = 3;
/// Octets of a user name that a title shows: the longest that Linux allows (useradd(8)).
const MAX_NAME: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trace {
    decoys: Distinct,
    /// Name of the first decoy touched; empty while only requests from before the alarm are counted.
    decoy: String,
    /// Bit `k` is set when an observation of kind `Kind::ALL[k]` was seen.
    kinds: u32,
    /// In order of their first mark.
    tools: Vec<Tool>,
    /// What was touched first, and whether anything else was.
    target: Option<Target>,
    more_ports: bool,
    more_services: bool,
    /// The first user names, each once, as a title can show them.
    names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Target {
    service: String,
    transport: Transport,
    port: u16,
}

impl Trace {
    /// Takes one observation.
    pub(super) fn note(&mut self, observation: &Observation, decoy: DecoyView<'_>, budget: &mut Budget) {
        self.note_decoy(observation.kind, decoy.ip, budget);
        if self.decoy.is_empty() {
            decoy.name.clone_into(&mut self.decoy);
        }
        let own = (observation.ports.is_empty() && observation.port != 0).then_some(&observation.port);
        for &port in observation.ports.iter().chain(own) {
            self.note_port(observation, port);
        }
        self.tools_extend(observation.tool);
        if let Detail::Credential { username, .. } = &observation.detail {
            self.note_name(username);
        }
    }

    fn note_name(&mut self, octets: &[u8]) {
        let name = plain(&text(octets.get(..MAX_NAME).unwrap_or(octets)));
        if !name.is_empty() && self.names.len() < MAX_NAMES && !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// User names that were tried, in order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Takes a decoy that was touched by a packet of this kind before the alarm.
    pub(super) fn note_decoy(&mut self, kind: Kind, ip: std::net::IpAddr, budget: &mut Budget) {
        self.kinds |= bit(kind);
        self.decoys.insert_ip(ip, budget);
    }

    /// Takes a tool that was used.
    pub(super) fn tools_extend(&mut self, tool: Option<Tool>) {
        if let Some(tool) = tool.filter(|tool| !self.tools.contains(tool)) {
            self.tools.push(tool);
        }
    }

    pub(super) fn decoys(&self) -> u32 {
        self.decoys.count()
    }

    pub(super) fn chunks(&self) -> usize {
        self.decoys.chunks()
    }

    pub(super) fn tools(&self) -> &[Tool] {
        &self.tools
    }

    pub(super) fn saw(&self, kind: Kind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// Whether nothing but these kinds was seen.
    pub(super) fn saw_only(&self, kinds: &[Kind]) -> bool {
        self.kinds & !kinds.iter().fold(0, |all, &kind| all | bit(kind)) == 0
    }

    /// The decoy's name if it is only one, else how many.
    pub(super) fn whom(&self) -> String {
        match self.decoys.count() {
            1 if !self.decoy.is_empty() => self.decoy.clone(),
            1 => "1 decoy".into(),
            decoys => format!("{decoys} decoys"),
        }
    }

    /// Whether a port was touched at all.
    pub(super) fn has_port(&self) -> bool {
        self.target.is_some()
    }

    /// The port, if no other was touched.
    pub(super) fn only_port(&self) -> Option<String> {
        self.target.as_ref().filter(|_| !self.more_ports).map(Target::port_text)
    }

    /// The service, by its name or its port.
    pub(super) fn service(&self) -> String {
        let Some(target) = &self.target else { return "a service".into() };
        let name = if target.service.is_empty() { target.port_text() } else { target.service.clone() };
        if self.more_services { format!("{name} and others") } else { name }
    }

    fn note_port(&mut self, observation: &Observation, port: u16) {
        let (service, transport) = (&observation.service, observation.transport);
        let Some(first) = &self.target else {
            self.target = Some(Target { service: service.clone(), transport, port });
            return;
        };
        let same_port = (first.transport, first.port) == (transport, port);
        self.more_ports |= !same_port;
        self.more_services |= first.service != *service || (service.is_empty() && !same_port);
    }
}

impl Target {
    fn port_text(&self) -> String {
        format!("{}/{}", self.port, self.transport.name())
    }
}

fn bit(kind: Kind) -> u32 {
    1 << (kind as u32)
}
