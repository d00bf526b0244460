//! Times to live: one for each kind of answer, and what the quoted header loses, for what T and TG say.

use std::collections::BTreeMap;

use crate::{database::Entry, expression};

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Initial time to live of each test that has an answer.
    pub(crate) of: BTreeMap<&'static str, u8>,
    /// Subtracted from the time to live of the header that an error quotes.
    pub(crate) quoted: u8,
    /// The error must not be sent, since with it no time to live would do.
    pub(crate) without_error: bool,
}

/// Tests whose answers have a time to live.
const TESTS: [&str; 10] = ["T1", "ECN", "T2", "T3", "T4", "T5", "T6", "T7", "U1", "IE"];
/// What systems really begin with, the usual ones first.
const USUAL: [u8; 8] = [64, 128, 255, 60, 32, 30, 254, 127];
/// How far the quoted time to live may be from the received one.
const QUOTED: std::ops::RangeInclusive<i16> = -60..=60;

/// Finds them.
pub(crate) fn find(entry: &Entry) -> Found {
    let known =
        || TESTS.iter().copied().filter(|test| entry.get(test, "T").is_some() || entry.get(test, "TG").is_some());
    let answered = entry.tests.contains_key("U1") && !entry.silent("U1");
    if answered {
        let mut offsets: Vec<i16> = QUOTED.collect();
        offsets.sort_by_key(|offset| (offset.abs(), *offset < 0));
        for offset in offsets {
            let fits = |test: &str, ttl: u8| exactly(entry, test, i16::from(ttl) + offset);
            if let Some(of) = all(known(), fits) {
                return Found { of, quoted: offset.to_le_bytes()[0], without_error: false };
            }
        }
    }
    let fits = |test: &str, ttl: u8| {
        let roughly = entry.get(test, "TG").is_none_or(|tg| expression::accepts(tg, &format!("{:X}", bucket(ttl))));
        roughly && (exactly(entry, test, i16::from(ttl)) || entry.get(test, "TG").is_some())
    };
    let both = |test: &str, ttl: u8| fits(test, ttl) && exactly(entry, test, i16::from(ttl));
    let of = all(known(), both).or_else(|| all(known(), fits)).unwrap_or_default();
    Found { of, quoted: 0, without_error: answered }
}

/// One time to live for each test, the same for as many as possible.
fn all(
    tests: impl Iterator<Item = &'static str>,
    fits: impl Fn(&str, u8) -> bool,
) -> Option<BTreeMap<&'static str, u8>> {
    let tests: Vec<&str> = tests.collect();
    let ordered: Vec<u8> = USUAL.into_iter().chain((1..=255).rev()).collect();
    let common = ordered.iter().max_by_key(|ttl| {
        let count = tests.iter().filter(|test| fits(test, **ttl)).count();
        let place = ordered.iter().position(|other| other == *ttl).unwrap_or(usize::MAX);
        (count, std::cmp::Reverse(place))
    })?;
    let of = |test: &&'static str| {
        let fitting =
            if fits(test, *common) { Some(*common) } else { ordered.iter().copied().find(|ttl| fits(test, *ttl)) };
        Some((*test, fitting?))
    };
    tests.iter().map(of).collect()
}

fn exactly(entry: &Entry, test: &str, ttl: i16) -> bool {
    entry.get(test, "T").is_none_or(|t| expression::accepts(t, &format!("{ttl:X}")))
}

/// What nmap takes for the initial value where it knows no distance.
pub(crate) fn bucket(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129.. => 255,
    }
}
