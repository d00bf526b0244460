//! An established connection: RFC 9293 §3.10.7.4 as a machine over facts. It knows neither addresses nor packets: what
//! comes in is a segment, what goes out is taken by `next_segment`.

mod marks;
mod reading;
mod stamps;

use alloc::{boxed::Box, vec::Vec};

use chaff_services::Conversation;
use chaff_wire::{
    Mac,
    tcp::{Flags, Segment, TcpOption},
};

use super::{
    Flow,
    receive::Receive,
    send::{Send, Timeout},
    seq::Seq,
};
use crate::{clock::Ticks, personality::Acknowledge, timer::TimerId};
pub(crate) use marks::Marks;
pub(crate) use stamps::{Stamps, stamp_of};

/// Segments that are acknowledged at once at the start of a connection (Linux: TCP_MAX_QUICKACKS).
const QUICK_ACKS: u8 = 16;

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Data, either way.
    Established,
    /// The acknowledgment of our FIN, and the peer's FIN.
    FinWait1,
    /// The peer's FIN.
    FinWait2,
    /// Our own end; the peer has finished.
    CloseWait,
    /// The acknowledgment of our FIN; the peer has finished at the same time.
    Closing,
    /// The acknowledgment of our FIN; the peer finished first.
    LastAck,
}

/// What a segment or a timer did to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on.
    Open,
    /// Both sides have finished; ours finished first.
    TimeWait,
    /// Ours has finished and is not read any more; the peer's end is awaited without a socket.
    FinWait,
    /// It is gone, nothing more is sent.
    Gone,
    /// It is gone, and the peer is told by a RST with this sequence number.
    Reset(Seq),
    /// It is gone, and the segment is answered as one that belongs to no connection.
    Refused,
    /// The segment is not acceptable: a challenge acknowledgment is due, within the personality's limit (RFC 5961).
    Challenge,
}

pub(crate) struct Connection {
    pub(crate) flow: Flow,
    pub(crate) mac: Mac,
    pub(crate) state: State,
    pub(crate) send: Send,
    pub(crate) receive: Receive,
    pub(crate) send_scale: u8,
    pub(crate) receive_scale: u8,
    pub(crate) sack: bool,
    pub(crate) stamps: Option<Stamps>,
    /// Identification counter of this flow.
    pub(crate) id: u16,
    pub(crate) conversation: Box<dyn Conversation>,
    /// The service has closed: what comes now is not read any more.
    pub(crate) deaf: bool,
    /// The peer's end was told to the service.
    pub(crate) end_told: bool,
    pub(crate) service_wake: Option<u64>,
    /// What of the octets in its buffers is counted in the sum over all connections.
    pub(crate) accounted: usize,
    pub(crate) opened: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) timer: TimerId,
    pub(crate) timer_at: u64,
    /// When a connection that waits for nothing but the peer is given up.
    pub(crate) patience: Option<u64>,
    /// What is answered to the unacceptable was answered then.
    pub(crate) answered_invalid: Option<u64>,
    pub(crate) marks: Marks,
    ack: Ack,
    peer_finished: bool,
}

/// When the peer is told what has come.
#[derive(Clone, Copy, Debug)]
struct Ack {
    now: bool,
    due: Option<u64>,
    unacknowledged: u32,
    quick: u8,
    /// Adaptive: small segments since the last acknowledgment, two at most.
    small: u8,
    /// Adaptive: requests and answers take turns, so an answer will carry the acknowledgment.
    turns: bool,
    /// Adaptive: data that came so long ago is being answered by what is sent now.
    patience: u64,
    received: Option<u64>,
}

/// A segment to be sent; the caller adds ports, addresses and options.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) seq: Seq,
    pub(crate) flags: Flags,
    pub(crate) window: u16,
    /// Data that is sent for the first time, and may be marked on its way.
    pub(crate) fresh: bool,
}

/// What a connection is made from, once its handshake is complete.
pub(crate) struct Opened {
    pub(crate) flow: Flow,
    pub(crate) mac: Mac,
    pub(crate) send: Send,
    pub(crate) receive: Receive,
    pub(crate) send_scale: u8,
    pub(crate) receive_scale: u8,
    pub(crate) sack: bool,
    pub(crate) stamps: Option<Stamps>,
    pub(crate) id: u16,
    pub(crate) conversation: Box<dyn Conversation>,
    pub(crate) marked: bool,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) now: u64,
}

