//! Logins of HTTP itself: Basic (RFC 7617), Digest (RFC 7616), NTLM ([MS-NTHT]). What was offered is evidence in a form
//! that can be tried offline; nobody is let in but by a planted account.

use alloc::{format, string::String, vec::Vec};

use md5::{Digest, Md5};
use rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::{
    ntlm::{self, Ntlm},
    request::Request,
};
use crate::{Account, keys::secret_stream, text::hex_digit};

/// Seconds that a nonce of Digest is taken for fresh.
const NONCE_LIFE_S: u64 = 300;

/// Who may see a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AuthSpec {
    /// What is offered, in this order: `basic`, `digest`, `ntlm`, `negotiate`.
    pub schemes: Vec<Scheme>,
    /// The realm; placeholders hold.
    pub realm: String,
    /// The domain that NTLM names; the host's name if left out.
    pub domain: String,
    /// Milliseconds until a refusal, and how much chance adds at most.
    pub delay_ms: u32,
    /// See there.
    pub jitter_ms: u32,
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// RFC 7617.
    Basic,
    /// RFC 7616, MD5.
    Digest,
    /// [MS-NTHT].
    Ntlm,
    /// RFC 4559; NTLM inside is understood, Kerberos is not.
    Negotiate,
}

/// What a client has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing.
    Nothing,
    /// The first message of NTLM: it is answered with a challenge of this scheme.
    Opening(Scheme, Vec<u8>),
    /// A secret.
    Secret { kind: &'static str, user: Vec<u8>, secret: Vec<u8>, admitted: bool },
}

/// What a login needs to know of the decoy.
#[derive(Debug)]
pub(super) struct Gate<'g> {
    pub(super) spec: &'g AuthSpec,
    pub(super) realm: &'g str,
    pub(super) hostname: &'g str,
    pub(super) seed: &'g [u8; 16],
    pub(super) accounts: &'g [Account],
    /// Seconds since 1970.
    pub(super) time: u64,
}

impl Gate<'_> {
    /// Reads `Authorization`. A scheme that is not offered is evidence as well, but opens nothing.
    pub(super) fn look(&self, request: &Request, session: &Ntlm) -> Shown {
        let Some(value) = request.value("authorization") else { return Shown::Nothing };
        let space = value.iter().position(|&octet| octet == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(space).unwrap_or((value, &[]));
        let rest = rest.trim_ascii();
        match scheme.to_ascii_lowercase().as_slice() {
            b"basic" => self.basic(rest),
            b"digest" => self.digest(request, rest),
            b"ntlm" => self.ntlm(Scheme::Ntlm, rest, session),
            b"negotiate" => self.ntlm(Scheme::Negotiate, rest, session),
            _ => Shown::Nothing,
        }
    }

    fn basic(&self, text: &[u8]) -> Shown {
        let Some(decoded) = base64(text) else { return Shown::Nothing };
        let colon = decoded.iter().position(|&octet| octet == b':').unwrap_or(decoded.len());
        let (user, secret) = (decoded.get(..colon).unwrap_or(&[]), decoded.get(colon + 1..).unwrap_or(&[]));
        let admitted = self.offers(Scheme::Basic) && Account::admits(self.accounts, user, secret);
        Shown::Secret { kind: "password", user: user.to_vec(), secret: secret.to_vec(), admitted }
    }

    fn digest(&self, request: &Request, text: &[u8]) -> Shown {
        let fields = parameters(text);
        let of = |name: &str| {
            fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map_or(&b""[..], |(_, v)| v.as_slice())
        };
        let user = of("username").to_vec();
        let admitted = self.offers(Scheme::Digest)
            && self.is_fresh(of("nonce"))
            && self.accounts.iter().any(|account| {
                account.user.as_bytes() == user
                    && response(account, of("realm"), request, &of).is_some_and(|r| r.as_bytes() == of("response"))
            });
        // response, user, realm, method, uri, nonce, nc, cnonce, qop: the form that John the Ripper reads (HDAA).
        let parts = [
            of("response"),
            &user,
            of("realm"),
            &request.method,
            of("uri"),
            of("nonce"),
            of("nc"),
            of("cnonce"),
            of("qop"),
        ];
        let mut secret = b"$response$".to_vec();
        secret.extend(parts.join(&b'$'));
        Shown::Secret { kind: "digest", user, secret, admitted }
    }

    fn ntlm(&self, scheme: Scheme, text: &[u8], session: &Ntlm) -> Shown {
        let Some(message) = base64(text) else { return Shown::Nothing };
        match session.take(&message) {
            // A server without NTLM has no challenge to give, nor any names in one.
            ntlm::Took::Opening if !self.offers(scheme) => Shown::Nothing,
            ntlm::Took::Opening => Shown::Opening(scheme, session.challenge(self.domain(), self.hostname, self.time)),
            ntlm::Took::Secret { kind, user, secret } => Shown::Secret { kind, user, secret, admitted: false },
            ntlm::Took::Nothing => Shown::Nothing,
        }
    }

    fn domain(&self) -> &str {
        if self.spec.domain.is_empty() { self.hostname } else { &self.spec.domain }
    }

    fn offers(&self, scheme: Scheme) -> bool {
        self.spec.schemes.contains(&scheme)
    }

    /// The values of `WWW-Authenticate` in a refusal. `stale`: the nonce was right once.
    pub(super) fn offers_text(&self, chance: &mut impl Rng) -> Vec<String> {
        let offer = |scheme: &Scheme| match scheme {
            Scheme::Basic => format!("Basic realm=\"{}\"", self.realm),
            Scheme::Digest => format!(
                "Digest realm=\"{}\", nonce=\"{}\", algorithm=MD5, qop=\"auth\"",
                self.realm,
                self.nonce(self.time, chance.next_u32())
            ),
            Scheme::Ntlm => "NTLM".into(),
            Scheme::Negotiate => "Negotiate".into(),
        };
        self.spec.schemes.iter().map(offer).collect()
    }

    /// A nonce that only this decoy makes, and that tells when: nothing needs to be kept of it.
    fn nonce(&self, time: u64, chance: u32) -> String {
        format!("{time:08x}{chance:08x}{}", self.seal(time, chance))
    }

    fn seal(&self, time: u64, chance: u32) -> String {
        let mut key = [0; 16];
        secret_stream(self.seed, "http nonce").fill_bytes(&mut key);
        hex_of(
            &Md5::new()
                .chain_update(key)
                .chain_update(time.to_le_bytes())
                .chain_update(chance.to_le_bytes())
                .finalize(),
        )
    }

    fn is_fresh(&self, nonce: &[u8]) -> bool {
        let Ok(text) = core::str::from_utf8(nonce) else { return false };
        let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let (Some(time), Some(chance)) = (part(0, 8), part(8, 16).and_then(|c| u32::try_from(c).ok())) else {
            return false;
        };
        self.nonce(time, chance) == text && self.time.saturating_sub(time) <= NONCE_LIFE_S
    }
}

