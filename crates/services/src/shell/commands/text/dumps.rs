//! `hexdump`, `xxd` and `od`: octets in figures.

use alloc::{format, string::String, vec::Vec};

use super::{Call, awk::number_of, form::whole, lossy, sums::hex};
use crate::{limits::shell::MAX_OUTPUT, text::octets_of_hex};

/// Octets of a row.
const ROW: usize = 16;

/// How a row is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `hexdump -C`.
    Canonical,
    /// Numbers of so many octets, as letters of `od -t` say it, in columns of so many.
    Numbers(u8, usize, usize),
    /// `-c`, in columns of four.
    Letters,
}

impl Call<'_> {
    pub(in super::super) fn hexdump(&mut self) -> u8 {
        let long = [("canonical", 'C'), ("length", 'n'), ("skip", 's'), ("no-squeezing", 'v')];
        let options = match self.getopt("bcCdoxvn:s:", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let style = options.given.iter().find_map(|(letter, _)| match letter {
            'C' => Some(Style::Canonical),
            'b' => Some(Style::Numbers(b'o', 1, 4)),
            'c' => Some(Style::Letters),
            'd' => Some(Style::Numbers(b'U', 2, 8)),
            'o' => Some(Style::Numbers(b'o', 2, 8)),
            'x' => Some(Style::Numbers(b'x', 2, 8)),
            _ => None,
        });
        let canonical = if self.name == "hd" { Style::Canonical } else { Style::Numbers(b'x', 2, 5) };
        let style = style.unwrap_or(canonical);
        let (texts, failed) = self.texts(&options.paths());
        if texts.is_empty() && failed != 0 {
            return self.fail("all input file arguments failed");
        }
        let text: Vec<u8> = texts.into_iter().flat_map(|(_, text)| text).collect();
        let at = |letter| options.value(letter).map(amount);
        let skipped = at('s').unwrap_or(0).min(text.len());
        let text = text.get(skipped..).unwrap_or_default();
        let text = text.get(..at('n').unwrap_or(text.len())).unwrap_or(text);
        let width = if style == Style::Canonical { 8 } else { 7 };
        let radix = |at: usize| format!("{at:0width$x}");
        self.rows(text, skipped, options.has('v'), style, true, &radix);
        failed
    }

    pub(in super::super) fn od(&mut self) -> u8 {
        let long = [
            ("address-radix", 'A'),
            ("format", 't'),
            ("read-bytes", 'N'),
            ("skip-bytes", 'j'),
            ("output-duplicates", 'v'),
        ];
        let options = match self.getopt("A:t:N:j:w?vabcdfilosx", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut style = Style::Numbers(b'o', 2, 7);
        let mut marks = false;
        for (letter, value) in &options.given {
            style = match (letter, value.as_slice()) {
                ('c', _) | ('t', b"c") => Style::Letters,
                ('b', _) => Style::Numbers(b'o', 1, 4),
                ('d', _) => Style::Numbers(b'u', 2, 6),
                ('s', _) => Style::Numbers(b'd', 2, 7),
                ('o', _) => Style::Numbers(b'o', 2, 7),
                ('x', _) => Style::Numbers(b'x', 2, 5),
                ('i', _) => Style::Numbers(b'd', 4, 12),
                ('l', _) => Style::Numbers(b'd', 8, 21),
                ('t', [kind @ (b'x' | b'o' | b'd' | b'u'), rest @ ..]) => {
                    marks = rest.ends_with(b"z");
                    let size = match rest.strip_suffix(b"z").unwrap_or(rest) {
                        b"1" | b"C" => 1,
                        b"2" | b"S" => 2,
                        b"8" | b"L" => 8,
                        _ => 4,
                    };
                    let width = match (kind, size) {
                        (b'x', size) => size * 2,
                        (b'o', 1) => 3,
                        (b'o', 2) => 6,
                        (b'o', 4) => 11,
                        (b'o', _) => 22,
                        (kind, 1) => 3 + usize::from(*kind == b'd'),
                        (kind, 2) => 5 + usize::from(*kind == b'd'),
                        (kind, 4) => 10 + usize::from(*kind == b'd'),
                        _ => 20,
                    };
                    Style::Numbers(*kind, size, width + 1)
                }
                ('t', other) => {
                    let text = format!("invalid character '{0}' in type string ‘{0}’", lossy(other));
                    return self.fail(&text);
                }
                _ => style,
            };
        }
        let (texts, failed) = self.texts(&options.paths());
        if texts.is_empty() {
            return failed;
        }
        let text: Vec<u8> = texts.into_iter().flat_map(|(_, text)| text).collect();
        let at = |letter| options.value(letter).map(amount);
        let skipped = at('j').unwrap_or(0).min(text.len());
        let text = text.get(skipped..).unwrap_or_default();
        let text = text.get(..at('N').unwrap_or(text.len())).unwrap_or(text);
        let radix: &dyn Fn(usize) -> String = match options.value('A') {
            Some(b"n") => &|_| String::new(),
            Some(b"x") => &|at| format!("{at:06x}"),
            Some(b"d") => &|at| format!("{at:07}"),
            _ => &|at| format!("{at:07o}"),
        };
        let _ = marks;
        self.rows(text, skipped, options.has('v'), style, false, radix);
        failed
    }

    /// Rows of sixteen, with where each begins; one that is as the one before is a star. Hexdump fills the last row.
    fn rows(
        &mut self,
        text: &[u8],
        skipped: usize,
        all: bool,
        style: Style,
        fills: bool,
        radix: &dyn Fn(usize) -> String,
    ) {
        let mut last: Option<&[u8]> = None;
        let mut starred = false;
        let mut out = String::new();
        for (place, row) in text.chunks(ROW).enumerate() {
            if last == Some(row) && !all {
                if !starred {
                    out.push_str("*\n");
                }
                starred = true;
                continue;
            }
            (last, starred) = (Some(row), false);
            out.push_str(&radix(skipped + place * ROW));
            match style {
                Style::Canonical => {
                    for at in 0..ROW {
                        out.push_str(if at % 8 == 0 { "  " } else { " " });
                        match row.get(at) {
                            Some(octet) => out.push_str(&format!("{octet:02x}")),
                            None => out.push_str("  "),
                        }
                    }
                    out.push_str(&format!("  |{}|", printed(row)));
                }
                Style::Numbers(kind, size, width) => {
                    for at in (0..ROW).step_by(size) {
                        let octets = row.get(at..row.len().min(at + size)).unwrap_or_default();
                        if octets.is_empty() {
                            if fills {
                                out.push_str(&" ".repeat(width));
                            }
                            continue;
                        }
                        let shown = number(octets, kind, size);
                        out.push_str(&format!("{shown:>width$}"));
                    }
                }
                Style::Letters => {
                    for at in 0..ROW {
                        match row.get(at) {
                            Some(octet) => out.push_str(&format!("{:>4}", letter(*octet))),
                            None if fills => out.push_str("    "),
                            None => {}
                        }
                    }
                }
            }
            out.push('\n');
            if out.len() > MAX_OUTPUT {
                break;
            }
        }
        let end = radix(skipped + text.len());
        if !end.is_empty() && (!text.is_empty() || !fills) {
            out.push_str(&end);
            out.push('\n');
        }
        self.say(&out);
    }

    pub(in super::super) fn xxd(&mut self) -> u8 {
        // Its options are words, which getopt would take apart.
        let (mut plain, mut back, mut upper, mut array) = (false, false, false, false);
        let (mut columns, mut group, mut length, mut skipped) = (None, None, usize::MAX, 0);
        let mut paths = Vec::new();
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            let text = lossy(arg).into_owned();
            let Some(option) = text.strip_prefix('-').filter(|option| !option.is_empty()) else {
                paths.push(text);
                continue;
            };
            match option {
                "p" | "ps" | "plain" | "postscript" => plain = true,
                "r" | "revert" => back = true,
                "u" | "uppercase" => upper = true,
                "i" | "include" => array = true,
                "a" | "E" => {}
                _ => {
                    let (letter, value) = option.split_at_checked(1).unwrap_or((option, ""));
                    let value = if value.is_empty() { args.next().cloned() } else { Some(value.as_bytes().to_vec()) };
                    let value = value.map(|value| amount(&value));
                    match (letter, value) {
                        ("c", Some(value)) => columns = Some(value),
                        ("g", Some(value)) => group = Some(value),
                        ("l", Some(value)) => length = value,
                        ("s", Some(value)) => skipped = value,
                        _ => {
                            self.written.errors(b"Usage:\n       xxd [options] [infile [outfile]]\n");
                            return 1;
                        }
                    }
                }
            }
        }
        let (texts, failed) = self.texts(paths.get(..1).unwrap_or_default());
        let Some((path, text)) = texts.first() else { return if failed == 0 { 0 } else { 2 } };
        if back {
            let octets = reverted(text, plain);
            self.written.output(&octets);
            return 0;
        }
        let text = text.get(skipped.min(text.len())..).unwrap_or_default();
        let text = text.get(..length).unwrap_or(text);
        let shown = |text: String| if upper { text.to_uppercase() } else { text };
        if plain {
            let columns = match columns {
                Some(0) => usize::MAX,
                columns => columns.unwrap_or(30),
            };
            for row in text.chunks(columns) {
                self.put(shown(hex(row)).as_bytes());
            }
            return 0;
        }
        if array {
            self.array_of_c(path, text);
            return 0;
        }
        let columns = columns.filter(|columns| (1..=256).contains(columns)).unwrap_or(ROW);
        let group = group.unwrap_or(2);
        let group = if group == 0 { usize::MAX } else { group };
        let width = columns * 2 + (columns - 1) / group;
        for (place, row) in text.chunks(columns).enumerate() {
            let groups: Vec<String> = row.chunks(group).map(|part| shown(hex(part))).collect();
            let at = skipped + place * columns;
            let figures = groups.join(" ");
            self.say(&format!("{at:08x}: {figures:<width$}  {}\n", printed(row)));
            if self.written.is_full() {
                break;
            }
        }
        0
    }

    /// `-i`: as an array of C.
    fn array_of_c(&mut self, path: &str, text: &[u8]) {
        let rows: Vec<String> = text
            .chunks(12)
            .map(|row| format!("  {}", row.iter().map(|o| format!("0x{o:02x}")).collect::<Vec<_>>().join(", ")))
            .collect();
        let rows = rows.join(",\n");
        if path.is_empty() {
            self.say(&format!("{rows}\n"));
            return;
        }
        let name: String =
            path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        self.say(&format!("unsigned char {name}[] = {{\n{rows}\n}};\nunsigned int {name}_len = {};\n", text.len()));
    }
}

