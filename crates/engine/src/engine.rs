//! The interface that hosts program against, and what all parts of the engine share.

use core::{fmt, mem::replace, net::IpAddr};

use chaff_events::{Detail, Kind, Observation, Source, Tool, Transport, UtcNanos};
use chaff_services::Shared;
use chaff_wire::{
    Mac,
    ethernet::{self, Content, Frame},
};

use crate::{
    chaff::Chaff,
    chance::Chance,
    clock::Clock,
    counters::{Counters, DropReason, Usage, Verdict},
    fleet::{DecoyView, Fleet, Hosts},
    observe::{Observer, Sight},
    outbox::{Outbox, Path, To},
    overheard::Overheard,
    part::{Audience, Fellows, Share},
    peer::Peers,
    reassembly::Reassembler,
    spec::{FleetSpec, Port},
    tcp::Tables,
    timer::Wheel,
};

/// Work that the engine gives out.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "handed over once by value, never kept in a collection")]
pub enum Output<'a> {
    /// Send this frame on that link. Unpadded; the host's card or ring pads it.
    Transmit {
        /// The interface, as [`NetworkSpec::link`](crate::spec::NetworkSpec::link) counts them.
        link: u16,
        /// The frame.
        frame: &'a [u8],
    },
    /// Tell the operator.
    Observe(Observation),
    /// Call [`Engine::handle_wake`] at this time; replaces what was asked for before.
    Wake(u64),
}

/// The fleet at work.
///
/// Sans-io: feed it frames and time by the `handle_*` verbs, then take work out of `poll` until there is none.
/// It does not log, open, read or remember anything beyond its bounded tables.
pub struct Engine {
    fleet: Fleet,
    run: Run,
    announced_wake: Option<u64>,
}

/// All that changes while the engine runs; the fleet does not.
pub(crate) struct Run {
    pub(crate) hosts: Hosts,
    pub(crate) peers: Peers,
    pub(crate) overheard: Overheard,
    pub(crate) tcp: Tables,
    pub(crate) reassembler: Reassembler,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) out: Outbox,
    pub(crate) observer: Observer,
    pub(crate) chance: Chance,
    pub(crate) clock: Clock,
    pub(crate) chaff: Chaff,
    pub(crate) counters: Counters,
    /// What conversations of all decoys share.
    pub(crate) shared: Shared,
}

/// What a timer is for; the number is an index into the table that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    HalfOpen(u32),
    Connection(u32),
    TimeWait(u32),
    Neighbour(u32),
    Reassembly(u32),
    /// A decoy is being born: so many of its probes and announcements are out.
    Birth(u32, u8),
}

/// Where a frame came from, on the layer below IP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) now: u64,
    pub(crate) link: u16,
    pub(crate) vlan: Option<u16>,
    pub(crate) source: Mac,
    pub(crate) destination: Mac,
}

impl Engine {
    /// An engine for `spec`. `entropy` is the chance of this run; `now` is the monotone clock (ns) and `utc` the time
    /// of day at that moment.
    #[must_use]
    pub fn new(spec: FleetSpec, entropy: [u8; 32], now: u64, utc: UtcNanos) -> Self {
        let mut chance = Chance::new(entropy);
        let share = Share::new(&spec.part);
        let fellows = Fellows::new(&spec);
        let chaff = Chaff::new(spec.chaff, spec.decoys.len(), fellows.len(), now, &mut chance);
        let fleet = Fleet::new(spec, fellows, &mut chance);
        let run = Run {
            hosts: Hosts::new(fleet.len()),
            peers: Peers::new(share),
            overheard: Overheard::new(),
            tcp: Tables::new(share),
            reassembler: Reassembler::new(share),
            wheel: Wheel::new(now),
            out: Outbox::new(share),
            observer: Observer::new(now, share),
            chance,
            clock: Clock::new(now, utc),
            chaff,
            counters: Counters::default(),
            shared: Shared::default(),
        };
        Self { fleet, run, announced_wake: None }
    }

    /// A frame was received at `now` on `link`. A VLAN tag is expected in the octets.
    pub fn handle_frame(&mut self, now: u64, link: u16, frame: &[u8]) -> Verdict {
        let verdict = self.run.frame(&self.fleet, now, link, frame);
        self.run.counters.add(verdict);
        verdict
    }

    /// Whom a frame concerns that was received on `link`. Where the fleet has several parts, the host asks before it
    /// hands the frame over, and passes on what concerns others; what it was passed itself it hands over at once.
    #[must_use]
    pub fn audience(&self, link: u16, frame: &[u8]) -> Audience {
        self.fleet.audience(link, frame)
    }

