use super::{FORGET_NS, History, low};
use crate::{chance::Chance, personality::IsnClass};

/// The bounds of [`IsnClass::Bounded`] as numbers, so that nothing is raised to a power on the packet path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Mean rate, a second.
    rate: (f64, f64),
    /// Variance of the rates.
    variance: (f64, f64),
    /// The lowest rate and variance without any margin.
    least: (f64, f64),
    /// The middle of the deviation.
    deviation: f64,
    /// More than the largest rate that fits.
    reach: f64,
    step: u32,
    divisor: (u32, u32),
    pattern: Option<[u32; 5]>,
}

/// Draws until a number fits; about six are needed in the mean.
const MAX_DRAWS: u32 = 200;
/// The same where a pattern is there to fall back on.
const PATTERN_DRAWS: u32 = 48;
/// Multiples below this are all tried.
const FEW: u32 = 48;
/// Bounds are drawn in by up to this much, in eighths of a power of two, and never by more than this part of their
/// width, since the measuring side sees other times than we.
const MARGIN: f64 = 2.0;
const MARGIN_PART: f64 = 0.3;
/// What is left of that margin where uniform numbers hardly come so high.
const LEAST_MARGIN: f64 = 1.03;
/// Mean and deviation of increments, as parts of the largest, that rejection still finds.
const HIGH_MEAN: f64 = 0.72;
const HIGH_DEVIATION: f64 = 0.38;
/// nmap sends its SYNs a tenth of a second apart and never faster. Uniform numbers that follow one another faster are
/// not bounded, since for them the rate would mean smaller and smaller increments, which no system shows.
const FASTEST_NS: u64 = 60_000_000;
/// Between two of nmap's rounds lies a second. What comes after a pause is the first of new ones.
const PAUSE_NS: u64 = 750_000_000;
/// From this rate on, numbers are uniform: the increments of a tenth of a second are those of any two 32-bit numbers.
const UNIFORM: f64 = 8_589_934_592.0;
/// The pattern's increments are this far apart.
const PATTERN_NS: u32 = 100_000_000;
/// A common divisor above this divides the deviation, in nmap's arithmetic.
const LARGE_DIVISOR: u32 = 9;

impl Bounds {
    pub(crate) fn of(class: IsnClass) -> Option<Self> {
        let IsnClass::Bounded { rate, deviation, step, divisor, pattern } = class else { return None };
        let step = step.max(1);
        let whole_rate = rate;
        let rate = drawn_in(rate);
        let (low, high) = drawn_in(deviation);
        let unit = if step > LARGE_DIVISOR { f64::from(step) } else { 1.0 };
        let low = if deviation.0 == 0 { 0.0 } else { low * unit };
        let high = high * unit;
        let least = power(f64::from(deviation.0) - 0.5) * unit;
        let lowest_rate = power(f64::from(whole_rate.0) - 0.5);
        Some(Self {
            rate,
            variance: (low * low, high * high),
            least: (lowest_rate * LEAST_MARGIN, least * least * LEAST_MARGIN),
            deviation: (low + high) / 2.0,
            reach: rate.1 + high,
            step,
            divisor,
            pattern,
        })
    }

    pub(super) fn next(&self, history: &mut History, elapsed: u64, chance: &mut Chance) -> u32 {
        match &self.pattern {
            Some(pattern) => self.patterned(pattern, history, elapsed, chance),
            None => self.drawn(history, elapsed, chance),
        }
    }

