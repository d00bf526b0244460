//! The shallow shell behind a planted account: it looks like the system that the product runs on, and there is nothing
//! behind it. No command is executed, no file of the machine is read, nothing is sent anywhere: every answer is made of
//! the product's facts ([`ShellSpec`]) and of the decoy's identity, and what a session writes is kept in memory for the
//! decoy's next one.
//!
//! What it does not do: functions of the shell, editors and other programs that take the whole terminal.

mod arithmetic;
mod braces;
mod commands;
mod escapes;
mod execution;
mod expansion;
mod files;
mod host;
mod interpreter;
mod look;
mod spec;
mod stdin;
mod syntax;
mod terminal;
mod written;

pub use spec::{
    ShellAnswer, ShellAsk, ShellFile, ShellKind, ShellMount, ShellProcess, ShellPrograms, ShellSpec, ShellSystem,
    ShellUser,
};

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use crate::{
    Identity,
    limits::shell::{
        MAX_DEPTH, MAX_HISTORY, MAX_LINE, MAX_OUTPUT, MAX_REGEX_WORK, MAX_RUNS, MAX_SCRIPT_STEPS, MAX_VARIABLE,
        MAX_VARIABLES, MAX_WORDS, RUN_OCTETS,
    },
};
use execution::Jump;
use files::{Asker, Files, Refusal};
pub(crate) use files::{Disk, Disks};
use host::Host;
pub(crate) use interpreter::{Flow, Interpreter, Surroundings};
pub(crate) use look::Look;
use stdin::Stdin;
use syntax::{Fault, parse};
pub(crate) use terminal::{Lines, Terminal, Typed, cooked, cut};
pub(crate) use written::Written;
use written::lossy;

/// A session.
#[derive(Debug)]
pub(crate) struct Shell {
    spec: Arc<ShellSpec>,
    host: Host,
    files: Files,
    directory: String,
    previous_directory: String,
    variables: BTreeMap<String, Vec<u8>>,
    history: Vec<Vec<u8>>,
    history_octets: usize,
    status: u8,
    /// Lines so far, as process numbers grow with them.
    lines: u32,
    /// Lines that make sense only with what comes next.
    begun_lines: Vec<u8>,
    asking: Option<Asking>,
    terminal: bool,
    /// The shell that reads what is run: another one may have been called.
    kind: ShellKind,
    /// How many shells were called at the terminal and not left.
    inner: u32,
    /// The file whose lines are run in this shell.
    file: Option<Vec<u8>>,
    /// The line that is run, from 1.
    line: usize,
    /// Of the script that is run: its name and its arguments.
    script: Option<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
    /// When the line that is run was begun, nanoseconds since 1970.
    begun: u64,
    /// Commands that it has run, what they stand within, and the loops among that.
    runs: u32,
    depth: u8,
    loops: u64,
    /// Steps that the text programs of the line may still take: of patterns, and of scripts.
    regex_work: u32,
    script_steps: u32,
    jump: Option<Jump>,
    /// Nothing more of the line is run.
    aborted: bool,
    /// A word of the command that is run was a substitution, whose status counts.
    substituted: bool,
    /// Numbers drawn, so that none is drawn twice.
    drawn: u64,
    /// What goes on until it is interrupted, and says something then.
    pinging: Option<Pinging>,
    exit: Option<u8>,
}

/// A `ping` that goes on.
#[derive(Clone, Debug)]
struct Pinging {
    target: String,
    /// Nanoseconds after the line was begun.
    from: u64,
    /// Nanoseconds.
    interval: u64,
    seed: u64,
    answers: bool,
    /// It is its own host.
    itself: bool,
}

/// A program that waits for a password.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asking {
    Sudo,
    Su,
    Passwd,
}

impl Shell {
    /// The shell of `user`, who logs in at `utc` (nanoseconds since 1970), with a terminal or without.
    pub(crate) fn new(
        spec: &Arc<ShellSpec>,
        identity: &Identity<'_>,
        user: &str,
        utc: u64,
        around: &Surroundings,
        terminal: bool,
    ) -> Self {
        let host = Host::new(spec, identity, user, utc, around);
        let files = host.files(spec);
        let directory = host.user.home.clone();
        let mut shell = Self {
            spec: Arc::clone(spec),
            files,
            previous_directory: directory.clone(),
            directory,
            variables: BTreeMap::new(),
            history: Vec::new(),
            history_octets: 0,
            status: 0,
            lines: 0,
            begun_lines: Vec::new(),
            asking: None,
            terminal,
            kind: spec.shell,
            inner: 0,
            file: None,
            line: 1,
            script: None,
            arguments: Vec::new(),
            begun: utc,
            runs: 0,
            depth: 0,
            loops: 0,
            regex_work: 0,
            script_steps: 0,
            jump: None,
            aborted: false,
            substituted: false,
            drawn: 0,
            pinging: None,
            exit: None,
            host,
        };
        for (name, value) in shell.host.environment(spec, terminal) {
            shell.variables.insert(name, value.into_bytes());
        }
        shell
    }

