//! Servers that greet and answer by rules: FTP, SMTP, POP3, telnet, printers, and whatever is told by its first words.
//! What this does not hold: any state of such a protocol beyond the name that belongs to a password.

mod login;

use alloc::{sync::Arc, vec::Vec};

use chaff_events::Kind;

use crate::{
    BannerSpec, Context, Conversation, MatchRule, Opening, Output,
    limits::banner::MAX_LINE,
    message::{Seen, credential, payload},
    outbox::Outbox,
    text::{Who, unescape},
    tool_of_payload,
};
use login::{Login, Took};

const NANOS_OF_MS: u64 = 1_000_000;
const NANOS_OF_S: u64 = 1_000_000_000;

pub(crate) struct Banner {
    spec: Arc<BannerSpec>,
    who: Who,
    outbox: Outbox,
    phase: Phase,
    /// The client sent its end while the greeting was still to come.
    ended: bool,
    line: Vec<u8>,
    any: bool,
    seen: Seen,
    user: Vec<u8>,
    heard: u64,
    /// The wake-up that was asked for and has not come.
    armed: Option<u64>,
}

enum Phase {
    /// The greeting is due at this time.
    Greeting(u64),
    /// Requests are answered.
    Answering,
    /// A name and a password are asked for.
    Login(Login),
}

impl Banner {
    pub(crate) fn new(spec: &Arc<BannerSpec>, opening: &Opening<'_>) -> Self {
        let due = opening.now.saturating_add(u64::from(spec.greeting_delay_ms) * NANOS_OF_MS);
        let mut banner = Self {
            spec: Arc::clone(spec),
            who: Who::new(&opening.identity),
            outbox: Outbox::default(),
            phase: Phase::Greeting(due),
            ended: false,
            line: Vec::new(),
            any: false,
            seen: Seen::default(),
            user: Vec::new(),
            heard: opening.now,
            armed: None,
        };
        banner.wake(opening.now);
        banner
    }

    fn greet(&mut self) {
        self.outbox.send(&self.who.say(&self.spec.greeting));
        self.phase = match &self.spec.login {
            Some(login) => Phase::Login(Login::begin(login, &self.who, &mut self.outbox)),
            None => Phase::Answering,
        };
        if self.ended {
            self.outbox.close();
        }
    }

    /// Takes one piece as it came, or its lines, as long as the answers find room.
    fn answer_piece(&mut self, octets: &[u8]) -> usize {
        if self.line.is_empty() && self.answer_raw(octets) {
            return octets.len();
        }
        let mut taken = 0;
        for &octet in octets {
            if self.outbox.is_closing() {
                return octets.len();
            }
            if self.outbox.is_behind() {
                break;
            }
            taken += 1;
            if octet == b'\n' {
                self.answer_line();
            } else if self.line.len() < MAX_LINE {
                self.line.push(octet);
            }
        }
        taken
    }

    /// Whether the piece was a request as it stands.
    fn answer_raw(&mut self, octets: &[u8]) -> bool {
        let binary = self.spec.binary;
        let rule = find(&self.spec.rules, octets, |starts| binary || !is_text(starts));
        if rule.is_none() && !binary {
            return false;
        }
        self.observe(octets);
        self.answer_by(rule);
        true
    }

    fn answer_line(&mut self) {
        let mut line = core::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !line.is_empty() {
            self.observe(&line);
            self.note_credential(&line);
        }
        self.answer_by(find(&self.spec.rules, &line, is_text));
    }

    fn answer_by(&mut self, rule: Option<usize>) {
        let (answer, closes) = match rule.and_then(|place| self.spec.rules.get(place)) {
            Some(rule) => (&rule.answer, rule.closes),
            None => (&self.spec.otherwise, self.spec.otherwise_closes),
        };
        self.outbox.send(&self.who.say(answer));
        if closes {
            self.outbox.close();
        }
    }

    fn observe(&mut self, message: &[u8]) {
        if self.seen.is_new(message) {
            let tool = if self.any { None } else { tool_of_payload(message) };
            self.outbox.observe(Kind::ServiceRequest, tool, payload(message));
        }
        self.any = true;
    }

    /// `USER` and `PASS`, as FTP and POP3 have them.
    fn note_credential(&mut self, line: &[u8]) {
        if let Some(name) = argument(line, b"USER ") {
            self.user = name.to_vec();
        } else if let Some(secret) = argument(line, b"PASS ") {
            self.outbox.observe(Kind::Credential, None, credential(&self.user, secret, b""));
        }
    }

