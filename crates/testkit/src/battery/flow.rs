//! One TCP connection, or attempt at one, of a station: turns relative numbers into real ones and back.

use std::net::Ipv4Addr;

use chaff_wire::tcp::{Flags, Segment};

use super::packet::describe_options;

/// How far a number may be from one that is known to be named by it.
const NEAR: u32 = 1 << 19;
/// Milliseconds by which a timestamp may be off the time that has passed, beside a share of it.
const STAMP_TOLERANCE_MS: i64 = 12;

/// Data up to this length is shown.
const SHOWN: usize = 160;

/// A segment to be sent, in numbers relative to the flow's two initial ones.
#[derive(Clone, Debug)]
pub(super) struct Seg {
    pub(super) flags: &'static str,
    pub(super) seq: i64,
    pub(super) ack: i64,
    pub(super) window: u16,
    /// Octets of options, as [`options`](super::packet::options) makes them. `None`: what the flow agreed on.
    pub(super) options: Option<Vec<u8>>,
    pub(super) data: Vec<u8>,
    pub(super) urgent: u16,
    pub(super) reserved: u8,
    pub(super) bad_checksum: bool,
    /// Instead of the true data offset.
    pub(super) offset: Option<u8>,
}

impl Default for Seg {
    fn default() -> Self {
        Self {
            flags: "A",
            seq: 0,
            ack: 0,
            window: 64_000,
            options: None,
            data: Vec::new(),
            urgent: 0,
            reserved: 0,
            bad_checksum: false,
            offset: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) ours: u16,
    pub(super) theirs: u16,
    iss: u32,
    /// What we put into the acknowledgment field before we know the host's number.
    blind_ack: u32,
    irs: Option<u32>,
    /// Whether the host agreed to timestamps; our own clock, and its first and latest stamps.
    pub(super) stamps: bool,
    pub(super) clock: u32,
    first_stamp: Option<(u32, u64)>,
    latest_stamp: u32,
}

impl Flow {
    pub(super) fn new(ours: u16, theirs: u16, iss: u32) -> Self {
        Self {
            ours,
            theirs,
            iss,
            blind_ack: iss.wrapping_mul(3).wrapping_add(0x1357_9bdf),
            irs: None,
            stamps: false,
            clock: 1000,
            first_stamp: None,
            latest_stamp: 0,
        }
    }

    /// Whether a segment of the host belongs here.
    pub(super) fn is(&self, segment: &Segment<'_>) -> bool {
        segment.destination == self.ours && segment.source == self.theirs
    }

    pub(super) fn irs(&self) -> u32 {
        self.irs.unwrap_or(0)
    }

    /// The host's initial number is forgotten: what comes next is new.
    pub(super) fn forget(&mut self) {
        self.irs = None;
        self.first_stamp = None;
    }

    pub(super) fn emit(&self, seg: &Seg, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
        let relative = |base: u32, offset: i64| base.wrapping_add((offset & 0xffff_ffff) as u32);
        let own_options = || {
            if self.stamps && !seg.flags.contains('R') {
                let stamp = format!("nop,nop,ts={}:{}", self.clock, self.latest_stamp);
                super::packet::options(&stamp)
            } else {
                Vec::new()
            }
        };
        let options = seg.options.clone().unwrap_or_else(own_options);
        let header = chaff_wire::tcp::Header {
            source: self.ours,
            destination: self.theirs,
            seq: relative(self.iss, seg.seq),
            ack: relative(self.irs.unwrap_or(self.blind_ack), seg.ack),
            reserved: seg.reserved,
            flags: Flags::from_letters(seg.flags).expect("flags are letters"),
            window: seg.window,
            urgent: seg.urgent,
            options: &options,
        };
        let mut out = Vec::new();
        header.emit(from, to, &seg.data, &mut out);
        if let Some(offset) = seg.offset {
            out[12] = offset << 4 | out[12] & 15;
            out[16] = 0;
            out[17] = 0;
            let length = u16::try_from(out.len()).expect("it fits into a frame");
            let sum = chaff_wire::checksum::Checksum::pseudo_header(from, to, 6, length).add(&out).finish();
            out[16..18].copy_from_slice(&sum.to_be_bytes());
        }
        if seg.bad_checksum {
            out[16] ^= 0x5a;
        }
        out
    }

    /// A segment of the host in words: numbers relative to ours and its own.
    pub(super) fn describe(&mut self, segment: &Segment<'_>, at: u64) -> String {
        let flags = segment.flags;
        if flags.has(Flags::SYN) && self.irs.is_none() {
            self.irs = Some(segment.seq);
            self.stamps = segment.options().any(|o| matches!(o, chaff_wire::tcp::TcpOption::Timestamps(..)));
        }
        let seq = self.number(segment.seq);
        let ack = if flags.has(Flags::ACK) || segment.ack != 0 { self.number(segment.ack) } else { "0".into() };
        let first = self.first_stamp;
        let mut latest = None;
        let stamp = |value: u32| {
            latest = Some(value);
            match first {
                None => "any".to_owned(),
                Some((start, began)) => {
                    let passed = i64::try_from(at.saturating_sub(began) / 1_000_000).unwrap_or(0);
                    let counted = i64::from(value.wrapping_sub(start).cast_signed());
                    let close = (counted - passed).abs() <= STAMP_TOLERANCE_MS + passed / 50;
                    if close { "on".to_owned() } else { format!("{:+}", counted - passed) }
                }
            }
        };
        let options = describe_options(segment, stamp, |edge| self.number(edge));
        if let Some(value) = latest {
            self.latest_stamp = value;
            self.first_stamp.get_or_insert((value, at));
        }
        let mut text = format!("TCP {flags} seq={seq} ack={ack} win={} <{options}>", segment.window);
        if !segment.payload.is_empty() {
            text.push_str(&format!(" data={}", segment.payload.len()));
            if segment.payload.len() <= SHOWN {
                text.push_str(&format!(" {:?}", String::from_utf8_lossy(segment.payload)));
            }
        }
        if segment.reserved != 0 || segment.urgent != 0 {
            text.push_str(&format!(" reserved={} urgent={}", segment.reserved, segment.urgent));
        }
        text
    }

    fn number(&self, value: u32) -> String {
        let near = |base: u32, name: &str| {
            let distance = value.wrapping_sub(base).cast_signed();
            (distance.unsigned_abs() < NEAR).then(|| format!("{name}{distance:+}"))
        };
        let blind = || if self.irs.is_none() { near(self.blind_ack, "blind") } else { None };
        let theirs = || self.irs.and_then(|irs| near(irs, "theirs"));
        let zero = || (value == 0).then(|| "0".to_owned());
        theirs().or_else(zero).or_else(|| near(self.iss, "ours")).or_else(blind).unwrap_or_else(|| "new".into())
    }
}
