//! TCP as a stack has it: handshakes, answers to what opens nothing, times and sizes of a connection.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Layout, Offered};

/// Answers to a SYN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tcp {
    /// Where these values come from.
    pub source: String,
    /// Own maximum segment size on Ethernet.
    pub mss: u16,
    /// Which size the SYN-ACK names.
    pub mss_rule: MssRule,
    /// Own window scale; also what the windows of a connection are shifted by.
    pub window_scale: u8,
    /// Window of a SYN-ACK that carries timestamps.
    pub window_timestamps: WindowRule,
    /// Window of a SYN-ACK without timestamps.
    pub window: WindowRule,
    /// Window of a SYN-ACK without window scaling, where it differs.
    #[serde(default)]
    pub window_unscaled: Option<WindowRule>,
    /// Options of the SYN-ACK by what the client offered (`"mss,sok,ts,ws"`, in this order of words). A set that is
    /// not listed is answered with the layout of the full set, what was not offered left out together with the
    /// padding before it.
    pub layouts: Vec<LayoutRule>,
    /// Answers to exactly these options and no others, before the layouts.
    #[serde(default)]
    pub exceptions: Vec<SynException>,
    /// Explicit congestion notification.
    pub ecn: Ecn,
    /// A SYN that is signed (RFC 2385) is dropped, since no key is known.
    #[serde(default)]
    pub signed_silent: bool,
}

/// One line of [`Tcp::layouts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LayoutRule {
    /// What the client offered.
    pub offered: Offered,
    /// What is answered.
    pub options: Layout,
}

/// An answer to a SYN that the rules do not give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SynException {
    /// The client's options, hexadecimal, padding included.
    pub offered: String,
    /// The client's window, if only that one is meant.
    #[serde(default)]
    pub offered_window: Option<u16>,
    /// Options of the answer, if they differ.
    #[serde(default)]
    pub options: Option<Layout>,
    /// Window of the answer, if it differs.
    #[serde(default)]
    pub window: Option<u16>,
    /// Segment size in the answer, if it differs.
    #[serde(default)]
    pub mss: Option<u16>,
    /// Initial time to live of the answer, if it differs.
    #[serde(default)]
    pub ttl: Option<u8>,
    /// Don't-fragment of the answer, if it differs.
    #[serde(default)]
    pub df: Option<bool>,
    /// A bit of the reserved four is set (nmap: Q=R).
    #[serde(default)]
    pub reserved: bool,
    /// The urgent pointer is set without its flag (nmap: Q=U).
    #[serde(default)]
    pub urgent: bool,
    /// What becomes of such a SYN.
    #[serde(default)]
    pub answer: SynAnswer,
    /// Of two such SYNs of one peer only the second is answered.
    #[serde(default)]
    pub every_second: bool,
}

/// What becomes of a SYN to which an exception applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SynAnswer {
    /// It is accepted: a SYN-ACK.
    #[default]
    Accept,
    /// Nothing comes back.
    Silent,
    /// A segment, and no connection.
    Reply(Reply),
}

/// Which segment size a SYN-ACK names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MssRule {
    /// The stack's own.
    Own,
    /// The smaller of its own and the client's, which is 536 where the client names none.
    Least,
    /// The smaller of its own and the client's; its own where the client names none.
    LeastNamed,
}

/// A window as it stands in a SYN-ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowRule {
    /// This.
    Constant(u16),
    /// So many times the smaller of both segment sizes.
    TimesMss(u16),
    /// So many times the smaller of both segment sizes less the 12 octets of a timestamp.
    TimesMssLessTimestamps(u16),
    /// The largest multiple of the smaller of both segment sizes that is at most this.
    MultipleOfMssUpTo(u16),
    /// A buffer of so many octets, rounded up to a multiple of the smaller of both segment sizes (less the 12 octets of
    /// a timestamp) and shifted by the scale; what does not fit the field is the largest multiple that does.
    BufferRoundedUp(u32),
}

/// How a SYN with ECE and CWR is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecn {
    /// As if they were not there (nmap: CC=N).
    Off,
    /// With ECE (CC=Y).
    Accept,
    /// With both (CC=S).
    Echo,
    /// With CWR alone (CC=O).
    Cwr,
}

/// Answers of an open port to segments that belong to no connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenPort {
    /// Where these values come from.
    pub source: String,
    /// No flag (nmap: T2).
    pub null: Answer,
    /// FIN.
    pub fin: Answer,
    /// FIN, PSH and URG.
    pub xmas: Answer,
    /// SYN with FIN (nmap: T3 has PSH and URG too).
    pub syn_fin: Answer,
    /// ACK (nmap: T4), and whatever else has ACK and no SYN, RST or FIN.
    pub ack: Answer,
    /// SYN with ACK.
    pub syn_ack: Answer,
    /// FIN with ACK.
    pub fin_ack: Answer,
}

/// Answers of a closed port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClosedPort {
    /// Where these values come from.
    pub source: String,
    /// SYN (nmap: T5).
    pub syn: Answer,
    /// ACK (nmap: T6).
    pub ack: Answer,
    /// SYN with ACK.
    pub syn_ack: Answer,
    /// FIN with ACK.
    pub fin_ack: Answer,
    /// No flag.
    pub null: Answer,
    /// FIN.
    pub fin: Answer,
    /// FIN, PSH and URG (nmap: T7).
    pub xmas: Answer,
    /// SYN with FIN.
    pub syn_fin: Answer,
    /// Answers a second for one decoy at most; 0: no limit.
    #[serde(default)]
    pub per_second: u16,
    /// SYNs with exactly these options that are not answered, while others are.
    #[serde(default)]
    pub unanswered: Vec<UnansweredSyn>,
}

