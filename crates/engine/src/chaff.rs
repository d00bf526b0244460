//! The traffic that decoys make of themselves: births told by ARP, then now and then a question for the gateway or
//! for a neighbour. One budget for the whole fleet; the moments are drawn so that each decoy keeps a time of its own.

use core::net::{IpAddr, Ipv4Addr};

use chaff_wire::Mac;

use crate::{
    chance::Chance,
    engine::{Run, Timer},
    fleet::{DecoyView, Fleet},
    part::chaff_interval,
    spec::ChaffSpec,
};

/// A question is for the gateway so often, in a hundred; else for a fellow decoy.
const GATEWAY_SHARE: u32 = 70;
/// A decoy asks so many times an hour at the most, however large the budget: more is not seen of a real host.
const QUESTIONS_PER_HOUR: u64 = 60;
/// Frames made in one go when the host woke late; what is beyond is skipped, not made up for.
const MAX_BACKLOG: u32 = 64;
/// Pause between two announcements (RFC 5227 ANNOUNCE_INTERVAL); probes come after one to two seconds (PROBE_MIN, PROBE_MAX).
const ANNOUNCE_INTERVAL_NS: u64 = 2_000_000_000;
/// Probes, and announcements, of one birth at most; no system sends more (RFC 5227 PROBE_NUM is 3).
const MAX_BIRTH_FRAMES: u8 = 4;
const HOUR_NS: u64 = 3_600_000_000_000;

#[derive(Debug)]
pub(crate) struct Chaff {
    /// Mean nanoseconds between two frames; 0: no chaff.
    interval: u64,
    next: u64,
    decoys: u32,
    /// Births announced so far, counted in announcements.
    born: u32,
    /// The order of births: a full cycle through the decoys that looks shuffled.
    start: u32,
    stride: u32,
}

impl Chaff {
    /// Chaff of `decoys` of a fleet that has `all` of them; 0: it has no others.
    pub(crate) fn new(spec: ChaffSpec, decoys: usize, all: u32, now: u64, chance: &mut Chance) -> Self {
        let decoys = u32::try_from(decoys).unwrap_or(u32::MAX);
        let mut chaff = Self {
            interval: chaff_interval(spec, decoys, all),
            next: now,
            decoys,
            born: 0,
            start: chance.below(decoys.max(1)),
            stride: stride(decoys, chance),
        };
        chaff.schedule(now, 1, chance);
        chaff
    }

    pub(crate) fn next_wake(&self) -> Option<u64> {
        (self.interval != 0).then_some(self.next)
    }

    /// The decoy whose birth comes next.
    fn birth(&mut self) -> Option<u32> {
        if self.born >= self.decoys {
            return None;
        }
        let place = u64::from(self.start) + u64::from(self.born) * u64::from(self.stride);
        self.born += 1;
        u32::try_from(place % u64::from(self.decoys)).ok()
    }

    /// Draws the time of the next turn, after one that costs `frames`: spread around the mean so that the moments carry
    /// no rhythm.
    fn schedule(&mut self, from: u64, frames: u64, chance: &mut Chance) {
        let mean = if self.born < self.decoys {
            self.interval.saturating_mul(frames)
        } else {
            self.interval.max(HOUR_NS / QUESTIONS_PER_HOUR / u64::from(self.decoys.max(1)))
        };
        // The product of two uniform numbers has a mean of a quarter; four times that has the mean wanted, mostly short
        // waits and now and then a long one.
        let product = u128::from(chance.next_u32()) * u128::from(chance.next_u32());
        let wait = (u128::from(mean) * 4).saturating_mul(product >> 32) >> 32;
        self.next = from.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX).max(1));
    }
}

