//! Reassembly of IPv4 datagrams (RFC 791 §3.2), bounded in number, pieces, octets and time.

use alloc::vec::Vec;
use core::net::IpAddr;

use chaff_wire::{Mac, ipv4::Datagram};

use crate::{arena::Arena, part::Share, personality::Overlap, timer::TimerId};

/// Datagrams that are put together at once, in the whole fleet; the oldest gives way.
const MAX_DATAGRAMS: usize = 256;
/// Of these, for one decoy: so that fragments to one decoy do not push out another's.
const MAX_PER_DECOY: usize = 32;
/// Pieces of one datagram: the most that 65,535 octets make on Ethernet, and some more.
const MAX_PIECES: usize = 64;
/// Longest datagram.
const MAX_OCTETS: usize = 65_535;
/// Octets held in all. A fragment beyond it is dropped, as a host does that is out of memory.
const MAX_OCTETS_IN_ALL: usize = 2 << 20;
/// However small the share: this many, and one of the longest.
const LEAST_DATAGRAMS: usize = 4;

/// What fragments of one datagram share (RFC 791: source, destination, protocol, identification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) decoy: u32,
    pub(crate) source: IpAddr,
    pub(crate) id: u16,
    pub(crate) protocol: u8,
}

#[derive(Debug)]
struct Partial {
    key: Key,
    mac: Mac,
    timer: TimerId,
    /// Offset and octets, in ascending order, not overlapping.
    pieces: Vec<(usize, Vec<u8>)>,
    /// Header of the first fragment.
    header: Option<Vec<u8>>,
    /// Length of the whole payload, once the last fragment is here.
    length: Option<usize>,
    octets: usize,
    /// Stretches that came in order, each fragment right behind the one before: what lies inside of one is a duplicate.
    runs: Vec<(usize, usize)>,
    /// Congestion bits of the fragments, one bit for each value.
    marks: u8,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Kept,
    /// It is thrown away and changes nothing.
    Refused,
    /// The whole datagram is thrown away.
    Spoilt,
}

#[derive(Debug)]
pub(crate) enum Assembled {
    /// Not complete. `orphan` is the timer of a datagram that gave way.
    Waiting { orphan: TimerId },
    /// Thrown away; `timer` is that of its datagram, if that went with it.
    Refused { orphan: TimerId, timer: TimerId },
    /// A whole datagram, with a header that says so.
    Whole { octets: Vec<u8>, timer: TimerId },
}

#[derive(Debug)]
pub(crate) struct Reassembler {
    partials: Arena<Partial>,
    octets: usize,
    max_octets: usize,
}

