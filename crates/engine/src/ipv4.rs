//! Receiving IPv4: what a host accepts (RFC 1122 §3.2.1), reassembly, and the way to each protocol.

use core::net::Ipv4Addr;

use chaff_events::{Detail, Kind, Transport};
use chaff_wire::{
    Mac, icmpv4,
    ipv4::{self, Datagram},
};

use crate::{
    clock::Ticks,
    counters::{DropReason, Verdict},
    engine::{Arrival, Run, Timer, sight, source},
    fleet::{DecoyView, Fleet},
    ip_options,
    personality::OptionRule,
    reassembly::{Assembled, Key},
};

/// Loose and strict source route (RFC 791 §3.1); hosts have refused both for decades.
const SOURCE_ROUTES: [u8; 2] = [131, 137];

/// A whole datagram for one decoy, with where it came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) arrival: Arrival,
    pub(crate) ip: Datagram<'a>,
    /// Options of the header of an answer; `None`: the received ones allow none.
    pub(crate) options: Option<&'a [u8]>,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(arrival: Arrival, ip: Datagram<'a>) -> Self {
        Self { arrival, ip, options: Some(&[]) }
    }
}

impl Run {
    pub(crate) fn ipv4(&mut self, fleet: &Fleet, arrival: Arrival, octets: &[u8]) -> Verdict {
        let Some(ip) = Datagram::parse(octets) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        let Some(decoy) = fleet.find(arrival.link, arrival.vlan, ip.destination.into()).and_then(|i| fleet.view(i))
        else {
            return self.ipv4_broadcast(fleet, arrival, ip);
        };
        let group = arrival.destination.is_group();
        if !group && arrival.destination != decoy.spec.mac {
            return Verdict::Dropped(DropReason::WrongMac);
        }
        if let Some(reason) = refused(&decoy, &arrival, &ip) {
            return Verdict::Dropped(reason);
        }
        // In a broadcast frame a host answers an echo request, its UDP services answer, and nothing else does (measured).
        if group && ip.protocol != ipv4::ICMP && ip.protocol != ipv4::UDP {
            return Verdict::Dropped(DropReason::Multicast);
        }
        if !ip.options.is_empty() && decoy.stack.rules.ip.options == OptionRule::Reflect {
            return self.reflected(fleet, &decoy, arrival, ip);
        }
        self.accept(fleet, &decoy, Delivery::new(arrival, ip))
    }

    /// A datagram with options, for a host that minds them.
    fn reflected(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, arrival: Arrival, ip: Datagram<'_>) -> Verdict {
        let time = self.time_of_day(decoy, arrival.now);
        match ip_options::reflect(ip.options, decoy.v4(), time) {
            Ok(reflected) if reflected.routed => Verdict::Dropped(DropReason::Options),
            Ok(reflected) => {
                // What the host has filled in is in the header from here on, its checksum is as it came.
                let mut header = ip.header.get(..ipv4::HEADER).unwrap_or(&[]).to_vec();
                header.extend_from_slice(&reflected.received);
                let ip = Datagram { header: &header, options: &reflected.received, ..ip };
                self.accept(fleet, decoy, Delivery { arrival, ip, options: reflected.answer.as_deref() })
            }
            Err(ip_options::WrongAt(at, answer)) => {
                let delivery = Delivery { arrival, ip, options: Some(&answer) };
                self.icmp_error_about(decoy, delivery, (icmpv4::PARAMETER_PROBLEM, 0), [at, 0, 0, 0])
            }
        }
    }

    fn accept(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        if delivery.ip.is_fragment() {
            return self.fragment(fleet, decoy, delivery);
        }
        self.deliver(fleet, decoy, delivery)
    }

    fn deliver(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        match delivery.ip.protocol {
            ipv4::TCP => self.tcp(fleet, decoy, delivery),
            ipv4::ICMP => self.icmp(decoy, delivery),
            ipv4::UDP => self.udp(fleet, decoy, delivery),
            protocol => {
                let from = source(delivery.ip.source, delivery.arrival.source, 0);
                let seen = sight(decoy, from, Kind::IpOther, Transport::Ip, 0, "", None);
                self.see(delivery.arrival.now, seen, || Detail::Ip { protocol, kind: 0, code: 0 });
                if decoy.stack.rules.icmp.protocol_unreachable && protocol != ipv4::IGMP {
                    self.unreachable(decoy, delivery, icmpv4::PROTOCOL_UNREACHABLE)
                } else {
                    Verdict::Observed
                }
            }
        }
    }

