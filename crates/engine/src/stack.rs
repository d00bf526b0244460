//! A personality compiled for use on the packet path: flags parsed, layouts laid out for each of the sixteen sets that a
//! client can offer, exceptions decoded.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use chaff_wire::tcp::Flags;

use crate::{
    isn::Generator,
    personality::{self, Answer, Layout, Offered, Personality, Reply, SynAnswer},
};

/// What is wrong with a personality that its types cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Path of the key: `closed.syn`.
    pub key: String,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) rules: Personality,
    pub(crate) layouts: [Layout; 16],
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) open: Odd,
    pub(crate) closed: Odd,
    /// Options of SYNs that closed ports leave unanswered.
    pub(crate) unanswered: Vec<Vec<u8>>,
    pub(crate) isn: Generator,
}

/// A [`SynException`](personality::SynException) with its octets.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) offered: Vec<u8>,
    pub(crate) offered_window: Option<u16>,
    pub(crate) options: Option<Layout>,
    pub(crate) window: Option<u16>,
    pub(crate) mss: Option<u16>,
    pub(crate) ttl: Option<u8>,
    pub(crate) df: Option<bool>,
    pub(crate) reserved: bool,
    pub(crate) urgent: bool,
    pub(crate) answer: Taken,
    pub(crate) every_second: bool,
}

/// What becomes of a SYN to which an exception applies.
#[derive(Debug)]
pub(crate) enum Taken {
    Accept,
    Silent,
    Reply(Box<Told>),
}

/// A [`Reply`] with flags and data as octets.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) flags: Flags,
    pub(crate) data: Vec<u8>,
    pub(crate) reply: Reply,
}

/// Answers to segments outside of a connection, by shape.
#[derive(Debug)]
pub(crate) struct Odd([Response; Shape::COUNT]);

/// The shapes that stacks tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Syn,
    Null,
    Fin,
    Xmas,
    SynFin,
    Ack,
    SynAck,
    FinAck,
}

#[derive(Debug)]
pub(crate) enum Response {
    Silent,
    Accept,
    Reply(Box<Told>),
}

impl Shape {
    const COUNT: usize = 8;

    /// The shape of a segment without RST.
    pub(crate) fn of(flags: Flags) -> Self {
        let (syn, ack, fin) = (flags.has(Flags::SYN), flags.has(Flags::ACK), flags.has(Flags::FIN));
        match (syn, ack, fin) {
            // An acknowledgment is looked at first (RFC 9293 §3.10.7.2).
            (true, true, _) => Self::SynAck,
            (true, false, true) => Self::SynFin,
            (true, false, false) => Self::Syn,
            (false, true, true) => Self::FinAck,
            (false, true, false) => Self::Ack,
            (false, false, true) if flags.any(Flags::PSH.with(Flags::URG)) => Self::Xmas,
            (false, false, true) => Self::Fin,
            (false, false, false) => Self::Null,
        }
    }
}

impl Odd {
    pub(crate) fn at(&self, shape: Shape) -> &Response {
        self.0.get(shape as usize).unwrap_or(&Response::Silent)
    }
}

impl Stack {
    /// Compiles what `check` has passed; what it would refuse is left out, which is silence.
    pub(crate) fn new(rules: Personality) -> Self {
        let open = &rules.open;
        let closed = &rules.closed;
        let response = |answer: &Answer| match answer {
            Answer::Silent => Response::Silent,
            Answer::Accept => Response::Accept,
            Answer::Reply(reply) => told(reply).map_or(Response::Silent, Response::Reply),
        };
        let open = Odd([
            Response::Accept,
            response(&open.null),
            response(&open.fin),
            response(&open.xmas),
            response(&open.syn_fin),
            response(&open.ack),
            response(&open.syn_ack),
            response(&open.fin_ack),
        ]);
        let closed_odd = Odd([
            response(&closed.syn),
            response(&closed.null),
            response(&closed.fin),
            response(&closed.xmas),
            response(&closed.syn_fin),
            response(&closed.ack),
            response(&closed.syn_ack),
            response(&closed.fin_ack),
        ]);
        let exceptions = rules.tcp.exceptions.iter().filter_map(exception).collect();
        let layouts = layouts(&rules.tcp);
        let unanswered = rules.closed.unanswered.iter().filter_map(|syn| octets(&syn.offered)).collect();
        let isn = Generator::new(rules.isn.class);
        Self { rules, layouts, exceptions, open, closed: closed_odd, unanswered, isn }
    }

