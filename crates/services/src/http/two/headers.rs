//! Headers: blocks that come in pieces, and the streams that they open.

use alloc::{sync::Arc, vec::Vec};

use chaff_events::Kind;

use super::{
    Block, End, GATHERED, Judged, MAX_BLOCK, MAX_CONTINUATIONS, MAX_HELD, MAX_STREAMS, Two, end,
    frame::{
        self, COMPRESSION_ERROR, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, Head, NO_ERROR,
        PADDED, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, WINDOW_UPDATE, WITH_PRIORITY,
    },
    hpack::{List, Wrong},
    message::{self, Message},
    stream::{Refusal, Reply, Stream},
    tell,
};
use crate::{
    http::{
        Http,
        request::{Framing, Request},
        spec::Expect,
    },
    message::payload,
};

impl Two {
    pub(super) fn headers(&mut self, http: &mut Http, now: u64, head: Head, body: &[u8]) -> Judged {
        let direct = self.is_direct();
        let priority = head.has(WITH_PRIORITY);
        let least = usize::from(head.has(PADDED)) + if priority { 5 } else { 0 };
        let gathered = self.is_gathered();
        let itself = priority && !head.has(PADDED) && frame::number(body) == head.stream;
        if gathered && priority && (body.len() < least || itself) && !Self::is_even(head.stream) {
            self.put_reset(head.stream, PROTOCOL_ERROR);
            return Ok(());
        }
        if body.len() < least || direct && body.len() == least {
            return Err(end(FRAME_SIZE_ERROR, ""));
        }
        let block = frame::unpadded(head, body).ok_or_else(|| self.protocol("HEADERS: invalid padding"))?;
        let block = if priority {
            if frame::number(block) == head.stream {
                return Err(self.protocol("request HEADERS: depend on itself"));
            }
            block.get(5..).ok_or_else(|| self.protocol("HEADERS: invalid padding"))?
        } else {
            block
        };
        let mut coming = Block {
            stream: head.stream,
            ended: head.has(END_STREAM),
            octets: block.to_vec(),
            continuations: 0,
            ignored: false,
            trailing: false,
        };
        let forgotten = self.forgotten.take() == Some(head.stream);
        if Self::is_even(head.stream) || direct && head.stream <= self.last && !forgotten {
            return Err(self.protocol("request HEADERS: invalid stream_id"));
        }
        if head.stream <= self.last {
            match self.place(head.stream).and_then(|at| self.streams.get(at)) {
                Some(stream) if stream.ended && gathered => {
                    coming.ignored = true;
                    if let Some(at) = self.place(head.stream) {
                        self.end_stream(http, at, STREAM_CLOSED);
                    }
                }
                Some(stream) if stream.ended => return Err(end(STREAM_CLOSED, "HEADERS: stream closed")),
                Some(_) => coming.trailing = true,
                None if gathered => return Err(end(PROTOCOL_ERROR, "")),
                None => coming.ignored = true,
            }
        } else {
            if !gathered {
                self.last = head.stream;
            }
            self.admit(&mut coming)?;
        }
        self.block = Some(coming);
        self.end_block(http, now, head.has(END_HEADERS))
    }

    /// Whether there is room for one more stream.
    fn admit(&mut self, block: &mut Block) -> Judged {
        let most = self.rules().max_streams();
        let open = self.streams.iter().filter(|stream| !stream.is_done()).count();
        let held: usize = self.streams.iter().map(Stream::held).sum();
        self.counts.new += 1;
        self.counts.priorities = self.counts.priorities.saturating_add(most);
        let burst = self.is_direct() && self.counts.new > 2 * most;
        if open >= most || held > MAX_HELD || burst {
            self.counts.refused += 1;
            if self.is_direct() && self.counts.refused > most.max(100) + 1 {
                return Err(end(NO_ERROR, ""));
            }
            self.put_reset(block.stream, REFUSED_STREAM);
            block.ignored = true;
        }
        Ok(())
    }

    pub(super) fn continuation(&mut self, http: &mut Http, now: u64, head: Head, body: &[u8]) -> Judged {
        let direct = self.is_direct();
        let Some(block) = &mut self.block else { return Ok(()) };
        block.octets.extend_from_slice(body);
        block.continuations += 1;
        let too_long = block.octets.len() > MAX_BLOCK;
        if self.says_why() && self.block.as_ref().is_some_and(|block| block.continuations > MAX_CONTINUATIONS) {
            return Err(End::Silent);
        }
        if self.is_gathered() && too_long {
            return Err(end(FRAME_SIZE_ERROR, ""));
        }
        if direct && too_long {
            return Err(end(ENHANCE_YOUR_CALM, ""));
        }
        self.end_block(http, now, head.has(END_HEADERS))
    }

