//! What arrives on a connection, and when it is acknowledged (RFC 5681 §4.2; of Linux net/ipv4/tcp_input.c).

use chaff_wire::tcp::{Flags, Segment};

use super::{Connection, Limits, QUICK_ACKS, stamp_of};
use crate::{
    personality::Acknowledge,
    tcp::{ROOM_FOR_ALL, receive::Arrived, seq::Seq},
};

impl Connection {
    pub(super) fn handle_data(&mut self, now: u64, segment: &Segment<'_>, limits: Limits) {
        let fin = segment.flags.has(Flags::FIN);
        if segment.payload.is_empty() && !fin {
            return;
        }
        let seq = Seq(segment.seq);
        let before = self.receive.next;
        if self.receive.space.is_some()
            && !segment.payload.is_empty()
            && seq == before
            && self.receive.advertised() == 0
        {
            // A probe of the closed window: nothing is taken (RFC 9293 §3.8.6.1).
            self.be_quick(QUICK_ACKS);
            self.ack.now = true;
            return;
        }
        if limits.crowded && !segment.payload.is_empty() && self.receive.held() >= ROOM_FOR_ALL {
            // No memory: as if it had been lost on the way.
            return;
        }
        if let (Some(space), Some((_, echo))) = (&mut self.receive.space, stamp_of(segment)) {
            space.note_echo(now, echo, u32::try_from(segment.payload.len()).unwrap_or(0));
        }
        let arrived = self.receive.take(seq, segment.payload, fin);
        let fresh = self.receive.next.since(before);
        self.received = self.received.saturating_add(u64::from(fresh));
        self.ack.unacknowledged = self.ack.unacknowledged.saturating_add(fresh);
        if limits.urgent_apart && segment.flags.has(Flags::URG) && segment.urgent > 0 {
            self.receive.take_out(now, seq.plus(u32::from(segment.urgent) - 1));
        }
        if limits.acknowledge == Acknowledge::Adaptive {
            let old = !seq.plus(segment.sequence_length()).after(before);
            if old {
                self.receive.note_duplicate(seq, seq.plus(segment.sequence_length()));
            }
            let length = u32::try_from(segment.payload.len()).unwrap_or(0);
            if arrived == Arrived::Disorder
                && seq.after(before)
                && let Some(space) = &mut self.receive.space
            {
                space.receive_early(length, self.sack);
            }
            self.adapt(now, arrived, fresh, fin && !old, limits);
            return;
        }
        match arrived {
            Arrived::InOrder => {
                if self.ack.quick > 0 {
                    self.ack.quick -= 1;
                    self.ack.now = true;
                } else if self.ack.unacknowledged >= 2 * limits.segment {
                    self.ack.now = true;
                } else if self.ack.due.is_none() {
                    self.ack.due = Some(limits.ticks.deadline(now, limits.ack_delay));
                }
            }
            Arrived::Disorder | Arrived::Nothing => self.ack.now = true,
        }
    }

    /// When to acknowledge, as Linux decides it (net/ipv4/tcp_input.c, tcp_event_data_recv, __tcp_ack_snd_check).
    fn adapt(&mut self, now: u64, arrived: Arrived, fresh: u32, fin: bool, limits: Limits) {
        if arrived == Arrived::Nothing && !fin {
            self.be_quick(QUICK_ACKS);
            self.ack.now = true;
            return;
        }
        if arrived == Arrived::Disorder {
            // A gap is there, or was closed (RFC 5681 §4.2).
            self.ack.now = true;
        }
        let full = self.receive.space.as_ref().map_or(limits.segment, |space| space.segment);
        if fresh > 0 {
            if fresh < full {
                self.ack.small = (self.ack.small + 1).min(2);
            }
            let opened = self.receive.space.as_mut().is_some_and(|space| space.receive(fresh));
            let rest = self.ack.received.map(|at| now.saturating_sub(at));
            match rest {
                None => {
                    self.ack.quick = self.ack.quick.max(QUICK_ACKS);
                    self.ack.patience = limits.ack_delay;
                }
                Some(rest) if rest > self.send.timeout() => self.ack.quick = self.ack.quick.max(QUICK_ACKS),
                Some(rest) if rest <= limits.ack_delay / 2 => {
                    self.ack.patience = self.ack.patience / 2 + limits.ack_delay / 2;
                }
                Some(rest) if rest < self.ack.patience => self.ack.patience = self.ack.patience / 2 + rest,
                Some(_) => {}
            }
            self.ack.received = Some(now);
            if opened {
                self.ack.quick |= 1;
            }
        }
        if fin && !self.receive.has_gap() {
            // The service will see the end, and most answer it at once.
            self.ack.turns = true;
        }
        let full = self.receive.space.as_ref().map_or(limits.segment, |space| space.segment);
        if self.ack.unacknowledged > full || self.ack.quick > 0 && !self.ack.turns {
            self.ack.now = true;
        } else if self.ack.due.is_none() {
            self.ack.due = Some(limits.ticks.deadline(now, limits.ack_delay));
        }
    }
}
