//! Cipher suites, groups and signature schemes: their numbers, their names as OpenSSL prints them, and what they are
//! made of.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

use super::spec::{KeySpec, Version};

/// How both sides come to a common secret (RFC 5246 §7.4.3, §7.4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Rsa,
    DheRsa,
    EcdheRsa,
    EcdheEcdsa,
    /// TLS 1.3, where the suite does not say.
    Any,
}

/// The hash of the key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// MD5 and SHA-1 side by side: all versions before 1.2 (RFC 2246 §5).
    Md5Sha1,
    Sha256,
    Sha384,
}

/// What protects records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    Aria128Gcm,
    Aria256Gcm,
    /// AES in CCM with a key of so many octets (RFC 6655), and with the short tag.
    Ccm(usize),
    Ccm8(usize),
    Chacha20Poly1305,
    /// CBC with a key of so many octets, and HMAC beside it.
    Cbc(Block, usize, CbcMac),
}

/// A block cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Aes,
    Camellia,
    TripleDes,
}

/// The HMAC of a CBC suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CbcMac {
    Sha1,
    Sha256,
    Sha384,
}

/// One cipher suite that the server can speak, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Suite(u16);

/// One row of the table of suites.
#[derive(Debug)]
struct Row(u16, &'static str, Exchange, Bulk, Hash);

use Block::{Aes, Camellia, TripleDes};
use Bulk::{Aes128Gcm, Aes256Gcm, Aria128Gcm, Aria256Gcm, Cbc, Ccm, Ccm8, Chacha20Poly1305};
use CbcMac::{Sha1, Sha256 as Mac256, Sha384 as Mac384};
use Exchange::{Any, DheRsa, EcdheEcdsa, EcdheRsa, Rsa};
use Hash::{Sha256, Sha384};

/// Numbers from IANA's registry of TLS cipher suites; names as `openssl ciphers` prints them.
const SUITES: &[Row] = &[
    Row(0x1302, "TLS_AES_256_GCM_SHA384", Any, Aes256Gcm, Sha384),
    Row(0x1303, "TLS_CHACHA20_POLY1305_SHA256", Any, Chacha20Poly1305, Sha256),
    Row(0x1301, "TLS_AES_128_GCM_SHA256", Any, Aes128Gcm, Sha256),
    Row(0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384", EcdheEcdsa, Aes256Gcm, Sha384),
    Row(0xc030, "ECDHE-RSA-AES256-GCM-SHA384", EcdheRsa, Aes256Gcm, Sha384),
    Row(0x009f, "DHE-RSA-AES256-GCM-SHA384", DheRsa, Aes256Gcm, Sha384),
    Row(0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305", EcdheEcdsa, Chacha20Poly1305, Sha256),
    Row(0xcca8, "ECDHE-RSA-CHACHA20-POLY1305", EcdheRsa, Chacha20Poly1305, Sha256),
    Row(0xccaa, "DHE-RSA-CHACHA20-POLY1305", DheRsa, Chacha20Poly1305, Sha256),
    Row(0xc0af, "ECDHE-ECDSA-AES256-CCM8", EcdheEcdsa, Ccm8(32), Sha256),
    Row(0xc0ad, "ECDHE-ECDSA-AES256-CCM", EcdheEcdsa, Ccm(32), Sha256),
    Row(0xc0a3, "DHE-RSA-AES256-CCM8", DheRsa, Ccm8(32), Sha256),
    Row(0xc09f, "DHE-RSA-AES256-CCM", DheRsa, Ccm(32), Sha256),
    Row(0xc05d, "ECDHE-ECDSA-ARIA256-GCM-SHA384", EcdheEcdsa, Aria256Gcm, Sha384),
    Row(0xc061, "ECDHE-ARIA256-GCM-SHA384", EcdheRsa, Aria256Gcm, Sha384),
    Row(0xc053, "DHE-RSA-ARIA256-GCM-SHA384", DheRsa, Aria256Gcm, Sha384),
    Row(0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256", EcdheEcdsa, Aes128Gcm, Sha256),
    Row(0xc02f, "ECDHE-RSA-AES128-GCM-SHA256", EcdheRsa, Aes128Gcm, Sha256),
    Row(0x009e, "DHE-RSA-AES128-GCM-SHA256", DheRsa, Aes128Gcm, Sha256),
    Row(0xc0ae, "ECDHE-ECDSA-AES128-CCM8", EcdheEcdsa, Ccm8(16), Sha256),
    Row(0xc0ac, "ECDHE-ECDSA-AES128-CCM", EcdheEcdsa, Ccm(16), Sha256),
    Row(0xc0a2, "DHE-RSA-AES128-CCM8", DheRsa, Ccm8(16), Sha256),
    Row(0xc09e, "DHE-RSA-AES128-CCM", DheRsa, Ccm(16), Sha256),
    Row(0xc05c, "ECDHE-ECDSA-ARIA128-GCM-SHA256", EcdheEcdsa, Aria128Gcm, Sha256),
    Row(0xc060, "ECDHE-ARIA128-GCM-SHA256", EcdheRsa, Aria128Gcm, Sha256),
    Row(0xc052, "DHE-RSA-ARIA128-GCM-SHA256", DheRsa, Aria128Gcm, Sha256),
    Row(0xc024, "ECDHE-ECDSA-AES256-SHA384", EcdheEcdsa, Cbc(Aes, 32, Mac384), Sha384),
    Row(0xc028, "ECDHE-RSA-AES256-SHA384", EcdheRsa, Cbc(Aes, 32, Mac384), Sha384),
    Row(0x006b, "DHE-RSA-AES256-SHA256", DheRsa, Cbc(Aes, 32, Mac256), Sha256),
    Row(0xc073, "ECDHE-ECDSA-CAMELLIA256-SHA384", EcdheEcdsa, Cbc(Camellia, 32, Mac384), Sha384),
    Row(0xc077, "ECDHE-RSA-CAMELLIA256-SHA384", EcdheRsa, Cbc(Camellia, 32, Mac384), Sha384),
    Row(0x00c4, "DHE-RSA-CAMELLIA256-SHA256", DheRsa, Cbc(Camellia, 32, Mac256), Sha256),
    Row(0xc023, "ECDHE-ECDSA-AES128-SHA256", EcdheEcdsa, Cbc(Aes, 16, Mac256), Sha256),
    Row(0xc027, "ECDHE-RSA-AES128-SHA256", EcdheRsa, Cbc(Aes, 16, Mac256), Sha256),
    Row(0x0067, "DHE-RSA-AES128-SHA256", DheRsa, Cbc(Aes, 16, Mac256), Sha256),
    Row(0xc072, "ECDHE-ECDSA-CAMELLIA128-SHA256", EcdheEcdsa, Cbc(Camellia, 16, Mac256), Sha256),
    Row(0xc076, "ECDHE-RSA-CAMELLIA128-SHA256", EcdheRsa, Cbc(Camellia, 16, Mac256), Sha256),
    Row(0x00be, "DHE-RSA-CAMELLIA128-SHA256", DheRsa, Cbc(Camellia, 16, Mac256), Sha256),
    Row(0xc00a, "ECDHE-ECDSA-AES256-SHA", EcdheEcdsa, Cbc(Aes, 32, Sha1), Sha256),
    Row(0xc014, "ECDHE-RSA-AES256-SHA", EcdheRsa, Cbc(Aes, 32, Sha1), Sha256),
    Row(0x0039, "DHE-RSA-AES256-SHA", DheRsa, Cbc(Aes, 32, Sha1), Sha256),
    Row(0x0088, "DHE-RSA-CAMELLIA256-SHA", DheRsa, Cbc(Camellia, 32, Sha1), Sha256),
    Row(0xc009, "ECDHE-ECDSA-AES128-SHA", EcdheEcdsa, Cbc(Aes, 16, Sha1), Sha256),
    Row(0xc013, "ECDHE-RSA-AES128-SHA", EcdheRsa, Cbc(Aes, 16, Sha1), Sha256),
    Row(0x0033, "DHE-RSA-AES128-SHA", DheRsa, Cbc(Aes, 16, Sha1), Sha256),
    Row(0x0045, "DHE-RSA-CAMELLIA128-SHA", DheRsa, Cbc(Camellia, 16, Sha1), Sha256),
    Row(0x009d, "AES256-GCM-SHA384", Rsa, Aes256Gcm, Sha384),
    Row(0xc0a1, "AES256-CCM8", Rsa, Ccm8(32), Sha256),
    Row(0xc09d, "AES256-CCM", Rsa, Ccm(32), Sha256),
    Row(0xc051, "ARIA256-GCM-SHA384", Rsa, Aria256Gcm, Sha384),
    Row(0x009c, "AES128-GCM-SHA256", Rsa, Aes128Gcm, Sha256),
    Row(0xc0a0, "AES128-CCM8", Rsa, Ccm8(16), Sha256),
    Row(0xc09c, "AES128-CCM", Rsa, Ccm(16), Sha256),
    Row(0xc050, "ARIA128-GCM-SHA256", Rsa, Aria128Gcm, Sha256),
    Row(0x003d, "AES256-SHA256", Rsa, Cbc(Aes, 32, Mac256), Sha256),
    Row(0x00c0, "CAMELLIA256-SHA256", Rsa, Cbc(Camellia, 32, Mac256), Sha256),
    Row(0x003c, "AES128-SHA256", Rsa, Cbc(Aes, 16, Mac256), Sha256),
    Row(0x00ba, "CAMELLIA128-SHA256", Rsa, Cbc(Camellia, 16, Mac256), Sha256),
    Row(0x0035, "AES256-SHA", Rsa, Cbc(Aes, 32, Sha1), Sha256),
    Row(0x0084, "CAMELLIA256-SHA", Rsa, Cbc(Camellia, 32, Sha1), Sha256),
    Row(0x002f, "AES128-SHA", Rsa, Cbc(Aes, 16, Sha1), Sha256),
    Row(0x0041, "CAMELLIA128-SHA", Rsa, Cbc(Camellia, 16, Sha1), Sha256),
    Row(0x000a, "DES-CBC3-SHA", Rsa, Cbc(TripleDes, 24, Sha1), Sha256),
];

impl Suite {
    /// The suite of that number, if it is implemented.
    pub(super) fn of_id(id: u16) -> Option<Self> {
        SUITES.iter().find(|row| row.0 == id).map(|row| Self(row.0))
    }

    fn row(self) -> &'static Row {
        // A `Suite` is only ever made from a row of the table; the first one stands for what cannot be.
        const NONE: Row = Row(0, "", Any, Aes128Gcm, Sha256);
        SUITES.iter().find(|row| row.0 == self.0).unwrap_or(&NONE)
    }

    pub(super) fn id(self) -> u16 {
        self.0
    }

    pub(super) fn exchange(self) -> Exchange {
        self.row().2
    }

    pub(super) fn bulk(self) -> Bulk {
        self.row().3
    }

    /// The hash of its key schedule from TLS 1.2 on.
    pub(super) fn hash(self) -> Hash {
        self.row().4
    }

    /// Whether it is older than TLS 1.2, and thus can be used in versions before.
    pub(super) fn is_old(self) -> bool {
        matches!(self.bulk(), Cbc(_, _, Sha1))
    }
}

impl Block {
    /// Octets of one.
    pub(super) fn length(self) -> usize {
        match self {
            Aes | Camellia => 16,
            TripleDes => 8,
        }
    }
}

impl Bulk {
    /// Octets of the key.
    pub(super) fn key_length(self) -> usize {
        match self {
            Aes128Gcm | Aria128Gcm => 16,
            Aes256Gcm | Aria256Gcm | Chacha20Poly1305 => 32,
            Ccm(key) | Ccm8(key) | Cbc(_, key, _) => key,
        }
    }
}

impl TryFrom<String> for Suite {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let row = SUITES.iter().find(|row| row.1 == name);
        row.map(|row| Self(row.0)).ok_or_else(|| format!("no cipher suite `{name}` is implemented"))
    }
}

impl From<Suite> for String {
    fn from(suite: Suite) -> Self {
        suite.row().1.into()
    }
}

/// Groups of ephemeral keys (RFC 8446 §4.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Group {
    X25519,
    Secp256r1,
    Secp384r1,
    Secp521r1,
    X448,
    Ffdhe2048,
    Ffdhe3072,
    Ffdhe4096,
    Ffdhe6144,
    Ffdhe8192,
}

impl Group {
    pub(super) fn id(self) -> u16 {
        match self {
            Self::Secp256r1 => 23,
            Self::Secp384r1 => 24,
            Self::Secp521r1 => 25,
            Self::X25519 => 29,
            Self::X448 => 30,
            Self::Ffdhe2048 => 0x0100,
            Self::Ffdhe3072 => 0x0101,
            Self::Ffdhe4096 => 0x0102,
            Self::Ffdhe6144 => 0x0103,
            Self::Ffdhe8192 => 0x0104,
        }
    }

    /// Whether it is a curve: the others are for TLS 1.3 alone (OpenSSL 3.0 does not choose them by name before).
    pub(super) fn is_curve(self) -> bool {
        matches!(self, Self::X25519 | Self::X448 | Self::Secp256r1 | Self::Secp384r1 | Self::Secp521r1)
    }
}

/// Signature schemes (RFC 8446 §4.2.3; those of RSA with PKCS#1 padding for TLS 1.2 alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Scheme {
    EcdsaSecp256r1Sha256,
    EcdsaSecp384r1Sha384,
    EcdsaSecp521r1Sha512,
    EcdsaSha224,
    RsaPssRsaeSha256,
    RsaPssRsaeSha384,
    RsaPssRsaeSha512,
    RsaPkcs1Sha224,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
}

