//! The far side of `scp` in its old protocol, which was rcp's: `scp -t` takes files, of which the hash is told,
//! `scp -f` shows those of the system. As OpenSSH's scp.c has it, without times and whole folders.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};
use sha2::{Digest, Sha256};

use super::{
    Line,
    files::{Files, Found, Refused, keep},
    input::Input,
};
use crate::{limits::files::MAX_HEADER, shell::Disk};

/// What a command line of `scp` asks for.
pub(super) struct Wanted {
    takes: bool,
    path: Vec<u8>,
}

/// Reads `scp -t PATH` and `scp -f PATH`, with any other options; `None`: it is another command.
pub(super) fn parse(command: &[u8]) -> Option<Wanted> {
    let mut words = command.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    if words.next()? != b"scp" {
        return None;
    }
    let (mut takes, mut gives, mut path) = (false, false, None);
    for word in words {
        match word {
            b"--" => {}
            _ if word.starts_with(b"-") => {
                takes |= word.contains(&b't');
                gives |= word.contains(&b'f');
            }
            _ => path = Some(unquoted(word)),
        }
    }
    path.filter(|_| takes || gives).map(|path| Wanted { takes, path })
}

/// A path as the shell would pass it on.
fn unquoted(word: &[u8]) -> Vec<u8> {
    word.iter().copied().filter(|octet| !matches!(octet, b'\'' | b'"')).collect()
}

pub(super) struct Scp {
    files: Files,
    path: Vec<u8>,
    state: State,
}

enum State {
    /// The first acknowledgement is due.
    New,
    Header,
    /// So many octets of a file are to come.
    Data {
        name: Vec<u8>,
        length: u64,
        left: u64,
        hash: Box<Sha256>,
        /// Where it is to be, and what is kept of it.
        place: Vec<u8>,
        kept: Vec<u8>,
    },
    /// The octet after a file.
    Status,
    /// The client is to say that it is ready for the next of these; then the end.
    Giving(Vec<Vec<u8>>),
    /// The client is to say that it has the file.
    Given,
    /// What was wanted is not to be had.
    Failed,
}

impl Scp {
    pub(super) fn new(wanted: Wanted, files: Files) -> Self {
        let state = if wanted.takes { State::New } else { State::Giving(Vec::new()) };
        Self { files, path: wanted.path, state }
    }

    pub(super) fn mount(&mut self, disk: &mut Disk) {
        self.files.mount(disk);
    }

    /// Nothing more comes: tells of the part of a file that did.
    pub(super) fn end(&mut self, line: &mut Line<'_>) {
        if let State::Data { name, length, left, hash, .. } = core::mem::replace(&mut self.state, State::Failed)
            && length > left
        {
            let sha256 = (*hash).finalize().into();
            line.observe(Kind::File, Detail::File { name, length: length.saturating_sub(left), sha256 });
        }
    }

    pub(super) fn advance(
        &mut self,
        line: &mut Line<'_>,
        input: &mut Input,
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        match core::mem::replace(&mut self.state, State::Header) {
            State::New => {
                out.push(0);
                None
            }
            State::Header => self.read_header(line, input, ended, out),
            State::Data { name, length, mut left, mut hash, place, mut kept } => {
                let count = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let part = input.take(count);
                hash.update(&part);
                let used = kept.len();
                keep(&mut kept, &part, used);
                left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                if left > 0 && !ended {
                    self.state = State::Data { name, length, left, hash, place, kept };
                    return None;
                }
                let came = length.saturating_sub(left);
                let sha256 = (*hash).finalize().into();
                self.files.keep(line, &place, &kept, came);
                line.observe(Kind::File, Detail::File { name, length: came, sha256 });
                self.state = State::Status;
                (left > 0).then_some(1)
            }
            State::Status => {
                if input.is_empty() {
                    self.state = State::Status;
                    return ended.then_some(0);
                }
                input.consume(1);
                out.push(0);
                None
            }
            State::Giving(parts) => self.give(line, parts, input, ended, out),
            State::Given if input.is_empty() && !ended => {
                self.state = State::Given;
                None
            }
            State::Given => Some(u8::from(input.first() != Some(&0))),
            State::Failed => Some(1),
        }
    }

    fn read_header(&mut self, line: &Line<'_>, input: &mut Input, ended: bool, out: &mut Vec<u8>) -> Option<u8> {
        let Some(end) = input.iter().take(MAX_HEADER).position(|octet| *octet == b'\n') else {
            if ended && input.is_empty() {
                return Some(0);
            }
            return (ended || input.len() >= MAX_HEADER).then_some(1);
        };
        let header = input.take(end);
        input.consume(1);
        let Some((name, length)) = file_header(&header) else {
            out.push(0);
            return None;
        };
        let path = self.files.full(line, &self.path);
        let into = matches!(self.files.find(line, &path), Some(Found::Folder));
        let shown = if into { joined(&self.path, name) } else { self.path.clone() };
        let path = self.files.full(line, &shown);
        if let Err(refused) = self.files.create(line, &path) {
            complain(out, &shown, refused.text());
            return None;
        }
        let hash = Box::new(Sha256::new());
        self.state = State::Data { name: shown, length, left: length, hash, place: path, kept: Vec::new() };
        out.push(0);
        None
    }

    fn give(
        &mut self,
        line: &Line<'_>,
        mut parts: Vec<Vec<u8>>,
        input: &mut Input,
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        let Some(&ready) = input.first() else {
            self.state = State::Giving(parts);
            return ended.then_some(1);
        };
        input.consume(1);
        if ready != 0 {
            return Some(1);
        }
        if let Some(part) = parts.pop() {
            out.extend_from_slice(&part);
            self.state = if parts.is_empty() { State::Given } else { State::Giving(parts) };
            return None;
        }
        let path = self.files.full(line, &self.path);
        match self.files.find(line, &path) {
            Some(Found::File(mut text)) => {
                let name = path.rsplit(|octet| *octet == b'/').next().unwrap_or(&path);
                out.extend_from_slice(alloc::format!("C0644 {} ", text.len()).as_bytes());
                out.extend_from_slice(name);
                out.push(b'\n');
                text.push(0);
                self.state = State::Giving(alloc::vec![text]);
            }
            found => {
                let reason = match found {
                    Some(Found::Folder) => "not a regular file",
                    Some(Found::Hidden) => Refused::Denied.text(),
                    _ => Refused::NotFound.text(),
                };
                complain(out, &self.path, reason);
                self.state = State::Failed;
            }
        }
        None
    }
}

/// Tells the client of an error, which it shows.
fn complain(out: &mut Vec<u8>, path: &[u8], reason: &str) {
    out.extend_from_slice(b"\x01scp: ");
    out.extend_from_slice(path);
    out.extend_from_slice(alloc::format!(": {reason}\n").as_bytes());
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    [folder, b"/", name].concat()
}

/// `C0644 1234 name`.
fn file_header(header: &[u8]) -> Option<(&[u8], u64)> {
    let mut parts = header.strip_prefix(b"C")?.splitn(3, |octet| *octet == b' ');
    parts.next()?;
    let length = core::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((parts.next()?, length))
}
