//! Frames as they come, but for headers: what is wrong with them, and what they bring about.

use alloc::vec::Vec;

use super::{
    End, GATHERED, Judged, MAX_ACKS, MAX_BLOCK, MAX_FRAME, MAX_OVERHEAD, MAX_WINDOW, RESETS, RESETS_PER_S, SECOND, Two,
    end,
    frame::{
        self, ACK, CONTINUATION, DATA, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
        HEAD, HEADERS, Head, INTERNAL_ERROR, NO_ERROR, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE,
        RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
    },
    spec::Frames,
    stream::Reply,
    tell,
};
use crate::{http::Http, limits::http::MAX_KEPT};

/// Octets of the first line of a preface.
const FIRST_LINE: usize = 16;
/// libnghttp2's own codes, which Apache puts into GOAWAY as they are.
const BAD_PREFACE: u32 = 4_294_966_393;
const FLOODED: u32 = 4_294_966_392;

impl Two {
    /// One frame, or a part of one; whether there was any.
    pub(super) fn step(&mut self, http: &mut Http, now: u64) -> Result<bool, End> {
        if self.greeted < PREFACE.len() {
            return self.greet();
        }
        if let Some((head, rest)) = self.passing {
            let count = rest.min(self.input.len());
            if count == 0 {
                return Ok(false);
            }
            let piece: Vec<u8> = self.input.drain(..count).collect();
            self.passing = (rest > count).then_some((head, rest - count));
            if head.kind == DATA {
                self.data(http, head, &piece, rest == count)?;
            }
            return Ok(true);
        }
        let Some(head) = Head::read(&self.input) else { return Ok(false) };
        self.judge(head)?;
        let passes = !matches!(head.kind, HEADERS..=CONTINUATION)
            && !(head.kind == DATA && (head.length == 0 || head.has(PADDED) && head.length <= MAX_BLOCK));
        if passes {
            self.input.drain(..HEAD);
            self.count(head);
            self.passing = (head.length > 0).then_some((head, head.length));
            return Ok(true);
        }
        let whole = HEAD + head.length;
        let Some(body) = self.input.get(HEAD..whole).map(<[u8]>::to_vec) else { return Ok(false) };
        self.input.drain(..whole);
        self.count(head);
        if self.is_direct() && self.counts.total / 8 > self.counts.carried.saturating_add(MAX_OVERHEAD) {
            return Err(end(NO_ERROR, ""));
        }
        self.handle(http, now, head, &body)?;
        Ok(true)
    }

    fn count(&mut self, head: Head) {
        let length = u64::try_from(head.length).unwrap_or(u64::MAX);
        self.counts.total = self.counts.total.saturating_add(length + 9);
        if matches!(head.kind, DATA | HEADERS | CONTINUATION) {
            self.counts.carried = self.counts.carried.saturating_add(length);
        }
    }

    /// Reads the preface: nginx line by line, libnghttp2 octet by octet.
    fn greet(&mut self) -> Result<bool, End> {
        let due = PREFACE.get(self.greeted..).unwrap_or(&[]);
        let piece = match self.rules().reading {
            Frames::Direct if self.greeted == 0 => PREFACE.first_chunk::<FIRST_LINE>().map_or(due, |line| line),
            Frames::Library => due.get(..self.input.len()).unwrap_or(due),
            Frames::Gathered if self.input.len() < due.len() => return self.greet_in_part(),
            Frames::Direct | Frames::Gathered => due,
        };
        if self.input.len() < piece.len() {
            return Ok(false);
        }
        if !self.input.starts_with(piece) {
            return Err(if self.says_why() {
                end(BAD_PREFACE, "Received bad client magic byte string")
            } else {
                end(PROTOCOL_ERROR, "")
            });
        }
        self.input.drain(..piece.len());
        self.greeted += piece.len();
        Ok(!piece.is_empty())
    }

