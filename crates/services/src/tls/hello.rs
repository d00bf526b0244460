//! ClientHello: what a client offers (RFC 8446 §4.1.2), read as OpenSSL reads it.

use alloc::{borrow::ToOwned, vec::Vec};

use super::{
    alert::Alert,
    wire::{Reader, pairs},
};
use crate::limits::tls::MAX_EXTENSIONS;

pub(super) const SERVER_NAME: u16 = 0;
pub(super) const MAX_FRAGMENT_LENGTH: u16 = 1;
pub(super) const SUPPORTED_GROUPS: u16 = 10;
pub(super) const EC_POINT_FORMATS: u16 = 11;
pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
/// For datagrams alone (RFC 5764 §4.1); over a stream OpenSSL refuses it.
const USE_SRTP: u16 = 14;
pub(super) const ALPN: u16 = 16;
pub(super) const ENCRYPT_THEN_MAC: u16 = 22;
pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
pub(super) const SESSION_TICKET: u16 = 35;
pub(super) const PRE_SHARED_KEY: u16 = 41;
pub(super) const SUPPORTED_VERSIONS: u16 = 43;
pub(super) const PSK_MODES: u16 = 45;
pub(super) const KEY_SHARE: u16 = 51;
pub(super) const RENEGOTIATION_INFO: u16 = 0xff01;

/// A group, and the client's half of a key in it.
pub(super) type KeyShare<'a> = (u16, &'a [u8]);

/// A ClientHello that is well formed. What is inside its extensions may still not be.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientHello {
    pub(super) version: u16,
    pub(super) random: [u8; 32],
    pub(super) session_id: Vec<u8>,
    pub(super) suites: Vec<u16>,
    pub(super) compressions: Vec<u8>,
    /// In their order.
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
}

impl ClientHello {
    /// Reads the body of the message.
    pub(super) fn read(body: &[u8]) -> Result<Self, Alert> {
        let mut reader = Reader::new(body);
        let hello = Self::read_head(&mut reader).ok_or(Alert::DecodeError)?;
        if hello.suites.is_empty() {
            return Err(Alert::IllegalParameter);
        }
        if reader.is_empty() {
            return Ok(hello);
        }
        let block = reader.vector::<2>().ok_or(Alert::DecodeError)?;
        if !reader.is_empty() {
            return Err(Alert::DecodeError);
        }
        let mut hello = hello;
        let mut block = Reader::new(block);
        while !block.is_empty() {
            let extension = block.u16().and_then(|kind| Some((kind, block.vector::<2>()?.to_owned())));
            let extension = extension.ok_or(Alert::DecodeError)?;
            if hello.extensions.len() >= MAX_EXTENSIONS {
                return Err(Alert::DecodeError);
            }
            let twice = hello.has(extension.0) && is_known(extension.0);
            // RFC 8446 §4.2.11: a shared key is offered last, since what is before it is signed with it.
            let misplaced = extension.0 == PRE_SHARED_KEY && !block.is_empty();
            if twice || misplaced || extension.0 == USE_SRTP {
                return Err(Alert::IllegalParameter);
            }
            hello.extensions.push(extension);
        }
        Ok(hello)
    }

    /// Reads the hello of SSL 2 from its version on, which may ask for any version (RFC 5246 §E.2). Its suites are of three
    /// octets, those of TLS with a zero before them.
    pub(super) fn read_old(body: &[u8]) -> Result<Self, Alert> {
        let mut reader = Reader::new(body);
        let lengths = [(); 4].map(|()| reader.u16());
        let [Some(version), Some(suites), Some(session_id), Some(challenge)] = lengths else {
            return Err(Alert::DecodeError);
        };
        if version >> 8 != 3 {
            return Err(Alert::ProtocolVersion);
        }
        if session_id > 32 {
            return Err(Alert::IllegalParameter);
        }
        let [suites, session_id, challenge] = [suites, session_id, challenge].map(|length| reader.take(length.into()));
        let (Some(suites), Some(session_id), Some(challenge), true) =
            (suites, session_id, challenge, reader.is_empty())
        else {
            return Err(Alert::DecodeError);
        };
        if suites.len() % 3 != 0 {
            return Err(Alert::DecodeError);
        }
        if suites.is_empty() {
            return Err(Alert::IllegalParameter);
        }
        let mut random = [0; 32];
        for (to, from) in random.iter_mut().rev().zip(challenge.get(..32).unwrap_or(challenge).iter().rev()) {
            *to = *from;
        }
        let suites = suites.chunks_exact(3).filter_map(|suite| match *suite {
            [0, high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        });
        Ok(Self {
            version,
            random,
            session_id: session_id.to_owned(),
            suites: suites.collect(),
            compressions: Vec::from([0]),
            extensions: Vec::new(),
        })
    }

    fn read_head(reader: &mut Reader<'_>) -> Option<Self> {
        let version = reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.vector::<1>()?;
        (session_id.len() <= 32).then_some(())?;
        let suites = reader.numbers::<2>()?;
        let compressions = reader.vector::<1>()?;
        (!compressions.is_empty()).then_some(())?;
        let (session_id, compressions) = (session_id.to_owned(), compressions.to_owned());
        Some(Self { version, random, session_id, suites, compressions, extensions: Vec::new() })
    }

    pub(super) fn extension(&self, kind: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(other, _)| *other == kind).map(|(_, body)| body.as_slice())
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.extension(kind).is_some()
    }

