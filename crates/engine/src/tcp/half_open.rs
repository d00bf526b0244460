//! Handshakes: the SYN-ACK that the personality makes of what the client offered, sent again on its schedule, and the
//! acknowledgment that makes a connection of it.

mod deferral;
mod negotiation;

use chaff_wire::{
    Mac, tcp,
    tcp::{Flags, OptionList, Segment, TcpOption},
};

use super::{
    Envelope, Flow, Slot,
    admission::MAX_HALF_OPEN_PER_DECOY,
    connection::{Stamps, stamp_of},
    seq::Seq,
};
use crate::{
    arena::NIL,
    clock::Ticks,
    counters::{DropReason, Verdict},
    engine::{Run, Timer},
    fleet::{DecoyView, Fleet},
    ipv4::Delivery,
    isn,
    neighbour::Departure,
    personality::{Ecn, IsnClass, Offered, TimestampOffset},
    stack::{Shape, Taken},
    timer::TimerId,
};

pub(super) use negotiation::{Offer, lay_out};

/// TCP MD5 signature (RFC 2385).
const SIGNATURE: u8 = 19;
/// The highest of the four reserved bits.
pub(super) const RESERVED: u8 = 8;
/// There are 65,536 of them, in about 8 MiB.
const _: () = assert!(size_of::<HalfOpen>() <= 120);

#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfOpen {
    pub(crate) flow: Flow,
    mac: Mac,
    /// The client's number and ours.
    irs: Seq,
    isn: Seq,
    sent_at: u64,
    offered: Offered,
    /// What the client named: segment size, scale, window, timestamp.
    mss: u16,
    scale: u8,
    window: u16,
    stamp: u32,
    stamp_offset: u32,
    ecn: bool,
    /// The client has acknowledged, and the listener waits for its data.
    acknowledged: bool,
    /// Index of the personality's exception that fits this SYN.
    exception: u8,
    retries: u8,
    /// When something unacceptable was answered last.
    answered_invalid: Option<u64>,
    /// When the first SYN-ACK went out, and the latest: only their timestamps can be echoed.
    first_sent_at: u64,
    timer: TimerId,
    /// Neighbours in the line of this decoy's half-open connections.
    older: u32,
    newer: u32,
}

/// What an agreed handshake fixes for the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) flow: Flow,
    pub(super) mac: Mac,
    /// First octets of data: the client's and ours.
    pub(super) receive_next: Seq,
    pub(super) send_next: Seq,
    pub(super) client_mss: u16,
    pub(super) client_window: u16,
    pub(super) window: u16,
    pub(super) send_scale: u8,
    pub(super) receive_scale: u8,
    pub(super) sack: bool,
    pub(super) ecn: bool,
    pub(super) stamps: Option<Stamps>,
    /// How long the handshake took, if nothing was sent twice.
    pub(super) trip: Option<u64>,
    /// The operator was told of the connection.
    pub(super) told: bool,
}

impl Run {
    /// A SYN to an open port.
    pub(super) fn half_open(
        &mut self,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        flow: Flow,
    ) -> Verdict {
        let arrival = delivery.arrival;
        let signed = |option| matches!(option, TcpOption::Unknown(SIGNATURE, body) if body.len() == 16);
        if decoy.stack.rules.tcp.signed_silent && segment.options().any(signed) {
            return Verdict::Observed;
        }
        let mut half = HalfOpen::new(flow, arrival.source, segment, &decoy.stack.exceptions);
        if let Some(exception) = half.exception(decoy.stack) {
            if exception.every_second && self.left_unanswered(decoy, &half) {
                return Verdict::Observed;
            }
            match &exception.answer {
                Taken::Accept => {}
                Taken::Silent => return Verdict::Observed,
                Taken::Reply(told) => return self.reply(decoy, delivery, segment, flow, told, true),
            }
        }
        self.make_room(decoy.index);
        let Some(peer) = self.peer(decoy, flow.remote) else { return Verdict::Dropped(DropReason::Limit) };
        let number = self.initial_number(decoy, arrival.now, &flow, peer);
        half.isn = Seq(number);
        half.sent_at = arrival.now;
        half.first_sent_at = arrival.now;
        half.stamp_offset = self.stamp_offset(decoy, arrival.now, &flow);
        let wants_ecn = segment.flags.has(Flags::ECE) && segment.flags.has(Flags::CWR);
        half.ecn = wants_ecn && decoy.stack.rules.tcp.ecn != Ecn::Off;
        self.send_syn_ack(decoy, arrival.now, &half, Some(peer), delivery.options.unwrap_or(&[]));
        if !decoy.stack.rules.connection.syn_ack_ms.is_empty() {
            let Some(index) = self.tcp.halves.push(half) else { return Verdict::Answered };
            self.tcp.enter(&flow, Slot::HalfOpen(index));
            self.line_up(decoy.index, index);
            self.await_acknowledgment(decoy, arrival.now, index);
        }
        Verdict::Answered
    }

