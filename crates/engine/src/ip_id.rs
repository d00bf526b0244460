//! IPv4 identification by the personality's rules.

use crate::{
    chance::Chance,
    personality::{IdRule, IdSeat, IdStep},
};

/// A decoy's counters; a row of zeros until the first is used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    values: [u16; 3],
    /// When each was used last, in milliseconds and never zero once it was.
    used_ms: [u32; 3],
}

/// What is kept for one peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerIds {
    /// The peer's own counter, and when it was counted last.
    counter: u16,
    counted_at: u64,
    /// The last random number, and whether it was one small step from the one before.
    random: u16,
    near: bool,
}

/// After a pause of this length a real host's other traffic has moved its counters, so they may be found elsewhere.
const PAUSE_MS: u32 = 600;
/// The steps of a counter that grows at random (nmap's class RI starts above 1,000).
const RANDOM_STEP: (u32, u32) = (1_001, 500);
/// A step that nmap takes for part of a sequence; what is larger is random.
const SMALL_STEP: u16 = 20_000;

/// The next identification.
pub(crate) fn next(rule: IdRule, host: &mut Counters, own: &mut PeerIds, now: u64, chance: &mut Chance) -> u16 {
    let (number, step, seat) = match rule {
        IdRule::Zero | IdRule::Request => return 0,
        IdRule::Constant(id) => return id,
        IdRule::Random => return random(own, chance),
        IdRule::Flow | IdRule::Peer => {
            own.counter = own.counter.wrapping_add(1);
            return own.counter;
        }
        IdRule::Host => (0, IdStep::One, IdSeat::Any),
        IdRule::HostSwapped => (0, IdStep::Swapped, IdSeat::Any),
        IdRule::HostRandomStep => (0, IdStep::Random, IdSeat::Any),
        IdRule::SecondHost => (1, IdStep::One, IdSeat::Any),
        IdRule::Counter { number, step, seat } => (number, step, seat),
    };
    host.count(number, step, seat, now, chance)
}

impl PeerIds {
    pub(crate) fn new(counter: u16) -> Self {
        Self { counter, ..Self::default() }
    }

    /// A counter that had time to rest is moved on, by chance and by no more than the ticks that passed (Linux
    /// net/ipv4/route.c, ip_idents_reserve).
    pub(crate) fn rest(&mut self, now: u64, tick: u64, chance: &mut Chance) {
        let rested = now.saturating_sub(self.counted_at) / tick.max(1);
        if rested > 1 {
            let step = chance.below(u32::try_from(rested.min(u64::from(u16::MAX))).unwrap_or(1));
            self.counter = self.counter.wrapping_add((step & 0xffff) as u16);
        }
        self.counted_at = now;
    }
}

impl Counters {
    fn count(&mut self, number: u8, step: IdStep, seat: IdSeat, now: u64, chance: &mut Chance) -> u16 {
        let now_ms = ((now / 1_000_000) & 0xffff_ffff) as u32 | 1;
        let place = usize::from(number.min(2));
        let (Some(value), Some(used_ms)) = (self.values.get_mut(place), self.used_ms.get_mut(place)) else { return 0 };
        if *used_ms == 0 {
            *value = chance.next_u16();
        }
        let paused = *used_ms == 0 || now_ms.wrapping_sub(*used_ms) > PAUSE_MS;
        *used_ms = now_ms;
        *value = match step {
            _ if paused => seated(*value, step, seat, chance),
            IdStep::One | IdStep::Swapped => value.wrapping_add(1),
            IdStep::Random => value.wrapping_add(((RANDOM_STEP.0 + chance.below(RANDOM_STEP.1)) & 0xffff) as u16),
            IdStep::Hundreds => value.wrapping_add(((101 + 2 * chance.below(400)) & 0xffff) as u16),
        };
        if step == IdStep::Swapped { value.swap_bytes() } else { *value }
    }
}

/// The value after `value` and a pause: the next, unless that is outside of its seat or so close to the end that it
/// would wrap in a scan, which a person who watches one counter takes for traffic with others.
fn seated(value: u16, step: IdStep, seat: IdSeat, chance: &mut Chance) -> u16 {
    let scatter = (chance.next_u32() & 0x0fff) as u16;
    match step {
        IdStep::Swapped => {
            // Sent in the other order, the low octet decides where the number lies.
            let (page, low) = (value & 0xff00, value & 0x00ff);
            match seat {
                IdSeat::Any if low < 0xd0 => value.wrapping_add(1),
                IdSeat::Low if low < 0x60 => value.wrapping_add(1),
                IdSeat::High if (0x90..0xd8).contains(&low) => value.wrapping_add(1),
                IdSeat::Any | IdSeat::Low => page.wrapping_add(0x101),
                IdSeat::High => page.wrapping_add(0x190),
            }
        }
        IdStep::One | IdStep::Random | IdStep::Hundreds => {
            let room = if step == IdStep::One { 0x200 } else { 0x6000 };
            match seat {
                IdSeat::Any if value < 0xff00 - room => value.wrapping_add(1),
                IdSeat::Low if value < 0x8000 - room => value.wrapping_add(1),
                IdSeat::High if (0x9000..0xff00 - room).contains(&value) => value.wrapping_add(1),
                IdSeat::Any | IdSeat::Low => 0x100 + scatter,
                IdSeat::High => 0x9000 + (scatter & 0x7ff),
            }
        }
    }
}

/// Uniform, but never two small steps in a row.
fn random(own: &mut PeerIds, chance: &mut Chance) -> u16 {
    let near = |id: u16| id >= own.random && id - own.random <= SMALL_STEP;
    let mut id = chance.next_u16();
    if own.near && near(id) {
        // The numbers below the last, or more than a small step above it, each as likely.
        let others = u16::MAX - SMALL_STEP;
        let behind = (chance.below(u32::from(others)) & 0xffff) as u16;
        id = own.random.wrapping_sub(1).wrapping_sub(behind % others.max(1));
        if near(id) {
            id = own.random.wrapping_sub(1);
        }
    }
    own.near = near(id);
    own.random = id;
    id
}

#[cfg(test)]
mod tests;
