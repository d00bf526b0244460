use std::vec::Vec;

use super::*;

/// nmap's arithmetic on six numbers 100 ms apart (fidelity: ISR and SP), from its documentation.
fn measure(isns: &[u32]) -> (f64, f64) {
    let rates: Vec<f64> = isns
        .windows(2)
        .map(|w| {
            let d = w[1].wrapping_sub(w[0]);
            f64::from(d.min(d.wrapping_neg())) / 0.1
        })
        .collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let variance = rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (rates.len() - 1) as f64;
    (8.0 * mean.log2(), 8.0 * variance.sqrt().log2())
}

#[test]
fn bounded_numbers_are_judged_inside_their_bounds() {
    let class = IsnClass::Bounded { rate: (0x105, 0x10f), deviation: (0xfc, 0x106) };
    let mut chance = Chance::new([7; 32]);
    let mut history = History::default();
    let mut now = 0;
    let isns: Vec<u32> = (0..2000)
        .map(|_| {
            now += 100_000_000;
            next(class, &mut history, now, now, 0, &mut chance)
        })
        .collect();
    let windows = isns.windows(6).skip(6);
    let (mut inside, mut all) = (0, 0);
    for window in windows {
        let (rate, deviation) = measure(window);
        all += 1;
        inside += i32::from((261.0..=271.0).contains(&rate.round()) && (252.0..=262.0).contains(&deviation.round()));
    }
    assert!(inside * 100 >= all * 99, "{inside} of {all} windows inside");
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
    let mut chance = Chance::new([1; 32]);
    let mut history = History::default();
    let class = IsnClass::Rfc6528 { tick_ns: 64 };
    let a = next(class, &mut history, 0, 0, 99, &mut chance);
    let b = next(class, &mut history, 0, 64_000, 99, &mut chance);
    assert_eq!(b.wrapping_sub(a), 1000);
}

#[test]
fn low_rates_come_out_as_well() {
    let class = IsnClass::Bounded { rate: (154, 168), deviation: (140, 160) };
    let mut chance = Chance::new([8; 32]);
    let mut history = History::default();
    let isns: Vec<u32> = (1..1000u64).map(|n| next(class, &mut history, n * 100_000_000, 0, 0, &mut chance)).collect();
    let inside = |window: &&[u32]| {
        let (rate, deviation) = measure(window);
        (154.0..=168.0).contains(&rate.round()) && (140.0..=160.0).contains(&deviation.round())
    };
    let (all, good) = (isns.windows(6).skip(6).count(), isns.windows(6).skip(6).filter(inside).count());
    assert!(good * 100 >= all * 98, "{good} of {all}");
}

#[test]
fn numbers_that_grow_by_the_uptime_grow_ever_faster() {
    let class = IsnClass::Uptime { per_second: 2 };
    let mut chance = Chance::new([1; 32]);
    let mut history = History::default();
    let minute = 60_000_000_000;
    let isns = [1, 1, 2, 10].map(|minutes| next(class, &mut history, 0, minutes * minute, 0, &mut chance));
    let steps: Vec<u32> = isns.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(steps, [120, 240, 1200]);
}
