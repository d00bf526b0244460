//! What each page of the machine may be used for: code is never written, data never executed, and what is neither is
//! not there. Pure: which entry a page gets, not how it comes into the table.

use crate::start::Range;

/// Octets of a small page.
pub const SMALL: u64 = 4_096;
/// Octets of a large page.
pub const LARGE: u64 = 2 << 20;
/// Below this, rights are given for each small page: image, stacks and what the loader left.
pub const FINE: u64 = 16 << 20;
/// Memory above is not used.
pub const MOST: u64 = 1 << 30;
/// Devices: interrupt controllers, MMIO, windows of PCI. All below 4 GiB.
pub const DEVICES: Range = Range { start: 3 << 30, end: 4 << 30 };

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const NO_CACHE: u64 = 1 << 4 | 1 << 3;
const IS_LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Code and what is only read.
    pub image: Range,
    /// Code, inside the image; before it is what is only read, behind it what is written.
    pub text: Range,
    /// Pages below stacks.
    pub guards: [u64; 3],
    /// The end of memory.
    pub ram_end: u64,
}

impl Layout {
    /// The entry of the small page at `at`; 0 where nothing may be.
    #[must_use]
    pub fn small(&self, at: u64) -> u64 {
        let null = at < SMALL;
        if null || at >= self.ram_end || self.guards.contains(&at) {
            return 0;
        }
        if self.text.holds(at) {
            return at | PRESENT;
        }
        if (self.image.start..self.text.start).contains(&at) {
            return at | PRESENT | NO_EXECUTE;
        }
        at | PRESENT | WRITE | NO_EXECUTE
    }

    /// The entry of the large page at `at`, which is memory behind [`FINE`] or devices; 0 where nothing may be.
    #[must_use]
    pub fn large(&self, at: u64) -> u64 {
        let memory = at >= FINE && at.saturating_add(LARGE) <= self.ram_end.min(MOST);
        let device = DEVICES.holds(at);
        match (memory, device) {
            (true, _) => at | PRESENT | WRITE | NO_EXECUTE | IS_LARGE,
            (false, true) => at | PRESENT | WRITE | NO_EXECUTE | NO_CACHE | IS_LARGE,
            (false, false) => 0,
        }
    }

    /// Where memory ends that the entries reach.
    #[must_use]
    pub fn usable_end(&self) -> u64 {
        let end = self.ram_end.min(MOST);
        if end <= FINE { end & !(SMALL - 1) } else { end & !(LARGE - 1) }
    }

    /// The entry of a small page among devices that is memory all the same: a hypervisor shares it.
    #[must_use]
    pub fn shared(at: u64) -> u64 {
        at | PRESENT | WRITE | NO_EXECUTE
    }

    /// The entry of a small page of devices.
    #[must_use]
    pub fn device(at: u64) -> u64 {
        at | PRESENT | WRITE | NO_EXECUTE | NO_CACHE
    }

    /// The entry of a table below.
    #[must_use]
    pub fn table(at: u64) -> u64 {
        at | PRESENT | WRITE
    }
}

#[cfg(test)]
mod tests;
