//! The sending half of a connection: the buffer, and which segment goes out next within the peer's window and what
//! congestion allows. What is lost and when the timer is due is in `send/`.

mod recovery;
mod timers;

use alloc::{collections::VecDeque, vec::Vec};

use self::timers::{Purpose, Timers};
use super::seq::Seq;
use crate::{clock::Ticks, personality::ConnectionRules};

/// Octets that wait to be acknowledged at most; a service that says more must wait.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;
/// Initial window in segments (RFC 6928; Linux since 2.6.39, Windows since 10).
const INITIAL_SEGMENTS: u32 = 10;
/// A loss probe waits so much longer than two round trips, that a timer may be late (Linux: TCP_TIMEOUT_MIN).
const PROBE_SLACK_NS: u64 = 8_000_000;
/// Below this window half of it is no bound (RFC 9293 §3.7.1; Linux: TCP_MSS_DEFAULT).
const SMALL_WINDOW: u32 = 536;
/// Octets that a card takes at once.
const CARD_OCTETS: u64 = 65_536;
/// Octets of a header without options, and the least datagram of IP (RFC 791): what bounds a segment from below.
const LEAST_WITH_HEADER: u32 = 68;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    None,
    Queued,
    Sent,
}

#[derive(Debug)]
pub(crate) struct Send {
    /// Oldest octet that is not acknowledged.
    pub(crate) una: Seq,
    /// Next octet to be sent.
    pub(crate) next: Seq,
    /// The peer's window in octets, and the segment it came with (RFC 9293 §3.10.7.4).
    window: u32,
    window_seq: Seq,
    window_ack: Seq,
    segment: u32,
    buffer: VecDeque<u8>,
    fin: Fin,
    congestion: u32,
    threshold: u32,
    duplicates: u32,
    /// Recovery lasts until this is acknowledged.
    recover: Option<Seq>,
    /// Everything before this that is neither acknowledged nor reported is held lost …
    lost_until: Seq,
    /// … and has been sent again up to here.
    resent: Seq,
    sacked: Vec<(Seq, Seq)>,
    timers: Timers,
    /// Largest window that the peer offered, and what it acknowledged in all.
    largest_window: u32,
    acknowledged: u32,
    habits: Habits,
    /// Time finds losses (RFC 8985), and a probe is out until this is acknowledged.
    rack: bool,
    probe: Option<Seq>,
    /// Something small is on its way up to here (RFC 9293 §3.7.4, in Minshall's variant).
    small: Option<Seq>,
    /// The service does not mind if small pieces wait for each other.
    nagle: bool,
    /// Where the latest new segment begins.
    latest: Seq,
    /// A segment goes out however small the window is.
    forced: bool,
    /// Segments that are left of a burst, and whether it is one of several.
    burst: u32,
    bursts: bool,
}

/// What of the personality shapes segments.
#[derive(Clone, Copy, Debug)]
struct Habits {
    keeps_tenths: u32,
    half_window: bool,
    burst_push: bool,
    ticks: Ticks,
}

/// A segment to be sent: where its data starts and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) seq: Seq,
    pub(crate) length: usize,
    pub(crate) fin: bool,
    /// The last octet that waits is in it.
    pub(crate) push: bool,
    /// It is sent for the first time.
    pub(crate) fresh: bool,
}

/// What a timeout asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// It was not due.
    None,
    /// Send again: `next_chunk` has it.
    Resend,
    /// Ask for the peer's window with an empty segment one octet too low.
    Probe,
    /// The peer is gone.
    GiveUp,
}

impl Send {
    /// `una` is the first octet of data, `window` the peer's in octets, `segment` the largest payload, `trip` what the
    /// handshake took if that is known.
    pub(crate) fn new(
        una: Seq,
        window: u32,
        segment: u32,
        trip: Option<u64>,
        rules: &ConnectionRules,
        ticks: Ticks,
    ) -> Self {
        let ms = |ms: u32| u64::from(ms) * 1_000_000;
        let mut timers = Timers {
            smoothed: None,
            variation: 0,
            timeout: ms(rules.rto_initial_ms),
            least: ms(rules.rto_min_ms),
            most: ms(rules.rto_max_ms),
            timed: None,
            deadline: None,
            purpose: Purpose::Resend,
            shortest: u64::MAX,
            retries: 0,
            max_retries: rules.retries,
        };
        if let Some(trip) = trip {
            timers.measure(trip);
        }
        Self {
            una,
            next: una,
            window,
            window_seq: Seq(0),
            window_ack: una,
            segment: segment.max(1),
            buffer: VecDeque::new(),
            fin: Fin::None,
            congestion: INITIAL_SEGMENTS * segment.max(1),
            threshold: u32::MAX,
            duplicates: 0,
            recover: None,
            lost_until: una,
            resent: una,
            sacked: Vec::new(),
            timers,
            largest_window: window,
            acknowledged: 0,
            habits: Habits {
                keeps_tenths: if rules.loss_keeps_tenths == 0 { 5 } else { u32::from(rules.loss_keeps_tenths).min(10) },
                half_window: rules.half_window,
                burst_push: rules.burst_push,
                ticks,
            },
            rack: false,
            probe: None,
            small: None,
            nagle: false,
            latest: una,
            forced: false,
            burst: 0,
            bursts: false,
        }
    }

