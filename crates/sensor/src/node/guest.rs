//! A machine that runs: its sockets, what it said, and how it ended.

use std::collections::VecDeque;

use chaff_unikernel::console::{self, FromHost, Reader, ToHost};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use super::{machine::Started, switch};

/// Lines of a machine's that are kept, and characters of each: the last words of a few starts.
const LINES: usize = 200;
const LINE: usize = 256;

/// Octets that wait for a machine which does not read its console: some hundred acknowledgements.
const WAITING: usize = 4_096;

/// Octets of the console that are read in one go.
const AT_ONCE: usize = 16 * 1024;

/// A running machine.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) started: Started,
    reader: Reader,
    waiting: VecDeque<u8>,
    /// The number of its run, by which it is told what is safe.
    pub(super) run: u64,
    /// Why it is being ended, if it is.
    pub(super) ending: Option<String>,
}

impl Guest {
    pub(super) fn new(started: Started) -> Self {
        Self { started, reader: Reader::new(), waiting: VecDeque::new(), run: 0, ending: None }
    }

    /// Gives it a frame; `false`: there was no room.
    pub(super) fn deliver(&self, frame: &[u8]) -> bool {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        frame.len() <= switch::LONGEST && rustix::net::send(&self.started.frames, frame, flags).is_ok()
    }

    /// The next frame that it sent, read into `buffer`: its true length, which may be longer.
    pub(super) fn take_frame(&self, buffer: &mut [u8]) -> Option<usize> {
        let received = rustix::net::recv(&self.started.frames, buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC);
        received.ok().map(|(_, length)| length).filter(|&length| length > 0)
    }

    /// Reads some of its console.
    pub(super) fn read(&mut self) {
        let mut octets = [0; AT_ONCE];
        let room = self.reader.room().min(AT_ONCE);
        let Some(target) = octets.get_mut(..room) else { return };
        if let Ok(length) = rustix::io::read(&self.started.console, target) {
            self.reader.handle_octets(octets.get(..length).unwrap_or_default());
        }
    }

    /// The next message on its console.
    pub(super) fn poll(&mut self) -> Option<ToHost> {
        self.reader.poll()
    }

    /// Whether its console spoke what is no message.
    pub(super) fn has_babbled(&self) -> bool {
        self.reader.skipped() > 0
    }

    /// Says something to it. What a machine does not read is left out, as a whole.
    pub(super) fn say(&mut self, message: FromHost) {
        if let Some(octets) = console::encode(&message)
            && self.waiting.len() + octets.len() <= WAITING
        {
            self.waiting.extend(octets);
        }
        self.flush();
    }

    /// Writes what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match rustix::net::send(&self.started.console, front, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(length) => drop(self.waiting.drain(..length)),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Ends it, for a reason that is told when it has ended.
    pub(super) fn end(&mut self, why: String) {
        self.ending.get_or_insert(why);
        self.started.running.kill();
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.started.running.ended()?;
        Some(self.ending.take().unwrap_or(status))
    }
}

/// What a machine said, bounded, its controls made visible: an intruder may have chosen it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: VecDeque<String>,
    open: String,
}

impl Lines {
    pub(super) fn push(&mut self, line: &str) {
        let line: String = line.chars().flat_map(visible).take(LINE).collect();
        if self.lines.len() >= LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Takes octets as they come.
    pub(super) fn push_octets(&mut self, octets: &[u8]) {
        for character in String::from_utf8_lossy(octets).chars() {
            if character == '\n' || self.open.len() >= LINE {
                let line = std::mem::take(&mut self.open);
                self.push(&line);
            }
            if character != '\n' && character != '\r' {
                self.open.push(character);
            }
        }
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.lines.iter().cloned().chain((!self.open.is_empty()).then(|| self.open.clone())).collect()
    }

    pub(super) fn last(&self) -> &str {
        self.lines.back().map_or("", String::as_str)
    }
}

fn visible(character: char) -> impl Iterator<Item = char> {
    let control = character.is_control();
    let plain = (!control).then_some(character);
    let escaped = control.then(|| character.escape_default()).into_iter().flatten();
    plain.into_iter().chain(escaped)
}
