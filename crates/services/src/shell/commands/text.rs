//! The text programs, each with a file or a row of its kin: what GNU's programs of Debian 12, its mawk and bsdextrautils
//! write. Their options are read here as getopt reads them.

mod awk;
mod dumps;
mod fields;
mod form;
mod grep;
mod lines;
mod names;
mod numbers;
mod order;
mod regex;
mod sed;
mod sums;
mod xargs;

use alloc::{format, string::String, vec::Vec};

use super::{Call, lossy, run};
use awk::unescaped;

/// What a program was called with.
#[derive(Debug, Default)]
struct Options {
    given: Vec<(char, Vec<u8>)>,
    rest: Vec<Vec<u8>>,
}

impl Options {
    fn has(&self, letter: char) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// The value that was given last.
    fn value(&self, letter: char) -> Option<&[u8]> {
        self.given.iter().rev().find(|(given, _)| *given == letter).map(|(_, value)| value.as_slice())
    }

    fn paths(&self) -> Vec<String> {
        self.rest.iter().map(|path| lossy(path).into_owned()).collect()
    }
}

impl Call<'_> {
    /// Options by their letters, a colon behind those that take a value, a question mark behind those that may have one
    /// in the same word, and by their long names. A plus in front: the first operand ends them. What is wrong is said.
    fn getopt(&mut self, letters: &str, long: &[(&str, char)]) -> Result<Options, u8> {
        self.getopt_of(self.args, letters, long)
    }

    fn getopt_of(&mut self, args: &[Vec<u8>], letters: &str, long: &[(&str, char)]) -> Result<Options, u8> {
        let (letters, in_order) = letters.strip_prefix('+').map_or((letters, false), |letters| (letters, true));
        let kind = |letter: char| {
            let mut after = letters.split(letter).skip(1);
            match after.next() {
                Some(after) if letter != ':' && letter != '?' => Some(after.chars().next().unwrap_or(' ')),
                _ => None,
            }
        };
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == b"--" {
                options.rest.extend(args.by_ref().cloned());
            } else if let Some(name) = arg.strip_prefix(b"--") {
                let mut halves = name.splitn(2, |octet| *octet == b'=');
                let (name, value) = (lossy(halves.next().unwrap_or_default()), halves.next());
                let exact = long.iter().find(|(full, _)| *full == name);
                let mut near = long.iter().filter(|(full, _)| full.starts_with(&*name));
                let Some((full, letter)) = exact.or_else(|| near.next().filter(|_| near.next().is_none())) else {
                    return Err(self.wrong_option(&format!("unrecognized option '--{name}'")));
                };
                let value = match (kind(*letter), value) {
                    (Some(':'), None) => match args.next() {
                        Some(value) => value.clone(),
                        None => return Err(self.wrong_option(&format!("option '--{full}' requires an argument"))),
                    },
                    (Some(':' | '?'), value) => value.unwrap_or_default().to_vec(),
                    (_, Some(_)) => {
                        return Err(self.wrong_option(&format!("option '--{full}' doesn't allow an argument")));
                    }
                    _ => Vec::new(),
                };
                options.given.push((*letter, value));
            } else if arg.len() > 1 && arg.first() == Some(&b'-') {
                let mut rest = arg.get(1..).unwrap_or_default();
                while let Some((letter, after)) = rest.split_first() {
                    rest = after;
                    let letter = char::from(*letter);
                    match kind(letter) {
                        None => return Err(self.wrong_option(&format!("invalid option -- '{letter}'"))),
                        Some(':') => {
                            let value = if after.is_empty() { args.next().map(Vec::as_slice) } else { Some(after) };
                            let Some(value) = value else {
                                return Err(self.wrong_option(&format!("option requires an argument -- '{letter}'")));
                            };
                            options.given.push((letter, value.to_vec()));
                            rest = &[];
                        }
                        Some('?') => {
                            options.given.push((letter, after.to_vec()));
                            rest = &[];
                        }
                        Some(_) => options.given.push((letter, Vec::new())),
                    }
                }
            } else {
                options.rest.push(arg.clone());
                if in_order {
                    options.rest.extend(args.by_ref().cloned());
                }
            }
        }
        Ok(options)
    }

    /// Says what is wrong with the words of the call; the status.
    fn wrong_option(&mut self, text: &str) -> u8 {
        self.fail(text);
        if self.is_applet() {
            return self.usage();
        }
        self.more_information()
    }

    fn more_information(&mut self) -> u8 {
        if self.name == "sed" {
            self.written.errors(sed::USAGE.as_bytes());
            return 1;
        }
        if self.name.ends_with("grep") {
            self.written.errors(b"Usage: grep [OPTION]... PATTERNS [FILE]...\n");
        }
        let name = if self.name.ends_with("grep") { "grep" } else { self.name };
        self.written.errors(format!("Try '{name} --help' for more information.\n").as_bytes());
        if matches!(self.name, "grep" | "egrep" | "fgrep" | "sort" | "expr") { 2 } else { 1 }
    }

    /// A line of output.
    fn put(&mut self, line: &[u8]) {
        self.written.output(line);
        self.written.output(b"\n");
    }

    /// The lines of the named files, or of the input, and the status.
    fn all_lines(&mut self, paths: &[String]) -> (Vec<Vec<u8>>, u8) {
        let (texts, status) = self.texts(paths);
        (texts.iter().flat_map(|(_, text)| lines_of(text)).map(<[u8]>::to_vec).collect(), status)
    }
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|o| *o == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// The words with `-5` said as `-n5`, for programs that know a number as an option, if it is not the value of another
/// option: one of `valued`.
fn with_letter(args: &[Vec<u8>], letter: u8, valued: &[u8]) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    let mut value = false;
    for arg in args {
        said.push(match arg.split_first() {
            Some((b'-', digits)) if !value && digits.first().is_some_and(u8::is_ascii_digit) => {
                [&[b'-', letter], digits].concat()
            }
            _ => arg.clone(),
        });
        value = matches!(arg.as_slice(), [b'-', option] if valued.contains(option));
    }
    said
}

/// A number of digits alone.
fn count(text: &[u8]) -> Option<usize> {
    core::str::from_utf8(text).ok().filter(|text| text.bytes().all(|o| o.is_ascii_digit()))?.parse().ok()
}
