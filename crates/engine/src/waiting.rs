//! Frames whose receiver's card is still being asked for.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
};

use crate::part::Share;

/// Lines of frames that wait for a neighbour, of all decoys; the oldest gives way.
const MAX_LINES: usize = 4_096;
/// Frames that wait for one neighbour, whatever the personality says.
const MAX_IN_LINE: usize = 128;
/// Octets that wait in all lines; the oldest line gives way.
const MAX_WAITING: usize = 4 << 20;

/// Frames that wait until it is known to which card they go, in lines, one for each neighbour that is asked for.
#[derive(Debug)]
pub(crate) struct Waiting {
    lines: BTreeMap<u64, Line>,
    opened: u64,
    octets: usize,
    limit: usize,
    room: usize,
}

#[derive(Debug)]
struct Line {
    most: usize,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) link: u16,
    pub(crate) frame: Box<[u8]>,
}

impl Waiting {
    pub(crate) fn new(share: Share) -> Self {
        let (limit, room) = (share.of(MAX_LINES), share.of(MAX_WAITING));
        Self { lines: BTreeMap::new(), opened: 0, octets: 0, limit, room }
    }

    /// Octets that wait.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// A new line, in which `most` frames may wait, one at least; its number is never 0.
    pub(crate) fn open(&mut self, most: u16) -> u64 {
        while self.lines.len() >= self.limit {
            self.drop_oldest();
        }
        self.opened += 1;
        let most = usize::from(most).clamp(1, MAX_IN_LINE);
        self.lines.insert(self.opened, Line { most, waiters: VecDeque::new() });
        self.opened
    }

    /// A frame joins a line, if the line is still there; where no more may wait, the first one leaves (RFC 1122 §2.3.2.2
    /// wants the latest kept).
    pub(crate) fn join(&mut self, line: u64, link: u16, frame: &[u8]) {
        let Some(Line { most, waiters }) = self.lines.get_mut(&line) else { return };
        if waiters.len() >= *most
            && let Some(first) = waiters.pop_front()
        {
            self.octets = self.octets.saturating_sub(first.frame.len());
        }
        waiters.push_back(Waiter { link, frame: frame.into() });
        self.octets += frame.len();
        while self.octets > self.room {
            self.drop_oldest();
        }
    }

    /// Takes a line away; what waited in it.
    pub(crate) fn close(&mut self, line: u64) -> VecDeque<Waiter> {
        let waiters = self.lines.remove(&line).map_or_else(VecDeque::new, |line| line.waiters);
        let octets: usize = waiters.iter().map(|waiter| waiter.frame.len()).sum();
        self.octets = self.octets.saturating_sub(octets);
        waiters
    }

    fn drop_oldest(&mut self) {
        let Some(line) = self.lines.keys().next().copied() else { return };
        let _ = self.close(line);
    }
}

#[cfg(test)]
mod tests;
