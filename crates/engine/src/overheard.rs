//! What the hosts of a link say of themselves in broadcasts that are not for any decoy. Whoever has such a host in his
//! ARP table merges what he hears (RFC 826, packet reception: "Merge_flag"), so a host that moves to another card is
//! found there at once. The fleet keeps it once, since all decoys hear the same; each looks it up before it sends.

use core::net::Ipv4Addr;

use alloc::boxed::Box;
use chaff_wire::{Mac, arp};

use crate::chance::Chance;

/// Addresses whose last word is kept: as many neighbours as a kernel of Linux keeps (`gc_thresh3`). Of two that share a
/// place, which nobody outside can bring about, the later stays; the other is verified as any neighbour is.
const PLACES: usize = 1024;

/// The last word of each address, by link and VLAN.
#[derive(Debug)]
pub(crate) struct Overheard {
    places: Box<[Option<Word>]>,
    /// Broadcasts so far. Wraps; what is compared is never half of that apart.
    count: u32,
}

/// A broadcast that named its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    place: (u16, Option<u16>),
    ip: Ipv4Addr,
    pub(crate) card: Mac,
    /// It asked for nobody else (RFC 5227 §1.1).
    pub(crate) announced: bool,
    pub(crate) at: u64,
    count: u32,
}

impl Overheard {
    pub(crate) fn new() -> Self {
        Self { places: alloc::vec![None; PLACES].into_boxed_slice(), count: 0 }
    }

    /// Moves on with each broadcast: an entry that has looked at this count need not look again.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// A broadcast was heard at `now`.
    pub(crate) fn note(&mut self, chance: &Chance, now: u64, place: (u16, Option<u16>), packet: &arp::Packet) {
        let (ip, card) = (packet.sender_ip, packet.sender_mac);
        if ip.is_unspecified() || card.is_group() || card == Mac::ZERO {
            return;
        }
        self.count = self.count.wrapping_add(1);
        let announced = packet.operation == arp::REQUEST && packet.target_ip == ip;
        let word = Word { place, ip, card, announced, at: now, count: self.count };
        if let Some(kept) = self.places.get_mut(index(chance, place, ip)) {
            *kept = Some(word);
        }
    }

    /// The last word of `ip`, if that was after `count`.
    pub(crate) fn since(&self, chance: &Chance, place: (u16, Option<u16>), ip: Ipv4Addr, count: u32) -> Option<Word> {
        let word = (*self.places.get(index(chance, place, ip))?)?;
        let later = word.count.wrapping_sub(count).cast_signed() > 0;
        (word.place == place && word.ip == ip && later).then_some(word)
    }
}

/// Nothing that is kept here is worth a keyed hash of a quality: the later of two stays, and the other is verified.
fn index(chance: &Chance, place: (u16, Option<u16>), ip: Ipv4Addr) -> usize {
    let (link, vlan) = place;
    let place = u64::from(link) << 16 | vlan.map_or(0, |vlan| u64::from(vlan) + 1);
    let scattered = chance.scatter(place << 32 | u64::from(ip.to_bits()));
    usize::try_from(scattered % PLACES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