impl Run {
    pub(crate) fn make_chaff(&mut self, fleet: &Fleet, now: u64) {
        if self.chaff.next_wake().is_none() {
            return;
        }
        let mut made = 0;
        while self.chaff.next <= now {
            if made == MAX_BACKLOG {
                self.chaff.next = now;
                self.chaff.schedule(now, 1, &mut self.chance);
                return;
            }
            made += 1;
            let from = self.chaff.next;
            let frames = self.take_turn(fleet, now);
            self.chaff.schedule(from, frames, &mut self.chance);
        }
    }

    /// One birth while there are decoys to be born, then one question. Gives the number of frames that it costs.
    fn take_turn(&mut self, fleet: &Fleet, now: u64) -> u64 {
        if let Some(decoy) = self.chaff.birth() {
            let Some(view) = fleet.view(decoy) else { return 1 };
            let frames = birth_frames(&view);
            if frames == 0 {
                // A system that does not announce itself is first heard when it looks for its router.
                self.counters.chaff += 1;
                let target = view.gateway_v4().unwrap_or_else(|| view.v4());
                self.arp_question(&view, view.v4(), target, Mac::BROADCAST);
                return 1;
            }
            self.give_birth(fleet, now, decoy, 0);
            return u64::from(frames);
        }
        let Some(decoy) = fleet.view(self.chance.below(self.chaff.decoys)) else { return 1 };
        if let Some(target) = self.whom_to_ask(fleet, &decoy) {
            self.counters.chaff += 1;
            self.arp_question(&decoy, decoy.v4(), target, Mac::BROADCAST);
        }
        1
    }

    /// The next frame of a birth: first probes whether the address is free, then announcements that it is taken, a
    /// second or two apart (RFC 5227 §2.1.1, §2.3).
    pub(crate) fn give_birth(&mut self, fleet: &Fleet, now: u64, decoy: u32, step: u8) {
        let Some(view) = fleet.view(decoy) else { return };
        if step >= birth_frames(&view) {
            return;
        }
        self.counters.chaff += 1;
        let probing = step < view.stack.rules.arp.probe.min(MAX_BIRTH_FRAMES);
        let sender = if probing { Ipv4Addr::UNSPECIFIED } else { view.v4() };
        self.arp_question(&view, sender, view.v4(), Mac::BROADCAST);
        let jitter = if probing { u64::from(self.chance.below(1_000_000_000)) } else { ANNOUNCE_INTERVAL_NS / 2 };
        let at = now.saturating_add(ANNOUNCE_INTERVAL_NS / 2).saturating_add(jitter);
        if step + 1 < birth_frames(&view) {
            self.wheel.set(at, Timer::Birth(decoy, step + 1));
        }
    }

    fn whom_to_ask(&mut self, fleet: &Fleet, decoy: &DecoyView<'_>) -> Option<Ipv4Addr> {
        if let Some(gateway) = decoy.gateway_v4()
            && self.chance.below(100) < GATEWAY_SHARE
        {
            return Some(gateway);
        }
        let (network, ip) = if fleet.fellows.is_empty() {
            let other = fleet.view(self.chance.below(self.chaff.decoys))?;
            (other.spec.network, other.spec.ip)
        } else {
            // Also those of other workers: who asks for whom must not tell which decoys belong together.
            fleet.fellows.at(self.chance.below(fleet.fellows.len()))?
        };
        match ip {
            IpAddr::V4(ip) if network == decoy.spec.network && ip != decoy.v4() => Some(ip),
            _ => None,
        }
    }
}

/// Frames that a decoy sends at its birth.
fn birth_frames(decoy: &DecoyView<'_>) -> u8 {
    let rules = &decoy.stack.rules.arp;
    rules.probe.min(MAX_BIRTH_FRAMES) + rules.announce.min(MAX_BIRTH_FRAMES)
}

/// A step that visits each of `decoys` places once: coprime to their number, near the golden section of it.
fn stride(decoys: u32, chance: &mut Chance) -> u32 {
    let mut stride = (decoys / 13 * 8).saturating_add(chance.below(decoys / 8 + 1)).max(1);
    while gcd(stride, decoys.max(1)) != 1 {
        stride += 1;
    }
    stride
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
