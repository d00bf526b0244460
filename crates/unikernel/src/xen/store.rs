//! Xen's store: questions and answers as messages on two rings of octets (Xen's `io/xs_wire.h`). One question at a time;
//! what answers another, or none, is passed over. Sans-io: who waits for an answer polls, notifies and sleeps himself.

use alloc::{string::String, vec::Vec};

use super::{
    Fault,
    stream::{Input, Output, StorePage},
};

/// Octets of a message behind its header, at most (`XENSTORE_PAYLOAD_MAX`).
pub const MAX_PAYLOAD: usize = 4_096;

const HEADER: usize = 16;
/// Kinds of messages.
const READ: u32 = 2;
const WRITE: u32 = 11;
const ERROR: u32 = 16;

/// This machine's end of the store.
#[derive(Debug)]
pub struct Store<'p> {
    requests: Output<'p>,
    responses: Input<'p>,
    /// The number of the last question.
    number: u32,
    /// What of it is not in the ring yet.
    asking: Vec<u8>,
    /// What came of a message so far.
    heard: Vec<u8>,
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value that was asked for; empty when one was written.
    Value(String),
    /// It refuses, in its own word (`ENOENT`).
    Refused(String),
}

impl<'p> Store<'p> {
    /// The end of `page` that is a machine's.
    #[must_use]
    pub fn new(page: &'p StorePage) -> Self {
        let (requests, responses) = page.ends();
        Self { requests, responses, number: 0, asking: Vec::new(), heard: Vec::new() }
    }

    /// Asks for the value at `path`.
    pub fn read(&mut self, path: &str) {
        self.ask(READ, &[path.as_bytes(), &[0]]);
    }

    /// Sets the value at `path`.
    pub fn write(&mut self, path: &str, value: &str) {
        self.ask(WRITE, &[path.as_bytes(), &[0], value.as_bytes()]);
    }

    fn ask(&mut self, kind: u32, parts: &[&[u8]]) {
        self.number = self.number.wrapping_add(1);
        // Paths and values of ours are some dozens of octets.
        let length = parts.iter().map(|part| part.len()).sum::<usize>().min(MAX_PAYLOAD);
        self.asking.clear();
        for word in [kind, self.number, 0, u32::try_from(length).unwrap_or(0)] {
            self.asking.extend(word.to_le_bytes());
        }
        self.asking.extend(parts.iter().copied().flatten().take(length));
    }

    /// Writes what there is to write and reads what came. The answer to the last question, once it is there. The other end
    /// is to be notified each time.
    ///
    /// # Errors
    /// When the rings or the message cannot be.
    pub fn poll(&mut self) -> Result<Option<Answer>, Fault> {
        let written = self.requests.write(&self.asking)?;
        self.asking.drain(..written);
        loop {
            let whole = HEADER + self.payload_length()?.unwrap_or(0);
            let mut octets = [0; 256];
            let wanted = whole.saturating_sub(self.heard.len()).min(octets.len());
            let read = self.responses.read(octets.get_mut(..wanted).unwrap_or_default())?;
            self.heard.extend(octets.iter().take(read));
            if self.heard.len() >= whole && self.payload_length()?.is_some_and(|length| HEADER + length <= whole) {
                if let Some(answer) = self.take() {
                    return Ok(Some(answer));
                }
            } else if read == 0 {
                return Ok(None);
            }
        }
    }

    /// The length that the header of what is being heard says, once it is there.
    fn payload_length(&self) -> Result<Option<usize>, Fault> {
        let Some(length) = self.word(3) else { return Ok(None) };
        match usize::try_from(length) {
            Ok(length) if length <= MAX_PAYLOAD => Ok(Some(length)),
            Ok(_) | Err(_) => Err(Fault::Message),
        }
    }

    fn word(&self, index: usize) -> Option<u32> {
        let octets = self.heard.get(index * 4..)?.first_chunk()?;
        Some(u32::from_le_bytes(*octets))
    }

    /// The message that was heard, if it answers the last question.
    fn take(&mut self) -> Option<Answer> {
        let (kind, number) = (self.word(0), self.word(1));
        let payload = self.heard.get(HEADER..).unwrap_or_default();
        let end = payload.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        let text = String::from_utf8_lossy(payload.get(..end).unwrap_or_default()).into_owned();
        self.heard.clear();
        match kind {
            _ if number != Some(self.number) => None,
            Some(ERROR) => Some(Answer::Refused(text)),
            // What a write says (`OK`) is no value.
            Some(WRITE) => Some(Answer::Value(String::new())),
            Some(READ) => Some(Answer::Value(text)),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests;