impl Reassembler {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            partials: Arena::new(share.of(MAX_DATAGRAMS).max(LEAST_DATAGRAMS)),
            octets: 0,
            max_octets: share.of(MAX_OCTETS_IN_ALL).max(MAX_OCTETS),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.partials.len()
    }

    /// Takes a fragment. `set` starts the timer of a new datagram.
    pub(crate) fn add(
        &mut self,
        key: Key,
        ip: &Datagram<'_>,
        mac: Mac,
        overlap: Overlap,
        set: impl FnOnce(u32) -> TimerId,
    ) -> Assembled {
        let mut orphan = TimerId::NONE;
        let index = match self.partials.find(|p| p.key == key) {
            Some(index) => index,
            None => {
                let victim = if self.partials.count(|p| p.key.decoy == key.decoy) >= MAX_PER_DECOY {
                    self.partials.find(|p| p.key.decoy == key.decoy)
                } else if self.partials.is_full() {
                    self.partials.oldest()
                } else {
                    None
                };
                if let Some(removed) = victim.and_then(|v| self.remove(v)) {
                    orphan = removed.timer;
                }
                let partial = Partial {
                    key,
                    mac,
                    timer: TimerId::NONE,
                    pieces: Vec::new(),
                    header: None,
                    length: None,
                    octets: 0,
                    runs: Vec::new(),
                    marks: 0,
                };
                let Some(index) = self.partials.push(partial) else {
                    return Assembled::Refused { orphan, timer: TimerId::NONE };
                };
                let timer = set(index);
                if let Some(partial) = self.partials.get_mut(index) {
                    partial.timer = timer;
                }
                index
            }
        };
        let room = self.max_octets.saturating_sub(self.octets);
        let Some(partial) = self.partials.get_mut(index) else {
            return Assembled::Refused { orphan, timer: TimerId::NONE };
        };
        let before = partial.octets;
        let taken = partial.add(ip, overlap, room);
        self.octets = self.octets + partial.octets - before;
        let complete = partial.is_complete();
        match taken {
            Taken::Kept if !complete => Assembled::Waiting { orphan },
            Taken::Refused => Assembled::Refused { orphan, timer: TimerId::NONE },
            Taken::Spoilt => {
                let timer = self.remove(index).map_or(TimerId::NONE, |partial| partial.timer);
                Assembled::Refused { orphan, timer }
            }
            Taken::Kept => match self.remove(index) {
                Some(partial) if partial.marks_agree() || overlap != Overlap::Drop => {
                    Assembled::Whole { timer: partial.timer, octets: partial.into_datagram() }
                }
                Some(partial) => Assembled::Refused { orphan, timer: partial.timer },
                None => Assembled::Refused { orphan, timer: TimerId::NONE },
            },
        }
    }

    /// Time is up: the datagram is forgotten. Gives back where it came from and, if the first fragment was there, that
    /// fragment's header with eight octets or more, for the error message (RFC 792: only then).
    pub(crate) fn expire(&mut self, index: u32) -> Option<(Key, Mac, Option<Vec<u8>>)> {
        let partial = self.remove(index)?;
        let first = partial.pieces.first().filter(|(offset, _)| *offset == 0).map(|(_, octets)| octets);
        let quoted = match (&partial.header, first) {
            (Some(header), Some(octets)) => {
                let mut quoted = header.clone();
                quoted.extend_from_slice(octets);
                Some(quoted)
            }
            _ => None,
        };
        Some((partial.key, partial.mac, quoted))
    }

    fn remove(&mut self, index: u32) -> Option<Partial> {
        let partial = self.partials.remove(index)?;
        self.octets = self.octets.saturating_sub(partial.octets);
        Some(partial)
    }
}

impl Partial {
    /// Takes a fragment.
    fn add(&mut self, ip: &Datagram<'_>, overlap: Overlap, room: usize) -> Taken {
        if overlap == Overlap::Drop {
            return self.add_strictly(ip, room);
        }
        let (start, end) = (ip.offset, ip.offset + ip.payload.len());
        let misaligned = ip.mf && !ip.payload.len().is_multiple_of(8);
        let too_much = end > MAX_OCTETS || self.pieces.len() >= MAX_PIECES || ip.payload.len() > room;
        let beyond = self.length.is_some_and(|length| end > length || (!ip.mf && end != length));
        let short = !ip.mf && self.pieces.last().is_some_and(|(offset, octets)| offset + octets.len() > end);
        if misaligned || too_much || beyond || short || (ip.payload.is_empty() && ip.mf) {
            return Taken::Refused;
        }
        let overlaps = |&(offset, ref octets): &(usize, Vec<u8>)| offset < end && start < offset + octets.len();
        if self.pieces.iter().any(overlaps) {
            self.resolve(ip, overlap);
        } else {
            self.insert(start, ip.payload);
        }
        self.note(ip, end);
        Taken::Kept
    }

    /// The same where nothing may overlap, as Linux has it (net/ipv4/ip_fragment.c, inet_frag_queue_insert): what lies
    /// inside of a stretch that came in order is overlooked, any other overlap and any contradiction costs the datagram.
    fn add_strictly(&mut self, ip: &Datagram<'_>, room: usize) -> Taken {
        let whole = ip.payload.len();
        let reached = self.pieces.last().map_or(0, |(offset, octets)| offset + octets.len());
        // A fragment that is not the last is cut down to whole octet groups.
        let length = if ip.mf { whole & !7 } else { whole };
        let (start, end) = (ip.offset, ip.offset + length);
        let contradicts = self.length.is_some_and(|length| end > length || (!ip.mf && end != length));
        if contradicts || (!ip.mf && end < reached) || length == 0 {
            return Taken::Spoilt;
        }
        if end > MAX_OCTETS || self.pieces.len() >= MAX_PIECES || length > room {
            return Taken::Refused;
        }
        if self.runs.iter().any(|&(from, to)| from <= start && end <= to) {
            return Taken::Refused;
        }
        if self.runs.iter().any(|&(from, to)| from < end && start < to) {
            return Taken::Spoilt;
        }
        self.marks |= 1 << (ip.tos & 3);
        match self.runs.last_mut() {
            Some((_, to)) if *to == start => *to = end,
            _ => {
                let at = self.runs.partition_point(|&(from, _)| from < start);
                self.runs.insert(at, (start, end));
            }
        }
        self.insert(start, ip.payload.get(..length).unwrap_or(&[]));
        self.note(ip, end);
        Taken::Kept
    }