    /// Headers are there in whole, if `whole`.
    fn end_block(&mut self, http: &mut Http, now: u64, whole: bool) -> Judged {
        let Some(block) = self.block.take_if(|_| whole) else { return Ok(()) };
        self.last = self.last.max(block.stream);
        let gathered = self.is_gathered();
        let list = match self.decoder.decode(&block.octets, &self.huffman) {
            Ok(list) => list,
            // What is there of it makes no request, and is answered like that.
            Err(Wrong::Short) if gathered => List::default(),
            Err(Wrong::Short) if self.is_direct() => return Err(end(FRAME_SIZE_ERROR, "")),
            Err(_) => return Err(end(COMPRESSION_ERROR, "")),
        };
        self.asked |= list.count > 0;
        let two = self.rules();
        let large = list.longest > two.max_field() || list.octets > two.max_fields_octets();
        if self.is_direct() && large {
            http.tell(Kind::ServiceRequest, None, payload(&block.octets));
            return Err(end(ENHANCE_YOUR_CALM, ""));
        }
        if block.ignored {
            return Ok(());
        }
        if block.trailing {
            let right = block.ended && (gathered || message::are_trailers(&list));
            let Some(at) = self.place(block.stream) else { return Ok(()) };
            if !right {
                self.end_stream(http, at, PROTOCOL_ERROR);
                return Ok(());
            }
            let head = Head { length: 0, kind: DATA, flags: END_STREAM, stream: block.stream };
            return self.data(http, head, &[], true);
        }
        let spec = Arc::clone(&self.spec);
        match message::read(list, block.ended, two.reading, &spec.rules) {
            Message::Request(request) => {
                let refusal = self.refusal(http, &request);
                self.open(http, now, &block, request, refusal);
            }
            Message::Refused { request, status, when, early, ends } => {
                self.open(http, now, &block, request, Some((status, when, early)));
                if ends {
                    self.soon(http, now);
                    return Err(end(PROTOCOL_ERROR, ""));
                }
            }
            Message::Reset(code) => {
                http.tell(Kind::ServiceRequest, None, payload(&block.octets));
                self.put_reset(block.stream, code);
            }
            Message::Fatal(code) => {
                http.tell(Kind::ServiceRequest, None, payload(&block.octets));
                return Err(end(code, ""));
            }
        }
        self.soon(http, now);
        Ok(())
    }

    /// What a request is refused for before it is looked at.
    fn refusal(&self, http: &Http, request: &Request) -> Option<Refusal> {
        let rules = &http.spec.rules;
        let expects = request.value("expect").is_some_and(|e| !e.eq_ignore_ascii_case(b"100-continue"));
        if rules.expect == Expect::BeforeBodies && expects {
            return Some((417, "", true));
        }
        match request.framing {
            Framing::Length(length) if rules.max_body > 0 && length > rules.max_body => Some((413, "", false)),
            _ => None,
        }
    }

    pub(super) fn open(
        &mut self,
        http: &mut Http,
        now: u64,
        block: &Block,
        request: Request,
        refusal: Option<Refusal>,
    ) {
        while self.streams.len() >= MAX_STREAMS {
            // The oldest that is only evidence; there is one, since those that are open are fewer.
            let Some(at) = self.streams.iter().position(Stream::is_done) else { break };
            tell(http, self.streams.remove(at));
        }
        (self.busy, self.asked) = (now, true);
        let waits = refusal.is_none() && !block.ended && http.takes_form(&request);
        let mut room = i64::from(self.rules().setting(4, 65_535));
        if self.is_gathered() && !block.ended {
            room += i64::from(8 * GATHERED);
            frame::put(&mut self.control, WINDOW_UPDATE, 0, block.stream, &(8 * GATHERED).to_be_bytes());
        }
        self.streams.push(Stream {
            id: block.stream,
            window: self.initial,
            request,
            asked: now,
            offered: Vec::new(),
            body: Vec::new(),
            got: 0,
            room,
            ended: block.ended,
            reply: if waits { Reply::Awaiting } else { Reply::Ready(refusal) },
        });
    }
}
