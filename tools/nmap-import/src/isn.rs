//! Initial sequence numbers: bounds, and five increments inside of them, for what SEQ says of SP, GCD and ISR.

use chaff_engine::personality::IsnClass;

use crate::{database::Entry, expression};

/// What nmap would compute of five increments a tenth of a second apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Measured {
    deviation: u32,
    divisor: u32,
    rate: u32,
}

/// The highest SP or ISR that 32-bit numbers give, and some more.
const MOST: u32 = 0x140;
/// From this rate on (ISR), increments are those of any two random numbers.
const RANDOM: u32 = 0xf8;
/// A common divisor above this divides the deviation.
const LARGE: u32 = 9;
/// Where jitter has so much room, more of it does not help.
const ENOUGH: f64 = 50.0;
/// Where it may be less than 20 microseconds of a tenth of a second, no network is steady enough.
const HOPELESS: f64 = -18.0;
/// Ranges wider than this hold several hosts, or several systems.
const USUAL_WIDTH: u32 = 24;
/// Below so many steps in a tenth of a second every set of five is tried.
const SMALL: u32 = 12;

/// The generator; `None` where no numbers could be as the fingerprint says.
pub(crate) fn class(entry: &Entry) -> Option<IsnClass> {
    let expression = |attribute| entry.get("SEQ", attribute);
    let (Some(sp), Some(gcd), Some(isr)) = (expression("SP"), expression("GCD"), expression("ISR")) else {
        // Nothing is said: numbers of RFC 6528, as the open port of such a fingerprint was never counted.
        return Some(bounded((0x104, 0x10e), (0xfc, 0x106), 1, (1, 6), None));
    };
    let constant = expression::accepts(gcd, "0") && expression::accepts(sp, "0") && expression::accepts(isr, "0");
    if constant {
        return Some(IsnClass::Constant(0x1d0c_8a3b));
    }
    let (deviations, rates) = (runs(&expression::numbers(sp, MOST)), runs(&expression::numbers(isr, MOST)));
    let mut ways = Vec::new();
    for step in steps(gcd) {
        for &rate in &rates {
            ways.extend(deviations.iter().map(|&deviation| (step, rate, deviation)));
        }
    }
    // What a little jitter does not spoil goes first; of equals the smallest divisor.
    ways.retain(|&(step, rate, deviation)| room(step, rate, deviation) > HOPELESS);
    ways.sort_by(|a, b| room(b.0, b.1, b.2).min(ENOUGH).total_cmp(&room(a.0, a.1, a.2).min(ENOUGH)));
    ways.into_iter().find_map(|(step, rate, deviation)| fitted(gcd, step, rate, deviation))
}

/// By how much, in eighths of a power of two, the highest deviation is above that of a regular sender that is seen a
/// thousandth too early or too late.
fn room(step: u32, rate: (u32, u32), deviation: (u32, u32)) -> f64 {
    let unit = if step > LARGE { 8.0 * f64::from(step).log2() } else { 0.0 };
    f64::from(deviation.1) + unit + 80.0 - f64::from(rate.0 + rate.1) / 2.0
}

fn bounded(
    rate: (u32, u32),
    deviation: (u32, u32),
    step: u32,
    divisor: (u32, u32),
    pattern: Option<[u32; 5]>,
) -> IsnClass {
    let narrow = |(low, high): (u32, u32)| (u16::try_from(low).unwrap_or(0), u16::try_from(high).unwrap_or(u16::MAX));
    IsnClass::Bounded { rate: narrow(rate), deviation: narrow(deviation), step, divisor, pattern }
}

fn accepts_gcd(gcd: &str, value: u32) -> bool {
    expression::accepts(gcd, &format!("{value:X}"))
}

/// Up to which multiple of a divisor all are accepted.
fn multiples(gcd: &str, step: u32) -> u32 {
    (1..=16)
        .take_while(|times| step.checked_mul(*times).is_some_and(|divisor| accepts_gcd(gcd, divisor)))
        .last()
        .unwrap_or(1)
}

/// Divisors to try, the smallest first.
fn steps(gcd: &str) -> Vec<u32> {
    let mut steps: Vec<u32> =
        expression::candidates(gcd).iter().filter_map(|value| u32::from_str_radix(value, 16).ok()).collect();
    steps.extend((1..=LARGE).filter(|&step| accepts_gcd(gcd, step)));
    // A bound such as "above 2^24" leaves room for rounder numbers.
    steps.extend((20..31).map(|bits| 1 << bits).filter(|&step| accepts_gcd(gcd, step)));
    steps.retain(|&step| step > 0);
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// Neighbouring numbers as ranges, the widest first.
fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, high)) if *high + 1 == number => *high = number,
            _ => runs.push((number, number)),
        }
    }
    runs.sort_by_key(|(low, high)| std::cmp::Reverse(high - low));
    runs
}

/// A generator for one divisor and one range of each.
fn fitted(gcd: &str, step: u32, rate: (u32, u32), deviation: (u32, u32)) -> Option<IsnClass> {
    let most = multiples(gcd, step);
    let unit = if step > LARGE { f64::from(step) } else { 1.0 };
    // Where a wide range holds what random numbers give, they are the likeliest source of it.
    let random = (both(rate, (0x102, 0x110)), both(deviation, (0xf8, 0x108)));
    if let ((low, high), (calm, wild)) = random
        && high >= low + 6
        && wild >= calm + 6
        && step <= LARGE
    {
        return Some(bounded(rate_of(rate, (low, high)), rate_of(deviation, (calm, wild)), step, (1, most), None));
    }
    let middle = |(low, high): (u32, u32)| f64::from(low + high) / 2.0;
    let ratio = 2f64.powf((middle(deviation) - middle(rate)) / 8.0) * unit;
    // Uniform numbers have a deviation of 0.58 times their mean; rejection reaches what is not far from that.
    if rate.1 >= RANDOM + 8 && (0.12..1.9).contains(&ratio) && step < 1 << 20 {
        return Some(bounded(rate, deviation, step, (1, most), None));
    }
    let pattern = pattern(step, most, rate, deviation)?;
    let [first, rest @ ..] = pattern;
    if first > 1 && rest.iter().all(|other| *other == first) && accepts_gcd(gcd, step * first) {
        // A step that never varies is the divisor itself: as one of it, it stays that where SYNs are farther apart.
        let step = step * first;
        return Some(bounded(rate, deviation, step, (1, multiples(gcd, step)), Some([1; 5])));
    }
    Some(bounded(rate, deviation, step, (1, most), Some(pattern)))
}