    /// A datagram to everybody. Only the ping of somebody who wants to know who is there concerns a decoy.
    fn ipv4_broadcast(&mut self, fleet: &Fleet, arrival: Arrival, ip: Datagram<'_>) -> Verdict {
        if !is_for_everybody(arrival.destination, &ip) {
            return Verdict::Dropped(DropReason::NotOurs);
        }
        let mut verdict = Verdict::Dropped(DropReason::NotOurs);
        for decoy in (0..fleet.len()).filter_map(|i| fleet.view(u32::try_from(i).ok()?)) {
            let here = decoy.network.link == arrival.link && decoy.network.vlan == arrival.vlan;
            // A frame to one card is heard by that card alone, whatever the datagram inside says.
            let heard = arrival.destination.is_group() || arrival.destination == decoy.spec.mac;
            let meant = ip.destination == Ipv4Addr::BROADCAST || decoy.broadcast() == Some(ip.destination);
            if !decoy.stack.rules.icmp.broadcast_echo || !here || !heard || !meant {
                continue;
            }
            if refused(&decoy, &arrival, &ip).is_none() {
                verdict = self.icmp(&decoy, Delivery::new(arrival, ip));
            }
        }
        verdict
    }

    fn fragment(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>, delivery: Delivery<'_>) -> Verdict {
        let Delivery { arrival, ip, .. } = delivery;
        let key = Key { decoy: decoy.index, source: ip.source.into(), id: ip.id, protocol: ip.protocol };
        let rules = &decoy.stack.rules.fragments;
        let ticks = Ticks::new(decoy.stack.rules.connection.timer_tick_ms, decoy.spec.seed);
        let timeout = ticks.deadline(arrival.now, u64::from(rules.timeout_ms) * 1_000_000);
        let wheel = &mut self.wheel;
        let set = |index| wheel.set(timeout, Timer::Reassembly(index));
        match self.reassembler.add(key, &ip, arrival.source, rules.overlap, set) {
            Assembled::Waiting { orphan } => {
                self.wheel.cancel(orphan);
                Verdict::Dropped(DropReason::Fragment)
            }
            Assembled::Refused { orphan, timer } => {
                self.wheel.cancel(orphan);
                self.wheel.cancel(timer);
                Verdict::Dropped(DropReason::Fragment)
            }
            Assembled::Whole { octets, timer } => {
                self.wheel.cancel(timer);
                match Datagram::parse(&octets) {
                    Some(ip) => self.deliver(fleet, decoy, Delivery::new(arrival, ip)),
                    None => Verdict::Dropped(DropReason::Malformed),
                }
            }
        }
    }

    pub(crate) fn reassembly_due(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some((key, mac, first)) = self.reassembler.expire(index) else { return };
        let Some(decoy) = fleet.view(key.decoy) else { return };
        let (Some(first), true) = (first, decoy.stack.rules.fragments.time_exceeded) else { return };
        let Some(ip) = Datagram::parse(&first) else { return };
        let arrival = Arrival {
            now,
            link: decoy.network.link,
            vlan: decoy.network.vlan,
            source: mac,
            destination: decoy.spec.mac,
        };
        let error = (icmpv4::TIME_EXCEEDED, icmpv4::REASSEMBLY_EXCEEDED);
        let unused = decoy.stack.rules.icmp.error_unused.to_be_bytes();
        let _ = self.icmp_error_about(&decoy, Delivery::new(arrival, ip), error, unused);
    }
}

/// Whether a datagram that is for no decoy's own address may concern all of them: the ping of everybody. Where a fleet
/// has several parts, it goes to each.
pub(crate) fn is_for_everybody(to: Mac, ip: &Datagram<'_>) -> bool {
    let broadcast = ip.destination == Ipv4Addr::BROADCAST || to == Mac::BROADCAST;
    broadcast && ip.protocol == ipv4::ICMP && !ip.is_fragment()
}

/// What a host throws away before it looks at the protocol.
fn refused(decoy: &DecoyView<'_>, arrival: &Arrival, ip: &Datagram<'_>) -> Option<DropReason> {
    let from = ip.source;
    if !ip.checksum_holds() {
        return Some(DropReason::Checksum);
    }
    let impossible = from.is_loopback() || from.is_multicast() || from.is_broadcast() || from.is_unspecified();
    if impossible || from == decoy.v4() || Some(from) == decoy.broadcast() || arrival.source.is_group() {
        return Some(DropReason::BadSource);
    }
    if decoy.gateway().is_none() && !decoy.on_link(from.into()) {
        return Some(DropReason::Unroutable);
    }
    if decoy.stack.rules.ip.options == OptionRule::Route && has_source_route(ip.options) {
        return Some(DropReason::Options);
    }
    None
}

fn has_source_route(options: &[u8]) -> bool {
    let mut rest = options;
    while let Some((&kind, after)) = rest.split_first() {
        match kind {
            0 => return false,
            1 => rest = after,
            _ if SOURCE_ROUTES.contains(&kind) => return true,
            _ => {
                let length = after.first().map_or(0, |&l| usize::from(l));
                match rest.get(length..) {
                    Some(next) if length >= 2 => rest = next,
                    _ => return false,
                }
            }
        }
    }
    false
}