    /// The list of an extension that is one list of numbers, after its length in `N` octets; an error if the extension
    /// is there and is not that.
    pub(super) fn numbers<const N: usize>(&self, kind: u16) -> Result<Option<Vec<u16>>, Alert> {
        let Some(body) = self.extension(kind) else { return Ok(None) };
        let mut reader = Reader::new(body);
        let list = reader.numbers::<N>().filter(|list| !list.is_empty() && reader.is_empty());
        list.map(Some).ok_or(Alert::DecodeError)
    }

    /// The host that the client wants (RFC 6066 §3).
    pub(super) fn server_name(&self) -> Option<&[u8]> {
        let mut list = Reader::new(Reader::new(self.extension(SERVER_NAME)?).vector::<2>()?);
        (list.u8()? == 0).then_some(())?;
        list.vector::<2>()
    }

    /// The protocols that it offers inside, in its order (RFC 7301 §3.1).
    pub(super) fn protocols(&self) -> Result<Option<Vec<&[u8]>>, Alert> {
        let Some(body) = self.extension(ALPN) else { return Ok(None) };
        let mut reader = Reader::new(body);
        let list = reader.vector::<2>().filter(|list| list.len() >= 2 && reader.is_empty());
        let mut list = Reader::new(list.ok_or(Alert::DecodeError)?);
        let mut protocols = Vec::new();
        while !list.is_empty() {
            let protocol = list.vector::<1>().filter(|protocol| !protocol.is_empty());
            protocols.push(protocol.ok_or(Alert::DecodeError)?);
        }
        Ok(Some(protocols))
    }

    /// Halves of ephemeral keys (RFC 8446 §4.2.8).
    pub(super) fn key_shares(&self) -> Result<Option<Vec<KeyShare<'_>>>, Alert> {
        let Some(body) = self.extension(KEY_SHARE) else { return Ok(None) };
        let mut reader = Reader::new(body);
        let list = reader.vector::<2>().filter(|_| reader.is_empty());
        let mut list = Reader::new(list.ok_or(Alert::DecodeError)?);
        let mut shares = Vec::new();
        while !list.is_empty() {
            let share = list.u16().and_then(|group| Some((group, list.vector::<2>()?)));
            shares.push(share.filter(|(_, half)| !half.is_empty()).ok_or(Alert::DecodeError)?);
        }
        Ok(Some(shares))
    }

    /// What the client signs with, in its order; TLS 1.2 without the extension means SHA-1, which no product of ours
    /// still takes.
    pub(super) fn schemes(&self) -> Vec<u16> {
        self.extension(SIGNATURE_ALGORITHMS).map_or_else(Vec::new, |body| pairs(body.get(2..).unwrap_or(&[])).collect())
    }

    /// Whether the client names a number that is no cipher suite but a signal (RFC 5746 §3.3, RFC 7507).
    pub(super) fn signals(&self, suite: u16) -> bool {
        self.suites.contains(&suite)
    }
}

/// Extensions that OpenSSL reads, and that must therefore not come twice.
fn is_known(kind: u16) -> bool {
    matches!(kind, 0 | 1 | 5 | 10..=14 | 16 | 18 | 21..=23 | 35 | 41..=45 | 47 | 49..=51 | 0x3374 | 0xff01)
}

/// Numbers that clients scatter so that servers keep ignoring what they do not know (RFC 8701).
pub(super) fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}
