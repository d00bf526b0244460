//! What a server does with what was begun, when its client leaves or is too slow.

use core::mem::replace;

use chaff_events::Kind;

use super::{Http, Phase, read::Reader, request::Fault};
use crate::{message::payload, tool::tool_of_payload};

impl Http {
    /// The client has ended, and all that it sent was read.
    pub(super) fn leave(&mut self, now: u64) {
        let phase = replace(&mut self.phase, Phase::Head(Reader::new(&self.spec.rules)));
        match phase {
            Phase::Head(mut reader) => {
                if let Some(fault) = reader.end(&self.input).filter(|_| !self.input.is_empty()) {
                    self.refuse(now, &fault);
                    return;
                }
                let head = core::mem::take(&mut self.input);
                if !head.is_empty() {
                    self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
                }
                self.outbox.close();
            }
            Phase::Awaiting(request, body) => {
                self.observe(&request, &body.kept);
                let answer = self.error(&request, 400, "");
                self.answer(now, &request, answer, true);
            }
            Phase::Discarding(request, body, _) => {
                self.observe(&request, &body.kept);
                self.outbox.close();
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
                    self.refuse(now, &Fault { status, ..fault });
                    return;
                }
                let head = core::mem::take(&mut self.input);
                if !head.is_empty() {
                    self.tell(Kind::ServiceRequest, tool_of_payload(&head), payload(&head));
                }
            }
            Phase::Awaiting(request, body) => {
                self.observe(&request, &body.kept);
                if status != 0 {
                    let answer = self.error(&request, status, "");
                    self.answer(now, &request, answer, true);
                    return;
                }
            }
            Phase::Discarding(request, body, _) => self.observe(&request, &body.kept),
            Phase::Holding(..) => {}
        }
        self.outbox.close();
    }
}
