//! Responses, to the octet.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use super::spec::{Announced, HttpError, HttpSpec};
use crate::calendar::Moment;

/// An answer before its headers are put in order.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Empty: that of RFC 9110.
    pub(super) reason: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// There is no content, and nothing is said of any.
    pub(super) contentless: bool,
    /// HEAD is not told the length.
    pub(super) silent_head: bool,
    /// Milliseconds until it is sent.
    pub(super) held_ms: u32,
    /// The length is not told.
    pub(super) unmeasured: bool,
    /// It is compressed.
    pub(super) coded: bool,
    /// It comes in chunks, whether or not the connection is kept.
    pub(super) chunked: bool,
}

/// What an answer takes from its request and its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) keeps: bool,
    /// The client asked for the connection to be kept.
    pub(super) asked: bool,
    /// HTTP/0.9: the body alone.
    pub(super) bare: bool,
    /// HTTP/1.1, so that there can be chunks.
    pub(super) current: bool,
    pub(super) without_body: bool,
    /// Requests that the connection still takes.
    pub(super) left: u32,
    pub(super) utc: u64,
}

impl Answer {
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn write(mut self, spec: &HttpSpec, manner: Manner) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 512);
        let kept = self.unmeasured && manner.keeps;
        let chunks = manner.current && if self.chunked { !manner.without_body } else { kept };
        if !manner.bare {
            let minor = u8::from(manner.current || !spec.rules.echoes_version);
            let reason = if self.reason.is_empty() { reason(self.status) } else { &self.reason };
            out.extend(format!("HTTP/1.{minor} {} {reason}\r\n", self.status).into_bytes());
            self.add_general(spec, manner, chunks);
            for (name, value) in &self.headers {
                for piece in [name, ": ", value, "\r\n"] {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
            out.extend_from_slice(b"\r\n");
        }
        if !manner.without_body && !self.contentless {
            if chunks {
                out.extend(format!("{:x}\r\n", self.body.len()).into_bytes());
            }
            out.append(&mut self.body);
            if chunks {
                out.extend_from_slice(b"\r\n0\r\n\r\n");
            }
        }
        out
    }

    /// What every answer has, and the order of all.
    pub(super) fn add_general(&mut self, spec: &HttpSpec, manner: Manner, chunks: bool) {
        let mut add = |name: &str, value: String| self.headers.push((name.into(), value));
        if !spec.server.is_empty() {
            add("Server", spec.server.clone());
        }
        add("Date", Moment::at(manner.utc).imf());
        if !(self.contentless || self.silent_head && manner.without_body) {
            if chunks {
                add("Transfer-Encoding", "chunked".into());
            } else if !self.unmeasured && !self.chunked {
                add("Content-Length", format!("{}", self.body.len()));
            }
        }
        let keeping = &spec.keeping;
        let said = match keeping.announced {
            Announced::Always => true,
            Announced::Asked => manner.asked,
            Announced::AskedByOld => manner.asked && !manner.current,
            Announced::Never => false,
        };
        if !manner.keeps {
            add("Connection", "close".into());
        } else if said {
            if keeping.terms {
                add("Keep-Alive", format!("timeout={}, max={}", keeping.idle_s(), manner.left));
            }
            add("Connection", if keeping.word.is_empty() { "keep-alive".into() } else { keeping.word.clone() });
        }
        for line in &spec.headers {
            let (name, value) = split_header(line);
            add(name, value.into());
        }
        self.headers.retain(|(name, _)| !spec.without.iter().any(|other| other.eq_ignore_ascii_case(name)));
        let coded = spec.gzip.as_ref().filter(|gzip| self.coded && !gzip.header_order.is_empty());
        let order = coded.map_or(&spec.header_order, |gzip| &gzip.header_order);
        let common = ["Server", "Date", "Content-Type", "Content-Length", "Connection"];
        self.headers.sort_by_key(|(name, _)| {
            let is = |other: &str| other.eq_ignore_ascii_case(name);
            if order.is_empty() {
                common.iter().position(|other| is(other)).unwrap_or(common.len())
            } else {
                order.iter().position(|other| is(other)).unwrap_or(order.len())
            }
        });
    }
}

/// The error of this kind, if the server has anything of its own to say of it.
pub(super) fn error_of<'s>(spec: &'s HttpSpec, status: u16, when: &str) -> Option<&'s HttpError> {
    let of = |kind: &str| spec.errors.iter().find(|error| error.status == status && error.when == kind);
    of(when).or_else(|| of(""))
}

pub(super) fn split_header(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name, value.trim())
}

/// Text inside a page: what HTML would read as markup is written out.
pub(super) fn escape_html(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in String::from_utf8_lossy(text).chars() {
        let written: Cow<'_, str> = match letter {
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '&' => "&amp;".into(),
            '"' => "&quot;".into(),
            other => String::from(other).into(),
        };
        out.push_str(&written);
    }
    out
}

/// Reason phrases as RFC 9110 §15 has them.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}
