//! A program that reads lines: what is typed at its terminal with echo and prompts, or what comes without one.

use alloc::{boxed::Box, vec::Vec};

use chaff_events::{Detail, Kind};

use super::{Line, input::Input, running::Running};
use crate::{
    limits::shell::{MAX_LINE, MAX_PIPED},
    shell::{Disk, Flow, Interpreter, Lines, Terminal, Typed, Written, cooked, cut},
};

/// What control-C is on the wire.
pub(super) const INTERRUPT: u8 = 3;

pub(super) struct Typing {
    shell: Box<dyn Interpreter>,
    terminal: Option<Terminal>,
    greeted: bool,
    lines: Lines,
    /// What comes is the rest of a line of which enough was read.
    skips: bool,
    /// The last line, as long as it runs, and what follows.
    running: Option<(Running, Flow)>,
}

impl Typing {
    pub(super) fn new(shell: Box<dyn Interpreter>, has_terminal: bool) -> Self {
        let terminal = has_terminal.then(Terminal::default);
        Self { shell, terminal, greeted: false, lines: Lines::default(), skips: false, running: None }
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
        match self.go_on(line.utc, input, out) {
            Some(Flow::More) => {}
            Some(Flow::Exit(status)) => return Some(status),
            None => return None,
        }
        if self.terminal.is_some() {
            self.type_line(line, input, out);
        } else {
            self.read_line(line, input, ended);
        }
        match self.go_on(line.utc, input, out) {
            Some(Flow::Exit(status)) => Some(status),
            Some(Flow::More) => (ended && input.is_empty()).then_some(0),
            None => None,
        }
    }

    pub(super) fn mount(&mut self, disk: &mut Disk) {
        self.shell.mount(disk);
    }

    /// When the line that runs has more to say.
    pub(super) fn due(&self) -> Option<u64> {
        self.running.as_ref().and_then(|(running, _)| running.due())
    }

    /// What the line that runs says by now; `None`: it still runs.
    fn go_on(&mut self, utc: u64, input: &mut Input, out: &mut Vec<u8>) -> Option<Flow> {
        let Some((running, flow)) = &mut self.running else { return Some(Flow::More) };
        for (_, octets) in running.take(utc) {
            out.extend(if self.terminal.is_some() { cooked(&octets) } else { octets });
        }
        let mut flow = *flow;
        if !running.is_over(utc) {
            // Of what is typed meanwhile, only control-C is read.
            let ends = self.terminal.is_some() && running.yields();
            let interrupted = ends.then(|| input.iter().position(|octet| *octet == INTERRUPT));
            let Some(at) = interrupted.flatten() else {
                input.cut(if self.terminal.is_some() { MAX_LINE } else { MAX_PIPED });
                return None;
            };
            input.consume(at + 1);
            let mut said = Written::default();
            self.shell.interrupt(running.elapsed(utc), &mut said);
            out.extend_from_slice(b"^C");
            let said = said.all();
            out.extend(cooked(if said.is_empty() { b"\n" } else { &said }));
            flow = Flow::More;
        }
        self.running = None;
        if flow == Flow::More && self.terminal.is_some() {
            out.extend(cooked(&self.shell.prompt()));
        }
        Some(flow)
    }

    /// Types octets at the terminal up to the end of one line, or up to a key that shows more than itself.
    fn type_line(&mut self, line: &mut Line<'_>, input: &mut Input, out: &mut Vec<u8>) {
        let Self { shell, terminal: Some(terminal), lines, .. } = self else { return };
        let mut taken = 0;
        let mut passed = None;
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
            let mut said = Written::default();
            let flow = match terminal.handle_octet(octet, shell.hides_input(), out) {
                None => continue,
                Some(Typed::Line(typed)) => {
                    told(line, &typed);
                    lines.pass(shell.as_mut(), line.utc, &typed, &mut said)
                }
                Some(Typed::Interrupt) => {
                    shell.interrupt(0, &mut said);
                    Flow::More
                }
                Some(Typed::End) => match shell.farewell() {
                    Some(text) => {
                        said.output(text);
                        Flow::Exit(0)
                    }
                    None => continue,
                },
            };
            passed = Some((Running::new(line.utc, said), flow));
            break;
        }
        input.consume(taken);
        self.running = passed;
    }

    /// Reads one line that comes without a terminal: nothing is echoed and there is no prompt.
    fn read_line(&mut self, line: &mut Line<'_>, input: &mut Input, ended: bool) {
        let end = input.iter().position(|octet| *octet == b'\n').map(|place| (place, place + 1));
        // A line of which enough has come is read, so that it need not be kept; its rest is not another line.
        let whole = end.is_some();
        let end = end.or_else(|| (ended || input.len() > MAX_LINE).then_some((input.len(), input.len())));
        let Some((length, taken)) = end.filter(|(_, taken)| *taken > 0) else { return };
        let mut typed = input.take(taken);
        typed.truncate(length);
        if core::mem::replace(&mut self.skips, !whole) {
            return;
        }
        told(line, &typed);
        let mut said = Written::default();
        let flow = self.lines.pass(self.shell.as_mut(), line.utc, &typed, &mut said);
        self.running = Some((Running::new(line.utc, said), flow));
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
