//! Initial sequence numbers: the generators that nmap and a careful person tell apart, with state for each decoy and
//! remote address, and time from the packets' own receive stamps.

use crate::{chance::Chance, personality::IsnClass};

/// What was sent to one remote address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct History {
    last: u32,
    at: u64,
    started: bool,
    /// Rates of the last increments, steps a second, newest first.
    rates: [f64; 4],
    known: u8,
}

/// After so long a pause nobody compares the next number with the last.
const FORGET_NS: u64 = 3_000_000_000;
/// Draws until a number fits; about six are needed in the mean.
const MAX_DRAWS: u32 = 200;
/// Bounds are drawn in by this much, in eighths of a power of two, since the measuring side sees other times than we.
const MARGIN: f64 = 1.5;

/// The next number. `flow` is a keyed hash of the connection's addresses and ports; `utc` is the time since the
/// decoy's boot instead for the class that counts from there.
pub(crate) fn next(class: IsnClass, history: &mut History, now: u64, utc: u64, flow: u64, chance: &mut Chance) -> u32 {
    let first = !history.started;
    let elapsed = now.saturating_sub(history.at);
    if first {
        history.last = chance.next_u32();
        history.started = true;
    }
    let isn = match class {
        IsnClass::Rfc6528 { tick_ns } => {
            let clock = utc / u64::from(tick_ns.max(1));
            low(flow).wrapping_add(low(clock))
        }
        IsnClass::Bounded { rate, deviation } => bounded(rate, deviation, history, elapsed, chance),
        IsnClass::Clock { per_second, step, jitter } => {
            let steps = u128::from(elapsed.min(FORGET_NS)) * u128::from(per_second) / 1_000_000_000;
            let random = if jitter == 0 { 0 } else { chance.below(jitter.saturating_add(1)) };
            let steps = low(u64::try_from(steps).unwrap_or(0)).wrapping_add(random).max(1);
            history.last.wrapping_add(steps.wrapping_mul(step))
        }
        IsnClass::Uptime { per_second } => {
            let ticks = u128::from(utc) * u128::from(per_second) / 1_000_000_000;
            history.last.wrapping_add(low(u64::try_from(ticks).unwrap_or(0)))
        }
        IsnClass::Count { step } => history.last.wrapping_add(step),
        IsnClass::Constant(isn) => isn,
    };
    history.last = isn;
    history.at = now;
    isn
}

/// Draws uniform numbers until the last five increments have mean and deviation inside the bounds: what comes out
/// looks as random as the bounds allow, and every window of it is judged alike.
fn bounded(rate: (u16, u16), deviation: (u16, u16), history: &mut History, elapsed: u64, chance: &mut Chance) -> u32 {
    if elapsed > FORGET_NS {
        history.known = 0;
    }
    let seconds = (elapsed.max(1_000_000) as f64) / 1e9;
    let rate = (power(f64::from(rate.0) + MARGIN), power(f64::from(rate.1) - MARGIN));
    let deviation = (power(f64::from(deviation.0) + MARGIN), power(f64::from(deviation.1) - MARGIN));
    let mut best = (f64::INFINITY, 0, 0.0);
    // Where the rate is low, a uniform number would never fit: the increment is drawn around where it must lie.
    let reach = ((rate.1 + deviation.1) * seconds).max(1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 2^28
    let span = (reach < f64::from(1 << 28)).then_some(reach as u32);
    for _ in 0..MAX_DRAWS {
        let candidate = match span {
            Some(span) => history.last.wrapping_add(1 + chance.below(span)),
            None => chance.next_u32(),
        };
        let step = candidate.wrapping_sub(history.last);
        let step = step.min(step.wrapping_neg());
        let this = f64::from(step) / seconds;
        let miss = miss(this, history, rate, deviation);
        if miss < best.0 {
            best = (miss, candidate, this);
        }
        if miss <= 0.0 {
            break;
        }
    }
    let [a, b, c, _] = history.rates;
    history.rates = [best.2, a, b, c];
    history.known = (history.known + 1).min(4);
    best.1
}

/// How far mean and deviation of the known rates and this one are outside of their bounds; 0: inside.
fn miss(this: f64, history: &History, rate: (f64, f64), deviation: (f64, f64)) -> f64 {
    let known = history.rates.iter().take(usize::from(history.known)).copied();
    let n = f64::from(history.known) + 1.0;
    let mean = (known.clone().sum::<f64>() + this) / n;
    let outside = |value: f64, (low, high): (f64, f64)| {
        if value < low {
            low / value.max(1e-9) - 1.0
        } else if value > high {
            value / high - 1.0
        } else {
            0.0
        }
    };
    let far = outside(mean, rate);
    if history.known == 0 {
        return far;
    }
    let squares = known.map(|r| (r - mean) * (r - mean)).sum::<f64>() + (this - mean) * (this - mean);
    let variance = squares / (n - 1.0);
    far + outside(variance, (deviation.0 * deviation.0, deviation.1 * deviation.1))
}

/// Two to the power of `eighths` / 8, without a mathematics library: an exact power times a linear step between eighths.
fn power(eighths: f64) -> f64 {
    const EIGHTHS: [f64; 9] = [
        1.0,
        1.090_507_732_665_257_7,
        1.189_207_115_002_721,
        1.296_839_554_651_009_6,
        core::f64::consts::SQRT_2,
        1.542_210_825_407_940_7,
        1.681_792_830_507_429,
        1.834_008_086_409_342_4,
        2.0,
    ];
    let mut rest = eighths.clamp(0.0, 1000.0);
    let mut whole = 1.0;
    while rest >= 8.0 {
        whole *= 2.0;
        rest -= 8.0;
    }
    let pairs = EIGHTHS.iter().zip(EIGHTHS.iter().skip(1)).zip(0u8..);
    for ((low, high), index) in pairs {
        let within = rest - f64::from(index);
        if within < 1.0 {
            return whole * (low + (high - low) * within);
        }
    }
    whole
}

fn low(wide: u64) -> u32 {
    (wide & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
