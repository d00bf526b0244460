//! Requests with bodies: what is answered before the body is there, and what with it.

use alloc::sync::Arc;

use super::{
    Http, Phase, Then,
    body::{Body, Wrong},
    request::{Framing, Request, Version},
    respond::Answer,
    spec::Expect,
};

impl Http {
    /// A request is there; its body may be to come.
    pub(super) fn begin(&mut self, now: u64, mut request: Request) {
        let spec = Arc::clone(&self.spec);
        let rules = &spec.rules;
        if let Framing::Length(length) = request.framing
            && rules.max_body > 0
            && length > rules.max_body
        {
            let answer = self.error(&request, 413, "");
            self.unread = true;
            self.answer_and_discard(now, request, answer, Body::new(Framing::Length(length)));
            return;
        }
        let body = Body::new(request.framing);
        self.unread = !body.is_done();
        let expects = request.value("expect");
        if body.is_done() && self.expects_wonders(&request) {
            let answer = self.error(&request, 417, "");
            self.answer_and_discard(now, request, answer, body);
            return;
        }
        // Who waits for a 100 and has no body to send confuses such a server: it ends the connection.
        request.suspicious |= rules.expect == Expect::BeforeBodies && expects.is_some() && body.is_done();
        let expects = request.value("expect");
        let hundred =
            request.version == Version::Current && expects.is_some_and(|e| e.eq_ignore_ascii_case(b"100-continue"));
        let waits = rules.waits || self.takes_form(&request) || self.expects_wonders(&request);
        if waits && !body.is_done() {
            if hundred && rules.expect != Expect::Ignored {
                self.outbox.send(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            self.start(now);
            self.waits_again = self.expects_wonders(&request);
            self.phase = Phase::Awaiting(request, body);
            return;
        }
        let mut answer = self.choose(&request, &[], now);
        let found = answer.status < 400;
        if hundred && found && rules.expect == Expect::BeforePages && (request.is("GET") || request.is("HEAD")) {
            self.outbox.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let mut body = body;
        if !waits
            && !rules.unread_bodies
            && let Err(wrong) = self.fill_body(&mut body)
        {
            // What has come already is looked at before the answer is written.
            if found {
                answer = self.error(&request, self.status_of(wrong), "body");
            }
            self.input.clear();
            self.unread = true;
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, true);
            return;
        }
        self.answer_and_discard(now, request, answer, body);
    }

    /// Whether the client expects what no server of this kind knows. It is told so when its body is there.
    fn expects_wonders(&self, request: &Request) -> bool {
        self.spec.rules.expect == Expect::BeforeBodies
            && request.value("expect").is_some_and(|expects| !expects.eq_ignore_ascii_case(b"100-continue"))
    }

    /// Which error of a body it is: another one where what the client expects is refused anyway.
    pub(super) fn when_in_body(&self, request: &Request, otherwise: &'static str) -> &'static str {
        if self.expects_wonders(request) { "expectation" } else { otherwise }
    }

    fn status_of(&self, wrong: Wrong) -> u16 {
        match wrong {
            Wrong::TooLarge if self.spec.rules.waits => 413,
            Wrong::TooLarge | Wrong::Malformed => 400,
        }
    }

    /// Gives the body what has come of it.
    fn fill_body(&mut self, body: &mut Body) -> Result<(), Wrong> {
        let taken = body.take(&self.input)?;
        self.came = self.came.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        self.input.drain(..taken.min(self.input.len()));
        Ok(())
    }

    pub(super) fn await_body(&mut self, now: u64, request: Request, mut body: Body) -> bool {
        match self.fill_body(&mut body) {
            Err(wrong) => {
                self.input.clear();
                self.unread = true;
                self.observe(&request, &body.kept);
                let when = self.when_in_body(&request, "body");
                let answer = self.error(&request, self.status_of(wrong), when);
                self.answer(now, &request, answer, true);
                true
            }
            Ok(()) if !body.is_done() => {
                self.phase = Phase::Awaiting(request, body);
                false
            }
            Ok(()) => {
                let answer = if self.expects_wonders(&request) {
                    self.error(&request, 417, "")
                } else {
                    self.choose(&request, &body.kept, now)
                };
                self.observe(&request, &body.kept);
                self.answer(now, &request, answer, false);
                true
            }
        }
    }

    fn answer_and_discard(&mut self, now: u64, request: Request, answer: Answer, mut body: Body) {
        if self.spec.rules.unread_bodies && !body.is_done() {
            // What has come of it is evidence, right or wrong.
            let _ = body.take(&self.input);
            self.input.clear();
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, true);
            return;
        }
        if body.is_done() {
            self.observe(&request, &body.kept);
            self.answer(now, &request, answer, false);
            return;
        }
        let keeps = self.keeps(&request, answer.status);
        let octets = answer.write(&self.spec, self.manner(now, &request, keeps));
        self.outbox.send(&octets);
        let then = if keeps { Then::Next } else { Then::End };
        self.start(now);
        if self.fill_body(&mut body).is_err() {
            self.observe(&request, &body.kept);
            self.end(now, true, false);
            return;
        }
        self.phase = Phase::Discarding(request, body, then);
    }

    pub(super) fn discard(&mut self, now: u64, request: Request, mut body: Body, then: Then) -> bool {
        let wrong = self.fill_body(&mut body).is_err();
        if !wrong && !body.is_done() {
            self.phase = Phase::Discarding(request, body, then);
            return false;
        }
        self.observe(&request, &body.kept);
        if wrong {
            // What cannot be read is not waited for.
            self.input.clear();
            self.end(now, false, false);
        } else {
            self.go_on(now, then);
        }
        true
    }
}