    /// The time asked for has come. May be called early or late, never harms.
    pub fn handle_wake(&mut self, now: u64) {
        let (fleet, run) = (&self.fleet, &mut self.run);
        while let Some(timer) = run.wheel.expire(now) {
            match timer {
                Timer::HalfOpen(index) => run.half_open_due(fleet, now, index),
                Timer::Connection(index) => run.connection_due(fleet, now, index),
                Timer::TimeWait(index) => run.tcp.end_time_wait(index),
                Timer::Neighbour(index) => run.neighbour_due(fleet, now, index),
                Timer::Reassembly(index) => run.reassembly_due(fleet, now, index),
                Timer::Birth(decoy, step) => run.give_birth(fleet, now, decoy, step),
            }
        }
        run.observer.handle_wake(now, &mut run.chance, &mut run.out);
        run.make_chaff(fleet, now);
        self.announced_wake = None;
    }

    /// The wall clock reads `utc` at `now`.
    pub fn handle_clock(&mut self, now: u64, utc: UtcNanos) {
        self.run.clock.set(now, utc);
    }

    /// The next piece of work; `None` when there is none until the next `handle_*`.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        if let Some(observation) = self.run.out.next_observation() {
            return Some(Output::Observe(observation));
        }
        if self.run.out.is_idle() {
            self.run.out.reuse();
            let wake = self.next_wake();
            return if replace(&mut self.announced_wake, wake) == wake { None } else { wake.map(Output::Wake) };
        }
        self.run.out.next_frame().map(|(link, frame)| Output::Transmit { link, frame })
    }

    /// Counts since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.run.counters
    }

    /// How full the tables are.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            peers: self.run.peers.len(),
            half_open: self.run.tcp.half_open(),
            connections: self.run.tcp.connections(),
            time_wait: self.run.tcp.time_wait(),
            reassemblies: self.run.reassembler.len(),
            held: self.run.tcp.held(),
            waiting: self.run.out.waiting(),
        }
    }

    fn next_wake(&self) -> Option<u64> {
        let run = &self.run;
        [run.wheel.next(), run.observer.next_wake(), run.chaff.next_wake()].into_iter().flatten().min()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("decoys", &self.fleet.len())
            .field("counters", &self.run.counters)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

/// 224.0.0.1, all systems: the one IPv4 group that every host is a member of (RFC 1112 §4).
pub(crate) const ALL_SYSTEMS: Mac = Mac([0x01, 0x00, 0x5e, 0x00, 0x00, 0x01]);

impl Run {
    fn frame(&mut self, fleet: &Fleet, now: u64, link: u16, octets: &[u8]) -> Verdict {
        let Some(frame) = Frame::parse(octets) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        let destination = frame.destination;
        if destination.is_group() && destination != Mac::BROADCAST && destination != ALL_SYSTEMS {
            return Verdict::Dropped(DropReason::Multicast);
        }
        let arrival = Arrival { now, link, vlan: frame.vlan(), source: frame.source, destination };
        match frame.content {
            Content::Type(ethernet::ARP, packet) => self.arp(fleet, arrival, packet, false),
            Content::Type(ethernet::IPV4, datagram) => self.ipv4(fleet, arrival, datagram),
            Content::Llc([0xaa, 0xaa, 3, 0, 0, 0, 8, 6, packet @ ..]) => self.arp(fleet, arrival, packet, true),
            Content::Type(..) | Content::Llc(_) => Verdict::Dropped(DropReason::Protocol),
        }
    }

    /// The way to a card.
    pub(crate) fn path(decoy: &DecoyView<'_>, to: Mac) -> Path {
        Path { link: decoy.network.link, vlan: decoy.network.vlan, from: decoy.spec.mac, to: To::Card(to) }
    }

    /// Records a sight that may be folded.
    pub(crate) fn see(&mut self, now: u64, sight: Sight<'_>, detail: impl FnOnce() -> Detail) {
        self.observer.see(now, sight, &self.clock, &mut self.chance, &mut self.out, detail);
    }

    /// Records a sight that stands for itself.
    pub(crate) fn tell(&mut self, now: u64, sight: Sight<'_>, detail: Detail) {
        self.observer.tell(now, sight, detail, &self.clock, &mut self.chance, &mut self.out);
    }
}

/// Builds a sight of an IP packet.
#[allow(clippy::too_many_arguments)]
pub(crate) fn sight<'a>(
    decoy: &DecoyView<'a>,
    source: Source,
    kind: Kind,
    transport: Transport,
    port: u16,
    service: &'a str,
    tool: Option<Tool>,
) -> Sight<'a> {
    Sight { decoy: decoy.index, source, kind, transport, port, service, tool }
}

/// The name of the service behind a port, empty if none.
pub(crate) fn service_name(fleet: &Fleet, port: Port) -> &str {
    match port {
        Port::Service(index) => fleet.services.get(usize::from(index)).map_or("", |service| &service.name),
        Port::Open | Port::Closed | Port::Filtered => "",
    }
}

/// A source.
pub(crate) fn source(ip: impl Into<IpAddr>, mac: Mac, port: u16) -> Source {
    Source { ip: ip.into(), mac, port }
}
