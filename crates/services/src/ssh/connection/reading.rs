//! A command that reads what is sent behind it, as in `ssh host 'cat > file' < file`: it is run when all has come.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};
use sha2::{Digest, Sha256};

use super::{Line, input::Input, interpreter, typing::told};
use crate::{limits::shell::MAX_OWN_OCTETS, shell::Written};

/// What control-D is on the wire.
const END: u8 = 4;
/// Lines of a script that are told of one by one; the whole has its hash.
const MAX_TOLD: usize = 64;

pub(super) struct Reading {
    command: Vec<u8>,
    /// As much as a file may hold.
    kept: Vec<u8>,
    length: u64,
    hash: Box<Sha256>,
}

impl Reading {
    pub(super) fn new(command: &[u8]) -> Self {
        Self { command: command.to_vec(), kept: Vec::new(), length: 0, hash: Box::default() }
    }

    /// Takes all that has come by now.
    pub(super) fn take(&mut self, input: &mut Input) {
        let part = input.take(usize::MAX);
        self.hash.update(&part);
        self.length = self.length.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        let room = MAX_OWN_OCTETS.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(part.get(..room).unwrap_or(&part));
    }

    /// Whether a terminal has passed on that this was all.
    pub(super) fn is_ended(&self) -> bool {
        self.kept.last() == Some(&END)
    }

    /// Tells of what has come, once.
    pub(super) fn tell(&mut self, line: &mut Line<'_>) {
        let length = core::mem::take(&mut self.length);
        if length > 0 {
            let (name, sha256) = (self.command.clone(), core::mem::take(&mut *self.hash).finalize().into());
            line.observe(Kind::File, Detail::File { name, length, sha256 });
        }
        if is_shell(&self.command) {
            self.kept.split(|octet| *octet == b'\n').take(MAX_TOLD).for_each(|typed| told(line, typed));
        }
    }

    /// Runs the command and tells of what it was sent: what it writes, and its status.
    pub(super) fn run(&mut self, line: &mut Line<'_>, has_terminal: bool) -> (Written, u8) {
        let end = usize::from(has_terminal && self.is_ended());
        self.kept.truncate(self.kept.len() - end);
        self.tell(line);
        let kept = core::mem::take(&mut self.kept);
        let mut said = Written::default();
        let Some(mut shell) = interpreter(line, has_terminal) else { return (said, 1) };
        shell.mount(line.disk);
        let status = shell.exec(line.utc, &self.command, Some(kept), &mut said);
        shell.mount(line.disk);
        (said, status.unwrap_or(0))
    }
}

/// Whether what a command reads are lines for a shell.
fn is_shell(command: &[u8]) -> bool {
    let word = command.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
    matches!(word.rsplit(|octet| *octet == b'/').next(), Some(b"sh" | b"bash" | b"dash" | b"ash" | b"zsh" | b"ksh"))
}
