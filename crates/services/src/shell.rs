//! The shallow shell behind a planted account: it looks like the system that the product runs on, and there is nothing
//! behind it. No command is executed, no file of the machine is read, nothing is sent anywhere: every answer is made of
//! the product's facts ([`ShellSpec`]) and of the decoy's identity, and what a session writes is kept for that session
//! and forgotten with it.
//!
//! What it does not do: compound commands and functions of the shell, arithmetic, here documents, editors and other
//! programs that take the whole terminal, answers that take time (a `ping` comes back at once).

mod commands;
mod files;
mod host;
mod spec;
mod syntax;
mod terminal;

pub use spec::{ShellFile, ShellKind, ShellProcess, ShellSpec, ShellUser};

use alloc::{
    borrow::Cow,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::net::IpAddr;

use crate::Identity;
use files::{Asker, Files};
use host::Host;
use syntax::{Channel, Fault, Piece, Redirection, Simple, Step, When, Word, parse};
pub(crate) use terminal::{Terminal, Typed, cooked};

/// Octets of a line that are read: what a terminal of Linux passes on at a time (N_TTY_BUF_SIZE).
pub(crate) const MAX_LINE: usize = 4095;
/// Octets that one line may write; real tools write more only of files that are not here.
const MAX_OUTPUT: usize = 256 * 1024;
/// Lines of one session; whoever types more is a program in a loop, and its connection ends as at a time limit.
const MAX_LINES: u32 = 4096;
/// Octets of lines kept for `history`.
const MAX_HISTORY: usize = 32 * 1024;
/// Command substitutions within each other.
const MAX_DEPTH: u8 = 4;
/// Words of one command after expansion.
const MAX_WORDS: usize = 1024;
/// Variables of a session, and the octets of one.
const MAX_VARIABLES: usize = 128;
const MAX_VARIABLE: usize = 4096;

/// Whether the session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Another line is awaited, after the prompt.
    More,
    /// The shell has ended with this status.
    Exit(u8),
}

