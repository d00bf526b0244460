//! Regular expressions as the programs of a system know them (POSIX.1-2017 XBD §9, with GNU's additions), over octets.
//!
//! A pattern becomes a small program ([`machine`]), which goes once through the text: the time is at most the product of
//! their lengths, whatever the pattern. The longest of the leftmost matches is found, as POSIX has it; what groups hold is
//! what the first alternative that leads there puts into them, where POSIX would make each group as long as possible.
//! Perl's patterns take the first instead of the longest. What it does not do: back references, and looking ahead.

mod machine;
#[cfg(test)]
mod tests;

use alloc::{boxed::Box, vec::Vec};

use crate::limits::shell::{MAX_REGEX_NESTING, MAX_REGEX_REPEAT};
pub(super) use machine::{Found, Regex};

/// Whose patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `grep`, `sed`.
    Basic,
    /// `grep -E`, to which what cannot be an operator is none.
    Extended,
    /// `sed -E`, to which it is wrong.
    Strict,
    /// mawk, to which braces are nothing special.
    Awk,
    /// `grep -P`, as far as one types it.
    Perl,
}

/// What is wrong with a pattern, in GNU's words.
pub(super) type Wrong = &'static str;

pub(super) const TOO_BIG: Wrong = "Regular expression too big";

/// The octets that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set([u64; 4]);

impl Set {
    pub(super) fn of(fits: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=u8::MAX).filter(|octet| fits(*octet)).for_each(|octet| set.insert(octet));
        set
    }

    pub(super) fn insert(&mut self, octet: u8) {
        if let Some(word) = self.0.get_mut(usize::from(octet >> 6)) {
            *word |= 1 << (octet & 63);
        }
    }

    pub(super) fn contains(&self, octet: u8) -> bool {
        self.0.get(usize::from(octet >> 6)).is_some_and(|word| word >> (octet & 63) & 1 == 1)
    }

    /// With each letter also the other one, if `wanted`.
    fn in_both_cases(self, wanted: bool) -> Self {
        let both = |o: u8| self.contains(o.to_ascii_lowercase()) || self.contains(o.to_ascii_uppercase());
        if wanted { Self::of(|octet| self.contains(octet) || both(octet)) } else { self }
    }

    fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    TextStart,
    TextEnd,
    Word,
    NotWord,
    WordStart,
    WordEnd,
    /// No word goes on from here to the left, or to the right: `grep -w`.
    NoWordBefore,
    NoWordAfter,
}

/// What a match must fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Any,
    Words,
    Line,
}

/// A part of a pattern.
#[derive(Clone, Debug)]
enum Part {
    Empty,
    Never,
    Set(Set),
    Edge(Edge),
    /// A group, with its number if it has one.
    Group(Option<usize>, Box<Self>),
    Row(Vec<Self>),
    Either(Vec<Self>),
    Repeat {
        part: Box<Self>,
        least: usize,
        most: Option<usize>,
        lazy: bool,
    },
    /// Perl's `\K`: the match begins here.
    Begin,
}

/// The octets of a class such as `[:digit:]`.
pub(super) fn class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |o| o.is_ascii_alphanumeric(),
        b"alpha" => |o| o.is_ascii_alphabetic(),
        b"blank" => |o| matches!(o, b' ' | b'\t'),
        b"cntrl" => |o| o.is_ascii_control(),
        b"digit" => |o| o.is_ascii_digit(),
        b"graph" => |o| o.is_ascii_graphic(),
        b"lower" => |o| o.is_ascii_lowercase(),
        b"print" => |o| o.is_ascii_graphic() || o == b' ',
        b"punct" => |o| o.is_ascii_punctuation(),
        b"space" => is_space,
        b"upper" => |o| o.is_ascii_uppercase(),
        b"xdigit" => |o| o.is_ascii_hexdigit(),
        _ => return None,
    })
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

/// Reads a pattern.
struct Reader<'p> {
    rest: &'p [u8],
    syntax: Syntax,
    ignore_case: bool,
    groups: usize,
    open: usize,
}