/// A number of octets to read or skip, be it hexadecimal.
fn amount(text: &[u8]) -> usize {
    let (number, used) = number_of(text);
    let factor = match text.get(used..) {
        Some(b"b") => 512,
        Some(b"k" | b"K") => 1024,
        _ => 1,
    };
    usize::try_from(whole(number)).unwrap_or(0).saturating_mul(factor)
}

/// The octets of a dump.
fn reverted(text: &[u8], plain: bool) -> Vec<u8> {
    let digits = |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(u8::is_ascii_hexdigit).collect() };
    if plain {
        return octets_of_hex(&digits(text));
    }
    let mut octets = Vec::new();
    for line in text.split(|octet| *octet == b'\n') {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let figures = line.get(colon + 1..).unwrap_or_default();
        // Two blanks end the figures.
        let figures = figures.get(usize::from(figures.first() == Some(&b' '))..).unwrap_or_default();
        let end = figures.windows(2).position(|two| two == b"  ").unwrap_or(figures.len());
        octets.extend(octets_of_hex(&digits(figures.get(..end).unwrap_or_default())));
    }
    octets
}

fn printed(row: &[u8]) -> String {
    row.iter().map(|octet| if octet.is_ascii_graphic() || *octet == b' ' { char::from(*octet) } else { '.' }).collect()
}