/// What is around a decoy, as far as it is known; the rest is made up from its seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Nanoseconds since it was booted.
    pub(crate) uptime: Option<u64>,
    /// TCP ports on which it listens; 22 if none is named.
    pub(crate) ports: Vec<u16>,
    /// Who has logged in, from which port.
    pub(crate) peer: Option<(IpAddr, u16)>,
    /// Bits of its network; 24 if left out.
    pub(crate) prefix: Option<u8>,
}

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
        for (name, value) in shell.host.environment(terminal) {
            shell.variables.insert(name, value.into_bytes());
        }
        shell
    }

    /// What is said after a login at a terminal.
    pub(crate) fn greeting(&self) -> Vec<u8> {
        self.host.fill(&self.spec.greeting).into_owned().into_bytes()
    }

    /// What is shown before the next line.
    pub(crate) fn prompt(&self) -> Vec<u8> {
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
                Some('W') => prompt.push_str(self.directory.rsplit('/').next().unwrap_or("")),
                Some('$') => prompt.push(if self.host.user.uid == 0 { '#' } else { '$' }),
                Some(other) => prompt.push(other),
                None => {}
            }
        }
        prompt.into_bytes()
    }

    /// Whether what is typed next is a secret, and not echoed.
    pub(crate) fn hides_input(&self) -> bool {
        self.asking.is_some()
    }

    /// One line typed at the prompt, without its end.
    pub(crate) fn handle_line(&mut self, utc: u64, line: &[u8], out: &mut Vec<u8>) -> Flow {
        let line = line.get(..MAX_LINE).unwrap_or(line);
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Flow::Exit(self.status);
        }
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

    /// One command line without a prompt, as `ssh host command` sends it: what it writes, and its status.
    pub(crate) fn exec(&mut self, utc: u64, line: &[u8], out: &mut Vec<u8>, errors: &mut Vec<u8>) -> u8 {
        let mut written = Written::default();
        self.run(utc, line.get(..MAX_LINE).unwrap_or(line), &mut written, 0);
        if self.asking.take().is_some() {
            written.errors(b"\n");
            self.status = 1;
        }
        written.split(out, errors);
        self.exit.unwrap_or(self.status)
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
            (Fault::Unexpected(sign), _) => format!("Syntax error: \"{sign}\" unexpected"),
            (Fault::Open(_), _) => "Syntax error: Unterminated quoted string".to_string(),
        };
        written.errors(format!("{}{what}\n", self.error_prefix()).as_bytes());
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
                        Err(refusal) => return self.refuse(&path, refusal.text(), written),
                    }
                }
                Redirection::Output { target, append, from } => {
                    let path = self.expand_joined(utc, target, written, depth);
                    let full = files::join(&self.directory, &lossy(&path));
                    let asker = self.asker();
                    if let Err(refusal) = self.files.write(&full, asker, utc / NANOS, b"", *append) {
                        return self.refuse(&path, refusal.text(), written);
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

    fn refuse(&mut self, path: &[u8], reason: &str, written: &mut Written) {
        written.errors(self.error_prefix().as_bytes());
        if self.spec.shell == ShellKind::Dash {
            written.errors(b"cannot create ");
        }
        written.errors(path);
        written.errors(format!(": {reason}\n").as_bytes());
        self.status = if self.spec.shell == ShellKind::Dash { 2 } else { 1 };
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

    fn variable(&self, name: &str) -> Vec<u8> {
        match name {
            "?" => self.status.to_string().into_bytes(),
            "$" => self.host.shell_pid.to_string().into_bytes(),
            "#" => b"0".to_vec(),
            "0" => if self.terminal { b"-bash".as_slice() } else { b"bash" }.to_vec(),
            "PWD" => self.directory.clone().into_bytes(),
            "OLDPWD" => self.previous_directory.clone().into_bytes(),
            _ => {
                // `${NAME:-word}`: the word stands for what is not set.
                let (name, otherwise) = name.split_once(":-").unwrap_or((name, ""));
                self.variables.get(name).cloned().unwrap_or_else(|| otherwise.as_bytes().to_vec())
            }
        }
    }

    /// A word as one field, as in an assignment or a redirection.
    fn expand_joined(&mut self, utc: u64, word: &Word, written: &mut Written, depth: u8) -> Vec<u8> {
        let quoted: Word = word
            .iter()
            .map(|piece| match piece {
                Piece::Text { text, .. } => Piece::Text { text: text.clone(), quoted: true },
                Piece::Variable { name, .. } => Piece::Variable { name: name.clone(), quoted: true },
                Piece::Command { line, .. } => Piece::Command { line: line.clone(), quoted: true },
            })
            .collect();
        let mut fields = Vec::new();
        let tilde = matches!(word.first(), Some(Piece::Text { text, quoted: false }) if text.starts_with(b"~"));
        self.expand(utc, if tilde { word } else { &quoted }, &mut fields, written, depth);
        fields.concat()
    }

    /// The fields that a word becomes (POSIX.1-2017 XCU §2.6).
    fn expand(&mut self, utc: u64, word: &Word, fields: &mut Vec<Vec<u8>>, written: &mut Written, depth: u8) {
        let mut field = Vec::new();
        let (mut is_field, mut is_pattern) = (false, false);
        for (place, piece) in word.iter().enumerate() {
            let (value, quoted) = match piece {
                Piece::Text { text, quoted } => {
                    is_field = true;
                    is_pattern |= !quoted && text.iter().any(|o| matches!(o, b'*' | b'?'));
                    match text.strip_prefix(b"~") {
                        Some(rest) if place == 0 && !quoted && (rest.is_empty() || rest.starts_with(b"/")) => {
                            field.extend_from_slice(self.host.user.home.as_bytes());
                            field.extend_from_slice(rest);
                        }
                        _ => field.extend_from_slice(text),
                    }
                    continue;
                }
                Piece::Variable { name, quoted } => (self.variable(name), *quoted),
                Piece::Command { line, quoted } => {
                    let mut own = Written { room: written.room, ..Written::default() };
                    if depth < MAX_DEPTH {
                        let before = self.directory.clone();
                        self.run(utc, line, &mut own, depth + 1);
                        self.directory = before;
                        self.exit = None;
                    }
                    let (mut output, mut errors) = (Vec::new(), Vec::new());
                    own.split(&mut output, &mut errors);
                    written.errors(&errors);
                    while output.last() == Some(&b'\n') {
                        output.pop();
                    }
                    (output, *quoted)
                }
            };
            if quoted {
                is_field = true;
                field.extend_from_slice(&value);
                continue;
            }
            for (place, part) in value.split(u8::is_ascii_whitespace).enumerate() {
                if place > 0 && (is_field || !field.is_empty()) {
                    fields.push(core::mem::take(&mut field));
                    is_field = false;
                }
                field.extend_from_slice(part);
                is_field |= !part.is_empty();
            }
            if fields.len() > MAX_WORDS {
                return;
            }
        }
        if !is_field && field.is_empty() {
            return;
        }
        let matches = if is_pattern { commands::matching_paths(self, &lossy(&field)) } else { Vec::new() };
        if matches.is_empty() {
            fields.push(field);
        } else {
            fields.extend(matches.into_iter().map(String::into_bytes));
        }
    }

    fn short_directory(&self) -> String {
        match self.directory.strip_prefix(&self.host.user.home) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => self.directory.clone(),
        }
    }
}

const NANOS: u64 = 1_000_000_000;

/// `NAME=value` before a command.
fn assignment(word: &Word) -> Option<(&str, Word)> {
    let (Piece::Text { text, quoted: false }, rest) = word.split_first()? else { return None };
    let place = text.iter().position(|o| *o == b'=')?;
    let name = core::str::from_utf8(text.get(..place)?).ok()?;
    let mut letters = name.bytes();
    let starts = letters.next().is_some_and(|o| o.is_ascii_alphabetic() || o == b'_');
    if !starts || !letters.all(|o| o.is_ascii_alphanumeric() || o == b'_') {
        return None;
    }
    let mut value = Word::from([Piece::Text { text: text.get(place + 1..)?.to_vec(), quoted: false }]);
    value.extend_from_slice(rest);
    Some((name, value))
}

fn lossy(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

/// What commands write, in order: on a terminal both channels are one.
#[derive(Debug)]
struct Written {
    /// Whether it is for the channel of errors, and the octets.
    pieces: Vec<(bool, Vec<u8>)>,
    room: usize,
}

impl Default for Written {
    fn default() -> Self {
        Self { pieces: Vec::new(), room: MAX_OUTPUT }
    }
}

impl Written {
    fn output(&mut self, octets: &[u8]) {
        self.push(false, octets);
    }

    fn errors(&mut self, octets: &[u8]) {
        self.push(true, octets);
    }

    fn push(&mut self, errors: bool, octets: &[u8]) {
        let octets = octets.get(..self.room).unwrap_or(octets);
        self.room -= octets.len();
        match self.pieces.last_mut() {
            Some((same, piece)) if *same == errors => piece.extend_from_slice(octets),
            _ if octets.is_empty() => {}
            _ => self.pieces.push((errors, octets.to_vec())),
        }
    }

    fn append(&mut self, other: Self) {
        for (errors, octets) in other.pieces {
            self.push(errors, &octets);
        }
    }

    fn is_full(&self) -> bool {
        self.room == 0
    }

    fn all(&self, out: &mut Vec<u8>) {
        self.pieces.iter().for_each(|(_, octets)| out.extend_from_slice(octets));
    }

    fn split(&self, out: &mut Vec<u8>, errors: &mut Vec<u8>) {
        for (is_error, octets) in &self.pieces {
            if *is_error { &mut *errors } else { &mut *out }.extend_from_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests;
