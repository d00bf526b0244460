//! A window made of socket memory, as Linux makes it: what is received is charged with its overhead, the share of
//! memory that can be data is learned from full segments, and the window opens as they come.

use alloc::collections::VecDeque;

/// Parts of the share of memory that is data.
const WHOLE: u32 = 256;
/// Of a connection that has received no full segment yet, half is taken for data.
const FIRST_SHARE: u32 = WHOLE / 2;
/// Overhead of a segment: its bookkeeping, and what its buffer holds beside it.
const BOOKKEEPING: u32 = 256;
const BESIDE: u32 = 420;
/// What a peer's segment is taken for until it sends a full one (RFC 9293 §3.7.1).
const FIRST_SEGMENT: u32 = 536;
/// Segments below this say nothing about a sender that sends much.
const SPEAKING: u32 = 128;
/// Segments of a round trip that a connection is made for at first (Linux: TCP_INIT_CWND).
const FIRST_FLIGHT: u32 = 10;
/// Memory that a fast reader may have at most; the kernel's own limit is at least six times that, for peers further away
/// than a decoy's.
const MAX_MEMORY: u32 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Space {
    memory: u32,
    share: u32,
    /// What may be advertised at most, now and ever.
    threshold: u32,
    clamp: u32,
    /// Largest segment that we named.
    named: u32,
    /// Largest that the peer was seen to send.
    pub(crate) segment: u32,
    scale: u8,
    /// The window last advertised.
    window: core::cell::Cell<u32>,
    /// What is unread: octets and their cost.
    queue: VecDeque<(u32, u32)>,
    charged: u32,
    reading: Reading,
}

/// How much the service reads within a round trip: what memory grows by (Linux `tcp_rcv_space_adjust`).
#[derive(Debug)]
struct Reading {
    /// The latest stamp that went out, and when its value first did; and the latest that came back.
    stamp: Option<(u32, u64)>,
    echoed: Option<u32>,
    /// The shortest round trip seen, in nanoseconds.
    trip: Option<u64>,
    /// Octets read since `begun`.
    read: u32,
    begun: u64,
    /// The most that was ever read in a round trip.
    steady: u32,
}

impl Space {
    /// `window` is what the SYN-ACK advertised, `segment` the size that it named less timestamps.
    pub(crate) fn new(memory: u32, window: u32, segment: u32, scale: u8, now: u64) -> Self {
        let all = share_of(memory, FIRST_SHARE);
        // Without scaling the last segment of the memory is kept back.
        let threshold = if scale == 0 && window < u32::from(u16::MAX) && window > all.saturating_sub(segment) {
            all.saturating_sub(segment)
        } else {
            window
        };
        Self {
            memory,
            share: FIRST_SHARE,
            threshold,
            clamp: all,
            named: segment,
            segment: FIRST_SEGMENT,
            scale,
            window: core::cell::Cell::new(window),
            queue: VecDeque::new(),
            charged: 0,
            reading: Reading {
                stamp: None,
                echoed: None,
                trip: None,
                read: 0,
                begun: now,
                steady: window.min(FIRST_FLIGHT * segment).max(1),
            },
        }
    }

    /// A stamp goes out. What counts is when its value first did.
    pub(crate) fn note_stamp(&mut self, now: u64, value: u32) {
        if self.reading.stamp.is_none_or(|(last, _)| last != value) {
            self.reading.stamp = Some((value, now));
        }
    }

    /// The latest stamp came back, with so many octets: a round trip, once for each stamp and with full segments alone. What
    /// took less than the clock of stamps can tell says nothing.
    pub(crate) fn note_echo(&mut self, now: u64, echo: u32, octets: u32) {
        const CLOCK_NS: u64 = 1_000_000;
        let Some((value, sent)) = self.reading.stamp.filter(|_| self.reading.echoed != Some(echo)) else { return };
        if value != echo {
            return;
        }
        self.reading.echoed = Some(echo);
        let trip = now.saturating_sub(sent);
        if octets >= self.segment && trip >= CLOCK_NS {
            self.reading.trip = Some(self.reading.trip.map_or(trip, |least| least.min(trip)));
        }
    }

