//! Two clocks and the offset between them.
//!
//! The engine lives in monotone time; the kernel stamps frames with the time of day. The offset is measured again
//! every second, and at once when a stamp does not fit, so a step of the wall clock moves no timer.

use chaff_events::UtcNanos;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// How old a stamp may look before the offset is doubted. Frames wait in the ring for a few milliseconds at most;
/// measuring again costs less than a microsecond, so a false doubt is cheap.
const DOUBT: u64 = 50_000_000;

/// How often the offset is measured without a reason: slewing by NTP is below 500 µs a second.
pub(crate) const MEASURE_EVERY: u64 = SECOND;

/// Monotone time, and what to add to it for the time of day.
#[derive(Debug)]
pub(crate) struct Clock {
    offset: u64,
    measured: u64,
    latest: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let (measured, offset) = measure();
        Self { offset, measured, latest: measured }
    }

    /// The monotone clock, never less than what was given out before.
    pub(crate) fn now(&mut self) -> u64 {
        self.latest = self.latest.max(monotonic());
        self.latest
    }

    /// The same, given out to nobody yet: frames that were received before it may still be told their own times.
    pub(crate) fn reading(&self) -> u64 {
        self.latest.max(monotonic())
    }

    /// The time of day at the monotone time `now`.
    pub(crate) fn utc(&self, now: u64) -> UtcNanos {
        UtcNanos(now.wrapping_add(self.offset))
    }

    /// Measures the offset if a second has passed; says whether it did.
    pub(crate) fn tick(&mut self, now: u64) -> bool {
        let due = now.saturating_sub(self.measured) >= MEASURE_EVERY;
        if due {
            self.measure();
        }
        due
    }

    /// The monotone time of a kernel stamp in the time of day, read at `now`. Neither in the future nor before what
    /// was given out last.
    pub(crate) fn receive_time(&mut self, stamp: u64, now: u64) -> u64 {
        let mut at = stamp.wrapping_sub(self.offset);
        if !plausible(at, now) && self.measured != now {
            self.measure();
            self.measured = now;
            at = stamp.wrapping_sub(self.offset);
        }
        let at = if plausible(at, now) { at } else { now };
        self.latest = self.latest.max(at);
        self.latest
    }

    fn measure(&mut self) {
        (self.measured, self.offset) = measure();
    }
}

fn plausible(at: u64, now: u64) -> bool {
    at <= now && now - at < DOUBT
}

/// The monotone time and the offset of the time of day, from the tightest of three readings.
fn measure() -> (u64, u64) {
    let reading = || {
        let before = monotonic();
        let utc = nanos(clock_gettime(ClockId::Realtime));
        let after = monotonic();
        (after - before, before + (after - before) / 2, utc)
    };
    let (_, at, utc) = [reading(), reading(), reading()].into_iter().min().unwrap_or_default();
    (at, utc.wrapping_sub(at))
}

pub(crate) fn monotonic() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests;