    /// Lighttpd knows a client by its first four octets. What begins like a preface and has the length of a frame's head is
    /// taken for one, of a frame that is too long.
    fn greet_in_part(&self) -> Result<bool, End> {
        match self.input.first_chunk::<4>() {
            Some(first) if !PREFACE.starts_with(first) => Err(end(PROTOCOL_ERROR, "")),
            Some(_) if self.input.len() >= HEAD => Err(end(FRAME_SIZE_ERROR, "")),
            _ => Ok(false),
        }
    }

    /// What is wrong with a frame by its head alone.
    fn judge(&self, head: Head) -> Judged {
        let direct = self.is_direct();
        let why = self.says_why();
        if !direct && head.length > MAX_FRAME {
            return Err(end(FRAME_SIZE_ERROR, if why { "too large frame size" } else { "" }));
        }
        if why && !self.settled && head.kind != SETTINGS {
            return Err(end(PROTOCOL_ERROR, "SETTINGS expected"));
        }
        if let Some(block) = &self.block
            && (head.kind != CONTINUATION || head.stream != block.stream)
        {
            let text = "unexpected non-CONTINUATION frame or stream_id is invalid";
            return Err(end(PROTOCOL_ERROR, if why { text } else { "" }));
        }
        if direct && matches!(head.kind, HEADERS | CONTINUATION) && head.length > MAX_BLOCK {
            return Err(end(ENHANCE_YOUR_CALM, ""));
        }
        let fits = match head.kind {
            PRIORITY => head.length == 5,
            RST_STREAM | WINDOW_UPDATE => head.length == 4,
            PING => head.length == 8,
            SETTINGS => head.length.is_multiple_of(6) && (head.length == 0 || !head.has(ACK)),
            GOAWAY => head.length >= 8,
            _ => true,
        };
        if !fits || head.length > MAX_BLOCK && matches!(head.kind, SETTINGS | GOAWAY | PUSH_PROMISE) {
            return Err(end(FRAME_SIZE_ERROR, ""));
        }
        let wrong = match (head.kind, head.stream) {
            (DATA, 0) => "DATA: stream_id == 0",
            (HEADERS, 0) => "request HEADERS: stream_id == 0",
            (PRIORITY, 0) => "PRIORITY: stream_id == 0",
            (RST_STREAM, 0) => "RST_STREAM: stream_id == 0",
            (SETTINGS, 1..) => "SETTINGS: stream_id != 0",
            (PING, 1..) => "PING: stream_id != 0",
            (GOAWAY, 1..) => "GOAWAY: stream_id != 0",
            (PUSH_PROMISE, _) => "PUSH_PROMISE: push disabled",
            (CONTINUATION, _) if self.block.is_none() => "CONTINUATION: unexpected",
            _ => return Ok(()),
        };
        Err(end(PROTOCOL_ERROR, if why { wrong } else { "" }))
    }

    fn handle(&mut self, http: &mut Http, now: u64, head: Head, body: &[u8]) -> Judged {
        match head.kind {
            DATA => {
                let data = frame::unpadded(head, body).ok_or_else(|| self.protocol("DATA: invalid padding"))?;
                self.data(http, head, data, true)
            }
            HEADERS => self.headers(http, now, head, body),
            CONTINUATION => self.continuation(http, now, head, body),
            PRIORITY => self.priority(head.stream, body),
            RST_STREAM => self.reset(http, now, head.stream),
            SETTINGS => self.settings(http, now, head, body),
            PING => {
                if !head.has(ACK) {
                    self.acknowledge()?;
                    frame::put(&mut self.control, PING, ACK, 0, body);
                }
                Ok(())
            }
            GOAWAY if !self.is_direct() => {
                self.goaway(self.last, NO_ERROR, "");
                self.flush(http);
                Err(End::Silent)
            }
            WINDOW_UPDATE => self.window_update(http, now, head.stream, body),
            _ => Ok(()),
        }
    }

    /// An error of the protocol; those who say why say this.
    pub(super) fn protocol(&self, text: &'static str) -> End {
        end(PROTOCOL_ERROR, if self.says_why() { text } else { "" })
    }

