//! `sort` and `uniq`.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Ordering;

use super::{Call, awk::number_of, count, lines_of, lossy};

/// How a part of a line is compared.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kind {
    numeric: bool,
    /// With the letters of sizes, `2K`.
    human: bool,
    general: bool,
    version: bool,
    month: bool,
    fold: bool,
    dictionary: bool,
    blanks: bool,
    reverse: bool,
}

/// Fields and octets counted from 1; an octet of 0 is the whole field.
#[derive(Clone, Debug)]
struct Key {
    from: (usize, usize),
    to: Option<(usize, usize)>,
    kind: Kind,
}

impl Kind {
    fn add(&mut self, letter: char) -> bool {
        match letter {
            'n' => self.numeric = true,
            'h' => self.human = true,
            'g' => self.general = true,
            'V' => self.version = true,
            'M' => self.month = true,
            'f' => self.fold = true,
            'd' => self.dictionary = true,
            'b' => self.blanks = true,
            'r' => self.reverse = true,
            'i' => {}
            _ => return false,
        }
        true
    }

    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        let order = if self.numeric || self.general {
            let value = |text: &[u8]| if self.general { number_of(text).0 } else { decimal(text) };
            value(one).partial_cmp(&value(other)).unwrap_or(Ordering::Equal)
        } else if self.human {
            let (one, other) = (size(one), size(other));
            one.partial_cmp(&other).unwrap_or(Ordering::Equal)
        } else if self.month {
            month(one).cmp(&month(other))
        } else if self.version {
            version(one, other)
        } else {
            let shown = |text: &'_ [u8]| -> Cow<'static, [u8]> {
                let kept =
                    |octet: &&u8| !self.dictionary || octet.is_ascii_alphanumeric() || matches!(octet, b' ' | b'\t');
                let octet = |octet: &u8| if self.fold { octet.to_ascii_uppercase() } else { *octet };
                Cow::Owned(text.iter().filter(kept).map(octet).collect())
            };
            if self.fold || self.dictionary { shown(one).cmp(&shown(other)) } else { one.cmp(other) }
        };
        if self.reverse { order.reverse() } else { order }
    }
}

