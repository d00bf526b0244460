//! The shallow shell behind a planted account: it looks like the system that the product runs on, and there is nothing
//! behind it. No command is executed, no file of the machine is read, nothing is sent anywhere: every answer is made of
//! the product's facts ([`ShellSpec`]) and of the decoy's identity, and what a session writes is kept for that session
//! and forgotten with it.
//!
//! What it does not do: compound commands and functions of the shell, arithmetic, here documents, editors and other
//! programs that take the whole terminal, answers that take time (a `ping` comes back at once).

mod commands;
mod expansion;
mod files;
mod host;
mod interpreter;
mod look;
mod spec;
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
    limits::shell::{MAX_DEPTH, MAX_HISTORY, MAX_OUTPUT, MAX_VARIABLE, MAX_VARIABLES, MAX_WORDS},
};
use expansion::assignment;
use files::{Asker, Files, Refusal};
use host::Host;
pub(crate) use interpreter::{Flow, Interpreter, Surroundings};
pub(crate) use look::Look;
use syntax::{Channel, Fault, Redirection, Simple, Step, When, parse};
pub(crate) use terminal::{Lines, Terminal, Typed, cooked, cut};
use written::{Written, lossy};

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
    asking: Option<Asking>,
    terminal: bool,
    exit: Option<u8>,
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
            asking: None,
            terminal,
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

    fn run(&mut self, utc: u64, line: &[u8], written: &mut Written, depth: u8) {
        let steps = match parse(line) {
            Ok(steps) => steps,
            Err(fault) => {
                self.complain(&fault, line, written);
                self.status = 2;
                return;
            }
        };
        for step in steps {
            let due = match step.when {
                When::Always => true,
                When::Success => self.status == 0,
                When::Failure => self.status != 0,
            };
            if due {
                self.run_pipeline(utc, &step, written, depth);
            }
            if self.exit.is_some() || written.is_full() {
                break;
            }
        }
    }

    fn complain(&self, fault: &Fault, line: &[u8], written: &mut Written) {
        let what = match (fault, self.spec.shell) {
            (Fault::Unexpected(sign), ShellKind::Bash) => format!("syntax error near unexpected token `{sign}'"),
            (Fault::Open(quote), ShellKind::Bash) => {
                format!("unexpected EOF while looking for matching `{quote}'")
            }
            (Fault::Unexpected(sign), ShellKind::Ash) => format!("syntax error: unexpected \"{sign}\""),
            (Fault::Open(_), ShellKind::Ash) => "syntax error: unterminated quoted string".to_string(),
            (Fault::Unexpected(sign), ShellKind::Zsh) => format!("parse error near `{sign}'"),
            (Fault::Open(quote), ShellKind::Zsh) => format!("unmatched {quote}"),
            (Fault::Unexpected(sign), _) => format!("Syntax error: \"{sign}\" unexpected"),
            (Fault::Open(_), _) => "Syntax error: Unterminated quoted string".to_string(),
        };
        let before = match (self.spec.shell, self.terminal) {
            (ShellKind::Sh, true) => "-sh: ",
            (ShellKind::Sh, false) => "sh: ",
            _ => self.error_prefix(),
        };
        written.errors(format!("{before}{what}\n").as_bytes());
        if self.spec.shell == ShellKind::Bash && !self.terminal && matches!(fault, Fault::Unexpected(_)) {
            written.errors(b"bash: -c: line 1: `");
            written.errors(line);
            written.errors(b"'\n");
        }
    }

    /// What the shell's own error messages begin with.
    fn error_prefix(&self) -> &'static str {
        match (self.spec.shell, self.terminal) {
            (ShellKind::Bash, true) => "-bash: ",
            (ShellKind::Bash, false) => "bash: line 1: ",
            (ShellKind::Dash, true) => "-sh: 1: ",
            (ShellKind::Dash, false) => "sh: 1: ",
            (ShellKind::Ash, true) => "-sh: ",
            (ShellKind::Ash, false) => "sh: ",
            (ShellKind::Sh, _) => "",
            (ShellKind::Zsh, true) => "zsh: ",
            (ShellKind::Zsh, false) => "zsh:1: ",
        }
    }

    fn run_pipeline(&mut self, utc: u64, step: &Step, written: &mut Written, depth: u8) {
        if step.background && self.terminal {
            written.errors(format!("[1] {}\n", self.host.next_pid(self.lines)).as_bytes());
        }
        let mut input = Vec::new();
        let count = step.pipeline.len();
        for (place, command) in step.pipeline.iter().enumerate() {
            let mut own = Written { room: written.room, ..Written::default() };
            let last = place + 1 == count;
            // All but a lone command run in a subshell, which `exit` and `cd` do not leave.
            self.run_command(utc, command, core::mem::take(&mut input), &mut own, last && count == 1, depth);
            if last {
                written.append(own);
            } else {
                own.split(&mut input, &mut Vec::new());
                for (errors, octets) in &own.pieces {
                    if *errors {
                        written.errors(octets);
                    }
                }
            }
        }
    }

    fn run_command(
        &mut self,
        utc: u64,
        command: &Simple,
        mut input: Vec<u8>,
        written: &mut Written,
        alone: bool,
        depth: u8,
    ) {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut assigning = true;
        for word in &command.words {
            if assigning && let Some((name, value)) = assignment(word) {
                let value = self.expand_joined(utc, &value, written, depth);
                self.assign(name, value);
                continue;
            }
            assigning = false;
            self.expand(utc, word, &mut words, written, depth);
            words.truncate(MAX_WORDS);
        }
        let mut own = Written { room: written.room, ..Written::default() };
        let (mut to_file, mut errors_to_file) = (None, None);
        let (mut merged, mut swapped) = (false, false);
        for redirection in &command.redirections {
            match redirection {
                Redirection::Input(word) => {
                    let path = self.expand_joined(utc, word, written, depth);
                    let full = files::join(&self.directory, &lossy(&path));
                    match self.files.read(&full, self.asker()) {
                        Ok(text) => input = text,
                        Err(refusal) => return self.refuse(&path, refusal, false, written),
                    }
                }
                Redirection::Output { target, append, from } => {
                    let path = self.expand_joined(utc, target, written, depth);
                    let full = files::join(&self.directory, &lossy(&path));
                    let asker = self.asker();
                    if let Err(refusal) = self.files.write(&full, asker, utc / NANOS, b"", *append) {
                        return self.refuse(&path, refusal, true, written);
                    }
                    if *from != Channel::Errors {
                        to_file = Some(full.clone());
                    }
                    if *from != Channel::Output {
                        errors_to_file = Some(full);
                    }
                }
                Redirection::ErrorsToOutput => merged = true,
                Redirection::OutputToErrors => swapped = true,
            }
        }
        if words.is_empty() {
            self.status = 0;
            return;
        }
        let to_terminal = self.terminal && alone && to_file.is_none() && depth == 0;
        let before = self.directory.clone();
        self.status = commands::run(self, utc, &words, input, &mut own, to_terminal);
        if !alone {
            self.exit = None;
            self.directory = before;
        }
        let asker = self.asker();
        for (errors, octets) in own.pieces {
            let errors = if swapped { true } else { errors && !merged };
            let target = if errors { &errors_to_file } else { &to_file };
            match target {
                // A full disk is not told twice.
                Some(path) => drop(self.files.write(path, asker, utc / NANOS, &octets, true)),
                None if errors => written.errors(&octets),
                None => written.output(&octets),
            }
        }
    }

    /// A file that cannot be read or written as a redirection wants it.
    fn refuse(&mut self, path: &[u8], refusal: Refusal, writes: bool, written: &mut Written) {
        let (before, reason) = match (self.spec.shell, refusal, writes) {
            (ShellKind::Sh, _, true) => ("cannot create ", refusal.text()),
            (ShellKind::Sh, _, false) => ("cannot open ", refusal.text()),
            (ShellKind::Zsh, ..) => {
                written.errors(self.zsh_refusal(&lossy(path), refusal).as_bytes());
                self.status = 1;
                return;
            }
            (ShellKind::Bash, _, _) => ("", refusal.text()),
            (ShellKind::Dash, Refusal::NotFound, true) => ("cannot create ", "Directory nonexistent"),
            (ShellKind::Dash, Refusal::NotFound, false) => ("cannot open ", "No such file"),
            (ShellKind::Dash, _, true) => ("cannot create ", refusal.text()),
            (ShellKind::Dash, _, false) => ("cannot open ", refusal.text()),
            (ShellKind::Ash, Refusal::NotFound, true) => ("can't create ", "nonexistent directory"),
            (ShellKind::Ash, Refusal::NotFound, false) => ("can't open ", "no such file"),
            (ShellKind::Ash, _, true) => ("can't create ", refusal.text()),
            (ShellKind::Ash, _, false) => ("can't open ", refusal.text()),
        };
        written.errors(format!("{}{before}", self.error_prefix()).as_bytes());
        written.errors(path);
        written.errors(format!(": {reason}\n").as_bytes());
        self.status = if matches!(self.spec.shell, ShellKind::Dash | ShellKind::Sh) { 2 } else { 1 };
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

    fn handle_line(&mut self, utc: u64, line: &[u8], out: &mut Vec<u8>) -> Flow {
        self.lines = self.lines.wrapping_add(1);
        let mut written = Written::default();
        if let Some(asking) = self.asking.take() {
            commands::answer(self, asking, &mut written);
        } else {
            self.remember(line);
            self.run(utc, line, &mut written, 0);
        }
        written.all(out);
        self.exit.map_or(Flow::More, Flow::Exit)
    }

    fn exec(&mut self, utc: u64, line: &[u8], out: &mut Vec<u8>, errors: &mut Vec<u8>) -> u8 {
        let mut written = Written::default();
        self.run(utc, line, &mut written, 0);
        if self.asking.take().is_some() {
            written.errors(b"\n");
            self.status = 1;
        }
        written.split(out, errors);
        self.exit.unwrap_or(self.status)
    }

    fn farewell(&self) -> Option<&[u8]> {
        Some(if self.spec.shell == ShellKind::Bash { b"logout\n" } else { b"\n" })
    }
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
