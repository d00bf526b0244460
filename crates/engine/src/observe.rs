//! Observations, folded at the source: the first of its like goes out at once, what follows soon after is counted.
//!
//! A scan of a /16 thus costs the hub a few rows for each decoy, not one for each packet. Credentials and requests are
//! never folded while the budget lasts; a flood from invented sources is counted under no source at all.

use alloc::{string::String, vec::Vec};
use core::net::{IpAddr, Ipv4Addr};

use chaff_events::{DecoyId, Detail, EventId, Kind, Observation, Source, Tool, Transport, UtcNanos};
use chaff_wire::Mac;
use hashbrown::HashTable;

use crate::{arena::Arena, chance::Chance, clock::Clock, outbox::Outbox, part::Share};

/// How long like observations are folded: short enough that the counts of a scan stand in the store within a second of its
/// first packet, long enough that a scan costs little.
const WINDOW_NS: u64 = 500_000_000;
/// Folds in progress: one for each of (source, decoy, kind) that was active within the window. About 6 MiB when full.
const MAX_FOLDS: usize = 65_536;
/// Ports kept in one fold: more than that and it goes out early.
const MAX_PORTS: usize = 1_024;
/// Ports kept in all folds together (2 MiB); beyond it, folds count but name no more ports until they go out.
const MAX_PORTS_IN_ALL: usize = 1 << 20;
/// Observations that may go out at once: a sweep of a /16 by ARP and then by SYN.
const BURST: u64 = 131_072;
/// Observations a second after that, what a hub stores without falling behind.
const PER_SECOND: u64 = 10_000;
/// A budget that is not spent is filled up this often; one that is spent, with each question.
const REFILL_NS: u64 = 1_000_000_000;

/// Folds that go out a second: what waits goes on counting, so a scan of a whole /16 that lasts costs no more rows than
/// a hub stores at its leisure.
const FLUSHES_PER_SECOND: u64 = 4_096;
/// Folds that may go out at once after a pause.
const FLUSH_BURST: u64 = 512;
const SECOND_NS: u64 = 1_000_000_000;

/// One thing seen, before it is known whether it goes out by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) decoy: u32,
    pub(crate) source: Source,
    pub(crate) kind: Kind,
    pub(crate) transport: Transport,
    pub(crate) port: u16,
    pub(crate) service: &'a str,
    pub(crate) tool: Option<Tool>,
}

#[derive(Debug)]
struct Fold {
    decoy: u32,
    source: Source,
    kind: Kind,
    transport: Transport,
    port: u16,
    since: UtcNanos,
    count: u32,
    ports: Vec<u16>,
    /// Tools that this fold has named already, one bit each.
    tools: u32,
    deadline: u64,
}

#[derive(Debug)]
pub(crate) struct Observer {
    folds: Arena<Fold>,
    index: HashTable<u32>,
    ports: usize,
    spent: u64,
    refilled: u64,
    sequence: u16,
    /// When the next fold may go out.
    flush_at: u64,
    /// Seen while the table was full and the budget spent.
    uncounted: u64,
    limits: Limits,
}

/// This engine's share of what all workers may tell together.
#[derive(Clone, Copy, Debug)]
struct Limits {
    ports: usize,
    burst: u64,
    /// Time for which one observation more may go out.
    token_ns: u64,
    flush_burst: u64,
    flush_step_ns: u64,
}

impl Limits {
    fn new(share: Share) -> Self {
        Self {
            ports: share.of(MAX_PORTS_IN_ALL),
            burst: share.of_budget(BURST),
            token_ns: SECOND_NS / share.of_budget(PER_SECOND),
            flush_burst: share.of_budget(FLUSH_BURST),
            flush_step_ns: SECOND_NS / share.of_budget(FLUSHES_PER_SECOND),
        }
    }
}

impl Observer {
    pub(crate) fn new(now: u64, share: Share) -> Self {
        Self {
            folds: Arena::new(share.of(MAX_FOLDS)),
            index: HashTable::new(),
            ports: 0,
            spent: 0,
            refilled: now,
            sequence: 0,
            flush_at: now,
            uncounted: 0,
            limits: Limits::new(share),
        }
    }

