//! Words and redirections (POSIX.1-2017 XCU §2.2, §2.6, §2.7).

use alloc::{string::String, vec::Vec};

use super::{Channel, Fault, Parser, Piece, Redirection, Word};
use crate::{limits::shell::MAX_DEPTH, shell::escapes::Escapes};

impl Parser<'_> {
    /// Takes a redirection, if one comes next.
    pub(super) fn redirection(&mut self, redirections: &mut Vec<Redirection>) -> Result<bool, Fault> {
        let (from, at) = match self.rest {
            [b'2', b'>', ..] => (Channel::Errors, 1),
            [b'0'..=b'9', b'>' | b'<', ..] => (Channel::Output, 1),
            [b'&', b'>', ..] => (Channel::Both, 1),
            [b'>' | b'<', ..] => (Channel::Output, 0),
            _ => return Ok(false),
        };
        let rest = self.rest.get(at..).unwrap_or_default();
        let closes = Redirection::Closed(from);
        let (kind, length): (fn(Word, Channel) -> Redirection, usize) = match rest {
            [b'>', b'&', b'1', ..] | [b'<', b'&', b'0'..=b'9', ..] => {
                self.skip(at + 3);
                if from == Channel::Errors {
                    redirections.push(Redirection::ErrorsToOutput);
                }
                return Ok(true);
            }
            [b'>', b'&', b'2', ..] => {
                self.skip(at + 3);
                redirections.push(Redirection::OutputToErrors);
                return Ok(true);
            }
            [b'>', b'&', b'-', ..] => {
                self.skip(at + 3);
                redirections.push(closes);
                return Ok(true);
            }
            [b'<', b'<', b'<', ..] => (|word, _| Redirection::Text(with_end(word)), 3),
            [b'<', b'<', ..] => {
                self.skip(at + 2);
                redirections.push(Redirection::Text(self.here_document()?));
                return Ok(true);
            }
            [b'>', b'&', ..] => (|target, _| Redirection::Output { target, append: false, from: Channel::Both }, 2),
            [b'>', b'>', ..] => (|target, from| Redirection::Output { target, append: true, from }, 2),
            [b'>', b'|', ..] => (|target, from| Redirection::Output { target, append: false, from }, 2),
            [b'>', ..] => (|target, from| Redirection::Output { target, append: false, from }, 1),
            [b'<', b'>', ..] => (|target, _| Redirection::Input(target), 2),
            _ => (|target, _| Redirection::Input(target), 1),
        };
        self.skip(at + length);
        self.skip_blanks();
        let target = self.word()?;
        if target.is_empty() {
            return Err(Fault::Unexpected(self.shown()));
        }
        redirections.push(kind(target, from));
        Ok(true)
    }

    /// The text that begins with the next line and ends before a line that is the next word (POSIX.1-2017 XCU §2.7.4).
    fn here_document(&mut self) -> Result<Word, Fault> {
        let indented = self.rest.first() == Some(&b'-');
        self.skip(usize::from(indented));
        self.skip_blanks();
        let word = self.word()?;
        if word.is_empty() {
            return Err(Fault::Unexpected(self.shown()));
        }
        let mut end = Vec::new();
        let mut is_quoted = false;
        for piece in &word {
            if let Piece::Text { text, quoted } = piece {
                end.extend_from_slice(text);
                is_quoted |= quoted;
            }
        }
        let mut rest = match self.behind {
            Some(behind) => behind,
            None => self.rest.iter().position(|o| *o == b'\n').and_then(|at| self.rest.get(at + 1..)).unwrap_or(&[]),
        };
        let mut text = Vec::new();
        loop {
            if rest.is_empty() {
                if self.whole {
                    break;
                }
                return Err(Fault::Ends(""));
            }
            let length = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
            let (mut line, behind) = rest.split_at(length);
            rest = behind;
            while let (true, [b'\t', inner @ ..]) = (indented, line) {
                line = inner;
            }
            if line.strip_suffix(b"\n").unwrap_or(line) == end {
                break;
            }
            text.extend_from_slice(line);
        }
        self.behind = Some(rest);
        if is_quoted { Ok(Vec::from([Piece::Text { text, quoted: true }])) } else { quoted_text(&text, self.depth + 1) }
    }

    /// The next word; none, if there is a sign or the end.
    pub(super) fn word(&mut self) -> Result<Word, Fault> {
        let mut word = Word::new();
        while let Some((&next, rest)) = self.rest.split_first() {
            match next {
                _ if is_delimiter(next) => break,
                b'\\' => match rest.split_first() {
                    Some((b'\n', rest)) => self.rest = rest,
                    Some((&escaped, rest)) => {
                        push(&mut word, escaped, true);
                        self.rest = rest;
                    }
                    None if self.whole => {
                        push(&mut word, b'\\', true);
                        self.rest = rest;
                    }
                    None => return Err(Fault::Ends("")),
                },
                b'\'' => {
                    let end = rest.iter().position(|&o| o == b'\'').ok_or(Fault::Open('\''))?;
                    word.push(Piece::Text { text: rest.get(..end).unwrap_or_default().into(), quoted: true });
                    self.rest = rest.get(end + 1..).unwrap_or_default();
                }
                b'"' => {
                    self.rest = rest;
                    self.double_quoted(&mut word)?;
                }
                b'$' if rest.first() == Some(&b'\'') => {
                    let inner = rest.get(1..).unwrap_or_default();
                    let end = end_of_escaped(inner).ok_or(Fault::Open('\''))?;
                    let (text, _) = Escapes::Quoted.read(inner.get(..end).unwrap_or_default());
                    word.push(Piece::Text { text, quoted: true });
                    self.rest = inner.get(end + 1..).unwrap_or_default();
                }
                b'$' | b'`' => {
                    self.rest = rest;
                    self.expansion(&mut word, next, false)?;
                }
                _ => {
                    push(&mut word, next, false);
                    self.rest = rest;
                }
            }
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Fault> {
        word.push(Piece::Text { text: Vec::new(), quoted: true });
        loop {
            if self.rest.is_empty() {
                return Err(Fault::Open('"'));
            }
            if self.rest.first() == Some(&b'"') {
                self.skip(1);
                return Ok(());
            }
            self.quoted(word, b'"')?;
        }
    }

    /// One octet or expansion where blanks and signs mean nothing.
    fn quoted(&mut self, word: &mut Word, quote: u8) -> Result<(), Fault> {
        let Some((&next, rest)) = self.rest.split_first() else { return Ok(()) };
        self.rest = rest;
        match next {
            b'\\' => match rest.split_first() {
                Some((b'\n', rest)) => self.rest = rest,
                Some((&escaped, rest)) if matches!(escaped, b'\\' | b'$' | b'`') || escaped == quote => {
                    push(word, escaped, true);
                    self.rest = rest;
                }
                _ => push(word, b'\\', true),
            },
            b'$' | b'`' => self.expansion(word, next, true)?,
            _ => push(word, next, true),
        }
        Ok(())
    }

    /// What follows a dollar sign or a back quote.
    fn expansion(&mut self, word: &mut Word, sign: u8, quoted: bool) -> Result<(), Fault> {
        if sign == b'`' {
            let end = self.rest.iter().position(|&o| o == b'`').ok_or(Fault::Open('`'))?;
            word.push(Piece::Command { line: self.rest.get(..end).unwrap_or_default().into(), quoted });
            self.skip(end + 1);
            return Ok(());
        }
        match self.rest.first() {
            Some(b'(') => {
                if let Some(inner) = self.arithmetic() {
                    word.push(Piece::Arithmetic { text: quoted_text(inner, self.depth + 1)?, quoted });
                    self.skip(inner.len() + 4);
                    return Ok(());
                }
                let end = closing(self.rest).ok_or(Fault::Open(')'))?;
                word.push(Piece::Command { line: self.rest.get(1..end).unwrap_or_default().into(), quoted });
                self.skip(end + 1);
            }
            Some(b'{') => {
                let end = self.rest.iter().position(|&o| o == b'}').ok_or(Fault::Open('}'))?;
                let name = self.rest.get(1..end).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                word.push(Piece::Variable { name, quoted });
                self.skip(end + 1);
            }
            Some(&first @ (b'?' | b'$' | b'#' | b'!' | b'@' | b'*' | b'-' | b'0'..=b'9')) => {
                word.push(Piece::Variable { name: String::from(char::from(first)), quoted });
                self.skip(1);
            }
            Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
                let end = self.rest.iter().position(|o| !o.is_ascii_alphanumeric() && *o != b'_');
                let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                word.push(Piece::Variable { name: String::from_utf8_lossy(name).into_owned(), quoted });
                self.rest = rest;
            }
            _ => push(word, b'$', quoted),
        }
        Ok(())
    }
}

