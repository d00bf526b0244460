//! `xargs`, as that of findutils: the commands are the shell's own, so it runs nothing that one could not type.

use alloc::{format, vec::Vec};

use super::{Call, count, lossy, run};
use crate::{limits::shell::MAX_WORDS, shell::Stdin};

impl Call<'_> {
    pub(in super::super) fn xargs(&mut self) -> u8 {
        let long = [
            ("max-args", 'n'),
            ("replace", 'i'),
            ("null", '0'),
            ("no-run-if-empty", 'r'),
            ("delimiter", 'd'),
            ("max-procs", 'P'),
            ("max-lines", 'L'),
            ("verbose", 't'),
            ("arg-file", 'a'),
        ];
        let options = match self.getopt("+n:I:i?0rd:P:L:ta:s:xE:", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut per_run = usize::MAX;
        for letter in ['n', 'L', 'P'] {
            let Some(value) = options.value(letter) else { continue };
            let least = usize::from(letter != 'P');
            match count(value) {
                None => {
                    return self.fail_with_hint(&format!("invalid number \"{}\" for -{letter} option", lossy(value)));
                }
                Some(number) if number < least => {
                    return self.fail_with_hint(&format!("value {number} for -{letter} option should be >= {least}"));
                }
                Some(number) if letter != 'P' => per_run = number,
                Some(_) => {}
            }
        }
        let replaced = match (options.value('I'), options.value('i')) {
            (Some(text), _) => Some(text),
            (None, Some([])) => Some(b"{}".as_slice()),
            (None, other) => other,
        };
        let delimiter = match options.value('d').map(super::unescaped).as_deref() {
            _ if options.has('0') => Some(0),
            Some([sign]) => Some(*sign),
            Some(_) => {
                let text = format!(
                    "Invalid input delimiter specification {}: the delimiter must be either a single character or an \
                     escape sequence starting with \\.",
                    lossy(options.value('d').unwrap_or_default())
                );
                return self.fail(&text);
            }
            None => None,
        };
        let input = match options.value('a') {
            Some(path) => match self.shell.read(&self.full(&lossy(path))) {
                Ok(text) => text,
                Err(refusal) => {
                    return self.fail(&format!("Cannot open input file ‘{}’: {}", lossy(path), refusal.text()));
                }
            },
            None => self.input.take(),
        };
        let by_line = replaced.is_some() || options.has('L');
        let read = match delimiter {
            Some(sign) => {
                let text = input.strip_suffix(&[sign]).unwrap_or(&input);
                let words = text.split(|octet| *octet == sign).map(<[u8]>::to_vec);
                Ok(if input.is_empty() { Vec::new() } else { words.collect() })
            }
            None => words(&input, by_line),
        };
        let words = match read {
            Ok(words) => words,
            Err(quote) => {
                let kind = if quote == b'"' { "double" } else { "single" };
                return self.fail(&format!(
                    "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
                ));
            }
        };
        let mut command = options.rest.clone();
        if command.is_empty() {
            command.push(b"echo".to_vec());
        }
        let mut status = 0;
        if let Some(mark) = replaced {
            for word in &words {
                let filled: Vec<Vec<u8>> = command.iter().map(|part| replace(part, mark, word)).collect();
                if !self.run_for_xargs(&filled, options.has('t'), &mut status) {
                    break;
                }
            }
            return status;
        }
        if words.is_empty() && !options.has('r') && !self.is_applet() {
            self.run_for_xargs(&command, options.has('t'), &mut status);
        }
        let room = MAX_WORDS.saturating_sub(command.len()).max(1);
        for words in words.chunks(per_run.min(room)) {
            let filled: Vec<Vec<u8>> = command.iter().chain(words).cloned().collect();
            if !self.run_for_xargs(&filled, options.has('t'), &mut status) {
                break;
            }
        }
        status
    }

    /// Whether the next is run, too.
    fn run_for_xargs(&mut self, words: &[Vec<u8>], told: bool, status: &mut u8) -> bool {
        let Some(name) = words.first().map(|name| lossy(name).into_owned()) else { return false };
        if told {
            let line = words.join(&b' ');
            self.written.errors(&line);
            self.written.errors(b"\n");
        }
        // A program in a pipe of `xargs` of `xargs` is nothing that anybody types, and each would be a call in a call.
        if matches!(name.rsplit('/').next(), Some("xargs" | "sudo" | "su" | "busybox" | "exec" | "eval")) {
            *status = 1;
            return false;
        }
        if self.shell.is_spent(self.written) {
            return false;
        }
        let mut own = self.written.part();
        let before = (self.shell.directory.clone(), self.shell.exit);
        let ended = run(self.shell, words, &mut Stdin::default(), &mut own, self.terminal);
        (self.shell.directory, self.shell.exit) = before;
        // What the shell says of a program that is not there, `xargs` says itself; it knows none of the shell's own.
        let missing = ended == 127 && own.pieces.iter().all(|piece| piece.errors);
        if missing {
            self.fail(&format!("{name}: No such file or directory"));
            *status = 127;
            return false;
        }
        self.written.append(own);
        if ended == 255 {
            self.fail(&format!("{name}: exited with status 255; aborting"));
            *status = 124;
            return false;
        }
        if ended != 0 {
            *status = 123;
        }
        !self.written.is_full()
    }
}

/// Words between blanks or lines, with quotes and backslashes; else the quote that does not end.
fn words(input: &[u8], by_line: bool) -> Result<Vec<Vec<u8>>, u8> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut escaped = false;
    for octet in input {
        if escaped {
            word.get_or_insert_default().push(*octet);
            escaped = false;
            continue;
        }
        match (quote, octet) {
            (Some(_), b'\n') => return Err(quote.unwrap_or(b'"')),
            (Some(open), octet) if open == *octet => quote = None,
            (Some(_), octet) => word.get_or_insert_default().push(*octet),
            (None, b'"' | b'\'') => {
                quote = Some(*octet);
                word.get_or_insert_default();
            }
            (None, b'\\') => escaped = true,
            (None, b'\n') => words.extend(word.take()),
            (None, b' ' | b'\t') if !by_line => words.extend(word.take()),
            (None, b' ' | b'\t') if word.is_none() => {}
            (None, octet) => word.get_or_insert_default().push(*octet),
        }
    }
    if let Some(quote) = quote {
        return Err(quote);
    }
    words.extend(word);
    Ok(words)
}

/// A word of the command with each mark replaced.
fn replace(part: &[u8], mark: &[u8], word: &[u8]) -> Vec<u8> {
    let mut done = Vec::new();
    let mut rest = part;
    while let Some(at) = rest.windows(mark.len().max(1)).position(|seen| seen == mark) {
        done.extend_from_slice(rest.get(..at).unwrap_or_default());
        done.extend_from_slice(word);
        rest = rest.get(at + mark.len()..).unwrap_or_default();
    }
    done.extend_from_slice(rest);
    done
}