    /// Records what can be folded.
    pub(crate) fn see(
        &mut self,
        now: u64,
        sight: Sight<'_>,
        clock: &Clock,
        chance: &mut Chance,
        out: &mut Outbox,
        detail: impl FnOnce() -> Detail,
    ) {
        let mut sight = sight;
        let mut found = self.find(&sight, chance);
        if let Some(index) = found {
            if self.count(index, &sight, clock.utc(now)) {
                if self.folds.get(index).is_some_and(|f| f.ports.len() >= MAX_PORTS) {
                    self.flush(index, now, chance, out);
                }
                return;
            }
            // A tool that this fold has not named yet: said at once.
            if self.budget(now) {
                self.emit(&sight, 1, Vec::new(), detail(), clock.utc(now), chance, out);
                return;
            }
        } else if self.budget(now) && self.open(now, &sight, 0, clock.utc(now), chance) {
            self.emit(&sight, 1, Vec::new(), detail(), clock.utc(now), chance, out);
            return;
        }
        sight.source = NOBODY;
        found = self.find(&sight, chance);
        match found {
            Some(index) => {
                self.count(index, &sight, clock.utc(now));
            }
            None => {
                if !self.open(now, &sight, 1, clock.utc(now), chance) {
                    self.uncounted += 1;
                }
            }
        }
    }

    /// Records what must not be folded: a credential, a request. `false` when the budget is spent; it is counted then.
    pub(crate) fn tell(
        &mut self,
        now: u64,
        sight: Sight<'_>,
        detail: Detail,
        clock: &Clock,
        chance: &mut Chance,
        out: &mut Outbox,
    ) {
        if self.budget(now) {
            self.emit(&sight, 1, Vec::new(), detail, clock.utc(now), chance, out);
        } else {
            self.see(now, sight, clock, chance, out, || Detail::None);
        }
    }

    /// Sends the folds whose second is over.
    pub(crate) fn handle_wake(&mut self, now: u64, chance: &mut Chance, out: &mut Outbox) {
        while let Some(index) = self.folds.oldest() {
            let Some(fold) = self.folds.get(index) else { break };
            if fold.deadline > now {
                break;
            }
            if fold.count == 0 {
                self.close(index, chance);
                continue;
            }
            if self.flush_at > now {
                break;
            }
            let Limits { flush_burst, flush_step_ns, .. } = self.limits;
            let earliest = now.saturating_sub(flush_burst * flush_step_ns);
            self.flush_at = self.flush_at.max(earliest).saturating_add(flush_step_ns);
            self.flush(index, now, chance, out);
        }
    }

