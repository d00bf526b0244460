//! A server of SSH as data: everything in which one product differs from another.

use alloc::{string::String, sync::Arc, vec::Vec};

use serde::{Deserialize, Serialize};

pub use super::hostkey::{SshCurve, SshHostKey};
use crate::{
    ConsoleSpec, ShellSpec,
    limits::ssh::{LOGIN_GRACE_S, MAX_AUTH_TRIES},
};

/// A server of SSH. Lists of names are sent as they stand, in their order; every name must be one that the server can
/// do, since a client may choose it.
///
/// Where a text is left out, nothing is said and the connection is only closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SshSpec {
    /// The version line, without its end: `SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5`.
    pub version: String,
    /// Its end, with escapes; `\\r\\n` if left out.
    pub version_end: String,
    /// Milliseconds until it is sent.
    pub version_delay_ms: u32,
    /// The server sends its KEXINIT without waiting for the client's version line.
    pub kexinit_first: bool,
    /// Packets before there are keys are padded with chance; else with zeros.
    pub random_padding: bool,

    /// Key exchanges, and marks such as `kex-strict-s-v00@openssh.com`.
    pub kex: Vec<String>,
    /// Signatures of host keys.
    pub host_key_algorithms: Vec<String>,
    /// Host keys: `{ rsa = 3072 }`, `{ ecdsa = "nistp256" }`, `"ed25519"`.
    pub host_keys: Vec<SshHostKey>,
    /// Ciphers from the client.
    pub ciphers: Vec<String>,
    /// Ciphers to the client, if they differ.
    pub ciphers_to_client: Vec<String>,
    /// MACs from the client.
    pub macs: Vec<String>,
    /// MACs to the client, if they differ.
    pub macs_to_client: Vec<String>,
    /// Compressions from the client.
    pub compression: Vec<String>,
    /// Compressions to the client, if they differ.
    pub compression_to_client: Vec<String>,
    /// What the server says of itself after the key exchange, to clients that ask for it: names and values.
    pub ext_info: Vec<(String, String)>,
    /// Clients that take it are told `server-sig-algs` once more when they have named their user: OpenSSH since 9.6.
    pub ext_info_in_auth: bool,
    /// Least and greatest bits of a group in a group exchange; 2048 and 8192 if left out.
    pub group_exchange_bits: Option<(u32, u32)>,
    /// Groups of a group exchange: `[2, "E98F…"]`. Those of RFC 3526 if left out.
    pub moduli: Vec<SshGroup>,

    /// Methods of authentication, in the order in which they are named to the client: `publickey`, `password`,
    /// `keyboard-interactive`.
    pub auth_methods: Vec<String>,
    /// Failures until the connection is closed; 0: 6.
    pub max_auth_tries: u32,
    /// The first request of the method `none` counts as a failure.
    pub none_counts: bool,
    /// Milliseconds, least and most, until a refusal of anything but a password.
    pub refusal_delay_ms: (u32, u32),
    /// Milliseconds, least and most, until a password is refused.
    pub password_delay_ms: (u32, u32),
    /// Text before authentication.
    pub auth_banner: String,
    /// What `keyboard-interactive` asks, each a prompt whose answer is not shown; `Password: ` if left out. `{user}` and
    /// `{hostname}` stand for the client's user and the decoy's name.
    pub prompts: Vec<String>,
    /// Seconds until a client that has not logged in is cut off; 0: 120.
    pub login_grace_s: u32,

    /// Connections of clients that have not logged in, and from which number on new ones are turned away by chance;
    /// left out: no bound of the product's own.
    pub startups: Option<SshStartups>,
    /// The same of one source address, without chance; 0: no such bound.
    pub startups_per_source: u32,
    /// Times for which a source address is turned away after connections that came to nothing.
    pub penalties: Option<SshPenalties>,

    /// Whoever has logged in is told of all host keys (`hostkeys-00@openssh.com`).
    pub announces_host_keys: bool,
    /// Variables that a client may set, with `*` for anything.
    pub accepts_env: Vec<String>,
    /// A session's end is told with `eow@openssh.com` to clients that know it.
    pub says_eow: bool,
    /// Extensions that the server of SFTP names.
    pub sftp_extensions: Vec<(String, String)>,
    /// The system behind a planted account; without it and a console, no session starts.
    pub shell: Option<Arc<ShellSpec>>,
    /// The command line of a device in place of a shell.
    pub console: Option<Arc<ConsoleSpec>>,

    /// What the server says to nonsense, and how.
    pub answers: SshAnswers,
    /// Octets in one direction after which the server asks for new keys; 0: a gibioctet, which is OpenSSH's for ciphers
    /// of 64-bit blocks and beyond what a decoy sends.
    pub rekey_octets: u64,
}

