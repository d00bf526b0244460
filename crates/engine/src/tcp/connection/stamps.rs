//! Timestamps: which segments are too old to count (RFC 7323), and what is echoed.

use chaff_wire::tcp::{Segment, TcpOption};

use super::{Connection, Limits};
use crate::tcp::seq::Seq;

/// A timestamp that was not renewed for so long says nothing about age (RFC 7323 §5.5).
const STAMP_VALID_NS: u64 = 24 * 86_400 * 1_000_000_000;

/// Timestamps as negotiated (RFC 7323).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps {
    /// Added to the decoy's clock.
    pub(crate) offset: u32,
    /// The peer's latest, to be echoed, and when it came.
    pub(crate) recent: u32,
    pub(crate) recent_at: u64,
}

/// The timestamps of a segment.
pub(crate) fn stamp_of(segment: &Segment<'_>) -> Option<(u32, u32)> {
    segment.options().find_map(|option| match option {
        TcpOption::Timestamps(value, echo) => Some((value, echo)),
        _ => None,
    })
}

impl Connection {
    /// PAWS (RFC 7323 §5.3): a timestamp from before the latest one.
    pub(super) fn is_old(&self, now: u64, segment: &Segment<'_>, limits: Limits) -> bool {
        let (Some(stamps), Some((value, _))) = (self.stamps, stamp_of(segment)) else { return false };
        let valid = now.saturating_sub(stamps.recent_at) < STAMP_VALID_NS;
        // One tick is forgiven where answers are limited (Linux: TCP_PAWS_WINDOW).
        let forgiven = u32::from(limits.strict_acks);
        valid && Seq(value).plus(forgiven).before(Seq(stamps.recent))
    }

    /// An empty segment that says nothing new and was overtaken on its way: no reason to answer (Linux:
    /// tcp_disordered_ack).
    pub(super) fn is_overtaken(&self, segment: &Segment<'_>, limits: Limits) -> bool {
        let age = self.stamps.zip(stamp_of(segment)).map_or(0, |(ours, (value, _))| Seq(ours.recent).since(Seq(value)));
        limits.strict_acks
            && segment.sequence_length() == 0
            && Seq(segment.seq) == self.receive.next
            && Seq(segment.ack) == self.send.una
            && u64::from(age) * 1_000_000 <= self.send.timeout()
    }

    pub(super) fn remember_stamp(&mut self, now: u64, segment: &Segment<'_>) {
        let Some((value, _)) = stamp_of(segment) else { return };
        // RFC 7323 §4.3 (2): only from a segment that touches the left edge.
        let touches = !Seq(segment.seq).after(self.receive.next);
        if let Some(stamps) = self.stamps.as_mut().filter(|s| touches && !Seq(value).before(Seq(s.recent))) {
            stamps.recent = value;
            stamps.recent_at = now;
        }
    }
}
