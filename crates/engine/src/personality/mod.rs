//! How a TCP/IP stack behaves, as nmap, p0f and a careful person see it: data, no code.
//!
//! A file in `profiles/systems/` is this structure as TOML, key by key. Each group names its `source`, which begins
//! with one of `measured:` (a recording in the repository), `code:` (the system's published source, file and line),
//! `rfc:`, `vendor:`, `published:` (a raw fingerprint or capture that its owner published) or `fitted:` (chosen
//! until nmap names the system, its database unread).

mod icmp;
mod layout;
mod numbers;
mod tcp;

use alloc::string::String;

pub use icmp::{CodeRule, DfRule, Fragments, Icmp, Overlap, Quoted, QuotedSum};
pub use layout::{BadLayout, Layout, LayoutOption, Offered};
pub use numbers::{IdRule, IdSeat, IdStep, IpId, Isn, IsnClass, TimestampOffset, Timestamps};
use serde::{Deserialize, Serialize};
pub use tcp::{
    AckRule, Acknowledge, Answer, ClosedPort, ConnectionRules, Ecn, LayoutRule, MssRule, OpenPort, Reply, SeqRule,
    SynAnswer, SynException, Tcp, UnansweredSyn, WindowRule,
};

/// A stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Personality {
    /// Name of its file: `linux-6.x`.
    pub name: String,
    /// For people: `Linux 6.1 to 6.18`.
    pub title: String,
    /// Coarse kind, for the coherence check: `linux`, `windows`, `apple`, `android`, `bsd`, `solaris`, `unix` (AIX, HP-UX),
    /// `cisco`, `printer`, `rtos`.
    pub family: String,
    /// The IPv4 header.
    pub ip: Ip,
    /// IPv4 identification.
    pub ip_id: IpId,
    /// Initial sequence numbers.
    pub isn: Isn,
    /// TCP timestamps.
    pub timestamps: Timestamps,
    /// Answers to a SYN.
    pub tcp: Tcp,
    /// Answers of an open port to segments that are no SYN and belong to no connection.
    pub open: OpenPort,
    /// Answers of a closed port.
    pub closed: ClosedPort,
    /// Timers and what a connection does at its end.
    pub connection: ConnectionRules,
    /// ICMP.
    pub icmp: Icmp,
    /// Reassembly.
    pub fragments: Fragments,
    /// ARP and the neighbour cache.
    pub arp: Arp,
}

/// The IPv4 header of all that the stack sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ip {
    /// Where these values come from.
    pub source: String,
    /// Initial time to live of TCP and UDP.
    pub ttl: u8,
    /// Initial time to live of ICMP echo replies.
    pub ttl_echo: u8,
    /// Initial time to live of ICMP errors.
    pub ttl_error: u8,
    /// Don't-fragment on SYN-ACK and data.
    pub df: bool,
    /// Don't-fragment on UDP.
    pub df_udp: bool,
    /// A RST outside of a connection has the type of service of what it answers, congestion bits aside.
    #[serde(default)]
    pub reset_tos: bool,
    /// What is done with options of a received header.
    #[serde(default)]
    pub options: OptionRule,
}

/// What a host does with the options of a received IPv4 header (RFC 1122 §3.2.1.8). Source routes are refused by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionRule {
    /// An echo reply fills in a recorded route; all else is overlooked.
    #[default]
    Route,
    /// All are checked, wrong ones are answered with a parameter problem; recorded routes and times are filled in on
    /// the way in and on the way out, in every answer outside of a connection and in SYN-ACK (Linux).
    Reflect,
}

/// Linux `mcast_solicit`, and what most others do.
fn questions() -> u8 {
    3
}

/// RFC 1122 §2.3.2.2.
fn pending() -> u16 {
    1
}

/// ARP and the neighbour cache. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Arp {
    /// Where these values come from.
    pub source: String,
    /// Sender 127.0.0.1 is answered.
    #[serde(default)]
    pub sender_loopback: bool,
    /// Sender 0.0.0.0 (a probe, RFC 5227) is answered.
    pub sender_zero: bool,
    /// Sender 255.255.255.255 is answered.
    #[serde(default)]
    pub sender_broadcast: bool,
    /// A sender outside of the subnet is answered.
    pub sender_foreign: bool,
    /// Hardware type 255 is answered.
    #[serde(default)]
    pub hardware_unknown: bool,
    /// Hardware type 6 (IEEE 802) is answered.
    pub hardware_ieee802: bool,
    /// Protocol type 0xffff is answered.
    #[serde(default)]
    pub protocol_unknown: bool,
    /// A wrong hardware address length is answered.
    #[serde(default)]
    pub length_wrong: bool,
    /// ARP inside RFC 1042 LLC/SNAP is answered.
    #[serde(default)]
    pub snap: bool,
    /// The peer is asked for, by unicast, so long after the first answer to it (neighbour state DELAY); 0: never.
    pub verify_ms: u32,
    /// How often the question is repeated without an answer, a second apart.
    pub verify_retries: u8,
    /// How long an answer holds before the next packet starts the verification again.
    pub reachable_ms: u32,
    /// So long after an answer no other card is believed, unless its owner announces himself or asks for the decoy.
    #[serde(default)]
    pub lock_ms: u32,
    /// How often everybody is asked for a neighbour that nothing is known of, a second apart, before it is given up.
    #[serde(default = "questions")]
    pub questions: u8,
    /// How many packets wait for such a neighbour; of more the first is dropped. RFC 1122 §2.3.2.2 wants one, the latest.
    #[serde(default = "pending")]
    pub pending: u16,
    /// Gratuitous announcements at birth.
    pub announce: u8,
    /// Probes (sender 0.0.0.0) before them.
    pub probe: u8,
    /// Whether an announcement defends the address when somebody claims it (RFC 5227 §2.4).
    pub defend: bool,
    /// A sender whose own card is a group is answered, to everybody.
    #[serde(default)]
    pub sender_group: bool,
}