/// MaxStartups of OpenSSH: from `begin` clients that have not logged in, a new one is turned away with a chance of `rate`
/// in a hundred, which grows evenly, so that at `full` all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SshStartups {
    /// Clients from which on chance decides.
    pub begin: u32,
    /// Chance at that number, in a hundred.
    pub rate: u32,
    /// Clients from which on none is let in.
    pub full: u32,
}

/// A group of the product's own: what generates it, and a safe prime in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u8, String)", into = "(u8, String)")]
pub struct SshGroup {
    generator: u8,
    digits: String,
}

impl SshGroup {
    /// What generates the group.
    #[must_use]
    pub fn generator(&self) -> u8 {
        self.generator
    }

    /// The prime, in hexadecimal digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Bits of the prime, the first of which is one.
    #[must_use]
    pub fn bits(&self) -> u32 {
        u32::try_from(self.digits.len()).unwrap_or(u32::MAX).saturating_mul(4)
    }
}

impl TryFrom<(u8, String)> for SshGroup {
    type Error = &'static str;

    fn try_from((generator, digits): (u8, String)) -> Result<Self, Self::Error> {
        let ends = (digits.as_bytes().first(), digits.as_bytes().last());
        let is_whole = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match ends {
            (Some(b'8'..=b'9' | b'A'..=b'F' | b'a'..=b'f'), Some(last)) if is_whole && generator > 1 => {
                let is_odd = char::from(*last).to_digit(16).is_some_and(|digit| digit % 2 == 1);
                if is_odd { Ok(Self { generator, digits }) } else { Err("this number is even, and no prime") }
            }
            _ => {
                Err("a group is its generator, 2 or 5, and a prime in hexadecimal digits, the first of which is 8 to F")
            }
        }
    }
}

impl From<SshGroup> for (u8, String) {
    fn from(group: SshGroup) -> Self {
        (group.generator, group.digits)
    }
}

/// PerSourcePenalties of OpenSSH 9.8 and later, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SshPenalties {
    /// For a connection on which a login failed.
    pub failed_login_s: u32,
    /// For one on which none was tried.
    pub no_login_s: u32,
    /// For one that took too long.
    pub too_late_s: u32,
    /// What must come together before anybody is turned away.
    pub least_s: u32,
    /// What can come together.
    pub most_s: u32,
}

