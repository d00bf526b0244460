//! What runs in a channel: a shell with or without a terminal, one command, `scp -t`, or the server of SFTP.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};
use sha2::{Digest, Sha256};

use super::{
    Line, interpreter,
    sftp::Sftp,
    shell,
    typing::{Typing, told},
};
use crate::shell::{cooked, cut};

/// Octets of a header of the protocol of `scp`; a name has 255 at most.
const MAX_HEADER: usize = 1024;

/// A channel's program.
#[derive(Default)]
pub(super) struct Session {
    has_terminal: bool,
    program: Option<Program>,
}

enum Program {
    /// Lines.
    Shell(Box<Typing>),
    /// A command that is done; what it wrote goes out first.
    Command {
        output: Vec<u8>,
        errors: Vec<u8>,
        status: u8,
    },
    /// The receiving side of `scp`.
    Scp(Scp),
    Sftp(Box<Sftp>),
}

impl Session {
    pub(super) fn is_started(&self) -> bool {
        self.program.is_some()
    }

    pub(super) fn add_terminal(&mut self) -> bool {
        !core::mem::replace(&mut self.has_terminal, true)
    }

    pub(super) fn start_shell(&mut self, line: &Line<'_>) -> bool {
        let Some(shell) = interpreter(line, self.has_terminal) else { return false };
        self.program = Some(match shell.closed() {
            Some(status) => self.said(shell.greeting(), Vec::new(), status),
            None => Program::Shell(Box::new(Typing::new(shell, self.has_terminal))),
        });
        true
    }

    pub(super) fn start_command(&mut self, line: &mut Line<'_>, command: &[u8]) -> bool {
        let Some(mut shell) = interpreter(line, self.has_terminal) else { return false };
        told(line, command);
        if let Some(target) = scp_target(command).filter(|_| line.spec.shell.is_some()) {
            self.program = Some(Program::Scp(Scp::new(target)));
            return true;
        }
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let status = match shell.closed() {
            Some(status) => {
                output = shell.greeting();
                status
            }
            None => shell.exec(line.utc, cut(command), &mut output, &mut errors),
        };
        self.program = Some(self.said(output, errors, status));
        true
    }

    pub(super) fn start_sftp(&mut self, line: &Line<'_>) -> bool {
        let closed = interpreter(line, false).and_then(|shell| Some((shell.closed()?, shell.greeting())));
        self.program = match (closed, shell(line, false)) {
            // The server of SFTP is a command of the account's shell.
            (Some((status, greeting)), _) => Some(self.said(greeting, Vec::new(), status)),
            (None, Some(shell)) => Some(Program::Sftp(Box::new(Sftp::new(shell)))),
            (None, None) => None,
        };
        self.program.is_some()
    }

    /// What has been said to its end, as the terminal gets it where there is one.
    fn said(&self, output: Vec<u8>, errors: Vec<u8>, status: u8) -> Program {
        let [output, errors] = [output, errors].map(|octets| if self.has_terminal { cooked(&octets) } else { octets });
        Program::Command { output, errors, status }
    }

    /// Takes some of the input and appends output; the status, when the program is over.
    pub(super) fn advance(
        &mut self,
        line: &mut Line<'_>,
        input: &mut Vec<u8>,
        ended: bool,
        output: &mut Vec<(bool, Vec<u8>)>,
    ) -> Option<u8> {
        match self.program.as_mut()? {
            Program::Command { output: written, errors, status } => {
                for (is_error, octets) in [(false, core::mem::take(written)), (true, core::mem::take(errors))] {
                    if !octets.is_empty() {
                        output.push((is_error && !self.has_terminal, octets));
                    }
                }
                Some(*status)
            }
            Program::Shell(typing) => said_by(output, |out| typing.advance(line, input, ended, out)),
            Program::Scp(scp) => said_by(output, |out| scp.advance(line, input, ended, out)),
            Program::Sftp(sftp) => said_by(output, |out| sftp.advance(line, input, ended, out)),
        }
    }
}

/// Runs a program and keeps what it says.
fn said_by(output: &mut Vec<(bool, Vec<u8>)>, program: impl FnOnce(&mut Vec<u8>) -> Option<u8>) -> Option<u8> {
    let mut out = Vec::new();
    let status = program(&mut out);
    if !out.is_empty() {
        output.push((false, out));
    }
    status
}

/// The folder or file that `scp -t` is to write to.
fn scp_target(command: &[u8]) -> Option<Vec<u8>> {
    let mut words = command.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    if words.next()? != b"scp" {
        return None;
    }
    let mut sink = false;
    let mut target = None;
    for word in words {
        match word {
            b"-t" => sink = true,
            b"--" => {}
            _ if word.starts_with(b"-") => sink |= word.contains(&b't'),
            _ => target = Some(word.to_vec()),
        }
    }
    target.filter(|_| sink)
}

/// The receiving side of the protocol of rcp.
struct Scp {
    target: Vec<u8>,
    state: ScpState,
}

enum ScpState {
    /// The first acknowledgement is due.
    New,
    Header,
    /// So many octets of a file are to come.
    Data {
        name: Vec<u8>,
        length: u64,
        left: u64,
        hash: Box<Sha256>,
    },
    /// The octet after a file.
    Status,
}

impl Scp {
    fn new(target: Vec<u8>) -> Self {
        Self { target, state: ScpState::New }
    }

    fn advance(&mut self, line: &mut Line<'_>, input: &mut Vec<u8>, ended: bool, out: &mut Vec<u8>) -> Option<u8> {
        match core::mem::replace(&mut self.state, ScpState::Header) {
            ScpState::New => {
                out.push(0);
                None
            }
            ScpState::Header => {
                let Some(end) = input.iter().position(|octet| *octet == b'\n') else {
                    if ended && input.is_empty() {
                        return Some(0);
                    }
                    return (ended || input.len() > MAX_HEADER).then_some(1);
                };
                let header: Vec<u8> = input.drain(..=end).take(end).collect();
                if let Some((name, length)) = file_header(&header) {
                    let name = if self.target.ends_with(b"/") || self.target == b"." {
                        [self.target.as_slice(), b"/", name].concat()
                    } else {
                        self.target.clone()
                    };
                    self.state = ScpState::Data { name, length, left: length, hash: Box::new(Sha256::new()) };
                }
                out.push(0);
                None
            }
            ScpState::Data { name, length, mut left, mut hash } => {
                let count = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let part: Vec<u8> = input.drain(..count).collect();
                hash.update(&part);
                left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                if left > 0 && !ended {
                    self.state = ScpState::Data { name, length, left, hash };
                    return None;
                }
                let came = length.saturating_sub(left);
                let sha256 = (*hash).finalize().into();
                line.observe(Kind::File, Detail::File { name, length: came, sha256 });
                self.state = ScpState::Status;
                (left > 0).then_some(1)
            }
            ScpState::Status => {
                if input.is_empty() {
                    self.state = ScpState::Status;
                    return ended.then_some(0);
                }
                input.drain(..1);
                out.push(0);
                None
            }
        }
    }
}

/// `C0644 1234 name`.
fn file_header(header: &[u8]) -> Option<(&[u8], u64)> {
    let mut parts = header.strip_prefix(b"C")?.splitn(3, |octet| *octet == b' ');
    parts.next()?;
    let length = core::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((parts.next()?, length))
}
