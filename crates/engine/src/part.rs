//! A fleet in several parts: which worker owns a decoy, what a part is told of the others, and whom a frame concerns
//! that one part has received. With a single worker there are no parts, and nothing here costs anything.

use alloc::vec::Vec;
use core::net::IpAddr;

use chaff_wire::{
    Mac, arp,
    ethernet::{self, Content, Frame},
    ipv4::Datagram,
};

use crate::{
    engine::ALL_SYSTEMS,
    fleet::Fleet,
    ipv4::is_for_everybody,
    spec::{AddressRun, ChaffSpec, DecoySpec, FleetSpec, NetworkSpec, PartSpec, Port, PortTable, ProfileSpec, Room},
};

/// The worker that owns the decoy at `ip`, among `workers`: by the low bits of its address, never by flow, so that all
/// that one decoy knows is in one place.
#[must_use]
pub fn owner(ip: IpAddr, workers: usize) -> usize {
    let low_bits = match ip {
        IpAddr::V4(v4) => v4.to_bits(),
        // The filters of the sensor send all of IPv6 to the first worker.
        IpAddr::V6(_) => 0,
    };
    usize::try_from(low_bits).unwrap_or(0).checked_rem(workers).unwrap_or(0)
}

impl FleetSpec {
    /// The part that `worker` of `workers` hosts: its decoys, numbered anew, with their share of the fleet's limits and
    /// budgets. Nothing of what a decoy is changes.
    #[must_use]
    pub fn part(&self, worker: usize, workers: usize) -> Self {
        let mut decoys_of = alloc::vec![0u32; workers.max(1)];
        for decoy in &self.decoys {
            if let Some(count) = decoys_of.get_mut(owner(decoy.ip, workers)) {
                *count = count.saturating_add(1);
            }
        }
        let sharers = decoys_of.iter().filter(|&&count| count > 0).count();
        let sharers = u16::try_from(sharers.max(1)).unwrap_or(u16::MAX);
        let part = PartSpec { sharers, fleet: self.runs(), room: self.part.room };
        self.with(self.decoys.iter().filter(|decoy| owner(decoy.ip, workers) == worker), part)
    }

    /// The decoys whose index `keep` names, numbered anew: a whole fleet that knows nothing of the others.
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self.decoys.iter().enumerate().filter(|(index, _)| keep(*index));
        self.with(kept.map(|(_, decoy)| decoy), PartSpec { room: self.part.room, ..PartSpec::default() })
    }

    /// The same fleet with these of its decoys.
    fn with<'a>(&self, decoys: impl Iterator<Item = &'a DecoySpec>, part: PartSpec) -> Self {
        Self {
            sensor: self.sensor.clone(),
            networks: self.networks.clone(),
            personalities: self.personalities.clone(),
            services: self.services.clone(),
            profiles: self.profiles.clone(),
            decoys: decoys.cloned().collect(),
            chaff: self.chaff,
            part,
        }
    }

    /// The decoy of index `decoy` as a fleet of its own, for a machine of its own: nothing of what it is changes, and
    /// nothing of any other is told, since whoever takes the machine can read it. It asks for its router only, no
    /// oftener than any decoy. Its network is on link 0, with the VLAN that it had. `None` if there is no such decoy.
    #[must_use]
    pub fn alone(&self, decoy: usize) -> Option<Self> {
        let decoy = self.decoys.get(decoy)?;
        let network = self.networks.get(usize::from(decoy.network))?;
        let profile = self.profiles.get(usize::from(decoy.profile))?;
        let personality = self.personalities.get(usize::from(profile.personality))?;
        let mut bound = Vec::new();
        let tcp = renumbered(&profile.tcp, &mut bound)?;
        let udp = renumbered(&profile.udp, &mut bound)?;
        let services = bound.iter().map(|&index| self.services.get(usize::from(index)).cloned());
        let mut own = decoy.clone();
        (own.network, own.profile) = (0, 0);
        Some(Self {
            sensor: self.sensor.clone(),
            networks: alloc::vec![NetworkSpec { link: 0, ..network.clone() }],
            personalities: alloc::vec![personality.clone()],
            services: services.collect::<Option<_>>()?,
            profiles: alloc::vec![ProfileSpec { personality: 0, tcp, udp, ..profile.clone() }],
            decoys: alloc::vec![own],
            chaff: ChaffSpec { packets_per_second: self.chaff.packets_per_second.min(1) },
            part: PartSpec { room: Room::Machine, ..PartSpec::default() },
        })
    }

    /// The addresses of all decoys, neighbours joined.
    fn runs(&self) -> Vec<AddressRun> {
        let mut addresses: Vec<(u16, IpAddr)> = self.decoys.iter().map(|decoy| (decoy.network, decoy.ip)).collect();
        addresses.sort_unstable();
        let mut runs: Vec<AddressRun> = Vec::new();
        for (network, ip) in addresses {
            match runs.last_mut() {
                Some(run) if run.network == network && distance(run.first, ip) == Some(run.count) => run.count += 1,
                _ => runs.push(AddressRun { network, first: ip, count: 1 }),
            }
        }
        runs.shrink_to_fit();
        runs
    }
}

