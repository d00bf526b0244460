//! Round trips, and what the one timer of the sending half is set for.

use super::Seq;

/// What the retransmission timer was set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Resend,
    /// A loss probe (RFC 8985 §7).
    Probe,
    /// A segment that was reported around counts as lost when it is not reported by then (RFC 8985 §6.2).
    Reorder,
}

/// Round trips and the retransmission timer, in nanoseconds.
#[derive(Debug)]
pub(super) struct Timers {
    pub(super) smoothed: Option<u64>,
    pub(super) variation: u64,
    pub(super) timeout: u64,
    pub(super) least: u64,
    pub(super) most: u64,
    /// A segment that is being timed: the acknowledgment that ends it, and when it was sent.
    pub(super) timed: Option<(Seq, u64)>,
    pub(super) deadline: Option<u64>,
    pub(super) purpose: Purpose,
    pub(super) shortest: u64,
    pub(super) retries: u8,
    pub(super) max_retries: u8,
}

impl Timers {
    /// RFC 6298 §2.
    pub(super) fn measure(&mut self, trip: u64) {
        self.shortest = self.shortest.min(trip);
        match self.smoothed {
            None => {
                self.smoothed = Some(trip);
                self.variation = trip / 2;
            }
            Some(smoothed) => {
                self.variation = (3 * self.variation + smoothed.abs_diff(trip)) / 4;
                self.smoothed = Some((7 * smoothed + trip) / 8);
            }
        }
        self.restore();
    }

    /// The timeout without back-off. The least is added to the round trip, as Linux does it, rather than being a floor.
    pub(super) fn restore(&mut self) {
        if let Some(smoothed) = self.smoothed {
            self.timeout = (smoothed + (4 * self.variation).max(self.least)).min(self.most);
        }
    }
}