    /// Closes, and tells first of what never became a line.
    fn finish(&mut self) {
        let rest = core::mem::take(&mut self.line);
        if !rest.is_empty() && !self.outbox.is_closing() {
            self.observe(&rest);
        }
        self.outbox.close();
    }

    /// The earliest thing that time alone brings about.
    fn due(&self) -> Option<u64> {
        let own = match &self.phase {
            Phase::Greeting(at) => Some(*at),
            Phase::Answering => None,
            Phase::Login(login) => login.due(),
        };
        let idle = self.idle_until();
        own.into_iter().chain(idle).min()
    }

    fn idle_until(&self) -> Option<u64> {
        let seconds = u64::from(self.spec.idle_timeout_s);
        (seconds > 0).then(|| self.heard.saturating_add(seconds * NANOS_OF_S))
    }

    /// Asks for a wake-up, unless one comes early enough: a busy client must not move a timer with every octet.
    fn arm(&mut self) {
        let Some(due) = self.due().filter(|_| !self.outbox.is_closing()) else { return };
        if self.armed.is_none_or(|armed| due < armed) {
            self.armed = Some(due);
            self.outbox.wake(due);
        }
    }

    fn wake(&mut self, now: u64) {
        self.armed = None;
        if self.outbox.is_closing() {
            return;
        }
        match &mut self.phase {
            Phase::Greeting(at) if *at <= now => self.greet(),
            Phase::Login(login) => {
                if login.refuse_if_due(now, &self.who, &mut self.outbox) {
                    self.outbox.close();
                }
            }
            Phase::Greeting(_) | Phase::Answering => {}
        }
        if self.idle_until().is_some_and(|at| at <= now) {
            self.finish();
        }
        self.arm();
    }
}

impl Conversation for Banner {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        let now = cx.now;
        if self.outbox.is_closing() {
            // Nobody reads any more: what comes now makes the stack answer with RST.
            return 0;
        }
        if !self.any && !octets.is_empty() {
            // Told at once and as it came: it names the tool, and it may never become a line.
            self.observe(octets);
        }
        if self.outbox.is_behind() {
            return 0;
        }
        if !matches!(self.phase, Phase::Greeting(_)) {
            // What waits to be read is no sign of life: it is offered again and again.
            self.heard = now;
        }
        let taken = match &mut self.phase {
            Phase::Greeting(_) => 0,
            Phase::Answering => self.answer_piece(octets),
            Phase::Login(login) => {
                let Took { octets, closes } = login.take(now, octets, &self.who, &mut self.outbox);
                if closes {
                    self.outbox.close();
                }
                octets
            }
        };
        self.arm();
        taken
    }

    fn handle_end(&mut self, _cx: &mut Context<'_>) {
        self.ended = true;
        if !matches!(self.phase, Phase::Greeting(_)) {
            self.finish();
        }
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        self.wake(cx.now);
    }

    fn poll(&mut self, _cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.outbox.poll(room)
    }
}

/// Answers one datagram.
pub(crate) fn answer(spec: &BannerSpec, opening: &Opening<'_>, datagram: &[u8]) -> Option<Vec<u8>> {
    let rule = find(&spec.rules, datagram, |_| true).and_then(|place| spec.rules.get(place));
    let answer = rule.map_or(&spec.otherwise, |rule| &rule.answer);
    (!answer.is_empty()).then(|| Who::new(&opening.identity).say(answer))
}

/// The first rule that `counts` and fits the beginning of `request`.
fn find(rules: &[MatchRule], request: &[u8], counts: impl Fn(&[u8]) -> bool) -> Option<usize> {
    rules.iter().position(|rule| {
        let starts = unescape(&rule.starts);
        counts(&starts) && request.get(..starts.len()).is_some_and(|head| head.eq_ignore_ascii_case(&starts))
    })
}

fn is_text(starts: &[u8]) -> bool {
    starts.iter().all(|octet| (0x20..0x7f).contains(octet))
}

fn argument<'l>(line: &'l [u8], verb: &[u8]) -> Option<&'l [u8]> {
    let (head, rest) = line.split_at_checked(verb.len())?;
    head.eq_ignore_ascii_case(verb).then_some(rest)
}

#[cfg(test)]
mod tests;
