//! Time from a processor's counter: so many ticks are so many nanoseconds.

/// How fast a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Its reading at the start.
    start: u64,
    /// What the host's clock read then.
    start_ns: u64,
    khz: u64,
}

/// No wait is longer: a timer of 32 bits at 1 GHz reaches 4 s.
pub const LONGEST_WAIT_NS: u64 = 3_000_000_000;

impl Ticks {
    /// A counter of `khz`, which is at least 1, that reads `start` when the host's clock reads `start_ns`.
    #[must_use]
    pub fn new(khz: u64, start: u64, start_ns: u64) -> Self {
        Self { start, start_ns, khz: khz.max(1) }
    }

    /// What the host's clock reads when the counter reads `counter`.
    #[must_use]
    pub fn nanoseconds(&self, counter: u64) -> u64 {
        let ticks = u128::from(counter.saturating_sub(self.start));
        let elapsed = u64::try_from(ticks * 1_000_000 / u128::from(self.khz)).unwrap_or(u64::MAX);
        self.start_ns.saturating_add(elapsed)
    }

    /// How long `ticks` are, in microseconds.
    #[must_use]
    pub fn microseconds(&self, ticks: u64) -> u64 {
        u64::try_from(u128::from(ticks) * 1_000 / u128::from(self.khz)).unwrap_or(u64::MAX)
    }

    /// What the counter reads after `ns` more, from `counter` on.
    #[must_use]
    pub fn after(&self, counter: u64, ns: u64) -> u64 {
        let ticks = u128::from(ns) * u128::from(self.khz) / 1_000_000;
        counter.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

/// The counter's speed in kHz: `ticks` of it passed while another counter of `other_khz` made `other`.
#[must_use]
pub fn measured_khz(ticks: u64, other: u64, other_khz: u64) -> u64 {
    let khz = u128::from(ticks) * u128::from(other_khz) / u128::from(other.max(1));
    u64::try_from(khz).unwrap_or(u64::MAX).max(1)
}

/// Whether a speed that was told is the one that a short look has seen, which a host that was busy then may have made off
/// by a tenth; another counter is off by more.
#[must_use]
pub fn is_about(told_khz: u64, seen_khz: u64) -> bool {
    told_khz > 0 && told_khz.abs_diff(seen_khz) <= told_khz / 10
}

/// The speed in kHz that a paravirtual clock tells by multiplier and shift (KVM's pvclock, Xen's leaf 3).
#[must_use]
pub fn scaled_khz(multiplier: u32, shift: i8) -> Option<u64> {
    let khz = (1_000_000u64 << 32).checked_div(u64::from(multiplier))?;
    let by = u32::from(shift.unsigned_abs());
    let khz = if shift < 0 { khz.checked_shl(by)? } else { khz.checked_shr(by)? };
    (khz > 0).then_some(khz)
}

#[cfg(test)]
mod tests;