/// RFC 7616 §3.4.1, for MD5.
fn response<'f>(account: &Account, realm: &[u8], request: &Request, of: &impl Fn(&str) -> &'f [u8]) -> Option<String> {
    let joined = |parts: &[&[u8]]| hex_of(&Md5::digest(parts.join(&b':')));
    let secret = joined(&[account.user.as_bytes(), realm, account.password.as_bytes()]);
    let what = joined(&[&request.method, of("uri")]);
    match of("qop") {
        b"" => Some(joined(&[secret.as_bytes(), of("nonce"), what.as_bytes()])),
        b"auth" => Some(joined(&[secret.as_bytes(), of("nonce"), of("nc"), of("cnonce"), b"auth", what.as_bytes()])),
        _ => None,
    }
}

/// `name=value, name="quoted \" value"`.
fn parameters(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    let mut rest = text.trim_ascii();
    while let Some(equals) = rest.iter().position(|&octet| octet == b'=') {
        let name = rest.get(..equals).unwrap_or(&[]).trim_ascii();
        let name = name.strip_prefix(b",").unwrap_or(name).trim_ascii().to_vec();
        rest = rest.get(equals + 1..).unwrap_or(&[]).trim_ascii_start();
        let mut value = Vec::new();
        let mut used = 0;
        if rest.first() == Some(&b'"') {
            used = 1;
            while let Some(&octet) = rest.get(used) {
                used += 1;
                match octet {
                    b'"' => break,
                    b'\\' => {
                        value.extend(rest.get(used));
                        used += 1;
                    }
                    _ => value.push(octet),
                }
            }
        } else {
            while let Some(&octet) = rest.get(used).filter(|octet| **octet != b',') {
                value.push(octet);
                used += 1;
            }
        }
        rest = rest.get(used..).unwrap_or(&[]).trim_ascii_start();
        out.push((name, value));
        if out.len() > 32 {
            break;
        }
    }
    out
}

pub(super) fn hex_of(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Base 64 (RFC 4648 §4), padding optional, nothing else between.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0u32, 0u32);
    for &letter in text {
        let digit = DIGITS.iter().position(|&digit| digit == letter)?;
        bits = (bits << 6 | u32::try_from(digit).ok()?) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

/// The same backwards.
pub(super) fn to_base64(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len() / 3 * 4 + 4);
    for three in octets.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (at, &octet)| bits | u32::from(octet) << (16 - 8 * at));
        for place in 0..4 {
            if place <= three.len() {
                let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
                out.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'A')));
            } else {
                out.push('=');
            }
        }
    }
    out
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `%XX` and `+` of a form (WHATWG URL §5.1).
pub(super) fn form_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after.first_chunk::<2>()) {
            (b'+', _) => out.push(b' '),
            (b'%', Some([high, low])) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after.get(2..).unwrap_or(&[]);
                }
                _ => out.push(octet),
            },
            _ => out.push(octet),
        }
    }
    out
}
