//! One virtual clock for each decoy: skewed as its quartz would be, booted when its owner last patched it. All that a
//! decoy says of time derives from here, and nothing of it needs to be stored.

use chaff_events::UtcNanos;

use crate::chance::derive;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
/// A quartz without temperature compensation is off by up to ±50 parts in a million.
const MAX_SKEW_PPB: u64 = 50_000;
/// How often machines are restarted: from a patch cycle to the uptime of a forgotten server.
const UPTIME_DAYS: (u64, u64) = (9, 190);
/// A machine whose clock is synchronised is still some milliseconds off.
const MAX_OFFSET_NS: u64 = 40_000_000;

const BOOT: u64 = 0x626f_6f74;
const PHASE: u64 = 0x7068_6173;
const SKEW: u64 = 0x736b_6577;
const OFFSET: u64 = 0x6f66_6673;

/// The host's two clocks, tied together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: u64,
    start_utc: u64,
    /// Wall time less monotone time; moves when the wall clock is set.
    wall: i128,
}

impl Clock {
    pub(crate) fn new(now: u64, utc: UtcNanos) -> Self {
        Self { start: now, start_utc: utc.0, wall: i128::from(utc.0) - i128::from(now) }
    }

    pub(crate) fn set(&mut self, now: u64, utc: UtcNanos) {
        self.wall = i128::from(utc.0) - i128::from(now);
    }

    /// The true time of day.
    pub(crate) fn utc(&self, now: u64) -> UtcNanos {
        UtcNanos(u64::try_from(i128::from(now) + self.wall).unwrap_or(0))
    }

    /// The time of day as the decoy of this seed believes it to be.
    pub(crate) fn decoy_utc(&self, seed: [u8; 16], now: u64) -> u64 {
        let offset = derive(seed, OFFSET) % (2 * MAX_OFFSET_NS);
        (self.utc(now).0 + offset).saturating_sub(MAX_OFFSET_NS)
    }

    /// Nanoseconds since the decoy of this seed was booted, by its own quartz. A decoy restarts every so many days, at
    /// a time of its own, so the boot time is known without being stored; a step of the wall clock does not move it.
    pub(crate) fn uptime(&self, seed: [u8; 16], now: u64) -> u64 {
        let (shortest, longest) = UPTIME_DAYS;
        let period = (shortest + derive(seed, BOOT) % (longest - shortest)) * DAY;
        let phase = derive(seed, PHASE) % period;
        let at_start = (self.start_utc + phase) % period;
        let elapsed = now.saturating_sub(self.start);
        let skew = derive(seed, SKEW) % (2 * MAX_SKEW_PPB);
        // In units of 1,024 ns the product stays within 64 bits for a run of decades.
        let coarse = elapsed >> 10;
        let ahead = coarse.saturating_mul(skew) / (SECOND >> 10);
        let behind = coarse.saturating_mul(MAX_SKEW_PPB) / (SECOND >> 10);
        (at_start + elapsed + ahead).saturating_sub(behind)
    }
}

/// The ticks that a kernel counts time in, and the coarseness of its timers: the further away, the coarser, as in
/// Linux's timer wheel (kernel/time/timer.c), where each level is eight times as coarse as the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    tick: u64,
    phase: u64,
}

impl Ticks {
    /// Ticks of `tick_ms`, as the decoy of this seed counts them; 0: time is continuous.
    pub(crate) fn new(tick_ms: u32, seed: [u8; 16]) -> Self {
        let tick = u64::from(tick_ms) * 1_000_000;
        Self { tick, phase: if tick == 0 { 0 } else { derive(seed, PHASE) % (tick << 12) } }
    }

    /// When a timer fires that is set at `now` for `delay` nanoseconds.
    pub(crate) fn deadline(self, now: u64, delay: u64) -> u64 {
        /// Buckets of a level, less the one that is being emptied.
        const REACH: u64 = 63;
        if self.tick == 0 {
            return now.saturating_add(delay);
        }
        let ticks = delay.div_ceil(self.tick);
        let mut shift = 0;
        while ticks >= REACH << shift && shift < 24 {
            shift += 3;
        }
        let expires = (now + self.phase) / self.tick + ticks;
        let fires = ((expires >> shift) + 1) << shift;
        fires.saturating_mul(self.tick).saturating_sub(self.phase).max(now)
    }
}

#[cfg(test)]
mod tests;
