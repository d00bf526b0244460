//! What the words of a line become: variables, substitutions, patterns (POSIX.1-2017 XCU §2.6).

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    MAX_DEPTH, MAX_WORDS, Shell, commands,
    syntax::{Piece, Word},
    written::{Written, lossy},
};

impl Shell {
    fn variable(&self, name: &str) -> Vec<u8> {
        match name {
            "?" => self.status.to_string().into_bytes(),
            "$" => self.host.shell_pid.to_string().into_bytes(),
            "#" => b"0".to_vec(),
            "0" => self.error_prefix().split(':').next().unwrap_or("").as_bytes().to_vec(),
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
    pub(super) fn expand_joined(&mut self, utc: u64, word: &Word, written: &mut Written, depth: u8) -> Vec<u8> {
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
    pub(super) fn expand(
        &mut self,
        utc: u64,
        word: &Word,
        fields: &mut Vec<Vec<u8>>,
        written: &mut Written,
        depth: u8,
    ) {
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
