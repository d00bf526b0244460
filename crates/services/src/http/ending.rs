//! How connections end: what is done with what was begun when a client leaves or is too slow, how long anything is
//! waited for, and whether the server reads on when it has said all.

use core::mem::replace;

use chaff_events::Kind;

use super::{
    Http, NANOS_OF_S, Phase,
    read::Reader,
    request::Fault,
    spec::{HttpKeeping, HttpLinger},
};
use crate::{
    limits::http::{KEPT_S, MAX_REQUESTS},
    message::payload,
    tool::tool_of_payload,
};

impl Http {
    /// When time alone brings something about.
    pub(super) fn due(&self) -> u64 {
        let keeping = &self.spec.keeping;
        if let Some(last) = self.lingering {
            let silence = keeping.linger.as_ref().map_or(0, |linger| linger.silence_s);
            return if silence == 0 { last } else { last.min(after_s(self.heard, silence)) };
        }
        if let Some(two) = &self.two {
            return two.due();
        }
        match &self.phase {
            Phase::Holding(at, ..) => *at,
            Phase::Head(_) if self.served > 0 && (self.input.is_empty() && !self.stirred || keeping.idle_heads) => {
                after_s(self.heard, keeping.idle_s())
            }
            Phase::Head(_) if keeping.idle_heads => after_s(self.heard, keeping.head_s()),
            Phase::Head(_) => {
                let most = if keeping.head_most_s == 0 { keeping.head_s() } else { keeping.head_most_s };
                self.hastened(keeping.head_s()).min(after_s(self.began, most))
            }
            Phase::Awaiting(..) if keeping.octets_per_s > 0 => self.hastened(keeping.body_s()),
            Phase::Awaiting(..) => after_s(self.heard, keeping.body_s()),
            Phase::Discarding(..) => {
                let most = keeping.linger.as_ref().map_or(u64::MAX, |linger| after_s(self.began, linger.most_s));
                after_s(self.heard, keeping.body_s()).min(most)
            }
        }
    }

    /// When these seconds are over for what is being read, which has more time for every octet that came.
    fn hastened(&self, seconds: u32) -> u64 {
        let more = self.came.saturating_mul(NANOS_OF_S).checked_div(self.spec.keeping.octets_per_s.into()).unwrap_or(0);
        after_s(self.began, seconds).saturating_add(more)
    }

    /// From now on something else is read.
    pub(super) fn start(&mut self, now: u64) {
        (self.began, self.came) = (now, 0);
    }

    /// What is awaited may end sooner than what was awaited before: an idle connection sooner than a head.
    pub(super) fn set_alarm(&mut self) {
        self.alarm = self.due();
        self.outbox.wake(self.alarm);
    }

    /// The server says no more. If it is its way, it reads on for a while, so that what the client still sends does not
    /// turn the end into a RST that would destroy the answer on its way; `unread`: something of the client may be so.
    pub(super) fn end(&mut self, now: u64, unread: bool, late: bool) {
        let lingers = self.spec.keeping.linger.as_ref();
        // Of a client that has ended nothing is to be read any more; to one that has only parted something can be said.
        let unread = unread && !self.ended;
        let may_speak = !self.ended || self.parted;
        let waits = |linger: &&HttpLinger| unread || (may_speak && !linger.unread_only);
        let Some(linger) = lingers.filter(waits) else {
            self.outbox.close();
            return;
        };
        let most = if late && linger.late_s > 0 { linger.late_s } else { linger.most_s };
        self.lingering = Some(after_s(now, most));
        self.heard = now;
        self.outbox.finish();
        self.set_alarm();
    }

    /// A while is over, or the client has ended.
    pub(super) fn stop_lingering(&mut self) {
        self.lingering = None;
        self.outbox.close();
    }

    /// The client has ended, and all that it sent was read.
    pub(super) fn leave(&mut self, now: u64) {
        let phase = replace(&mut self.phase, Phase::Head(Reader::new(&self.spec.rules)));
        match phase {
            Phase::Head(mut reader) => {
                if let Some(fault) = reader.end(&self.input).filter(|_| !self.input.is_empty()) {
                    self.refuse(now, &fault, 0, false);
                    return;
                }
                let head = core::mem::take(&mut self.input);
                if !head.is_empty() {
                    self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
                }
                self.end(now, false, false);
            }
            Phase::Awaiting(request, body) => {
                self.observe(&request, &body.kept);
                let when = self.when_in_body(&request, "");
                let answer = self.error(&request, 400, when);
                self.answer(now, &request, answer, true);
            }
            Phase::Discarding(request, body, _) => {
                self.observe(&request, &body.kept);
                self.end(now, false, false);
            }
            holding @ Phase::Holding(..) => self.phase = holding,
        }
    }

    /// The client was too slow.
    pub(super) fn lose_patience(&mut self, now: u64) {
        let status = self.spec.keeping.late_status;
        let phase = replace(&mut self.phase, Phase::Head(Reader::new(&self.spec.rules)));
        match phase {
            Phase::Head(mut reader) => {
                if status != 0
                    && let Some(fault) = reader.end(&self.input)
                {
                    self.refuse(now, &Fault { status, ..fault }, 0, true);
                    return;
                }
                let head = core::mem::take(&mut self.input);
                if !head.is_empty() {
                    self.late = true;
                    self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
                }
            }
            Phase::Awaiting(request, body) if replace(&mut self.waits_again, false) => {
                self.phase = Phase::Awaiting(request, body);
                self.start(now);
                self.set_alarm();
                return;
            }
            Phase::Awaiting(request, body) => {
                self.late = true;
                self.observe(&request, &body.kept);
                if status != 0 {
                    let when = self.when_in_body(&request, "");
                    let answer = self.error(&request, status, when);
                    let manner = self.manner(now, &request, false);
                    let octets = answer.write(&self.spec, manner);
                    self.outbox.send(&octets);
                }
            }
            Phase::Discarding(request, body, _) => {
                self.late = true;
                self.observe(&request, &body.kept);
            }
            Phase::Holding(..) => {}
        }
        self.end(now, false, true);
    }
}

impl HttpKeeping {
    pub(super) fn idle_s(&self) -> u32 {
        if self.idle_s == 0 { KEPT_S } else { self.idle_s }
    }

    pub(super) fn head_s(&self) -> u32 {
        if self.head_s == 0 { KEPT_S } else { self.head_s }
    }

    fn body_s(&self) -> u32 {
        if self.body_s == 0 { self.head_s() } else { self.body_s }
    }

    pub(super) fn max_requests(&self) -> u32 {
        if self.max_requests == 0 { MAX_REQUESTS } else { self.max_requests }
    }
}

pub(super) fn after_s(at: u64, seconds: u32) -> u64 {
    at.saturating_add(u64::from(seconds) * NANOS_OF_S)
}