/// A text in which only expansions mean something: of a here document, in arithmetic, behind a variable's name.
pub(in crate::shell) fn quoted_text(text: &[u8], depth: u8) -> Result<Word, Fault> {
    let mut word = Vec::from([Piece::Text { text: Vec::new(), quoted: true }]);
    if depth >= MAX_DEPTH {
        return Ok(word);
    }
    let mut parser = Parser { text, rest: text, behind: None, whole: true, commands: 0, depth };
    while !parser.rest.is_empty() {
        parser.quoted(&mut word, b'$')?;
    }
    Ok(word)
}

fn with_end(mut word: Word) -> Word {
    word.push(Piece::Text { text: b"\n".to_vec(), quoted: true });
    word
}

pub(super) fn is_delimiter(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

fn push(word: &mut Word, octet: u8, quoted: bool) {
    if let Some(Piece::Text { text, quoted: same }) = word.last_mut()
        && *same == quoted
    {
        text.push(octet);
        return;
    }
    word.push(Piece::Text { text: Vec::from([octet]), quoted });
}

/// Where a text ends whose quotes may be escaped.
fn end_of_escaped(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|octet| {
        let ends = *octet == b'\'' && !escaped;
        escaped = *octet == b'\\' && !escaped;
        ends
    })
}

/// Where the parenthesis that `octets` begin with is closed.
pub(super) fn closing(octets: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, &octet) in octets.iter().enumerate() {
        match (octet, quote) {
            (b'\'' | b'"', None) => quote = Some(octet),
            (_, Some(open)) if octet == open => quote = None,
            (_, Some(_)) => {}
            (b'(', None) => depth += 1,
            (b')', None) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
