//! TLS as one product speaks it: data.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::suite::{Group, Scheme, Suite};
use crate::text::mix;

/// A TLS server, by its choices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsSpec {
    /// Versions that it speaks.
    pub versions: Vec<Version>,
    /// TLS 1.0 and 1.1 are on, but nothing that they need is: the refusal is `internal_error`, not `protocol_version`.
    /// Says nothing of a version that `versions` has.
    pub old_versions_fail: bool,
    /// A client of TLS 1.2 that names no signature schemes is refused by `internal_error`, not `handshake_failure`.
    pub absent_schemes_fail: bool,
    /// A half of a key in TLS 1.3 with which no secret comes about is refused by `internal_error`, not
    /// `illegal_parameter`.
    pub small_order_fails: bool,
    /// The name is looked at before all else, and a list that does not begin with one is refused by `unrecognized_name`,
    /// not `decode_error`.
    pub name_first: bool,
    /// Cipher suites, in the server's order, those of TLS 1.3 among them, by OpenSSL's names.
    pub suites: Vec<Suite>,
    /// Whether the client's order of cipher suites, groups and signature schemes decides, not the server's.
    pub honours_client_order: bool,
    /// Groups of ephemeral keys, in the server's order.
    pub groups: Vec<Group>,
    /// The same for suites whose key has 256 bits, where they have an order of their own, as in SChannel.
    pub groups_256: Vec<Group>,
    /// Signature schemes, in the server's order.
    pub signatures: Vec<Scheme>,
    /// Finite-field Diffie-Hellman groups are not configured where this is off, and suites that need one are passed
    /// over.
    pub ephemeral_dh: bool,
    /// Extensions of ServerHello in TLS 1.2 and before, in order; each is sent where the client asked for it.
    pub hello_12: Vec<Answer>,
    /// Extensions of ServerHello in TLS 1.3.
    pub hello_13: Vec<Answer>,
    /// Extensions of EncryptedExtensions in TLS 1.3.
    pub encrypted_13: Vec<Answer>,
    /// Sessions are kept, and go on by their identifiers: a ticket of TLS 1.3 is such an identifier.
    pub session_cache: bool,
    /// A session that gets no ticket gets an identifier.
    pub session_ids: bool,
    /// Of the first four octets of an identifier the latter two are 0, as in SChannel's.
    pub session_ids_short: bool,
    /// Octets of a ticket of TLS 1.2; 0: none is sent.
    pub ticket_octets: u16,
    /// Octets of a ticket of TLS 1.3.
    pub ticket_octets_13: u16,
    /// Tickets after a handshake of TLS 1.3.
    pub tickets_13: u8,
    /// Where a session of TLS 1.3 goes on, none is said.
    pub tickets_13_once: bool,
    /// How long a ticket may be used, in seconds.
    pub ticket_lifetime_s: u32,
    /// Application protocols that the server speaks, in its order; empty: it does not know the extension.
    pub alpn: Vec<String>,
    /// A client that offers none of them is refused; else it gets no answer to the extension.
    pub alpn_must_match: bool,
    /// A client that offers none of them is told the first one all the same, as mod_ssl does.
    pub alpn_insists: bool,
    /// The client's order of protocols decides, not the server's.
    pub alpn_by_client: bool,
    /// The messages of a flight share records, as SChannel sends them, instead of having one each.
    pub shared_records: bool,
    /// A handshake that fails ends by RST, and no alert says why.
    pub resets_refused: bool,
    /// Seconds for the handshake, 60 if left out.
    pub handshake_timeout_s: u32,
    /// The time for the handshake begins anew with whatever comes.
    pub handshake_goes_on: bool,
    /// Octets that are read at a time: of what comes together with a record at which the handshake fails, so many are read
    /// before the end, and more turns it into a RST. 0: nothing is read ahead.
    pub reads_ahead: u32,
    /// Seconds for which it reads on after a handshake that failed.
    pub lingers_s: u32,
    /// A client that ends without `close_notify` is told that this is an error, `decode_error`, as OpenSSL 3 does where it
    /// was not told to overlook it.
    pub abrupt_end_fails: bool,
    /// No `close_notify` is said to a client that has ended.
    pub ends_silently: bool,
    /// No `close_notify` is said to a client that was too slow with a request.
    pub late_silently: bool,
    /// Half a record is the beginning of a request, which has the time of one.
    pub half_records_count: bool,
    /// There is no FIN behind its `close_notify` before the client has said its own, or the server reads on no more.
    pub fin_waits: bool,
    /// What a client is told that asks in HTTP, placeholders and escapes as in a banner, `{date}` and `{length}`, the octets
    /// behind the empty line; empty: what is no TLS ends the connection in silence.
    pub plain_answer: String,
    /// HTTP is known by its method alone, as OpenSSL knows it, and answered at once; what is neither ends in silence.
    pub plain_by_method: bool,
    /// What a client is told that speaks neither.
    pub garbage_answer: String,
    /// The certificate of each decoy.
    pub certificate: CertificateSpec,
    /// Certificates that some decoys have in place of that one.
    pub other_certificates: Vec<OtherCertificate>,
}

