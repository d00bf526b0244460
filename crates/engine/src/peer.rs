//! What a decoy remembers of one remote address: made on first touch, the least recently used gives way.

use core::net::IpAddr;

use chaff_wire::Mac;
use hashbrown::HashTable;

use crate::{arena::Arena, chance::Chance, fleet::Bucket, ip_id::PeerIds, isn::History, part::Share, timer::TimerId};

/// Pairs of decoy and remote address that are remembered at once: a sweep of a /16 by one intruder. About 7 MiB.
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
    /// When the neighbour machine must be asked again; until then an answer costs nothing here.
    pub(crate) verify_due: u64,
}

/// The neighbour cache entry, if the peer is on the decoy's link (RFC 4861 §7.3.2 has the states; Linux uses them for
/// IPv4 as well).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour {
    pub(crate) mac: Mac,
    pub(crate) state: NeighbourState,
    pub(crate) timer: TimerId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeighbourState {
    /// Nothing is known, or nothing holds any more: the next answer starts a verification.
    Stale,
    /// An answer was sent; verification starts when the timer fires.
    Delay,
    /// So many questions were asked.
    Probe(u8),
    /// It answered.
    Reachable,
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

    /// The entry for a pair, made if need be. The second value is a timer of an entry that gave way.
    pub(crate) fn meet(&mut self, decoy: u32, remote: IpAddr, chance: &mut Chance) -> Option<(u32, TimerId)> {
        if let Some(index) = self.find(decoy, remote, chance) {
            // The order of use matters only when places run out.
            if self.peers.len() > self.limit / 2 {
                self.peers.touch(index);
            }
            return Some((index, TimerId::NONE));
        }
        let mut orphan = TimerId::NONE;
        if self.peers.is_full() {
            let oldest = self.peers.oldest()?;
            let peer = self.peers.remove(oldest)?;
            orphan = peer.neighbour.timer;
            if let Ok(entry) = self.index.find_entry(hash(chance, peer.decoy, peer.remote), |&i| i == oldest) {
                entry.remove();
            }
        }
        let neighbour = Neighbour { mac: Mac::ZERO, state: NeighbourState::Stale, timer: TimerId::NONE };
        let index = self.peers.push(Peer {
            decoy,
            remote,
            isn: History::default(),
            ids: PeerIds::new(chance.next_u16()),
            unanswered: 0,
            errors: Bucket::default(),
            neighbour,
            verify_due: 0,
        })?;
        let peers = &self.peers;
        let rehash = |&i: &u32| peers.get(i).map_or(0, |p| hash(chance, p.decoy, p.remote));
        self.index.insert_unique(hash(chance, decoy, remote), index, rehash);
        Some((index, orphan))
    }
}

fn hash(chance: &Chance, decoy: u32, remote: IpAddr) -> u64 {
    chance.hash_address(decoy, remote, 0)
}