    /// Uniform numbers, or uniform increments where the rate is low.
    fn drawn(&self, history: &mut History, elapsed: u64, chance: &mut Chance) -> u32 {
        let seconds = (elapsed.max(1_000_000) as f64) / 1e9;
        let reach = (self.reach * seconds).max(1.0) / f64::from(self.step);
        // Increments go both ways, up to half of all numbers: farther is nearer on the other side.
        let multiples = ((u32::MAX / 2) / self.step).max(1);
        // Where the rate is low, a uniform number would never fit: the increment is drawn around where it must lie.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 2^28
        let span = (self.reach < UNIFORM && reach < f64::from(multiples / 4)).then_some(reach as u32);
        if elapsed > PAUSE_NS {
            history.known = 0;
        }
        let unjudged = !(FASTEST_NS..=PAUSE_NS).contains(&elapsed);
        if unjudged && span.is_none() {
            return step_from(history.last, chance.below(multiples).wrapping_mul(self.step), chance);
        }
        let elapsed = elapsed.clamp(1_000_000, FORGET_NS);
        let reachable = self.within_reach(elapsed as f64 / 1e9);
        let mut best = (f64::INFINITY, 0);
        for _ in 0..MAX_DRAWS {
            let multiple = match span {
                Some(span) => 1 + chance.below(span.max(1)),
                None => chance.below(multiples),
            };
            let miss = reachable.miss(multiple, elapsed, history);
            if miss < best.0 {
                best = (miss, multiple);
            }
            if miss <= 0.0 {
                break;
            }
        }
        history.push(best.1, elapsed);
        let increment = best.1.wrapping_mul(self.step);
        if span.is_some() { history.last.wrapping_add(increment) } else { step_from(history.last, increment, chance) }
    }

    /// The bounds, with less of a margin where 32-bit numbers so far apart hardly come so high.
    fn within_reach(&self, seconds: f64) -> Self {
        let most = f64::from(u32::MAX / 2) / seconds;
        let (mean, deviation) = (most * HIGH_MEAN, most * HIGH_DEVIATION);
        let mut reachable = *self;
        reachable.rate.0 = self.rate.0.min(mean.max(self.least.0));
        reachable.variance.0 = self.variance.0.min((deviation * deviation).max(self.least.1));
        reachable
    }

    /// Numbers that grow with time, five increments in a row always as the bounds want them. After a pause the pattern
    /// stands for increments before it.
    fn patterned(&self, pattern: &[u32; 5], history: &mut History, elapsed: u64, chance: &mut Chance) -> u32 {
        if elapsed > PAUSE_NS || history.known == 0 {
            let turn = usize::try_from(chance.below(5)).unwrap_or(0);
            let turned = pattern.iter().cycle().skip(turn);
            for (place, &steps) in history.steps.iter_mut().zip(turned) {
                *place = steps;
            }
            history.spans = [PATTERN_NS; 4];
            history.known = 4;
            let sum: u64 = pattern.iter().map(|&steps| u64::from(steps)).sum();
            let steps = u128::from(sum) * u128::from(elapsed) / (5 * u128::from(PATTERN_NS));
            let steps = low((steps & 0xffff_ffff) as u64).max(1);
            return history.last.wrapping_add(steps.wrapping_mul(self.step));
        }
        let elapsed = elapsed.max(1_000);
        let most = pattern.iter().max().copied().unwrap_or(1);
        let scaled = u64::from(most) * elapsed / u64::from(PATTERN_NS);
        let steps = match u32::try_from(scaled) {
            Ok(scaled) if scaled < FEW => self.few(pattern, scaled, history, elapsed, chance),
            _ => self.many(pattern, history, elapsed, chance),
        };
        history.push(steps, elapsed);
        history.last.wrapping_add(steps.wrapping_mul(self.step))
    }

    /// One of the few increments that fit, each as likely.
    fn few(&self, pattern: &[u32; 5], most: u32, history: &History, elapsed: u64, chance: &mut Chance) -> u32 {
        let least = u32::from(!pattern.contains(&0));
        let mut fitting = 0;
        let mut best = (f64::INFINITY, least);
        for steps in least..=most + most / 2 + 2 {
            let miss = self.miss(steps, elapsed, history);
            if miss <= 0.0 {
                fitting += 1;
                if chance.below(fitting) == 0 {
                    best = (miss, steps);
                }
            } else if miss < best.0 {
                best = (miss, steps);
            }
        }
        best.1
    }

