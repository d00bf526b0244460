//! A line of shell, taken apart: POSIX.1-2017 XCU §2 without its compound commands and functions.

use alloc::{string::String, vec::Vec};

use crate::limits::shell::MAX_COMMANDS;

/// A pipeline, and whether it is run.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) when: When,
    pub(super) pipeline: Vec<Simple>,
    /// `&` follows it.
    pub(super) background: bool,
}

/// When a pipeline is run, by the status of what was run before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum When {
    Always,
    Success,
    Failure,
}

/// A simple command.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Simple {
    pub(super) words: Vec<Word>,
    pub(super) redirections: Vec<Redirection>,
}

/// A word before its expansion.
pub(super) type Word = Vec<Piece>;

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text {
        text: Vec<u8>,
        quoted: bool,
    },
    Variable {
        name: String,
        quoted: bool,
    },
    /// `$(…)` or between back quotes.
    Command {
        line: Vec<u8>,
        quoted: bool,
    },
}

#[derive(Debug, PartialEq)]
pub(super) enum Redirection {
    Input(Word),
    Output {
        target: Word,
        append: bool,
        from: Channel,
    },
    /// `2>&1`
    ErrorsToOutput,
    /// `>&2`
    OutputToErrors,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Channel {
    Output,
    Errors,
    Both,
}

/// Why a line is not run.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// Something stands where it may not; the word, as the shell names it.
    Unexpected(&'static str),
    /// A quote is not closed.
    Open(char),
}

/// Takes a line apart.
pub(super) fn parse(line: &[u8]) -> Result<Vec<Step>, Fault> {
    let mut parser = Parser { rest: line, steps: Vec::new(), pipeline: Vec::new(), command: Simple::default() };
    parser.line()?;
    Ok(parser.steps)
}

struct Parser<'l> {
    rest: &'l [u8],
    steps: Vec<Step>,
    pipeline: Vec<Simple>,
    command: Simple,
}

