//! The negotiation of algorithms (RFC 4253 §7.1), keys from secrets (§7.2), and the lists that identify a client.

pub(crate) mod exchange;
pub(crate) mod group;

use alloc::{string::String, vec::Vec};
use core::fmt::Write;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    cipher::Cipher,
    mac::Mac,
    packet::Keys,
    spec::{SshHostKey, SshSpec},
    wire::{Put, Reader, message},
};
use crate::limits::ssh::MAX_ALGORITHMS;
use exchange::Method;

/// Octets of the random cookie.
pub(crate) const COOKIE: usize = 16;
/// Lists in a KEXINIT.
const LISTS: usize = 10;
/// What a client says in its list of exchanges for strict mode (PROTOCOL of OpenSSH, 1.10), and what a server says.
const STRICT_CLIENT: &[u8] = b"kex-strict-c-v00@openssh.com";
const STRICT_SERVER: &str = "kex-strict-s-v00@openssh.com";
/// Dropbear's own rule for guesses, which holds where both sides name it: a guess is right if the first name of the
/// client's list is the one that is chosen, wherever it stands in the server's.
const GUESS: &str = "kexguess2@matt.ucc.asn.au";
/// RFC 8308 §2.1.
const EXT_INFO_CLIENT: &[u8] = b"ext-info-c";

/// The server's KEXINIT, lists as the product has them.
pub(crate) fn server_init(spec: &SshSpec, cookie: &[u8; COOKIE], initial: bool) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1200);
    payload.push(message::KEXINIT);
    payload.extend_from_slice(cookie);
    let names = |list: &[String]| -> Vec<u8> {
        // Marks that are no algorithms are said once, in the first.
        let kept: Vec<&str> =
            list.iter().map(String::as_str).filter(|name| initial || *name != STRICT_SERVER).collect();
        kept.join(",").into_bytes()
    };
    payload.put_string(&names(&spec.kex));
    payload.put_string(&names(&spec.host_key_algorithms));
    for list in [
        &spec.ciphers,
        spec.to_client(&spec.ciphers_to_client, &spec.ciphers),
        &spec.macs,
        spec.to_client(&spec.macs_to_client, &spec.macs),
        &spec.compression,
        spec.to_client(&spec.compression_to_client, &spec.compression),
    ] {
        payload.put_names(list);
    }
    // No languages, no guess, and the reserved number.
    payload.extend_from_slice(&[0; 4 + 4 + 1 + 4]);
    payload
}

/// A client's KEXINIT.
#[derive(Debug)]
pub(crate) struct ClientInit<'a> {
    lists: [&'a [u8]; LISTS],
    pub(crate) guesses: bool,
    /// Nothing came behind the last field.
    is_whole: bool,
}

impl<'a> ClientInit<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.take(1 + COOKIE)?;
        let mut lists: [&[u8]; LISTS] = [&[]; LISTS];
        for list in &mut lists {
            *list = reader.string()?;
        }
        let guesses = reader.boolean()?;
        reader.u32()?;
        Some(Self { lists, guesses, is_whole: reader.is_empty() })
    }

    fn list(&self, place: List) -> &'a [u8] {
        let list = self.lists.get(place as usize).copied().unwrap_or(&[]);
        list.strip_suffix(&[0]).unwrap_or(list)
    }

    /// Whether all lists are such as servers written in C read: a zero ends them, if there is one.
    fn are_texts(&self) -> bool {
        self.lists.iter().all(|list| !list.iter().rev().skip(1).any(|octet| *octet == 0))
    }

    fn says(&self, mark: &[u8]) -> bool {
        names(self.list(List::Kex)).any(|name| name == mark)
    }

    pub(crate) fn is_strict(&self, spec: &SshSpec) -> bool {
        self.says(STRICT_CLIENT) && spec.kex.iter().any(|name| name == STRICT_SERVER)
    }

    pub(crate) fn wants_ext_info(&self) -> bool {
        self.says(EXT_INFO_CLIENT)
    }

    /// The lists that HASSH is made of, bounded, and the hash of all of them.
    pub(crate) fn hassh(&self) -> (Vec<u8>, String) {
        let lists = [List::Kex, List::CipherToServer, List::MacToServer, List::CompressionToServer];
        let mut whole = lists.map(|list| self.list(list)).join(&b';');
        let mut hex = String::with_capacity(32);
        for octet in Md5::digest(&whole) {
            // Writing to a string does not fail.
            let _ = write!(hex, "{octet:02x}");
        }
        whole.truncate(MAX_ALGORITHMS);
        (whole, hex)
    }
}

#[derive(Clone, Copy)]
enum List {
    Kex,
    HostKey,
    CipherToServer,
    CipherToClient,
    MacToServer,
    MacToClient,
    CompressionToServer,
    CompressionToClient,
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b',')
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) method: Method,
    pub(crate) hash: Hash,
    pub(crate) host_key: SshHostKey,
    pub(crate) signature: String,
    pub(crate) to_server: Suite,
    pub(crate) to_client: Suite,
    /// The client guessed, and guessed wrong: its next packet is to be dropped (RFC 4253 §7).
    pub(crate) drops_next: bool,
}

/// The algorithms of one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Suite {
    pub(crate) cipher: Cipher,
    /// None beside a cipher that has its own tag.
    pub(crate) mac: Option<Mac>,
    /// Packets are compressed once the client is logged in (`zlib@openssh.com`).
    pub(crate) compresses: bool,
}

