//! How many connections there may be: in the whole fleet, of one decoy, of one source, and of one source at one decoy.
//! Whatever protocol is behind the port, these hold; a product's own and narrower limits (`MaxStartups` of OpenSSH) are
//! in its profile. Nothing is said here of how long a connection may last.

use core::net::IpAddr;

use hashbrown::HashTable;

use crate::chance::Chance;

/// Handshakes in progress, in the whole fleet; the oldest gives way. About 8 MiB.
pub(super) const MAX_HALF_OPEN: usize = 65_536;
/// Of these, for one decoy: the length of a usual SYN backlog, so that a flood of one decoy does not push out another's.
pub(super) const MAX_HALF_OPEN_PER_DECOY: u16 = 512;
/// Connections in the whole fleet; the one that was idle longest gives way.
pub(super) const MAX_CONNECTIONS: usize = 16_384;
/// Of these, for one decoy.
pub(super) const MAX_CONNECTIONS_PER_DECOY: u16 = 4_096;
/// Of these, for one source: half, so that one intruder who holds what he can pushes out nobody else's.
const MAX_CONNECTIONS_PER_SOURCE: usize = MAX_CONNECTIONS / 2;
/// For one source at one decoy, of all its ports: a quarter of the decoy's, so that others find room beside him, and more
/// than nginx takes as delivered (768 of each worker) or Apache (150, and 511 that wait).
const MAX_CONNECTIONS_PER_PAIR: u16 = 1_024;
/// Octets that all connections together may hold in their buffers; beyond it, services get the room of
/// [`ROOM_FOR_ALL`] and early data is not kept. A thousand full connections.
pub(super) const MAX_HELD: usize = 64 << 20;
/// Octets that a service may always have waiting for its peer: whoever fills the buffers of many connections silences no
/// other. With all connections it is as much again as [`MAX_HELD`].
pub(super) const ROOM_FOR_ALL: usize = MAX_HELD / MAX_CONNECTIONS;
/// Connections in TIME-WAIT; the oldest gives way, as in Linux (net.ipv4.tcp_max_tw_buckets). About 3 MiB.
pub(super) const MAX_TIME_WAIT: usize = 32_768;

/// What of the decoys a number counts: all of them.
const EVERY_DECOY: u32 = u32::MAX;

/// The open connections of each source, at each decoy and in all. No more entries than twice the connections.
#[derive(Debug)]
pub(super) struct Sources {
    held: HashTable<Held>,
    per_source: u16,
}

#[derive(Debug)]
struct Held {
    source: IpAddr,
    decoy: u32,
    hash: u64,
    count: u16,
}

impl Sources {
    /// `connections` is what this engine has room for in all. Where that is less than one pair may have, in a machine of
    /// a single decoy, the one that was idle longest gives way, whosoever it is.
    pub(super) fn new(connections: usize) -> Self {
        let share = connections.saturating_mul(MAX_CONNECTIONS_PER_SOURCE) / MAX_CONNECTIONS;
        Self {
            held: HashTable::new(),
            per_source: u16::try_from(share).unwrap_or(u16::MAX).max(MAX_CONNECTIONS_PER_PAIR),
        }
    }

    /// Whether `source` may have one more at `decoy`.
    pub(super) fn admit(&self, source: IpAddr, decoy: u32, chance: &Chance) -> bool {
        self.count(source, decoy, chance) < MAX_CONNECTIONS_PER_PAIR
            && self.count(source, EVERY_DECOY, chance) < self.per_source
    }

    /// It has one more.
    pub(super) fn enter(&mut self, source: IpAddr, decoy: u32, chance: &Chance) {
        for decoy in [decoy, EVERY_DECOY] {
            let hash = chance.hash_address(decoy, source, 0);
            match self.held.find_mut(hash, |held| (held.source, held.decoy) == (source, decoy)) {
                Some(held) => held.count = held.count.saturating_add(1),
                None => {
                    let held = Held { source, decoy, hash, count: 1 };
                    self.held.insert_unique(hash, held, |held| held.hash);
                }
            }
        }
    }

    /// It has one less.
    pub(super) fn leave(&mut self, source: IpAddr, decoy: u32, chance: &Chance) {
        for decoy in [decoy, EVERY_DECOY] {
            let hash = chance.hash_address(decoy, source, 0);
            let Ok(mut entry) = self.held.find_entry(hash, |held| (held.source, held.decoy) == (source, decoy)) else {
                continue;
            };
            let held = entry.get_mut();
            held.count = held.count.saturating_sub(1);
            if held.count == 0 {
                entry.remove();
            }
        }
    }

    fn count(&self, source: IpAddr, decoy: u32, chance: &Chance) -> u16 {
        let hash = chance.hash_address(decoy, source, 0);
        self.held.find(hash, |held| (held.source, held.decoy) == (source, decoy)).map_or(0, |held| held.count)
    }
}

#[cfg(test)]
mod tests;