/// `ports` with services numbered by their place in `bound`, to which those are added that are not in it yet.
fn renumbered(ports: &PortTable, bound: &mut Vec<u16>) -> Option<PortTable> {
    let mut number = |port| match port {
        Port::Service(index) => {
            let place = bound.iter().position(|&known| known == index).unwrap_or_else(|| {
                bound.push(index);
                bound.len() - 1
            });
            u16::try_from(place).ok().map(Port::Service)
        }
        other => Some(other),
    };
    let ranges = ports.ranges.iter().map(|&(first, last, port)| Some((first, last, number(port)?)));
    Some(PortTable { ranges: ranges.collect::<Option<_>>()?, default: number(ports.default)? })
}

/// Whom a frame concerns that this engine's host has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Decoys of this engine or nobody: hand it to [`Engine::handle_frame`](crate::Engine::handle_frame).
    Here,
    /// The decoy at this address, which another worker owns, and it alone.
    Decoy(IpAddr),
    /// Decoys of every worker.
    Everybody,
}

impl Fleet {
    /// Whom a frame concerns.
    pub(crate) fn audience(&self, link: u16, octets: &[u8]) -> Audience {
        if self.fellows.is_empty() {
            return Audience::Here;
        }
        let Some(frame) = Frame::parse(octets) else { return Audience::Here };
        let (destination, vlan) = (frame.destination, frame.vlan());
        if destination.is_group() && destination != Mac::BROADCAST && destination != ALL_SYSTEMS {
            return Audience::Here;
        }
        match frame.content {
            Content::Type(ethernet::ARP, packet) | Content::Llc([0xaa, 0xaa, 3, 0, 0, 0, 8, 6, packet @ ..]) => {
                let Some(packet) = arp::Packet::parse(packet) else { return Audience::Here };
                // Whoever names a decoy's address as his own concerns that decoy and not the one that he asks for.
                if self.is_decoy(link, vlan, packet.sender_ip.into()) {
                    self.whose(link, vlan, packet.sender_ip.into())
                } else if destination == Mac::BROADCAST && packet.sender_ip == packet.target_ip {
                    // A host that announces itself: whoever knows it takes note.
                    Audience::Everybody
                } else {
                    self.whose(link, vlan, packet.target_ip.into())
                }
            }
            Content::Type(ethernet::IPV4, datagram) => {
                let Some(ip) = Datagram::parse(datagram) else { return Audience::Here };
                if self.is_decoy(link, vlan, ip.destination.into()) {
                    self.whose(link, vlan, ip.destination.into())
                } else if is_for_everybody(destination, &ip) {
                    Audience::Everybody
                } else {
                    Audience::Here
                }
            }
            Content::Type(..) | Content::Llc(_) => Audience::Here,
        }
    }

    fn is_decoy(&self, link: u16, vlan: Option<u16>, ip: IpAddr) -> bool {
        self.fellows.contains(link, vlan, ip)
    }

    fn whose(&self, link: u16, vlan: Option<u16>, ip: IpAddr) -> Audience {
        let elsewhere = self.is_decoy(link, vlan, ip) && self.find(link, vlan, ip).is_none();
        if elsewhere { Audience::Decoy(ip) } else { Audience::Here }
    }
}

/// The addresses of all decoys of a fleet of which this engine has a part. Small where addresses are neighbours, as
/// they mostly are; at worst 32 octets a decoy.
#[derive(Debug, Default)]
pub(crate) struct Fellows {
    runs: Vec<Fellow>,
    decoys: u32,
}

#[derive(Debug)]
struct Fellow {
    place: (u16, Option<u16>),
    run: AddressRun,
    /// Decoys in all runs before this one.
    before: u32,
}

