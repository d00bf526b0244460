//! ARP as the personality has it (RFC 826, RFC 5227): who is answered, and how a decoy asks.

use core::net::Ipv4Addr;

use chaff_events::{Detail, Kind, Transport};
use chaff_wire::{Mac, arp, ethernet};

use crate::{
    counters::{DropReason, Verdict},
    engine::{Arrival, Run, sight, source},
    fleet::{DecoyView, Fleet},
    personality::Arp,
    visitor,
};

impl Run {
    pub(crate) fn arp(&mut self, fleet: &Fleet, arrival: Arrival, octets: &[u8], snap: bool) -> Verdict {
        let Some(packet) = arp::Packet::parse(octets) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        if arrival.destination == Mac::BROADCAST {
            self.overheard.note(&self.chance, arrival.now, (arrival.link, arrival.vlan), &packet);
        }
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
        self.neighbour_asked(decoy, arrival.now, packet.sender_ip, packet.sender_mac);
        Verdict::Answered
    }

    /// A reply, as a rule to a question that the decoy asked: no intruder's doing.
    fn arp_reply(&mut self, decoy: &DecoyView<'_>, arrival: Arrival, packet: &arp::Packet) -> Verdict {
        let to_all = arrival.destination.is_group();
        self.neighbour_told(decoy, arrival.now, packet.sender_ip, packet.sender_mac, to_all);
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