impl Connection {
    pub(crate) fn new(opened: Opened) -> Self {
        Self {
            flow: opened.flow,
            mac: opened.mac,
            state: State::Established,
            send: opened.send,
            receive: opened.receive,
            send_scale: opened.send_scale,
            receive_scale: opened.receive_scale,
            sack: opened.sack,
            stamps: opened.stamps,
            id: opened.id,
            conversation: opened.conversation,
            deaf: false,
            end_told: false,
            service_wake: None,
            accounted: 0,
            opened: opened.now,
            received: 0,
            sent: 0,
            timer: TimerId::NONE,
            timer_at: u64::MAX,
            patience: None,
            answered_invalid: None,
            marks: Marks { agreed: opened.marked, ..Marks::default() },
            ack: Ack {
                now: false,
                due: None,
                unacknowledged: 0,
                quick: if opened.acknowledge == Acknowledge::Adaptive { 0 } else { QUICK_ACKS },
                small: 0,
                turns: false,
                patience: 0,
                received: None,
            },
            peer_finished: false,
        }
    }

    /// A segment of this connection; `marked` says that a router on the way met congestion.
    pub(crate) fn handle_segment(&mut self, now: u64, segment: &Segment<'_>, marked: bool, limits: Limits) -> Outcome {
        let seq = Seq(segment.seq);
        let flags = segment.flags;
        if self.is_old(now, segment, limits) && !flags.has(Flags::RST) {
            if self.is_overtaken(segment, limits) {
                return Outcome::Open;
            }
            return if flags.has(Flags::SYN) { Outcome::Challenge } else { self.unacceptable(now, segment, limits) };
        }
        if !self.receive.acceptable(seq, segment.sequence_length()) {
            return self.unacceptable(now, segment, limits);
        }
        if flags.has(Flags::RST) {
            return if seq == self.receive.next { Outcome::Gone } else { Outcome::Challenge };
        }
        if flags.has(Flags::SYN) {
            return Outcome::Challenge;
        }
        if !flags.has(Flags::ACK) {
            return Outcome::Open;
        }
        if limits.strict_acks && self.is_foreign(segment) {
            return Outcome::Challenge;
        }
        self.remember_stamp(now, segment);
        self.note_marks(segment, marked, limits);
        if let Some(outcome) = self.handle_ack(now, segment) {
            return outcome;
        }
        if matches!(self.state, State::CloseWait | State::LastAck | State::Closing)
            && limits.acknowledge == Acknowledge::Adaptive
        {
            // The peer has finished: nothing more can come from it (RFC 9293 §3.10.7.4: ignore the text).
            if !segment.payload.is_empty() && !Seq(segment.seq).before(self.receive.next) {
                return Outcome::Open;
            }
        }
        if self.deaf && !segment.payload.is_empty() && seq.plus(1).after(self.receive.next) {
            // Data for a service that has closed: the stack answers as if the port had (RFC 9293 §3.10.7.1).
            return Outcome::Refused;
        }
        self.handle_data(now, segment, limits);
        self.after_fin(now, limits)
    }

    /// The next segment, if there is anything to say.
    pub(crate) fn next_segment(&mut self, now: u64, data: &mut Vec<u8>) -> Option<Outgoing> {
        data.clear();
        if let Some(chunk) = self.send.next_chunk(now) {
            self.send.read(chunk, data);
            let mut flags = Flags::ACK;
            if chunk.push && chunk.length > 0 {
                flags = flags.with(Flags::PSH);
            }
            if chunk.fin {
                flags = flags.with(Flags::FIN);
            }
            self.note_answer(now);
            if chunk.fresh && chunk.length > 0 && core::mem::take(&mut self.marks.reduced) {
                flags = flags.with(Flags::CWR);
            }
            return Some(Outgoing { fresh: chunk.fresh && chunk.length > 0, ..self.outgoing(chunk.seq, flags) });
        }
        self.next_acknowledgment(now)
    }

    /// The acknowledgment that is due, if one is.
    pub(crate) fn next_acknowledgment(&mut self, now: u64) -> Option<Outgoing> {
        let late = self.ack.due.is_some_and(|at| at <= now);
        if !self.ack.now && !late {
            return None;
        }
        if late && !self.ack.now {
            // No answer came in time: it was no conversation.
            self.ack.turns = false;
        }
        Some(self.outgoing(self.send.next, Flags::ACK))
    }

