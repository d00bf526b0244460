//! `grep` in all its kinds.

use alloc::{format, string::String, vec::Vec};

use super::{
    Call, Options, count, lines_of, lossy,
    regex::{Extent, Regex, Syntax},
    with_letter,
};
use crate::shell::{commands::fits, files::Refusal};

/// `&` and `!` stand for `--include` and `--exclude`, `%` for what changes nothing here.
const LETTERS: &str = "ivcqlLnowxEFGPrRhHsabyzZUTIe:f:m:A:B:C:&:!:%?";
const LONG: &[(&str, char)] = &[
    ("ignore-case", 'i'),
    ("invert-match", 'v'),
    ("count", 'c'),
    ("quiet", 'q'),
    ("silent", 'q'),
    ("files-with-matches", 'l'),
    ("files-without-match", 'L'),
    ("line-number", 'n'),
    ("only-matching", 'o'),
    ("word-regexp", 'w'),
    ("line-regexp", 'x'),
    ("extended-regexp", 'E'),
    ("fixed-strings", 'F'),
    ("basic-regexp", 'G'),
    ("perl-regexp", 'P'),
    ("recursive", 'r'),
    ("dereference-recursive", 'R'),
    ("no-filename", 'h'),
    ("with-filename", 'H'),
    ("no-messages", 's'),
    ("text", 'a'),
    ("byte-offset", 'b'),
    ("regexp", 'e'),
    ("file", 'f'),
    ("max-count", 'm'),
    ("after-context", 'A'),
    ("before-context", 'B'),
    ("context", 'C'),
    ("include", '&'),
    ("exclude", '!'),
    ("color", '%'),
    ("colour", '%'),
];

/// A search, and how what it finds is shown.
struct Search {
    regex: Regex,
    budget: u32,
    options: Options,
    most: usize,
    before: usize,
    after: usize,
    names: bool,
}

