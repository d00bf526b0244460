//! ARP as the personality has it (RFC 826, RFC 5227), and the neighbour cache with its unicast verification.

use core::net::{IpAddr, Ipv4Addr};

use chaff_events::{Detail, Kind, Transport};
use chaff_wire::{Mac, arp, ethernet};

use crate::{
    clock::Ticks,
    counters::{DropReason, Verdict},
    engine::{Arrival, Run, Timer, sight, source},
    fleet::{DecoyView, Fleet},
    peer::NeighbourState,
    personality::Arp,
    timer::TimerId,
    visitor,
};

/// Pause between two questions of a verification (Linux: RETRANS_TIMER, one second).
const PROBE_INTERVAL_NS: u64 = 1_000_000_000;

impl Run {
    pub(crate) fn arp(&mut self, fleet: &Fleet, arrival: Arrival, octets: &[u8], snap: bool) -> Verdict {
        let Some(packet) = arp::Packet::parse(octets) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        // Somebody announces or claims an address by naming it as his own.
        if let Some(decoy) = fleet.find(arrival.link, arrival.vlan, packet.sender_ip.into()).and_then(|i| fleet.view(i))
        {
            return self.arp_claim(&decoy, arrival, &packet);
        }
        let Some(decoy) = fleet.find(arrival.link, arrival.vlan, packet.target_ip.into()).and_then(|i| fleet.view(i))
        else {
            return Verdict::Dropped(DropReason::NotOurs);
        };
        // Of the groups, only those came this far that the card listens to; in these hosts answer ARP as in a broadcast.
        if !arrival.destination.is_group() && arrival.destination != decoy.spec.mac {
            return Verdict::Dropped(DropReason::WrongMac);
        }
        match packet.operation {
            arp::REQUEST => self.arp_request(&decoy, arrival, &packet, snap),
            arp::REPLY => self.arp_reply(&decoy, arrival, &packet),
            _ => Verdict::Dropped(DropReason::Protocol),
        }
    }

    fn arp_request(&mut self, decoy: &DecoyView<'_>, arrival: Arrival, packet: &arp::Packet, snap: bool) -> Verdict {
        let from = source(packet.sender_ip, arrival.source, 0);
        let tool = visitor::of_arp(packet).tool;
        self.see(arrival.now, sight(decoy, from, Kind::ArpRequest, Transport::Arp, 0, "", tool), || Detail::None);
        if !answers(&decoy.stack.rules.arp, decoy, packet, snap) {
            return Verdict::Observed;
        }
        let reply = arp::Packet::new(arp::REPLY, (decoy.spec.mac, decoy.v4()), (packet.sender_mac, packet.sender_ip));
        let path = Self::path(decoy, packet.sender_mac);
        self.out.frame(path, ethernet::ARP, |out| reply.emit(out));
        Verdict::Answered
    }

    /// A reply to a question that a decoy asked.
    fn arp_reply(&mut self, decoy: &DecoyView<'_>, arrival: Arrival, packet: &arp::Packet) -> Verdict {
        let Some(index) = self.peers.find(decoy.index, packet.sender_ip.into(), &self.chance) else {
            return Verdict::Dropped(DropReason::Silent);
        };
        let reachable = u64::from(decoy.stack.rules.arp.reachable_ms) * 1_000_000;
        if let Some(peer) = self.peers.get_mut(index) {
            let timer = core::mem::replace(&mut peer.neighbour.timer, TimerId::NONE);
            peer.neighbour.state = NeighbourState::Reachable;
            peer.neighbour.mac = packet.sender_mac;
            peer.verify_due = arrival.now.saturating_add(reachable);
            self.wheel.cancel(timer);
        }
        // The decoy itself asked: this is an answer to chaff, not an intruder's doing.
        Verdict::Dropped(DropReason::Silent)
    }

    /// A packet whose sender address is a decoy's: a conflict, unless the decoy's own card sent it (a frame that a
    /// switch or a bridge gave back).
    fn arp_claim(&mut self, decoy: &DecoyView<'_>, arrival: Arrival, packet: &arp::Packet) -> Verdict {
        if arrival.source == decoy.spec.mac {
            return Verdict::Dropped(DropReason::BadSource);
        }
        let from = source(packet.sender_ip, arrival.source, 0);
        let detail = Detail::Conflict { mac: packet.sender_mac };
        self.see(arrival.now, sight(decoy, from, Kind::ArpConflict, Transport::Arp, 0, "", None), || detail);
        if !decoy.stack.rules.arp.defend {
            return Verdict::Observed;
        }
        // Once in ten seconds at most: two defenders would shout at each other for ever (RFC 5227 §2.4 (b)).
        let Some(host) = self.hosts.of(decoy.index) else { return Verdict::Observed };
        if !defence_due(&mut host.defended_s, arrival.now) {
            return Verdict::Observed;
        }
        self.announce(decoy);
        Verdict::Answered
    }

    /// A gratuitous request: the decoy names its own address (RFC 5227 §2.3).
    pub(crate) fn announce(&mut self, decoy: &DecoyView<'_>) {
        self.arp_question(decoy, decoy.v4(), decoy.v4(), Mac::BROADCAST);
    }

    /// A question by a decoy.
    pub(crate) fn arp_question(&mut self, decoy: &DecoyView<'_>, sender: Ipv4Addr, target: Ipv4Addr, to: Mac) {
        let request = arp::Packet::new(arp::REQUEST, (decoy.spec.mac, sender), (Mac::ZERO, target));
        let path = Self::path(decoy, to);
        self.out.frame(path, ethernet::ARP, |out| request.emit(out));
    }

