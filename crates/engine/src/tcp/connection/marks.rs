//! Congestion marks, where both sides agreed on them (RFC 3168).

use chaff_wire::tcp::{Flags, Segment};

use super::{Connection, Limits};
use crate::{personality::Acknowledge, tcp::seq::Seq};

/// Segments that are acknowledged at once after congestion was met.
const QUICK_AFTER_MARK: u8 = 2;

/// Congestion marks (RFC 3168), where both sides agreed on them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) agreed: bool,
    /// A mark came, and the peer has not yet said that it slowed down.
    pub(super) echo: bool,
    /// We slowed down, and the next data says so.
    pub(super) reduced: bool,
    /// The peer's echo counts once until this is acknowledged.
    pub(super) until: Option<Seq>,
}

impl Connection {
    pub(super) fn note_marks(&mut self, segment: &Segment<'_>, marked: bool, limits: Limits) {
        if !self.marks.agreed || limits.acknowledge != Acknowledge::Adaptive {
            return;
        }
        if segment.flags.has(Flags::CWR) && !segment.payload.is_empty() {
            self.marks.echo = false;
            self.ack.now = true;
        }
        if marked && !segment.payload.is_empty() {
            if !self.marks.echo {
                self.be_quick(QUICK_AFTER_MARK);
            }
            self.marks.echo = true;
        }
        if self.marks.until.is_some_and(|until| !Seq(segment.ack).before(until)) {
            self.marks.until = None;
        }
        if segment.flags.has(Flags::ECE) && self.marks.until.is_none() && self.send.next.after(self.send.una) {
            self.marks.until = Some(self.send.next);
            self.marks.reduced = true;
            self.send.slow_down();
        }
    }
}