    /// The acknowledgment, if it must not wait.
    pub(crate) fn acknowledgment_now(&mut self) -> Option<Outgoing> {
        self.ack.now.then(|| self.outgoing(self.send.next, Flags::ACK))
    }

    /// Adaptive: data goes out soon after data came in, so the two take turns.
    fn note_answer(&mut self, now: u64) {
        if self.ack.received.is_some_and(|at| now.saturating_sub(at) < self.ack.patience) {
            self.ack.turns = true;
        }
    }

    /// An empty segment one octet too low: the peer answers with its window (a zero-window probe as Linux sends it).
    pub(crate) fn probe(&mut self) -> Outgoing {
        let seq = self.send.una.minus(1);
        self.outgoing(seq, Flags::ACK)
    }

    /// An acknowledgment whatever the rules of delay say.
    pub(crate) fn acknowledge(&mut self) -> Outgoing {
        self.outgoing(self.send.next, Flags::ACK)
    }

    /// Timers that are due, but for the service's own.
    pub(crate) fn handle_wake(&mut self, now: u64) -> Timed {
        if self.patience.is_some_and(|at| at <= now) {
            return Timed::Outcome(Outcome::Gone);
        }
        match self.send.handle_timeout(now) {
            Timeout::GiveUp => Timed::Outcome(Outcome::Gone),
            Timeout::Probe => Timed::Probe,
            Timeout::None | Timeout::Resend => Timed::Outcome(Outcome::Open),
        }
    }

