//! Logins by form: which fields hold a name and a password, urlencoded or JSON, and what a right or a wrong one brings.
//! A session is a cookie that only this decoy can have made; nothing is kept of it.

use alloc::{format, string::String, vec::Vec};

use rand_core::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    auth::{form_decode, hex_of},
    request::Request,
};
use crate::{keys::secret_stream, limits::http::MAX_FIELDS, text::octets_of_hex};

/// A login form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FormSpec {
    /// Where it is sent to.
    pub path: String,
    /// Where those who are not logged in are sent.
    pub page: String,
    /// Fields that may hold the name; left out: only a password is asked for, of this `user`.
    pub user_fields: Vec<String>,
    /// Whose password is asked for where no name is.
    pub user: String,
    /// Fields that may hold the password.
    pub password_fields: Vec<String>,
    /// Status of a refusal; 200 if left out.
    pub refused_status: u16,
    /// Where a refusal leads (`Location`); empty: it has a page of its own.
    pub refused_location: String,
    /// `Content-Type` and body of a refusal.
    pub refused_type: String,
    /// See there; placeholders hold.
    pub refused_body: String,
    /// Where a login leads.
    pub admitted_location: String,
    /// What a login is answered with where it leads nowhere (JSON).
    pub admitted_body: String,
    /// Name of the session's cookie; empty: none.
    pub cookie: String,
    /// Attributes of the cookie: `Path=/; HttpOnly`.
    pub cookie_attributes: String,
    /// Milliseconds until a refusal, and how much chance adds at most.
    pub delay_ms: u32,
    /// See there.
    pub jitter_ms: u32,
}

impl FormSpec {
    /// Name and password of a body; `None`: it has no password.
    pub(super) fn read(&self, request: &Request, body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let json = request.value("content-type").is_some_and(|kind| kind.starts_with(b"application/json"))
            || body.trim_ascii_start().first() == Some(&b'{');
        let fields = if json { json_fields(body) } else { form_fields(body) };
        let of = |names: &[String]| {
            fields.iter().find(|(name, _)| names.iter().any(|n| n.as_bytes() == name)).map(|(_, value)| value.clone())
        };
        let secret = of(&self.password_fields)?;
        let user = of(&self.user_fields).unwrap_or_else(|| self.user.as_bytes().to_vec());
        Some((user, secret))
    }

    /// The cookie of a session; `inside`: of one that is logged in.
    pub(super) fn make_cookie(&self, seed: &[u8; 16], inside: bool, chance: &mut impl Rng) -> String {
        let mut name = [0; 8];
        chance.fill_bytes(&mut name);
        let value = format!("{}{}", hex_of(&name), seal(seed, &name, inside));
        let attributes = if self.cookie_attributes.is_empty() { "Path=/" } else { &self.cookie_attributes };
        format!("{}={value}; {attributes}", self.cookie)
    }

    /// Whether a request belongs to a session that is logged in.
    pub(super) fn is_inside(&self, seed: &[u8; 16], request: &Request) -> bool {
        self.cookie_of(request).is_some_and(|value| {
            let name = value.get(..16).map(octets_of_hex);
            name.is_some_and(|name| value.get(16..) == Some(seal(seed, &name, true).as_bytes()))
        })
    }

    /// The session's cookie as the client sent it.
    pub(super) fn cookie_of<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        let all = request.value("cookie").filter(|_| !self.cookie.is_empty())?;
        all.split(|&octet| octet == b';')
            .map(<[u8]>::trim_ascii)
            .find_map(|pair| pair.strip_prefix(self.cookie.as_bytes())?.strip_prefix(b"="))
    }
}

/// Sixteen digits that nobody else can make for a session of that name.
fn seal(seed: &[u8; 16], name: &[u8], inside: bool) -> String {
    let mut key = [0; 32];
    secret_stream(seed, "http session").fill_bytes(&mut key);
    let digest = Sha256::new().chain_update(key).chain_update([u8::from(inside)]).chain_update(name).finalize();
    hex_of(digest.get(..8).unwrap_or(&[]))
}

fn form_fields(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pair = |pair: &[u8]| {
        let equals = pair.iter().position(|&octet| octet == b'=').unwrap_or(pair.len());
        let value = pair.get(equals + 1..).unwrap_or(&[]);
        (form_decode(pair.get(..equals).unwrap_or(pair)), form_decode(value))
    };
    body.split(|&octet| octet == b'&').take(MAX_FIELDS).map(pair).collect()
}

/// All members of a JSON text whose values are strings, at any depth: `{"login":{"user":"a","password":"b"}}`.
fn json_fields(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut out, mut name, mut rest) = (Vec::new(), None::<Vec<u8>>, body);
    while let Some(quote) = rest.iter().position(|&octet| octet == b'"') {
        let before = rest.get(..quote).unwrap_or(&[]).trim_ascii();
        let (text, length) = json_string(rest.get(quote + 1..).unwrap_or(&[]));
        match name.take().filter(|_| before == b":") {
            Some(name) => out.push((name, text)),
            None => name = Some(text),
        }
        rest = rest.get(quote + 1 + length..).unwrap_or(&[]);
        if out.len() >= MAX_FIELDS {
            break;
        }
    }
    out
}

/// A string up to its closing quote (RFC 8259 §7), and how many octets it took.
fn json_string(octets: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&octet) = octets.get(at) {
        at += 1;
        match octet {
            b'"' => break,
            b'\\' => {
                let escaped = octets.get(at).copied().unwrap_or(b'\\');
                at += 1;
                match escaped {
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'b' => out.push(8),
                    b'f' => out.push(12),
                    b'u' => {
                        let digits = octets.get(at..at + 4).and_then(|four| core::str::from_utf8(four).ok());
                        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                        let letter = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                        at += 4;
                    }
                    other => out.push(other),
                }
            }
            _ => out.push(octet),
        }
    }
    (out, at)
}