    fn remember(&mut self, line: &[u8]) {
        if !line.trim_ascii().is_empty() && self.history_octets + line.len() <= MAX_HISTORY {
            self.history_octets += line.len();
            self.history.push(line.to_vec());
        }
    }

    /// Begins with a line, or with what a program was given.
    fn begin(&mut self, utc: u64) {
        (self.begun, self.runs, self.aborted, self.jump, self.pinging) = (utc, 0, false, None, None);
        (self.regex_work, self.script_steps) = (MAX_REGEX_WORK, MAX_SCRIPT_STEPS);
    }

    /// Counts one command more; whether the line has run enough of them, so that it is taken for endless.
    fn is_spent(&mut self, written: &mut Written) -> bool {
        self.runs = self.runs.saturating_add(1);
        written.endless |= self.runs > MAX_RUNS;
        written.endless
    }

    /// Counts octets that were read or written as commands that were run.
    fn count(&mut self, octets: usize) {
        self.runs = self.runs.saturating_add(u32::try_from(octets / RUN_OCTETS).unwrap_or(u32::MAX));
    }

    /// What is in a file.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Refusal> {
        let text = self.files.read(path, self.asker())?;
        self.count(text.len());
        Ok(text)
    }

    /// The time of day by what was written so far, in seconds since 1970.
    fn seconds(&self, written: &Written) -> u64 {
        self.begun.saturating_add(written.at) / NANOS
    }

    /// What the shell calls itself.
    fn own_name(&self) -> String {
        let name = match self.kind {
            ShellKind::Bash => "bash",
            ShellKind::Zsh => "zsh",
            ShellKind::Dash | ShellKind::Ash | ShellKind::Sh => "sh",
        };
        format!("{}{name}", if self.terminal { "-" } else { "" })
    }

    /// What the shell's own error messages begin with.
    fn error_prefix(&self) -> String {
        let line = self.line;
        if let Some(script) = self.file.as_ref().or(self.script.as_ref()).filter(|_| self.kind != ShellKind::Sh) {
            let word = if matches!(self.kind, ShellKind::Dash | ShellKind::Zsh) { "" } else { "line " };
            return format!("{}: {word}{line}: ", lossy(script));
        }
        match (self.kind, self.terminal) {
            (ShellKind::Bash, true) => "-bash: ".into(),
            (ShellKind::Bash, false) => format!("bash: line {line}: "),
            (ShellKind::Dash, true) => "-sh: 1: ".into(),
            (ShellKind::Dash, false) => format!("sh: {line}: "),
            (ShellKind::Ash, true) => "-sh: ".into(),
            (ShellKind::Ash, false) => "sh: ".into(),
            (ShellKind::Sh, _) => String::new(),
            (ShellKind::Zsh, true) => "zsh: ".into(),
            (ShellKind::Zsh, false) => format!("zsh:{line}: "),
        }
    }

    /// A refusal in zsh's words: `zsh: no such file or directory: x`.
    fn zsh_refusal(&self, path: &str, refusal: Refusal) -> String {
        format!("{}{}: {path}\n", self.error_prefix(), refusal.text().to_lowercase())
    }

    /// How the product's program asks for a password, if not as Linux's.
    fn ask(&self, asking: Asking) -> Option<ShellAsk> {
        let program = match asking {
            Asking::Sudo => "sudo",
            Asking::Su => "su",
            Asking::Passwd => "passwd",
        };
        let ask = self.spec.asks.get(program)?;
        let [text, prompt, refusal] =
            [&ask.text, &ask.prompt, &ask.refusal].map(|text| self.host.fill(text).into_owned());
        Some(ShellAsk { text, prompt, refusal })
    }

    fn assign(&mut self, name: &str, mut value: Vec<u8>) {
        value.truncate(MAX_VARIABLE);
        if self.variables.len() < MAX_VARIABLES || self.variables.contains_key(name) {
            self.variables.insert(name.to_string(), value);
        }
    }

    /// Keeps a file that was sent here and whose place was made: its octets, or if there were more, how many.
    pub(crate) fn keep(&mut self, utc: u64, path: &str, text: &[u8], length: u64) {
        let asker = self.asker();
        let whole = u64::try_from(text.len()).ok() == Some(length);
        if !whole || self.files.write(path, asker, utc / NANOS, text, false).is_err() {
            self.files.keep_length(path, length);
        }
    }

    fn asker(&self) -> Asker {
        Asker { uid: self.host.user.uid, gid: self.host.user.gid }
    }
}

