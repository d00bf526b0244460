//! The data types of RFC 4251 §5: a reader that accepts any nonsense and answers `None`, and what writes them.

use alloc::vec::Vec;

/// Reads from the front; every call that finds too little leaves the reader where it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&octet, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(octet)
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        self.byte().map(|octet| octet != 0)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (octets, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*octets))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (octets, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*octets))
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let before = *self;
        let taken = self.u32().and_then(|length| usize::try_from(length).ok()).and_then(|length| self.take(length));
        if taken.is_none() {
            *self = before;
        }
        taken
    }

    /// A string without a NUL, as servers written in C read names and passwords.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        self.string().filter(|text| !text.contains(&0))
    }

    /// A number that is not negative, without its leading zeros.
    pub(crate) fn mpint(&mut self) -> Option<&'a [u8]> {
        let octets = self.string()?;
        if octets.first().is_some_and(|first| first & 0x80 != 0) {
            return None;
        }
        Some(trim(octets))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What appends the types of RFC 4251 §5 to a message.
pub(crate) trait Put {
    fn put_u32(&mut self, value: u32);
    fn put_string(&mut self, octets: &[u8]);
    fn put_mpint(&mut self, magnitude: &[u8]);
    fn put_names(&mut self, names: &[alloc::string::String]);
}

impl Put for Vec<u8> {
    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_string(&mut self, octets: &[u8]) {
        // No message of ours comes near 4 GiB.
        self.put_u32(u32::try_from(octets.len()).unwrap_or(u32::MAX));
        self.extend_from_slice(octets);
    }

    fn put_mpint(&mut self, magnitude: &[u8]) {
        let magnitude = trim(magnitude);
        let sign = magnitude.first().is_some_and(|first| first & 0x80 != 0);
        self.put_u32(u32::try_from(magnitude.len().saturating_add(usize::from(sign))).unwrap_or(u32::MAX));
        if sign {
            self.push(0);
        }
        self.extend_from_slice(magnitude);
    }

    fn put_names(&mut self, names: &[alloc::string::String]) {
        self.put_string(names.join(",").as_bytes());
    }
}

fn trim(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    octets.get(zeros..).unwrap_or(&[])
}

/// Numbers of messages (RFC 4250 §4.1.2).
pub(crate) mod message {
    pub(crate) const DISCONNECT: u8 = 1;
    pub(crate) const IGNORE: u8 = 2;
    pub(crate) const UNIMPLEMENTED: u8 = 3;
    pub(crate) const DEBUG: u8 = 4;
    pub(crate) const SERVICE_REQUEST: u8 = 5;
    pub(crate) const SERVICE_ACCEPT: u8 = 6;
    pub(crate) const EXT_INFO: u8 = 7;
    pub(crate) const KEXINIT: u8 = 20;
    pub(crate) const NEWKEYS: u8 = 21;
    /// KEXDH_INIT, KEX_ECDH_INIT, KEX_HYBRID_INIT.
    pub(crate) const KEX_INIT: u8 = 30;
    /// KEXDH_REPLY, KEX_ECDH_REPLY, KEX_HYBRID_REPLY; KEX_DH_GEX_GROUP.
    pub(crate) const KEX_REPLY: u8 = 31;
    pub(crate) const KEX_GEX_INIT: u8 = 32;
    pub(crate) const KEX_GEX_REPLY: u8 = 33;
    pub(crate) const KEX_GEX_REQUEST: u8 = 34;
    pub(crate) const USERAUTH_REQUEST: u8 = 50;
    pub(crate) const USERAUTH_FAILURE: u8 = 51;
    pub(crate) const USERAUTH_SUCCESS: u8 = 52;
    pub(crate) const USERAUTH_BANNER: u8 = 53;
    pub(crate) const USERAUTH_INFO_REQUEST: u8 = 60;
    pub(crate) const USERAUTH_INFO_RESPONSE: u8 = 61;
    pub(crate) const GLOBAL_REQUEST: u8 = 80;
    pub(crate) const REQUEST_SUCCESS: u8 = 81;
    pub(crate) const REQUEST_FAILURE: u8 = 82;
    pub(crate) const CHANNEL_OPEN: u8 = 90;
    pub(crate) const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
    pub(crate) const CHANNEL_OPEN_FAILURE: u8 = 92;
    pub(crate) const CHANNEL_WINDOW_ADJUST: u8 = 93;
    pub(crate) const CHANNEL_DATA: u8 = 94;
    pub(crate) const CHANNEL_EXTENDED_DATA: u8 = 95;
    pub(crate) const CHANNEL_EOF: u8 = 96;
    pub(crate) const CHANNEL_CLOSE: u8 = 97;
    pub(crate) const CHANNEL_REQUEST: u8 = 98;
    pub(crate) const CHANNEL_SUCCESS: u8 = 99;
    pub(crate) const CHANNEL_FAILURE: u8 = 100;
    /// OpenSSH's own, since 9.5 (PROTOCOL, 1.8): the answer carries the same octets.
    pub(crate) const PING: u8 = 192;
    pub(crate) const PONG: u8 = 193;
}