/// What a server says to clients that do not keep to the protocol. In texts `{user}`, `{service}`, `{old_user}`,
/// `{old_service}`, `{type}` and `{sequence}` stand for what the client sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SshAnswers {
    /// In clear and with escapes, to a client that is turned away at once; empty: nothing.
    pub turned_away: String,
    /// In clear, to a first line that is no version line.
    pub bad_version: String,
    /// In clear, to a version line of another major version.
    pub other_major: String,
    /// The end of these two lines, with escapes; where `split` holds, it is a segment of its own.
    pub line_end: String,
    /// See `line_end`.
    pub split: bool,
    /// Octets of the client's version line at most; 0: 8192.
    pub max_version: u32,
    /// How a version line begins that is taken whatever follows, be it a zero or a carriage return; left out:
    /// `SSH-major.minor-software` is read, and 2 and 1.99 are taken.
    pub versions: Vec<String>,
    /// A packet's first block is read and then its rest, so that what comes behind a fault stays unread; else as much
    /// is read as there is.
    pub reads_blocks: bool,
    /// Octets of a packet from the client at most, its length aside; 0: 262144.
    pub max_packet: u32,
    /// A message of another layer, a request for a service or a second KEXINIT during a key exchange ends the
    /// connection without a word; else it is answered by UNIMPLEMENTED.
    pub misplaced_ends: bool,
    /// What comes behind the last field of a KEXINIT is not looked at; else it ends the connection.
    pub ignores_surplus: bool,
    /// What a DEBUG or UNIMPLEMENTED message says is not looked at; else one that cannot be read ends the connection.
    pub ignores_remarks: bool,
    /// A second request for a group in one exchange ends the connection, as in OpenSSH before 8.5, whose monitor.c gives
    /// one group to each; else it is answered by UNIMPLEMENTED.
    pub one_group: bool,
    /// What strict key exchange has no place for ends the connection only until the server has sent its half.
    pub strict_until_half: bool,
    /// Names of software, with `*` for anything, at whose sight the server closes without a word.
    pub shunned: Vec<String>,
    /// Reason in DISCONNECT messages (RFC 4253 §11.1); 0: 2, a protocol error.
    pub reason: u32,
    /// To one failure too many.
    pub too_many_failures: String,
    /// To a request of authentication for another user, or another service, than the one before.
    pub change_of_user: String,
    /// To a request for a service that the server has not.
    pub bad_service: String,
    /// To a packet with less than four octets of padding; `{padding}` of them.
    pub bad_padding: String,
    /// To a message of number 0, or one of those for private use.
    pub bad_type: String,
    /// To a message of the transport layer that strict key exchange has no place for.
    pub strict_violation: String,
    /// To a KEXINIT that strict key exchange wanted as the first message.
    pub strict_order: String,
}

impl SshSpec {
    pub(crate) fn to_client<'a>(&self, own: &'a [String], other: &'a [String]) -> &'a [String] {
        if own.is_empty() { other } else { own }
    }

    /// Whether it has the messages PING and PONG: it says so.
    pub(crate) fn knows_pings(&self) -> bool {
        self.ext_info.iter().any(|(name, _)| name == "ping@openssh.com")
    }

    pub(crate) fn version_end(&self) -> &str {
        if self.version_end.is_empty() { "\\r\\n" } else { &self.version_end }
    }

    pub(crate) fn group_bits(&self) -> (u32, u32) {
        self.group_exchange_bits.unwrap_or((2048, 8192))
    }

    pub(crate) fn max_auth_tries(&self) -> u32 {
        if self.max_auth_tries == 0 { MAX_AUTH_TRIES } else { self.max_auth_tries }
    }

    pub(crate) fn login_grace_s(&self) -> u32 {
        if self.login_grace_s == 0 { LOGIN_GRACE_S } else { self.login_grace_s }
    }

    pub(crate) fn rekey_octets(&self) -> u64 {
        if self.rekey_octets == 0 { 1 << 30 } else { self.rekey_octets }
    }
}

impl SshAnswers {
    pub(crate) fn max_version(&self) -> usize {
        if self.max_version == 0 { 8192 } else { usize::try_from(self.max_version).unwrap_or(usize::MAX) }
    }

    pub(crate) fn max_packet(&self) -> usize {
        let most = super::packet::MAX_PACKET;
        usize::try_from(self.max_packet).ok().filter(|octets| *octets > 0).map_or(most, |octets| octets.min(most))
    }

    pub(crate) fn reason(&self) -> u32 {
        if self.reason == 0 { 2 } else { self.reason }
    }
}
