//! ICMP and fragments as a stack has them.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// ICMP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Icmp {
    /// Where these values come from.
    pub source: String,
    /// Echo request.
    pub echo: bool,
    /// Code of an echo reply (nmap: CD).
    pub echo_code: CodeRule,
    /// Don't-fragment of an echo reply (nmap: DFI).
    pub echo_df: DfRule,
    /// Whether an echo reply has the type of service of the request; else zero.
    pub echo_tos: bool,
    /// Echo request to the subnet's broadcast address.
    pub broadcast_echo: bool,
    /// Timestamp request (type 13).
    pub timestamp: bool,
    /// Address mask request (type 17).
    pub mask: bool,
    /// UDP to a closed port: port unreachable.
    pub port_unreachable: bool,
    /// Unknown IP protocol: protocol unreachable.
    pub protocol_unreachable: bool,
    /// Type of service of errors.
    pub error_tos: u8,
    /// Whether the type of service of what an error answers is laid over `error-tos`.
    #[serde(default)]
    pub error_tos_copied: bool,
    /// Don't-fragment on errors.
    pub error_df: bool,
    /// The unused word of an unreachable (nmap: UN).
    #[serde(default)]
    pub error_unused: u32,
    /// Octets of the offending datagram that an error quotes, IP header included, at most.
    pub quote: u16,
    /// What the quoted header looks like.
    #[serde(default)]
    pub quoted: Quoted,
    /// How many errors may be sent at once.
    pub burst: u16,
    /// How many a second after that; 0: no limit.
    pub per_second: u16,
    /// Whether that limit is kept for each peer; else for the whole host.
    pub per_peer: bool,
}

/// Code of an echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeRule {
    /// Zero.
    Zero,
    /// The request's.
    Same,
    /// This.
    Constant(u8),
}

/// Don't-fragment of an echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DfRule {
    /// Never (nmap: N).
    Clear,
    /// As the request (S).
    Same,
    /// Always (Y).
    Set,
    /// The opposite of the request (O).
    Inverted,
}

/// How a stack mangles the header that it quotes in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Quoted {
    /// Added to the total length (nmap: RIPL).
    pub length: i16,
    /// The total length is in the other octet order.
    pub length_swapped: bool,
    /// Identification is zero (RID=0).
    pub id_zero: bool,
    /// Identification is in the other octet order (RID).
    pub id_swapped: bool,
    /// Identification is always this (RID).
    pub id: Option<u16>,
    /// Checksum of the IP header (RIPCK).
    pub checksum: QuotedSum,
    /// Checksum of the UDP header (RUCK).
    pub udp_checksum: QuotedSum,
    /// Subtracted from the time to live.
    pub ttl: u8,
    /// An octet of the data is wrong (RUD=I).
    pub data_wrong: bool,
    /// Zeros follow a datagram that is shorter than what is quoted at most (IPL).
    pub padded: bool,
}

/// What a quoted checksum looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotedSum {
    /// As received (nmap: G).
    #[default]
    Same,
    /// Zero (Z).
    Zero,
    /// Wrong (I).
    Wrong,
    /// Made anew over the header as it is quoted, so that it is right (G).
    Valid,
    /// This.
    Value(u16),
}

/// Reassembly (RFC 791 §3.2, RFC 815).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fragments {
    /// Where these values come from.
    pub source: String,
    /// What wins where two fragments overlap.
    pub overlap: Overlap,
    /// How long the first fragment is kept.
    pub timeout_ms: u32,
    /// Whether time exceeded (11/1) is sent then.
    pub time_exceeded: bool,
}

/// What wins where two fragments overlap and differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Neither: the datagram is lost (RFC 5722 applied to IPv4).
    Drop,
    /// What came first.
    First,
    /// What came last.
    Last,
}
