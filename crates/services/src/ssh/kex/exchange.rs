//! The exchanges that make a secret: finite fields (RFC 4253 §8, RFC 4419, RFC 8268), curves (RFC 5656 §4, RFC 8731)
//! and the hybrids with a lattice (draft-ietf-sshm-mlkem-hybrid-kex, draft-josefsson-ntruprime-ssh).

use alloc::vec::Vec;

use ml_kem::{Encapsulate, EncapsulationKey, MlKem768};
use p256::elliptic_curve::{Generate, sec1::ToSec1Point};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256, Sha512};

use super::Hash;
use crate::{
    crypto::sntrup761,
    primes::{GROUP1, GROUP14, GROUP16, GROUP18, Modulus, Prime},
    ssh::wire::{Put, Reader, message},
};

/// How the secret is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Curve25519,
    Nistp256,
    Nistp384,
    Nistp521,
    /// By its place among the groups.
    Fixed(Modp),
    /// The client names sizes, the server a group.
    Chosen,
    MlKem768X25519,
    Sntrup761X25519,
}

/// The groups that have a name of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modp {
    Group1,
    Group14,
    Group16,
    Group18,
}

/// Every exchange that is built.
const METHODS: [(&str, Method, Hash); 16] = [
    ("sntrup761x25519-sha512", Method::Sntrup761X25519, Hash::Sha512),
    ("sntrup761x25519-sha512@openssh.com", Method::Sntrup761X25519, Hash::Sha512),
    ("curve25519-sha256", Method::Curve25519, Hash::Sha256),
    ("curve25519-sha256@libssh.org", Method::Curve25519, Hash::Sha256),
    ("ecdh-sha2-nistp256", Method::Nistp256, Hash::Sha256),
    ("ecdh-sha2-nistp384", Method::Nistp384, Hash::Sha384),
    ("ecdh-sha2-nistp521", Method::Nistp521, Hash::Sha512),
    ("diffie-hellman-group-exchange-sha256", Method::Chosen, Hash::Sha256),
    ("diffie-hellman-group-exchange-sha1", Method::Chosen, Hash::Sha1),
    ("diffie-hellman-group16-sha512", Method::Fixed(Modp::Group16), Hash::Sha512),
    ("diffie-hellman-group18-sha512", Method::Fixed(Modp::Group18), Hash::Sha512),
    ("diffie-hellman-group14-sha256", Method::Fixed(Modp::Group14), Hash::Sha256),
    ("diffie-hellman-group14-sha1", Method::Fixed(Modp::Group14), Hash::Sha1),
    ("diffie-hellman-group14-sha256@ssh.com", Method::Fixed(Modp::Group14), Hash::Sha256),
    ("diffie-hellman-group1-sha1", Method::Fixed(Modp::Group1), Hash::Sha1),
    ("mlkem768x25519-sha256", Method::MlKem768X25519, Hash::Sha256),
];

/// Octets of a secret exponent: twice the strength of the strongest hash and cipher here, as RFC 4419 §6.2 has it. A
/// decoy has no secret worth more, and its time is its worker's.
const EXPONENT: usize = 64;
const X25519: usize = 32;
const ML_KEM_KEY: usize = 1184;

/// The outcome: what is hashed, what is sent, and the secret.
#[derive(Debug, PartialEq)]
pub(crate) struct Agreed {
    /// What goes into the exchange hash between the host key and the secret.
    pub(crate) hashed: Vec<u8>,
    /// Number of the message that carries the server's half.
    pub(crate) reply: u8,
    /// The server's half as it goes over the wire.
    pub(crate) half: Vec<u8>,
    /// The secret as it goes into hashes.
    pub(crate) secret: Vec<u8>,
}

impl Method {
    pub(crate) fn named(name: &str) -> Option<(Self, Hash)> {
        METHODS.iter().find(|(known, ..)| *known == name).map(|&(_, method, hash)| (method, hash))
    }

    /// Answers the client's half; `None` if it is none. `message` is its whole payload.
    pub(crate) fn agree(self, payload: &[u8], chance: &mut impl CryptoRng) -> Option<Agreed> {
        let mut reader = Reader::new(payload);
        if reader.byte()? != message::KEX_INIT {
            return None;
        }
        match self {
            Self::Fixed(group) => {
                let theirs = reader.mpint()?;
                reader.is_empty().then_some(())?;
                let (half, secret) = power(&group.group().modulus()?, theirs, chance)?;
                Some(numbers(&[], message::KEX_REPLY, theirs, &half, &secret))
            }
            Self::Chosen => None,
            _ => {
                let theirs = reader.string()?;
                reader.is_empty().then_some(())?;
                self.agree_on_string(theirs, chance)
            }
        }
    }

