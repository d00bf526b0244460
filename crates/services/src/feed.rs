//! NMEA 0183 over TCP (IEC 61162-1 sentences, as a multiplexer on a boat gives them to whoever connects).

mod voyage;

use alloc::{format, string::String, sync::Arc};
use core::fmt::Write;

use chaff_events::Kind;

use crate::{
    Context, Conversation, FeedSpec, Opening, Output,
    limits::feed::MAX_BACKLOG,
    message::{Seen, payload},
    outbox::Outbox,
    text::fill_with,
    tool_of_payload,
};
use voyage::{State, Voyage};

/// Milliseconds between two rounds if the specification names none; also the rate of most instruments.
const INTERVAL_MS: u32 = 1000;
const NANOS_OF_MS: u64 = 1_000_000;

pub(crate) struct Feed {
    spec: Arc<FeedSpec>,
    voyage: Voyage,
    outbox: Outbox,
    seen: Seen,
    opened: u64,
    utc: u64,
    next: u64,
}

impl Feed {
    pub(crate) fn new(spec: &Arc<FeedSpec>, opening: &Opening<'_>) -> Self {
        let mut feed = Self {
            spec: Arc::clone(spec),
            voyage: Voyage::new(&opening.identity.seed, spec.home),
            outbox: Outbox::default(),
            seen: Seen::default(),
            opened: opening.now,
            utc: opening.utc,
            next: opening.now,
        };
        // The instruments have a rhythm of their own; a client joins it somewhere in the middle.
        feed.next = opening.now.saturating_add(
            opening.chance.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets)) % feed.interval(),
        );
        feed.outbox.wake(feed.next);
        feed
    }

    fn interval(&self) -> u64 {
        let ms = if self.spec.interval_ms == 0 { INTERVAL_MS } else { self.spec.interval_ms };
        u64::from(ms) * NANOS_OF_MS
    }

    fn say_round(&mut self, now: u64) {
        let utc = self.utc.saturating_add(now.saturating_sub(self.opened));
        let state = self.voyage.at(utc);
        for text in &self.spec.sentences {
            self.outbox.send(sentence(text, &state).as_bytes());
        }
    }
}

impl Conversation for Feed {
    fn handle_octets(&mut self, _cx: &mut Context<'_>, octets: &[u8]) -> usize {
        if self.seen.is_new(octets) {
            self.outbox.observe(Kind::ServiceRequest, tool_of_payload(octets), payload(octets));
        }
        octets.len()
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        self.outbox.close();
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        if self.outbox.is_closing() {
            return;
        }
        if now >= self.next {
            if self.outbox.pending() <= MAX_BACKLOG {
                self.say_round(now);
            }
            let missed = (now - self.next) / self.interval();
            self.next = self.next.saturating_add(self.interval().saturating_mul(missed + 1));
        }
        self.outbox.wake(self.next);
    }

    fn poll(&mut self, _cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.outbox.poll(room)
    }
}

/// One sentence with its frame: `$`, text, `*`, the exclusive or of the text's octets, CR LF.
fn sentence(text: &str, state: &State) -> String {
    let body = fill_with(text, |name, out| state.write(name, out));
    if body.starts_with(['$', '!']) {
        return format!("{body}\r\n");
    }
    let sum = body.bytes().fold(0, |sum, octet| sum ^ octet);
    let mut out = String::with_capacity(body.len() + 6);
    // Writing to a string never fails.
    let _ = write!(out, "${body}*{sum:02X}\r\n");
    out
}

#[cfg(test)]
mod tests;
