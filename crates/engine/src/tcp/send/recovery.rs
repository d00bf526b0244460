//! What acknowledgments and timeouts say of the segments that are on their way: which are lost, and how many may be
//! (RFC 5681, RFC 6298, RFC 6582, RFC 2018 with the pipe of RFC 6675, and of RFC 8985 what Linux shows).

use alloc::collections::VecDeque;

use super::{Fin, PROBE_SLACK_NS, Send, Seq, Timeout, timers::Purpose};

/// Ranges that the peer said it has; more than a window of holes is not worth keeping.
const MAX_SACKED: usize = 64;
/// Duplicate acknowledgments that mean a loss (RFC 5681 §3.2).
const DUPLICATES: u32 = 3;

impl Send {
    /// An acceptable acknowledgment. `bare` says that the segment carried neither data nor FIN nor SYN.
    pub(crate) fn acknowledge(
        &mut self,
        now: u64,
        seq: Seq,
        ack: Seq,
        window: u32,
        bare: bool,
        blocks: impl Iterator<Item = (Seq, Seq)>,
    ) {
        let newer = self.window_seq.before(seq) || self.window_seq == seq && !ack.before(self.window_ack);
        let opened = newer && self.window == 0 && window > 0;
        let same_window = window == self.window;
        if newer {
            self.largest_window = self.largest_window.max(window);
            self.window = window;
            self.window_seq = seq;
            self.window_ack = ack;
        }
        let mut reported = false;
        for (from, to) in blocks {
            reported |= self.report(from, to);
        }
        if ack.after(self.una) {
            self.advance(now, ack);
        } else if ack == self.una && bare && self.next.after(self.una) && (same_window || reported) {
            self.duplicate();
        }
        if self.recover.is_some() && self.timers.purpose == Purpose::Reorder {
            // The loss was found by counting: nothing is left to wait for but the retransmission's own end.
            self.timers.purpose = Purpose::Resend;
            self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
        }
        if opened {
            self.timers.retries = 0;
            self.timers.deadline = None;
        }
        if self.una == self.next {
            self.timers.deadline = None;
        } else if reported && self.rack {
            self.watch_for_losses(now);
        }
    }

    /// What was sent before something that arrived is lost when it does not arrive soon (RFC 8985 §6.2). The timer
    /// that was set for less than that stays.
    fn watch_for_losses(&mut self, now: u64) {
        if self.recover.is_none() && self.timers.purpose != Purpose::Reorder && !self.sacked.is_empty() {
            self.timers.purpose = Purpose::Reorder;
            self.timers.deadline = Some(self.habits.ticks.deadline(now, PROBE_SLACK_NS));
        }
    }

    /// The timer may be due.
    pub(crate) fn handle_timeout(&mut self, now: u64) -> Timeout {
        if self.timers.deadline.is_none_or(|at| at > now) {
            return Timeout::None;
        }
        match self.timers.purpose {
            Purpose::Resend => {}
            Purpose::Probe => {
                self.probe_tail(now);
                return Timeout::Resend;
            }
            Purpose::Reorder => {
                self.timers.purpose = Purpose::Resend;
                self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
                if let Some(&(_, highest)) = self.sacked.last() {
                    self.enter_recovery();
                    let first = self.sacked.first().map_or(highest, |&(start, _)| start);
                    self.lost_until = self.lost_until.max(first);
                }
                return Timeout::Resend;
            }
        }
        if self.timers.retries >= self.timers.max_retries {
            return Timeout::GiveUp;
        }
        self.timers.retries += 1;
        self.probe = None;
        self.timers.timeout = self.timers.timeout.saturating_mul(2).min(self.timers.most);
        self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
        self.timers.timed = None;
        if self.next == self.una {
            self.forced = self.window > 0;
            return if self.forced { Timeout::Resend } else { Timeout::Probe };
        }
        // RFC 5681 §3.1 (4) and RFC 2018 §8: after a timeout nothing that was reported counts any more.
        if self.timers.retries == 1 {
            self.threshold = self.after_loss();
        }
        self.congestion = self.segment;
        self.sacked.clear();
        self.duplicates = 0;
        self.recover = Some(self.next);
        self.lost_until = self.next;
        self.resent = self.una;
        Timeout::Resend
    }

    /// The timer of a loss probe has come: something new if there is, else the last segment again.
    fn probe_tail(&mut self, now: u64) {
        self.timers.purpose = Purpose::Resend;
        self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
        let data_end = self.una.plus(self.buffered());
        let fresh = data_end.after(self.next) && self.una.plus(self.window).after(self.next);
        if fresh {
            // One segment beyond what congestion allows, and however small it is.
            self.small = None;
            self.congestion = self.congestion.max(self.in_flight() + self.segment);
        } else {
            let fin = u32::from(self.fin == Fin::Sent && self.next == data_end.plus(1));
            let octets = self.next.minus(fin).since(self.una);
            let last = if fin == 1 || octets == 0 { 0 } else { (octets - 1) % self.segment_now() + 1 };
            self.resent = self.next.minus(last + fin).max(self.una);
            self.lost_until = self.next;
        }
        self.probe = Some(self.next);
        self.timers.timed = None;
    }