impl Call<'_> {
    pub(in super::super) fn sort(&mut self) -> u8 {
        const LONG: &[(&str, char)] = &[
            ("numeric-sort", 'n'),
            ("reverse", 'r'),
            ("unique", 'u'),
            ("key", 'k'),
            ("field-separator", 't'),
            ("human-numeric-sort", 'h'),
            ("version-sort", 'V'),
            ("general-numeric-sort", 'g'),
            ("month-sort", 'M'),
            ("ignore-case", 'f'),
            ("dictionary-order", 'd'),
            ("ignore-leading-blanks", 'b'),
            ("stable", 's'),
            ("output", 'o'),
            ("check", 'c'),
        ];
        let options = match self.getopt("nruk:t:hVgMfdbiso:czmRS:T:", LONG) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut global = Kind::default();
        for (letter, _) in &options.given {
            global.add(*letter);
        }
        let separator = match options.value('t') {
            None => None,
            Some([sign]) => Some(*sign),
            Some(b"\\0") => Some(0),
            Some([]) => {
                self.fail("empty tab");
                return 2;
            }
            Some(other) => {
                self.fail(&format!("multi-character tab ‘{}’", lossy(other)));
                return 2;
            }
        };
        let mut keys = Vec::new();
        for (_, value) in options.given.iter().filter(|(letter, _)| *letter == 'k') {
            match key(&lossy(value), &global) {
                Ok(key) => keys.push(key),
                Err(wrong) => {
                    self.fail(&wrong);
                    return 2;
                }
            }
        }
        if keys.is_empty() {
            keys.push(Key { from: (1, 0), to: None, kind: global.clone() });
        }
        let (texts, status) = self.texts(&options.paths());
        let mut lines: Vec<&[u8]> = texts.iter().flat_map(|(_, text)| lines_of(text)).collect();
        let by_keys = |one: &&[u8], other: &&[u8]| {
            let orders = keys.iter().map(|key| key.kind.compare(key.part(one, separator), key.part(other, separator)));
            orders.fold(Ordering::Equal, Ordering::then)
        };
        let whole_too = !options.has('s') && !options.has('u');
        let order = |one: &&[u8], other: &&[u8]| {
            let last = if whole_too { one.cmp(other) } else { Ordering::Equal };
            by_keys(one, other).then(if global.reverse { last.reverse() } else { last })
        };
        if options.has('c') {
            let wrong = lines.windows(2).position(|two| match two {
                [one, other] => order(one, other) == Ordering::Greater,
                _ => false,
            });
            let Some(place) = wrong else { return 0 };
            let name = options.paths().first().cloned().unwrap_or_else(|| "-".into());
            let line = lines.get(place + 1).map(|line| lossy(line).into_owned()).unwrap_or_default();
            return self.fail(&format!("{name}:{}: disorder: {line}", place + 2));
        }
        lines.sort_by(order);
        if options.has('u') {
            lines.dedup_by(|one, other| by_keys(&&**one, &&**other) == Ordering::Equal);
        }
        let mut out = Vec::new();
        for line in lines {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        if status != 0 {
            return 2;
        }
        match options.value('o') {
            Some(path) => {
                let path = lossy(path).into_owned();
                let (full, asker) = (self.full(&path), self.shell.asker());
                if let Err(refusal) = self.shell.files.write(&full, asker, self.now, &out, false) {
                    self.fail(&format!("open failed: {path}: {}", refusal.text()));
                    return 2;
                }
            }
            None => self.written.output(&out),
        }
        0
    }

    pub(in super::super) fn uniq(&mut self) -> u8 {
        const LONG: &[(&str, char)] = &[
            ("count", 'c'),
            ("repeated", 'd'),
            ("unique", 'u'),
            ("ignore-case", 'i'),
            ("skip-fields", 'f'),
            ("skip-chars", 's'),
            ("check-chars", 'w'),
        ];
        let options = match self.getopt("cduiDf:s:w:z", LONG) {
            Ok(options) => options,
            Err(status) => return status,
        };
        if let Some(extra) = options.rest.get(2) {
            return self.fail_with_hint(&format!("extra operand ‘{}’", lossy(extra)));
        }
        let paths = options.paths();
        let (texts, status) = self.texts(paths.get(..1).unwrap_or_default());
        let number = |letter: char| options.value(letter).and_then(count);
        let (fields, octets, width) = (number('f').unwrap_or(0), number('s').unwrap_or(0), number('w'));
        let seen = |line: &[u8]| -> Vec<u8> {
            let mut rest = line;
            for _ in 0..fields.min(line.len()) {
                let blanks = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
                let word = rest.iter().skip(blanks).take_while(|octet| !matches!(octet, b' ' | b'\t')).count();
                rest = rest.get(blanks + word..).unwrap_or_default();
            }
            rest = rest.get(octets..).unwrap_or_default();
            rest = rest.get(..width.unwrap_or(rest.len())).unwrap_or(rest);
            if options.has('i') { rest.to_ascii_lowercase() } else { rest.to_vec() }
        };
        let mut groups: Vec<(usize, &[u8], Vec<u8>)> = Vec::new();
        for line in texts.iter().flat_map(|(_, text)| lines_of(text)) {
            let key = seen(line);
            match groups.last_mut() {
                Some((count, _, last)) if *last == key => *count += 1,
                _ => groups.push((1, line, key)),
            }
        }
        let [repeated, unique, all] = ['d', 'u', 'D'].map(|letter| options.has(letter));
        let mut out = Vec::new();
        for (count, line, _) in groups {
            if (repeated || all) && count == 1 || unique && count > 1 {
                continue;
            }
            for _ in 0..if all { count } else { 1 } {
                if options.has('c') {
                    out.extend_from_slice(format!("{count:>7} ").as_bytes());
                }
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
        match paths.get(1) {
            Some(path) if status == 0 => {
                let (full, asker) = (self.full(path), self.shell.asker());
                if let Err(refusal) = self.shell.files.write(&full, asker, self.now, &out, false) {
                    return self.fail(&format!("{path}: {}", refusal.text()));
                }
            }
            _ => self.written.output(&out),
        }
        status
    }
}

impl Key {
    /// The part of a line that is compared.
    fn part<'l>(&self, line: &'l [u8], separator: Option<u8>) -> &'l [u8] {
        let start = place(line, self.from.0, separator);
        let mut start = start.min(line.len());
        if self.kind.blanks {
            start += blanks(line, start);
        }
        start = start.saturating_add(self.from.1.saturating_sub(1)).min(line.len());
        let end = match self.to {
            None => line.len(),
            Some((field, 0)) => {
                let end = place(line, field + 1, separator);
                if separator.is_some() && end <= line.len() { end.saturating_sub(1) } else { end }
            }
            Some((field, octet)) => place(line, field, separator).saturating_add(octet),
        };
        line.get(start..end.clamp(start, line.len())).unwrap_or_default()
    }
}

fn blanks(line: &[u8], from: usize) -> usize {
    line.iter().skip(from).take_while(|octet| matches!(octet, b' ' | b'\t')).count()
}

