//! Who may speak at all: connections of clients that have not logged in are counted, by decoy and by source, and sources
//! that come to nothing too often are turned away for a while. Nothing here lives longer than its last connection but
//! penalties, and those are bounded.

use alloc::{collections::BTreeMap, sync::Arc};
use core::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use rand_core::Rng;

use super::{
    NANOS_OF_S,
    spec::{SshPenalties, SshSpec, SshStartups},
};
use crate::{Context, Opening, limits::ssh::MAX_ENTRIES};

/// Entries from which on a table is searched for those that hold nothing, each time that it has doubled.
const SWEEP_AT: usize = 256;

type Seed = [u8; 16];

/// The counts of all decoys of one engine. A place is taken for as long as a connection holds the `Arc`: however a
/// connection ends, it cannot be forgotten to give it back.
#[derive(Debug, Default)]
pub(crate) struct Startups {
    decoys: Table<Seed, ()>,
    sources: Table<(Seed, IpAddr), ()>,
    penalties: Table<(Seed, IpAddr), Penalty>,
}

#[derive(Debug)]
struct Table<K, V> {
    entries: BTreeMap<K, Arc<V>>,
    sweep_at: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), sweep_at: SWEEP_AT }
    }
}

impl<K: Ord, V: Default> Table<K, V> {
    /// The entry of `key`, and how many connections hold it already. `holds` says of an entry that no connection holds
    /// whether it is to stay.
    fn take(&mut self, key: K, holds: impl Fn(&V) -> bool) -> Option<(Arc<V>, u32)> {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| Arc::strong_count(entry) > 1 || holds(entry));
            self.sweep_at = self.entries.len().saturating_mul(2).clamp(SWEEP_AT, MAX_ENTRIES);
        }
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&key) {
            return None;
        }
        let entry = self.entries.entry(key).or_default();
        let held = u32::try_from(Arc::strong_count(entry).saturating_sub(1)).unwrap_or(u32::MAX);
        Some((Arc::clone(entry), held))
    }
}

/// When a source has served its time, and whether it has come to as much that it is turned away.
#[derive(Debug, Default)]
struct Penalty {
    /// Nanoseconds on the monotone clock.
    until: AtomicU64,
    /// Since when; 0: it is not turned away yet.
    active: AtomicU64,
}

impl Penalty {
    fn is_over(&self, now: u64) -> bool {
        self.until.load(Ordering::Relaxed) < now
    }

    fn turns_away(&self, now: u64) -> bool {
        !self.is_over(now) && self.active.load(Ordering::Relaxed) > 0
    }

    fn add(&self, now: u64, seconds: u32, rules: &SshPenalties) {
        if seconds == 0 {
            return;
        }
        let nanos = |seconds: u32| u64::from(seconds).saturating_mul(NANOS_OF_S);
        let fresh = self.is_over(now);
        let from = if fresh { now } else { self.until.load(Ordering::Relaxed) };
        let until = from.saturating_add(nanos(seconds)).min(now.saturating_add(nanos(rules.most_s)));
        self.until.store(until, Ordering::Relaxed);
        if until.saturating_sub(now) > nanos(rules.least_s) {
            self.active.store(now.max(1), Ordering::Relaxed);
        } else if fresh {
            self.active.store(0, Ordering::Relaxed);
        }
    }
}

/// How a connection went, as far as it matters to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Admitted,
    /// A login failed.
    Refused,
    /// None was tried.
    NotTried,
    /// The time for it ran out.
    TooLate,
}

/// One connection's place.
#[derive(Debug)]
pub(crate) struct Door {
    seed: Seed,
    peer: Option<IpAddr>,
    now: u64,
    knocked: bool,
    places: [Option<Arc<()>>; 2],
    penalty: Option<Arc<Penalty>>,
}

impl Door {
    pub(crate) fn new(opening: &Opening<'_>) -> Self {
        Self {
            seed: opening.identity.seed,
            peer: opening.around.peer.map(|(address, _)| address),
            now: opening.now,
            knocked: false,
            places: [None, None],
            penalty: None,
        }
    }

    /// The time, for what is decided when nobody tells it any more.
    pub(crate) fn tell_time(&mut self, now: u64) {
        self.now = now;
    }

    /// Takes a place, the first time; `false`: there is none for this client.
    pub(crate) fn enter(&mut self, cx: &mut Context<'_>, spec: &SshSpec, chance: &mut impl Rng) -> bool {
        if core::mem::replace(&mut self.knocked, true) {
            return true;
        }
        let (now, table) = (cx.now, &mut cx.shared.startups);
        if let Some(peer) = self.peer.filter(|_| spec.penalties.is_some()) {
            let entry = table.penalties.take((self.seed, peer), |penalty| !penalty.is_over(now));
            let penalty = entry.map(|(penalty, _)| penalty);
            if penalty.as_ref().is_some_and(|penalty| penalty.turns_away(now)) {
                return false;
            }
            self.penalty = penalty;
        }
        let decoy = spec.startups.and_then(|rule| Some((rule, table.decoys.take(self.seed, |()| false)?)));
        let source = self
            .peer
            .filter(|_| spec.startups_per_source > 0)
            .and_then(|peer| table.sources.take((self.seed, peer), |()| false));
        let full = decoy.as_ref().is_some_and(|(rule, (_, held))| drops(*rule, *held, chance))
            || source.as_ref().is_some_and(|(_, held)| *held >= spec.startups_per_source);
        if full {
            // Who is turned away by the listener itself earns no penalty.
            self.penalty = None;
            return false;
        }
        self.places = [decoy.map(|(_, (place, _))| place), source.map(|(place, _)| place)];
        true
    }

    /// Gives the place back; what the first call says holds.
    pub(crate) fn leave(&mut self, spec: &SshSpec, outcome: Outcome) {
        self.places = [None, None];
        let (Some(penalty), Some(rules)) = (self.penalty.take(), &spec.penalties) else { return };
        let seconds = match outcome {
            Outcome::Admitted => 0,
            Outcome::Refused => rules.failed_login_s,
            Outcome::NotTried => rules.no_login_s,
            Outcome::TooLate => rules.too_late_s,
        };
        penalty.add(self.now, seconds, rules);
    }
}

/// Whether a client is turned away beside `held` others, as OpenSSH reckons it.
fn drops(rule: SshStartups, held: u32, chance: &mut impl Rng) -> bool {
    if held < rule.begin {
        return false;
    }
    if held >= rule.full || rule.rate >= 100 {
        return true;
    }
    let span = rule.full.saturating_sub(rule.begin).max(1);
    let grown = 100u32.saturating_sub(rule.rate).saturating_mul(held.saturating_sub(rule.begin)) / span;
    chance.next_u64() % 100 < u64::from(grown.saturating_add(rule.rate))
}

#[cfg(test)]
mod tests;