impl Fellows {
    pub(crate) fn new(spec: &FleetSpec) -> Self {
        let place = |run: &AddressRun| {
            let network = spec.networks.get(usize::from(run.network))?;
            Some((network.link, network.vlan))
        };
        let with_place = |run: &AddressRun| Some(Fellow { place: place(run)?, run: *run, before: 0 });
        let mut runs: Vec<Fellow> = spec.part.fleet.iter().filter_map(with_place).collect();
        runs.sort_unstable_by_key(|fellow| (fellow.place, fellow.run.first));
        let mut decoys = 0u32;
        for fellow in &mut runs {
            fellow.before = decoys;
            decoys = decoys.saturating_add(fellow.run.count);
        }
        Self { runs, decoys }
    }

    /// Whether this engine has the whole fleet.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many decoys the fleet has.
    pub(crate) fn len(&self) -> u32 {
        self.decoys
    }

    /// The network and the address of the decoy number `n`.
    pub(crate) fn at(&self, n: u32) -> Option<(u16, IpAddr)> {
        let after = self.runs.partition_point(|fellow| fellow.before <= n);
        let fellow = self.runs.get(after.checked_sub(1)?)?;
        let step = n - fellow.before;
        (step < fellow.run.count).then(|| (fellow.run.network, advance(fellow.run.first, step)))
    }

    fn contains(&self, link: u16, vlan: Option<u16>, ip: IpAddr) -> bool {
        let sought = ((link, vlan), ip);
        let after = self.runs.partition_point(|fellow| (fellow.place, fellow.run.first) <= sought);
        let Some(fellow) = after.checked_sub(1).and_then(|before| self.runs.get(before)) else { return false };
        fellow.place == sought.0 && distance(fellow.run.first, ip).is_some_and(|step| step < fellow.run.count)
    }
}

/// How far `ip` is behind `first`; `None` if it is before, of the other family, or out of sight.
fn distance(first: IpAddr, ip: IpAddr) -> Option<u32> {
    match (first, ip) {
        (IpAddr::V4(first), IpAddr::V4(ip)) => ip.to_bits().checked_sub(first.to_bits()),
        (IpAddr::V6(first), IpAddr::V6(ip)) => u32::try_from(ip.to_bits().checked_sub(first.to_bits())?).ok(),
        _ => None,
    }
}

fn advance(first: IpAddr, steps: u32) -> IpAddr {
    match first {
        IpAddr::V4(first) => IpAddr::V4(first.to_bits().wrapping_add(steps).into()),
        IpAddr::V6(first) => IpAddr::V6(first.to_bits().wrapping_add(u128::from(steps)).into()),
    }
}

/// What this engine may use of a limit or budget of the whole fleet: every worker that has decoys the same. An intruder
/// decides which decoys he floods, so a share by the number of decoys would leave a small part with next to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    sharers: u16,
    room: Room,
}

/// Tables of an engine with [`Room::Machine`] hold this part of what they hold otherwise: 512 handshakes, as many as one
/// decoy may have anyway, 128 connections with 512 KiB, 512 remote addresses; some 2 MiB with conversations, when full.
const MACHINE: usize = 128;

impl Share {
    /// All of it.
    #[cfg(test)]
    pub(crate) const WHOLE: Self = Self { sharers: 1, room: Room::Process };

    pub(crate) fn new(part: &PartSpec) -> Self {
        Self { sharers: part.sharers.max(1), room: part.room }
    }

    /// This engine's part of `limit` places.
    pub(crate) fn of(self, limit: usize) -> usize {
        let room = match self.room {
            Room::Process => limit,
            Room::Machine => limit / MACHINE,
        };
        (room / usize::from(self.sharers)).max(1)
    }

    /// This engine's part of a budget of `amount` for each time.
    pub(crate) fn of_budget(self, amount: u64) -> u64 {
        (amount / u64::from(self.sharers)).max(1)
    }
}

/// The mean time between two frames of chaff of `own` decoys among `all`, in nanoseconds, so that all parts together
/// stay inside the budget; 0: none.
pub(crate) fn chaff_interval(chaff: ChaffSpec, own: u32, all: u32) -> u64 {
    let frames = u128::from(chaff.packets_per_second) * u128::from(own);
    let interval = (1_000_000_000 * u128::from(all.max(own))).checked_div(frames).unwrap_or(0);
    u64::try_from(interval).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