impl TlsSpec {
    /// Whether a hello of the server's, or what follows it in TLS 1.3, can have this answer.
    pub(super) fn knows(&self, answer: Answer) -> bool {
        self.hello_12.contains(&answer) || self.encrypted_13.contains(&answer)
    }

    /// The certificate of the decoy with this seed.
    pub(super) fn certificate_of(&self, seed: &[u8; 16]) -> &CertificateSpec {
        let mut left = mix(seed, 0x0c3e_7f1c) % 100;
        for other in &self.other_certificates {
            match left.checked_sub(u64::from(other.percent)) {
                None => return &other.certificate,
                Some(rest) => left = rest,
            }
        }
        &self.certificate
    }

    /// The groups for a suite, in the server's order.
    pub(super) fn groups_for(&self, suite: Suite) -> &[Group] {
        let strong = suite.bulk().key_length() == 32 && !self.groups_256.is_empty();
        if strong { &self.groups_256 } else { &self.groups }
    }
}

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// RFC 2246.
    #[serde(rename = "1.0")]
    Tls10,
    /// RFC 4346.
    #[serde(rename = "1.1")]
    Tls11,
    /// RFC 5246.
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

impl Version {
    /// As hellos and records say it.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    pub(super) fn of_number(number: u16) -> Option<Self> {
        [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13].into_iter().find(|version| version.number() == number)
    }
}

/// An extension with which a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Answer {
    RenegotiationInfo,
    ServerName,
    /// Only if it is the decoy's own.
    OwnServerName,
    MaxFragmentLength,
    EcPointFormats,
    SupportedGroups,
    SessionTicket,
    Alpn,
    EncryptThenMac,
    ExtendedMasterSecret,
    SupportedVersions,
    KeyShare,
}

/// A certificate that signs itself, as a product makes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CertificateSpec {
    /// The key.
    pub key: KeySpec,
    /// Subject, as `CN={hostname}`, in order; placeholders as in a banner.
    pub subject: Vec<String>,
    /// Issuer; left out: the subject.
    pub issuer: Vec<String>,
    /// Octets of the serial number, 20 if left out.
    pub serial_octets: u8,
    /// The serial number in hexadecimal digits, placeholders as in a banner, where it is no chance.
    pub serial: String,
    /// The first day on which it may have been made: the day of each decoy derives from its seed.
    pub made_from: Day,
    /// Over how many days the days of different decoys are spread; 0: all were made when the first one began.
    pub made_within_days: u16,
    /// Days for which it is valid.
    pub valid_days: u16,
    /// Seconds for which it is valid beyond these days.
    pub valid_more_s: u16,
    /// Extensions in order.
    pub extensions: Vec<Extension>,
}

/// A certificate that some decoys have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OtherCertificate {
    /// How many of a hundred decoys have it.
    pub percent: u8,
    /// The certificate.
    pub certificate: CertificateSpec,
}

/// Kind and size of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum KeySpec {
    #[default]
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    #[serde(rename = "rsa-1024")]
    Rsa1024,
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    #[serde(rename = "rsa-4096")]
    Rsa4096,
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
}

impl KeySpec {
    pub(super) fn is_rsa(self) -> bool {
        !matches!(self, Self::EcdsaP256 | Self::EcdsaP384)
    }
}

/// An extension of a certificate (RFC 5280 §4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extension {
    /// SHA-1 of the key.
    SubjectKeyIdentifier,
    /// The same, as the issuer's.
    AuthorityKeyIdentifier,
    /// Basic constraints: critical, CA.
    Authority,
    /// Basic constraints: not critical, no CA.
    NoAuthority,
    /// Basic constraints: critical, no CA.
    CriticalNoAuthority,
    /// The server's use of the key: `serverAuth`.
    ServerAuthentication,
    /// `clientAuth` and `serverAuth`.
    ClientAndServerAuthentication,
    /// Uses of the key: critical.
    KeyUsage(Vec<KeyUse>),
    /// Names of the host, placeholders as in a banner.
    DnsNames(Vec<String>),
    /// The decoy's address.
    Address,
}

/// A use of a key, in the order of its bits (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum KeyUse {
    DigitalSignature,
    NonRepudiation,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
}

impl KeyUse {
    /// Its bit in the first octet.
    pub(super) fn bit(self) -> u8 {
        match self {
            Self::DigitalSignature => 0x80,
            Self::NonRepudiation => 0x40,
            Self::KeyEncipherment => 0x20,
            Self::DataEncipherment => 0x10,
            Self::KeyAgreement => 0x08,
        }
    }
}

/// A day, as `2023-06-12`; counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub u64);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        crate::calendar::day(&text).map(Self).ok_or_else(|| format!("`{text}` is no day; write it as 2023-06-12"))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        crate::calendar::Moment::at(day.0.saturating_mul(86_400_000_000_000)).iso_day()
    }
}