    fn agree_on_string(self, theirs: &[u8], chance: &mut impl CryptoRng) -> Option<Agreed> {
        let mut secret = Vec::new();
        let half = match self {
            Self::Curve25519 => {
                let (half, shared) = x25519(theirs, chance)?;
                secret.put_mpint(&shared);
                half.to_vec()
            }
            Self::Nistp256 => {
                let ours = p256::ecdh::EphemeralSecret::generate_from_rng(chance);
                let shared = ours.diffie_hellman(&p256::PublicKey::from_sec1_bytes(uncompressed(theirs)?).ok()?);
                secret.put_mpint(shared.raw_secret_bytes());
                ours.public_key().to_sec1_point(false).as_bytes().to_vec()
            }
            Self::Nistp384 => {
                let ours = p384::ecdh::EphemeralSecret::generate_from_rng(chance);
                let shared = ours.diffie_hellman(&p384::PublicKey::from_sec1_bytes(uncompressed(theirs)?).ok()?);
                secret.put_mpint(shared.raw_secret_bytes());
                ours.public_key().to_sec1_point(false).as_bytes().to_vec()
            }
            Self::Nistp521 => {
                let ours = p521::ecdh::EphemeralSecret::generate_from_rng(chance);
                let shared = ours.diffie_hellman(&p521::PublicKey::from_sec1_bytes(uncompressed(theirs)?).ok()?);
                secret.put_mpint(shared.raw_secret_bytes());
                ours.public_key().to_sec1_point(false).as_bytes().to_vec()
            }
            Self::MlKem768X25519 => {
                let (key, point) = theirs.split_at_checked(ML_KEM_KEY)?;
                let key = EncapsulationKey::<MlKem768>::new(key.try_into().ok()?).ok()?;
                let (text, lattice) = key.encapsulate_with_rng(chance);
                let (half, curve) = x25519(point, chance)?;
                secret.put_string(&Sha256::new().chain_update(lattice).chain_update(curve).finalize());
                [text.as_slice(), &half].concat()
            }
            Self::Sntrup761X25519 => {
                let (key, point) = theirs.split_first_chunk::<{ sntrup761::PUBLIC_KEY_LENGTH }>()?;
                let (text, lattice) = sntrup761::encapsulate(key, chance)?;
                let (half, curve) = x25519(point, chance)?;
                secret.put_string(&Sha512::new().chain_update(lattice).chain_update(curve).finalize());
                [text.as_slice(), &half].concat()
            }
            Self::Fixed(_) | Self::Chosen => return None,
        };
        let mut hashed = Vec::new();
        hashed.put_string(theirs);
        hashed.put_string(&half);
        let mut sent = Vec::new();
        sent.put_string(&half);
        Some(Agreed { hashed, reply: message::KEX_REPLY, half: sent, secret })
    }
}

/// OpenSSH and others take only points in full (RFC 5656 §4 leaves compression to both sides' liking).
fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    (point.first() == Some(&4)).then_some(point)
}

fn x25519(theirs: &[u8], chance: &mut impl CryptoRng) -> Option<([u8; X25519], [u8; X25519])> {
    let theirs: [u8; X25519] = theirs.try_into().ok()?;
    let ours = x25519_dalek::EphemeralSecret::random_from_rng(chance);
    let half = x25519_dalek::PublicKey::from(&ours).to_bytes();
    let shared = ours.diffie_hellman(&theirs.into());
    // RFC 8731 §3: a secret of zeros is refused.
    shared.was_contributory().then(|| (half, shared.to_bytes()))
}

/// g^y mod p and e^y mod p for a secret y; `None` if e is not what a client may send (RFC 4253 §8).
pub(super) fn power(modulus: &Modulus, theirs: &[u8], chance: &mut impl CryptoRng) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut exponent = [0; EXPONENT];
    chance.fill_bytes(&mut exponent);
    Some((modulus.public(&exponent)?, modulus.shared(theirs, &exponent)?))
}

pub(super) fn numbers(front: &[u8], reply: u8, theirs: &[u8], half: &[u8], shared: &[u8]) -> Agreed {
    let mut hashed = front.to_vec();
    hashed.put_mpint(theirs);
    hashed.put_mpint(half);
    let mut sent = Vec::new();
    sent.put_mpint(half);
    let mut secret = Vec::new();
    secret.put_mpint(shared);
    Agreed { hashed, reply, half: sent, secret }
}

impl Modp {
    fn group(self) -> &'static Prime {
        match self {
            Self::Group1 => &GROUP1,
            Self::Group14 => &GROUP14,
            Self::Group16 => &GROUP16,
            Self::Group18 => &GROUP18,
        }
    }
}
