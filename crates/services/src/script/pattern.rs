//! Patterns of requests and forms of answers, as a person writes them: text with `{name}` in it.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    Identity,
    text::{Who, unescape},
};

/// What a request must look like. It fits a request as a whole.
///
/// `{name}` takes as few octets as possible, at least none, until what follows it in the pattern; the last one takes the
/// rest. So fitting takes one walk over the request, whatever the pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Piece {
    /// These octets, ASCII letters in either case.
    Literal(Vec<u8>),
    /// Whatever stands here; kept under a name, unless that is empty.
    Capture(String),
}

/// What is wrong with a pattern or an answer, for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// What.
    pub message: &'static str,
    /// How to mend it.
    pub help: &'static str,
}

impl Pattern {
    /// Reads a pattern. `{name}` is a capture, `{}` anything that is not kept, `{{` and `}}` are braces, and the escapes
    /// `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN` are octets.
    ///
    /// # Errors
    /// If a brace is not closed, a name holds something else than letters, digits and `_`, or two captures have nothing
    /// between them.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut pieces: Vec<Piece> = Vec::new();
        for part in parts(text)? {
            match (part, pieces.last()) {
                (Part::Text(octets), _) => pieces.push(Piece::Literal(octets)),
                (Part::Name(_), Some(Piece::Capture(_))) => {
                    return Err(PatternError {
                        message: "two captures have nothing between them",
                        help: "put what separates them in a request between them, such as a blank",
                    });
                }
                (Part::Name(name), _) => pieces.push(Piece::Capture(name)),
            }
        }
        Ok(Self { pieces })
    }

    /// The names that it captures, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Capture(name) if !name.is_empty() => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether nothing can fit this that does not fit `earlier` as well; `false` where that is not plain to see.
    #[must_use]
    pub fn is_behind(&self, earlier: &Self) -> bool {
        match earlier.pieces.as_slice() {
            // No pattern at all: a mistake that was told.
            [] => false,
            [Piece::Capture(_)] => true,
            [Piece::Literal(start), Piece::Capture(_)] => {
                matches!(self.pieces.first(), Some(Piece::Literal(own)) if starts_with(own, start))
            }
            pieces => self.pieces.len() == pieces.len() && self.pieces.iter().zip(pieces).all(|(a, b)| same(a, b)),
        }
    }

    /// What the request holds at the captures, if it fits.
    pub(super) fn fit<'r>(&self, request: &'r [u8]) -> Option<Vec<(&str, &'r [u8])>> {
        let (mut rest, mut found) = (request, Vec::new());
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Literal(literal) => {
                    if !starts_with(rest, literal) {
                        return None;
                    }
                    rest = rest.get(literal.len()..)?;
                }
                Piece::Capture(name) => {
                    let end = match pieces.peek() {
                        Some(Piece::Literal(next)) => position(rest, next, pieces.len() == 1)?,
                        _ => rest.len(),
                    };
                    let (taken, after) = rest.split_at_checked(end)?;
                    found.push((name.as_str(), taken));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(found)
    }
}

/// Where `literal` stands in `octets`: first, or at their end where nothing follows it in the pattern.
fn position(octets: &[u8], literal: &[u8], last: bool) -> Option<usize> {
    if last {
        let at = octets.len().checked_sub(literal.len())?;
        return starts_with(octets.get(at..)?, literal).then_some(at);
    }
    octets.windows(literal.len().max(1)).position(|window| window.eq_ignore_ascii_case(literal))
}

fn starts_with(octets: &[u8], literal: &[u8]) -> bool {
    octets.get(..literal.len()).is_some_and(|start| start.eq_ignore_ascii_case(literal))
}

fn same(a: &Piece, b: &Piece) -> bool {
    match (a, b) {
        (Piece::Literal(a), Piece::Literal(b)) => a.eq_ignore_ascii_case(b),
        (Piece::Capture(_), Piece::Capture(_)) => true,
        _ => false,
    }
}

/// What is said: text with captures and facts of the decoy in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Form {
    pieces: Vec<Piece>,
}

impl Form {
    /// Reads an answer; the escapes and braces are those of [`Pattern::parse`].
    ///
    /// # Errors
    /// If a brace is not closed or a name is none.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pieces = parts(text)?.into_iter().map(|part| match part {
            Part::Text(octets) => Piece::Literal(octets),
            Part::Name(name) => Piece::Capture(name),
        });
        Ok(Self { pieces: pieces.collect() })
    }

    /// The names that stand in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Capture(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The octets, where only facts of the decoy stand in it; any other name is nothing.
    #[must_use]
    pub fn say(&self, identity: &Identity<'_>) -> Vec<u8> {
        let who = Who::new(identity);
        self.fill(|name, out| super::write_fact(&who, name, out))
    }

    /// The octets, with what `find` knows for each name.
    pub(super) fn fill(&self, find: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(octets) => out.extend_from_slice(octets),
                Piece::Capture(name) => find(name, &mut out),
            }
        }
        out
    }
}

enum Part {
    Text(Vec<u8>),
    Name(String),
}

fn parts(text: &str) -> Result<Vec<Part>, PatternError> {
    const UNCLOSED: PatternError =
        PatternError { message: "a `{` is not closed", help: "write `{name}`, or `{{` for a brace" };
    const UNOPENED: PatternError =
        PatternError { message: "a `}` closes nothing", help: "write `{name}`, or `}}` for a brace" };
    const BAD_NAME: PatternError = PatternError {
        message: "a name between braces has letters, digits and `_` only",
        help: "write `{name}`, or `{{` and `}}` for braces",
    };
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some(after) = from.strip_prefix('{') {
            let (name, after) = after.split_once('}').ok_or(UNCLOSED)?;
            if !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_') {
                return Err(BAD_NAME);
            }
            push(&mut parts, &mut literal);
            parts.push(Part::Name(name.into()));
            rest = after;
        } else {
            return Err(UNOPENED);
        }
    }
    literal.push_str(rest);
    push(&mut parts, &mut literal);
    Ok(parts)
}

fn push(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Text(unescape(&core::mem::take(literal))));
    }
}