impl Parser<'_> {
    fn line(&mut self) -> Result<(), Fault> {
        let mut when = When::Always;
        loop {
            self.skip_blanks();
            let Some(&next) = self.rest.first() else { break };
            match (next, self.rest.get(1)) {
                (b'#', _) => break,
                (b'\n' | b'\r', _) => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    if !self.is_empty() {
                        self.end_step(when, false)?;
                    }
                    when = When::Always;
                }
                (b'&', Some(b'>')) => self.redirection(Channel::Both)?,
                (b'&', Some(b'&')) => when = self.operator("&&", when, When::Success)?,
                (b'|', Some(b'|')) => when = self.operator("||", when, When::Failure)?,
                (b';', Some(b';')) => return Err(Fault::Unexpected(";;")),
                (b';', _) => when = self.operator(";", when, When::Always)?,
                (b'&', _) => when = self.operator("&", when, When::Always)?,
                (b'|', _) => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    self.end_command("|")?;
                }
                (b'(', _) => return Err(Fault::Unexpected("(")),
                (b')', _) => return Err(Fault::Unexpected(")")),
                (b'2', Some(b'>')) => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    self.redirection(Channel::Errors)?;
                }
                (b'1', Some(b'>')) => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    self.redirection(Channel::Output)?;
                }
                (b'>' | b'<', _) => self.redirection(Channel::Output)?,
                _ => {
                    let word = self.word()?;
                    self.command.words.push(word);
                }
            }
            if self.steps.len() + self.pipeline.len() > MAX_COMMANDS {
                break;
            }
        }
        if !self.is_empty() {
            self.end_step(when, false)?;
        } else if when != When::Always {
            return Err(Fault::Unexpected("newline"));
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.pipeline.is_empty() && self.command == Simple::default()
    }

    fn operator(&mut self, sign: &'static str, when: When, next: When) -> Result<When, Fault> {
        self.rest = self.rest.get(sign.len()..).unwrap_or_default();
        if self.is_empty() {
            return Err(Fault::Unexpected(sign));
        }
        self.end_step(when, sign == "&")?;
        Ok(next)
    }

    fn end_command(&mut self, sign: &'static str) -> Result<(), Fault> {
        if self.command == Simple::default() {
            return Err(Fault::Unexpected(sign));
        }
        self.pipeline.push(core::mem::take(&mut self.command));
        Ok(())
    }

    fn end_step(&mut self, when: When, background: bool) -> Result<(), Fault> {
        self.end_command("newline")?;
        self.steps.push(Step { when, pipeline: core::mem::take(&mut self.pipeline), background });
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while let Some((b' ' | b'\t', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    fn redirection(&mut self, from: Channel) -> Result<(), Fault> {
        let (redirect, length): (fn(Word, Channel) -> Redirection, usize) = match self.rest {
            [b'>', b'&', b'1', ..] => {
                self.rest = self.rest.get(3..).unwrap_or_default();
                if from == Channel::Errors {
                    self.command.redirections.push(Redirection::ErrorsToOutput);
                }
                return Ok(());
            }
            [b'>', b'&', b'2', ..] => {
                self.rest = self.rest.get(3..).unwrap_or_default();
                self.command.redirections.push(Redirection::OutputToErrors);
                return Ok(());
            }
            [b'&', b'>', b'>', ..] => (|target, from| Redirection::Output { target, append: true, from }, 3),
            [b'&', b'>', ..] => (|target, from| Redirection::Output { target, append: false, from }, 2),
            [b'>', b'>', ..] => (|target, from| Redirection::Output { target, append: true, from }, 2),
            [b'>', b'|', ..] => (|target, from| Redirection::Output { target, append: false, from }, 2),
            [b'>', ..] => (|target, from| Redirection::Output { target, append: false, from }, 1),
            [b'<', b'<', ..] => (|target, _| Redirection::Input(target), 2),
            _ => (|target, _| Redirection::Input(target), 1),
        };
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.skip_blanks();
        match self.rest.first() {
            None | Some(b'\n') => Err(Fault::Unexpected("newline")),
            Some(b';') => Err(Fault::Unexpected(";")),
            Some(b'&') => Err(Fault::Unexpected("&")),
            Some(b'|') => Err(Fault::Unexpected("|")),
            Some(b'<' | b'>') => Err(Fault::Unexpected(">")),
            Some(b'(') => Err(Fault::Unexpected("(")),
            Some(b')') => Err(Fault::Unexpected(")")),
            Some(_) => {
                let target = self.word()?;
                self.command.redirections.push(redirect(target, from));
                Ok(())
            }
        }
    }

    /// A word; at least one octet is taken.
    fn word(&mut self) -> Result<Word, Fault> {
        let mut word = Word::new();
        while let Some((&next, rest)) = self.rest.split_first() {
            match next {
                b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                b'\\' => {
                    let (escaped, rest) = rest.split_first().map_or((b'\\', rest), |(&e, rest)| (e, rest));
                    push(&mut word, escaped, true);
                    self.rest = rest;
                }
                b'\'' => {
                    let end = rest.iter().position(|&o| o == b'\'').ok_or(Fault::Open('\''))?;
                    word.push(Piece::Text { text: rest.get(..end).unwrap_or_default().into(), quoted: true });
                    self.rest = rest.get(end + 1..).unwrap_or_default();
                }
                b'"' => {
                    self.rest = rest;
                    self.double_quoted(&mut word)?;
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
        while let Some((&next, rest)) = self.rest.split_first() {
            self.rest = rest;
            match next {
                b'"' => return Ok(()),
                b'\\' => match rest.split_first() {
                    Some((&escaped @ (b'"' | b'\\' | b'$' | b'`'), rest)) => {
                        push(word, escaped, true);
                        self.rest = rest;
                    }
                    _ => push(word, b'\\', true),
                },
                b'$' | b'`' => self.expansion(word, next, true)?,
                _ => push(word, next, true),
            }
        }
        Err(Fault::Open('"'))
    }

    /// What follows a dollar sign or a back quote.
    fn expansion(&mut self, word: &mut Word, sign: u8, quoted: bool) -> Result<(), Fault> {
        if sign == b'`' {
            let end = self.rest.iter().position(|&o| o == b'`').ok_or(Fault::Open('`'))?;
            word.push(Piece::Command { line: self.rest.get(..end).unwrap_or_default().into(), quoted });
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            return Ok(());
        }
        match self.rest.first() {
            Some(b'(') => {
                let end = closing(self.rest).ok_or(Fault::Open(')'))?;
                word.push(Piece::Command { line: self.rest.get(1..end).unwrap_or_default().into(), quoted });
                self.rest = self.rest.get(end + 1..).unwrap_or_default();
            }
            Some(b'{') => {
                let end = self.rest.iter().position(|&o| o == b'}').ok_or(Fault::Open('}'))?;
                let name = self.rest.get(1..end).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                word.push(Piece::Variable { name, quoted });
                self.rest = self.rest.get(end + 1..).unwrap_or_default();
            }
            Some(&first @ (b'?' | b'$' | b'#' | b'!' | b'@' | b'*' | b'-' | b'0'..=b'9')) => {
                word.push(Piece::Variable { name: String::from(char::from(first)), quoted });
                self.rest = self.rest.get(1..).unwrap_or_default();
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

fn push(word: &mut Word, octet: u8, quoted: bool) {
    if let Some(Piece::Text { text, quoted: same }) = word.last_mut()
        && *same == quoted
    {
        text.push(octet);
        return;
    }
    word.push(Piece::Text { text: Vec::from([octet]), quoted });
}

/// Where the parenthesis that `octets` begin with is closed.
fn closing(octets: &[u8]) -> Option<usize> {
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

#[cfg(test)]
mod tests;
