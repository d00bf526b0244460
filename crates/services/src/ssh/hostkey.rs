//! Host keys (RFC 4253 §6.6, RFC 5656, RFC 8332, RFC 8709), each derived from the decoy's seed.

use alloc::{string::String, sync::Arc, vec::Vec};

use ed25519_dalek::Signer as _;
use rand_core::Rng;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, traits::PublicKeyParts};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::wire::Put;
use crate::{
    Shared,
    keys::{RsaPurpose, secret_stream},
};

/// A host key that the product makes when it is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshHostKey {
    /// RSA, so many bits.
    Rsa(u16),
    /// ECDSA over this curve.
    Ecdsa(SshCurve),
    /// Ed25519.
    Ed25519,
}

/// Curves of RFC 5656 §10.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshCurve {
    /// NIST P-256.
    Nistp256,
    /// NIST P-384.
    Nistp384,
    /// NIST P-521.
    Nistp521,
}

/// DigestInfo in front of a hash (RFC 8017 §9.2, note 1).
const SHA1_INFO: &[u8] = &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
const SHA256_INFO: &[u8] =
    &[0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA512_INFO: &[u8] =
    &[0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

impl SshHostKey {
    /// Whether the key signs as `algorithm`.
    pub(crate) fn serves(self, algorithm: &str) -> bool {
        match self {
            Self::Rsa(_) => matches!(algorithm, "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512"),
            Self::Ecdsa(SshCurve::Nistp256) => algorithm == "ecdsa-sha2-nistp256",
            Self::Ecdsa(SshCurve::Nistp384) => algorithm == "ecdsa-sha2-nistp384",
            Self::Ecdsa(SshCurve::Nistp521) => algorithm == "ecdsa-sha2-nistp521",
            Self::Ed25519 => algorithm == "ssh-ed25519",
        }
    }

    /// The decoy's key; `None` while it is searched for.
    pub(crate) fn derive(self, seed: &[u8; 16], shared: &mut Shared) -> Option<HostKey> {
        Some(match self {
            Self::Rsa(bits) => HostKey::Rsa(shared.rsa_key(seed, RsaPurpose::Ssh, bits)?),
            Self::Ecdsa(SshCurve::Nistp256) => {
                HostKey::P256(scalar(seed, "ssh ecdsa nistp256", |octets: &[u8; 32]| {
                    p256::ecdsa::SigningKey::from_slice(octets)
                })?)
            }
            Self::Ecdsa(SshCurve::Nistp384) => {
                HostKey::P384(scalar(seed, "ssh ecdsa nistp384", |octets: &[u8; 48]| {
                    p384::ecdsa::SigningKey::from_slice(octets)
                })?)
            }
            Self::Ecdsa(SshCurve::Nistp521) => {
                HostKey::P521(scalar(seed, "ssh ecdsa nistp521", |octets: &[u8; 66]| {
                    p521::ecdsa::SigningKey::from_slice(octets)
                })?)
            }
            Self::Ed25519 => {
                let mut secret = [0; 32];
                secret_stream(seed, "ssh ed25519").fill_bytes(&mut secret);
                HostKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret))
            }
        })
    }
}

/// The first number of the stream that is a scalar of the curve: for P-521 its 521 bits.
fn scalar<K, E, const N: usize>(seed: &[u8; 16], label: &str, read: impl Fn(&[u8; N]) -> Result<K, E>) -> Option<K> {
    let mut stream = secret_stream(seed, label);
    // A number of this size is one with a probability above 1/2 for each curve; 128 in a row are never out of range.
    (0..128).find_map(|_| {
        let mut octets = [0; N];
        stream.fill_bytes(&mut octets);
        if N == P521_OCTETS
            && let Some(first) = octets.first_mut()
        {
            *first &= 1;
        }
        read(&octets).ok()
    })
}

/// Octets of a scalar of P-521.
const P521_OCTETS: usize = 66;

/// A host key with its secret part.
pub(crate) enum HostKey {
    Rsa(Arc<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl HostKey {
    /// The public key as it goes over the wire.
    pub(crate) fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        match self {
            Self::Rsa(key) => {
                blob.put_string(b"ssh-rsa");
                blob.put_mpint(&key.e().to_be_bytes());
                blob.put_mpint(&key.n().to_be_bytes());
            }
            Self::P256(key) => put_point(&mut blob, "nistp256", key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::P384(key) => put_point(&mut blob, "nistp384", key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::P521(key) => put_point(&mut blob, "nistp521", key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::Ed25519(key) => {
                blob.put_string(b"ssh-ed25519");
                blob.put_string(key.verifying_key().as_bytes());
            }
        }
        blob
    }

    /// The signature of `message` as `algorithm`, as it goes over the wire.
    pub(crate) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let signature = match self {
            Self::Rsa(key) => sign_rsa(key, algorithm, message),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                halves(&signature.to_bytes())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                halves(&signature.to_bytes())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                halves(&signature.to_bytes())
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        };
        let mut whole = Vec::new();
        whole.put_string(algorithm.as_bytes());
        whole.put_string(&signature);
        whole
    }
}

fn put_point(blob: &mut Vec<u8>, curve: &str, point: &[u8]) {
    blob.put_string((String::from("ecdsa-sha2-") + curve).as_bytes());
    blob.put_string(curve.as_bytes());
    blob.put_string(point);
}

/// RFC 5656 §3.1.2: r and s, each a number.
fn halves(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut out = Vec::new();
    out.put_mpint(r);
    out.put_mpint(s);
    out
}

/// Without blinding, which takes as long as the signature itself: it hides a key from who measures time, and a decoy's key
/// protects nothing.
fn sign_rsa(key: &RsaPrivateKey, algorithm: &str, message: &[u8]) -> Vec<u8> {
    let (info, digest) = match algorithm {
        "rsa-sha2-512" => (SHA512_INFO, Sha512::digest(message).to_vec()),
        "rsa-sha2-256" => (SHA256_INFO, Sha256::digest(message).to_vec()),
        _ => (SHA1_INFO, Sha1::digest(message).to_vec()),
    };
    let scheme = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: info.into() };
    // Fails only for a key that is too short for its hash.
    key.sign(scheme, &digest).unwrap_or_default()
}
