//! HTTP/2 (RFC 9113), the server's side: frames, streams and windows. What a request comes to is decided by the same
//! rules as over HTTP/1. It promises nothing (`PUSH_PROMISE`), and gives no stream precedence over another.
//!
//! Nginx and libnghttp2 differ less in what they say than in when they judge: the former reads and answers frame by frame,
//! the latter reads what has come and then answers ([`Frames`]).

mod clear;
mod frame;
mod headers;
mod hpack;
mod huffman;
mod message;
mod output;
mod patience;
mod receive;
pub(crate) mod spec;
mod stream;

use alloc::{sync::Arc, vec::Vec};

use chaff_events::Kind;

use super::Http;
use crate::{
    limits::two::{MAX_BATCH, MAX_BLOCK, MAX_HELD, MAX_STREAMS},
    message::payload,
};
use frame::{GOAWAY, Head, SETTINGS, WINDOW_UPDATE};
use hpack::{Decoder, Encoder};
use huffman::Huffman;
use spec::{Frames, Http2Spec};
use stream::Stream;

/// Octets of a frame at most where the settings say nothing else (RFC 9113 §6.5.2).
const MAX_FRAME: usize = 16_384;
/// CONTINUATION frames behind one HEADERS, as libnghttp2 counts them since CVE-2024-28182.
const MAX_CONTINUATIONS: usize = 8;
/// Acknowledgements that wait to be sent, as libnghttp2 counts them (CVE-2019-9515).
const MAX_ACKS: usize = 1000;
/// Streams that a client may reset at once, and each second after that, as libnghttp2 counts them (CVE-2023-44487).
const RESETS: u64 = 1000;
const RESETS_PER_S: u64 = 33;
/// Octets of frames that carry nothing, beyond which nginx calls it a flood: this, and eight times what was carried.
const MAX_OVERHEAD: u64 = 1024 * 1024;
/// Time in which what comes is one burst (nginx: one turn of its loop).
const BURST: u64 = 10_000_000;
const MAX_WINDOW: i64 = 0x7fff_ffff;
/// Windows where nothing else is said (RFC 9113 §6.9.2).
const WINDOW: i64 = 65_535;
/// What lighttpd opens a window by, whatever was used of it.
const GATHERED: u32 = 16_384;
const SECOND: u64 = 1_000_000_000;

/// The connection ends: with this error and these words, or without a word.
#[derive(Debug)]
enum End {
    Goaway(u32, &'static str),
    Silent,
}

type Judged = Result<(), End>;

const fn end(code: u32, text: &'static str) -> End {
    End::Goaway(code, text)
}

/// A connection.
#[derive(Debug)]
pub(super) struct Two {
    spec: Arc<super::spec::HttpSpec>,
    huffman: Huffman,
    decoder: Decoder,
    encoder: Encoder,
    /// What came and is no whole frame yet.
    input: Vec<u8>,
    /// Octets of the preface that have come.
    greeted: usize,
    /// The client's first settings have come.
    settled: bool,
    /// A frame that is not kept while it comes: its head, and what is to come of it.
    passing: Option<(Head, usize)>,
    block: Option<Block>,
    streams: Vec<Stream>,
    /// The last stream that the client has opened.
    last: u32,
    /// What the client takes: of all streams, of a new one, and in one frame.
    window: i64,
    initial: i64,
    frame: usize,
    /// Control frames that go out when all that came was judged.
    control: Vec<u8>,
    /// Octets of bodies for which no window was opened yet.
    consumed: u32,
    counts: Counts,
    opened: u64,
    heard: u64,
    /// When a stream was last open.
    busy: u64,
    /// A field of a request has come.
    asked: bool,
    /// The stream whose headers have begun to come, and when they stopped.
    cut: Option<(u32, u64)>,
    /// The stream that was given up while its headers came.
    forgotten: Option<u32>,
    over: bool,
    /// How it came to its end.
    ending: Ending,
}

/// How a connection came to its end, which decides for how long the server reads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// By the client.
    #[default]
    Left,
    /// By an error, or by answers that are not taken.
    Failed,
    /// By silence.
    Late,
}

/// What a client has done, to know when it is too much.
#[derive(Debug, Default)]
struct Counts {
    burst: u64,
    new: usize,
    refused: usize,
    acks: usize,
    priorities: usize,
    /// Resets that are still allowed, and since when.
    resets: u64,
    resets_at: u64,
    total: u64,
    carried: u64,
}

/// Headers that are coming.
#[derive(Debug)]
struct Block {
    stream: u32,
    ended: bool,
    octets: Vec<u8>,
    continuations: usize,
    /// It is read, since what follows depends on it, but not answered.
    ignored: bool,
    /// It comes behind a body.
    trailing: bool,
}

impl Two {
    /// A connection that begins, on which the server has said what it does first.
    pub(super) fn new(http: &mut Http, now: u64) -> Option<Self> {
        let two = Self::silent(http, now)?;
        two.introduce(http);
        Some(two)
    }

    /// What the server says first.
    fn introduce(&self, http: &mut Http) {
        let two = self.rules();
        let mut out = Vec::new();
        let settings: Vec<u8> = two
            .settings
            .iter()
            .flat_map(|(name, value)| name.to_be_bytes().into_iter().chain(value.to_be_bytes()))
            .collect();
        frame::put(&mut out, SETTINGS, 0, 0, &settings);
        if two.window_update > 0 {
            frame::put(&mut out, WINDOW_UPDATE, 0, 0, &two.window_update.to_be_bytes());
        }
        http.outbox.send(&out);
    }

