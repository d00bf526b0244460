//! NTLM as a server sees it ([MS-NLMP] §2.2.1): a challenge for the first message, and what the third one holds, in the
//! form that hashcat reads (5500 and 5600). Nobody is let in: that would need the password's MD4.

use alloc::{format, string::String, vec::Vec};

use rand_core::Rng;

use super::auth::hex_of;
use crate::limits::http::MAX_NTLM;

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// Unicode, request target, NTLM, always sign, target type server, extended session security, target info, version,
/// 128 bits, key exchange, 56 bits.
const FLAGS: u32 = 0xe28a_8215;
/// Windows 10.0.20348, revision 15.
const VERSION: [u8; 8] = [10, 0, 0x7c, 0x4f, 0, 0, 0, 15];
/// 100-nanosecond intervals from 1601 to 1970, in seconds.
const FROM_1601: u64 = 11_644_473_600;

/// The state of one connection: NTLM authenticates connections, not requests.
#[derive(Debug)]
pub(super) struct Ntlm {
    challenge: [u8; 8],
}

/// What a message was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Took {
    Nothing,
    Opening,
    Secret { kind: &'static str, user: Vec<u8>, secret: Vec<u8> },
}

impl Ntlm {
    pub(super) fn new(chance: &mut impl Rng) -> Self {
        let mut challenge = [0; 8];
        chance.fill_bytes(&mut challenge);
        Self { challenge }
    }

    pub(super) fn take(&self, message: &[u8]) -> Took {
        let Some(rest) = message.strip_prefix(SIGNATURE) else { return Took::Nothing };
        match rest.first_chunk::<4>() {
            Some([1, 0, 0, 0]) => Took::Opening,
            Some([3, 0, 0, 0]) => self.third(message).unwrap_or(Took::Nothing),
            _ => Took::Nothing,
        }
    }

    fn third(&self, message: &[u8]) -> Option<Took> {
        let lm = field(message, 12)?;
        let nt = field(message, 20)?;
        let (domain, user) = (field(message, 28)?, field(message, 36)?);
        let workstation = field(message, 44).unwrap_or(&[]);
        let flags = u32::from_le_bytes(*message.get(60..)?.first_chunk::<4>()?);
        let text = |octets: &[u8]| if flags & 1 == 1 { narrow(octets) } else { octets.to_vec() };
        let name = text(user);
        let mut secret = name.clone();
        secret.extend_from_slice(b"::");
        let (kind, rest) = if nt.len() > 24 {
            secret.extend(text(domain));
            let (proof, blob) = nt.split_at_checked(16)?;
            ("ntlmv2", format!(":{}:{}:{}", hex_of(&self.challenge), hex_of(proof), hex_of(blob)))
        } else if nt.len() == 24 {
            secret.extend(text(if domain.is_empty() { workstation } else { domain }));
            ("ntlmv1", format!(":{}:{}:{}", hex_of(lm), hex_of(nt), hex_of(&self.challenge)))
        } else {
            return None;
        };
        secret.extend_from_slice(rest.as_bytes());
        Some(Took::Secret { kind, user: name, secret })
    }

    /// The second message, for a server of that name.
    pub(super) fn challenge(&self, domain: &str, hostname: &str, time: u64) -> Vec<u8> {
        let upper = |name: &str| -> String { name.chars().take(15).map(|c| c.to_ascii_uppercase()).collect() };
        let (netbios_domain, netbios_name) = (wide(&upper(domain)), wide(&upper(hostname)));
        let mut info = Vec::new();
        let mut pair = |id: u16, value: &[u8]| {
            info.extend_from_slice(&id.to_le_bytes());
            info.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
            info.extend_from_slice(value);
        };
        pair(2, &netbios_domain);
        pair(1, &netbios_name);
        pair(4, &wide(domain));
        pair(3, &wide(hostname));
        pair(7, &((time + FROM_1601) * 10_000_000).to_le_bytes());
        pair(0, &[]);
        let mut out = SIGNATURE.to_vec();
        out.extend_from_slice(&[2, 0, 0, 0]);
        let lengths = |length: usize| {
            let length = u16::try_from(length).unwrap_or(0).to_le_bytes();
            [length[0], length[1], length[0], length[1]]
        };
        out.extend_from_slice(&lengths(netbios_domain.len()));
        out.extend_from_slice(&56u32.to_le_bytes());
        out.extend_from_slice(&FLAGS.to_le_bytes());
        out.extend_from_slice(&self.challenge);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&lengths(info.len()));
        out.extend_from_slice(&(56 + u32::try_from(netbios_domain.len()).unwrap_or(0)).to_le_bytes());
        out.extend_from_slice(&VERSION);
        out.extend_from_slice(&netbios_domain);
        out.extend_from_slice(&info);
        out
    }
}

/// The octets that a descriptor at `at` points to: length, room, offset.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let descriptor = message.get(at..)?.first_chunk::<8>()?;
    let length = usize::from(u16::from_le_bytes([descriptor[0], descriptor[1]]));
    let offset = u32::from_le_bytes([descriptor[4], descriptor[5], descriptor[6], descriptor[7]]);
    let from = usize::try_from(offset).ok()?;
    message.get(from..from.checked_add(length.min(MAX_NTLM))?)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16 to UTF-8; what is no character is kept as a mark.
fn narrow(octets: &[u8]) -> Vec<u8> {
    let units = octets.chunks_exact(2).map(|two| match two {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    let text: String = char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes()
}