    pub(crate) fn layout(&self, offered: Offered) -> &Layout {
        const EMPTY: &Layout = &Layout(Vec::new());
        self.layouts.get(offered.index()).unwrap_or(EMPTY)
    }
}

fn layouts(tcp: &personality::Tcp) -> [Layout; 16] {
    let listed = |offered: Offered| tcp.layouts.iter().find(|rule| rule.offered == offered).map(|rule| &rule.options);
    let full = listed(Offered::ALL).cloned().unwrap_or_default();
    core::array::from_fn(|index| {
        let offered = Offered::from_index(index);
        listed(offered).cloned().unwrap_or_else(|| full.restricted_to(offered))
    })
}

fn exception(rule: &personality::SynException) -> Option<Exception> {
    Some(Exception {
        offered: octets(&rule.offered)?,
        offered_window: rule.offered_window,
        options: rule.options.clone(),
        window: rule.window,
        mss: rule.mss,
        ttl: rule.ttl,
        df: rule.df,
        reserved: rule.reserved,
        urgent: rule.urgent,
        answer: match &rule.answer {
            SynAnswer::Accept => Taken::Accept,
            SynAnswer::Silent => Taken::Silent,
            SynAnswer::Reply(reply) => Taken::Reply(told(reply)?),
        },
        every_second: rule.every_second,
    })
}

fn told(reply: &Reply) -> Option<Box<Told>> {
    let mut data = reply.text.as_bytes().to_vec();
    data.extend(octets(&reply.data)?);
    Some(Box::new(Told { flags: Flags::from_letters(&reply.flags)?, data, reply: reply.clone() }))
}

/// Hexadecimal digits, blanks allowed between pairs.
fn octets(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let pairs = pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok());
    if rest.is_empty() { pairs.collect() } else { None }
}

impl Personality {
    /// Finds what the types cannot forbid: flags that are no letters, options that are no hexadecimal digits, a missing
    /// layout for the full set, options that do not fit into a header.
    ///
    /// # Errors
    /// The first flaw.
    pub fn check(&self) -> Result<(), Flaw> {
        let flaw = |key: &str, what: &str| Err(Flaw { key: key.into(), what: what.into() });
        let open = &self.open;
        let closed = &self.closed;
        let answers = [
            ("open.null", &open.null),
            ("open.fin", &open.fin),
            ("open.xmas", &open.xmas),
            ("open.syn-fin", &open.syn_fin),
            ("open.ack", &open.ack),
            ("open.syn-ack", &open.syn_ack),
            ("open.fin-ack", &open.fin_ack),
            ("closed.syn", &closed.syn),
            ("closed.null", &closed.null),
            ("closed.fin", &closed.fin),
            ("closed.xmas", &closed.xmas),
            ("closed.syn-fin", &closed.syn_fin),
            ("closed.ack", &closed.ack),
            ("closed.syn-ack", &closed.syn_ack),
            ("closed.fin-ack", &closed.fin_ack),
        ];
        for (key, answer) in answers {
            match answer {
                Answer::Reply(reply) if Flags::from_letters(&reply.flags).is_none() => {
                    return flaw(key, "`flags` may hold the letters F S R P A U E C only");
                }
                Answer::Reply(reply) if octets(&reply.data).is_none() => {
                    return flaw(key, "`data` must be pairs of hexadecimal digits");
                }
                Answer::Accept if key.starts_with("closed") => {
                    return flaw(key, "a closed port cannot accept");
                }
                _ => {}
            }
        }
        if !self.tcp.layouts.iter().any(|rule| rule.offered == Offered::ALL) {
            return flaw("tcp.layouts", "there is none for the full set `mss,sok,ts,ws`");
        }
        for rule in &self.tcp.layouts {
            if rule.options.length() > chaff_wire::tcp::MAX_OPTIONS {
                return flaw("tcp.layouts", "the options take more than 40 octets");
            }
        }
        if self.tcp.exceptions.iter().any(|rule| exception(rule).is_none()) {
            let what = "`offered` and `data` must be pairs of hexadecimal digits, `flags` letters of F S R P A U E C";
            return flaw("tcp.exceptions", what);
        }
        if self.closed.unanswered.iter().any(|syn| octets(&syn.offered).is_none()) {
            return flaw("closed.unanswered", "`offered` must be pairs of hexadecimal digits");
        }
        if self.tcp.mss < 64 {
            return flaw("tcp.mss", "a segment size below 64 octets cannot carry a connection");
        }
        if self.tcp.window_scale > 14 {
            return flaw("tcp.window-scale", "a shift above 14 is not allowed (RFC 7323 §2.3)");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
