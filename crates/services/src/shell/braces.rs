//! `{a,b}` and `{1..9}`, which bash and zsh make several words of before anything else.

use alloc::{
    collections::VecDeque,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    MAX_WORDS,
    syntax::{Piece, Word},
};
use crate::limits::shell::MAX_BRACED;

/// A part of a word: an octet that may be a sign, or what is quoted or expanded later.
#[derive(Clone)]
enum Atom {
    Octet(u8),
    Piece(Piece),
}

impl Atom {
    fn is(&self, octet: u8) -> bool {
        matches!(self, Self::Octet(own) if *own == octet)
    }
}

/// The words that a word becomes, in order.
pub(super) fn expand(word: &Word) -> Vec<Word> {
    let signs = |piece: &Piece| matches!(piece, Piece::Text { text, quoted: false } if text.contains(&b'{'));
    if !word.iter().any(signs) {
        return Vec::from([word.clone()]);
    }
    let mut atoms = Vec::new();
    for piece in word {
        match piece {
            Piece::Text { text, quoted: false } => atoms.extend(text.iter().map(|octet| Atom::Octet(*octet))),
            other => atoms.push(Atom::Piece(other.clone())),
        }
    }
    let mut done = Vec::new();
    let mut made = 0;
    // Each with where its braces are looked for.
    let mut waiting = VecDeque::from([(atoms, 0)]);
    while let Some((atoms, from)) = waiting.pop_front() {
        let Some((open, close, parts)) = group(&atoms, from) else {
            done.push(joined(atoms));
            continue;
        };
        let (before, behind) = (atoms.get(..open).unwrap_or(&[]), atoms.get(close + 1..).unwrap_or(&[]));
        for part in parts.into_iter().rev() {
            let whole = [before, &part, behind].concat();
            made += whole.len();
            waiting.push_front((whole, open));
            if made > MAX_BRACED {
                return done;
            }
        }
    }
    done
}

/// The first braces from a place on that mean something: where they are, and what stands for them.
fn group(atoms: &[Atom], from: usize) -> Option<(usize, usize, Vec<Vec<Atom>>)> {
    let mut open = from;
    loop {
        open += atoms.get(open..)?.iter().position(|atom| atom.is(b'{'))?;
        if let Some((close, parts)) = parts(atoms, open) {
            return Some((open, close, parts));
        }
        open += 1;
    }
}

fn parts(atoms: &[Atom], open: usize) -> Option<(usize, Vec<Vec<Atom>>)> {
    let mut depth = 0usize;
    let mut parts = Vec::new();
    let mut part = Vec::new();
    for (at, atom) in atoms.iter().enumerate().skip(open + 1) {
        match depth {
            0 if atom.is(b'}') => {
                if parts.is_empty() {
                    return sequence(&part).map(|parts| (at, parts));
                }
                parts.push(part);
                return Some((at, parts));
            }
            0 if atom.is(b',') => parts.push(core::mem::take(&mut part)),
            _ => {
                depth += usize::from(atom.is(b'{'));
                depth = depth.saturating_sub(usize::from(atom.is(b'}')));
                part.push(atom.clone());
            }
        }
        if parts.len() > MAX_WORDS {
            return None;
        }
    }
    None
}

/// `1..9`, `9..1..2`, `a..e`.
fn sequence(inside: &[Atom]) -> Option<Vec<Vec<Atom>>> {
    let octets: Option<Vec<u8>> =
        inside.iter().map(|atom| if let Atom::Octet(octet) = atom { Some(*octet) } else { None }).collect();
    let text = String::from_utf8(octets?).ok()?;
    let mut ends = text.split("..");
    let (first, last, step) = (ends.next()?, ends.next()?, ends.next());
    let step = step.map_or(Some(1), |step| step.parse::<i64>().ok())?.unsigned_abs().max(1);
    if ends.next().is_some() {
        return None;
    }
    let letter = |end: &str| end.bytes().next().filter(|octet| end.len() == 1 && octet.is_ascii_alphabetic());
    let letters = letter(first).zip(letter(last));
    let (from, to) = match letters {
        Some((first, last)) => (i64::from(first), i64::from(last)),
        None => (first.parse().ok()?, last.parse().ok()?),
    };
    // Leading zeros are for all.
    let padded = [first, last]
        .iter()
        .any(|end| end.trim_start_matches('-').len() > 1 && end.trim_start_matches('-').starts_with('0'));
    let width = if padded { first.len().max(last.len()) } else { 0 };
    let count = from.abs_diff(to) / step;
    let step = i64::try_from(step).ok()?;
    let values = (0..=count.min(u64::try_from(MAX_WORDS).ok()?)).map(|place| {
        let distance = i64::try_from(place).unwrap_or(0).wrapping_mul(step);
        let value = if from <= to { from.wrapping_add(distance) } else { from.wrapping_sub(distance) };
        match u8::try_from(value) {
            Ok(letter) if letters.is_some() => Vec::from([Atom::Octet(letter)]),
            _ if padded => format!("{value:0width$}").bytes().map(Atom::Octet).collect(),
            _ => value.to_string().bytes().map(Atom::Octet).collect(),
        }
    });
    Some(values.collect())
}

fn joined(atoms: Vec<Atom>) -> Word {
    let mut word = Word::new();
    for atom in atoms {
        match atom {
            Atom::Piece(piece) => word.push(piece),
            Atom::Octet(octet) => match word.last_mut() {
                Some(Piece::Text { text, quoted: false }) => text.push(octet),
                _ => word.push(Piece::Text { text: Vec::from([octet]), quoted: false }),
            },
        }
    }
    word
}
