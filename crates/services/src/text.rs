//! Texts in which a server names itself, and what they derive from.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::{fmt::Write, net::IpAddr};

use chaff_wire::Mac;

use crate::Identity;

/// Letters and digits of a serial number: those that labels use, without the ones that are read as others.
const SERIAL_LETTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPRSTUVWXY";
/// Characters of a serial number.
const SERIAL_LENGTH: usize = 10;

/// An [`Identity`] that a conversation keeps.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    hostname: String,
    ip: IpAddr,
    mac: Mac,
    seed: [u8; 16],
    serial: Option<Box<str>>,
}

impl Who {
    pub(crate) fn new(identity: &Identity<'_>) -> Self {
        Self {
            hostname: identity.hostname.into(),
            ip: identity.ip,
            mac: identity.mac,
            seed: identity.seed,
            serial: identity.serial.map(Box::from),
        }
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity {
            hostname: &self.hostname,
            ip: self.ip,
            mac: self.mac,
            seed: self.seed,
            serial: self.serial.as_deref(),
        }
    }

    /// Puts the placeholders in. Braces around anything else stay as they are: pages are full of them.
    pub(crate) fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        fill_with(text, |name, out| match name {
            "hostname" => out.write_str(&self.hostname).is_ok(),
            "ip" => write!(out, "{}", self.ip).is_ok(),
            "mac" => write!(out, "{}", self.mac).is_ok(),
            // The hardware address as 64 bits, as Zigbee bridges name themselves.
            "eui64" => write!(out, "{:016x}", eui64(self.mac)).is_ok(),
            "EUI64" => write!(out, "{:016X}", eui64(self.mac)).is_ok(),
            "serial" => {
                self.write_serial(out);
                true
            }
            "uuid" => self.write_uuid(out),
            // Eight digits that a build's files carry in their names and links.
            "asset" => write!(out, "{:08x}", mix(&self.seed, 0xa55e7) & 0xffff_ffff).is_ok(),
            // A build's number, as devices print it beside their version.
            "firmware-build" => write!(out, "{}", 1000 + mix(&self.seed, 0xb171d) % 8000).is_ok(),
            _ => false,
        })
    }

    /// Puts the placeholders in and resolves escapes.
    pub(crate) fn say(&self, text: &str) -> Vec<u8> {
        unescape(&self.fill(text))
    }

    pub(crate) fn hostname(&self) -> &str {
        &self.hostname
    }

    pub(crate) fn seed(&self) -> &[u8; 16] {
        &self.seed
    }

    /// Version 4 in form (RFC 9562 §5.4), the decoy's own for ever.
    fn write_uuid(&self, out: &mut String) -> bool {
        let (high, low) = (mix(&self.seed, 0x001d), mix(&self.seed, 0x101d));
        let variant = (low >> 48 & 0x3fff) | 0x8000;
        let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0x0fff);
        write!(out, "{first:08x}-{second:04x}-4{third:03x}-{variant:04x}-{:012x}", low & 0xffff_ffff_ffff).is_ok()
    }

    fn write_serial(&self, out: &mut String) {
        if let Some(chosen) = &self.serial {
            return out.push_str(chosen);
        }
        let mut bits = mix(&self.seed, 0x5e71a1);
        for _ in 0..SERIAL_LENGTH {
            let place = usize::try_from(bits % 32).unwrap_or(0);
            out.push(char::from(SERIAL_LETTERS.get(place).copied().unwrap_or(b'0')));
            bits >>= 5;
        }
    }
}

/// The 64 bits in which a hardware address of 48 is written, `fffe` in its middle.
fn eui64(mac: Mac) -> u64 {
    let Mac([a, b, c, d, e, f]) = mac;
    u64::from_be_bytes([a, b, c, 0xff, 0xfe, d, e, f])
}

/// Replaces each `{name}` that `write` knows; `write` returns whether it does.
pub(crate) fn fill_with(text: &str, write: impl Fn(&str, &mut String) -> bool) -> Cow<'_, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        out.push_str(before);
        match from.split_once('}') {
            Some((name, after)) if write(name, &mut out) => rest = after,
            _ => {
                out.push('{');
                rest = from;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Resolves `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN`; any other backslash stays.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        let (octet, after) = if octet == b'\\' { escaped(after).unwrap_or((octet, after)) } else { (octet, after) };
        out.push(octet);
        rest = after;
    }
    out
}

fn escaped(after: &[u8]) -> Option<(u8, &[u8])> {
    let (&letter, rest) = after.split_first()?;
    match letter {
        b'r' => Some((b'\r', rest)),
        b'n' => Some((b'\n', rest)),
        b't' => Some((b'\t', rest)),
        b'0' => Some((0, rest)),
        b'\\' => Some((b'\\', rest)),
        b'x' => {
            let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
            Some((hex_digit(high)? << 4 | hex_digit(low)?, rest))
        }
        _ => None,
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// What pairs of hexadecimal digits stand for; ends at what is none.
pub(crate) fn octets_of_hex(digits: &[u8]) -> Vec<u8> {
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map_while(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?)).collect()
}

/// Chance that stays the same for a decoy: 64 bits of `seed` for one purpose.
pub(crate) fn mix(seed: &[u8; 16], purpose: u64) -> u64 {
    let [low, high] = [0, 8]
        .map(|at| seed.get(at..).and_then(|s| s.first_chunk::<8>()).map_or(0, |octets| u64::from_le_bytes(*octets)));
    scramble(low ^ scramble(high ^ scramble(purpose)))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input moves every bit of the output.
pub(crate) fn scramble(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests;
