//! What a conversation has decided and the stack has not fetched yet.

use alloc::{collections::VecDeque, vec::Vec};

use chaff_events::{Detail, Kind, Tool};

use crate::{
    Output,
    limits::outbox::{MAX_FACTS, MAX_PENDING},
};

/// Sent octets that are kept at the front until they are worth a move of the rest.
const COMPACT_AT: usize = 16 * 1024;

/// Ordered output: observations first (they are made before the answer leaves), then the alarm clock, then octets, and
/// the end only when all octets are out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    octets: Vec<u8>,
    sent: usize,
    /// Places in `octets` that no piece reaches over.
    cuts: VecDeque<usize>,
    facts: VecDeque<Output>,
    wake: Option<u64>,
    end: End,
}

#[derive(Debug, Default, PartialEq)]
enum End {
    #[default]
    Open,
    /// What is said is all there will be; what comes is still read.
    Finishing,
    Finished,
    Closing,
    Closed,
}

impl Outbox {
    /// Appends octets, unless the end was already said.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        if self.end == End::Open {
            self.octets.extend_from_slice(octets);
        }
    }

    /// What was sent so far leaves in a piece of its own, as a server that writes twice makes two segments.
    pub(crate) fn flush(&mut self) {
        if self.pending() > 0 && self.cuts.back() != Some(&self.octets.len()) {
            self.cuts.push_back(self.octets.len());
        }
    }

    /// Appends an observation; beyond the limit it is dropped, which only a caller that ignores `is_behind` can reach.
    pub(crate) fn observe(&mut self, kind: Kind, tool: Option<Tool>, detail: Detail) {
        if self.facts.len() < 2 * MAX_FACTS {
            self.facts.push_back(Output::Observe(kind, tool, detail));
        }
    }

    pub(crate) fn wake(&mut self, at: u64) {
        self.wake = Some(at);
    }

    /// Says the end, and leaves the connection open for what still comes.
    pub(crate) fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Finishing;
        }
    }

    pub(crate) fn close(&mut self) {
        if self.end != End::Closed {
            self.end = End::Closing;
        }
    }

    /// Whether the end was said and the connection is still open.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.end, End::Finishing | End::Finished)
    }

    /// Whether the end was said: what comes in now is taken and forgotten.
    pub(crate) fn is_closing(&self) -> bool {
        self.end != End::Open
    }

    /// Octets that wait to be sent.
    pub(crate) fn pending(&self) -> usize {
        self.octets.len().saturating_sub(self.sent)
    }

    /// Whether input must wait until the stack has fetched some of this.
    pub(crate) fn is_behind(&self) -> bool {
        self.pending() >= MAX_PENDING || self.facts.len() >= MAX_FACTS
    }

    pub(crate) fn poll(&mut self, room: usize) -> Option<Output> {
        if let Some(fact) = self.facts.pop_front() {
            return Some(fact);
        }
        if let Some(at) = self.wake.take() {
            return Some(Output::Wake(at));
        }
        if self.pending() > 0 {
            return (room > 0).then(|| Output::Send(self.take(room)));
        }
        match self.end {
            End::Finishing => {
                self.end = End::Finished;
                Some(Output::Finish)
            }
            End::Closing => {
                self.end = End::Closed;
                Some(Output::Close)
            }
            End::Open | End::Finished | End::Closed => None,
        }
    }

    fn take(&mut self, room: usize) -> Vec<u8> {
        let cut = self.cuts.front().copied().unwrap_or(self.octets.len());
        let until = cut.min(self.sent.saturating_add(room));
        if until == cut {
            self.cuts.pop_front();
        }
        if self.sent == 0 && until == self.octets.len() {
            return core::mem::take(&mut self.octets);
        }
        let part = self.octets.get(self.sent..until).unwrap_or(&[]).to_vec();
        self.sent = until;
        if self.sent == self.octets.len() {
            self.octets = Vec::new();
            self.sent = 0;
        } else if self.sent >= COMPACT_AT {
            self.octets.drain(..self.sent);
            for cut in &mut self.cuts {
                *cut = cut.saturating_sub(self.sent);
            }
            self.sent = 0;
        }
        part
    }
}

#[cfg(test)]
mod tests;
