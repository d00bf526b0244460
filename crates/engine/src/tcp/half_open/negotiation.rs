//! What a handshake agrees on: what the client offered, and what the personality makes of it.

use chaff_wire::{
    Mac,
    tcp::{OptionList, Segment, TcpOption},
};

use super::{Agreed, HalfOpen};
use crate::{
    arena::NIL,
    engine::Run,
    fleet::DecoyView,
    personality::{Layout, LayoutOption, MssRule, Offered, WindowRule},
    stack::{Exception, Stack},
    tcp::{Flow, connection::Stamps, seq::Seq},
    timer::TimerId,
};

/// What a client that names no segment size can take (RFC 9293 §3.7.1).
const DEFAULT_MSS: u16 = 536;
/// No exception.
const NO_EXCEPTION: u8 = u8::MAX;
/// Values to fill a layout with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) mss: u16,
    pub(crate) scale: u8,
    pub(crate) stamp: u32,
    pub(crate) echo: u32,
}

impl Run {
    pub(super) fn agree(&self, decoy: &DecoyView<'_>, now: u64, index: u32) -> Option<Agreed> {
        let half = self.tcp.halves.get(index)?;
        let stack = decoy.stack;
        let both = |option| half.offered.has(option) && half.layout(stack).set().has(option);
        let scaled = both(Offered::SCALE);
        let stamps = both(Offered::TIMESTAMPS).then_some(Stamps {
            offset: half.stamp_offset,
            recent: half.stamp,
            recent_at: now,
        });
        // Time-outs of a client that was held back sent nothing.
        let once = half.retries == 0 || half.sent_at == half.first_sent_at;
        Some(Agreed {
            flow: half.flow,
            mac: half.mac,
            receive_next: half.irs.plus(1),
            send_next: half.isn.plus(1),
            client_mss: half.client_mss(stack),
            client_window: half.window,
            window: half.own_window(stack),
            send_scale: if scaled { half.scale.min(14) } else { 0 },
            receive_scale: if scaled { stack.rules.tcp.window_scale.min(14) } else { 0 },
            sack: both(Offered::SACK),
            ecn: half.ecn,
            stamps,
            trip: once.then(|| now.saturating_sub(half.sent_at)),
            told: half.acknowledged,
        })
    }
}

impl HalfOpen {
    pub(super) fn new(flow: Flow, mac: Mac, segment: &Segment<'_>, exceptions: &[Exception]) -> Self {
        let mut half = Self {
            flow,
            mac,
            irs: Seq(segment.seq),
            isn: Seq(0),
            sent_at: 0,
            offered: Offered::NONE,
            mss: DEFAULT_MSS,
            scale: 0,
            window: segment.window,
            stamp: 0,
            stamp_offset: 0,
            ecn: false,
            acknowledged: false,
            exception: NO_EXCEPTION,
            retries: 0,
            answered_invalid: None,
            first_sent_at: 0,
            timer: TimerId::NONE,
            older: NIL,
            newer: NIL,
        };
        for option in segment.options() {
            match option {
                TcpOption::MaxSegmentSize(mss) => {
                    half.offered = half.offered.with(Offered::MSS);
                    half.mss = mss;
                }
                TcpOption::WindowScale(scale) => {
                    half.offered = half.offered.with(Offered::SCALE);
                    half.scale = scale;
                }
                TcpOption::SackPermitted => half.offered = half.offered.with(Offered::SACK),
                TcpOption::Timestamps(value, _) => {
                    half.offered = half.offered.with(Offered::TIMESTAMPS);
                    half.stamp = value;
                }
                TcpOption::End => break,
                TcpOption::Nop | TcpOption::Sack(_) | TcpOption::Unknown(..) => {}
            }
        }
        let fits = |e: &Exception| {
            e.offered == segment.options && e.offered_window.is_none_or(|window| window == segment.window)
        };
        if let Some(index) = exceptions.iter().position(fits) {
            half.exception = u8::try_from(index).unwrap_or(NO_EXCEPTION);
        }
        half
    }

