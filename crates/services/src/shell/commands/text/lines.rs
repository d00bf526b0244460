//! `head`, `tail`, `tac`, `rev`, `nl` and `wc`: lines as they are, some of them or in another order.

use alloc::{format, string::String, vec::Vec};

use super::{Call, lines_of, lossy, with_letter};
use crate::limits::shell::MAX_SCRIPT_TEXT;

/// How much `head` and `tail` show: so many, from so many on, all but so many.
#[derive(Clone, Copy)]
enum Amount {
    Some(usize),
    From(usize),
    AllBut(usize),
}

impl Call<'_> {
    pub(in super::super) fn head(&mut self) -> u8 {
        self.part(false)
    }

    pub(in super::super) fn tail(&mut self) -> u8 {
        self.part(true)
    }

    fn part(&mut self, end: bool) -> u8 {
        let mut args = with_letter(self.args, b'n', b"ncs");
        if end && let Some(first) = args.first_mut().filter(|first| first.len() > 1 && first.starts_with(b"+")) {
            // The old way to say `-n +5`.
            *first = [b"-n", first.as_slice()].concat();
        }
        let long = [("lines", 'n'), ("bytes", 'c'), ("quiet", 'q'), ("silent", 'q'), ("verbose", 'v'), ("follow", 'f')];
        let letters = if end { "n:c:qvzf?Fs:" } else { "n:c:qvz" };
        let options = match self.getopt_of(&args, letters, &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let last = options.given.iter().rev().find(|(letter, _)| matches!(letter, 'n' | 'c'));
        let bytes = last.is_some_and(|(letter, _)| *letter == 'c');
        let amount = match last {
            None => Amount::Some(10),
            Some((_, value)) => match amount(value, end) {
                Some(amount) => amount,
                None => {
                    let what = if bytes { "bytes" } else { "lines" };
                    return self.fail(&format!("invalid number of {what}: ‘{}’", lossy(value)));
                }
            },
        };
        let paths = options.paths();
        let (texts, status) = self.texts(&paths);
        let titles = paths.len() > 1 && !options.has('q') || options.has('v');
        for (place, (path, text)) in texts.iter().enumerate() {
            if titles {
                let path = if path.is_empty() || path == "-" { "standard input" } else { path };
                self.say(&format!("{}==> {path} <==\n", if place > 0 { "\n" } else { "" }));
            }
            let shown = if bytes {
                chosen(text.len(), amount, end, text.len())
            } else {
                let ends: Vec<usize> = text.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::len).collect();
                let (from, to) = chosen(ends.len(), amount, end, ends.len());
                let octets = |lines: usize| ends.iter().take(lines).sum();
                (octets(from), octets(to))
            };
            self.written.output(text.get(shown.0..shown.1).unwrap_or_default());
        }
        status
    }

    pub(in super::super) fn tac(&mut self) -> u8 {
        let options = match self.getopt("brs:", &[("separator", 's')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let (texts, status) = self.texts(&options.paths());
        for (_, text) in &texts {
            let lines: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').collect();
            for line in lines.iter().rev() {
                self.written.output(line);
            }
        }
        status
    }

    pub(in super::super) fn rev(&mut self) -> u8 {
        let options = match self.getopt("", &[]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let (texts, status) = self.texts(&options.paths());
        for (_, text) in &texts {
            for line in text.split_inclusive(|octet| *octet == b'\n') {
                let bare = line.strip_suffix(b"\n");
                let turned: String = lossy(bare.unwrap_or(line)).chars().rev().collect();
                self.say(&turned);
                self.say(if bare.is_some() { "\n" } else { "" });
            }
        }
        status
    }

    pub(in super::super) fn nl(&mut self) -> u8 {
        let options = match self.getopt("b:n:w:s:v:i:", &[("body-numbering", 'b'), ("number-width", 'w')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let number = |letter: char, otherwise: usize| {
            options.value(letter).and_then(super::count).unwrap_or(otherwise).min(MAX_SCRIPT_TEXT)
        };
        let (width, mut line_number, step) = (number('w', 6), number('v', 1), number('i', 1));
        let (style, format) = (options.value('b').unwrap_or(b"t"), options.value('n').unwrap_or(b"rn"));
        let separator = options.value('s').unwrap_or(b"\t");
        let (lines, status) = self.all_lines(&options.paths());
        for line in &lines {
            if style == b"a" || style == b"t" && !line.is_empty() {
                let shown = match format {
                    b"ln" => format!("{line_number:<width$}"),
                    b"rz" => format!("{line_number:0>width$}"),
                    _ => format!("{line_number:>width$}"),
                };
                self.say(&shown);
                self.written.output(separator);
                line_number = line_number.saturating_add(step);
            } else {
                let blanks = " ".repeat(width + separator.len());
                self.say(&blanks);
            }
            self.put(line);
            if self.written.is_full() {
                break;
            }
        }
        status
    }

    pub(in super::super) fn wc(&mut self) -> u8 {
        let long = [("lines", 'l'), ("words", 'w'), ("bytes", 'c'), ("chars", 'm'), ("max-line-length", 'L')];
        let options = match self.getopt("lwcmL", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let paths = options.paths();
        let (texts, status) = self.texts(&paths);
        let mut totals = [0usize; 5];
        let mut rows = Vec::new();
        for (path, text) in &texts {
            let row = [
                text.iter().filter(|octet| **octet == b'\n').count(),
                text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count(),
                lossy(text).chars().count(),
                text.len(),
                lines_of(text).map(|line| columns(&lossy(line))).max().unwrap_or(0),
            ];
            for (place, (total, count)) in totals.iter_mut().zip(row).enumerate() {
                *total = if place == 4 { (*total).max(count) } else { *total + count };
            }
            rows.push((path.as_str(), row));
        }
        if paths.len() > 1 {
            rows.push(("total", totals));
        }
        let letters: Vec<char> = ['l', 'w', 'm', 'c', 'L'].into_iter().filter(|letter| options.has(*letter)).collect();
        let letters = if letters.is_empty() { Vec::from(['l', 'w', 'c']) } else { letters };
        // Columns are as wide as the largest total of octets; a lone number is not padded, text from a pipe to seven.
        let piped = paths.is_empty() || paths.iter().any(|path| path == "-");
        let width = match (piped, letters.len() == 1 && rows.len() == 1) {
            (_, true) => 1,
            (_, false) if self.is_applet() => 9,
            (true, false) => 7,
            (false, false) => format!("{}", totals.get(3).copied().unwrap_or(0)).len(),
        };
        for (path, row) in rows {
            let chosen: Vec<String> = row
                .iter()
                .zip(['l', 'w', 'm', 'c', 'L'])
                .filter(|(_, letter)| letters.contains(letter))
                .map(|(count, _)| format!("{count:>width$}"))
                .collect();
            let gap = if path.is_empty() { "" } else { " " };
            self.say(&format!("{}{gap}{path}\n", chosen.join(" ")));
        }
        status
    }
}

/// Columns of a line, with the stops of the tabulator.
fn columns(line: &str) -> usize {
    line.chars().fold(0, |column, letter| if letter == '\t' { column / 8 * 8 + 8 } else { column + 1 })
}

fn amount(value: &[u8], end: bool) -> Option<Amount> {
    let (sign, digits) = match value.split_first() {
        Some((sign @ (b'+' | b'-'), digits)) => (*sign, digits),
        _ => (b' ', value),
    };
    let unit = digits.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(digits.len());
    let factor = match digits.get(unit..)? {
        b"" => 1,
        b"b" => 512,
        b"K" | b"k" | b"KiB" => 1024,
        b"kB" | b"KB" => 1000,
        b"M" | b"m" => 1024 * 1024,
        _ => return None,
    };
    if unit == 0 {
        return None;
    }
    let number: usize = lossy(digits.get(..unit)?).parse().unwrap_or(usize::MAX);
    let number = number.saturating_mul(factor);
    Some(match (sign, end) {
        (b'+', true) => Amount::From(number),
        (b'-', false) => Amount::AllBut(number),
        _ => Amount::Some(number),
    })
}

/// From which to which.
fn chosen(count: usize, amount: Amount, end: bool, all: usize) -> (usize, usize) {
    match (amount, end) {
        (Amount::Some(number), false) => (0, number.min(all)),
        (Amount::Some(number), true) => (count.saturating_sub(number), all),
        (Amount::From(number), _) => (number.saturating_sub(1).min(all), all),
        (Amount::AllBut(number), _) => (0, count.saturating_sub(number)),
    }
}
