//! Where two recordings differ.

use super::{Answer, Line};

/// Two hosts never take the same time to the microsecond: timers are coarse, and the machine has other work. A delayed
/// acknowledgment (40 ms) is still told from an immediate one.
const TOLERANCE_S: f64 = 0.018;
/// Longer times come from timers that are coarser in proportion: those of Linux fire late by up to an eighth, by where
/// their wheel stands (kernel/time/timer.c).
const TOLERANCE_SHARE: f64 = 0.13;

/// A probe that two hosts answered differently.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The probe.
    pub probe: &'static str,
    /// What the first and the second did, line by line: `-` before what the first alone did, `+` the second.
    pub text: String,
}

/// Compares two recordings of the same probes, in the same order.
#[must_use]
pub fn differences(ours: &[Answer], theirs: &[Answer]) -> Vec<Difference> {
    let pairs = ours.iter().zip(theirs);
    let differing = pairs.filter(|(a, b)| !same(&a.lines, &b.lines));
    differing.map(|(a, b)| Difference { probe: a.probe, text: side_by_side(&a.lines, &b.lines) }).collect()
}

/// How the latest answers of two hosts to `probe` differ, unless in some round one did what the other did in some: where
/// chance has a part, it falls otherwise in each.
#[must_use]
pub fn lasting_difference(rounds: &[(Vec<Answer>, Vec<Answer>)], probe: &str) -> Option<Difference> {
    let of = |answers: &[Answer]| answers.iter().find(|answer| answer.probe == probe).cloned();
    let mut last = None;
    for ours in rounds.iter().filter_map(|(ours, _)| of(ours)) {
        for theirs in rounds.iter().filter_map(|(_, theirs)| of(theirs)) {
            last = Some(differences(std::slice::from_ref(&ours), &[theirs]).pop()?);
        }
    }
    last
}

fn same(a: &[Line], b: &[Line]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
}

fn equal(a: &Line, b: &Line) -> bool {
    let close = match (a.at, b.at) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE_S + TOLERANCE_SHARE * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    };
    close && a.text == b.text
}

/// Both in one list, what is equal once: `-` is the first's alone, `+` the second's.
fn side_by_side(a: &[Line], b: &[Line]) -> String {
    // Lengths of the longest common rest, from the end on.
    let mut common = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if equal(&a[i], &b[j]) { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        let equal = i < a.len() && j < b.len() && equal(&a[i], &b[j]);
        if equal {
            text.push_str(&format!("    {}\n", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[i + 1][j] >= common[i][j + 1] {
            text.push_str(&format!("  - {}\n", a[i]));
            i += 1;
        } else {
            text.push_str(&format!("  + {}\n", b[j]));
            j += 1;
        }
    }
    text
}
