//! `cut`, `paste` and `tr`: parts of lines, and single octets.

use alloc::{format, string::String, vec::Vec};

use super::{Call, count, lines_of, lossy, regex::class};
use crate::limits::shell::MAX_OUTPUT;

impl Call<'_> {
    /// Says what is wrong and where more is told; the status.
    pub(super) fn fail_with_hint(&mut self, text: &str) -> u8 {
        self.fail(text);
        if self.is_applet() { self.usage() } else { self.more_information() }
    }

    pub(in super::super) fn cut(&mut self) -> u8 {
        const LONG: &[(&str, char)] = &[
            ("bytes", 'b'),
            ("characters", 'c'),
            ("fields", 'f'),
            ("delimiter", 'd'),
            ("only-delimited", 's'),
            ("output-delimiter", 'o'),
            ("complement", '!'),
        ];
        let options = match self.getopt("b:c:f:d:nszo:!", LONG) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let lists: Vec<_> = options.given.iter().filter(|(letter, _)| matches!(letter, 'b' | 'c' | 'f')).collect();
        let (letter, list) = match lists.as_slice() {
            [] => return self.fail_with_hint("you must specify a list of bytes, characters, or fields"),
            [(letter, list)] => (*letter, list.as_slice()),
            _ => return self.fail_with_hint("only one list may be specified"),
        };
        let delimiter = match options.value('d') {
            Some(_) if letter != 'f' => {
                return self.fail_with_hint("an input delimiter may be specified only when operating on fields");
            }
            None => b'\t',
            Some([]) => 0,
            Some([sign]) => *sign,
            Some(_) => return self.fail_with_hint("the delimiter must be a single character"),
        };
        if options.has('s') && letter != 'f' {
            let text = "suppressing non-delimited lines makes sense\n\tonly when operating on fields";
            return self.fail_with_hint(text);
        }
        let ranges = match ranges(list, letter == 'f') {
            Ok(ranges) => ranges,
            Err(wrong) => return self.fail_with_hint(&wrong),
        };
        let chosen =
            |place: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&(place + 1))) != options.has('!');
        let between = match options.value('o') {
            Some(text) => text.to_vec(),
            None if letter == 'f' => Vec::from([delimiter]),
            None => Vec::new(),
        };
        let (lines, status) = self.all_lines(&options.paths());
        for line in &lines {
            if letter == 'f' {
                if !line.contains(&delimiter) {
                    if !options.has('s') {
                        self.put(line);
                    }
                    continue;
                }
                let parts = line.split(|octet| *octet == delimiter).enumerate();
                let parts: Vec<&[u8]> = parts.filter(|(place, _)| chosen(*place)).map(|(_, part)| part).collect();
                self.put(&parts.join(between.as_slice()));
                continue;
            }
            let mut out = Vec::new();
            let mut last = None;
            for (place, octet) in line.iter().enumerate().filter(|(place, _)| chosen(*place)) {
                // What was apart in the line is kept apart.
                let begins =
                    last.is_some_and(|last| last + 1 < place || ranges.iter().any(|(from, _)| from - 1 == place));
                if begins {
                    out.extend_from_slice(&between);
                }
                out.push(*octet);
                last = Some(place);
            }
            self.put(&out);
        }
        status
    }

    pub(in super::super) fn paste(&mut self) -> u8 {
        let options = match self.getopt("sd:z", &[("serial", 's'), ("delimiters", 'd')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let signs = super::unescaped(options.value('d').unwrap_or(b"\t"));
        let sign = |place: usize| signs.get(place % signs.len().max(1)).copied();
        let mut paths = options.paths();
        if paths.is_empty() {
            paths.push("-".into());
        }
        let mut columns = Vec::new();
        for path in &paths {
            let (texts, status) = self.texts(core::slice::from_ref(path));
            let Some((_, text)) = texts.first() else { return status };
            columns.push(lines_of(text).map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
        // Two dashes take turns with the lines of the one input.
        let dashes: Vec<usize> = (0..paths.len()).filter(|at| paths.get(*at).is_some_and(|path| path == "-")).collect();
        if !options.has('s') && dashes.len() > 1 {
            let lines = dashes.first().and_then(|at| columns.get(*at)).cloned().unwrap_or_default();
            for (turn, at) in dashes.iter().enumerate() {
                if let Some(column) = columns.get_mut(*at) {
                    *column = lines.iter().skip(turn).step_by(dashes.len()).cloned().collect();
                }
            }
        }
        if options.has('s') {
            for column in &columns {
                let mut out = Vec::new();
                for (place, line) in column.iter().enumerate() {
                    out.extend(place.checked_sub(1).and_then(sign));
                    out.extend_from_slice(line);
                }
                self.put(&out);
            }
            return 0;
        }
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..height {
            let mut out = Vec::new();
            for (place, column) in columns.iter().enumerate() {
                out.extend(place.checked_sub(1).and_then(sign));
                out.extend_from_slice(column.get(row).map(Vec::as_slice).unwrap_or_default());
            }
            self.put(&out);
            if self.written.is_full() {
                break;
            }
        }
        0
    }

    pub(in super::super) fn tr(&mut self) -> u8 {
        let long = [("complement", 'c'), ("delete", 'd'), ("squeeze-repeats", 's'), ("truncate-set1", 't')];
        let options = match self.getopt("+cCdst", &long) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let [delete, squeeze] = ['d', 's'].map(|letter| options.has(letter));
        let (least, most) = if delete == squeeze { (2, 2) } else { (1, if delete { 1 } else { 2 }) };
        let Some(first) = options.rest.first() else { return self.fail_with_hint("missing operand") };
        let second = options.rest.get(1);
        if options.rest.len() < least {
            let why = if delete { "both deleting and squeezing repeats" } else { "translating" };
            let text = format!("missing operand after ‘{}’\nTwo strings must be given when {why}.", lossy(first));
            return self.fail_with_hint(&text);
        }
        if let Some(extra) = options.rest.get(most) {
            let why = if delete && !squeeze {
                "\nOnly one string may be given when deleting without squeezing repeats."
            } else {
                ""
            };
            return self.fail_with_hint(&format!("extra operand ‘{}’{why}", lossy(extra)));
        }
        let complement = options.has('c') || options.has('C');
        let sets = set(first, 0).and_then(|mut one| {
            if complement {
                one = (0..=u8::MAX).filter(|octet| !one.contains(octet)).collect();
            }
            let room = if delete { 0 } else { one.len() };
            let other = second.map(|other| set(other, room)).transpose()?;
            Ok((one, other))
        });
        let (one, other) = match sets {
            Ok(sets) => sets,
            Err(wrong) => return self.fail(&wrong),
        };
        let translates = !delete && other.is_some();
        if translates && other.as_ref().is_some_and(Vec::is_empty) && !one.is_empty() {
            return self.fail("when not truncating set1, string2 must be non-empty");
        }
        let classes = |text: &[u8]| lossy(text).contains("[:");
        if let Some(text) = second.filter(|text| translates && classes(text))
            && !matches!(lossy(text).as_ref(), "[:upper:]" | "[:lower:]")
        {
            let text =
                "when translating, the only character classes that may appear in\nstring2 are 'upper' and 'lower'";
            return self.fail(text);
        }
        let mut table: [u8; 256] = core::array::from_fn(|octet| u8::try_from(octet).unwrap_or(0));
        if let Some(other) = other.as_ref().filter(|_| translates) {
            let kept = if options.has('t') { other.len() } else { one.len() };
            for (place, octet) in one.iter().enumerate().take(kept) {
                if let (Some(entry), Some(to)) =
                    (table.get_mut(usize::from(*octet)), other.get(place).or_else(|| other.last()))
                {
                    *entry = *to;
                }
            }
        }
        let squeezed = if !squeeze { None } else { Some(other.as_ref().unwrap_or(&one)) };
        let input = self.input.take();
        let mut out: Vec<u8> = Vec::with_capacity(input.len());
        for octet in input {
            if delete && one.contains(&octet) {
                continue;
            }
            let octet = table.get(usize::from(octet)).copied().unwrap_or(octet);
            if out.last() == Some(&octet) && squeezed.is_some_and(|set| set.contains(&octet)) {
                continue;
            }
            out.push(octet);
        }
        self.written.output(&out);
        0
    }
}

/// `1-3,5-`, or what is wrong with it.
fn ranges(list: &[u8], fields: bool) -> Result<Vec<(usize, usize)>, String> {
    let mut ranges = Vec::new();
    for range in list.split(|octet| matches!(octet, b',' | b' ')) {
        let number = |text: &[u8]| match count(text) {
            Some(number) => Ok(number),
            None if fields => Err(format!("invalid field value ‘{}’", lossy(text))),
            None => Err(format!("invalid byte/character position ‘{}’", lossy(text))),
        };
        let mut bounds = range.splitn(2, |octet| *octet == b'-');
        let range = match (bounds.next().unwrap_or_default(), bounds.next()) {
            ([], Some([])) => return Err("invalid range with no endpoint: -".into()),
            (from, Some([])) => (number(from)?, usize::MAX),
            ([], Some(to)) => (1, number(to)?),
            (from, Some(to)) => (number(from)?, number(to)?),
            (only, None) => {
                let number = if only.is_empty() { 0 } else { number(only)? };
                (number, number)
            }
        };
        match range {
            (0, _) if fields => return Err("fields are numbered from 1".into()),
            (0, _) => return Err("byte/character positions are numbered from 1".into()),
            (from, to) if from > to => return Err("invalid decreasing range".into()),
            range => ranges.push(range),
        }
    }
    Ok(ranges)
}

/// The octets of a set of `tr`; `[x*]` fills up to `room`.
fn set(text: &[u8], room: usize) -> Result<Vec<u8>, String> {
    // Each octet, and whether it stood behind a backslash.
    let mut octets: Vec<(u8, bool)> = Vec::new();
    let mut rest = text.iter().copied().peekable();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push((octet, false));
            continue;
        }
        let octet = match rest.next() {
            None => b'\\',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'v') => 11,
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|octet| matches!(octet, b'0'..=b'7')) else { break };
                    value = value * 8 + u32::from(digit - b'0');
                }
                u8::try_from(value & 0xff).unwrap_or(0)
            }
            Some(other) => other,
        };
        octets.push((octet, true));
    }
    let mut set = Vec::new();
    let mut rest = octets.as_slice();
    while let Some(((octet, escaped), after)) = rest.split_first() {
        if let (b'[', false, [(b':', false), inside @ ..]) = (octet, escaped, after)
            && let Some(end) = inside.windows(2).position(|end| end == [(b':', false), (b']', false)])
        {
            let name: Vec<u8> = inside.iter().take(end).map(|(octet, _)| *octet).collect();
            let fits = class(&name).ok_or_else(|| format!("invalid character class ‘{}’", lossy(&name)))?;
            set.extend((0..=u8::MAX).filter(|octet| fits(*octet)));
            rest = inside.get(end + 2..).unwrap_or_default();
            continue;
        }
        if let (b'[', false, [(again, _), (b'*', false), inside @ ..]) = (octet, escaped, after)
            && let Some(end) = inside.iter().position(|octet| *octet == (b']', false))
        {
            let digits: Vec<u8> = inside.iter().take(end).map(|(octet, _)| *octet).collect();
            let times = match count(&digits).filter(|times| *times > 0) {
                Some(times) => times,
                None => room.saturating_sub(set.len()),
            };
            set.extend(core::iter::repeat_n(*again, times.min(MAX_OUTPUT)));
            rest = inside.get(end + 1..).unwrap_or_default();
            continue;
        }
        if let [(b'-', false), (last, _), after @ ..] = after {
            if last < octet {
                let shown = format!("{}-{}", char::from(*octet), char::from(*last));
                return Err(format!("range-endpoints of '{shown}' are in reverse collating sequence order"));
            }
            set.extend(*octet..=*last);
            rest = after;
            continue;
        }
        set.push(*octet);
        rest = after;
    }
    Ok(set)
}