    /// Once in a round trip: a service that has read more in it than ever before gets memory for twice as much, and for a
    /// sender that goes on growing as it did.
    fn adjust(&mut self, now: u64, octets: u32) {
        let reading = &mut self.reading;
        reading.read = reading.read.saturating_add(octets);
        if reading.trip.is_none_or(|trip| now.saturating_sub(reading.begun) < trip) {
            return;
        }
        if reading.read > reading.steady {
            let (read, steady) = (u64::from(reading.read), u64::from(reading.steady));
            let window = 2 * read + 2 * (2 * read * (read - steady) / steady);
            let memory = window * u64::from(WHOLE) / u64::from(self.share.max(1));
            let memory = u32::try_from(memory).unwrap_or(u32::MAX).min(MAX_MEMORY);
            if memory > self.memory {
                self.memory = memory;
                self.clamp = share_of(memory, self.share);
            }
            reading.steady = reading.read;
        }
        reading.read = 0;
        reading.begun = now;
    }

    /// Data came in order. Returns whether the window may open further by it.
    pub(crate) fn receive(&mut self, octets: u32) -> bool {
        let cost = cost(octets);
        self.measure(octets, cost);
        self.queue.push_back((octets, cost));
        self.charged = self.charged.saturating_add(cost);
        octets >= SPEAKING && self.grow(octets, cost)
    }

    /// Data came early. `told` says that the peer hears of it.
    pub(crate) fn receive_early(&mut self, octets: u32, told: bool) {
        let cost = cost(octets);
        self.measure(octets, cost);
        if told {
            self.grow(octets, cost);
        }
    }

    /// Learns from a full segment how much of the memory can be data.
    fn measure(&mut self, octets: u32, cost: u32) {
        if octets < self.segment {
            return;
        }
        if octets != self.segment || self.share == FIRST_SHARE {
            let share = u64::from(octets) * u64::from(WHOLE) / u64::from(cost);
            self.share = u32::try_from(share).unwrap_or(WHOLE).max(1);
            self.clamp = share_of(self.memory, self.share);
            if self.scale == 0 {
                self.clamp = self.clamp.max(u32::from(u16::MAX));
            }
        }
        self.segment = octets.min(self.named);
    }

    fn grow(&mut self, octets: u32, cost: u32) -> bool {
        let room = self.clamp.min(self.free()).saturating_sub(self.threshold);
        let fits = share_of(cost, self.share) <= octets;
        if room == 0 || !fits {
            return false;
        }
        self.threshold += room.min((2 * self.named).max(2 * octets));
        true
    }

    /// The service has read.
    pub(crate) fn consume(&mut self, now: u64, octets: u32) {
        self.adjust(now, octets);
        let mut left = octets;
        while let Some((length, cost)) = self.queue.front_mut() {
            if *length > left {
                *length -= left;
                return;
            }
            left -= *length;
            self.charged = self.charged.saturating_sub(*cost);
            self.queue.pop_front();
        }
    }

    fn free(&self) -> u32 {
        share_of(self.memory.saturating_sub(self.charged), self.share)
    }

    /// The window to advertise, where `current` of the last one is left: it never shrinks (RFC 9293 §3.8.6.2.2).
    pub(crate) fn window(&self, current: u32) -> u32 {
        let unit = 1_u32 << self.scale.min(14);
        let wanted = self.wanted();
        let window = if wanted < current { current.next_multiple_of(unit) } else { wanted };
        let window = window.min(u32::from(u16::MAX) << self.scale.min(14));
        self.window.set(window);
        window
    }

    fn wanted(&self) -> u32 {
        let all = share_of(self.memory, self.share);
        let full = self.clamp.min(all);
        let segment = self.segment.min(full);
        let mut free = self.free();
        if free < full / 2 && (free < all >> 4 || free < segment) {
            return 0;
        }
        free = free.min(self.threshold);
        if self.scale > 0 {
            return free.next_multiple_of(1 << self.scale.min(14));
        }
        let last = self.window.get();
        if last <= free.saturating_sub(segment) || last > free { free / segment.max(1) * segment } else { last }
    }
}

/// What a segment's buffer takes.
fn cost(octets: u32) -> u32 {
    octets.saturating_add(BESIDE).next_power_of_two() + BOOKKEEPING
}

fn share_of(memory: u32, share: u32) -> u32 {
    u32::try_from(u64::from(memory) * u64::from(share) / u64::from(WHOLE)).unwrap_or(u32::MAX)
}
