//! Reading heads: three ways, one result.

use super::{
    heads::Heads,
    lines::Lines,
    octets::Octets,
    request::{Fault, Request},
    spec::{HttpRules, Reading},
};

/// How far a head has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// More octets are needed.
    More,
    /// So many octets mean nothing; the request begins behind them.
    Skipped(usize),
    /// A request, and where its head ends.
    Whole(Request, usize),
    /// It is refused.
    Refused(Fault),
}

/// A head that is being read.
#[derive(Debug)]
pub(super) enum Reader {
    Octets(Octets),
    Lines(Lines),
    Heads(Heads),
}

impl Reader {
    pub(super) fn new(rules: &HttpRules) -> Self {
        match rules.reading {
            Reading::Octets => Self::Octets(Octets::new()),
            Reading::Lines => Self::Lines(Lines::new()),
            Reading::Heads => Self::Heads(Heads::new()),
        }
    }

    /// Reads on in `head`, which begins where the request begins.
    pub(super) fn read(&mut self, head: &[u8], rules: &HttpRules) -> Progress {
        match self {
            Self::Octets(reader) => reader.read(head, rules),
            Self::Lines(reader) => reader.read(head, rules),
            Self::Heads(reader) => reader.read(head, rules),
        }
    }

    /// Octets of a refused head that were right, as far as the reader counts them.
    pub(super) fn passed(&self) -> usize {
        match self {
            Self::Octets(reader) => reader.passed(),
            Self::Lines(_) | Self::Heads(_) => 0,
        }
    }

    /// The client has ended in the middle of a head; what that is answered with, if with anything.
    pub(super) fn end(&mut self, head: &[u8]) -> Option<Fault> {
        match self {
            Self::Octets(_) | Self::Heads(_) => None,
            Self::Lines(reader) => reader.end(head),
        }
    }
}

impl HttpRules {
    pub(super) fn unknown_method_status(&self) -> u16 {
        if self.unknown_method_status == 0 { 405 } else { self.unknown_method_status }
    }

    pub(super) fn wrong_method_status(&self) -> u16 {
        if self.wrong_method_status == 0 { 405 } else { self.wrong_method_status }
    }

    pub(super) fn line_too_long(&self) -> u16 {
        if self.line_too_long == 0 { 414 } else { self.line_too_long }
    }

    pub(super) fn fields_too_long(&self) -> u16 {
        if self.fields_too_long == 0 { 400 } else { self.fields_too_long }
    }
}
