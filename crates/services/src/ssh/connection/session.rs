//! What runs in a channel: a shell with or without a terminal, one command, `scp`, or the server of SFTP.

use alloc::{boxed::Box, vec::Vec};

use super::{
    Line,
    files::Files,
    input::Input,
    interpreter,
    reading::Reading,
    running::Running,
    scp::{self, Scp},
    sftp::Sftp,
    typing::{INTERRUPT, Typing, told},
};
use crate::{
    limits::shell::MAX_LINE,
    shell::{Disk, Written, cooked, cut},
};

/// The status of what was ended by control-C.
const INTERRUPTED: u8 = 130;

/// A channel's program.
#[derive(Default)]
pub(super) struct Session {
    has_terminal: bool,
    program: Option<Program>,
}

enum Program {
    /// Lines.
    Shell(Box<Typing>),
    /// A command that reads what is still to come.
    Reading(Reading),
    /// A command, and its status at its end.
    Command(Running, u8),
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
                let mut said = Written::default();
                said.output(refusal.as_bytes());
                Program::Command(Running::new(line.utc, said), 1)
            }
            _ if console.is_some_and(|console| console.ignores_commands) => {
                self.has_terminal = true;
                return self.start_shell(line);
            }
            _ => {
                // It is tried on a disk of its own, since it may turn out that it reads what has not come.
                let (mut said, mut disk) = (Written::default(), line.disk.clone());
                shell.mount(&mut disk);
                let status = shell.exec(line.utc, cut(command), None, &mut said);
                shell.mount(&mut disk);
                match status {
                    Some(status) => {
                        *line.disk = disk;
                        Program::Command(Running::new(line.utc, said), status)
                    }
                    None => Program::Reading(Reading::new(cut(command))),
                }
            }
        });
        true
    }

    pub(super) fn start_sftp(&mut self, line: &Line<'_>) -> bool {
        self.program = Files::of(line).map(|files| Program::Sftp(Box::new(Sftp::new(files))));
        self.program.is_some()
    }

    /// The client is gone or wants no more: tells of what it had begun to send.
    pub(super) fn end(&mut self, line: &mut Line<'_>) {
        match &mut self.program {
            Some(Program::Reading(reading)) => reading.tell(line),
            Some(Program::Scp(scp)) => scp.end(line),
            Some(Program::Sftp(sftp)) => sftp.end(line),
            _ => return,
        }
        self.program = None;
    }

    /// When it has something to do without being told anything.
    pub(super) fn due(&self) -> Option<u64> {
        match self.program.as_ref()? {
            Program::Command(running, _) => running.due(),
            Program::Shell(typing) => typing.due(),
            Program::Reading(_) | Program::Scp(_) | Program::Sftp(_) => None,
        }
    }

    /// Takes some of the input and appends output; the status, when the program is over.
    pub(super) fn advance(
        &mut self,
        line: &mut Line<'_>,
        input: &mut Input,
        ended: bool,
        output: &mut Vec<(bool, Vec<u8>)>,
    ) -> Option<u8> {
        if let Some(Program::Reading(reading)) = &mut self.program {
            if self.has_terminal && input.contains(&INTERRUPT) {
                output.push((false, b"^C".to_vec()));
                return Some(INTERRUPTED);
            }
            reading.take(input);
            let whole = ended || self.has_terminal && reading.is_ended();
            if !whole {
                return None;
            }
            let (said, status) = reading.run(line, self.has_terminal);
            self.program = Some(Program::Command(Running::new(line.utc, said), status));
        }
        let program = self.program.as_mut()?;
        program.mount(line.disk);
        let status = match program {
            Program::Reading(_) => None,
            Program::Command(running, status) => {
                for (is_error, octets) in running.take(line.utc) {
                    let octets = if self.has_terminal { cooked(&octets) } else { octets };
                    output.push((is_error && !self.has_terminal, octets));
                }
                if running.is_over(line.utc) {
                    Some(*status)
                } else if self.has_terminal && running.yields() && input.contains(&INTERRUPT) {
                    output.push((false, b"^C".to_vec()));
                    Some(INTERRUPTED)
                } else {
                    // Nobody reads it.
                    input.cut(if self.has_terminal { MAX_LINE } else { 0 });
                    None
                }
            }
            Program::Shell(typing) => said_by(output, |out| typing.advance(line, input, ended, out)),
            Program::Scp(scp) => said_by(output, |out| scp.advance(line, input, ended, out)),
            Program::Sftp(sftp) => said_by(output, |out| sftp.advance(line, input, ended, out)),
        };
        program.mount(line.disk);
        status
    }
}

impl Program {
    /// Gives it the decoy's disk for a while, or takes it back.
    fn mount(&mut self, disk: &mut Disk) {
        match self {
            Self::Command(..) | Self::Reading(_) => {}
            Self::Shell(typing) => typing.mount(disk),
            Self::Scp(scp) => scp.mount(disk),
            Self::Sftp(sftp) => sftp.mount(disk),
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
