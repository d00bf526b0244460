//! Whether a personality is what its fingerprint says, by the database's own rules of matching.

use chaff_engine::personality::Personality;

use crate::{database::Entry, differences, rehearsal::Rehearsal};

/// Distances between nmap's timed SYNs that are tried: it plans a tenth of a second, and takes longer with many hosts.
const SPACINGS_MS: [u64; 3] = [100, 115, 140];
/// Rounds of one scan: nmap looks again where nothing matches, up to five times.
const ROUNDS: usize = 5;

/// What does not hold, as sentences; none if nmap would match it at 100 %.
pub(crate) fn check(entry: &Entry, personality: &Personality) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for (seed, spacing) in (1..).zip(SPACINGS_MS) {
        let mut rehearsal = Rehearsal::new(personality, seed);
        let mut last = Vec::new();
        for _ in 0..ROUNDS {
            last = differences::between(entry, rehearsal.round(spacing));
            if last.is_empty() {
                break;
            }
        }
        for difference in last {
            let what = format!("cannot hold: {difference} ({spacing} ms)");
            if !said.iter().any(|other| other.split(" (").next() == what.split(" (").next()) {
                said.push(what);
            }
        }
    }
    said
}

#[cfg(test)]
mod tests;
