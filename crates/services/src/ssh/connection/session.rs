//! What runs in a channel: a shell with or without a terminal, one command, `scp`, or the server of SFTP.

use alloc::{boxed::Box, vec::Vec};

use super::{
    Line,
    files::Files,
    input::Input,
    interpreter,
    scp::{self, Scp},
    sftp::Sftp,
    typing::{Typing, told},
};
use crate::shell::{cooked, cut};

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
    Scp(Box<Scp>),
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
        self.program = Some(Program::Shell(Box::new(Typing::new(shell, self.has_terminal))));
        true
    }

    pub(super) fn start_command(&mut self, line: &mut Line<'_>, command: &[u8]) -> bool {
        let Some(mut shell) = interpreter(line, self.has_terminal) else { return false };
        told(line, command);
        let console = line.spec.console.as_deref();
        let refusal = console.and_then(|console| console.scp_refusal.as_ref());
        self.program = Some(match (scp::parse(command), Files::of(line), refusal) {
            (Some(wanted), Some(files), _) => Program::Scp(Box::new(Scp::new(wanted, files))),
            (Some(_), None, Some(refusal)) => {
                Program::Command { output: refusal.clone().into_bytes(), errors: Vec::new(), status: 1 }
            }
            _ if console.is_some_and(|console| console.ignores_commands) => {
                self.has_terminal = true;
                return self.start_shell(line);
            }
            _ => {
                let (mut output, mut errors) = (Vec::new(), Vec::new());
                let status = shell.exec(line.utc, cut(command), &mut output, &mut errors);
                self.said(output, errors, status)
            }
        });
        true
    }

    pub(super) fn start_sftp(&mut self, line: &Line<'_>) -> bool {
        self.program = Files::of(line).map(|files| Program::Sftp(Box::new(Sftp::new(files))));
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
        input: &mut Input,
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