    pub(super) fn exception<'a>(&self, stack: &'a Stack) -> Option<&'a Exception> {
        stack.exceptions.get(usize::from(self.exception)).filter(|_| self.exception != NO_EXCEPTION)
    }

    pub(super) fn layout<'a>(&self, stack: &'a Stack) -> &'a Layout {
        let exception = self.exception(stack).and_then(|e| e.options.as_ref());
        exception.unwrap_or_else(|| stack.layout(self.offered))
    }

    /// What the client can take; nonsense below the least that a host must take counts as that (RFC 9293 §3.7.1).
    pub(super) fn client_mss(&self, stack: &Stack) -> u16 {
        match stack.rules.connection.least_segment {
            0 => self.mss.max(64),
            least => self.mss.max(least),
        }
    }

    /// How far windows of the connection are shifted by us.
    pub(super) fn shift(&self, stack: &Stack) -> u8 {
        let scaled = self.offered.has(Offered::SCALE) && self.layout(stack).set().has(Offered::SCALE);
        if scaled { stack.rules.tcp.window_scale.min(14) } else { 0 }
    }

    /// Octets that the client may have sent already.
    pub(super) fn reach(&self, stack: &Stack) -> u32 {
        if stack.rules.connection.invalid_ms > 0 {
            return u32::from(self.own_window(stack));
        }
        let far = self.offered.has(Offered::SCALE);
        u32::from(u16::MAX) << if far { stack.rules.tcp.window_scale.min(14) } else { 0 }
    }

    pub(super) fn own_mss(&self, stack: &Stack) -> u16 {
        if let Some(mss) = self.exception(stack).and_then(|e| e.mss) {
            return mss;
        }
        match stack.rules.tcp.mss_rule {
            MssRule::Own => stack.rules.tcp.mss,
            MssRule::Least | MssRule::LeastNamed => self.least_mss(stack),
        }
    }

    /// The smaller of both segment sizes, as far as the stack looks at the client's.
    pub(super) fn least_mss(&self, stack: &Stack) -> u16 {
        let rules = &stack.rules.tcp;
        let named = self.offered.has(Offered::MSS);
        if rules.mss_rule == MssRule::LeastNamed && !named { rules.mss } else { rules.mss.min(self.mss) }
    }

    pub(super) fn own_window(&self, stack: &Stack) -> u16 {
        if let Some(window) = self.exception(stack).and_then(|e| e.window) {
            return window;
        }
        let rules = &stack.rules.tcp;
        let sent = self.layout(stack).set();
        let stamped = sent.has(Offered::TIMESTAMPS);
        let scaled = sent.has(Offered::SCALE);
        let rule = match rules.window_unscaled {
            Some(rule) if !scaled => rule,
            _ if stamped => rules.window_timestamps,
            _ => rules.window,
        };
        let mss = self.least_mss(stack).max(1);
        let segment = mss.saturating_sub(if stamped { 12 } else { 0 }).max(1);
        match rule {
            WindowRule::Constant(window) => window,
            WindowRule::TimesMss(times) => times.saturating_mul(mss),
            WindowRule::TimesMssLessTimestamps(times) => times.saturating_mul(segment),
            WindowRule::MultipleOfMssUpTo(most) => most / mss * mss,
            WindowRule::BufferRoundedUp(octets) => {
                let whole = octets.div_ceil(segment.into()).saturating_mul(segment.into());
                let shift = if scaled { rules.window_scale.min(14) } else { 0 };
                u16::try_from(whole >> shift).unwrap_or(u16::MAX / segment * segment)
            }
        }
    }
}

/// Fills a layout with values.
pub(crate) fn lay_out(layout: &Layout, offer: Offer, options: &mut OptionList) {
    for &option in &layout.0 {
        options.push(match option {
            LayoutOption::MaxSegmentSize => TcpOption::MaxSegmentSize(offer.mss),
            LayoutOption::WindowScale => TcpOption::WindowScale(offer.scale),
            LayoutOption::SackPermitted => TcpOption::SackPermitted,
            LayoutOption::Timestamps => TcpOption::Timestamps(offer.stamp, offer.echo),
            LayoutOption::Nop => TcpOption::Nop,
            LayoutOption::End => TcpOption::End,
            LayoutOption::MaxSegmentSizeOf(size) => TcpOption::MaxSegmentSize(size),
            LayoutOption::WindowScaleOf(shift) => TcpOption::WindowScale(shift),
            LayoutOption::TimestampsOf { value, echo } => {
                // Where the client gave nothing to echo, there is only the own clock.
                let given = if offer.echo == 0 { offer.stamp } else { offer.echo };
                TcpOption::Timestamps(if value { offer.stamp } else { 0 }, if echo { given } else { 0 })
            }
        });
    }
}
