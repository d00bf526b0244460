//! Initial sequence numbers: the generators that nmap and a careful person tell apart, with state for each decoy and
//! remote address, and time from the packets' own receive stamps.
//!
//! Numbers that are bounded (see [`IsnClass::Bounded`]) come from rejection: candidates are drawn until the last five
//! increments together have mean, deviation and common divisor inside the bounds, so that every five in a row are
//! judged alike and nothing repeats that does not have to.

mod bounds;

pub(crate) use self::bounds::Bounds;
use crate::{chance::Chance, personality::IsnClass};

/// What was sent to one remote address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct History {
    last: u32,
    at: u64,
    started: bool,
    /// How many of the increments below are known.
    known: u8,
    /// The last increments in steps, and the nanoseconds that each took; newest first.
    steps: [u32; 4],
    spans: [u32; 4],
}

/// A class of the personality, compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generator {
    class: IsnClass,
    bounds: Option<Bounds>,
}

/// After so long a pause nobody compares the next number with the last.
const FORGET_NS: u64 = 3_000_000_000;

impl Generator {
    pub(crate) fn new(class: IsnClass) -> Self {
        Self { class, bounds: Bounds::of(class) }
    }

    /// The next number. `flow` is a keyed hash of the connection's addresses and ports; `utc` is the time since the
    /// decoy's boot instead for the class that counts from there.
    pub(crate) fn next(&self, history: &mut History, now: u64, utc: u64, flow: u64, chance: &mut Chance) -> u32 {
        let elapsed = now.saturating_sub(history.at);
        if !history.started {
            history.last = chance.next_u32();
            history.started = true;
        }
        let isn = match (self.class, &self.bounds) {
            (IsnClass::Rfc6528 { tick_ns }, _) => {
                let clock = utc / u64::from(tick_ns.max(1));
                low(flow).wrapping_add(low(clock))
            }
            (IsnClass::Bounded { .. }, Some(bounds)) => bounds.next(history, elapsed, chance),
            (IsnClass::Bounded { .. }, None) => chance.next_u32(),
            (IsnClass::Clock { per_second, step, jitter }, _) => {
                let steps = u128::from(elapsed.min(FORGET_NS)) * u128::from(per_second) / 1_000_000_000;
                let random = if jitter == 0 { 0 } else { chance.below(jitter.saturating_add(1)) };
                let steps = low(u64::try_from(steps).unwrap_or(0)).wrapping_add(random).max(1);
                history.last.wrapping_add(steps.wrapping_mul(step))
            }
            (IsnClass::Uptime { per_second }, _) => {
                let ticks = u128::from(utc) * u128::from(per_second) / 1_000_000_000;
                history.last.wrapping_add(low(u64::try_from(ticks).unwrap_or(0)))
            }
            (IsnClass::Count { step }, _) => history.last.wrapping_add(step),
            (IsnClass::Constant(isn), _) => isn,
        };
        history.last = isn;
        history.at = now;
        isn
    }
}

fn low(wide: u64) -> u32 {
    (wide & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