fn both(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    (a.0.max(b.0), a.1.min(b.1))
}

/// The range itself if it is of the usual width, else the part of it that suits.
fn rate_of(range: (u32, u32), part: (u32, u32)) -> (u32, u32) {
    if range.1 - range.0 <= USUAL_WIDTH { range } else { part }
}

/// Five increments, in steps, as near to the middle of both ranges as there are.
fn pattern(step: u32, most: u32, rate: (u32, u32), deviation: (u32, u32)) -> Option<[u32; 5]> {
    let inside = |pattern: &[u32; 5]| {
        let seen = measured(pattern, step);
        let within = |value: u32, (low, high): (u32, u32)| (low..=high).contains(&value);
        within(seen.rate, rate) && within(seen.deviation, deviation) && (step..=step * most).contains(&seen.divisor)
    };
    let off = |pattern: &[u32; 5]| {
        let seen = measured(pattern, step);
        let far = |value: u32, (low, high): (u32, u32)| {
            (f64::from(2 * value) - f64::from(low + high)).abs() / f64::from(high - low + 1)
        };
        // Of two that are as near, the one with the smaller divisor keeps it when it is scaled.
        far(seen.rate, rate).max(far(seen.deviation, deviation)) + f64::from(seen.divisor / step) * 0.05
    };
    let best = |patterns: Vec<[u32; 5]>| {
        let inside = patterns.into_iter().filter(inside);
        inside.min_by(|a, b| off(a).total_cmp(&off(b)))
    };
    let highest = 2f64.powf(f64::from(rate.1) / 8.0) * 0.1 / f64::from(step);
    if highest < f64::from(SMALL)
        && let Some(found) = best(small_sets(highest * 2.5 + 2.0))
    {
        return Some(found);
    }
    best(stretched(step, rate, deviation))
}

/// All sets of five increments up to `most`, in no particular order within a set.
fn small_sets(most: f64) -> Vec<[u32; 5]> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small and positive
    let most = most.min(24.0) as u32;
    let mut sets = Vec::new();
    for a in 0..=most {
        for b in a..=most {
            for c in b..=most {
                for d in c..=most {
                    sets.extend((d.max(1)..=most).map(|e| [c, a, d, b, e]));
                }
            }
        }
    }
    sets
}

/// Shapes with mean 0 and deviation 1, stretched to every pair of mean and deviation in the ranges.
fn stretched(step: u32, rate: (u32, u32), deviation: (u32, u32)) -> Vec<[u32; 5]> {
    const SHAPES: [[f64; 5]; 5] = [
        [-1.265, 0.632, 0.0, 1.265, -0.632],
        [0.8, -1.1, 1.2, -0.9, 0.0],
        [1.789, -0.447, -0.447, -0.447, -0.447],
        [1.6, 0.1, -0.6, -0.6, -0.5],
        [-1.789, 0.447, 0.447, 0.447, 0.447],
    ];
    let unit = if step > LARGE { 1.0 } else { f64::from(step) };
    let grid =
        |(low, high): (u32, u32)| (0..=12).map(move |i| f64::from(low) + f64::from(high - low) * f64::from(i) / 12.0);
    let mut patterns = Vec::new();
    for rate in grid(rate) {
        for deviation in grid(deviation) {
            let mean = 2f64.powf(rate / 8.0) * 0.1 / f64::from(step);
            let spread = if deviation < 0.5 { 0.0 } else { 2f64.powf(deviation / 8.0) * 0.1 / unit };
            for shape in SHAPES {
                let mut pattern = shape.map(|z| rounded(mean + spread * z));
                patterns.push(pattern);
                // A neighbour of one of them, for the sake of the divisor.
                pattern[1] = pattern[1].saturating_add(1);
                patterns.push(pattern);
            }
        }
    }
    patterns.retain(|pattern| pattern.iter().all(|&steps| u64::from(steps) * u64::from(step) < 1 << 31));
    patterns
}

fn rounded(value: f64) -> u32 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    let rounded = value.max(0.0).round() as u32;
    rounded
}

/// nmap's arithmetic, from its documentation.
fn measured(pattern: &[u32; 5], step: u32) -> Measured {
    let divisor = pattern.iter().fold(0, |a, &b| common_divisor(a, b)).saturating_mul(step);
    let rates = pattern.map(|steps| f64::from(steps) * f64::from(step) * 10.0);
    let mean = rates.iter().sum::<f64>() / 5.0;
    let unit = if divisor > LARGE { f64::from(divisor) } else { 1.0 };
    let variance = rates.iter().map(|rate| ((rate - mean) / unit).powi(2)).sum::<f64>() / 4.0;
    let deviation = if variance.sqrt() <= 1.0 { 0 } else { rounded(8.0 * variance.sqrt().log2()) };
    Measured { deviation, divisor, rate: if mean > 0.0 { rounded(8.0 * mean.log2()) } else { 0 } }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