    /// One on which nothing was said yet.
    fn silent(http: &Http, now: u64) -> Option<Self> {
        let spec = Arc::clone(&http.spec);
        let two = spec.http2.as_ref()?;
        let priorities = two.max_streams().max(100);
        Some(Self {
            huffman: Huffman::new(),
            decoder: Decoder::new(two.reading == Frames::Direct),
            encoder: Encoder::new(two.indexing),
            input: Vec::new(),
            greeted: 0,
            settled: false,
            passing: None,
            block: None,
            streams: Vec::new(),
            last: 0,
            window: WINDOW,
            initial: WINDOW,
            frame: MAX_FRAME,
            control: Vec::new(),
            consumed: 0,
            counts: Counts { priorities, resets: RESETS, resets_at: now, ..Counts::default() },
            opened: now,
            heard: now,
            busy: now,
            asked: false,
            cut: None,
            forgotten: None,
            over: false,
            ending: Ending::Left,
            spec: Arc::clone(&spec),
        })
    }

    fn rules(&self) -> &Http2Spec {
        // There is one wherever there is a connection; the other is never asked.
        const NONE: &Http2Spec = &Http2Spec {
            reading: Frames::Direct,
            indexing: spec::Indexing::Named,
            settings: Vec::new(),
            window_update: 0,
            max_streams: 0,
            max_data: 0,
            max_field: 0,
            max_fields_octets: 0,
            ends_apart: false,
            dates_last: false,
            head_s: 0,
            stalled_s: 0,
            idle_text: alloc::string::String::new(),
            clear: false,
        };
        self.spec.http2.as_ref().unwrap_or(NONE)
    }

    fn is_direct(&self) -> bool {
        self.rules().reading == Frames::Direct
    }

    /// Whether it is a library that judges, strictly and with reasons.
    fn says_why(&self) -> bool {
        self.rules().reading == Frames::Library
    }

    fn is_gathered(&self) -> bool {
        self.rules().reading == Frames::Gathered
    }

    /// Takes octets; returns how many.
    pub(super) fn handle_octets(&mut self, http: &mut Http, now: u64, octets: &[u8]) -> usize {
        if self.over {
            return octets.len();
        }
        self.heard = now;
        if now > self.counts.burst.saturating_add(BURST) {
            (self.counts.burst, self.counts.new) = (now, 0);
        }
        let mut taken = 0;
        while taken < octets.len() && !self.over && !http.outbox.is_behind() {
            let batch = octets.get(taken..).unwrap_or(&[]);
            let batch = batch.get(..MAX_BATCH).unwrap_or(batch);
            self.input.extend_from_slice(batch);
            taken += batch.len();
            self.read(http, now);
        }
        if self.over { octets.len() } else { taken }
    }

    /// Reads what came, and answers.
    fn read(&mut self, http: &mut Http, now: u64) {
        self.counts.acks = 0;
        self.look_busy(now);
        let judged = loop {
            match self.step(http, now) {
                Ok(true) if !http.outbox.is_behind() => {}
                Ok(_) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        if let Err(end) = judged {
            if !self.says_why() {
                self.flush(http);
            }
            self.give_up(http, now, &end);
            return;
        }
        self.look_for_a_cut(now);
        self.flush(http);
        self.turn(http, now);
    }

    /// Work that waited for room or for its time.
    pub(super) fn go_on(&mut self, http: &mut Http, now: u64) {
        if self.over {
            self.farewell(http, now);
        } else if !http.outbox.is_behind() {
            self.look_busy(now);
            self.turn(http, now);
            if !self.input.is_empty() {
                self.read(http, now);
            }
        }
    }

    fn flush(&mut self, http: &mut Http) {
        http.outbox.send(&core::mem::take(&mut self.control));
    }

    /// Ends the connection.
    fn give_up(&mut self, http: &mut Http, now: u64, end: &End) {
        self.control.clear();
        self.ending = Ending::Failed;
        if let End::Goaway(code, text) = end {
            self.goaway(self.last, *code, text);
            self.flush(http);
        }
        self.leave(http, now);
    }

    fn goaway(&mut self, last: u32, code: u32, text: &str) {
        let body = [&last.to_be_bytes(), &code.to_be_bytes(), text.as_bytes()].concat();
        frame::put(&mut self.control, GOAWAY, 0, 0, &body);
    }

    /// The client has ended, or the connection has: what came is told.
    pub(super) fn leave(&mut self, http: &mut Http, now: u64) {
        self.over = true;
        self.input = Vec::new();
        if let Some(block) = self.block.take() {
            http.tell(Kind::ServiceRequest, None, payload(&block.octets));
        }
        self.farewell(http, now);
    }

    /// Tells what is left to be told, as fast as it is fetched, and ends.
    fn farewell(&mut self, http: &mut Http, now: u64) {
        while !self.streams.is_empty() && !http.outbox.is_behind() {
            tell(http, self.streams.remove(0));
        }
        if self.streams.is_empty() && !http.outbox.is_closing() {
            http.end(now, self.ending == Ending::Failed, self.ending == Ending::Late && self.last > 0);
        }
    }
}

/// Tells of a request, with what came of its body.
fn tell(http: &mut Http, stream: Stream) {
    http.offered = stream.offered;
    http.observe(&stream.request, &stream.body);
}

#[cfg(test)]
mod tests;
