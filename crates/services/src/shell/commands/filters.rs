//! Programs that read text and write some of it.

use alloc::{format, string::String, vec::Vec};

use super::{Call, lossy};
use crate::shell::files::Refusal;

impl Call<'_> {
    /// The texts that a filter reads: of the files it names, else its input. Says what cannot be read; the status.
    fn texts(&mut self, paths: &[String]) -> (Vec<(String, Vec<u8>)>, u8) {
        if paths.is_empty() {
            return (Vec::from([(String::new(), core::mem::take(&mut self.input))]), 0);
        }
        let mut status = 0;
        let mut texts = Vec::new();
        for path in paths {
            match self.shell.files.read(&self.full(path), self.shell.asker()) {
                Ok(text) => texts.push((path.clone(), text)),
                Err(refusal) => {
                    status = match (self.name, refusal) {
                        _ if !self.is_gnu() => self.fail_at(path, refusal, ""),
                        ("head" | "tail", Refusal::IsADirectory) => {
                            self.fail(&format!("error reading '{path}': Is a directory"))
                        }
                        ("head" | "tail", _) => {
                            self.fail(&format!("cannot open '{path}' for reading: {}", refusal.text()))
                        }
                        ("sort", Refusal::IsADirectory) => self.fail(&format!("read failed: {path}: Is a directory")),
                        ("sort", _) => self.fail(&format!("cannot read: {path}: {}", refusal.text())),
                        _ => self.fail(&format!("{path}: {}", refusal.text())),
                    };
                }
            }
            if texts.len() > 64 {
                break;
            }
        }
        (texts, status)
    }

    pub(super) fn cat(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let mut status = 0;
        let sources = if paths.is_empty() { Vec::from([String::new()]) } else { paths };
        let mut number = 0;
        for path in sources {
            let only: Vec<String> = if path.is_empty() { Vec::new() } else { Vec::from([path]) };
            let (texts, failed) = self.texts(&only);
            status = status.max(failed);
            for (_, text) in texts {
                if letters.contains('n') {
                    for line in text.split_inclusive(|o| *o == b'\n') {
                        number += 1;
                        self.say(&format!("{number:>6}\t"));
                        self.written.output(line);
                    }
                } else {
                    self.written.output(&text);
                }
            }
        }
        status
    }

    /// The number of lines that `-n 5`, `-n5` or `-5` asks for, and the files.
    fn count_and_paths(&self) -> (usize, Vec<String>) {
        let mut count = 10;
        let mut paths = Vec::new();
        let mut args = self.args.iter().map(|arg| lossy(arg));
        while let Some(arg) = args.next() {
            match arg.strip_prefix('-') {
                Some("n" | "c") => {
                    count = args.next().and_then(|n| n.trim_start_matches(['-', '+']).parse().ok()).unwrap_or(count)
                }
                Some(number) if !number.is_empty() => {
                    count = number.trim_start_matches('n').parse().unwrap_or(count);
                }
                _ => paths.push(arg.into_owned()),
            }
        }
        (count, paths)
    }

    pub(super) fn head(&mut self) -> u8 {
        self.part(false)
    }

    pub(super) fn tail(&mut self) -> u8 {
        self.part(true)
    }

    fn part(&mut self, end: bool) -> u8 {
        let (count, paths) = self.count_and_paths();
        let (texts, status) = self.texts(&paths);
        let several = paths.len() > 1;
        for (place, (path, text)) in texts.iter().enumerate() {
            if several {
                self.say(&format!("{}==> {path} <==\n", if place > 0 { "\n" } else { "" }));
            }
            let lines: Vec<&[u8]> = text.split_inclusive(|o| *o == b'\n').collect();
            let skipped = if end { lines.len().saturating_sub(count) } else { 0 };
            for line in lines.into_iter().skip(skipped).take(count) {
                self.written.output(line);
            }
        }
        status
    }

    /// Fixed text, with `^`, `$` and `.*` as a pattern of few words needs them.
    pub(super) fn grep(&mut self) -> u8 {
        let (letters, mut rest) = self.options();
        if rest.is_empty() {
            self.written
                .errors(b"Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n");
            return 2;
        }
        let pattern = rest.remove(0);
        let (mut paths, recursive) = (rest, letters.contains(['r', 'R']));
        if recursive {
            paths = paths.iter().flat_map(|path| self.files_below(path)).collect();
        }
        let ignore_case = letters.contains('i');
        let alternatives: Vec<String> = pattern
            .split('|')
            .map(|p| p.trim_end_matches('\\'))
            .map(|p| if ignore_case { p.to_lowercase() } else { p.into() })
            .collect();
        let (texts, failed) = self.texts(&paths);
        let mut found = false;
        for (path, text) in &texts {
            let mut count = 0;
            for line in text.split_inclusive(|o| *o == b'\n') {
                let bare = line.strip_suffix(b"\n").unwrap_or(line);
                let seen = lossy(bare);
                let seen = if ignore_case { seen.to_lowercase() } else { seen.into_owned() };
                if alternatives.iter().any(|pattern| line_fits(pattern, &seen)) == letters.contains('v') {
                    continue;
                }
                found = true;
                count += 1;
                if letters.contains(['c', 'q', 'l']) {
                    continue;
                }
                if paths.len() > 1 || recursive {
                    self.say(&format!("{path}:"));
                }
                self.written.output(bare);
                self.written.output(b"\n");
            }
            if letters.contains('c') {
                self.say(&format!("{count}\n"));
            } else if letters.contains('l') && count > 0 {
                self.say(&format!("{path}\n"));
            }
        }
        if failed != 0 { 2 } else { u8::from(!found) }
    }

    pub(super) fn wc(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let (texts, status) = self.texts(&paths);
        let all = letters.is_empty();
        let mut totals = [0usize; 3];
        let mut rows = Vec::new();
        for (path, text) in &texts {
            let row = [
                text.iter().filter(|o| **o == b'\n').count(),
                text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count(),
                text.len(),
            ];
            for (total, count) in totals.iter_mut().zip(row) {
                *total += count;
            }
            rows.push((path.as_str(), row));
        }
        if paths.len() > 1 {
            rows.push(("total", totals));
        }
        // Columns are as wide as the largest total of octets; a lone number is not padded, text from a pipe to seven.
        let single = letters.len() == 1;
        let width = match (paths.is_empty(), single && rows.len() == 1) {
            (_, true) => 1,
            (_, false) if self.is_applet() => 9,
            (true, false) => 7,
            (false, false) => format!("{}", totals.iter().max().copied().unwrap_or(0)).len(),
        };
        for (path, row) in rows {
            let chosen: Vec<String> = row
                .iter()
                .zip(['l', 'w', 'c'])
                .filter(|(_, letter)| all || letters.contains(*letter))
                .map(|(count, _)| format!("{count:>width$}"))
                .collect();
            let gap = if path.is_empty() { "" } else { " " };
            self.say(&format!("{}{gap}{path}\n", chosen.join(" ")));
        }
        status
    }

    pub(super) fn sort(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let (texts, status) = self.texts(&paths);
        let mut lines: Vec<&[u8]> = texts.iter().flat_map(|(_, text)| lines(text)).collect();
        if letters.contains('n') {
            lines.sort_by_key(|line| number(line));
        } else {
            lines.sort_unstable();
        }
        if letters.contains('r') {
            lines.reverse();
        }
        if letters.contains('u') {
            lines.dedup();
        }
        for line in lines {
            self.written.output(line);
            self.written.output(b"\n");
        }
        if status == 0 { 0 } else { 2 }
    }

    pub(super) fn uniq(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let (texts, status) = self.texts(&paths);
        let mut groups: Vec<(usize, &[u8])> = Vec::new();
        for line in texts.iter().flat_map(|(_, text)| lines(text)) {
            match groups.last_mut() {
                Some((count, last)) if *last == line => *count += 1,
                _ => groups.push((1, line)),
            }
        }
        for (count, line) in groups {
            if letters.contains('c') {
                self.say(&format!("{count:>7} "));
            }
            self.written.output(line);
            self.written.output(b"\n");
        }
        status
    }

    pub(super) fn cut(&mut self) -> u8 {
        let mut delimiter = b'\t';
        let mut fields: Vec<usize> = Vec::new();
        let mut paths = Vec::new();
        let mut args = self.args.iter().map(|arg| lossy(arg));
        while let Some(arg) = args.next() {
            if let Some(sign) = arg.strip_prefix("-d") {
                let sign =
                    if sign.is_empty() { args.next().unwrap_or_default().into_owned() } else { String::from(sign) };
                delimiter = sign.bytes().next().unwrap_or(b'\t');
            } else if let Some(list) = arg.strip_prefix("-f") {
                let list =
                    if list.is_empty() { args.next().unwrap_or_default().into_owned() } else { String::from(list) };
                fields = list.split(',').filter_map(|field| field.trim_end_matches('-').parse().ok()).collect();
            } else {
                paths.push(arg.into_owned());
            }
        }
        if fields.is_empty() {
            self.fail("you must specify a list of bytes, characters, or fields");
            self.written.errors(b"Try 'cut --help' for more information.\n");
            return 1;
        }
        let (texts, status) = self.texts(&paths);
        for line in texts.iter().flat_map(|(_, text)| lines(text)) {
            let chosen: Vec<&[u8]> = if line.contains(&delimiter) {
                let parts: Vec<&[u8]> = line.split(|o| *o == delimiter).collect();
                fields.iter().filter_map(|field| parts.get(field.checked_sub(1)?).copied()).collect()
            } else {
                Vec::from([line])
            };
            self.written.output(&chosen.join(&delimiter));
            self.written.output(b"\n");
        }
        status
    }

    /// Programs with a language of their own give their input on as it is.
    pub(super) fn pass_on(&mut self) -> u8 {
        let input = core::mem::take(&mut self.input);
        self.written.output(&input);
        0
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|o| *o == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

fn number(line: &[u8]) -> i64 {
    let text = lossy(line.trim_ascii_start());
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn line_fits(pattern: &str, line: &str) -> bool {
    let (pattern, anchored) = pattern.strip_prefix('^').map_or((pattern, false), |rest| (rest, true));
    let (pattern, to_end) = pattern.strip_suffix('$').map_or((pattern, false), |rest| (rest, true));
    let mut glob = String::from(if anchored { "" } else { "*" });
    glob.push_str(&pattern.replace('*', "\u{1}").replace(".\u{1}", "*").replace(['\u{1}', '\\'], ""));
    if !to_end {
        glob.push('*');
    }
    super::fits(glob.as_bytes(), line.as_bytes())
}