    /// An answer went to `remote` by way of `mac`: the neighbour that it went through is verified some seconds later,
    /// as a host does that used an address it only overheard.
    pub(crate) fn neighbour_used(&mut self, decoy: &DecoyView<'_>, now: u64, peer: u32, remote: IpAddr, mac: Mac) {
        let rules = &decoy.stack.rules.arp;
        if rules.verify_ms == 0 {
            return;
        }
        let due = self.peers.get_mut(peer).is_some_and(|p| now >= p.verify_due);
        if !due {
            return;
        }
        let reachable = now.saturating_add(u64::from(rules.reachable_ms) * 1_000_000);
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.verify_due = reachable;
        }
        let next_hop = if decoy.on_link(remote) { remote } else { decoy.gateway().unwrap_or(remote) };
        let Some(hop) = self.peer(decoy, next_hop) else { return };
        let Some(entry) = self.peers.get_mut(hop) else { return };
        let fresh = entry.neighbour.state == NeighbourState::Reachable && next_hop != remote && now < entry.verify_due;
        let asking = matches!(entry.neighbour.state, NeighbourState::Delay | NeighbourState::Probe(_));
        if fresh || asking {
            return;
        }
        entry.verify_due = reachable;
        entry.neighbour.mac = mac;
        entry.neighbour.state = NeighbourState::Delay;
        let ticks = Ticks::new(decoy.stack.rules.connection.timer_tick_ms, decoy.spec.seed);
        let at = ticks.deadline(now, u64::from(rules.verify_ms) * 1_000_000);
        entry.neighbour.timer = self.wheel.set(at, Timer::Neighbour(hop));
    }

    /// TCP to `remote` has moved forward: it is there, and need not be asked (RFC 4861 §7.3.1; Linux does so for IPv4).
    pub(crate) fn neighbour_confirmed(&mut self, decoy: &DecoyView<'_>, now: u64, remote: IpAddr) {
        let rules = &decoy.stack.rules.arp;
        if rules.verify_ms == 0 || !decoy.on_link(remote) {
            return;
        }
        let Some(peer) = self.peers.find(decoy.index, remote, &self.chance).and_then(|i| self.peers.get_mut(i)) else {
            return;
        };
        if matches!(peer.neighbour.state, NeighbourState::Delay | NeighbourState::Probe(_)) {
            peer.neighbour.state = NeighbourState::Reachable;
            peer.verify_due = now.saturating_add(u64::from(rules.reachable_ms) * 1_000_000);
            let timer = core::mem::replace(&mut peer.neighbour.timer, TimerId::NONE);
            self.wheel.cancel(timer);
        }
    }

    pub(crate) fn neighbour_due(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        peer.neighbour.timer = TimerId::NONE;
        let Some(decoy) = fleet.view(peer.decoy) else { return };
        let asked = match peer.neighbour.state {
            NeighbourState::Delay => 0,
            NeighbourState::Probe(asked) => asked,
            NeighbourState::Stale | NeighbourState::Reachable => return,
        };
        if asked > decoy.stack.rules.arp.verify_retries {
            peer.neighbour.state = NeighbourState::Stale;
            return;
        }
        peer.neighbour.state = NeighbourState::Probe(asked.saturating_add(1));
        let (remote, mac) = (peer.remote, peer.neighbour.mac);
        let ticks = Ticks::new(decoy.stack.rules.connection.timer_tick_ms, decoy.spec.seed);
        peer.neighbour.timer = self.wheel.set(ticks.deadline(now, PROBE_INTERVAL_NS), Timer::Neighbour(index));
        if let IpAddr::V4(remote) = remote {
            self.arp_question(&decoy, decoy.v4(), remote, mac);
        }
    }
}

/// Whether ten seconds have passed since the last defence (RFC 5227 DEFEND_INTERVAL).
fn defence_due(last_s: &mut u32, now: u64) -> bool {
    const DEFEND_INTERVAL_S: u32 = 10;
    let now_s = ((now / 1_000_000_000) & 0xffff_ffff) as u32;
    let due = *last_s == 0 || now_s.wrapping_sub(*last_s) >= DEFEND_INTERVAL_S;
    if due {
        *last_s = now_s.max(1);
    }
    due
}

/// What the eleven probes of arp-fingerprint ask, in their order.
fn answers(rules: &Arp, decoy: &DecoyView<'_>, packet: &arp::Packet, snap: bool) -> bool {
    let sender = packet.sender_ip;
    let sender_allowed = if sender == Ipv4Addr::UNSPECIFIED {
        rules.sender_zero
    } else if sender == Ipv4Addr::BROADCAST {
        rules.sender_broadcast
    } else if sender.is_loopback() {
        rules.sender_loopback
    } else if sender.is_multicast() {
        false
    } else {
        decoy.on_link(sender.into()) || rules.sender_foreign
    };
    let hardware_allowed = match packet.hardware {
        arp::ETHERNET => true,
        arp::IEEE_802 => rules.hardware_ieee802,
        _ => rules.hardware_unknown,
    };
    sender_allowed
        && hardware_allowed
        && (packet.protocol == ethernet::IPV4 || rules.protocol_unknown)
        && (packet.hardware_length == 6 && packet.protocol_length == 4 || rules.length_wrong)
        && (!snap || rules.snap)
        && (!packet.sender_mac.is_group() || rules.sender_group)
}
