//! The receiving half of a connection: what is in order, what waits for a gap to close, what the peer is told of it,
//! and the window.

use alloc::{collections::VecDeque, vec::Vec};

use super::{seq::Seq, space::Space};

/// Out-of-order pieces that are kept; what comes beyond is dropped and sent again by the peer.
const MAX_PIECES: usize = 64;
/// Blocks that a SACK option can hold, and so what a history of arrivals remembers (RFC 2018 §3).
const BLOCKS: usize = 4;

#[derive(Debug)]
pub(crate) struct Receive {
    /// The next octet expected.
    pub(crate) next: Seq,
    /// The right edge of the window that was last advertised; it never moves back.
    edge: Seq,
    /// What is in order and not yet read.
    unread: VecDeque<u8>,
    /// What came early: ascending, neither overlapping nor touching.
    pieces: Vec<(Seq, Vec<u8>)>,
    /// The piece that the last early segment went into, reported first (RFC 2018 §4).
    latest: Seq,
    /// Where the peer's data ends, once it said so.
    fin: Option<Seq>,
    capacity: u32,
    segment: u32,
    /// How the window is made, where it is made of socket memory.
    pub(crate) space: Option<Space>,
    /// The latest arrivals, newest first, where the stack tells them so.
    history: Option<Vec<(Seq, Seq)>>,
    /// What came twice and is to be told next (RFC 2883).
    duplicate: Option<(Seq, Seq)>,
    /// Reading stops here once: an urgent octet was taken out (RFC 9293 §3.8.5).
    mark: Option<usize>,
}

/// What a segment's data came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Nothing new.
    Nothing,
    /// In order.
    InOrder,
    /// Early, or a gap was closed: the peer wants to know at once.
    Disorder,
}

impl Receive {
    /// `next` is the first octet expected, `window` what the SYN-ACK advertised, `segment` the largest segment that the
    /// peer sends.
    pub(crate) fn new(next: Seq, window: u32, capacity: u32, segment: u32) -> Self {
        Self {
            next,
            edge: next.plus(window),
            unread: VecDeque::new(),
            pieces: Vec::new(),
            latest: next,
            fin: None,
            capacity: capacity.max(window),
            segment,
            space: None,
            history: None,
            duplicate: None,
            mark: None,
        }
    }

    /// Makes the window of socket memory.
    #[must_use]
    pub(crate) fn in_space(mut self, space: Option<Space>) -> Self {
        self.space = space;
        self
    }

    /// Tells arrivals as they came, and duplicates.
    #[must_use]
    pub(crate) fn with_history(mut self, wanted: bool) -> Self {
        self.history = wanted.then(Vec::new);
        self
    }

    /// Octets of window, the edge moved to the right where there is room enough to be worth it (RFC 9293 §3.8.6.2.2).
    pub(crate) fn window(&mut self) -> u32 {
        if let Some(space) = &self.space {
            let current = self.edge.since(self.next);
            let window = space.window(current);
            self.edge = self.next.plus(window);
            return window;
        }
        let held = u32::try_from(self.unread.len()).unwrap_or(u32::MAX);
        let edge = self.next.plus(self.capacity.saturating_sub(held));
        if edge.since(self.edge) >= self.segment.min(self.capacity / 2) {
            self.edge = edge;
        }
        self.edge.since(self.next)
    }

    /// What the window is now, as last advertised.
    pub(crate) fn advertised(&self) -> u32 {
        self.edge.since(self.next)
    }

    /// Whether a segment touches the window (RFC 9293 §3.10.7.4, the four cases).
    pub(crate) fn acceptable(&self, seq: Seq, length: u32) -> bool {
        if self.space.is_some() {
            // Linux: what begins at the edge at the latest and ends at the next octet at the earliest.
            return !seq.plus(length).before(self.next) && !seq.after(self.edge);
        }
        let window = self.edge.since(self.next);
        let inside = |at: Seq| !at.before(self.next) && at.before(self.next.plus(window));
        match (length, window) {
            (0, 0) => seq == self.next,
            (0, _) => inside(seq),
            (_, 0) => false,
            _ => inside(seq) || inside(seq.plus(length - 1)),
        }
    }

