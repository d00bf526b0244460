//! nmap's arithmetic on the answers to its timed SYNs: SP, GCD, ISR, TI, CI, II, SS and TS.

use crate::database::Test;

/// An answer to one of the six SYNs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) seq: u32,
    pub(crate) id: u16,
    /// When the SYN was sent.
    pub(crate) at_ns: u64,
    pub(crate) stamp: Option<u32>,
}

/// Classes of IP identifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Zero,
    Random,
    RandomSteps,
    Swapped,
    Increasing,
    Constant(u16),
}

/// The attributes of SEQ.
pub(crate) fn sequence(timed: &[Timed], closed: &[u16], icmp: &[u16]) -> Test {
    let mut test = Test::new();
    if timed.len() >= 4 {
        numbers(timed, &mut test);
    }
    let tcp: Vec<u16> = timed.iter().map(|answer| answer.id).collect();
    let (ti, ci, ii) = (class(&tcp), class(closed), class(icmp));
    for (attribute, class) in [("TI", ti), ("CI", ci), ("II", ii)] {
        if let Some(class) = class {
            test.insert(attribute.into(), class.letters());
        }
    }
    let counts = |class: Option<Class>| matches!(class, Some(Class::RandomSteps | Class::Swapped | Class::Increasing));
    if let (true, true, [first, .., last], Some(echo)) = (counts(ti), counts(ii), &tcp[..], icmp.first()) {
        let steps = u32::try_from(tcp.len() - 1).unwrap_or(1);
        let mean = u32::from(last.wrapping_sub(*first)) / steps;
        let shared = u32::from(*echo) < u32::from(*last) + 3 * mean;
        test.insert("SS".into(), if shared { "S" } else { "O" }.into());
    }
    if let Some(code) = timestamps(timed) {
        test.insert("TS".into(), code);
    }
    test
}

fn numbers(timed: &[Timed], test: &mut Test) {
    let pairs = timed.windows(2).filter_map(|pair| if let [a, b] = pair { Some((a, b)) } else { None });
    let steps: Vec<(u32, f64)> = pairs
        .map(|(a, b)| {
            let step = b.seq.wrapping_sub(a.seq);
            (step.min(step.wrapping_neg()), (b.at_ns - a.at_ns) as f64 / 1e9)
        })
        .collect();
    let divisor = steps.iter().fold(0, |divisor, (step, _)| common_divisor(divisor, *step));
    let rates: Vec<f64> = steps.iter().map(|(step, seconds)| f64::from(*step) / seconds).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let unit = if divisor > 9 { f64::from(divisor) } else { 1.0 };
    let variance = rates.iter().map(|rate| ((rate - mean) / unit).powi(2)).sum::<f64>() / (rates.len() - 1) as f64;
    let eighths = |value: f64| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below 2^9
        let eighths = (8.0 * value.log2()).round().max(0.0) as u32;
        eighths
    };
    let (rate, deviation) = match divisor {
        0 => (0, 0),
        _ => (eighths(mean), if variance.sqrt() <= 1.0 { 0 } else { eighths(variance.sqrt()) }),
    };
    for (attribute, value) in [("SP", deviation), ("GCD", divisor), ("ISR", rate)] {
        test.insert(attribute.into(), format!("{value:X}"));
    }
}

impl Class {
    fn letters(self) -> String {
        match self {
            Self::Zero => "Z".into(),
            Self::Random => "RD".into(),
            Self::RandomSteps => "RI".into(),
            Self::Swapped => "BI".into(),
            Self::Increasing => "I".into(),
            Self::Constant(id) => format!("{id:X}"),
        }
    }
}

fn class(ids: &[u16]) -> Option<Class> {
    let (Some(first), true) = (ids.first(), ids.len() >= 2) else { return None };
    if ids.iter().all(|id| *id == 0) {
        return Some(Class::Zero);
    }
    let steps: Vec<u32> = ids
        .windows(2)
        .filter_map(|pair| if let [a, b] = pair { Some(u32::from(*b).wrapping_sub(u32::from(*a))) } else { None })
        .collect();
    if ids.len() > 2 && steps.iter().any(|step| *step > 20_000) {
        return Some(Class::Random);
    }
    let steps: Vec<u32> = steps.iter().map(|step| step & 0xffff).collect();
    if steps.iter().all(|step| *step == 0) {
        return Some(Class::Constant(*first));
    }
    if steps.iter().any(|step| *step > 1_000 && (step % 256 != 0 || *step >= 25_600)) {
        return Some(Class::RandomSteps);
    }
    if steps.iter().all(|step| step % 256 == 0 && *step <= 5_120) {
        return Some(Class::Swapped);
    }
    let increasing = steps.iter().all(|step| step % 2 == 0) || steps.iter().all(|step| *step < 10);
    increasing.then_some(Class::Increasing)
}

fn timestamps(timed: &[Timed]) -> Option<String> {
    let lacking = timed.iter().rev().find_map(|answer| match answer.stamp {
        None => Some("U"),
        Some(0) => Some("0"),
        Some(_) => None,
    });
    if let Some(lacking) = lacking {
        return Some(lacking.into());
    }
    let pairs = timed.windows(2).filter_map(|pair| if let [a, b] = pair { Some((a, b)) } else { None });
    let rates: Vec<f64> = pairs
        .map(|(a, b)| {
            let ticks = b.stamp.unwrap_or(0).wrapping_sub(a.stamp.unwrap_or(0));
            f64::from(ticks.min(ticks.wrapping_neg())) * 1e9 / (b.at_ns - a.at_ns) as f64
        })
        .collect();
    let rate = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
    let code = match rate {
        r if r <= 0.0 || rates.is_empty() => return None,
        r if r <= 5.66 => 1,
        r if (70.0..=150.0).contains(&r) => 7,
        r if r > 150.0 && r <= 350.0 => 8,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below 64
        r => (0.5 + r.log2()) as u32,
    };
    Some(format!("{code:X}"))
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
