//! What the words of a line become: variables, substitutions, patterns (POSIX.1-2017 XCU §2.6).

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    MAX_OUTPUT, MAX_WORDS, NANOS, Shell, ShellKind, Stdin, braces, commands,
    syntax::{Piece, Word, quoted_text},
    written::{Written, lossy},
};
use crate::{limits::shell::MAX_CUTTING, text::mix};

/// What `$RANDOM` is drawn from.
const RANDOM: u64 = 0x5e11_2001;

impl Shell {
    /// What is in a variable, nothing if it is not set.
    pub(super) fn variable(&mut self, name: &str) -> Vec<u8> {
        self.lookup(name).unwrap_or_default()
    }

    fn lookup(&mut self, name: &str) -> Option<Vec<u8>> {
        let kind = self.kind;
        let extended = matches!(kind, ShellKind::Bash | ShellKind::Zsh);
        Some(match name {
            "?" => self.status.to_string().into_bytes(),
            "$" => self.host.shell_pid.to_string().into_bytes(),
            "#" => self.arguments.len().to_string().into_bytes(),
            "@" | "*" => self.arguments.join(&b' '),
            "0" => self.script.clone().unwrap_or_else(|| self.own_name().into_bytes()),
            "PWD" => self.directory.clone().into_bytes(),
            "OLDPWD" => self.previous_directory.clone().into_bytes(),
            _ if name.bytes().all(|octet| octet.is_ascii_digit()) => {
                let place: usize = name.parse().ok()?;
                return self.arguments.get(place.checked_sub(1)?).cloned();
            }
            _ if self.variables.contains_key(name) => return self.variables.get(name).cloned(),
            "RANDOM" if extended || kind == ShellKind::Ash => {
                self.drawn += 1;
                let drawn = mix(&self.host.seed, RANDOM ^ self.begun.wrapping_add(self.drawn << 40)) % 32_768;
                drawn.to_string().into_bytes()
            }
            "SECONDS" if extended => (self.begun / NANOS).saturating_sub(self.host.logged_in).to_string().into_bytes(),
            "UID" | "EUID" if extended => self.host.user.uid.to_string().into_bytes(),
            "HOSTNAME" if kind == ShellKind::Bash => self.host.hostname.clone().into_bytes(),
            "PPID" => self.host.shell_pid.saturating_sub(1).to_string().into_bytes(),
            _ => return None,
        })
    }

