//! What a decoy remembers of one remote address: made on first touch, the least recently used gives way.

use core::net::IpAddr;

use chaff_wire::Mac;
use hashbrown::HashTable;

use crate::{
    arena::Arena,
    chance::Chance,
    fleet::{Bucket, DecoyView},
    ip_id::PeerIds,
    isn::History,
    part::Share,
    timer::TimerId,
};

/// Pairs of decoy and remote address that are remembered at once: a sweep of a /16 by one intruder. About 10 MiB.
const MAX_PEERS: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) decoy: u32,
    pub(crate) remote: IpAddr,
    pub(crate) isn: History,
    /// Identifications for this peer alone.
    pub(crate) ids: PeerIds,
    /// Which of the personality's exceptions have left a SYN unanswered (`every-second`), a bit for each.
    pub(crate) unanswered: u16,
    /// ICMP errors sent to this peer.
    pub(crate) errors: Bucket,
    pub(crate) neighbour: Neighbour,
}

/// The neighbour cache entry. For an address beyond the router it holds the router's card, and no state of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour {
    pub(crate) card: Mac,
    pub(crate) state: NeighbourState,
    /// Until when packets go to `card` and nothing else need be looked at.
    pub(crate) until: u64,
    pub(crate) timer: TimerId,
    /// Where packets wait while the neighbour is asked for.
    pub(crate) line: u64,
    /// How much of what was overheard the entry takes into account.
    pub(crate) heard: u32,
    /// When the card was last learned or confirmed.
    updated: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeighbourState {
    /// Nothing is known: the next packet waits, and everybody is asked.
    Unknown,
    /// So many times everybody was asked.
    Incomplete(u8),
    /// It was overheard, or it answered long ago: the next packet starts a verification.
    Stale,
    /// A packet was sent; verification starts when the timer fires.
    Delay,
    /// So many times it was asked by unicast.
    Probe(u8),
    /// It answered.
    Reachable,
}

impl Neighbour {
    const UNKNOWN: Self = Self {
        card: Mac::ZERO,
        state: NeighbourState::Unknown,
        until: 0,
        timer: TimerId::NONE,
        line: 0,
        heard: 0,
        updated: 0,
    };

    /// Whether its card is known; it may have to be verified.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.state, NeighbourState::Unknown | NeighbourState::Incomplete(_))
    }

    /// Whether another card is not believed at `now`: somebody else has just answered (Linux, arp(7): locktime).
    pub(crate) fn is_locked(&self, card: Mac, now: u64, decoy: &DecoyView<'_>) -> bool {
        let lock = u64::from(decoy.stack.rules.arp.lock_ms) * 1_000_000;
        self.is_known() && self.card != card && now < self.updated.saturating_add(lock)
    }

    /// It was heard of. A stack that verifies does so before it relies on that; others take it as an answer.
    pub(crate) fn learn(&mut self, card: Mac, now: u64, decoy: &DecoyView<'_>) {
        self.confirm(card, now, decoy);
        if decoy.stack.rules.arp.verify_ms > 0 {
            self.state = NeighbourState::Stale;
            self.until = 0;
        }
    }

    /// It answered. Where the personality sets no end, that holds for ever.
    pub(crate) fn confirm(&mut self, card: Mac, now: u64, decoy: &DecoyView<'_>) {
        let holds = u64::from(decoy.stack.rules.arp.reachable_ms) * 1_000_000;
        self.updated = now;
        self.card = card;
        self.state = NeighbourState::Reachable;
        self.until = if holds == 0 { u64::MAX } else { now.saturating_add(holds) };
    }
}

#[derive(Debug)]
pub(crate) struct Peers {
    peers: Arena<Peer>,
    index: HashTable<u32>,
    limit: usize,
}

impl Peers {
    pub(crate) fn new(share: Share) -> Self {
        let limit = share.of(MAX_PEERS);
        Self { peers: Arena::new(limit), index: HashTable::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Peer> {
        self.peers.get_mut(index)
    }

    pub(crate) fn find(&self, decoy: u32, remote: IpAddr, chance: &Chance) -> Option<u32> {
        let same = |&index: &u32| self.peers.get(index).is_some_and(|p| p.decoy == decoy && p.remote == remote);
        self.index.find(hash(chance, decoy, remote), same).copied()
    }

    /// The entry for a pair, made if need be, and the one that gave way to it.
    pub(crate) fn meet(&mut self, decoy: u32, remote: IpAddr, chance: &mut Chance) -> Option<(u32, Option<Peer>)> {
        if let Some(index) = self.find(decoy, remote, chance) {
            // The order of use matters only when places run out.
            if self.peers.len() > self.limit / 2 {
                self.peers.touch(index);
            }
            return Some((index, None));
        }
        let mut gave_way = None;
        if self.peers.is_full() {
            let oldest = self.peers.oldest()?;
            let peer = self.peers.remove(oldest)?;
            if let Ok(entry) = self.index.find_entry(hash(chance, peer.decoy, peer.remote), |&i| i == oldest) {
                entry.remove();
            }
            gave_way = Some(peer);
        }
        let index = self.peers.push(Peer {
            decoy,
            remote,
            isn: History::default(),
            ids: PeerIds::new(chance.next_u16()),
            unanswered: 0,
            errors: Bucket::default(),
            neighbour: Neighbour::UNKNOWN,
        })?;
        let peers = &self.peers;
        let rehash = |&i: &u32| peers.get(i).map_or(0, |p| hash(chance, p.decoy, p.remote));
        self.index.insert_unique(hash(chance, decoy, remote), index, rehash);
        Some((index, gave_way))
    }
}

fn hash(chance: &Chance, decoy: u32, remote: IpAddr) -> u64 {
    chance.hash_address(decoy, remote, 0)
}