/// An octet as C writes it.
fn letter(octet: u8) -> String {
    match octet {
        0 => "\\0".into(),
        7 => "\\a".into(),
        8 => "\\b".into(),
        9 => "\\t".into(),
        10 => "\\n".into(),
        11 => "\\v".into(),
        12 => "\\f".into(),
        13 => "\\r".into(),
        b' '..=b'~' => String::from(char::from(octet)),
        other => format!("{other:03o}"),
    }
}

/// A number of octets, the lowest first.
fn number(octets: &[u8], kind: u8, size: usize) -> String {
    let value = octets.iter().rev().fold(0u64, |value, octet| value << 8 | u64::from(*octet));
    match (kind, size) {
        (b'x', size) => format!("{value:0width$x}", width = size * 2),
        (b'o', 1) => format!("{value:03o}"),
        (b'o', 2) => format!("{value:06o}"),
        (b'o', 4) => format!("{value:011o}"),
        (b'o', _) => format!("{value:022o}"),
        (b'U', _) => format!("{value:05}"),
        (b'd', size) => {
            let unused = 64 - 8 * u32::try_from(size).unwrap_or(8);
            let signed = i64::from_ne_bytes((value << unused).to_ne_bytes()) >> unused;
            format!("{signed}")
        }
        _ => format!("{value}"),
    }
}