    /// An increment that was drawn; the pattern's next, where none was found that fits.
    fn many(&self, pattern: &[u32; 5], history: &History, elapsed: u64, chance: &mut Chance) -> u32 {
        let seconds = elapsed as f64 / 1e9;
        let scale = elapsed as f64 / f64::from(PATTERN_NS);
        let middle = (self.rate.0 + self.rate.1) / 2.0;
        let [.., oldest] = history.steps;
        let [.., oldest_span] = history.spans;
        let oldest = f64::from(oldest) * elapsed as f64 / f64::from(oldest_span.max(1));
        let mut best = (f64::INFINITY, 1);
        for draw in 0..PATTERN_DRAWS + 8 {
            let steps = match draw {
                // The sum of two uniform numbers, stretched to a deviation of one.
                0..PATTERN_DRAWS if draw % 3 < 2 => {
                    let sum = f64::from(chance.next_u16()) + f64::from(chance.next_u16());
                    let z = (sum / 65_536.0 - 1.0) * 2.449;
                    (middle + self.deviation * z) * seconds / f64::from(self.step)
                }
                0..PATTERN_DRAWS => {
                    let which = usize::try_from(chance.below(5)).unwrap_or(0);
                    pattern.get(which).map_or(1.0, |&steps| f64::from(steps) * scale)
                }
                // The increment that leaves the window comes back, or a neighbour with another divisor.
                _ => oldest + f64::from(draw - PATTERN_DRAWS),
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and is never below one
            let steps = (steps + 0.5).max(1.0) as u32;
            let miss = self.miss(steps, elapsed, history);
            if miss < best.0 {
                best = (miss, steps);
            }
            if miss <= 0.0 {
                break;
            }
        }
        best.1
    }

    /// How far mean and deviation of the known increments and this one are outside of their bounds; 0: inside.
    fn miss(&self, steps: u32, elapsed: u64, history: &History) -> f64 {
        let step = f64::from(self.step);
        let this = f64::from(steps) * step * 1e9 / elapsed as f64;
        let known = usize::from(history.known);
        let before = history.steps.iter().zip(&history.spans).take(known);
        let rates = before.map(|(&steps, &span)| f64::from(steps) * step * 1e9 / f64::from(span.max(1)));
        let n = f64::from(history.known) + 1.0;
        let mean = (rates.clone().sum::<f64>() + this) / n;
        let far = outside(mean, self.rate);
        if known == 0 {
            return far;
        }
        let squares = rates.map(|r| (r - mean) * (r - mean)).sum::<f64>() + (this - mean) * (this - mean);
        let far = far + outside(squares / (n - 1.0), self.variance);
        if far > 0.0 || known < 4 || self.divisor.1 == 0 {
            return far;
        }
        let common = history.steps.iter().take(known).fold(steps, |a, &b| common_divisor(a, b));
        if (self.divisor.0..=self.divisor.1).contains(&common) { 0.0 } else { 0.5 }
    }
}

impl History {
    fn push(&mut self, steps: u32, elapsed: u64) {
        let [a, b, c, _] = self.steps;
        self.steps = [steps, a, b, c];
        let [a, b, c, _] = self.spans;
        self.spans = [u32::try_from(elapsed).unwrap_or(u32::MAX), a, b, c];
        self.known = (self.known + 1).min(4);
    }
}

/// One increment up or down.
fn step_from(last: u32, increment: u32, chance: &mut Chance) -> u32 {
    if chance.next_u32() & 1 == 0 { last.wrapping_add(increment) } else { last.wrapping_sub(increment) }
}

fn outside(value: f64, (low, high): (f64, f64)) -> f64 {
    if value < low {
        low / value.max(1e-9) - 1.0
    } else if value > high {
        value / high - 1.0
    } else {
        0.0
    }
}

fn common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The values that are rounded to one of these eighths, less the margin on both sides.
fn drawn_in((low, high): (u16, u16)) -> (f64, f64) {
    let (low, high) = (f64::from(low), f64::from(high.max(low)));
    let margin = ((high - low + 1.0) * MARGIN_PART).min(MARGIN);
    (power(low - 0.5 + margin), power(high + 0.5 - margin))
}

/// Two to the power of `eighths` / 8, without a mathematics library: an exact power times a linear step between eighths.
pub(super) fn power(eighths: f64) -> f64 {
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
