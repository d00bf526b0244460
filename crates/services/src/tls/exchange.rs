//! Ephemeral keys: one side's half is made here, the other's comes by wire.

use alloc::vec::Vec;

use p256::elliptic_curve::sec1::ToSec1Point;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{alert::Alert, suite::Group};
use crate::primes::{FFDHE_2048, FFDHE_3072, FFDHE_4096, FFDHE_6144, FFDHE_8192, GROUP14, Prime};

/// What OpenSSL takes beside an RSA key of 2,048 bits (`SSL_CTX_set_dh_auto`).
const OLD_FIELD: &Prime = &GROUP14;

/// A half of ours, and what the other side needs of it.
pub(super) struct Ephemeral {
    secret: Secret,
    pub(super) public: Vec<u8>,
}

enum Secret {
    X25519([u8; 32]),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
    X448([u8; 56]),
    /// With an exponent.
    Field(&'static Prime, Vec<u8>),
}

macro_rules! nist_half {
    ($curve:ident, $secret:ident, $octets:expr, $mask:expr, $chance:expr) => {{
        // A number drawn is a scalar but for a chance of 2^-32 at most; then the next is.
        let drawn = (0..64).find_map(|_| {
            let mut octets = [0; $octets];
            $chance.fill_bytes(&mut octets);
            if let Some(first) = octets.first_mut() {
                *first &= $mask;
            }
            $curve::SecretKey::from_slice(&octets).ok()
        })?;
        let public = drawn.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ephemeral { secret: Secret::$secret(drawn), public }
    }};
}

macro_rules! nist_shared {
    ($curve:ident, $secret:expr, $peer:expr) => {{
        let peer = $curve::PublicKey::from_sec1_bytes($peer).ok()?;
        Some($curve::ecdh::diffie_hellman($secret.to_nonzero_scalar(), peer.as_affine()).raw_secret_bytes().to_vec())
    }};
}

impl Ephemeral {
    /// `None` has no chance worth a name.
    pub(super) fn in_group(group: Group, chance: &mut ChaCha8Rng) -> Option<Self> {
        Some(match group {
            Group::X25519 => {
                let mut secret = [0; 32];
                chance.fill_bytes(&mut secret);
                let public = x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES);
                Self { secret: Secret::X25519(secret), public: public.to_vec() }
            }
            Group::X448 => {
                let mut secret = [0; 56];
                chance.fill_bytes(&mut secret);
                let public = x448::x448_unchecked(secret, X448_BASE);
                Self { secret: Secret::X448(secret), public: public.to_vec() }
            }
            Group::Secp256r1 => nist_half!(p256, P256, 32, 0xff, chance),
            Group::Secp384r1 => nist_half!(p384, P384, 48, 0xff, chance),
            Group::Secp521r1 => nist_half!(p521, P521, 66, 0x01, chance),
            // Exponents of twice the strength of the prime, as OpenSSL draws them.
            Group::Ffdhe2048 => Self::in_field(&FFDHE_2048, 29, chance)?,
            Group::Ffdhe3072 => Self::in_field(&FFDHE_3072, 35, chance)?,
            Group::Ffdhe4096 => Self::in_field(&FFDHE_4096, 41, chance)?,
            Group::Ffdhe6144 => Self::in_field(&FFDHE_6144, 47, chance)?,
            Group::Ffdhe8192 => Self::in_field(&FFDHE_8192, 50, chance)?,
        })
    }

    /// In the field of suites with DHE before TLS 1.3.
    pub(super) fn of_old(chance: &mut ChaCha8Rng) -> Option<Self> {
        Self::in_field(OLD_FIELD, 28, chance)
    }

    /// With an exponent of so many octets.
    fn in_field(field: &'static Prime, octets: usize, chance: &mut ChaCha8Rng) -> Option<Self> {
        let mut exponent = alloc::vec![0; octets];
        chance.fill_bytes(&mut exponent);
        let public = field.modulus()?.public(&exponent)?;
        Some(Self { secret: Secret::Field(field, exponent), public })
    }

    /// The secret that both sides have now. The one at fault is the peer; `small_order` is what is said of a half that
    /// leads to no secret.
    pub(super) fn agree(&self, peer: &[u8], small_order: Alert) -> Result<Vec<u8>, Alert> {
        let shared = self.shared(peer).ok_or(Alert::IllegalParameter)?;
        // RFC 8446 §7.4.2.
        if shared.iter().all(|&octet| octet == 0) { Err(small_order) } else { Ok(shared) }
    }

    fn shared(&self, peer: &[u8]) -> Option<Vec<u8>> {
        match &self.secret {
            Secret::X25519(secret) => Some(x25519_dalek::x25519(*secret, peer.try_into().ok()?).to_vec()),
            Secret::P256(secret) => nist_shared!(p256, secret, peer),
            Secret::P384(secret) => nist_shared!(p384, secret, peer),
            Secret::P521(secret) => nist_shared!(p521, secret, peer),
            Secret::X448(secret) => Some(x448::x448_unchecked(*secret, peer.try_into().ok()?).to_vec()),
            Secret::Field(field, exponent) => field.modulus()?.shared(peer, exponent),
        }
    }

    /// The same for TLS 1.2 and before: of a finite field without the zeros before it (RFC 5246 §8.1.2).
    pub(super) fn agree_as_of_old(&self, peer: &[u8]) -> Result<Vec<u8>, Alert> {
        let mut shared = self.agree(peer, Alert::IllegalParameter)?;
        if matches!(self.secret, Secret::Field(..)) {
            let zeros = shared.iter().take_while(|&&octet| octet == 0).count();
            shared.drain(..zeros);
        }
        Ok(shared)
    }
}

/// Prime and generator, as ServerKeyExchange says them.
pub(super) fn field_parameters() -> (Vec<u8>, [u8; 1]) {
    (OLD_FIELD.octets(), [2])
}

/// RFC 7748 §5: u = 5.
const X448_BASE: [u8; 56] = {
    let mut base = [0; 56];
    base[0] = 5;
    base
};
