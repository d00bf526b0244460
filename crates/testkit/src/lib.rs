//! What the tests stand on: the engine in virtual time with scripts or a foreign TCP as its peer, a link that
//! loses, reorders, doubles and damages what it carries, and the pieces for tests of the real binary on real packets.
//! Nothing here is part of what is shipped.

pub mod battery;
pub mod capture;
pub mod chance;
pub mod fidelity;
pub mod fixture;
pub mod forwarder;
pub mod image;
pub mod link;
pub mod load;
pub mod memory;
pub mod neighbour;
pub mod neighbourhood;
pub mod network;
pub mod p0f;
pub mod prober;
pub mod process;
pub mod rig;
pub mod script;
pub mod simulation;
pub mod xen;

/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// The seed of this run: `CHAFF_SEED` if it is set, else `fixed`. Print it with whatever depends on it.
#[must_use]
pub fn seed(fixed: u64) -> u64 {
    std::env::var("CHAFF_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(fixed)
}