    /// Time finds losses, where the peer knows SACK; small pieces wait for each other, where the service lets them.
    #[must_use]
    pub(crate) fn with(mut self, rack: bool, nagle: bool) -> Self {
        self.rack = rack;
        self.nagle = nagle;
        self
    }

    /// The retransmission timeout.
    pub(crate) fn timeout(&self) -> u64 {
        self.timers.timeout
    }

    /// How far back an acknowledgment can still be one of ours: the peer's largest window, or less if it has not
    /// acknowledged so much (RFC 5961 §5.2).
    pub(crate) fn acknowledged_window(&self) -> u32 {
        self.largest_window.min(self.acknowledged)
    }

    /// Largest segment now.
    fn segment_now(&self) -> u32 {
        if !self.habits.half_window {
            return self.segment;
        }
        let half = if self.largest_window > SMALL_WINDOW { self.largest_window / 2 } else { self.largest_window };
        if half > 0 && self.segment > half { half.max(LEAST_WITH_HEADER - 32) } else { self.segment }
    }

    pub(crate) fn room(&self) -> usize {
        if self.fin == Fin::None { SEND_BUFFER.saturating_sub(self.buffer.len()) } else { 0 }
    }

    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.extend(octets);
    }

    pub(crate) fn finish(&mut self) {
        if self.fin == Fin::None {
            self.fin = Fin::Queued;
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fin != Fin::None
    }

    pub(crate) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Everything was acknowledged, the FIN too.
    pub(crate) fn fin_acknowledged(&self) -> bool {
        self.fin == Fin::Sent && self.una == self.next && self.buffer.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.timers.deadline
    }

    /// Copies a chunk's data.
    pub(crate) fn read(&self, chunk: Chunk, out: &mut Vec<u8>) {
        let start = usize::try_from(chunk.seq.since(self.una)).unwrap_or(0);
        let end = (start + chunk.length).min(self.buffer.len());
        let (front, back) = self.buffer.as_slices();
        let cut = |slice: &[u8], from: usize, to: usize| {
            let to = to.min(slice.len());
            slice.get(from.min(to)..to).map(<[u8]>::to_vec).unwrap_or_default()
        };
        if start < front.len() {
            out.extend_from_slice(front.get(start..end.min(front.len())).unwrap_or(&[]));
        }
        if end > front.len() {
            out.extend(cut(back, start.saturating_sub(front.len()), end - front.len()));
        }
    }

    /// Sets the timer after data went out or was acknowledged: for a loss probe if that comes first.
    fn arm(&mut self, now: u64) {
        let timeout = self.timers.timeout;
        self.timers.purpose = Purpose::Resend;
        let mut delay = timeout;
        if let Some(trip) = self.timers.smoothed.filter(|_| self.rack && self.recover.is_none() && self.probe.is_none())
        {
            let alone = !self.latest.after(self.una);
            let probe = 2 * trip + if alone { self.timers.least } else { PROBE_SLACK_NS };
            if self.timers.retries == 0 && self.next.after(self.una) && self.sacked.is_empty() {
                self.timers.purpose = Purpose::Probe;
                delay = probe.min(timeout);
            }
        }
        self.timers.deadline = Some(self.habits.ticks.deadline(now, delay));
    }

    /// The next segment that window and congestion allow; its data is in the buffer.
    pub(crate) fn next_chunk(&mut self, now: u64) -> Option<Chunk> {
        let chunk = match self.lost_chunk() {
            Some(chunk) => {
                self.timers.timed = None;
                if self.timers.deadline.is_none() {
                    self.timers.purpose = Purpose::Resend;
                    self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
                }
                chunk
            }
            None => {
                let chunk = self.fresh_chunk(now)?;
                if self.timers.deadline.is_none() || self.rack && self.timers.purpose != Purpose::Reorder {
                    self.arm(now);
                }
                chunk
            }
        };
        Some(chunk)
    }

    fn lost_chunk(&mut self) -> Option<Chunk> {
        let mut from = self.resent.max(self.una);
        for &(start, end) in &self.sacked {
            if !from.before(start) && from.before(end) {
                from = end;
            }
        }
        if !from.before(self.lost_until) {
            return None;
        }
        if self.in_flight() >= self.congestion && self.resent.after(self.una) {
            return None;
        }
        let data_end = self.una.plus(self.buffered());
        let stop = self.sacked.iter().map(|&(start, _)| start).find(|start| start.after(from));
        let mut to = from.plus(self.segment_now()).min(data_end).min(self.lost_until.max(from.plus(1)));
        if let Some(stop) = stop {
            to = to.min(stop);
        }
        let length = to.since(from);
        let fin = self.fin == Fin::Sent && to == data_end;
        self.resent = to.plus(u32::from(fin));
        Some(Chunk { seq: from, length: usize::try_from(length).unwrap_or(0), fin, push: to == data_end, fresh: false })
    }

    fn fresh_chunk(&mut self, now: u64) -> Option<Chunk> {
        let data_end = self.una.plus(self.buffered());
        let waiting = data_end.since(self.next);
        let idle = self.next == self.una;
        let usable = self.una.plus(self.window).since(self.next);
        let segment = self.segment_now();
        let length = waiting.min(segment).min(usable);
        if length == 0 {
            if self.fin == Fin::Queued && waiting == 0 {
                self.fin = Fin::Sent;
                let seq = self.next;
                self.latest = seq;
                self.next = self.next.plus(1);
                return Some(Chunk { seq, length: 0, fin: true, push: false, fresh: true });
            }
            if waiting > 0 && idle && self.timers.deadline.is_none() {
                // The window is closed: the persist timer starts (RFC 9293 §3.8.6.1).
                self.timers.purpose = Purpose::Resend;
                self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
            }
            return None;
        }
        let too_much = self.in_flight() + length > self.congestion && !idle;
        // Silly window: a part of a segment is sent when it is all there is, or when nothing is on its way.
        let silly = length < segment && length < waiting && !idle;
        // Nagle: a small piece waits while another is on its way, unless it is the last.
        let held = self.nagle && length < segment && self.fin == Fin::None && self.small.is_some();
        // A window of less than a segment is left alone until the timer says otherwise (RFC 9293 §3.8.6.2.1).
        let narrow = self.habits.half_window && length < segment && length < waiting && !self.forced;
        if too_much || silly || held || narrow {
            if narrow && idle && self.timers.deadline.is_none() {
                self.timers.purpose = Purpose::Resend;
                self.timers.deadline = Some(self.habits.ticks.deadline(now, self.timers.timeout));
            }
            return None;
        }
        self.forced = false;
        let seq = self.next;
        self.latest = seq;
        self.next = seq.plus(length);
        let last = length == waiting;
        if length < segment {
            self.small = Some(self.next);
        }
        let push = last || self.ends_burst(segment, waiting);
        if self.timers.timed.is_none() {
            self.timers.timed = Some((self.next, now));
        }
        if self.resent.before(seq) {
            self.resent = seq;
        }
        Some(Chunk { seq, length: usize::try_from(length).unwrap_or(0), fin: false, push, fresh: true })
    }

    /// Whether this segment is the last of a burst that goes to the card as one (Linux: tcp_tso_autosize): as many as
    /// take about a millisecond, at least two, and no more than half of what may be on its way.
    fn ends_burst(&mut self, segment: u32, waiting: u32) -> bool {
        if !self.habits.burst_push {
            return false;
        }
        if self.burst == 0 {
            let window = u64::from((self.congestion / segment.max(1)).max(1));
            let flying = u64::from(self.in_flight() / segment.max(1)).saturating_sub(1);
            let trip = self.timers.smoothed.unwrap_or(1_000_000).max(1_000);
            let factor = if self.congestion < self.threshold / 2 { 20 } else { 12 };
            let rate = u64::from(segment) * window * factor * 100_000_000 / trip;
            let closeness = (self.timers.shortest.min(1 << 60) / 1000) >> 9;
            let octets = (rate >> 10) + CARD_OCTETS.checked_shr(u32::try_from(closeness).unwrap_or(64)).unwrap_or(0);
            let wanted = (octets / u64::from(segment.max(1))).max(2);
            let allowed = (window / 2).max(1).min(window.saturating_sub(flying).max(1));
            let there = u64::from(waiting.div_ceil(segment.max(1)));
            self.burst = u32::try_from(wanted.min(allowed).min(there)).unwrap_or(1).max(1);
            self.bursts = self.burst > 1;
        }
        self.burst -= 1;
        self.burst == 0 && self.bursts
    }

    fn buffered(&self) -> u32 {
        u32::try_from(self.buffer.len()).unwrap_or(u32::MAX)
    }
}
