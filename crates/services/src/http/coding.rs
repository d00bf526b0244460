//! Answers in gzip (RFC 1952): who is given one, and what it says of itself. The octets are not those of zlib, which
//! makes its choices otherwise; what comes out of them is the same, and so are all other fields.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{
    request::{Request, Version},
    respond::Answer,
};

/// How a server compresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GzipSpec {
    /// How `Accept-Encoding` is read.
    pub reading: Accepting,
    /// Types of what is compressed, without parameters.
    pub types: Vec<String>,
    /// Statuses of what is compressed; left out: pages alone are, with 200.
    pub statuses: Vec<u16>,
    /// Octets from which on it is worth it.
    pub min_octets: u32,
    /// Level, 1 to 9; 6 if left out.
    pub level: u8,
    /// Clients of HTTP/1.0 and those behind a proxy (`Via`) are given it as well.
    pub for_all: bool,
    /// How the tag of a compressed file is changed.
    pub tag: CodedTag,
    /// Ranges are those of what was compressed; otherwise they mean nothing.
    pub ranges: bool,
    /// The length is not told: it comes in chunks.
    pub chunked: bool,
    /// Order of the headers, if it is another one; as that of the server.
    pub header_order: Vec<String>,
}

/// How `Accept-Encoding` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accepting {
    /// The first field is searched for the word, and its weight is read strictly (nginx).
    #[default]
    Word,
    /// All fields, token by token; any weight but one that is written as nothing will do (Apache).
    Tokens,
}

/// How the tag of a compressed file is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodedTag {
    /// It becomes a weak one.
    #[default]
    Weak,
    /// `-gzip` is put at its end.
    Suffix,
}

impl GzipSpec {
    /// Whether an answer of that status, type and length is compressed for whoever asks so.
    pub(super) fn applies(&self, request: &Request, status: u16, kind: &str, length: usize) -> bool {
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        let current = request.version == Version::Current && request.value("via").is_none();
        (self.statuses.is_empty() && status == 200 || self.statuses.contains(&status))
            && self.types.iter().any(|other| other.eq_ignore_ascii_case(kind))
            && length >= usize::try_from(self.min_octets).unwrap_or(usize::MAX)
            && (self.for_all || current)
            && match self.reading {
                Accepting::Word => request.value("accept-encoding").is_some_and(has_word),
                Accepting::Tokens => request.joined("accept-encoding").is_some_and(|list| has_token(&list)),
            }
    }

    /// The tag of a file whose own is `tag`.
    pub(super) fn tag_of(&self, tag: &str) -> String {
        match (self.tag, tag.strip_suffix('"')) {
            (_, None) => tag.into(),
            (CodedTag::Weak, _) if tag.starts_with("W/") => tag.into(),
            (CodedTag::Weak, _) => ["W/", tag].concat(),
            (CodedTag::Suffix, Some(open)) => [open, "-gzip\""].concat(),
        }
    }

    /// The answer, compressed.
    pub(super) fn encode(&self, mut answer: Answer) -> Answer {
        answer.body = gzip(&answer.body, if self.level == 0 { 6 } else { self.level });
        answer.coded = true;
        answer.chunked = self.chunked;
        answer.with("Content-Encoding", "gzip")
    }
}

/// `gzip` between commas or spaces, weighed as `ngx_http_gzip_accept_encoding` weighs it.
fn has_word(value: &[u8]) -> bool {
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| value.get(before));
        value.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(b"gzip"))
            && before.is_none_or(|octet| matches!(octet, b',' | b' '))
    };
    let Some(at) = (0..value.len()).find(|&at| begins(at)) else { return false };
    let mut rest = trim_spaces(value.get(at + 4..).unwrap_or(&[]));
    match rest.split_first() {
        None | Some((b',', _)) => return true,
        Some((b';', after)) => rest = trim_spaces(after),
        Some(_) => return false,
    }
    match rest {
        [] => true,
        [b'q' | b'Q', b'=', weight @ ..] => is_some_weight(weight),
        _ => false,
    }
}

fn trim_spaces(mut octets: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = octets {
        octets = rest;
    }
    octets
}

/// Whether a weight (RFC 9110 §12.4.2) is one, and more than nothing.
fn is_some_weight(text: &[u8]) -> bool {
    let end = text.iter().position(|octet| matches!(octet, b',' | b' ')).unwrap_or(text.len());
    match text.get(..end).unwrap_or(text) {
        b"1" => true,
        [whole @ (b'0' | b'1'), b'.', digits @ ..] => {
            let nothing = digits.iter().all(|&digit| digit == b'0');
            digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) && nothing == (*whole == b'1')
        }
        _ => false,
    }
}

/// The first token that is `gzip`, unless its parameter says that it is not wanted.
fn has_token(list: &[u8]) -> bool {
    let mut rest = list;
    loop {
        let (token, after) = next_token(rest, false);
        rest = after;
        if token.is_empty() {
            return false;
        }
        if token.eq_ignore_ascii_case(b"gzip") {
            while let [b';', after @ ..] = rest {
                rest = after.trim_ascii_start();
            }
            let unwanted: [&[u8]; 5] = [b"q=0", b"q=0.", b"q=0.0", b"q=0.00", b"q=0.000"];
            return !unwanted.contains(&next_token(rest, true).0);
        }
        while let [b';', after @ ..] = rest {
            rest = next_token(after, true).1;
        }
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
}

/// A token and what follows it: it ends with a comma, a semicolon, or a space if none is allowed in it, but not inside
/// quotes.
fn next_token(text: &[u8], spaces: bool) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let mut quoted = false;
    let end = text.iter().position(|&octet| {
        quoted ^= octet == b'"';
        !quoted && (matches!(octet, b',' | b';') || !spaces && octet.is_ascii_whitespace())
    });
    let (token, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, &[]));
    (token, rest.trim_ascii_start())
}

/// RFC 1952: no name and no time; the fastest level is told (`XFL` 4), and the system is Unix.
fn gzip(octets: &[u8], level: u8) -> Vec<u8> {
    let mut out = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, if level == 1 { 4 } else { 0 }, 3].to_vec();
    out.extend(miniz_oxide::deflate::compress_to_vec(octets, level));
    out.extend(crc32(octets).to_le_bytes());
    // The length is told modulo 2^32.
    let length = u64::try_from(octets.len()).unwrap_or(u64::MAX).to_le_bytes();
    out.extend(length.first_chunk::<4>().unwrap_or(&[0; 4]));
    out
}

/// RFC 1952 §8.
fn crc32(octets: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for &octet in octets {
        rest ^= u32::from(octet);
        for _ in 0..8 {
            rest = rest >> 1 ^ if rest & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !rest
}

#[cfg(test)]
mod tests;
