//! Silence: how long what was begun is waited for, and what a client is told then.

use chaff_events::Kind;

use super::{
    Ending, SECOND, Two, end,
    frame::{HEAD, HEADERS, Head, NO_ERROR, PADDED, PREFACE, PROTOCOL_ERROR, WITH_PRIORITY},
    hpack,
    spec::Frames,
    stream::Reply,
};
use crate::{http::Http, message::payload};

impl Two {
    /// When time alone brings something about.
    pub(in crate::http) fn due(&self) -> u64 {
        let held = self.streams.iter().filter_map(|stream| match stream.reply {
            Reply::Held(at, ..) => Some(at),
            _ => None,
        });
        held.chain(self.cut_due()).fold(self.patience(), u64::min)
    }

    /// How long the client may be silent.
    fn patience(&self) -> u64 {
        let keeping = &self.spec.keeping;
        let head_s = if self.rules().head_s > 0 { self.rules().head_s } else { keeping.head_s() };
        if self.is_stalled() && self.rules().stalled_s > 0 {
            return after(self.heard, self.rules().stalled_s);
        }
        match self.rules().reading {
            Frames::Direct if self.cut.is_some() => u64::MAX,
            Frames::Direct if self.last == 0 => after(self.opened, head_s),
            Frames::Direct if !self.is_busy() => after(self.busy, keeping.idle_s()),
            Frames::Library if !self.asked => after(self.heard, head_s),
            _ => after(self.heard, keeping.idle_s()),
        }
    }

    /// When headers that stopped are given up; the others treat them as they do any silence.
    fn cut_due(&self) -> Option<u64> {
        let (_, at) = self.cut.filter(|_| self.is_direct())?;
        Some(after(at, self.spec.keeping.head_s()))
    }

    /// Whether an answer waits for the client to take it.
    fn is_stalled(&self) -> bool {
        self.streams.iter().any(|stream| matches!(stream.reply, Reply::Sending(..) | Reply::Ready(_)))
    }

    fn is_busy(&self) -> bool {
        self.streams.iter().any(|stream| !stream.is_done())
    }

    /// Before anything is done: whether a stream is open.
    pub(super) fn look_busy(&mut self, now: u64) {
        if self.is_busy() {
            self.busy = now;
        }
    }

    /// After all that came was read: whether it stops within headers.
    pub(super) fn look_for_a_cut(&mut self, now: u64) {
        let unfinished = self.unfinished().filter(|stream| self.forgotten != Some(*stream));
        self.cut = unfinished.map(|stream| match self.cut {
            Some((same, at)) if same == stream => (stream, at),
            _ => (stream, now),
        });
        if !self.asked && self.says_why() {
            let coming = self.block.as_ref().map_or_else(|| self.coming(), |block| &block.octets);
            self.asked = hpack::begins(coming);
        }
    }

    /// The stream whose headers have begun to come.
    fn unfinished(&self) -> Option<u32> {
        if let Some(block) = &self.block {
            return (!block.ignored && !block.trailing).then_some(block.stream);
        }
        let head = Head::read(&self.input).filter(|head| head.kind == HEADERS && self.greeted == PREFACE.len())?;
        let opens = !Self::is_even(head.stream) && head.stream > self.last;
        (opens && self.input.len() < HEAD + head.length).then_some(head.stream)
    }

    /// What has come of the headers in a frame that is not whole.
    fn coming(&self) -> &[u8] {
        let Some(head) = Head::read(&self.input).filter(|head| head.kind == HEADERS) else { return &[] };
        let before = usize::from(head.has(PADDED)) + if head.has(WITH_PRIORITY) { 5 } else { 0 };
        self.input.get(HEAD + before..).unwrap_or(&[])
    }

    /// The client was silent for too long.
    pub(in crate::http) fn lose_patience(&mut self, http: &mut Http, now: u64) {
        if self.cut_due().is_some_and(|due| due <= now) {
            return self.forget(http, now);
        }
        if self.is_stalled() && self.rules().stalled_s > 0 {
            match self.rules().reading {
                Frames::Direct => return self.drop_stalled(http, now),
                Frames::Library => return self.give_up(http, now, &end(NO_ERROR, "")),
                Frames::Gathered => {}
            }
        }
        let begun = self.says_why() && self.cut.is_some();
        if self.is_direct() || !self.is_busy() && !begun {
            let code = if self.is_direct() && self.is_amid() { PROTOCOL_ERROR } else { NO_ERROR };
            let text = self.rules().idle_text.clone();
            self.goaway(self.last, code, &text);
            self.flush(http);
        }
        self.ending = Ending::Late;
        self.leave(http, now);
    }

    /// Whether something has come in part.
    fn is_amid(&self) -> bool {
        let greeting = self.greeted > 0 && !(self.greeted == PREFACE.len() && self.settled);
        greeting || !self.input.is_empty() || self.passing.is_some() || self.block.is_some()
    }

    /// Gives up the stream whose headers stopped. What is still to come of them is read and not answered.
    fn forget(&mut self, http: &mut Http, now: u64) {
        let Some((stream, _)) = self.cut.take() else { return };
        let came = self.block.as_ref().map_or_else(|| self.coming(), |block| &block.octets);
        http.tell(Kind::ServiceRequest, None, payload(came));
        if let Some(block) = &mut self.block {
            block.ignored = true;
        }
        self.forgotten = Some(stream);
        self.last = self.last.max(stream);
        self.busy = now;
        self.put_reset(stream, PROTOCOL_ERROR);
        self.flush(http);
    }

    /// Ends the streams whose answers are not taken; the connection has the time of an idle one from now on.
    fn drop_stalled(&mut self, http: &mut Http, now: u64) {
        while let Some(at) = self.streams.iter().position(|stream| matches!(stream.reply, Reply::Sending(..))) {
            self.end_stream(http, at, PROTOCOL_ERROR);
        }
        self.flush(http);
        self.busy = now;
    }
}

fn after(time: u64, seconds: u32) -> u64 {
    time.saturating_add(u64::from(seconds) * SECOND)
}