    /// Takes a segment's data and FIN.
    pub(crate) fn take(&mut self, seq: Seq, payload: &[u8], fin: bool) -> Arrived {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let end = seq.plus(length).plus(u32::from(fin));
        // Where memory is what counts, a segment that begins inside of the window is taken as a whole.
        let edge = if self.space.is_some() { self.edge.max(end) } else { self.edge };
        if fin && self.fin.is_none() && !seq.plus(length).after(edge) {
            self.fin = Some(seq.plus(length));
        }
        let before = self.next;
        let early = seq.after(self.next);
        let skip = usize::try_from(self.next.since(seq)).unwrap_or(0);
        let room = usize::try_from(edge.since(self.next.max(seq))).unwrap_or(0);
        let fresh = payload.get(skip..).unwrap_or(&[]);
        let fresh = fresh.get(..room.min(fresh.len())).unwrap_or(&[]);
        if early {
            let changed = !fresh.is_empty() && self.keep(seq, fresh);
            self.remember(seq, end);
            return if changed || fin { Arrived::Disorder } else { Arrived::Nothing };
        }
        if seq.before(self.next) {
            self.note_duplicate(seq, end.min(self.next));
        }
        let had_pieces = !self.pieces.is_empty();
        self.unread.extend(fresh);
        self.next = self.next.plus(u32::try_from(fresh.len()).unwrap_or(0));
        self.join();
        if let Some(history) = &mut self.history {
            let next = self.next;
            history.retain(|&(start, _)| start.after(next));
            if self.pieces.is_empty() {
                history.clear();
            }
        }
        if self.next == before {
            Arrived::Nothing
        } else if had_pieces {
            Arrived::Disorder
        } else {
            Arrived::InOrder
        }
    }

    /// Something that came was known already.
    pub(crate) fn note_duplicate(&mut self, from: Seq, to: Seq) {
        if self.history.is_none() || !from.before(to) {
            return;
        }
        match &mut self.duplicate {
            // What touches is told as one, of others the first is told.
            Some((start, end)) if !from.after(*end) && !start.after(to) => {
                *start = from.min(*start);
                *end = to.max(*end);
            }
            Some(_) => {}
            None => self.duplicate = Some((from, to)),
        }
    }

    /// Whether everything up to the peer's FIN has come; its number is then counted as received.
    pub(crate) fn finished(&mut self) -> bool {
        match self.fin {
            Some(fin) if fin == self.next => {
                self.next = self.next.plus(1);
                self.edge = self.edge.max(self.next);
                true
            }
            _ => false,
        }
    }

    /// What can be read now: the front of it, in one piece.
    pub(crate) fn readable(&self) -> &[u8] {
        let front = self.unread.as_slices().0;
        let end = self.mark.map_or(front.len(), |mark| mark.min(front.len()));
        front.get(..end).unwrap_or(front)
    }

    pub(crate) fn consume(&mut self, now: u64, octets: usize) {
        let octets = octets.min(self.unread.len());
        self.unread.drain(..octets);
        self.mark = self.mark.map(|mark| mark.saturating_sub(octets)).filter(|&mark| mark > 0);
        if let Some(space) = &mut self.space {
            space.consume(now, u32::try_from(octets).unwrap_or(u32::MAX));
        }
        if self.unread.is_empty() {
            // An idle connection holds no buffer.
            self.unread = VecDeque::new();
        }
    }

    /// Takes the octet at `at` out of what is unread, if it is there.
    pub(crate) fn take_out(&mut self, now: u64, at: Seq) {
        let first = self.next.minus(u32::try_from(self.unread.len()).unwrap_or(0));
        let place = usize::try_from(at.since(first)).unwrap_or(usize::MAX);
        if !at.before(first) && place < self.unread.len() {
            self.unread.remove(place);
            self.mark = (place > 0).then_some(place);
            if let Some(space) = &mut self.space {
                space.consume(now, 1);
            }
        }
    }

    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Something waits for a gap to close.
    pub(crate) fn has_gap(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Octets that this half holds.
    pub(crate) fn held(&self) -> usize {
        self.unread.len() + self.pieces.iter().map(|(_, octets)| octets.len()).sum::<usize>()
    }

    /// Whether a stack that tells its history has anything to tell.
    pub(crate) fn has_history(&self) -> bool {
        self.duplicate.is_some() || self.history.as_ref().is_some_and(|history| !history.is_empty())
    }

    /// SACK blocks to report, the latest first. A duplicate is told once.
    pub(crate) fn take_blocks(&mut self, room: usize) -> Vec<(Seq, Seq)> {
        let mut blocks: Vec<(Seq, Seq)> = self.duplicate.take().into_iter().collect();
        match &self.history {
            Some(history) => blocks.extend(history.iter().copied()),
            None => blocks.extend(self.blocks()),
        }
        blocks.truncate(room);
        blocks
    }

    /// Everything that waits, the latest first.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (Seq, Seq)> {
        let latest = self.pieces.iter().position(|p| !self.latest.before(p.0) && self.latest.before(end_of(p)));
        let first = latest.and_then(|i| self.pieces.get(i));
        let rest = self.pieces.iter().enumerate().filter(move |(i, _)| Some(*i) != latest).map(|(_, p)| p);
        first.into_iter().chain(rest).map(move |p| (p.0, end_of(p)))
    }