    fn advance(&mut self, now: u64, ack: Seq) {
        let acked = ack.since(self.una);
        self.acknowledged = self.acknowledged.saturating_add(acked);
        if self.probe.is_some_and(|until| !ack.before(until)) {
            self.probe = None;
        }
        if self.small.is_some_and(|until| !ack.before(until)) {
            self.small = None;
        }
        let data = usize::try_from(acked).unwrap_or(0).min(self.buffer.len());
        self.buffer.drain(..data);
        if self.buffer.is_empty() {
            self.buffer = VecDeque::new();
        }
        self.una = ack;
        self.sacked.retain(|&(_, end)| end.after(ack));
        self.resent = self.resent.max(ack);
        self.lost_until = self.lost_until.max(ack);
        self.duplicates = 0;
        if let Some((end, sent)) = self.timers.timed
            && !ack.before(end)
        {
            self.timers.timed = None;
            self.timers.measure(now.saturating_sub(sent));
        }
        if self.timers.retries > 0 {
            self.timers.retries = 0;
            self.timers.restore();
        }
        self.arm(now);
        match self.recover {
            Some(recover) if ack.before(recover) => {
                // A partial acknowledgment: the next hole is lost as well (RFC 6582 §3.2).
                if self.sacked.is_empty() && self.lost_until == ack {
                    self.lost_until = ack.plus(self.segment).min(recover);
                }
                if self.congestion < self.threshold {
                    self.congestion = self.congestion.saturating_add(acked.min(self.segment));
                }
            }
            Some(_) => {
                self.recover = None;
                self.congestion = self.congestion.max(self.threshold.min(self.in_flight().max(self.segment) * 2));
            }
            None if self.congestion < self.threshold => {
                self.congestion = self.congestion.saturating_add(acked.min(2 * self.segment));
            }
            None => {
                let step = u64::from(self.segment) * u64::from(self.segment) / u64::from(self.congestion.max(1));
                self.congestion = self.congestion.saturating_add(u32::try_from(step.max(1)).unwrap_or(1));
            }
        }
    }

    fn duplicate(&mut self) {
        self.duplicates = self.duplicates.saturating_add(1);
        if self.recover.is_some() {
            self.mark_lost();
            if self.sacked.is_empty() {
                // Each duplicate says that one segment has left the network.
                self.congestion = self.congestion.saturating_add(self.segment);
            }
            return;
        }
        if self.duplicates < DUPLICATES {
            return;
        }
        self.enter_recovery();
        self.mark_lost();
    }

    /// The oldest segment is lost; recovery lasts until all that was sent by now is acknowledged.
    fn enter_recovery(&mut self) {
        self.threshold = self.after_loss();
        self.congestion = self.threshold;
        self.recover = Some(self.next);
        self.resent = self.una;
        self.lost_until = self.una.plus(self.segment_now()).min(self.next);
    }

    /// What lies before the highest range that arrived, three segments of reports later, is lost (RFC 6675 §4, IsLost).
    fn mark_lost(&mut self) {
        let mut above = 0u32;
        for &(start, end) in self.sacked.iter().rev() {
            above = above.saturating_add(end.since(start));
            if above >= DUPLICATES * self.segment {
                self.lost_until = self.lost_until.max(start);
                return;
            }
        }
    }

    /// Adds a range that the peer has; `true` if it is news.
    fn report(&mut self, from: Seq, to: Seq) -> bool {
        if !from.before(to) || from.before(self.una) || to.after(self.next) {
            return false;
        }
        if self.sacked.iter().any(|&(start, end)| !from.before(start) && !to.after(end)) {
            return false;
        }
        let mut joined = (from, to);
        self.sacked.retain(|&(start, end)| {
            let apart = end.before(joined.0) || start.after(joined.1);
            if !apart {
                joined = (joined.0.min(start), joined.1.max(end));
            }
            apart
        });
        let at = self.sacked.partition_point(|&(start, _)| start.before(joined.0));
        self.sacked.insert(at, joined);
        self.sacked.truncate(MAX_SACKED);
        true
    }

    /// Octets believed to be on their way (RFC 6675 §4, pipe).
    pub(super) fn in_flight(&self) -> u32 {
        let sent = self.next.since(self.una);
        let reported: u32 = self.sacked.iter().map(|&(start, end)| end.since(start)).sum();
        let from = self.resent.max(self.una);
        let mut lost = self.lost_until.since(from);
        for &(start, end) in &self.sacked {
            lost = lost.saturating_sub(end.min(self.lost_until).since(start.max(from)));
        }
        sent.saturating_sub(reported).saturating_sub(lost)
    }

    /// The peer met congestion (RFC 3168 §6.1.2).
    pub(crate) fn slow_down(&mut self) {
        self.threshold = self.after_loss();
        self.congestion = self.congestion.min(self.threshold.max(self.segment));
    }

    /// The congestion window that a loss leaves.
    pub(super) fn after_loss(&self) -> u32 {
        (self.in_flight() / 10 * self.habits.keeps_tenths).max(2 * self.segment)
    }
}