/// A SYN that a closed port does not answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnansweredSyn {
    /// The client's options, hexadecimal, padding included.
    pub offered: String,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Nothing.
    Silent,
    /// The segment is taken for a SYN.
    Accept,
    /// A segment.
    Reply(Reply),
}

/// A segment outside of any connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reply {
    /// Flags as letters: `AR`.
    pub flags: String,
    /// Sequence number.
    pub seq: SeqRule,
    /// Acknowledgment field.
    pub ack: AckRule,
    /// Window.
    #[serde(default)]
    pub window: u16,
    /// Don't-fragment.
    pub df: bool,
    /// Options, if any.
    #[serde(default)]
    pub options: Option<Layout>,
    /// Data of the segment (some stacks explain their reset).
    #[serde(default)]
    pub text: String,
    /// Further data after the text, hexadecimal, where it is no text.
    #[serde(default)]
    pub data: String,
    /// Initial time to live, if it differs.
    #[serde(default)]
    pub ttl: Option<u8>,
    /// A bit of the reserved four is set (nmap: Q=R).
    #[serde(default)]
    pub reserved: bool,
    /// The urgent pointer is set without its flag (nmap: Q=U).
    #[serde(default)]
    pub urgent: bool,
}

/// Sequence number of a [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeqRule {
    /// Zero (nmap: Z).
    Zero,
    /// The acknowledgment field of the segment answered, whether or not the flag is set (A).
    Ack,
    /// That plus one (A+).
    AckPlusOne,
    /// As RFC 9293 §3.10.7.1 says: the acknowledgment field if the flag is set, else zero.
    Rfc9293,
    /// Something else, as if new (O).
    Fresh,
    /// The next initial sequence number.
    Initial,
}

/// Acknowledgment field of a [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AckRule {
    /// Zero (nmap: Z).
    Zero,
    /// The sequence number of the segment answered (S).
    Seq,
    /// That plus one, whatever the segment's length (S+).
    SeqPlusOne,
    /// That plus the segment's length in sequence space.
    SeqPlusLength,
    /// The acknowledgment field of the segment answered (O).
    Ack,
    /// Something else, as if new (O).
    Fresh,
}

/// Timers of a connection and what it does at its end. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectionRules {
    /// Where these values come from.
    pub source: String,
    /// Delay before each retransmission of the SYN-ACK, from the transmission before it.
    pub syn_ack_ms: Vec<u32>,
    /// Whether a RST follows the last one.
    pub syn_ack_reset: bool,
    /// Retransmission time-out before a round trip was measured.
    pub rto_initial_ms: u32,
    /// Its lower bound.
    pub rto_min_ms: u32,
    /// Its upper bound.
    pub rto_max_ms: u32,
    /// Retransmissions of data before the connection is given up.
    pub retries: u8,
    /// How long an acknowledgment may wait.
    pub delayed_ack_ms: u32,
    /// How long TIME-WAIT lasts.
    pub time_wait_ms: u32,
    /// How long FIN-WAIT-2 lasts.
    pub fin_wait_ms: u32,
    /// RST instead of FIN when data was left unread.
    pub unread_resets: bool,
    /// Challenge acknowledgments a second (RFC 5961); 0: an unacceptable RST or SYN is dropped, an in-window SYN resets.
    pub challenge_acks: u16,
    /// Receive buffer in octets, what the window of a connection is cut from.
    pub receive_buffer: u32,
    /// When data is acknowledged.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Socket memory in octets of which the window is made: it grows with full segments, and overhead counts. 0: the
    /// window is `receive-buffer` less what is unread.
    #[serde(default)]
    pub receive_memory: u32,
    /// SACK blocks tell the latest arrivals as they came (RFC 2018 §4), ride on data too, and report duplicates
    /// (RFC 2883); else they tell all that waits.
    #[serde(default)]
    pub sack_history: bool,
    /// Least time between two answers of one connection to what is not acceptable; 0: none.
    #[serde(default)]
    pub invalid_ms: u32,
    /// Losses are found by time and probed for at the tail (RFC 8985), where the peer knows SACK.
    #[serde(default)]
    pub rack: bool,
    /// Tenths of the congestion window that are kept after a loss; 0: five (RFC 5681), seven is CUBIC (RFC 9438 §4.6).
    #[serde(default)]
    pub loss_keeps_tenths: u8,
    /// PSH on the last segment of each burst that the stack hands to its card as one.
    #[serde(default)]
    pub burst_push: bool,
    /// Segments are at most half of the largest window that the peer offered.
    #[serde(default)]
    pub half_window: bool,
    /// Least segment that the stack sends, whatever the peer names; 0: 64.
    #[serde(default)]
    pub least_segment: u16,
    /// Tick of the kernel's timers, which fire late by up to an eighth of what they measure; 0: they are exact.
    #[serde(default)]
    pub timer_tick_ms: u32,
    /// The urgent octet is taken out of the stream (the usual socket, without SO_OOBINLINE).
    #[serde(default)]
    pub urgent_apart: bool,
    /// A RST of a connection carries its window and its timestamps; else zero and none.
    #[serde(default)]
    pub reset_window: bool,
    /// What has closed and waits, be it for the peer's FIN or for old segments to die, answers as if there were no
    /// connection: with other identifications, within `invalid-ms`; RST counts if it is exact.
    #[serde(default)]
    pub mini_sockets: bool,
}

/// When a connection acknowledges data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// The first sixteen segments and every second one at once, others after `delayed-ack-ms`.
    #[default]
    Delayed,
    /// As Linux: at once and before the service is heard until a conversation is recognised, small segments when they
    /// were read, then after `delayed-ack-ms`.
    Adaptive,
}