impl Call<'_> {
    pub(in super::super) fn grep(&mut self) -> u8 {
        let args = with_letter(self.args, b'C', b"efmABC");
        let mut options = match self.getopt_of(&args, LETTERS, LONG) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let search = match self.search(&mut options) {
            Ok(search) => search,
            Err(status) => return status,
        };
        self.go_through(search)
    }

    fn search(&mut self, options: &mut Options) -> Result<Search, u8> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for (letter, value) in &options.given {
            match letter {
                'e' => patterns.extend(value.split(|octet| *octet == b'\n').map(<[u8]>::to_vec)),
                'f' => {
                    let (lines, failed) = self.all_lines(&[lossy(value).into_owned()]);
                    if failed != 0 {
                        return Err(2);
                    }
                    patterns.extend(lines);
                }
                _ => {}
            }
        }
        if !options.has('e') && !options.has('f') {
            if options.rest.is_empty() {
                return Err(if self.is_applet() { self.usage() } else { self.more_information() });
            }
            let pattern = options.rest.remove(0);
            patterns.extend(pattern.split(|octet| *octet == b'\n').map(<[u8]>::to_vec));
        }
        let mut numbers = [0; 4];
        for (number, letter) in numbers.iter_mut().zip(['C', 'A', 'B', 'm']) {
            let Some(text) = options.value(letter) else { continue };
            let Some(read) = count(text) else {
                let shown = format!("{}: invalid context length argument", lossy(text));
                self.fail(if letter == 'm' { "invalid max count" } else { &shown });
                return Err(2);
            };
            *number = read;
        }
        let [around, after, before, most] = numbers;
        let syntax = options.given.iter().rev().find_map(|(letter, _)| match letter {
            'E' => Some(Some(Syntax::Extended)),
            'F' => Some(None),
            'P' => Some(Some(Syntax::Perl)),
            'G' => Some(Some(Syntax::Basic)),
            _ => None,
        });
        let syntax = match self.name {
            "egrep" => Some(Syntax::Extended),
            "fgrep" => None,
            _ => syntax.unwrap_or(Some(Syntax::Basic)),
        };
        let extent = if options.has('x') {
            Extent::Line
        } else if options.has('w') {
            Extent::Words
        } else {
            Extent::Any
        };
        let ignore_case = options.has('i') || options.has('y');
        let patterns: Vec<&[u8]> = patterns.iter().map(Vec::as_slice).collect();
        let regex = match Regex::of(&patterns, syntax, ignore_case, extent) {
            Ok(regex) => regex,
            Err(wrong) => {
                self.fail(wrong);
                return Err(2);
            }
        };
        let recursive = options.has('r') || options.has('R');
        let names = (options.has('H') || recursive || options.rest.len() > 1) && !options.has('h');
        Ok(Search {
            regex,
            budget: self.shell.regex_work,
            most: if options.has('m') { most } else { usize::MAX },
            before: if options.has('B') { before } else { around },
            after: if options.has('A') { after } else { around },
            names,
            options: core::mem::take(options),
        })
    }

    fn go_through(&mut self, mut search: Search) -> u8 {
        let recursive = search.options.has('r') || search.options.has('R');
        let mut paths = search.options.paths();
        let bare = recursive && paths.is_empty();
        if bare {
            paths.push(".".into());
        } else if paths.is_empty() {
            paths.push("-".into());
        }
        let (mut found, mut failed) = (false, false);
        for path in paths {
            let full = self.full(&path);
            let below = recursive && self.shell.files.list(&full, self.shell.asker()).is_ok();
            let mut inside = if below { self.files_below(&path) } else { Vec::from([path]) };
            if below {
                inside.retain(|path| search.includes(path));
            }
            for path in inside {
                let read = if path == "-" { Ok(self.input.take()) } else { self.shell.read(&self.full(&path)) };
                match read {
                    Ok(text) => {
                        let shown = if path == "-" { "(standard input)" } else { path.as_str() };
                        let shown = if bare { shown.trim_start_matches("./") } else { shown };
                        found |= self.show(&mut search, shown, &text);
                    }
                    // A walk looks at no directory, but says which it may not enter.
                    Err(Refusal::IsADirectory) if below => {
                        failed |= !search.options.has('s');
                        self.fail(&format!("{path}: {}", Refusal::Denied.text()));
                    }
                    Err(refusal) => {
                        failed = true;
                        if !search.options.has('s') {
                            self.fail_at(&path, refusal, &format!("{path}: {}", refusal.text()));
                        }
                    }
                }
                if self.written.is_full() || search.budget == 0 || found && search.options.has('q') {
                    break;
                }
            }
        }
        self.shell.regex_work = search.budget;
        match (found, failed) {
            (true, true) if search.options.has('q') => 0,
            (_, true) => 2,
            (found, _) => u8::from(!found),
        }
    }

    /// Shows what fits in a text; whether anything did.
    fn show(&mut self, search: &mut Search, path: &str, text: &[u8]) -> bool {
        let [invert, only, numbers, counts] = ['v', 'o', 'n', 'c'].map(|letter| search.options.has(letter));
        let silent = ['c', 'q', 'l', 'L'].iter().any(|letter| search.options.has(*letter));
        let binary = !search.options.has('a') && text.contains(&0);
        let lines: Vec<&[u8]> = lines_of(text).collect();
        let name = if search.names { path } else { "" };
        let (mut fitting, mut shown_to, mut due) = (0, 0, 0);
        for (place, line) in lines.iter().enumerate() {
            if fitting >= search.most && due == 0 || self.written.is_full() {
                break;
            }
            let fits = fitting < search.most && search.regex.fits(line, &mut search.budget) != invert;
            if !fits {
                if due > 0 {
                    due -= 1;
                    self.prefixed(name, numbers, place, '-', line);
                    shown_to = place + 1;
                }
                continue;
            }
            fitting += 1;
            if search.options.has('q') || search.options.has('l') || search.options.has('L') {
                break;
            }
            if silent {
                continue;
            }
            if binary || !search.options.has('a') && core::str::from_utf8(line).is_err() {
                self.written.errors(format!("grep: {path}: binary file matches\n").as_bytes());
                break;
            }
            if only {
                let mut at = 0;
                while let Some(part) = search.regex.find(line, at, &mut search.budget).filter(|_| !invert) {
                    if part.end > part.start {
                        self.prefixed(name, numbers, place, ':', line.get(part.start..part.end).unwrap_or_default());
                    }
                    at = part.end.max(part.start + 1);
                    if at > line.len() {
                        break;
                    }
                }
                continue;
            }
            let from = place.saturating_sub(search.before).max(shown_to);
            if (search.before > 0 || search.after > 0) && from > shown_to && shown_to > 0 {
                self.say("--\n");
            }
            for (before, line) in lines.iter().enumerate().take(place).skip(from) {
                self.prefixed(name, numbers, before, '-', line);
            }
            self.prefixed(name, numbers, place, ':', line);
            (shown_to, due) = (place + 1, search.after);
        }
        if counts {
            let gap = if name.is_empty() { "" } else { ":" };
            self.say(&format!("{name}{gap}{fitting}\n"));
        } else if search.options.has('l') && fitting > 0 || search.options.has('L') && fitting == 0 {
            self.say(&format!("{path}\n"));
        }
        fitting > 0
    }

    fn prefixed(&mut self, name: &str, numbers: bool, place: usize, sign: char, line: &[u8]) {
        let mut before = String::new();
        if !name.is_empty() {
            before = format!("{name}{sign}");
        }
        if numbers {
            before.push_str(&format!("{}{sign}", place + 1));
        }
        self.say(&before);
        self.put(line);
    }
}

impl Search {
    /// Whether a walk looks at a file of this name.
    fn includes(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        let some = |letter: char| self.options.given.iter().filter(move |(given, _)| *given == letter);
        let (mut included, mut excluded) = (some('&').peekable(), some('!'));
        (included.peek().is_none() || included.any(|(_, glob)| fits(glob, name)))
            && !excluded.any(|(_, glob)| fits(glob, name))
    }
}