impl Scheme {
    pub(super) fn id(self) -> u16 {
        match self {
            Self::RsaPkcs1Sha224 => 0x0301,
            Self::EcdsaSha224 => 0x0303,
            Self::RsaPkcs1Sha256 => 0x0401,
            Self::RsaPkcs1Sha384 => 0x0501,
            Self::RsaPkcs1Sha512 => 0x0601,
            Self::EcdsaSecp256r1Sha256 => 0x0403,
            Self::EcdsaSecp384r1Sha384 => 0x0503,
            Self::EcdsaSecp521r1Sha512 => 0x0603,
            Self::RsaPssRsaeSha256 => 0x0804,
            Self::RsaPssRsaeSha384 => 0x0805,
            Self::RsaPssRsaeSha512 => 0x0806,
        }
    }

    /// Whether a key of this kind signs with it: before TLS 1.3 a curve signs any hash (RFC 5246 §7.4.1.4.1), in it just
    /// one, and RSA signs with PSS alone.
    pub(super) fn fits(self, key: KeySpec, version: Version) -> bool {
        use Scheme::{
            EcdsaSecp256r1Sha256, EcdsaSecp384r1Sha384, EcdsaSecp521r1Sha512, EcdsaSha224, RsaPssRsaeSha256,
            RsaPssRsaeSha384, RsaPssRsaeSha512,
        };
        let ecdsa = matches!(self, EcdsaSecp256r1Sha256 | EcdsaSecp384r1Sha384 | EcdsaSecp521r1Sha512 | EcdsaSha224);
        match (key, version) {
            (KeySpec::EcdsaP256, Version::Tls13) => self == EcdsaSecp256r1Sha256,
            (KeySpec::EcdsaP384, Version::Tls13) => self == EcdsaSecp384r1Sha384,
            (_, Version::Tls13) => matches!(self, RsaPssRsaeSha256 | RsaPssRsaeSha384 | RsaPssRsaeSha512),
            (key, _) => ecdsa != key.is_rsa(),
        }
    }
}
