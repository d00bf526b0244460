//! A program that reads lines: what is typed at its terminal with echo and prompts, or what comes without one.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};

use super::{Line, input::Input};
use crate::{
    limits::shell::MAX_LINE,
    shell::{Flow, Interpreter, Lines, Terminal, Typed, cooked, cut},
};

pub(super) struct Typing {
    shell: Box<dyn Interpreter>,
    terminal: Option<Terminal>,
    greeted: bool,
    lines: Lines,
    /// What comes is the rest of a line of which enough was read.
    skips: bool,
}

impl Typing {
    pub(super) fn new(shell: Box<dyn Interpreter>, has_terminal: bool) -> Self {
        let terminal = has_terminal.then(Terminal::default);
        Self { shell, terminal, greeted: false, lines: Lines::default(), skips: false }
    }

    /// Takes the input up to the end of one line; the status, when the program is over.
    pub(super) fn advance(
        &mut self,
        line: &mut Line<'_>,
        input: &mut Input,
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Option<u8> {
        if !core::mem::replace(&mut self.greeted, true) && self.terminal.is_some() {
            out.extend(cooked(&self.shell.greeting()));
            out.extend(cooked(&self.shell.prompt()));
        }
        let status = if self.terminal.is_some() {
            self.type_line(line, input, out)
        } else {
            self.read_line(line, input, ended, out)
        };
        status.or_else(|| (ended && input.is_empty()).then_some(0))
    }

    /// Types octets at the terminal up to the end of one line, or up to a key that shows more than itself.
    fn type_line(&mut self, line: &mut Line<'_>, input: &mut Input, out: &mut Vec<u8>) -> Option<u8> {
        let Self { shell, terminal, lines, .. } = self;
        let terminal = terminal.as_mut()?;
        let mut taken = 0;
        let mut status = None;
        for &octet in input.iter() {
            taken += 1;
            if shell.awaits_key() {
                let mut written = Vec::new();
                shell.handle_key(octet, &mut written);
                out.extend(cooked(&written));
                if !shell.awaits_key() {
                    out.extend(cooked(&shell.prompt()));
                }
                break;
            }
            let help = if octet == b'?' { shell.help(terminal.line()) } else { None };
            if let Some(help) = help {
                out.extend_from_slice(b"?\r\n");
                out.extend(cooked(&help));
                out.extend(cooked(&shell.prompt()));
                out.extend_from_slice(terminal.line());
                break;
            }
            match terminal.handle_octet(octet, shell.hides_input(), out) {
                None => continue,
                Some(Typed::Line(typed)) => {
                    told(line, &typed);
                    let mut written = Vec::new();
                    if let Flow::Exit(code) = lines.pass(shell.as_mut(), line.utc, &typed, &mut written) {
                        status = Some(code);
                    }
                    out.extend(cooked(&written));
                }
                Some(Typed::Interrupt) => {}
                Some(Typed::End) => match shell.farewell() {
                    Some(text) => {
                        out.extend(cooked(text));
                        status = Some(0);
                    }
                    None => continue,
                },
            }
            if status.is_none() {
                out.extend(cooked(&shell.prompt()));
            }
            break;
        }
        input.consume(taken);
        status
    }

    /// Reads one line that comes without a terminal: nothing is echoed and there is no prompt.
    fn read_line(&mut self, line: &mut Line<'_>, input: &mut Input, ended: bool, out: &mut Vec<u8>) -> Option<u8> {
        let end = input.iter().position(|octet| *octet == b'\n').map(|place| (place, place + 1));
        // A line of which enough has come is read, so that it need not be kept; its rest is not another line.
        let whole = end.is_some();
        let end = end.or_else(|| (ended || input.len() > MAX_LINE).then_some((input.len(), input.len())));
        let (length, taken) = end?;
        if taken == 0 {
            return None;
        }
        let mut typed = input.take(taken);
        typed.truncate(length);
        if core::mem::replace(&mut self.skips, !whole) {
            return None;
        }
        told(line, &typed);
        match self.lines.pass(self.shell.as_mut(), line.utc, &typed, out) {
            Flow::More => None,
            Flow::Exit(code) => Some(code),
        }
    }
}

/// Reports what was typed, or came as a command.
pub(super) fn told(line: &mut Line<'_>, command: &[u8]) {
    let kept = cut(command);
    if !kept.trim_ascii().is_empty() {
        let detail = Detail::Command { username: line.user.to_vec(), line: kept.to_vec() };
        line.observe(Kind::Command, detail);
    }
}