    /// When this connection next wants to be woken.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        [self.send.deadline(), self.ack.due, self.service_wake, self.patience].into_iter().flatten().min()
    }

    /// The service is done, and reads no more.
    pub(crate) fn close(&mut self, now: u64, limits: Limits) -> Outcome {
        self.deaf = true;
        self.finish();
        self.await_end_alone(now, limits)
    }

    /// The service has said all that it will.
    pub(crate) fn finish(&mut self) {
        if self.send.is_finished() {
            return;
        }
        self.send.finish();
        self.state = match self.state {
            State::CloseWait => State::LastAck,
            _ => State::FinWait1,
        };
    }

    /// The peer has finished and all it sent was read.
    pub(crate) fn at_end(&self) -> bool {
        self.peer_finished && self.receive.unread() == 0
    }

    /// The service has read: small segments are acknowledged by that, and a window that was closed is opened again.
    pub(crate) fn reading_done(&mut self, segment_size: u32, limits: Limits) {
        let small = self.ack.small > 1 || self.ack.small == 1 && !self.ack.turns;
        if limits.acknowledge == Acknowledge::Adaptive && self.ack.due.is_some() && small && self.receive.unread() == 0
        {
            self.ack.now = true;
        }
        let before = self.receive.advertised();
        if before < segment_size && self.receive.window() >= segment_size.max(before + 1) {
            self.ack.now = true;
        }
    }

    fn outgoing(&mut self, seq: Seq, flags: Flags) -> Outgoing {
        let scaled = self.receive.window() >> self.receive_scale.min(14);
        if self.receive.space.is_some() && (self.ack.now || self.ack.due.is_some()) {
            self.ack.quick = self.ack.quick.saturating_sub(1);
        }
        self.ack.now = false;
        self.ack.due = None;
        self.ack.unacknowledged = 0;
        self.ack.small = 0;
        let flags = if self.marks.echo { flags.with(Flags::ECE) } else { flags };
        Outgoing { seq, flags, window: u16::try_from(scaled).unwrap_or(u16::MAX), fresh: false }
    }

    /// The window as a segment would name it now.
    pub(crate) fn window(&self) -> u16 {
        u16::try_from(self.receive.advertised() >> self.receive_scale.min(14)).unwrap_or(u16::MAX)
    }

    fn unacceptable(&mut self, now: u64, segment: &Segment<'_>, limits: Limits) -> Outcome {
        if segment.flags.has(Flags::RST) {
            return Outcome::Open;
        }
        if segment.flags.has(Flags::SYN) {
            return Outcome::Challenge;
        }
        let (from, length) = (Seq(segment.seq), segment.sequence_length());
        if from.before(self.receive.next) && length > 0 {
            self.receive.note_duplicate(from, from.plus(length).min(self.receive.next));
            self.be_quick(QUICK_ACKS);
        }
        // An old or far segment is answered with where we are; data always, others so often.
        if length > 0 || self.may_answer_invalid(now, limits) {
            self.ack.now = true;
        }
        Outcome::Open
    }

    /// Whether another answer to something unacceptable may go out.
    pub(crate) fn may_answer_invalid(&mut self, now: u64, limits: Limits) -> bool {
        let may = self.answered_invalid.is_none_or(|at| now.saturating_sub(at) >= limits.invalid);
        if may {
            self.answered_invalid = Some(now);
        }
        may
    }

    /// An acknowledgment of what was never sent, or of what was long ago (RFC 5961 §5.2).
    fn is_foreign(&self, segment: &Segment<'_>) -> bool {
        let ack = Seq(segment.ack);
        ack.after(self.send.next) || ack.before(self.send.una.minus(self.send.acknowledged_window()))
    }

    /// Adaptive: so many acknowledgments go out at once, whatever was the habit.
    fn be_quick(&mut self, segments: u8) {
        self.ack.quick = self.ack.quick.max(segments);
        self.ack.turns = false;
    }

    fn handle_ack(&mut self, now: u64, segment: &Segment<'_>) -> Option<Outcome> {
        let ack = Seq(segment.ack);
        if ack.after(self.send.next) {
            self.ack.now = true;
            return Some(Outcome::Open);
        }
        if !ack.before(self.send.una) {
            let bare = segment.sequence_length() == 0;
            let window = u32::from(segment.window) << self.send_scale.min(14);
            let blocks = sack_blocks(segment);
            let sack = self.sack;
            self.send.acknowledge(now, Seq(segment.seq), ack, window, bare, blocks.filter(|_| sack));
        }
        if self.send.fin_acknowledged() {
            match self.state {
                State::FinWait1 => self.state = State::FinWait2,
                State::Closing => return Some(Outcome::TimeWait),
                State::LastAck => return Some(Outcome::Gone),
                State::Established | State::FinWait2 | State::CloseWait => {}
            }
        }
        None
    }

    /// The peer's FIN, once everything before it is here.
    fn after_fin(&mut self, now: u64, limits: Limits) -> Outcome {
        if !self.peer_finished && self.receive.finished() {
            self.peer_finished = true;
            self.ack.now |= limits.acknowledge != Acknowledge::Adaptive || self.state != State::Established;
            match self.state {
                State::Established => self.state = State::CloseWait,
                State::FinWait1 => self.state = State::Closing,
                State::FinWait2 => return Outcome::TimeWait,
                State::CloseWait | State::Closing | State::LastAck => {}
            }
        }
        self.await_end_alone(now, limits)
    }

    /// Ours is acknowledged and nobody reads any more: the peer's end is awaited, but not for ever.
    fn await_end_alone(&mut self, now: u64, limits: Limits) -> Outcome {
        if self.state != State::FinWait2 || !self.deaf {
            return Outcome::Open;
        }
        if limits.mini_sockets {
            return Outcome::FinWait;
        }
        if self.patience.is_none() {
            self.patience = Some(limits.ticks.deadline(now, limits.fin_wait));
        }
        Outcome::Open
    }
}

/// What timers of a connection ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    Outcome(Outcome),
    Probe,
}

/// What a personality says about the times and sizes of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) segment: u32,
    pub(crate) ack_delay: u64,
    pub(crate) fin_wait: u64,
    pub(crate) invalid: u64,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) strict_acks: bool,
    pub(crate) urgent_apart: bool,
    pub(crate) mini_sockets: bool,
    /// The buffers of all connections together are full.
    pub(crate) crowded: bool,
    pub(crate) ticks: Ticks,
}

fn sack_blocks<'a>(segment: &Segment<'a>) -> impl Iterator<Item = (Seq, Seq)> + use<'a> {
    let blocks = segment.options().find_map(|option| match option {
        TcpOption::Sack(blocks) => Some(blocks),
        _ => None,
    });
    let (pairs, _) = blocks.unwrap_or(&[]).as_chunks::<8>();
    pairs
        .iter()
        .map(|&[a, b, c, d, e, f, g, h]| (Seq(u32::from_be_bytes([a, b, c, d])), Seq(u32::from_be_bytes([e, f, g, h]))))
}