impl Interpreter for Shell {
    fn greeting(&self) -> Vec<u8> {
        self.host.fill(&self.spec.greeting).into_owned().into_bytes()
    }

    fn prompt(&self) -> Vec<u8> {
        if let Some(ask) = self.asking.and_then(|asking| self.ask(asking)) {
            return ask.prompt.into_bytes();
        }
        match self.asking {
            Some(Asking::Sudo) => return format!("[sudo] password for {}: ", self.host.user.name).into_bytes(),
            Some(Asking::Su) => return b"Password: ".to_vec(),
            Some(Asking::Passwd) => return b"Current password: ".to_vec(),
            None => {}
        }
        if !self.begun_lines.is_empty() {
            return b"> ".to_vec();
        }
        let form = if self.spec.prompt.is_empty() { r"\u@\h:\w\$ " } else { &self.spec.prompt };
        let mut prompt = String::new();
        let mut letters = form.chars();
        while let Some(letter) = letters.next() {
            if letter != '\\' {
                prompt.push(letter);
                continue;
            }
            match letters.next() {
                Some('u') => prompt.push_str(&self.host.user.name),
                Some('h') => prompt.push_str(self.host.short_name()),
                Some('w') => prompt.push_str(&self.short_directory()),
                Some('W') => {
                    let shown = self.short_directory();
                    let last = shown.rsplit('/').next().filter(|last| !last.is_empty());
                    prompt.push_str(last.unwrap_or(&shown));
                }
                Some('$') => prompt.push(if self.host.user.uid == 0 { '#' } else { '$' }),
                Some(other) => prompt.push(other),
                None => {}
            }
        }
        prompt.into_bytes()
    }

    fn hides_input(&self) -> bool {
        self.asking.is_some()
    }

    fn handle_line(&mut self, utc: u64, line: &[u8], said: &mut Written) -> Flow {
        self.lines = self.lines.wrapping_add(1);
        self.begin(utc);
        if let Some(asking) = self.asking.take() {
            commands::answer(self, asking, said);
            return Flow::More;
        }
        let mut whole = core::mem::take(&mut self.begun_lines);
        whole.extend_from_slice(line);
        match parse(&whole, false) {
            // More is to come, as far as a line goes.
            Err(Fault::Ends(_) | Fault::Open(_)) if self.terminal && whole.len() < MAX_LINE => {
                whole.push(b'\n');
                self.begun_lines = whole;
                return Flow::More;
            }
            Ok(steps) => {
                self.remember(&whole);
                self.run_steps(&steps, &mut Stdin::default(), said);
            }
            Err(fault) => {
                self.remember(&whole);
                self.complain(&fault, &whole, said);
                self.status = 2;
            }
        }
        said.charge(self.runs);
        self.exit.map_or(Flow::More, Flow::Exit)
    }

    fn exec(&mut self, utc: u64, line: &[u8], input: Option<Vec<u8>>, said: &mut Written) -> Option<u8> {
        self.begin(utc);
        let mut input = input.map_or_else(Stdin::awaited, Stdin::from);
        self.run(line, &mut input, said);
        said.charge(self.runs);
        if self.asking.take().is_some() {
            said.errors(b"\n");
            self.status = 1;
        }
        (!input.is_wanted()).then(|| self.exit.unwrap_or(self.status))
    }

    fn mount(&mut self, disk: &mut Disk) {
        self.files.mount(disk);
    }

    fn interrupt(&mut self, after: u64, said: &mut Written) {
        if let Some(pinging) = self.pinging.take() {
            let nanos = after.saturating_sub(pinging.from);
            let sent = nanos / pinging.interval.max(1) + 1;
            said.output(pinging.statistics(self.host.seed, sent, (sent - 1) * pinging.interval).as_bytes());
        }
        self.begun_lines.clear();
        self.asking = None;
        self.status = 130;
    }

    fn farewell(&self) -> Option<&[u8]> {
        Some(if self.kind == ShellKind::Bash { b"logout\n" } else { b"\n" })
    }
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