    /// When the oldest fold's second is over and it may go out.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        let oldest = self.folds.get(self.folds.oldest()?)?;
        Some(if oldest.count == 0 { oldest.deadline } else { oldest.deadline.max(self.flush_at) })
    }

    fn find(&self, sight: &Sight<'_>, chance: &Chance) -> Option<u32> {
        let hash = hash(chance, sight.decoy, &sight.source, sight.kind);
        let same = |&index: &u32| {
            self.folds.get(index).is_some_and(|fold| {
                fold.decoy == sight.decoy && fold.kind == sight.kind && same_source(&fold.source, &sight.source)
            })
        };
        self.index.find(hash, same).copied()
    }

    /// Adds to a fold; `false` if the sight names a tool that the fold has not named.
    fn count(&mut self, index: u32, sight: &Sight<'_>, utc: UtcNanos) -> bool {
        let Some(fold) = self.folds.get_mut(index) else { return true };
        let tool = tool_bit(sight.tool);
        if tool & !fold.tools != 0 {
            fold.tools |= tool;
            return false;
        }
        if fold.count == 0 {
            fold.since = utc;
            fold.port = sight.port;
        }
        fold.count = fold.count.saturating_add(1);
        fold.source.port = sight.source.port;
        if sight.port != 0 && fold.ports.last() != Some(&sight.port) && self.ports < self.limits.ports {
            fold.ports.push(sight.port);
            self.ports += 1;
        }
        true
    }

    fn open(&mut self, now: u64, sight: &Sight<'_>, count: u32, utc: UtcNanos, chance: &Chance) -> bool {
        let fold = Fold {
            decoy: sight.decoy,
            source: sight.source,
            kind: sight.kind,
            transport: sight.transport,
            port: sight.port,
            since: utc,
            count,
            ports: Vec::new(),
            tools: tool_bit(sight.tool),
            deadline: now.saturating_add(WINDOW_NS),
        };
        if self.folds.is_full() {
            // What has nothing to say yet gives way; a fold with counts does not.
            let Some(oldest) = self.folds.oldest().filter(|&i| self.folds.get(i).is_some_and(|f| f.count == 0)) else {
                return false;
            };
            self.close(oldest, chance);
        }
        let Some(index) = self.folds.push(fold) else { return false };
        let folds = &self.folds;
        let rehash = |&i: &u32| folds.get(i).map_or(0, |f| hash(chance, f.decoy, &f.source, f.kind));
        self.index.insert_unique(hash(chance, sight.decoy, &sight.source, sight.kind), index, rehash);
        true
    }

    fn close(&mut self, index: u32, chance: &Chance) {
        let Some(fold) = self.folds.remove(index) else { return };
        self.ports -= fold.ports.len();
        let hash = hash(chance, fold.decoy, &fold.source, fold.kind);
        if let Ok(entry) = self.index.find_entry(hash, |&i| i == index) {
            entry.remove();
        }
    }

    /// Sends what a fold has counted and starts its next window.
    fn flush(&mut self, index: u32, now: u64, chance: &mut Chance, out: &mut Outbox) {
        let extra = u32::try_from(core::mem::take(&mut self.uncounted)).unwrap_or(u32::MAX);
        let Some(fold) = self.folds.get_mut(index) else { return };
        fold.deadline = now.saturating_add(WINDOW_NS);
        let mut ports = core::mem::take(&mut fold.ports);
        self.ports -= ports.len();
        let count = core::mem::take(&mut fold.count).saturating_add(extra);
        let sight = Sight {
            decoy: fold.decoy,
            source: fold.source,
            kind: fold.kind,
            transport: fold.transport,
            port: fold.port,
            service: "",
            tool: None,
        };
        let since = fold.since;
        self.folds.touch(index);
        ports.sort_unstable();
        ports.dedup();
        if count == 1 {
            ports.clear();
        }
        self.emit(&sight, count, ports, Detail::None, since, chance, out);
    }

    #[allow(clippy::too_many_arguments)]
    fn emit(
        &mut self,
        sight: &Sight<'_>,
        count: u32,
        ports: Vec<u16>,
        detail: Detail,
        time: UtcNanos,
        chance: &mut Chance,
        out: &mut Outbox,
    ) {
        self.sequence = (self.sequence + 1) & 0x0fff;
        out.observe(Observation {
            id: EventId::new(time, self.sequence, chance.next_u64()),
            time,
            decoy: DecoyId(sight.decoy),
            source: sight.source,
            kind: sight.kind,
            transport: sight.transport,
            port: sight.port,
            service: String::from(sight.service),
            tool: sight.tool,
            count,
            ports,
            detail,
        });
    }

    /// Takes one from the budget of observations that go out by themselves.
    fn budget(&mut self, now: u64) -> bool {
        let Limits { burst, token_ns, .. } = self.limits;
        if self.spent >= burst {
            let earned = now.saturating_sub(self.refilled) / token_ns;
            self.spent = self.spent.saturating_sub(earned);
            self.refilled = self.refilled.saturating_add(earned * token_ns);
        } else if now.saturating_sub(self.refilled) > REFILL_NS {
            let earned = now.saturating_sub(self.refilled) / token_ns;
            self.spent = self.spent.saturating_sub(earned);
            self.refilled = now;
        }
        let granted = self.spent < burst;
        self.spent += u64::from(granted);
        granted
    }
}

/// Where a flood from invented sources is counted.
const NOBODY: Source = Source { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), mac: Mac::ZERO, port: 0 };

/// Two packets have the same source if their addresses agree; an unspecified address is told apart by the hardware's.
fn same_source(a: &Source, b: &Source) -> bool {
    a.ip == b.ip && (!a.ip.is_unspecified() || a.mac == b.mac)
}

/// What tells folds apart; of IPv4 all of it in one word.
fn hash(chance: &Chance, decoy: u32, source: &Source, kind: Kind) -> u64 {
    let what = u64::from(decoy) << 8 | kind as u64;
    match source.ip {
        IpAddr::V4(ip) => chance.hash([u64::from(ip.to_bits()) | what << 32]),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            chance.hash([(bits >> 64) as u64, (bits & 0xffff_ffff_ffff_ffff) as u64, what])
        }
    }
}

fn tool_bit(tool: Option<Tool>) -> u32 {
    tool.map_or(0, |tool| 1u32.checked_shl(tool as u32).unwrap_or(0))
}
