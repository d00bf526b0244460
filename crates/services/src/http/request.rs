//! A request as it was read: octets and what they say, whoever read them.

use alloc::{vec, vec::Vec};

use crate::text::hex_digit;

/// Why a head is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    /// Which error of that status ([`super::spec::HttpError::when`]).
    pub(super) when: &'static str,
    /// What was read of the request until then; it decides whether there is a body, and names the host.
    pub(super) request: Request,
}

/// A request, or the part of one that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) line: Vec<u8>,
    pub(super) method: Vec<u8>,
    /// As sent.
    pub(super) target: Vec<u8>,
    /// Host of an absolute target.
    pub(super) authority: Vec<u8>,
    /// Path and query of the target, not decoded.
    pub(super) path: Vec<u8>,
    pub(super) version: Version,
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Name of the host that is asked for, in lower case, and its port.
    pub(super) host: Vec<u8>,
    pub(super) port: Option<u16>,
    pub(super) framing: Framing,
    /// The target was wrong; that is said when the fields are read.
    pub(super) misdirected: bool,
    /// The framing was contradictory: the connection does not outlive the answer.
    pub(super) suspicious: bool,
}

/// Version of HTTP; 0.9 has no version and no head in its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Simple,
    #[default]
    Old,
    Current,
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    #[default]
    None,
    Length(u64),
    Chunked,
}

impl Request {
    /// The values of a field, joined as RFC 9110 §5.3 allows.
    pub(super) fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let mut all = self.values(name);
        let mut joined = all.next()?.to_vec();
        for value in all {
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(value);
        }
        Some(joined)
    }

    /// The first value of a field.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    fn values<'r>(&'r self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        self.fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_slice())
    }

    pub(super) fn agent(&self) -> &[u8] {
        self.value("user-agent").unwrap_or(b"")
    }

    /// Whether `Connection` names an option.
    pub(super) fn connection_says(&self, word: &str) -> bool {
        self.value_says("connection", word)
    }

    /// Whether a list in a field has this word.
    pub(super) fn value_says(&self, name: &str, word: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|&octet| octet == b','))
            .any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.method == method.as_bytes()
    }

    pub(super) fn refused(self, status: u16) -> Fault {
        self.refused_for(status, "")
    }

    pub(super) fn refused_for(self, status: u16, when: &'static str) -> Fault {
        Fault { status, when, request: self }
    }
}

/// Digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(digits).ok()?;
    (!text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A path without its query, decoded, without `.`, `..` and empty names.
pub(super) fn normalise(path: &[u8], rules: &super::spec::HttpRules) -> Result<Vec<u8>, u16> {
    let end = path.iter().position(|&octet| octet == b'?' || octet == b'#').unwrap_or(path.len());
    if path.contains(&b'#') && rules.fragment != 0 {
        return Err(rules.fragment);
    }
    let decoded = decode(path.get(..end).unwrap_or(path), rules)?;
    let mut names: Vec<&[u8]> = vec![];
    let mut last_is_folder = false;
    for name in decoded.split(|&octet| octet == b'/') {
        last_is_folder = true;
        match name {
            b"" | b"." => {}
            b".." => {
                if names.pop().is_none() && rules.above_root != 0 {
                    return Err(rules.above_root);
                }
            }
            _ => {
                names.push(name);
                last_is_folder = false;
            }
        }
    }
    let mut out = Vec::with_capacity(decoded.len() + 1);
    for name in &names {
        out.push(b'/');
        out.extend_from_slice(name);
    }
    if last_is_folder {
        out.push(b'/');
    }
    let limit = usize::from(rules.max_name);
    if limit > 0 && names.iter().any(|name| name.len() > limit) {
        return Err(403);
    }
    Ok(out)
}

/// Octets for `%XX`.
fn decode(path: &[u8], rules: &super::spec::HttpRules) -> Result<Vec<u8>, u16> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    let mut later = None;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let digits = after.first_chunk::<2>().and_then(|two| Some(hex_digit(two[0])? << 4 | hex_digit(two[1])?));
        match digits {
            None if rules.bad_percent != 0 => return Err(rules.bad_percent),
            None => out.push(octet),
            Some(value) => {
                rest = after.get(2..).unwrap_or(&[]);
                match value {
                    b'/' if rules.encoded_slash != 0 => later = later.or(Some(rules.encoded_slash)),
                    0 if rules.encoded_nul != 0 => later = later.or(Some(rules.encoded_nul)),
                    _ => {}
                }
                out.push(value);
            }
        }
    }
    later.map_or(Ok(out), Err)
}