/// What stands next in a pattern.
enum Token {
    Open,
    Close,
    Bar,
    Star,
    Plus,
    Query,
    Brace,
}

impl Reader<'_> {
    fn either(&mut self) -> Result<Part, Wrong> {
        let mut branches = Vec::new();
        loop {
            branches.push(self.row()?);
            match self.peek_operator() {
                Some((Token::Bar, length)) => self.skip(length),
                _ => break,
            }
        }
        Ok(if branches.len() == 1 { branches.pop().unwrap_or(Part::Empty) } else { Part::Either(branches) })
    }

    fn row(&mut self) -> Result<Part, Wrong> {
        let mut parts: Vec<Part> = Vec::new();
        while !self.rest.is_empty() {
            let basic = self.syntax == Syntax::Basic;
            // In a basic pattern a star at the beginning is one, in the others it repeats nothing.
            let first = parts.iter().all(|part| basic && matches!(part, Part::Edge(Edge::TextStart)));
            match self.peek_operator() {
                Some((Token::Bar, _)) => break,
                Some((Token::Close, _)) if self.open > 0 => break,
                Some((Token::Close, length)) => match self.syntax {
                    Syntax::Extended | Syntax::Awk => {
                        self.skip(length);
                        parts.push(self.literal(b')'));
                    }
                    Syntax::Perl => return Err("unmatched closing parenthesis"),
                    _ => return Err("Unmatched ) or \\)"),
                },
                Some((Token::Open, length)) => {
                    self.skip(length);
                    parts.push(self.group()?);
                }
                Some((token @ (Token::Star | Token::Plus | Token::Query | Token::Brace), length)) => {
                    if first && (basic || self.syntax == Syntax::Awk) && !matches!(token, Token::Brace) {
                        let literal = self.rest.get(length - 1).copied().unwrap_or(b'*');
                        self.skip(length);
                        parts.push(self.literal(literal));
                        continue;
                    }
                    if first && (matches!(token, Token::Brace) && basic || self.syntax == Syntax::Strict) {
                        return Err("Invalid preceding regular expression");
                    }
                    self.skip(length);
                    let Some((least, most)) = self.times(&token)? else {
                        parts.push(self.literal(b'{'));
                        continue;
                    };
                    let lazy = self.syntax == Syntax::Perl && self.rest.first() == Some(&b'?');
                    self.skip(usize::from(lazy));
                    if let Some(part) = parts.pop() {
                        parts.push(repeat(part, least, most, lazy)?);
                    }
                }
                _ => {
                    let part = self.one(parts.is_empty())?;
                    parts.push(part);
                }
            }
        }
        Ok(if parts.len() == 1 { parts.pop().unwrap_or(Part::Empty) } else { Part::Row(parts) })
    }

    fn group(&mut self) -> Result<Part, Wrong> {
        self.open += 1;
        if self.open > MAX_REGEX_NESTING {
            return Err(TOO_BIG);
        }
        let plain = self.syntax == Syntax::Perl && self.rest.starts_with(b"?");
        let number = if plain {
            self.rest = self.rest.strip_prefix(b"?:").ok_or("unrecognized character after (? or (?-")?;
            None
        } else {
            self.groups += 1;
            Some(self.groups)
        };
        let part = self.either()?;
        match self.peek_operator() {
            Some((Token::Close, length)) => self.skip(length),
            _ if self.syntax == Syntax::Perl => return Err("missing closing parenthesis"),
            _ if self.syntax == Syntax::Awk => return Err("missing ')'"),
            _ => return Err("Unmatched ( or \\("),
        }
        self.open -= 1;
        Ok(Part::Group(number, Box::new(part)))
    }

    /// The operator that stands next, and how long it is.
    fn peek_operator(&self) -> Option<(Token, usize)> {
        let escaped = self.rest.first() == Some(&b'\\');
        let letter = *self.rest.get(usize::from(escaped))?;
        let length = 1 + usize::from(escaped);
        let basic = self.syntax == Syntax::Basic;
        let token = match letter {
            b'*' if !escaped => Token::Star,
            // What is an operator by itself is none behind a backslash, and the other way round.
            _ if escaped != basic => return None,
            b'(' => Token::Open,
            b')' => Token::Close,
            b'|' => Token::Bar,
            b'+' => Token::Plus,
            b'?' => Token::Query,
            b'{' if self.syntax != Syntax::Awk => Token::Brace,
            _ => return None,
        };
        Some((token, length))
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// How often a part is repeated; `None`: the brace is one.
    fn times(&mut self, token: &Token) -> Result<Option<(usize, Option<usize>)>, Wrong> {
        Ok(Some(match token {
            Token::Star => (0, None),
            Token::Plus => (1, None),
            Token::Query => (0, Some(1)),
            _ => {
                let (basic, strict) = (self.syntax == Syntax::Basic, self.syntax == Syntax::Strict);
                let end: &[u8] = if basic { b"\\}" } else { b"}" };
                let Some(length) = self.rest.windows(end.len()).position(|seen| seen == end) else {
                    return if basic || strict { Err("Unmatched \\{") } else { Ok(None) };
                };
                let inside = self.rest.get(..length).unwrap_or_default();
                let mut bounds = inside.splitn(2, |octet| *octet == b',').map(number);
                let (least, most) = match (bounds.next(), bounds.next()) {
                    (Some(Some(Some(least))), None) => (least, Some(least)),
                    (Some(Some(least)), Some(Some(most))) => (least.unwrap_or(0), most),
                    _ if basic || strict => return Err("Invalid content of \\{\\}"),
                    _ => return Ok(None),
                };
                self.skip(length + end.len());
                if most.is_some_and(|most| most < least) {
                    return Err("Invalid content of \\{\\}");
                }
                if most.unwrap_or(least) > MAX_REGEX_REPEAT {
                    return Err(TOO_BIG);
                }
                (least, most)
            }
        }))
    }

    fn literal(&self, octet: u8) -> Part {
        Part::Set(Set::of(|other| other == octet))
    }

    /// One part that is no operator.
    fn one(&mut self, first: bool) -> Result<Part, Wrong> {
        let Some((&octet, rest)) = self.rest.split_first() else { return Ok(Part::Empty) };
        self.rest = rest;
        let basic = self.syntax == Syntax::Basic;
        Ok(match octet {
            b'.' => Part::Set(Set::of(|octet| self.syntax != Syntax::Perl || octet != b'\n')),
            b'[' => Part::Set(self.bracket()?),
            b'^' if !basic || first => Part::Edge(Edge::TextStart),
            b'$' if !basic || rest.is_empty() || rest.starts_with(b"\\)") || rest.starts_with(b"\\|") => {
                Part::Edge(Edge::TextEnd)
            }
            b'\\' => {
                let Some((&letter, rest)) = rest.split_first() else { return Err("Trailing backslash") };
                self.rest = rest;
                self.escaped(letter)
            }
            _ => self.literal(octet),
        })
    }

    fn escaped(&self, letter: u8) -> Part {
        let awk = self.syntax == Syntax::Awk;
        match letter {
            b'n' if awk || self.syntax == Syntax::Perl => self.literal(b'\n'),
            b't' if awk || self.syntax == Syntax::Perl => self.literal(b'\t'),
            b'r' if awk || self.syntax == Syntax::Perl => self.literal(b'\r'),
            _ if awk => self.literal(letter),
            b'w' => Part::Set(Set::of(is_word)),
            b'W' => Part::Set(Set::of(is_word).not()),
            b's' => Part::Set(Set::of(is_space)),
            b'S' => Part::Set(Set::of(is_space).not()),
            b'd' if self.syntax == Syntax::Perl => Part::Set(Set::of(|o| o.is_ascii_digit())),
            b'D' if self.syntax == Syntax::Perl => Part::Set(Set::of(|o| !o.is_ascii_digit())),
            b'K' if self.syntax == Syntax::Perl => Part::Begin,
            b'b' => Part::Edge(Edge::Word),
            b'B' => Part::Edge(Edge::NotWord),
            b'<' => Part::Edge(Edge::WordStart),
            b'>' => Part::Edge(Edge::WordEnd),
            b'`' => Part::Edge(Edge::TextStart),
            b'\'' => Part::Edge(Edge::TextEnd),
            b'1'..=b'9' => Part::Never,
            _ => self.literal(letter),
        }
    }

    /// What follows an opening bracket.
    fn bracket(&mut self) -> Result<Set, Wrong> {
        const OPEN: Wrong = "Unmatched [, [^, [:, [., or [=";
        let mut set = Set::default();
        if self.rest.is_empty() {
            return Err("Invalid regular expression");
        }
        let negated = self.rest.first() == Some(&b'^');
        self.skip(usize::from(negated));
        let mut first = true;
        loop {
            let (&octet, rest) = self.rest.split_first().ok_or(OPEN)?;
            self.rest = rest;
            let octet = match octet {
                b']' if !first => break,
                b'[' if rest.first().is_some_and(|sign| matches!(sign, b':' | b'.' | b'=')) => {
                    let sign = rest.first().copied().unwrap_or(b':');
                    let length = rest.get(1..).and_then(|rest| rest.windows(2).position(|end| end == [sign, b']']));
                    let name = rest.get(1..=length.ok_or(OPEN)?).unwrap_or_default();
                    self.skip(name.len() + 3);
                    match (sign, name) {
                        (b':', name) => {
                            let fits = class(name).ok_or("Invalid character class name")?;
                            (0..=u8::MAX).filter(|o| fits(*o)).for_each(|o| set.insert(o));
                            first = false;
                            continue;
                        }
                        (_, [octet]) => *octet,
                        _ => return Err("Invalid collation character"),
                    }
                }
                b'\\' if matches!(self.syntax, Syntax::Awk | Syntax::Perl) => {
                    let (&letter, rest) = rest.split_first().ok_or(OPEN)?;
                    self.rest = rest;
                    match self.escaped(letter) {
                        Part::Set(other) if letter.is_ascii_alphabetic() => {
                            set.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
                            first = false;
                            continue;
                        }
                        _ => letter,
                    }
                }
                other => other,
            };
            first = false;
            match self.rest {
                [b'-', b']', ..] | [] => set.insert(octet),
                [b'-', last, rest @ ..] => {
                    if *last < octet {
                        return Err("Invalid range end");
                    }
                    (octet..=*last).for_each(|octet| set.insert(octet));
                    self.rest = rest;
                }
                _ => set.insert(octet),
            }
        }
        // What is not in it is neither in the other case.
        Ok(if negated { set.in_both_cases(self.ignore_case).not() } else { set })
    }
}

