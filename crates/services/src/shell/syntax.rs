//! A line of shell, taken apart: POSIX.1-2017 XCU §2 without functions, with what bash adds that intruders type.

mod compound;
mod words;

use alloc::{string::String, vec::Vec};

use crate::limits::shell::{MAX_COMMANDS, MAX_DEPTH};
pub(super) use words::quoted_text;
use words::{closing, is_delimiter};

/// A pipeline, and whether it is run.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) when: When,
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// `!` stands before it.
    pub(super) negated: bool,
    pub(super) pipeline: Vec<Command>,
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

/// A command and where its input and output go.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    pub(super) body: Body,
    pub(super) redirections: Vec<Redirection>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Simple(Vec<Word>),
    /// `{ …; }`
    Group(Vec<Step>),
    /// `( … )`
    Subshell(Vec<Step>),
    /// `(( … ))`
    Arithmetic(Word),
    For {
        name: String,
        words: Vec<Word>,
        body: Vec<Step>,
    },
    /// `for (( …; …; … ))`
    Count {
        parts: [Word; 3],
        body: Vec<Step>,
    },
    /// `while` and `until`
    Loop {
        until: bool,
        condition: Vec<Step>,
        body: Vec<Step>,
    },
    If {
        /// Conditions and what they lead to.
        arms: Vec<[Vec<Step>; 2]>,
        otherwise: Vec<Step>,
    },
    Case {
        word: Word,
        arms: Vec<(Vec<Word>, Vec<Step>)>,
    },
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
        /// With whatever stands between the braces.
        name: String,
        quoted: bool,
    },
    /// `$(…)` or between back quotes.
    Command {
        line: Vec<u8>,
        quoted: bool,
    },
    /// `$((…))`
    Arithmetic {
        text: Word,
        quoted: bool,
    },
}

#[derive(Debug, PartialEq)]
pub(super) enum Redirection {
    Input(Word),
    /// `<<` and `<<<`
    Text(Word),
    Output {
        target: Word,
        append: bool,
        from: Channel,
    },
    /// `2>&1`
    ErrorsToOutput,
    /// `>&2`
    OutputToErrors,
    /// `2>&-`
    Closed(Channel),
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
    Unexpected(String),
    /// A quote is not closed.
    Open(char),
    /// Something is begun and not ended; the word that some shells name as missing.
    Ends(&'static str),
}

/// Words that are commands only where no command stands.
const RESERVED: [&str; 16] =
    ["if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}", "!", "[["];

/// Takes a line apart. Of a text whose end is not awaited (`whole`), what is begun and not ended is taken as it is where
/// shells do that.
pub(super) fn parse(line: &[u8], whole: bool) -> Result<Vec<Step>, Fault> {
    Parser { text: line, rest: line, behind: None, whole, commands: 0, depth: 0 }.list(&[])
}

struct Parser<'l> {
    text: &'l [u8],
    /// What is still to be read of it.
    rest: &'l [u8],
    /// What follows the here documents of this line.
    behind: Option<&'l [u8]>,
    whole: bool,
    commands: usize,
    depth: u8,
}