    fn insert(&mut self, start: usize, octets: &[u8]) {
        let at = self.pieces.partition_point(|(offset, _)| *offset < start);
        self.pieces.insert(at, (start, octets.to_vec()));
        self.octets += octets.len();
    }

    fn note(&mut self, ip: &Datagram<'_>, end: usize) {
        if !ip.mf {
            self.length = Some(end);
        }
        if ip.offset == 0 && self.header.is_none() {
            self.header = Some(ip.header.to_vec());
        }
    }

    /// Fragments that know of congestion and fragments that cannot know do not belong together (RFC 3168 §5.3).
    fn marks_agree(&self) -> bool {
        self.marks & 1 == 0 || self.marks == 1
    }

    /// Settles an overlap as the personality does.
    fn resolve(&mut self, ip: &Datagram<'_>, overlap: Overlap) {
        let same = |(offset, octets): &(usize, Vec<u8>)| *offset == ip.offset && octets.as_slice() == ip.payload;
        if self.pieces.iter().any(same) {
            // A duplicate changes nothing.
            return;
        }
        match overlap {
            Overlap::Drop => {}
            Overlap::First => self.fill_holes(ip),
            Overlap::Last => {
                let (start, end) = (ip.offset, ip.offset + ip.payload.len());
                let old = core::mem::take(&mut self.pieces);
                for (offset, octets) in old {
                    let before = start.saturating_sub(offset).min(octets.len());
                    let after = end.saturating_sub(offset).min(octets.len());
                    if before > 0 {
                        self.pieces.push((offset, octets.get(..before).unwrap_or(&[]).to_vec()));
                    }
                    if after < octets.len() {
                        self.pieces.push((offset + after, octets.get(after..).unwrap_or(&[]).to_vec()));
                    }
                }
                self.pieces.push((start, ip.payload.to_vec()));
                self.pieces.sort_by_key(|(offset, _)| *offset);
                self.recount();
            }
        }
    }

    /// Keeps what came first and takes from the new fragment only what is missing.
    fn fill_holes(&mut self, ip: &Datagram<'_>) {
        let end = ip.offset + ip.payload.len();
        let mut at = ip.offset;
        let mut new = Vec::new();
        let mut take = |from: usize, to: usize| {
            if let Some(octets) = ip.payload.get(from - ip.offset..to - ip.offset).filter(|o| !o.is_empty()) {
                new.push((from, octets.to_vec()));
            }
        };
        for (offset, octets) in &self.pieces {
            if *offset >= end {
                break;
            }
            if *offset > at {
                take(at, *offset);
            }
            at = at.max(offset + octets.len());
        }
        if at < end {
            take(at, end);
        }
        self.pieces.append(&mut new);
        self.pieces.sort_by_key(|(offset, _)| *offset);
        self.recount();
    }

    fn recount(&mut self) {
        self.octets = self.pieces.iter().map(|(_, octets)| octets.len()).sum();
    }

    fn is_complete(&self) -> bool {
        let Some(length) = self.length else { return false };
        let reached = self.pieces.iter().try_fold(0, |at, (offset, octets)| (*offset == at).then(|| at + octets.len()));
        self.header.is_some() && reached == Some(length)
    }

    /// The whole datagram. The header's length, flags and checksum are set.
    fn into_datagram(self) -> Vec<u8> {
        let mut octets = self.header.unwrap_or_default();
        for (_, piece) in &self.pieces {
            octets.extend_from_slice(piece);
        }
        let total = u16::try_from(octets.len()).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(length) = octets.get_mut(2..4) {
            length.copy_from_slice(&total);
        }
        if let Some(flags) = octets.get_mut(6..8) {
            flags.copy_from_slice(&[0, 0]);
        }
        let length = octets.first().map_or(0, |&first| usize::from(first & 15) * 4);
        if let Some(sum) = octets.get_mut(10..12) {
            sum.fill(0);
        }
        let sum = octets.get(..length).map_or(0, chaff_wire::checksum::of).to_be_bytes();
        if let Some(place) = octets.get_mut(10..12) {
            place.copy_from_slice(&sum);
        }
        octets
    }
}

#[cfg(test)]
mod tests;