/// A bound of a repetition: `Some(None)` is one that is left out.
fn number(digits: &[u8]) -> Option<Option<usize>> {
    if digits.is_empty() {
        return Some(None);
    }
    let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|o| o.is_ascii_digit()))?;
    Some(Some(digits.parse().unwrap_or(usize::MAX)))
}

/// A part repeated. Signs behind each other (`a*+?`) become one, so that no row of them nests without end.
fn repeat(part: Part, least: usize, most: Option<usize>, lazy: bool) -> Result<Part, Wrong> {
    let simple = |least: usize, most: Option<usize>| least <= 1 && most.is_none_or(|most| most == 1);
    match part {
        Part::Empty => Ok(Part::Empty),
        Part::Repeat { part, least: inner, most: inner_most, lazy: was } => {
            if simple(inner, inner_most) && simple(least, most) {
                let most = inner_most.and(most);
                return Ok(Part::Repeat { part, least: inner * least, most, lazy: was || lazy });
            }
            let inner = Part::Repeat { part, least: inner, most: inner_most, lazy: was };
            if depth(&inner) > MAX_REGEX_NESTING {
                return Err(TOO_BIG);
            }
            Ok(Part::Repeat { part: Box::new(inner), least, most, lazy })
        }
        other => Ok(Part::Repeat { part: Box::new(other), least, most, lazy }),
    }
}

/// Repetitions within each other.
fn depth(part: &Part) -> usize {
    let (mut depth, mut part) = (0, part);
    while let Part::Repeat { part: inner, .. } = part {
        depth += 1;
        part = inner;
    }
    depth
}
