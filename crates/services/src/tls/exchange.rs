//! Ephemeral keys: one side's half is made here, the other's comes by wire.

use alloc::vec::Vec;

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{alert::Alert, suite::Group};

/// The prime of 2,048 bits of RFC 3526 §3, which OpenSSL takes beside an RSA key of 2,048 bits (`SSL_CTX_set_dh_auto`).
const MODP_2048: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74",
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437",
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05",
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB",
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718",
    "3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF",
);
/// Bits of a secret exponent: twice the strength of the prime, and some more, as OpenSSL draws it for this group.
const EXPONENT_OCTETS: usize = 28;

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
    Modp(BoxedUint),
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
    pub(super) fn on_curve(group: Group, chance: &mut ChaCha8Rng) -> Option<Self> {
        Some(match group {
            Group::X25519 => {
                let mut secret = [0; 32];
                chance.fill_bytes(&mut secret);
                let public = x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES);
                Self { secret: Secret::X25519(secret), public: public.to_vec() }
            }
            Group::Secp256r1 => nist_half!(p256, P256, 32, 0xff, chance),
            Group::Secp384r1 => nist_half!(p384, P384, 48, 0xff, chance),
            Group::Secp521r1 => nist_half!(p521, P521, 66, 0x01, chance),
        })
    }

    /// In the group of RFC 3526 §3.
    pub(super) fn in_modp(chance: &mut ChaCha8Rng) -> Option<Self> {
        let mut exponent = [0; EXPONENT_OCTETS];
        chance.fill_bytes(&mut exponent);
        let exponent = BoxedUint::from_be_slice(&exponent, 8 * 32).ok()?;
        let two = BoxedUint::from_be_slice(&[2], modp()?.bits_precision()).ok()?;
        let public = power(two, &exponent)?.to_be_bytes().to_vec();
        Some(Self { secret: Secret::Modp(exponent), public })
    }

    /// The secret that both sides have now. The one at fault is the peer.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Vec<u8>, Alert> {
        self.shared(peer).ok_or(Alert::IllegalParameter)
    }

    fn shared(&self, peer: &[u8]) -> Option<Vec<u8>> {
        match &self.secret {
            Secret::X25519(secret) => {
                let shared = x25519_dalek::x25519(*secret, peer.try_into().ok()?);
                // RFC 8446 §7.4.2: a point of small order.
                shared.iter().any(|&octet| octet != 0).then(|| shared.to_vec())
            }
            Secret::P256(secret) => nist_shared!(p256, secret, peer),
            Secret::P384(secret) => nist_shared!(p384, secret, peer),
            Secret::P521(secret) => nist_shared!(p521, secret, peer),
            Secret::Modp(exponent) => {
                let prime = modp()?;
                let peer = BoxedUint::from_be_slice(peer, prime.bits_precision()).ok()?;
                let one = BoxedUint::from_be_slice(&[1], prime.bits_precision()).ok()?;
                (peer > one && peer < prime.wrapping_sub(&one)).then_some(())?;
                // RFC 5246 §8.1.2: without the zeros before it.
                Some(power(peer, exponent)?.to_be_bytes_trimmed_vartime().to_vec())
            }
        }
    }
}

/// Prime and generator, as ServerKeyExchange says them.
pub(super) fn modp_parameters() -> (Vec<u8>, [u8; 1]) {
    (modp().map_or_else(Vec::new, |prime| prime.to_be_bytes().to_vec()), [2])
}

fn modp() -> Option<BoxedUint> {
    let digits: Vec<u8> = MODP_2048.chars().filter_map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let octets: Vec<u8> = digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, digit| n << 4 | digit)).collect();
    BoxedUint::from_be_slice(&octets, 2048).ok()
}

fn power(base: BoxedUint, exponent: &BoxedUint) -> Option<BoxedUint> {
    let params = BoxedMontyParams::new_vartime(Odd::new(modp()?).into_option()?);
    Some(BoxedMontyForm::new(base, &params).pow(exponent).retrieve())
}
