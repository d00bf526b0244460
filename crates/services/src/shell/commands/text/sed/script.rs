//! How a script of `sed` is read.

use alloc::{borrow::ToOwned, boxed::Box, format, string::String, vec::Vec};

use super::{Address, Command, Piece, Reader, Substitution, What, Wrong};
use crate::{
    limits::shell::MAX_SCRIPT_NESTING,
    shell::commands::text::{lossy, regex::Regex},
};

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&what) {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        self.skip(|octet| octet != b'\n' && octet.is_ascii_whitespace());
    }

    pub(super) fn script(&mut self) -> Result<(), Wrong> {
        let mut open = Vec::new();
        loop {
            self.skip(|octet| octet.is_ascii_whitespace() || octet == b';');
            if self.peek().is_none() {
                break;
            }
            if let Some(command) = self.command(&mut open)? {
                self.script.commands.push(command);
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        self.at = 0;
        Err("unmatched `{'".into())
    }

    fn command(&mut self, open: &mut Vec<usize>) -> Result<Option<Command>, Wrong> {
        let from = self.address()?;
        let mut to = None;
        self.skip_blanks();
        if from.is_some() && self.peek() == Some(b',') {
            self.at += 1;
            self.skip_blanks();
            to = self.address()?;
            if to.is_none() {
                self.at += 1;
                return Err("unexpected `,'".into());
            }
        }
        let from_zero = matches!(from, Some(Address::Line(0)));
        self.skip_blanks();
        let negated = self.peek() == Some(b'!');
        if negated {
            self.at += 1;
            self.skip_blanks();
            if self.peek() == Some(b'!') {
                self.at += 1;
                return Err("multiple `!'s".into());
            }
        }
        let Some(name) = self.next() else { return Err("missing command".into()) };
        if from_zero && !matches!(to, Some(Address::Fits(_))) {
            return Err("invalid usage of line address 0".into());
        }
        let addressed = from.is_some();
        let place = self.script.commands.len();
        let what = match name {
            b'#' if addressed => return Err("comments don't accept any addresses".into()),
            b'#' => {
                self.skip(|octet| octet != b'\n');
                return Ok(None);
            }
            b'{' if open.len() >= MAX_SCRIPT_NESTING => return Err("unmatched `{'".into()),
            b'{' => {
                open.push(place);
                What::Block(usize::MAX)
            }
            b'}' => {
                let Some(start) = open.pop().filter(|_| !addressed) else { return Err("unexpected `}'".into()) };
                if let Some(Command { what: What::Block(end), .. }) = self.script.commands.get_mut(start) {
                    *end = place;
                }
                self.ended()?;
                What::Nothing
            }
            b':' if addressed => return Err(": doesn't want any addresses".into()),
            b':' | b'b' | b't' | b'T' => {
                self.skip_blanks();
                let start = self.at;
                self.skip(|octet| !octet.is_ascii_whitespace() && octet != b';' && (octet != b'}' || name == b':'));
                let label = self.text.get(start..self.at).unwrap_or_default().to_vec();
                if label.is_empty() && name == b':' {
                    return Err("\":\" lacks a label".into());
                }
                self.ended()?;
                What::Branch(name, label, 0)
            }
            b'a' | b'i' | b'c' => What::Text(name, self.lines_of_text()?),
            b's' => What::Substitute(Box::new(self.substitution()?)),
            b'y' => What::Translate(self.translation()?),
            b'q' | b'Q' => {
                self.skip_blanks();
                let start = self.at;
                self.skip(|octet| octet.is_ascii_digit());
                let status = lossy(self.text.get(start..self.at).unwrap_or_default()).parse().unwrap_or(0);
                self.ended()?;
                What::Quit(name, status)
            }
            b'p' | b'P' | b'd' | b'D' | b'=' | b'n' | b'N' | b'h' | b'H' | b'g' | b'G' | b'x' | b'l' | b'F' | b'z' => {
                self.ended()?;
                What::Simple(name)
            }
            other => return Err(format!("unknown command: `{}'", lossy(&[other]))),
        };
        Ok(Some(Command { from, to, negated, what }))
    }

    /// A command ends with its line, a semicolon, a closing brace or a comment.
    fn ended(&mut self) -> Result<(), Wrong> {
        self.skip_blanks();
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                self.at += 1;
                Err("extra characters after command".into())
            }
        }
    }

    fn number(&mut self) -> usize {
        let start = self.at;
        self.skip(|octet| octet.is_ascii_digit());
        lossy(self.text.get(start..self.at).unwrap_or_default()).parse().unwrap_or(usize::MAX)
    }

    fn address(&mut self) -> Result<Option<Address>, Wrong> {
        Ok(Some(match self.peek() {
            Some(b'0'..=b'9') => {
                let first = self.number();
                if self.peek() != Some(b'~') {
                    return Ok(Some(Address::Line(first)));
                }
                self.at += 1;
                Address::Every(first, self.number())
            }
            Some(b'+') => {
                self.at += 1;
                Address::More(self.number())
            }
            Some(b'$') => {
                self.at += 1;
                Address::Last
            }
            Some(sign @ (b'/' | b'\\')) => {
                self.at += 1;
                let end = if sign == b'/' { sign } else { self.next().unwrap_or(b'/') };
                let Some(pattern) = self.until(end, true) else { return Err("unterminated address regex".into()) };
                let ignore_case = self.peek() == Some(b'I');
                self.at += usize::from(ignore_case);
                Address::Fits(self.regex(&pattern, ignore_case)?)
            }
            _ => return Ok(None),
        }))
    }

    /// What stands before the next `end` that is behind no backslash.
    fn until(&mut self, end: u8, pattern: bool) -> Option<Vec<u8>> {
        let mut found: Vec<u8> = Vec::new();
        // Within brackets the sign is one; the first octet there is no closing bracket.
        let mut bracket: Option<usize> = None;
        loop {
            let octet = self.next()?;
            match (octet, bracket) {
                (b']', Some(start)) if found.len() > start => bracket = None,
                (b'[', Some(_)) if matches!(self.peek(), Some(b':' | b'.' | b'=')) => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let end = rest.iter().position(|octet| matches!(octet, b']' | b'\n')).unwrap_or(0);
                    found.push(octet);
                    found.extend_from_slice(rest.get(..=end).unwrap_or_default());
                    self.at += end + 1;
                    continue;
                }
                (octet, None) if octet == end => return Some(found),
                (b'\n', _) if pattern => return None,
                (b'[', None) if pattern => {
                    let negated = usize::from(self.peek() == Some(b'^'));
                    bracket = Some(found.len() + 1 + negated);
                }
                (b'\\', bracket) => {
                    match self.next()? {
                        octet if octet == end && bracket.is_none() => found.push(octet),
                        b'n' if pattern => found.push(b'\n'),
                        b't' if pattern => found.push(b'\t'),
                        b'\\' | b'[' | b']' if bracket.is_some() => {
                            self.at -= 1;
                            found.push(b'\\');
                        }
                        octet => found.extend([b'\\', octet]),
                    }
                    continue;
                }
                _ => {}
            }
            found.push(octet);
        }
    }

    fn regex(&mut self, pattern: &[u8], ignore_case: bool) -> Result<Option<usize>, Wrong> {
        if pattern.is_empty() {
            return Ok(None);
        }
        let regex = Regex::new(pattern, self.syntax, ignore_case).map_err(ToOwned::to_owned)?;
        self.script.regexes.push(regex);
        Ok(Some(self.script.regexes.len() - 1))
    }

    /// The text of `a`, `i` or `c`: one line, and more behind backslashes.
    fn lines_of_text(&mut self) -> Result<Vec<u8>, Wrong> {
        self.skip_blanks();
        if self.peek() == Some(b'\\') {
            self.at += 1;
            if self.peek() == Some(b'\n') {
                self.at += 1;
            }
        }
        if self.peek().is_none() {
            return Err("expected \\ after `a', `c' or `i'".into());
        }
        let mut text = Vec::new();
        while let Some(octet) = self.next() {
            match octet {
                b'\n' => break,
                b'\\' => text.extend(self.next()),
                octet => text.push(octet),
            }
        }
        text.push(b'\n');
        Ok(text)
    }

    fn substitution(&mut self) -> Result<Substitution, Wrong> {
        let unterminated = || String::from("unterminated `s' command");
        let sign = self.next().ok_or_else(unterminated)?;
        let pattern = self.until(sign, true).ok_or_else(unterminated)?;
        let by = self.until(sign, false).ok_or_else(unterminated)?;
        let (mut every, mut print, mut ignore_case, mut from) = (false, false, false, None);
        loop {
            match self.peek() {
                Some(b'g') if every => {
                    self.at += 1;
                    return Err("multiple `g' options to `s' command".into());
                }
                Some(b'p') if print => {
                    self.at += 1;
                    return Err("multiple `p' options to `s' command".into());
                }
                Some(b'g') => every = true,
                Some(b'p') => print = true,
                Some(b'i' | b'I') => ignore_case = true,
                Some(b'm' | b'M') => {}
                Some(b'0'..=b'9') => {
                    let number = self.number();
                    if number == 0 {
                        return Err("number option to `s' command may not be zero".into());
                    }
                    if from.replace(number).is_some() {
                        return Err("multiple number options to `s' command".into());
                    }
                    continue;
                }
                Some(b'}' | b'#' | b';' | b'\n') | None => break,
                Some(octet) if octet.is_ascii_whitespace() => {}
                Some(_) => {
                    self.at += 1;
                    return Err("unknown option to `s'".into());
                }
            }
            self.at += 1;
        }
        self.ended()?;
        let (regex, by) = (self.regex(&pattern, ignore_case)?, pieces(&by));
        let groups = regex.and_then(|place| self.script.regexes.get(place)).map_or(9, |regex| regex.groups);
        let missing = by.iter().find_map(|piece| match piece {
            Piece::Group(number) if *number > groups => Some(*number),
            _ => None,
        });
        match missing {
            Some(number) => Err(format!("invalid reference \\{number} on `s' command's RHS")),
            None => Ok(Substitution { regex, by, every, print, from: from.unwrap_or(1) }),
        }
    }

    fn translation(&mut self) -> Result<Box<[u8; 256]>, Wrong> {
        let unterminated = || String::from("unterminated `y' command");
        let sign = self.next().ok_or_else(unterminated)?;
        let [from, to] = [self.until(sign, false), self.until(sign, false)];
        let plain = |text: Vec<u8>| -> Vec<u8> {
            let pieces = pieces(&text);
            let piece = |piece: Piece| match piece {
                Piece::Text(text) => text,
                _ => Vec::from(*b"&"),
            };
            pieces.into_iter().flat_map(piece).collect()
        };
        let (from, to) = (plain(from.ok_or_else(unterminated)?), plain(to.ok_or_else(unterminated)?));
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".into());
        }
        let mut table = Box::new(core::array::from_fn(|octet| u8::try_from(octet).unwrap_or(0)));
        for (from, to) in from.iter().zip(to) {
            if let Some(entry) = table.get_mut(usize::from(*from)) {
                *entry = to;
            }
        }
        self.ended()?;
        Ok(table)
    }
}

/// What a match is replaced by.
fn pieces(text: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(octet) = rest.next() {
        let piece = match octet {
            b'&' => Piece::Group(0),
            b'\\' => match rest.next() {
                Some(digit @ b'0'..=b'9') => Piece::Group(usize::from(digit - b'0')),
                Some(letter @ (b'U' | b'L' | b'E' | b'u' | b'l')) => Piece::Case(letter),
                other => {
                    literal.extend(other.map(|octet| match octet {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        octet => octet,
                    }));
                    continue;
                }
            },
            octet => {
                literal.push(octet);
                continue;
            }
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(core::mem::take(&mut literal)));
        }
        pieces.push(piece);
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}