    /// Adds an arrival to the history: it grows the blocks that it touches, which move to the front as one.
    fn remember(&mut self, from: Seq, to: Seq) {
        let Some(history) = &mut self.history else { return };
        let mut block = (from, to);
        history.retain(|&(start, end)| {
            let apart = block.0.after(end) || start.after(block.1);
            if !apart {
                block = (block.0.min(start), block.1.max(end));
            }
            apart
        });
        history.insert(0, block);
        history.truncate(BLOCKS);
    }

    /// Keeps an early piece, joined with those it touches; `false` if all of it was there or there is no room. Where it
    /// overlaps with what began before it, what came first stays; where with what begins later, it wins.
    fn keep(&mut self, seq: Seq, octets: &[u8]) -> bool {
        let end = seq.plus(u32::try_from(octets.len()).unwrap_or(0));
        if self.pieces.iter().any(|p| !seq.before(p.0) && !end.after(end_of(p))) {
            self.note_duplicate(seq, end);
            return false;
        }
        let first = self.pieces.iter().position(|p| !end_of(p).before(seq)).unwrap_or(self.pieces.len());
        let last = self.pieces.iter().rposition(|p| !p.0.after(end)).map_or(first, |i| i + 1).max(first);
        if first == last && self.pieces.len() >= MAX_PIECES {
            return false;
        }
        let mut start = seq;
        let mut joined: Vec<u8> = Vec::new();
        let touched: Vec<(Seq, Vec<u8>)> = self.pieces.drain(first..last).collect();
        let known = touched.iter().map(|p| (p.0.max(seq), end_of(p).min(end))).filter(|(from, to)| from.before(*to));
        if let Some((from, to)) = known.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) {
            self.note_duplicate(from, to);
        }
        let mut own = octets;
        if let Some((at, piece)) = touched.first().filter(|(at, _)| at.before(seq)) {
            start = *at;
            joined.extend_from_slice(piece);
            let covered = usize::try_from(at.plus(u32::try_from(piece.len()).unwrap_or(0)).since(seq)).unwrap_or(0);
            own = octets.get(covered..).unwrap_or(&[]);
        }
        joined.extend_from_slice(own);
        let reached = start.plus(u32::try_from(joined.len()).unwrap_or(0));
        if let Some((at, piece)) = touched.last().filter(|p| end_of(p).after(reached)) {
            let skip = usize::try_from(reached.since(*at)).unwrap_or(0).min(piece.len());
            joined.extend_from_slice(piece.get(skip..).unwrap_or(&[]));
        }
        self.pieces.insert(first, (start, joined));
        self.latest = seq;
        true
    }

    /// Moves early pieces that are now in order.
    fn join(&mut self) {
        while let Some((at, piece)) = self.pieces.first().filter(|(at, _)| !at.after(self.next)) {
            let skip = usize::try_from(self.next.since(*at)).unwrap_or(0);
            let known = (*at, self.next.min(at.plus(u32::try_from(piece.len()).unwrap_or(0))));
            let fresh = piece.get(skip..).unwrap_or(&[]);
            self.next = self.next.plus(u32::try_from(fresh.len()).unwrap_or(0));
            self.unread.extend(fresh);
            self.pieces.remove(0);
            self.note_duplicate(known.0, known.1);
        }
    }
}

fn end_of(piece: &(Seq, Vec<u8>)) -> Seq {
    piece.0.plus(u32::try_from(piece.1.len()).unwrap_or(0))
}
