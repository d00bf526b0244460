//! Echo (RFC 862) and discard (RFC 863).

use crate::{Context, Conversation, Output, limits::echo::MAX_PENDING, outbox::Outbox};

pub(crate) struct Echo {
    outbox: Outbox,
    answers: bool,
}

impl Echo {
    pub(crate) fn new(answers: bool) -> Self {
        Self { outbox: Outbox::default(), answers }
    }
}

impl Conversation for Echo {
    fn handle_octets(&mut self, _cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if !self.answers {
            return octets.len();
        }
        let taken = octets.len().min(MAX_PENDING.saturating_sub(self.outbox.pending()));
        self.outbox.send(octets.get(..taken).unwrap_or(&[]));
        taken
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        self.outbox.close();
    }

    fn handle_wake(&mut self, _cx: &mut Context<'_>) {}

    fn tolerates_delay(&self) -> bool {
        true
    }

    fn poll(&mut self, _cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.outbox.poll(room)
    }
}

#[cfg(test)]
mod tests;