/// Chooses the client's first of each list that the server has; `None` if there is none for one of them, or it is one
/// that the product has and this code has not, or the message is none.
pub(crate) fn choose(spec: &SshSpec, client: &ClientInit<'_>) -> Option<Choice> {
    (client.are_texts() && (client.is_whole || spec.answers.ignores_surplus)).then_some(())?;
    let kex = first(client.list(List::Kex), &spec.kex)?;
    let signature = first(client.list(List::HostKey), &spec.host_key_algorithms)?;
    let (method, hash) = Method::named(kex)?;
    let host_key = *spec.host_keys.iter().find(|key| key.serves(signature))?;
    let suite = |cipher, ciphers: &[String], mac, macs: &[String], compression, compressions: &[String]| {
        let cipher = Cipher::named(first(client.list(cipher), ciphers)?)?;
        let mac = if cipher.is_authenticated() { None } else { Some(Mac::named(first(client.list(mac), macs)?)?) };
        let compresses = first(client.list(compression), compressions)? != "none";
        Some(Suite { cipher, mac, compresses })
    };
    let to_server = suite(
        List::CipherToServer,
        &spec.ciphers,
        List::MacToServer,
        &spec.macs,
        List::CompressionToServer,
        &spec.compression,
    )?;
    let to_client = suite(
        List::CipherToClient,
        spec.to_client(&spec.ciphers_to_client, &spec.ciphers),
        List::MacToClient,
        spec.to_client(&spec.macs_to_client, &spec.macs),
        List::CompressionToClient,
        spec.to_client(&spec.compression_to_client, &spec.compression),
    )?;
    let by_client = client.says(GUESS.as_bytes()) && spec.kex.iter().any(|name| name == GUESS);
    let guessed = |list, mine: &[String], chosen: &str| {
        let due = if by_client { chosen } else { mine.first().map_or("", String::as_str) };
        names(client.list(list)).next().unwrap_or(&[]) == due.as_bytes()
    };
    let right = guessed(List::Kex, &spec.kex, kex) && guessed(List::HostKey, &spec.host_key_algorithms, signature);
    Some(Choice {
        method,
        hash,
        host_key,
        signature: signature.into(),
        to_server,
        to_client,
        drops_next: client.guesses && !right,
    })
}

fn first<'s>(theirs: &[u8], ours: &'s [String]) -> Option<&'s str> {
    names(theirs).find_map(|name| ours.iter().find(|mine| mine.as_bytes() == name)).map(String::as_str)
}

/// The hash of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn of(self, pieces: &[&[u8]]) -> Vec<u8> {
        fn with<D: Digest>(pieces: &[&[u8]]) -> Vec<u8> {
            let mut digest = D::new();
            for piece in pieces {
                digest.update(piece);
            }
            digest.finalize().to_vec()
        }
        match self {
            Self::Sha1 => with::<Sha1>(pieces),
            Self::Sha256 => with::<Sha256>(pieces),
            Self::Sha384 => with::<Sha384>(pieces),
            Self::Sha512 => with::<Sha512>(pieces),
        }
    }
}

/// What keys are made of (RFC 4253 §7.2).
pub(crate) struct Secrets<'a> {
    pub(crate) hash: Hash,
    /// The shared secret as it goes into hashes.
    pub(crate) shared: &'a [u8],
    pub(crate) exchange_hash: &'a [u8],
    pub(crate) session: &'a [u8],
}

impl Secrets<'_> {
    /// Keys of one direction; `letters` are those for initial vector, cipher and MAC.
    pub(crate) fn keys(&self, suite: Suite, letters: &[u8; 3], seals: bool) -> Option<Keys> {
        let [iv, key, mac] = letters;
        let iv = self.stretch(*iv, suite.cipher.iv_length());
        let key = self.stretch(*key, suite.cipher.key_length());
        let mac = suite.mac.map(|kind| kind.with_key(self.stretch(*mac, kind.key_length())));
        let cipher = suite.cipher.start(&key, &iv, seals)?;
        Some(Keys {
            cipher,
            block: suite.cipher.block(),
            is_cbc: suite.cipher.is_cbc(),
            mac,
            compresses: suite.compresses,
        })
    }

    fn stretch(&self, letter: u8, length: usize) -> Vec<u8> {
        let mut out = self.hash.of(&[self.shared, self.exchange_hash, &[letter], self.session]);
        while out.len() < length {
            let more = self.hash.of(&[self.shared, self.exchange_hash, &out]);
            out.extend_from_slice(&more);
        }
        out.truncate(length);
        out
    }
}

/// What the server says of itself after the first exchange (RFC 8308 §2.3); `None` if it says nothing.
pub(crate) fn ext_info(spec: &SshSpec) -> Option<Vec<u8>> {
    (!spec.ext_info.is_empty()).then(|| extensions(&spec.ext_info))
}

/// EXT_INFO once more, which OpenSSH sends with its answer to the first request of authentication.
pub(crate) fn ext_info_update(spec: &SshSpec) -> Option<Vec<u8>> {
    spec.ext_info
        .iter()
        .find(|(name, _)| name == "server-sig-algs")
        .map(|first| extensions(core::slice::from_ref(first)))
}

fn extensions(all: &[(String, String)]) -> Vec<u8> {
    let mut payload = alloc::vec![message::EXT_INFO];
    payload.put_u32(u32::try_from(all.len()).unwrap_or(0));
    for (name, value) in all {
        payload.put_string(name.as_bytes());
        payload.put_string(value.as_bytes());
    }
    payload
}
