//! What became of every frame, and what is held at the moment.

/// What a frame came to. Every frame ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something was sent because of it, or will be.
    Answered,
    /// Nothing was sent, but it was taken note of.
    Observed,
    /// Neither.
    Dropped(DropReason),
}

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Shorter than its headers say.
    Malformed,
    /// A multicast address that a network card would not have let through.
    Multicast,
    /// For no decoy: the ordinary life of the network.
    NotOurs,
    /// A decoy's address in a frame to another card.
    WrongMac,
    /// Neither ARP nor IPv4, or a protocol that decoys do not listen to.
    Protocol,
    /// A checksum does not hold.
    Checksum,
    /// A source that no host has: loopback, multicast, broadcast, the decoy's own.
    BadSource,
    /// Nothing could be routed back.
    Unroutable,
    /// IP options that hosts refuse: source routing.
    Options,
    /// A fragment that waits for others, or that a rule threw away.
    Fragment,
    /// The personality is silent on this.
    Silent,
    /// A limit was reached.
    Limit,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Multicast,
        Self::NotOurs,
        Self::WrongMac,
        Self::Protocol,
        Self::Checksum,
        Self::BadSource,
        Self::Unroutable,
        Self::Options,
        Self::Fragment,
        Self::Silent,
        Self::Limit,
    ];

    /// The name as counters print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Multicast => "multicast",
            Self::NotOurs => "not-ours",
            Self::WrongMac => "wrong-mac",
            Self::Protocol => "protocol",
            Self::Checksum => "checksum",
            Self::BadSource => "bad-source",
            Self::Unroutable => "unroutable",
            Self::Options => "options",
            Self::Fragment => "fragment",
            Self::Silent => "silent",
            Self::Limit => "limit",
        }
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that were answered.
    pub answered: u64,
    /// Frames that were taken note of.
    pub observed: u64,
    /// Frames that were dropped, by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Frames that the fleet sent of itself.
    pub chaff: u64,
}

impl Counters {
    pub(crate) fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Answered => self.answered += 1,
            Verdict::Observed => self.observed += 1,
            Verdict::Dropped(reason) => {
                if let Some(count) = self.dropped.get_mut(reason as usize) {
                    *count += 1;
                }
            }
        }
    }

    /// All frames that came in.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.answered + self.observed + self.dropped.iter().sum::<u64>()
    }
}

/// How much of its bounded tables an engine uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Remote addresses remembered.
    pub peers: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// Connections.
    pub connections: usize,
    /// Connections in TIME-WAIT.
    pub time_wait: usize,
    /// Datagrams being reassembled.
    pub reassemblies: usize,
    /// Octets in the buffers of connections.
    pub held: usize,
    /// Octets of frames that wait until their receiver has answered ARP.
    pub waiting: usize,
}
