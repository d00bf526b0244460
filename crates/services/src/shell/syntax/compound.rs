//! Compound commands (POSIX.1-2017 XCU §2.9.4), and `[[`.

use alloc::{string::String, vec::Vec};

use super::{Body, Command, Fault, Parser, Piece, Step, Word, quoted_text};

impl Parser<'_> {
    /// What a reserved word begins.
    pub(super) fn compound(&mut self, word: &'static str) -> Result<Body, Fault> {
        Ok(match word {
            "{" => {
                let steps = self.filled(&["}"])?;
                self.expect("}")?;
                Body::Group(steps)
            }
            "while" | "until" => {
                let condition = self.filled(&["do"])?;
                Body::Loop { until: word == "until", condition, body: self.loop_body()? }
            }
            "if" => {
                let mut arms = Vec::new();
                let mut otherwise = Vec::new();
                loop {
                    let condition = self.filled(&["then"])?;
                    self.expect("then")?;
                    arms.push([condition, self.filled(&["elif", "else", "fi"])?]);
                    if self.take_reserved("elif") {
                        continue;
                    }
                    if self.take_reserved("else") {
                        otherwise = self.filled(&["fi"])?;
                    }
                    self.expect("fi")?;
                    break Body::If { arms, otherwise };
                }
            }
            "for" => self.for_loop()?,
            "case" => self.case()?,
            other => return Err(Fault::Unexpected(other.into())),
        })
    }

    /// A list in which something must stand.
    pub(super) fn filled(&mut self, ends: &[&'static str]) -> Result<Vec<Step>, Fault> {
        let steps = self.list(ends)?;
        if !steps.is_empty() {
            return Ok(steps);
        }
        match self.reserved().or_else(|| self.sign()) {
            Some(next) => Err(Fault::Unexpected(next.into())),
            None => Err(Fault::Ends(ends.first().copied().unwrap_or(""))),
        }
    }

    fn loop_body(&mut self) -> Result<Vec<Step>, Fault> {
        self.expect("do")?;
        let body = self.filled(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn for_loop(&mut self) -> Result<Body, Fault> {
        self.skip_blanks();
        if let Some(inner) = self.arithmetic() {
            self.skip(inner.len() + 4);
            let mut parts = inner.splitn(3, |octet| *octet == b';');
            let depth = self.depth;
            let mut part = || parts.next().map_or(Ok(Word::new()), |part| quoted_text(part, depth));
            let parts = [part()?, part()?, part()?];
            self.skip_separator();
            return Ok(Body::Count { parts, body: self.loop_body()? });
        }
        let name = self.word()?;
        let name = match name.as_slice() {
            [Piece::Text { text, quoted: false }] => String::from_utf8_lossy(text).into_owned(),
            [] if self.rest.is_empty() => return Err(Fault::Ends("")),
            [] => return Err(Fault::Unexpected(self.shown())),
            _ => return Err(Fault::Unexpected("for".into())),
        };
        self.skip_lines();
        let mut words = Vec::new();
        if self.plain() == b"in" {
            self.skip(2);
            loop {
                self.skip_blanks();
                let word = self.word()?;
                if word.is_empty() {
                    break;
                }
                words.push(word);
            }
        } else {
            // Without a list it is that of the arguments.
            words.push(Vec::from([Piece::Variable { name: "@".into(), quoted: false }]));
        }
        self.skip_separator();
        Ok(Body::For { name, words, body: self.loop_body()? })
    }

    fn case(&mut self) -> Result<Body, Fault> {
        self.skip_blanks();
        let word = self.word()?;
        self.skip_lines();
        if self.plain() != b"in" {
            return Err(if self.rest.is_empty() { Fault::Ends("in") } else { Fault::Unexpected(self.shown()) });
        }
        self.skip(2);
        let mut arms = Vec::new();
        loop {
            self.skip_lines();
            if self.take_reserved("esac") {
                return Ok(Body::Case { word, arms });
            }
            if self.rest.first() == Some(&b'(') {
                self.skip(1);
            }
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                let pattern = self.word()?;
                if pattern.is_empty() {
                    return Err(if self.rest.is_empty() {
                        Fault::Ends("esac")
                    } else {
                        Fault::Unexpected(self.shown())
                    });
                }
                patterns.push(pattern);
                self.skip_blanks();
                if self.sign() != Some("|") {
                    break;
                }
                self.skip(1);
            }
            self.expect(")")?;
            arms.push((patterns, self.list(&[";;", "esac"])?));
            if self.sign() == Some(";;") {
                self.skip(2);
            } else if self.reserved() != Some("esac") {
                return Err(Fault::Ends("esac"));
            }
        }
    }

    /// `[[ … ]]`, as the command that it nearly is.
    pub(super) fn condition(&mut self) -> Result<Command, Fault> {
        let mut words = Vec::new();
        loop {
            self.skip_lines();
            let sign = match self.rest {
                [] => return Err(Fault::Ends("]]")),
                [b'&', b'&', ..] => Some(("-a", 2)),
                [b'|', b'|', ..] => Some(("-o", 2)),
                [sign @ (b'<' | b'>' | b'(' | b')'), ..] => match sign {
                    b'<' => Some(("<", 1)),
                    b'>' => Some((">", 1)),
                    b'(' => Some(("(", 1)),
                    _ => Some((")", 1)),
                },
                [b';' | b'&' | b'|', ..] => return Err(Fault::Unexpected(self.shown())),
                _ => None,
            };
            let word = match sign {
                Some((text, length)) => {
                    self.skip(length);
                    Vec::from([Piece::Text { text: text.into(), quoted: true }])
                }
                None => self.word()?,
            };
            let last = matches!(word.as_slice(), [Piece::Text { text, quoted: false }] if text == b"]]");
            words.push(word);
            if last {
                return Ok(Command { body: Body::Simple(words), redirections: Vec::new() });
            }
        }
    }
}