    /// From now on the time runs until the next transmission of the SYN-ACK.
    fn await_acknowledgment(&mut self, decoy: &DecoyView<'_>, now: u64, index: u32) {
        let Some(half) = self.tcp.halves.get_mut(index) else { return };
        self.wheel.cancel(half.timer);
        let wait = wait_ms(&decoy.stack.rules.connection.syn_ack_ms, half.retries);
        half.timer = self.wheel.set(ticks(decoy).deadline(now, wait * 1_000_000), Timer::HalfOpen(index));
    }

    /// A segment to a handshake in progress (RFC 9293 §3.10.7.4, SYN-RECEIVED).
    pub(super) fn half_open_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
    ) -> Verdict {
        let now = delivery.arrival.now;
        let Some(half) = self.tcp.halves.get(index) else { return Verdict::Dropped(DropReason::Silent) };
        let flow = half.flow;
        let flags = segment.flags;
        let seq = Seq(segment.seq);
        let expected = half.irs.plus(1);
        let invalid = u64::from(decoy.stack.rules.connection.invalid_ms) * 1_000_000;
        if invalid > 0 {
            return self.checked_segment(fleet, decoy, delivery, segment, index, invalid);
        }
        if flags.has(Flags::RST) {
            if seq == expected || flags.has(Flags::SYN) {
                self.drop_half(index);
            }
            return Verdict::Observed;
        }
        if flags.has(Flags::SYN) {
            return if seq == half.irs && !flags.has(Flags::ACK) {
                // The SYN again: the same SYN-ACK again.
                let half = *half;
                self.send_syn_ack(decoy, now, &half, None, &[]);
                Verdict::Answered
            } else {
                // Another SYN from the same port: the client has started anew (RFC 9293 §3.10.7.4: back to LISTEN).
                self.drop_half(index);
                self.stray_segment(fleet, decoy, delivery, segment, flow)
            };
        }
        if !flags.has(Flags::ACK) {
            return Verdict::Dropped(DropReason::Silent);
        }
        if Seq(segment.ack) != half.isn.plus(1) {
            return self.stray(decoy, delivery, segment, flow, Shape::Ack, true);
        }
        let window = half.reach(decoy.stack);
        if seq.before(expected) || seq.after(expected.plus(window)) {
            return Verdict::Dropped(DropReason::Silent);
        }
        self.complete(fleet, decoy, delivery, segment, index)
    }

    /// The same with every check that RFC 5961 and RFC 7323 add, in the order in which Linux makes them
    /// (net/ipv4/tcp_minisocks.c, tcp_check_req). `invalid` is the least time between two answers to nonsense.
    fn checked_segment(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
        invalid: u64,
    ) -> Verdict {
        let now = delivery.arrival.now;
        let ticks_then = self.tcp.halves.get(index).map(|half| {
            let at = |time| self.ticks(decoy, time).wrapping_add(half.stamp_offset);
            (at(half.first_sent_at), at(half.sent_at))
        });
        let Some(half) = self.tcp.halves.get_mut(index) else { return Verdict::Dropped(DropReason::Silent) };
        let flow = half.flow;
        let (flags, seq, expected) = (segment.flags, Seq(segment.seq), half.irs.plus(1));
        let stamped = half.offered.has(Offered::TIMESTAMPS);
        let stamp = stamp_of(segment).filter(|_| stamped);
        let old = stamp.is_some_and(|(value, _)| Seq(value).before(Seq(half.stamp)));
        let foreign_echo = stamp.zip(ticks_then).is_some_and(|((_, echo), (first, last))| {
            echo != 0 && (Seq(echo).before(Seq(first)) || Seq(echo).after(Seq(last)))
        });
        let due = half.answered_invalid.is_none_or(|at| now.saturating_sub(at) >= invalid);
        let (syn, ack, rst) = (flags.has(Flags::SYN), flags.has(Flags::ACK), flags.has(Flags::RST));
        if syn && !ack && !rst && seq == half.irs && !old {
            if !due {
                return Verdict::Dropped(DropReason::Limit);
            }
            half.answered_invalid = Some(now);
            half.sent_at = now;
            let half = *half;
            self.send_syn_ack(decoy, now, &half, None, &[]);
            self.await_acknowledgment(decoy, now, index);
            return Verdict::Answered;
        }
        if ack && Seq(segment.ack) != half.isn.plus(1) {
            return self.stray(decoy, delivery, segment, flow, Shape::Ack, true);
        }
        let end = seq.plus(segment.sequence_length());
        let edge = expected.plus(half.reach(decoy.stack));
        let inside = seq == expected || end.after(expected) && seq.before(edge) || seq == edge && end == seq;
        if old || foreign_echo || !inside || rst && seq != expected && seq != half.irs {
            let data = !syn && segment.sequence_length() > 0;
            if rst && !inside || !due && !data {
                return Verdict::Dropped(DropReason::Silent);
            }
            if !data {
                half.answered_invalid = Some(now);
            }
            let half = *half;
            let window = half.own_window(decoy.stack) >> half.shift(decoy.stack);
            let stamps = stamped.then_some(Stamps { offset: half.stamp_offset, recent: half.stamp, recent_at: now });
            self.bare_ack(decoy, delivery, segment, (half.isn.plus(1), half.irs.plus(1)), window, stamps);
            return Verdict::Answered;
        }
        if rst {
            self.drop_half(index);
            return Verdict::Observed;
        }
        if syn && seq != half.irs {
            self.drop_half(index);
            return self.stray(decoy, delivery, segment, flow, Shape::Syn, false);
        }
        if !ack {
            return Verdict::Dropped(DropReason::Silent);
        }
        self.complete(fleet, decoy, delivery, segment, index)
    }

    /// The last segment of the handshake has come.
    fn complete(
        &mut self,
        fleet: &Fleet,
        decoy: &DecoyView<'_>,
        delivery: Delivery<'_>,
        segment: &Segment<'_>,
        index: u32,
    ) -> Verdict {
        if self.held_back(fleet, decoy, delivery, segment, index) {
            return Verdict::Observed;
        }
        // As where a listener's queue is full: the handshake waits, and its SYN-ACK is sent again (tcp(7),
        // tcp_abort_on_overflow).
        if !self.admits(decoy.index, delivery.ip.source.into()) {
            return Verdict::Dropped(DropReason::Limit);
        }
        let agreed = self.agree(decoy, delivery.arrival.now, index);
        self.drop_half(index);
        let Some(agreed) = agreed else { return Verdict::Dropped(DropReason::Limit) };
        self.open_connection(fleet, decoy, delivery, agreed, segment)
    }

    /// The SYN-ACK was not acknowledged in time.
    pub(crate) fn half_open_due(&mut self, fleet: &Fleet, now: u64, index: u32) {
        let Some(half) = self.tcp.halves.get_mut(index) else { return };
        half.timer = TimerId::NONE;
        half.retries = half.retries.saturating_add(1);
        let half = *half;
        let Some(decoy) = fleet.view(half.flow.decoy) else { return };
        let rules = &decoy.stack.rules.connection;
        if usize::from(half.retries) > rules.syn_ack_ms.len() {
            if rules.syn_ack_reset {
                self.give_up(&decoy, now, &half);
            }
            self.drop_half(index);
            return;
        }
        if !half.acknowledged || !half.is_deferred(fleet, &decoy) {
            self.send_syn_ack(&decoy, now, &half, None, &[]);
            if let Some(half) = self.tcp.halves.get_mut(index) {
                half.sent_at = now;
            }
        }
        self.await_acknowledgment(&decoy, now, index);
    }

    fn give_up(&mut self, decoy: &DecoyView<'_>, now: u64, half: &HalfOpen) {
        let header = tcp::Header {
            source: half.flow.local_port,
            destination: half.flow.remote_port,
            seq: half.isn.plus(1).0,
            ack: half.irs.plus(1).0,
            reserved: 0,
            flags: Flags::RST.with(Flags::ACK),
            window: 0,
            urgent: 0,
            options: &[],
        };
        let rule = decoy.stack.rules.ip_id.reset;
        let Departure { id, path } = self.departure(decoy, now, half.flow.remote, half.mac, rule);
        let to = (half.flow.remote, path);
        Self::emit_segment(&mut self.out, decoy, to, id, decoy.stack.rules.ip.df, &header, &[]);
    }

    /// Whether this SYN is the first of two, of which only the second is answered.
    fn left_unanswered(&mut self, decoy: &DecoyView<'_>, half: &HalfOpen) -> bool {
        let bit = 1u16.checked_shl(u32::from(half.exception)).unwrap_or(0);
        let Some(peer) = self.peer(decoy, half.flow.remote).and_then(|peer| self.peers.get_mut(peer)) else {
            return true;
        };
        peer.unanswered ^= bit;
        peer.unanswered & bit != 0
    }

    pub(super) fn initial_number(&mut self, decoy: &DecoyView<'_>, now: u64, flow: &Flow, peer: u32) -> u32 {
        let utc = match decoy.stack.rules.isn.class {
            IsnClass::Uptime { .. } => self.clock.uptime(decoy.spec.seed, now),
            _ => self.clock.utc(now).0,
        };
        let mut nobody = isn::History::default();
        let history = self.peers.get_mut(peer).map_or(&mut nobody, |peer| &mut peer.isn);
        let keyed = self.chance.scatter(flow.hash);
        decoy.stack.isn.next(history, now, utc, keyed, &mut self.chance)
    }

    fn stamp_offset(&self, decoy: &DecoyView<'_>, now: u64, flow: &Flow) -> u32 {
        let wide = match decoy.stack.rules.timestamps.offset {
            TimestampOffset::Boot => 0,
            TimestampOffset::Peer => self.chance.hash_address(flow.decoy, flow.remote, 1),
            // The other half of these bits numbers the connection; who sees one half learns nothing of the other.
            TimestampOffset::Connection => self.chance.scatter(flow.hash) >> 32,
            TimestampOffset::Zero => u64::from(self.ticks(decoy, now).wrapping_neg()),
            TimestampOffset::One => u64::from(1_u32.wrapping_sub(self.ticks(decoy, now))),
            TimestampOffset::Leap { per_second } => {
                let way = u128::from(now) * u128::from(per_second) / 1_000_000_000;
                // A random part as large as leaves every step below half of all numbers, beyond which it would seem smaller.
                let room = (1u64 << 31).saturating_sub(per_second.saturating_mul(15) / 100).clamp(1 << 24, 1 << 30);
                let more = (u128::from(self.chance.scatter(flow.hash) >> 32) * u128::from(room)) >> 32;
                u64::try_from((way + more) & 0xffff_ffff).unwrap_or(0)
            }
        };
        (wide & 0xffff_ffff) as u32
    }

    fn send_syn_ack(&mut self, decoy: &DecoyView<'_>, now: u64, half: &HalfOpen, peer: Option<u32>, reflected: &[u8]) {
        let stack = decoy.stack;
        let rules = &stack.rules;
        let exception = half.exception(stack);
        let mut options = OptionList::new();
        let layout = half.layout(stack);
        let stamped = layout.set().has(Offered::TIMESTAMPS);
        let stamp = if stamped { self.ticks(decoy, now).wrapping_add(half.stamp_offset) } else { 0 };
        let echo = if rules.timestamps.echo_zero { 0 } else { half.stamp };
        let offer = Offer { mss: half.own_mss(stack), scale: rules.tcp.window_scale, stamp, echo };
        lay_out(layout, offer, &mut options);
        let ecn = match rules.tcp.ecn {
            _ if !half.ecn => Flags::NONE,
            Ecn::Off => Flags::NONE,
            Ecn::Accept => Flags::ECE,
            Ecn::Echo => Flags::ECE.with(Flags::CWR),
            Ecn::Cwr => Flags::CWR,
        };
        let header = tcp::Header {
            source: half.flow.local_port,
            destination: half.flow.remote_port,
            seq: half.isn.0,
            ack: half.irs.plus(1).0,
            reserved: if exception.is_some_and(|e| e.reserved) { RESERVED } else { 0 },
            flags: Flags::SYN.with(Flags::ACK).with(ecn),
            window: half.own_window(stack),
            urgent: u16::from(exception.is_some_and(|e| e.urgent)),
            options: options.as_octets(),
        };
        let Departure { id, path } = match peer {
            Some(peer) => self.departure_to(decoy, now, peer, half.mac, rules.ip_id.syn_ack),
            None => self.departure(decoy, now, half.flow.remote, half.mac, rules.ip_id.syn_ack),
        };
        let to = (half.flow.remote, path);
        let df = exception.and_then(|e| e.df).unwrap_or(rules.ip.df);
        let ttl = exception.and_then(|e| e.ttl).unwrap_or(rules.ip.ttl);
        let envelope = Envelope { id, df, ttl, tos: 0, options: reflected };
        Self::emit_in(&mut self.out, decoy, to, &envelope, &header, &[]);
    }

    /// Makes the oldest handshake give way where a limit is reached: this decoy's own, then the fleet's.
    fn make_room(&mut self, decoy: u32) {
        let own = self.hosts.of(decoy).filter(|h| h.half_open >= MAX_HALF_OPEN_PER_DECOY).map(|h| h.half_oldest);
        let victim = match own {
            Some(oldest) => oldest.checked_sub(1),
            None if self.tcp.halves.is_full() => self.tcp.halves.oldest(),
            None => None,
        };
        if let Some(victim) = victim {
            self.drop_half(victim);
        }
    }

    /// Removes a handshake and all that refers to it.
    fn drop_half(&mut self, index: u32) {
        let Some(half) = self.tcp.halves.remove(index) else { return };
        self.wheel.cancel(half.timer);
        self.tcp.forget(&half.flow, Slot::HalfOpen(index));
        let (older, newer) = (half.older, half.newer);
        match self.tcp.halves.get_mut(older) {
            Some(half) => half.newer = newer,
            None => {
                if let Some(host) = self.hosts.of(half.flow.decoy) {
                    host.half_oldest = newer.wrapping_add(1);
                }
            }
        }
        match self.tcp.halves.get_mut(newer) {
            Some(half) => half.older = older,
            None => {
                if let Some(host) = self.hosts.of(half.flow.decoy) {
                    host.half_newest = older.wrapping_add(1);
                }
            }
        }
        if let Some(host) = self.hosts.of(half.flow.decoy) {
            host.half_open = host.half_open.saturating_sub(1);
        }
    }

    /// Puts a new handshake at the end of its decoy's line. Places are kept as index + 1, so that zero is none.
    fn line_up(&mut self, decoy: u32, index: u32) {
        let Some(host) = self.hosts.of(decoy) else { return };
        let newest = host.half_newest.checked_sub(1);
        host.half_newest = index.wrapping_add(1);
        if newest.is_none() {
            host.half_oldest = index.wrapping_add(1);
        }
        host.half_open = host.half_open.saturating_add(1);
        if let Some(half) = self.tcp.halves.get_mut(index) {
            half.older = newest.unwrap_or(NIL);
        }
        if let Some(before) = newest.and_then(|n| self.tcp.halves.get_mut(n)) {
            before.newer = index;
        }
    }
}

/// How long an acknowledgment is waited for after so many time-outs. After the last transmission it is waited for once
/// more, as much longer as the waits grew, before the handshake is forgotten.
fn wait_ms(waits: &[u32], retries: u8) -> u64 {
    if let Some(&wait) = waits.get(usize::from(retries)) {
        return wait.into();
    }
    let mut latest = waits.iter().rev().map(|&wait| u64::from(wait));
    let last = latest.next().unwrap_or(1000);
    latest.next().and_then(|before| (last * last).checked_div(before)).unwrap_or(last)
}

/// The decoy's timers.
fn ticks(decoy: &DecoyView<'_>) -> Ticks {
    Ticks::new(decoy.stack.rules.connection.timer_tick_ms, decoy.spec.seed)
}
