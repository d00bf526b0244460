use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Which generator numbers which datagrams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IpId {
    /// Where these values come from.
    pub source: String,
    /// SYN-ACK.
    pub syn_ack: IdRule,
    /// RST and other answers outside of a connection.
    pub reset: IdRule,
    /// Segments of a connection.
    pub data: IdRule,
    /// ICMP echo and timestamp replies.
    pub echo: IdRule,
    /// ICMP errors.
    pub error: IdRule,
    /// UDP.
    pub udp: IdRule,
}

/// One generator of IPv4 identifications (fidelity: nmap's TI, CI, II and SS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum IdRule {
    /// Always zero.
    Zero,
    /// Always this.
    Constant(u16),
    /// Random. Of two steps in a row from one peer's view one is never small, so that three numbers are enough to tell.
    Random,
    /// Starts anywhere in each connection, then grows by one.
    Flow,
    /// The decoy's one counter, by one (nmap: I). Rules with the same word share the counter.
    Host,
    /// The decoy's one counter, in the other octet order, by one (nmap: BI).
    HostSwapped,
    /// The decoy's one counter, by random steps (nmap: RI).
    HostRandomStep,
    /// A second counter of the decoy, by one, far from the first (nmap: SS=O).
    SecondHost,
    /// A counter for each peer, by one.
    Peer,
    /// An echo reply's is the request's, since the datagram is sent back as it came (lwIP); elsewhere zero.
    Request,
    /// One of the decoy's counters, where the rules above do not say it.
    Counter {
        /// 0 to 2. Rules that name the same number share the counter; the words above use number 0, `second-host` 1.
        number: u8,
        /// How it grows.
        step: IdStep,
        /// Where it is found after a pause.
        seat: IdSeat,
    },
}

/// How a counter of identifications grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdStep {
    /// By one (nmap: I).
    One,
    /// By one, sent in the other octet order (BI).
    Swapped,
    /// By a random number above a thousand (RI).
    Random,
    /// By a random odd number of some hundreds (no class at all).
    Hundreds,
}

/// Where a counter of identifications is found after a pause, in which a real host's other traffic would have moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdSeat {
    /// Anywhere, if not about to wrap.
    Any,
    /// In the lower half.
    Low,
    /// In the upper half (nmap: the counter of echo replies where SS=O).
    High,
}

/// How initial sequence numbers grow (fidelity: nmap's SP, GCD and ISR).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Isn {
    /// Where these values come from.
    pub source: String,
    /// The generator.
    pub class: IsnClass,
}

/// A generator of initial sequence numbers. State is kept for each decoy and remote address.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum IsnClass {
    /// A keyed hash of the connection plus a clock (RFC 6528).
    Rfc6528 {
        /// Nanoseconds of one step of the clock: 64 in Linux, 4,000 in RFC 9293.
        tick_ns: u32,
    },
    /// Unpredictable, but such that five consecutive increments stay inside these bounds, in nmap's units of
    /// eighths of a power of two: rate a second and standard deviation.
    Bounded {
        /// Lowest and highest mean rate (nmap's ISR).
        rate: (u16, u16),
        /// Lowest and highest deviation (nmap's SP).
        deviation: (u16, u16),
        /// Every increment is a multiple of this; 0: of one.
        #[serde(default)]
        step: u32,
        /// Lowest and highest greatest common divisor of the increments, in steps (nmap's GCD); 0 and 0: any.
        #[serde(default)]
        divisor: (u32, u32),
        /// Five increments in steps, a tenth of a second apart, that are inside the bounds. With them the numbers grow
        /// with time, and these increments, in turn, are what is fallen back on; without them they are uniform.
        #[serde(default)]
        pattern: Option<[u32; 5]>,
    },
    /// Grows with time.
    Clock {
        /// Steps a second.
        per_second: u32,
        /// Size of a step: every difference is a multiple of it.
        step: u32,
        /// Random part of each increment, in steps, at most.
        jitter: u32,
    },
    /// Grows with each connection by the ticks since the decoy's boot (lwIP).
    Uptime {
        /// Ticks a second.
        per_second: u32,
    },
    /// Grows with each connection only.
    Count {
        /// Increment.
        step: u32,
    },
    /// Always this.
    Constant(u32),
}

/// TCP timestamps (RFC 7323) as the stack makes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timestamps {
    /// Where these values come from.
    pub source: String,
    /// Ticks a second; 0: the option is never sent.
    pub hz: u32,
    /// Where the clock starts.
    pub offset: TimestampOffset,
    /// The SYN-ACK echoes zero instead of the client's value (Windows before Vista).
    #[serde(default)]
    pub echo_zero: bool,
}

/// Where a timestamp clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum TimestampOffset {
    /// At boot: the value tells the uptime.
    Boot,
    /// Anywhere, the same for the same pair of addresses.
    Peer,
    /// Anywhere, for each connection.
    Connection,
    /// At zero with each connection: the SYN-ACK carries zero.
    Zero,
    /// At one with each connection: the SYN-ACK carries one.
    One,
    /// So much farther with each second, and a little at random, in each connection (nmap: TS=20 to 22).
    Leap {
        /// Ticks a second between connections.
        per_second: u64,
    },
}
