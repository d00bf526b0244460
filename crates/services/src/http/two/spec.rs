//! HTTP/2 as one server speaks it, as data.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// A server of HTTP/2, beside what it says over HTTP/1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Http2Spec {
    /// How frames and messages are judged.
    pub reading: Frames,
    /// How headers are written.
    pub indexing: Indexing,
    /// What it says first, as pairs of an identifier and a value (RFC 9113 §6.5.2).
    pub settings: Vec<(u16, u32)>,
    /// What it adds to the window of the connection at once; 0: nothing.
    pub window_update: u32,
    /// Streams at a time; 100 if left out.
    pub max_streams: u16,
    /// Octets of one frame of data at most; 16,384 if left out.
    pub max_data: u32,
    /// Octets of one string or field at most; 8,192 if left out.
    pub max_field: u32,
    /// Octets of the fields of one request at most; 32,768 if left out.
    pub max_fields_octets: u32,
    /// The end of a body is said by a frame of its own.
    pub ends_apart: bool,
    /// `Date` and `Server` are said last, but where a request is refused before it is one.
    pub dates_last: bool,
    /// Seconds that a client has for its first request; 0: as for that of HTTP/1.
    pub head_s: u32,
    /// Seconds that a client has to take an answer, where it opens no window; 0: as if nothing were left to be sent.
    pub stalled_s: u32,
    /// What a client is told that was silent for too long.
    pub idle_text: String,
    /// It is spoken without TLS as well: to a client that begins with it, or asks for `Upgrade: h2c`.
    pub clear: bool,
}

/// How frames and messages are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frames {
    /// As nginx does: each is answered as soon as it is read, a malformed message by a page.
    #[default]
    Direct,
    /// As libnghttp2 does for Apache: what came together is judged before any of it is answered, a malformed message
    /// ends its stream, and the end of a connection has its reason in words.
    Library,
    /// As lighttpd does: what came together is answered together, a malformed message by a page, and windows are opened by
    /// the same amount with every frame.
    Gathered,
}

/// How headers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Indexing {
    /// Some names by number, all values in full, again and again.
    #[default]
    Named,
    /// What was said once is referred to, but for what libnghttp2 takes for another each time.
    Table,
    /// All that was said once is referred to.
    All,
}

impl Http2Spec {
    pub(super) fn max_streams(&self) -> usize {
        usize::from(if self.max_streams == 0 { 100 } else { self.max_streams })
    }

    pub(super) fn max_data(&self) -> usize {
        size(self.max_data, 16_384)
    }

    pub(super) fn max_field(&self) -> usize {
        size(self.max_field, 8192)
    }

    pub(super) fn max_fields_octets(&self) -> usize {
        size(self.max_fields_octets, 32_768)
    }

    /// One of the settings, or what it is where it is not said.
    pub(super) fn setting(&self, name: u16, otherwise: u32) -> u32 {
        self.settings.iter().find(|(other, _)| *other == name).map_or(otherwise, |&(_, value)| value)
    }
}

fn size(value: u32, otherwise: usize) -> usize {
    if value == 0 { otherwise } else { usize::try_from(value).unwrap_or(otherwise) }
}
