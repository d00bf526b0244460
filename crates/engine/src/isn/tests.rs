use std::vec::Vec;

use super::{bounds::power, *};

const MS: u64 = 1_000_000;

/// nmap's arithmetic on six numbers (fidelity: ISR, SP and GCD), from its documentation.
fn measure(isns: &[u32], spacing_ms: u64) -> (f64, f64, u32) {
    let steps: Vec<u32> = isns.windows(2).map(|w| w[1].wrapping_sub(w[0])).map(|d| d.min(d.wrapping_neg())).collect();
    let gcd = steps.iter().fold(0, |a, &b| divisor(a, b));
    let rates: Vec<f64> = steps.iter().map(|&d| f64::from(d) * 1000.0 / spacing_ms as f64).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let unit = if gcd > 9 { f64::from(gcd) } else { 1.0 };
    let variance = rates.iter().map(|r| ((r - mean) / unit).powi(2)).sum::<f64>() / (rates.len() - 1) as f64;
    let sp = if variance.sqrt() <= 1.0 { 0.0 } else { 8.0 * variance.sqrt().log2() };
    ((8.0 * mean.log2()).round(), sp.round(), gcd)
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn numbers(class: IsnClass, count: usize, spacing_ms: u64) -> Vec<u32> {
    let (generator, mut chance) = (Generator::new(class), Chance::new([7; 32]));
    let mut history = History::default();
    let next = |n: u64| generator.next(&mut history, n * spacing_ms * MS, n * spacing_ms * MS, 0, &mut chance);
    (1..=count as u64).map(next).collect()
}

/// The share, in thousandths, of six in a row that are judged inside the bounds.
fn inside(class: IsnClass, spacing_ms: u64) -> usize {
    let IsnClass::Bounded { rate, deviation, step, divisor, .. } = class else { panic!("not bounded") };
    let isns = numbers(class, 2_000, spacing_ms);
    // The first number follows a pause.
    let windows: Vec<&[u32]> = isns.windows(6).skip(1).collect();
    let good = |window: &&&[u32]| {
        let (isr, sp, gcd) = measure(window, spacing_ms);
        let within = |value: f64, (low, high): (u16, u16)| value >= f64::from(low) && value <= f64::from(high);
        let gcd = divisor.1 == 0 || (divisor.0 * step..=divisor.1 * step).contains(&gcd);
        within(isr, rate) && within(sp, deviation) && gcd
    };
    windows.iter().filter(good).count() * 1000 / windows.len()
}

fn bounded(rate: (u16, u16), deviation: (u16, u16)) -> IsnClass {
    IsnClass::Bounded { rate, deviation, step: 1, divisor: (1, 6), pattern: None }
}

fn patterned(rate: (u16, u16), deviation: (u16, u16), step: u32, pattern: [u32; 5]) -> IsnClass {
    IsnClass::Bounded { rate, deviation, step, divisor: (1, 1), pattern: Some(pattern) }
}

#[test]
fn bounded_numbers_are_judged_inside_their_bounds() {
    for spacing in [100, 130, 160] {
        let share = inside(bounded((0x105, 0x10f), (0xfc, 0x106)), spacing);
        assert!(share >= 990, "{share} at {spacing} ms");
    }
}

#[test]
fn low_rates_come_out_as_well() {
    let share = inside(bounded((154, 168), (140, 160)), 100);
    assert!(share >= 980, "{share}");
}

#[test]
fn numbers_that_grow_with_time_are_judged_inside_their_bounds() {
    // A clock, a counter of large steps, a few small steps, and steps of very different size.
    let classes = [
        patterned((0x9a, 0xa4), (0x70, 0x80), 1, [100_000, 110_000, 95_000, 105_000, 90_001]),
        patterned((0x97, 0xa1), (12, 22), 64_000, [1, 1, 1, 1, 2]),
        patterned((0x2e, 0x38), (0, 20), 1, [7, 8, 7, 8, 8]),
        patterned((0xb0, 0xba), (0xb2, 0xbc), 1, [3_000_000, 100_000, 100_000, 120_001, 110_000]),
    ];
    for class in classes {
        for spacing in [100, 130, 150] {
            let share = inside(class, spacing);
            assert!(share >= 970, "{share} at {spacing} ms: {class:?}");
        }
    }
}

#[test]
fn random_numbers_show_no_period() {
    let isns = numbers(bounded((0x105, 0x10f), (0xfc, 0x106)), 4_000, 100);
    let steps: Vec<f64> = isns.windows(2).map(|w| f64::from(w[1].wrapping_sub(w[0]).cast_signed())).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let variance = steps.iter().map(|s| (s - mean).powi(2)).sum::<f64>();
    for lag in 2..=100 {
        let products = steps.iter().zip(&steps[lag..]).map(|(a, b)| (a - mean) * (b - mean));
        let correlation = products.sum::<f64>() / variance;
        assert!(correlation.abs() < 0.08, "{correlation} at a distance of {lag}");
    }
    let distinct: std::collections::BTreeSet<u32> = isns.iter().copied().collect();
    assert_eq!(distinct.len(), isns.len());
}

#[test]
fn random_numbers_are_spread_over_all_there_are() {
    let isns = numbers(bounded((0x105, 0x10f), (0xfc, 0x106)), 16_000, 100);
    for sixteenth in 0..16 {
        let share = isns.iter().filter(|isn| **isn >> 28 == sixteenth).count();
        assert!((850..1_150).contains(&share), "{share} of 16,000 in sixteenth {sixteenth}");
    }
}

#[test]
fn a_burst_of_random_numbers_is_as_random() {
    // Whoever asks a thousand times a second sees no smaller steps than whoever asks ten times.
    let isns = numbers(bounded((0x105, 0x10f), (0xfc, 0x106)), 2_000, 1);
    let steps = isns.windows(2).map(|w| w[1].wrapping_sub(w[0])).map(|d| d.min(d.wrapping_neg()));
    let large = steps.filter(|&step| step > 1 << 30).count();
    assert!((850..1_150).contains(&large), "{large} of 2,000 steps are larger than the median of random ones");
}

#[test]
fn two_remotes_do_not_disturb_each_other() {
    let class = patterned((0x97, 0xa1), (12, 22), 64_000, [1, 1, 1, 1, 2]);
    let (generator, mut chance) = (Generator::new(class), Chance::new([5; 32]));
    let (mut one, mut other) = (History::default(), History::default());
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for n in 1..500u64 {
        ones.push(generator.next(&mut one, n * 100 * MS, 0, 0, &mut chance));
        others.push(generator.next(&mut other, n * 110 * MS + 37 * MS, 0, 0, &mut chance));
    }
    for (isns, spacing) in [(ones, 100), (others, 110)] {
        for window in isns.windows(6).skip(1) {
            let (isr, _, gcd) = measure(window, spacing);
            assert!((151.0..=161.0).contains(&isr) && gcd == 64_000, "{isr} {gcd}");
        }
    }
}

#[test]
fn power_is_close() {
    for eighths in 0..300 {
        let exact = 2f64.powf(f64::from(eighths) / 8.0);
        assert!((power(f64::from(eighths)) / exact - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_clock_of_rfc_6528_runs_between_connections() {
    let (generator, mut chance) = (Generator::new(IsnClass::Rfc6528 { tick_ns: 64 }), Chance::new([1; 32]));
    let mut history = History::default();
    let a = generator.next(&mut history, 0, 0, 99, &mut chance);
    let b = generator.next(&mut history, 0, 64_000, 99, &mut chance);
    assert_eq!(b.wrapping_sub(a), 1000);
}

#[test]
fn numbers_that_grow_by_the_uptime_grow_ever_faster() {
    let (generator, mut chance) = (Generator::new(IsnClass::Uptime { per_second: 2 }), Chance::new([1; 32]));
    let mut history = History::default();
    let minute = 60_000_000_000;
    let isns = [1, 1, 2, 10].map(|minutes| generator.next(&mut history, 0, minutes * minute, 0, &mut chance));
    let steps: Vec<u32> = isns.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(steps, [120, 240, 1200]);
}
