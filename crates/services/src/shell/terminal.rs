//! The line discipline of a terminal: what is typed is echoed, edited and passed on in lines (the canonical mode of
//! POSIX.1-2017 XBD §11.1.6, with the characters that Linux starts with). With or without a terminal, how long a line
//! is and how many a session reads is limited here.

use alloc::vec::Vec;

use super::{Flow, Interpreter, Written};

use crate::limits::shell::{MAX_LINE, MAX_LINES};

/// As much of a line as is read.
pub(crate) fn cut(line: &[u8]) -> &[u8] {
    line.get(..MAX_LINE).unwrap_or(line)
}

/// The lines that a session has read.
#[derive(Debug, Default)]
pub(crate) struct Lines(u32);

impl Lines {
    /// Passes a line on to the program that reads them.
    pub(crate) fn pass(&mut self, to: &mut dyn Interpreter, utc: u64, line: &[u8], said: &mut Written) -> Flow {
        if self.0 == MAX_LINES {
            return Flow::Exit(0);
        }
        self.0 += 1;
        to.handle_line(utc, cut(line), said)
    }
}

/// What has been typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// A line, without its end.
    Line(Vec<u8>),
    /// Control-C: the line is given up.
    Interrupt,
    /// Control-D on an empty line.
    End,
}

#[derive(Debug, Default)]
pub(crate) struct Terminal {
    line: Vec<u8>,
    /// The last octet was a carriage return, after which a line feed is not another line.
    after_return: bool,
    /// An escape sequence of an arrow key or the like, which a shell without history ignores.
    escape: Escape,
}

#[derive(Debug, Default, PartialEq)]
enum Escape {
    #[default]
    None,
    Started,
    Parameters,
}

impl Terminal {
    /// One octet typed; what the terminal shows of it is appended to `echo` unless `hidden`.
    pub(crate) fn handle_octet(&mut self, octet: u8, hidden: bool, echo: &mut Vec<u8>) -> Option<Typed> {
        let after_return = core::mem::take(&mut self.after_return);
        match (core::mem::take(&mut self.escape), octet) {
            (Escape::Started, b'[' | b'O') => {
                self.escape = Escape::Parameters;
                return None;
            }
            (Escape::Started, _) => return None,
            (Escape::Parameters, b'0'..=b'9' | b';') => {
                self.escape = Escape::Parameters;
                return None;
            }
            (Escape::Parameters, _) => return None,
            (Escape::None, _) => {}
        }
        match octet {
            b'\n' if after_return => {}
            b'\r' | b'\n' => {
                self.after_return = octet == b'\r';
                echo.extend_from_slice(b"\r\n");
                return Some(Typed::Line(core::mem::take(&mut self.line)));
            }
            3 => {
                self.line.clear();
                echo.extend_from_slice(b"^C\r\n");
                return Some(Typed::Interrupt);
            }
            4 if self.line.is_empty() => return Some(Typed::End),
            4 => {}
            8 | 127 => {
                if self.erase() && !hidden {
                    echo.extend_from_slice(b"\x08 \x08");
                }
            }
            21 => {
                while self.erase() {
                    if !hidden {
                        echo.extend_from_slice(b"\x08 \x08");
                    }
                }
            }
            27 => self.escape = Escape::Started,
            0..32 => {}
            _ if self.line.len() >= MAX_LINE => echo.push(7),
            _ => {
                self.line.push(octet);
                if !hidden {
                    echo.push(octet);
                }
            }
        }
        None
    }

    /// What has been typed of a line so far.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Takes the last character back, be it of several octets (UTF-8).
    fn erase(&mut self) -> bool {
        while let Some(octet) = self.line.pop() {
            if octet & 0xc0 != 0x80 {
                return true;
            }
        }
        false
    }
}

/// What a program writes, as a terminal gets it: a line ends with a return, too.
pub(crate) fn cooked(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    for &octet in octets {
        if octet == b'\n' {
            out.push(b'\r');
        }
        out.push(octet);
    }
    out
}

#[cfg(test)]
mod tests;