/// Where a field begins; without a separator the blanks before it belong to it. Beyond the last, behind the line.
fn place(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let mut at = 0;
    for _ in 1..field {
        if at > line.len() {
            break;
        }
        at = match separator {
            Some(sign) => match line.iter().skip(at).position(|octet| *octet == sign) {
                Some(length) => at + length + 1,
                None => line.len() + 1,
            },
            None if at == line.len() => line.len() + 1,
            None => {
                let word = at + blanks(line, at);
                word + line.iter().skip(word).take_while(|octet| !matches!(octet, b' ' | b'\t')).count()
            }
        };
    }
    at
}

fn key(text: &str, global: &Kind) -> Result<Key, String> {
    let mut rest = text;
    let mut kind = Kind::default();
    let mut own = false;
    let mut position = |first: bool| -> Result<(usize, usize), String> {
        let mut number = |behind: &str| {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let shown = rest.to_string();
            rest = after;
            digits.parse::<usize>().or_else(|_| {
                if digits.is_empty() {
                    Err(format!("invalid number {behind}: invalid count at start of ‘{shown}’"))
                } else {
                    Ok(usize::MAX / 4)
                }
            })
        };
        let field = number(if first { "at field start" } else { "after ‘,’" })?;
        if field == 0 {
            return Err(format!("field number is zero: invalid field specification ‘{text}’"));
        }
        let mut octet = 0;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after;
            octet = digits
                .parse()
                .map_err(|_| format!("invalid number after ‘.’: invalid count at start of ‘{digits}{after}’"))?;
            if octet == 0 && first {
                return Err(format!("character offset is zero: invalid field specification ‘{text}’"));
            }
        }
        while let Some(letter) = rest.chars().next().filter(|letter| *letter != ',') {
            if !kind.add(letter) {
                return Err(format!("stray character in field spec: invalid field specification ‘{text}’"));
            }
            own = true;
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        }
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
        }
        Ok((field, octet))
    };
    let from = position(true)?;
    let to = if text.contains(',') { Some(position(false)?) } else { None };
    Ok(Key { from, to, kind: if own { kind } else { global.clone() } })
}

/// A number without an exponent.
fn decimal(text: &[u8]) -> f64 {
    let text = text.trim_ascii_start();
    let end = text
        .iter()
        .enumerate()
        .position(|(at, octet)| !(octet.is_ascii_digit() || *octet == b'.' || at == 0 && *octet == b'-'));
    number_of(text.get(..end.unwrap_or(text.len())).filter(|text| !text.starts_with(b"+")).unwrap_or_default()).0
}

/// The letter of the size before its number, with the sign of it.
fn size(text: &[u8]) -> (f64, f64) {
    let text = text.trim_ascii_start();
    let number = decimal(text);
    let letter = text.iter().find(|octet| !(octet.is_ascii_digit() || matches!(octet, b'.' | b'-')));
    let unit = letter.and_then(|letter| b"kmgtpezy".iter().position(|unit| *unit == letter.to_ascii_lowercase()));
    let unit = f64::from(u8::try_from(unit.map_or(0, |unit| unit + 1)).unwrap_or(0));
    if number == 0.0 { (0.0, 0.0) } else { (if number < 0.0 { -1.0 - unit } else { 1.0 + unit }, number) }
}

fn month(text: &[u8]) -> usize {
    const MONTHS: [&[u8]; 12] =
        [b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"];
    let text = text.trim_ascii_start().to_ascii_uppercase();
    MONTHS.iter().position(|month| text.starts_with(month)).map_or(0, |month| month + 1)
}

/// Runs of digits by their size, what is between by its octets.
fn version(one: &[u8], other: &[u8]) -> Ordering {
    let (mut one, mut other) = (one, other);
    while !one.is_empty() && !other.is_empty() {
        let run = |text: &[u8], digits: bool| text.iter().take_while(|octet| octet.is_ascii_digit() == digits).count();
        for digits in [false, true] {
            let [(left, one_rest), (right, other_rest)] =
                [one, other].map(|text| text.split_at_checked(run(text, digits)).unwrap_or((text, &[])));
            let order = if digits {
                let bare = |text: &[u8]| {
                    let zeros = text.iter().take_while(|octet| **octet == b'0').count();
                    text.get(zeros..).unwrap_or_default().to_vec()
                };
                let (left, right) = (bare(left), bare(right));
                left.len().cmp(&right.len()).then(left.cmp(&right))
            } else {
                left.cmp(right)
            };
            if order != Ordering::Equal {
                return order;
            }
            (one, other) = (one_rest, other_rest);
        }
    }
    one.len().cmp(&other.len())
}