    /// `${…}` (POSIX.1-2017 XCU §2.6.2), with what bash adds of parts and replacements.
    fn parameter(&mut self, text: &str, written: &mut Written) -> Vec<u8> {
        if let Some(name) = text.strip_prefix('#').filter(|name| !name.is_empty()) {
            return lossy(&self.variable(name)).chars().count().to_string().into_bytes();
        }
        let special = text.starts_with(|c: char| c.is_ascii_punctuation() && c != '_');
        let end =
            if special { 1 } else { text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()) };
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let value = self.lookup(name);
        if rest.is_empty() {
            return value.unwrap_or_default();
        }
        let (strict, sign) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let is_set = value.as_ref().is_some_and(|value| !strict || !value.is_empty());
        let mut letters = sign.chars();
        match (letters.next(), letters.as_str()) {
            (Some('-'), word) => {
                if is_set {
                    value.unwrap_or_default()
                } else {
                    self.inner(word, written)
                }
            }
            (Some('+'), word) => {
                if is_set {
                    self.inner(word, written)
                } else {
                    Vec::new()
                }
            }
            (Some('='), _) if is_set => value.unwrap_or_default(),
            (Some('='), word) => {
                let word = self.inner(word, written);
                self.assign(name, word.clone());
                word
            }
            (Some('?'), _) if is_set => value.unwrap_or_default(),
            (Some('?'), word) => {
                let word = self.inner(word, written);
                let text = if word.is_empty() { "parameter null or not set".into() } else { lossy(&word) };
                written.errors(format!("{}{name}: {text}\n", self.error_prefix()).as_bytes());
                (self.status, self.aborted) = (1, true);
                Vec::new()
            }
            (Some(side @ ('#' | '%')), word) if !strict => {
                let (longest, word) = word.strip_prefix(side).map_or((false, word), |word| (true, word));
                let pattern = self.inner(word, written);
                let value = value.unwrap_or_default();
                if value.len().saturating_pow(2).saturating_mul(pattern.len()) > MAX_CUTTING {
                    return value;
                }
                let mut cuts: Vec<usize> = (0..=value.len()).collect();
                if longest == (side == '#') {
                    cuts.reverse();
                }
                let cut = cuts.into_iter().find(|cut| {
                    let (front, back) = value.split_at(*cut);
                    commands::fits(&pattern, if side == '#' { front } else { back })
                });
                match (cut, side) {
                    (Some(cut), '#') => value.split_at(cut).1.to_vec(),
                    (Some(cut), _) => value.split_at(cut).0.to_vec(),
                    (None, _) => value,
                }
            }
            (Some('/'), word) if !strict => {
                let (all, word) = word.strip_prefix('/').map_or((false, word), |word| (true, word));
                let (old, new) = word.split_once('/').unwrap_or((word, ""));
                let (old, new) = (self.inner(old, written), self.inner(new, written));
                replaced(&value.unwrap_or_default(), &old, &new, all)
            }
            _ if strict => self.part(&value.unwrap_or_default(), sign),
            _ => value.unwrap_or_default(),
        }
    }

    /// `${name:from:length}`
    fn part(&mut self, value: &[u8], place: &str) -> Vec<u8> {
        let (from, length) = place.split_once(':').map_or((place, None), |(from, length)| (from, Some(length)));
        let whole = i64::try_from(value.len()).unwrap_or(0);
        let mut number = |text: &str| self.evaluate(text).unwrap_or(0);
        let from = number(from);
        let from = if from < 0 { whole.saturating_add(from) } else { from.min(whole) };
        let end = length.map_or(whole, |length| match number(length) {
            length if length < 0 => whole.saturating_add(length),
            length => from.saturating_add(length).min(whole),
        });
        let (Ok(from), Ok(end)) = (usize::try_from(from), usize::try_from(end)) else { return Vec::new() };
        value.get(from..end).unwrap_or_default().to_vec()
    }

    /// A word within braces.
    fn inner(&mut self, word: &str, written: &mut Written) -> Vec<u8> {
        let bare = word.trim_matches(|c| c == '"' || c == '\'');
        match quoted_text(bare.as_bytes(), self.depth) {
            Ok(word) if self.depth < super::MAX_DEPTH => {
                self.depth += 1;
                let value = self.expand_joined(&word, written);
                self.depth -= 1;
                value
            }
            _ => Vec::new(),
        }
    }

    /// The value of an arithmetic expression; `None`: it has none, which has been said.
    pub(super) fn calculate(&mut self, text: &Word, written: &mut Written) -> Option<i64> {
        let text = self.expand_joined(text, written);
        let text = lossy(&text);
        match self.evaluate(&text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                written.errors(self.arithmetic_fault(&text, &wrong).as_bytes());
                self.status = 1;
                None
            }
        }
    }

    /// A word as one field, as in an assignment or a redirection.
    pub(super) fn expand_joined(&mut self, word: &Word, written: &mut Written) -> Vec<u8> {
        let tilde = matches!(word.first(), Some(Piece::Text { text, quoted: false }) if text.starts_with(b"~"));
        let mut fields = Vec::new();
        if tilde {
            self.expand_one(word, &mut fields, written);
        } else {
            let quoted: Word = word
                .iter()
                .cloned()
                .map(|mut piece| {
                    let (Piece::Text { quoted, .. }
                    | Piece::Variable { quoted, .. }
                    | Piece::Command { quoted, .. }
                    | Piece::Arithmetic { quoted, .. }) = &mut piece;
                    *quoted = true;
                    piece
                })
                .collect();
            self.expand_one(&quoted, &mut fields, written);
        }
        fields.concat()
    }

    /// The fields that a word becomes (POSIX.1-2017 XCU §2.6).
    pub(super) fn expand(&mut self, word: &Word, fields: &mut Vec<Vec<u8>>, written: &mut Written) {
        if matches!(self.kind, ShellKind::Bash | ShellKind::Zsh) {
            for word in braces::expand(word) {
                self.expand_one(&word, fields, written);
            }
        } else {
            self.expand_one(word, fields, written);
        }
    }

    fn expand_one(&mut self, word: &Word, fields: &mut Vec<Vec<u8>>, written: &mut Written) {
        let mut field = Vec::new();
        let (mut is_field, mut is_pattern) = (false, false);
        let mut room = MAX_OUTPUT.saturating_sub(fields.iter().map(Vec::len).sum());
        for (place, piece) in word.iter().enumerate() {
            let (mut value, quoted) = match piece {
                Piece::Text { text, quoted } => {
                    is_field = true;
                    is_pattern |= !quoted && commands::is_pattern(text);
                    match text.strip_prefix(b"~") {
                        Some(rest) if place == 0 && !quoted && (rest.is_empty() || rest.starts_with(b"/")) => {
                            field.extend_from_slice(self.host.user.home.as_bytes());
                            field.extend_from_slice(rest);
                        }
                        _ => field.extend_from_slice(text),
                    }
                    continue;
                }
                // Each argument is a field of its own.
                Piece::Variable { name, quoted: true } if name == "@" && word.len() <= 2 => {
                    let arguments = self.arguments.clone();
                    is_field = !arguments.is_empty();
                    if let Some((last, others)) = arguments.split_last() {
                        fields.extend_from_slice(others);
                        field.extend_from_slice(last);
                    }
                    continue;
                }
                Piece::Variable { name, quoted } => (self.parameter(name, written), *quoted),
                Piece::Command { line, quoted } => (self.substitute(line, written), *quoted),
                Piece::Arithmetic { text, quoted } => match self.calculate(text, written) {
                    Some(value) => (value.to_string().into_bytes(), *quoted),
                    None => {
                        // That ends the line, and a shell that is not typed at.
                        self.aborted = true;
                        self.status = if matches!(self.kind, ShellKind::Bash | ShellKind::Zsh) { 1 } else { 2 };
                        return;
                    }
                },
            };
            value.truncate(room);
            room -= value.len();
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
                is_pattern |= commands::is_pattern(part);
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

    /// What the commands of a line write, as a word has it.
    fn substitute(&mut self, line: &[u8], written: &mut Written) -> Vec<u8> {
        let mut own = written.part();
        self.apart(|shell| shell.run(line, &mut Stdin::default(), &mut own));
        self.substituted = true;
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        own.split(&mut output, &mut errors);
        written.pass(&own);
        written.errors(&errors);
        while output.last() == Some(&b'\n') {
            output.pop();
        }
        output
    }

    pub(super) fn short_directory(&self) -> String {
        match self.directory.strip_prefix(&self.host.user.home) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => self.directory.clone(),
        }
    }
}

/// `NAME=value` before a command.
pub(super) fn assignment(word: &Word) -> Option<(&str, Word)> {
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

/// A text with what fits a pattern replaced by something, once or wherever it stands.
fn replaced(text: &[u8], pattern: &[u8], new: &[u8], all: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut due = !pattern.is_empty() && text.len().saturating_pow(2).saturating_mul(pattern.len()) <= MAX_CUTTING;
    while let Some((first, behind)) = rest.split_first() {
        let longest = (1..=rest.len()).rev().find(|length| {
            due && rest.get(..*length).is_some_and(|part| commands::fits(pattern, part)) && out.len() < MAX_OUTPUT
        });
        if let Some(length) = longest {
            out.extend_from_slice(new);
            rest = rest.get(length..).unwrap_or_default();
            due = all;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}
