//! What is behind a port that is `open` and no more: it takes what comes, says nothing, and closes when the peer does.

use chaff_events::Kind;
use chaff_services::{Context, Conversation, Output};

use crate::udp::payload;

/// How long a peer is kept that never closes.
const PATIENCE_NS: u64 = 300_000_000_000;

pub(crate) struct Accept {
    deadline: u64,
    wake_announced: bool,
    /// The first data, until it was told.
    evidence: Option<Output>,
    told: bool,
    ended: bool,
    closed: bool,
}

impl Accept {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            deadline: now.saturating_add(PATIENCE_NS),
            wake_announced: false,
            evidence: None,
            told: false,
            ended: false,
            closed: false,
        }
    }
}

impl Conversation for Accept {
    fn handle_octets(&mut self, _cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if !self.told {
            self.told = true;
            let tool = chaff_services::tool_of_payload(octets);
            self.evidence = Some(Output::Observe(Kind::ServiceRequest, tool, payload(octets)));
        }
        octets.len()
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        self.ended = true;
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        self.ended |= cx.now >= self.deadline;
    }

    fn poll(&mut self, _cx: &mut Context<'_>, _room: usize) -> Option<Output> {
        if let Some(evidence) = self.evidence.take() {
            return Some(evidence);
        }
        if !self.wake_announced {
            self.wake_announced = true;
            return Some(Output::Wake(self.deadline));
        }
        if self.ended && !self.closed {
            self.closed = true;
            return Some(Output::Close);
        }
        None
    }
}
