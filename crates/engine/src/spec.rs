//! The compiled fleet: plain data, complete (no file is read after it), the only thing that an engine is made from.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::net::IpAddr;

use chaff_services::{Account, ServiceSpec};
use chaff_wire::Mac;
use serde::{Deserialize, Serialize};

use crate::personality::Personality;

/// All decoys of one sensor, or the part of one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetSpec {
    /// Name of the sensor.
    pub sensor: String,
    /// Networks, by index.
    pub networks: Vec<NetworkSpec>,
    /// Personalities, by index.
    pub personalities: Vec<Personality>,
    /// Services, by index.
    pub services: Vec<ServiceSpec>,
    /// What groups of decoys are, by index.
    pub profiles: Vec<ProfileSpec>,
    /// The decoys; their index is their [`DecoyId`](chaff_events::DecoyId).
    pub decoys: Vec<DecoySpec>,
    /// Traffic that the fleet makes of itself.
    pub chaff: ChaffSpec,
    /// What part of the sensor's fleet this is.
    #[serde(default)]
    pub part: PartSpec,
}

/// What part of a sensor's fleet a worker has, and what it must know of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartSpec {
    /// How many workers have decoys, this one included: they share the fleet's limits and budgets.
    pub sharers: u16,
    /// The addresses of all decoys of the fleet, this part's included; none where this is the whole fleet.
    pub fleet: Vec<AddressRun>,
    /// How much memory the engine may count on.
    #[serde(default)]
    pub room: Room,
}

/// How much memory an engine may count on: what its tables hold at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// That of a process of the host.
    #[default]
    Process,
    /// That of a virtual machine of its own, some megabytes for one decoy.
    Machine,
}

/// Decoys of one network at addresses that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddressRun {
    /// Index into [`FleetSpec::networks`].
    pub network: u16,
    /// The first address.
    pub first: IpAddr,
    /// How many.
    pub count: u32,
}

impl Default for PartSpec {
    /// The whole fleet.
    fn default() -> Self {
        Self { sharers: 1, fleet: Vec::new(), room: Room::Process }
    }
}

/// One network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Which of the sensor's interfaces it is on, counted from 0.
    pub link: u16,
    /// 802.1Q VLAN on that interface.
    pub vlan: Option<u16>,
    /// Network address.
    pub subnet: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
    /// The router that decoys resolve and answer through.
    pub gateway: Option<IpAddr>,
}

/// What a group of decoys is, all overlays applied. One personality and one table of ports, shared by many decoys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileSpec {
    /// Name of the profile in the catalogue.
    pub name: String,
    /// Index into [`FleetSpec::personalities`].
    pub personality: u16,
    /// TCP ports.
    pub tcp: PortTable,
    /// UDP ports.
    pub udp: PortTable,
    /// Logins that succeed, planted for intruders to find.
    pub accounts: Arc<[Account]>,
    /// The serial number that services tell, where it was chosen for the only decoy that has this profile; else each
    /// decoy's comes from its seed.
    pub serial: Option<Box<str>>,
}

/// What is behind each port of one transport. Ranges are ascending and do not overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortTable {
    /// Ranges of ports, both ends included.
    pub ranges: Vec<(u16, u16, Port)>,
    /// All others.
    pub default: Port,
}

/// What is behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Port {
    /// Index into [`FleetSpec::services`].
    Service(u16),
    /// Accepts, says nothing.
    Open,
    /// Refuses as the personality does.
    Closed,
    /// Drops.
    Filtered,
}

/// One decoy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoySpec {
    /// Host name.
    pub name: String,
    /// Hardware address.
    pub mac: Mac,
    /// Address.
    pub ip: IpAddr,
    /// Index into [`FleetSpec::networks`].
    pub network: u16,
    /// Index into [`FleetSpec::profiles`].
    pub profile: u16,
    /// The decoy's own seed, derived from the install's secret: keys, serials, boot time and skew come from it.
    pub seed: [u8; 16],
}

/// Traffic that the fleet makes of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChaffSpec {
    /// Budget for all decoys together.
    pub packets_per_second: u32,
}

impl PortTable {
    /// What is behind `port`.
    #[must_use]
    pub fn at(&self, port: u16) -> Port {
        let after = self.ranges.partition_point(|&(first, _, _)| first <= port);
        match after.checked_sub(1).and_then(|i| self.ranges.get(i)) {
            Some(&(_, last, what)) if port <= last => what,
            _ => self.default,
        }
    }

    /// The first `most` open ports that are named.
    pub(crate) fn open(&self, most: usize) -> Vec<u16> {
        let open = self.ranges.iter().filter(|(.., what)| matches!(what, Port::Service(_) | Port::Open));
        open.flat_map(|&(first, last, _)| first..=last).take(most).collect()
    }
}
