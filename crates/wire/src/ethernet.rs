//! Ethernet II, 802.1Q tags, and what is neither: 802.3 with LLC/SNAP (IEEE 802.3 §3, 802.1Q §9).

use core::{fmt, str::FromStr};

use crate::Sink;

/// A 48-bit hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// `00:00:00:00:00:00`, as in the target field of an ARP request.
    pub const ZERO: Self = Self([0; 6]);

    /// The group bit: set for broadcast and every multicast address.
    #[must_use]
    pub fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The locally administered bit (IEEE 802 §8.4).
    #[must_use]
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// The first three octets.
    #[must_use]
    pub fn oui(self) -> [u8; 3] {
        let [a, b, c, ..] = self.0;
        [a, b, c]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not six pairs of hexadecimal digits joined by `:`, or by `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMac;

impl fmt::Display for NotAMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a hardware address; write six pairs of hexadecimal digits: 00:50:56:9a:10:07")
    }
}

impl core::error::Error for NotAMac {}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut octets = [0; 6];
        let mut parts = text.split(if text.contains('-') { '-' } else { ':' });
        for octet in &mut octets {
            let part = parts.next().filter(|p| p.len() == 2).ok_or(NotAMac)?;
            if !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(NotAMac);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| NotAMac)?;
        }
        if parts.next().is_some() { Err(NotAMac) } else { Ok(Self(octets)) }
    }
}

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of an 802.1Q tag.
pub const VLAN: u16 = 0x8100;
/// EtherType of a service tag (IEEE 802.1ad).
pub const SERVICE_VLAN: u16 = 0x88a8;
/// Tags that are read; nobody stacks more where one of them is a priority tag.
const MAX_TAGS: usize = 2;
/// EtherType of LLDP.
pub const LLDP: u16 = 0x88cc;
/// Shortest frame without its check sequence; a network card pads shorter ones with zeros (IEEE 802.3 §4.2.3.3).
pub const MIN_FRAME: usize = 60;
/// Header of an untagged frame.
pub const HEADER: usize = 14;
/// Lowest value of the type field that is an EtherType and not an 802.3 length.
const FIRST_ETHERTYPE: u16 = 0x0600;

/// What follows the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Ethernet II: an EtherType and its payload.
    Type(u16, &'a [u8]),
    /// IEEE 802.3 with a length field: LLC, perhaps SNAP. Decoys do not answer IP in it, as hosts do not.
    Llc(&'a [u8]),
}

/// A received frame; of its tags the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Destination address.
    pub destination: Mac,
    /// Source address.
    pub source: Mac,
    /// The 802.1Q tag control field, if there was a tag.
    pub tag: Option<u16>,
    /// What is inside.
    pub content: Content<'a>,
}

impl<'a> Frame<'a> {
    /// Reads a frame. `None` if it is too short for its own headers.
    #[must_use]
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk::<HEADER>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *head;
        let mut kind = u16::from_be_bytes([t0, t1]);
        let mut rest = rest;
        let mut tag: Option<u16> = None;
        // A priority tag names no network (IEEE 802.1Q §6.9.1), so another may follow it.
        for _ in 0..MAX_TAGS {
            if !matches!(kind, VLAN | SERVICE_VLAN) || tag.is_some_and(|tag| tag & 0x0fff != 0) {
                break;
            }
            let ([c0, c1, k0, k1], inner) = rest.split_first_chunk::<4>()?;
            tag = Some(u16::from_be_bytes([*c0, *c1]));
            kind = u16::from_be_bytes([*k0, *k1]);
            rest = inner;
        }
        let content = if kind >= FIRST_ETHERTYPE {
            Content::Type(kind, rest)
        } else {
            // The length leaves the padding out; one that is too long is a lie, and what came is kept.
            Content::Llc(rest.get(..usize::from(kind)).unwrap_or(rest))
        };
        Some(Self { destination: Mac([d0, d1, d2, d3, d4, d5]), source: Mac([s0, s1, s2, s3, s4, s5]), tag, content })
    }

    /// The VLAN the frame belongs to: `None` for untagged and for priority-tagged (VLAN 0) frames.
    #[must_use]
    pub fn vlan(&self) -> Option<u16> {
        self.tag.map(|t| t & 0x0fff).filter(|&v| v != 0)
    }
}

/// The header of a frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Destination address.
    pub destination: Mac,
    /// Source address.
    pub source: Mac,
    /// VLAN to tag the frame with.
    pub vlan: Option<u16>,
    /// EtherType of the payload.
    pub kind: u16,
}

impl Header {
    /// Writes the header; the payload follows.
    pub fn emit(&self, out: &mut impl Sink) {
        out.put(&self.destination.0);
        out.put(&self.source.0);
        if let Some(vlan) = self.vlan {
            out.put(&VLAN.to_be_bytes());
            out.put(&(vlan & 0x0fff).to_be_bytes());
        }
        out.put(&self.kind.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
