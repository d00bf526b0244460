//! How fast this processor's time-stamp counter runs. A machine under emulation reads the same counter and is not told,
//! so each would measure it beside a timer, for 10 ms of its start and less well than the host knows it.
#![allow(unsafe_code)]

use crate::clock::{SECOND, monotonic};

/// Before so long nothing is said: two readings that are off by 100 ns each then make four parts in a million.
const LONG_ENOUGH: u64 = SECOND / 20;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    ticks: u64,
    at: u64,
}

impl Counter {
    /// Reads them, as tightly as three tries can.
    pub(super) fn read() -> Option<Self> {
        let reading = |()| {
            let (before, at, after) = (ticks()?, monotonic(), ticks()?);
            Some((after.saturating_sub(before), Self { ticks: before + after.saturating_sub(before) / 2, at }))
        };
        let readings = [reading(()), reading(()), reading(())];
        readings.into_iter().flatten().min_by_key(|(width, _)| *width).map(|(_, counter)| counter)
    }

    /// Its speed in kHz since this reading, once that is known well.
    pub(super) fn khz(self) -> Option<u64> {
        self.khz_at(Self::read()?)
    }

    fn khz_at(self, now: Self) -> Option<u64> {
        let ns = now.at.checked_sub(self.at).filter(|&ns| ns >= LONG_ENOUGH)?;
        let ticks = now.ticks.checked_sub(self.ticks)?;
        u64::try_from(u128::from(ticks) * 1_000_000 / u128::from(ns)).ok().filter(|&khz| khz > 0)
    }
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> Option<u64> {
    // SAFETY: every processor of this architecture has the instruction; it reads a register.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

/// Emulation on another processor invents a counter, at a speed of its own.
#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests;