    fn acknowledge(&mut self) -> Judged {
        self.counts.acks += 1;
        if self.says_why() && self.counts.acks > MAX_ACKS {
            let text = "Flooding was detected in this HTTP/2 session, and it must be closed";
            return Err(end(FLOODED, text));
        }
        Ok(())
    }

    fn settings(&mut self, http: &mut Http, now: u64, head: Head, body: &[u8]) -> Judged {
        self.settled = true;
        if head.has(ACK) {
            return Ok(());
        }
        self.apply(body)?;
        self.acknowledge()?;
        frame::put(&mut self.control, SETTINGS, ACK, 0, &[]);
        self.soon(http, now);
        Ok(())
    }

    /// Takes the client's settings.
    pub(super) fn apply(&mut self, body: &[u8]) -> Judged {
        for setting in body.chunks_exact(6) {
            let (Some(name), Some(value)) = (setting.first_chunk::<2>(), setting.last_chunk::<4>()) else { continue };
            let value = u32::from_be_bytes(*value);
            match u16::from_be_bytes(*name) {
                1 => self.encoder.set_size(value),
                2 if value > 1 => return Err(self.protocol("SETTINGS: invalid SETTINGS_ENBLE_PUSH")),
                4 => {
                    let value = i64::from(value);
                    if value > MAX_WINDOW {
                        let text = "SETTINGS: too large SETTINGS_INITIAL_WINDOW_SIZE";
                        return Err(end(FLOW_CONTROL_ERROR, if self.says_why() { text } else { "" }));
                    }
                    for stream in &mut self.streams {
                        stream.window += value - self.initial;
                    }
                    self.initial = value;
                }
                5 => {
                    if !(16_384..=16_777_215).contains(&value) {
                        return Err(self.protocol("SETTINGS: invalid SETTINGS_MAX_FRAME_SIZE"));
                    }
                    self.frame = usize::try_from(value).unwrap_or(MAX_FRAME);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Those who answer at once do so.
    pub(super) fn soon(&mut self, http: &mut Http, now: u64) {
        if self.is_direct() {
            self.flush(http);
            self.turn(http, now);
        }
    }

    fn priority(&mut self, stream: u32, body: &[u8]) -> Judged {
        if self.is_direct() {
            self.counts.priorities = match self.counts.priorities.checked_sub(1) {
                Some(left) if left > 0 => left,
                _ => return Err(end(ENHANCE_YOUR_CALM, "")),
            };
        }
        if frame::number(body) != stream {
            return Ok(());
        }
        if self.is_gathered() {
            self.put_reset(stream, PROTOCOL_ERROR);
            return Ok(());
        }
        Err(self.protocol("depend on itself"))
    }

    /// A stream that no client may open.
    pub(super) fn is_even(stream: u32) -> bool {
        stream.is_multiple_of(2)
    }

    /// A stream that the client has never opened.
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        stream > self.last || Self::is_even(stream)
    }

    pub(super) fn place(&self, id: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.id == id)
    }

    fn reset(&mut self, http: &mut Http, now: u64, id: u32) -> Judged {
        if self.is_idle(id) {
            return if self.is_direct() { Ok(()) } else { Err(self.protocol("RST_STREAM: stream in idle")) };
        }
        if let Some(at) = self.place(id) {
            tell(http, self.streams.remove(at));
            if self.says_why() {
                let seconds = now.saturating_sub(self.counts.resets_at) / SECOND;
                self.counts.resets = self.counts.resets.saturating_add(seconds * RESETS_PER_S).min(RESETS);
                self.counts.resets_at = self.counts.resets_at.saturating_add(seconds * SECOND);
                let Some(left) = self.counts.resets.checked_sub(1) else { return Err(end(INTERNAL_ERROR, "")) };
                self.counts.resets = left;
            }
        }
        Ok(())
    }

    fn window_update(&mut self, http: &mut Http, now: u64, id: u32, body: &[u8]) -> Judged {
        let more = i64::from(frame::number(body));
        let direct = self.is_direct();
        if !direct && id != 0 && self.is_idle(id) {
            return Err(self.protocol("WINDOW_UPDATE to idle stream"));
        }
        if let Some(at) = self.place(id).filter(|_| more == 0 && self.is_gathered()) {
            self.end_stream(http, at, PROTOCOL_ERROR);
            return Ok(());
        }
        if more == 0 {
            return Err(self.protocol("WINDOW_UPDATE: window_size_increment == 0"));
        }
        if id == 0 {
            self.window += more;
            if self.window > MAX_WINDOW {
                return Err(end(FLOW_CONTROL_ERROR, ""));
            }
        } else if let Some(at) = self.place(id)
            && let Some(stream) = self.streams.get_mut(at)
        {
            stream.window += more;
            if stream.window > MAX_WINDOW {
                self.end_stream(http, at, FLOW_CONTROL_ERROR);
            }
        }
        self.soon(http, now);
        Ok(())
    }

    /// Ends a stream with an error.
    pub(super) fn end_stream(&mut self, http: &mut Http, at: usize, code: u32) {
        let stream = self.streams.remove(at);
        self.put_reset(stream.id, code);
        tell(http, stream);
    }

    pub(super) fn put_reset(&mut self, id: u32, code: u32) {
        frame::put(&mut self.control, RST_STREAM, 0, id, &code.to_be_bytes());
    }

    pub(super) fn data(&mut self, http: &mut Http, head: Head, octets: &[u8], whole: bool) -> Judged {
        let (id, direct) = (head.stream, self.is_direct());
        let gathered = self.is_gathered();
        let place = self.place(id);
        if gathered && !octets.is_empty() && place.is_some() {
            frame::put(&mut self.control, WINDOW_UPDATE, 0, 0, &GATHERED.to_be_bytes());
        } else if !gathered {
            self.refill(octets.len());
        }
        let Some(at) = place else {
            if gathered && !self.is_idle(id) {
                return Err(end(NO_ERROR, ""));
            }
            return if self.is_idle(id) && !direct { Err(self.protocol("DATA: stream in idle")) } else { Ok(()) };
        };
        let Some(stream) = self.streams.get_mut(at) else { return Ok(()) };
        if stream.ended {
            if !direct && !gathered {
                return Err(end(STREAM_CLOSED, "DATA: stream in half-closed(remote)"));
            }
            self.end_stream(http, at, STREAM_CLOSED);
            return Ok(());
        }
        stream.keep(octets, MAX_KEPT);
        let ends = whole && head.has(END_STREAM);
        let done = stream.is_done();
        if stream.room < 0 && !done {
            self.end_stream(http, at, FLOW_CONTROL_ERROR);
            return Ok(());
        }
        let short = stream.announced().is_some_and(|all| stream.got > all || ends && stream.got < all);
        if short && !done && !direct {
            self.end_stream(http, at, PROTOCOL_ERROR);
            return Ok(());
        }
        let most = self.spec.rules.max_body;
        if ends {
            stream.ended = true;
            match stream.reply {
                Reply::Done => tell(http, self.streams.remove(at)),
                Reply::Awaiting => stream.reply = Reply::Ready(short.then_some((400, "body", false))),
                _ => {}
            }
        } else if gathered && !done && !octets.is_empty() {
            stream.room += i64::from(GATHERED);
            frame::put(&mut self.control, WINDOW_UPDATE, 0, id, &GATHERED.to_be_bytes());
        } else if matches!(stream.reply, Reply::Awaiting) {
            if most > 0 && stream.got > most {
                stream.reply = Reply::Ready(Some((413, "", false)));
            } else if !octets.is_empty() {
                let more = u32::try_from(octets.len()).unwrap_or(0);
                stream.room += i64::from(more);
                frame::put(&mut self.control, WINDOW_UPDATE, 0, id, &more.to_be_bytes());
            }
        }
        Ok(())
    }

    /// Opens the window of the connection again, once half of it was used.
    fn refill(&mut self, count: usize) {
        self.consumed = self.consumed.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.consumed > (65_535 + self.rules().window_update.min(0x7fff_0000)) / 2 {
            let more = core::mem::take(&mut self.consumed);
            frame::put(&mut self.control, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
    }
}
