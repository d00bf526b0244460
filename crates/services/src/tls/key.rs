//! The private key of a decoy's certificate, and what it signs.

use alloc::{sync::Arc, vec::Vec};

use p256::ecdsa::signature::hazmat::PrehashSigner;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rsa::{Pkcs1v15Encrypt, Pkcs1v15Sign, Pss, RsaPrivateKey, traits::PublicKeyParts};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{
    certificate::der::{bits, constructed, integer, oid, tlv},
    spec::KeySpec,
    suite::{Hash, Scheme},
};
use crate::{
    Shared,
    keys::{RsaPurpose, secret_stream},
};

/// The key of one decoy.
#[derive(Clone, Debug)]
pub(crate) enum PrivateKey {
    Rsa(Arc<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

impl PrivateKey {
    /// The decoy's key, or `None` while it is being searched for.
    pub(super) fn of(spec: KeySpec, seed: &[u8; 16], shared: &mut Shared) -> Option<Self> {
        let bits = match spec {
            KeySpec::Rsa1024 => 1024,
            KeySpec::Rsa2048 => 2048,
            KeySpec::Rsa3072 => 3072,
            KeySpec::Rsa4096 => 4096,
            KeySpec::EcdsaP256 => {
                return drawn::<32, _>(seed, |octets| p256::ecdsa::SigningKey::from_slice(octets).ok()).map(Self::P256);
            }
            KeySpec::EcdsaP384 => {
                return drawn::<48, _>(seed, |octets| p384::ecdsa::SigningKey::from_slice(octets).ok()).map(Self::P384);
            }
        };
        shared.rsa_key(seed, RsaPurpose::Tls, bits).map(Self::Rsa)
    }

    /// A signature over `message`.
    pub(super) fn sign(&self, scheme: Scheme, message: &[u8], chance: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => match scheme {
                Scheme::RsaPkcs1Sha224 => key.sign(Pkcs1v15Sign::new::<Sha224>(), &Sha224::digest(message)),
                Scheme::RsaPkcs1Sha256 => key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)),
                Scheme::RsaPkcs1Sha384 => key.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message)),
                Scheme::RsaPkcs1Sha512 => key.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message)),
                Scheme::RsaPssRsaeSha256 => key.sign_with_rng(chance, unblinded::<Sha256>(), &Sha256::digest(message)),
                Scheme::RsaPssRsaeSha384 => key.sign_with_rng(chance, unblinded::<Sha384>(), &Sha384::digest(message)),
                Scheme::RsaPssRsaeSha512 => key.sign_with_rng(chance, unblinded::<Sha512>(), &Sha512::digest(message)),
                _ => return None,
            }
            .ok(),
            Self::P256(_) | Self::P384(_) => self.sign_hash(&match scheme {
                Scheme::EcdsaSha224 => Sha224::digest(message).to_vec(),
                Scheme::EcdsaSecp256r1Sha256 => Sha256::digest(message).to_vec(),
                Scheme::EcdsaSecp384r1Sha384 => Sha384::digest(message).to_vec(),
                Scheme::EcdsaSecp521r1Sha512 => Sha512::digest(message).to_vec(),
                _ => return None,
            }),
        }
    }

    /// An ECDSA signature, DER (RFC 8422 §5.4), over a hash. The crates of the curves sign none of less than half the
    /// curve's length.
    fn sign_hash(&self, hash: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(_) => None,
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(hash).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(hash).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
        }
    }

    /// A signature over `message` as before TLS 1.2: MD5 and SHA-1 of an RSA key, SHA-1 of any other (RFC 4346 §7.4.3,
    /// RFC 8422 §5.4).
    pub(super) fn sign_as_of_old(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let padding = Pkcs1v15Sign::new_unprefixed();
                key.sign(padding, &Hash::Md5Sha1.digest(message)).ok()
            }
            Self::P256(_) | Self::P384(_) => self.sign_hash(&Sha1::digest(message)),
        }
    }

    /// What was encrypted to the key (RFC 5246 §7.4.7.1).
    pub(super) fn decrypt(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let Self::Rsa(key) = self else { return None };
        key.decrypt(Pkcs1v15Encrypt, sealed).ok()
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public_info(&self) -> Vec<u8> {
        let null = tlv(0x05, &[]);
        let (algorithm, key) = match self {
            Self::Rsa(key) => {
                let numbers = [integer(&key.n_bytes()), integer(&key.e_bytes())];
                ([oid(RSA_ENCRYPTION), null], constructed(0x30, &numbers))
            }
            Self::P256(key) => {
                ([oid(EC_PUBLIC_KEY), oid(PRIME256V1)], key.verifying_key().to_sec1_point(false).as_bytes().to_vec())
            }
            Self::P384(key) => {
                ([oid(EC_PUBLIC_KEY), oid(SECP384R1)], key.verifying_key().to_sec1_point(false).as_bytes().to_vec())
            }
        };
        constructed(0x30, &[constructed(0x30, &algorithm), bits(&key)])
    }

    /// AlgorithmIdentifier of a certificate's signature: SHA-256, as OpenSSL's default digest is.
    pub(super) fn certificate_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => constructed(0x30, &[oid(SHA256_WITH_RSA), tlv(0x05, &[])]),
            Self::P256(_) | Self::P384(_) => constructed(0x30, &[oid(ECDSA_WITH_SHA256)]),
        }
    }

    /// Signs a certificate: the same one always, so without chance.
    pub(super) fn sign_certificate(&self, body: &[u8]) -> Option<Vec<u8>> {
        match self {
            // This padding takes no chance.
            Self::Rsa(_) => self.sign(Scheme::RsaPkcs1Sha256, body, &mut ChaCha8Rng::from_seed([0; 32])),
            Self::P256(_) | Self::P384(_) => self.sign_hash(&Sha256::digest(body)),
        }
    }
}

/// PSS without blinding, which takes as long as the signature itself: it hides a key from who measures time, and a
/// decoy's key protects nothing.
fn unblinded<D: Digest>() -> Pss<D> {
    let mut padding = Pss::new();
    padding.blinded = false;
    padding
}

/// The first number of the decoy's stream that is a key.
fn drawn<const N: usize, K>(seed: &[u8; 16], key: impl Fn(&[u8]) -> Option<K>) -> Option<K> {
    let mut stream = secret_stream(seed, "tls ecdsa");
    (0..64).find_map(|_| {
        let mut octets = [0; N];
        stream.fill_bytes(&mut octets);
        key(&octets)
    })
}
