//! Cipher suites, groups and signature schemes: their numbers, their names as OpenSSL prints them, and what they are
//! made of.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

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
    Sha256,
    Sha384,
}

/// What protects records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    Chacha20Poly1305,
    /// AES-CBC with a key of so many octets, and HMAC beside it.
    Cbc(usize, CbcMac),
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

use Bulk::{Aes128Gcm, Aes256Gcm, Cbc, Chacha20Poly1305};
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
    Row(0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256", EcdheEcdsa, Aes128Gcm, Sha256),
    Row(0xc02f, "ECDHE-RSA-AES128-GCM-SHA256", EcdheRsa, Aes128Gcm, Sha256),
    Row(0x009e, "DHE-RSA-AES128-GCM-SHA256", DheRsa, Aes128Gcm, Sha256),
    Row(0xc024, "ECDHE-ECDSA-AES256-SHA384", EcdheEcdsa, Cbc(32, Mac384), Sha384),
    Row(0xc028, "ECDHE-RSA-AES256-SHA384", EcdheRsa, Cbc(32, Mac384), Sha384),
    Row(0x006b, "DHE-RSA-AES256-SHA256", DheRsa, Cbc(32, Mac256), Sha256),
    Row(0xc023, "ECDHE-ECDSA-AES128-SHA256", EcdheEcdsa, Cbc(16, Mac256), Sha256),
    Row(0xc027, "ECDHE-RSA-AES128-SHA256", EcdheRsa, Cbc(16, Mac256), Sha256),
    Row(0x0067, "DHE-RSA-AES128-SHA256", DheRsa, Cbc(16, Mac256), Sha256),
    Row(0xc00a, "ECDHE-ECDSA-AES256-SHA", EcdheEcdsa, Cbc(32, Sha1), Sha256),
    Row(0xc014, "ECDHE-RSA-AES256-SHA", EcdheRsa, Cbc(32, Sha1), Sha256),
    Row(0x0039, "DHE-RSA-AES256-SHA", DheRsa, Cbc(32, Sha1), Sha256),
    Row(0xc009, "ECDHE-ECDSA-AES128-SHA", EcdheEcdsa, Cbc(16, Sha1), Sha256),
    Row(0xc013, "ECDHE-RSA-AES128-SHA", EcdheRsa, Cbc(16, Sha1), Sha256),
    Row(0x0033, "DHE-RSA-AES128-SHA", DheRsa, Cbc(16, Sha1), Sha256),
    Row(0x009d, "AES256-GCM-SHA384", Rsa, Aes256Gcm, Sha384),
    Row(0x009c, "AES128-GCM-SHA256", Rsa, Aes128Gcm, Sha256),
    Row(0x003d, "AES256-SHA256", Rsa, Cbc(32, Mac256), Sha256),
    Row(0x003c, "AES128-SHA256", Rsa, Cbc(16, Mac256), Sha256),
    Row(0x0035, "AES256-SHA", Rsa, Cbc(32, Sha1), Sha256),
    Row(0x002f, "AES128-SHA", Rsa, Cbc(16, Sha1), Sha256),
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

    pub(super) fn hash(self) -> Hash {
        self.row().4
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
}

impl Group {
    pub(super) fn id(self) -> u16 {
        match self {
            Self::Secp256r1 => 23,
            Self::Secp384r1 => 24,
            Self::Secp521r1 => 25,
            Self::X25519 => 29,
        }
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
    RsaPssRsaeSha256,
    RsaPssRsaeSha384,
    RsaPssRsaeSha512,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
}

impl Scheme {
    pub(super) fn id(self) -> u16 {
        match self {
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

    pub(super) fn is_ecdsa(self) -> bool {
        matches!(self, Self::EcdsaSecp256r1Sha256 | Self::EcdsaSecp384r1Sha384 | Self::EcdsaSecp521r1Sha512)
    }

    /// Whether TLS 1.3 allows it in CertificateVerify.
    pub(super) fn is_modern(self) -> bool {
        !matches!(self, Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512)
    }
}