impl<'l> Parser<'l> {
    /// Steps up to the end, or up to one of the words that end them, which is left.
    fn list(&mut self, ends: &[&'static str]) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        let mut when = When::Always;
        loop {
            self.skip_lines();
            if self.rest.is_empty() {
                return if when == When::Always { Ok(steps) } else { Err(Fault::Ends("")) };
            }
            let next = self.reserved().or_else(|| self.sign());
            if let Some(next) = next
                && ends.contains(&next)
                && when == When::Always
            {
                return Ok(steps);
            }
            let mut negated = false;
            while self.take_reserved("!") {
                negated = !negated;
            }
            let line = self.line();
            let pipeline = self.pipeline()?;
            self.skip_blanks();
            let sign = self.sign();
            let next = match sign {
                None if self.rest.first().is_none_or(|octet| matches!(octet, b'\n' | b'\r' | b'#')) => When::Always,
                None => return Err(Fault::Unexpected(self.shown())),
                Some("&&") => When::Success,
                Some("||") => When::Failure,
                Some(_) => When::Always,
            };
            steps.push(Step { when, line, negated, pipeline, background: sign == Some("&") });
            when = next;
            match sign {
                Some(sign @ ("&&" | "||" | ";" | "&")) => self.skip(sign.len()),
                Some(")" | ";;") | None => {}
                Some(other) => return Err(Fault::Unexpected(other.into())),
            }
            if self.commands > MAX_COMMANDS {
                self.rest = &[];
                return Ok(steps);
            }
        }
    }

    fn pipeline(&mut self) -> Result<Vec<Command>, Fault> {
        let mut pipeline = Vec::new();
        loop {
            let mut command = self.command()?;
            self.commands += 1;
            self.skip_blanks();
            let joined = self.rest.starts_with(b"|&");
            if joined {
                command.redirections.push(Redirection::ErrorsToOutput);
            }
            pipeline.push(command);
            if !joined && self.sign() != Some("|") || self.commands > MAX_COMMANDS {
                return Ok(pipeline);
            }
            self.skip(if joined { 2 } else { 1 });
            self.skip_lines();
            if self.rest.is_empty() {
                return Err(Fault::Ends(""));
            }
        }
    }

    fn command(&mut self) -> Result<Command, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Ends(""));
        }
        self.depth += 1;
        let command = self.command_within();
        self.depth -= 1;
        command
    }

    fn command_within(&mut self) -> Result<Command, Fault> {
        self.skip_blanks();
        let body = if let Some(inner) = self.arithmetic() {
            self.skip(inner.len() + 4);
            Body::Arithmetic(quoted_text(inner, self.depth)?)
        } else if self.rest.first() == Some(&b'(') {
            self.skip(1);
            let steps = self.filled(&[")"])?;
            self.expect(")")?;
            Body::Subshell(steps)
        } else {
            match self.reserved() {
                None => return self.simple(),
                Some("[[") => return self.condition(),
                Some(word) => {
                    self.skip(word.len());
                    self.compound(word)?
                }
            }
        };
        let mut command = Command { body, redirections: Vec::new() };
        loop {
            self.skip_blanks();
            if !self.redirection(&mut command.redirections)? {
                return Ok(command);
            }
        }
    }

    fn simple(&mut self) -> Result<Command, Fault> {
        let (mut words, mut redirections) = (Vec::new(), Vec::new());
        loop {
            self.skip_blanks();
            if self.redirection(&mut redirections)? {
                continue;
            }
            if self.rest.first() == Some(&b'(') {
                return Err(Fault::Unexpected("(".into()));
            }
            let word = if self.rest.first() == Some(&b'#') { Word::new() } else { self.word()? };
            if word.is_empty() {
                break;
            }
            words.push(word);
        }
        if words.is_empty() && redirections.is_empty() {
            return Err(if self.rest.is_empty() { Fault::Ends("") } else { Fault::Unexpected(self.shown()) });
        }
        Ok(Command { body: Body::Simple(words), redirections })
    }

    /// The line that is read, from 1.
    fn line(&self) -> usize {
        let read = self.text.get(..self.text.len().saturating_sub(self.rest.len())).unwrap_or_default();
        1 + read.iter().filter(|octet| **octet == b'\n').count()
    }

    /// What stands where it may not, as shells name it.
    fn shown(&self) -> String {
        match self.sign() {
            Some(sign) => sign.into(),
            None => match self.rest.first() {
                None | Some(b'\n' | b'\r' | b'#') => "newline".into(),
                Some(b'<') => "<".into(),
                Some(b'>') => ">".into(),
                Some(b'(') => "(".into(),
                Some(_) => String::from_utf8_lossy(self.plain()).into_owned(),
            },
        }
    }

    /// The sign that comes next between commands.
    fn sign(&self) -> Option<&'static str> {
        Some(match self.rest {
            [b'&', b'>', ..] => return None,
            [b'&', b'&', ..] => "&&",
            [b'&', ..] => "&",
            [b'|', b'|', ..] => "||",
            [b'|', ..] => "|",
            [b';', b';', ..] => ";;",
            [b';', ..] => ";",
            [b')', ..] => ")",
            _ => return None,
        })
    }

    /// The octets up to the next blank or sign.
    fn plain(&self) -> &'l [u8] {
        let end = self.rest.iter().position(|octet| is_delimiter(*octet)).unwrap_or(self.rest.len());
        self.rest.get(..end).unwrap_or(self.rest)
    }

    fn reserved(&self) -> Option<&'static str> {
        let next = self.plain();
        RESERVED.into_iter().find(|word| word.as_bytes() == next)
    }

    fn take_reserved(&mut self, word: &'static str) -> bool {
        self.skip_lines();
        let is_next = self.reserved() == Some(word);
        if is_next {
            self.skip(word.len());
        }
        is_next
    }

    fn expect(&mut self, word: &'static str) -> Result<(), Fault> {
        self.skip_lines();
        if self.plain() == word.as_bytes() || self.sign() == Some(word) {
            self.skip(word.len());
            return Ok(());
        }
        Err(if self.rest.is_empty() { Fault::Ends(word) } else { Fault::Unexpected(self.shown()) })
    }

    /// What stands between `((` and `))`, if that comes next.
    fn arithmetic(&self) -> Option<&'l [u8]> {
        if !self.rest.starts_with(b"((") {
            return None;
        }
        let end = closing(self.rest)?;
        self.rest.get(2..end)?.strip_suffix(b")")
    }

    fn skip(&mut self, octets: usize) {
        self.rest = self.rest.get(octets..).unwrap_or_default();
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.rest {
                [b' ' | b'\t', rest @ ..] | [b'\\', b'\n', rest @ ..] => self.rest = rest,
                _ => return,
            }
        }
    }

    /// Blanks, ends of lines and remarks.
    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            match self.rest.first() {
                Some(b'\r') => self.skip(1),
                Some(b'\n') => {
                    self.skip(1);
                    if let Some(behind) = self.behind.take() {
                        self.rest = behind;
                    }
                }
                Some(b'#') => {
                    let end = self.rest.iter().position(|octet| *octet == b'\n').unwrap_or(self.rest.len());
                    self.skip(end);
                }
                _ => return,
            }
        }
    }

    fn skip_separator(&mut self) {
        self.skip_blanks();
        if self.sign() == Some(";") {
            self.skip(1);
        }
        self.skip_lines();
    }
}

#[cfg(test)]
mod tests;
