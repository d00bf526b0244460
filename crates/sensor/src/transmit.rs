//! Frames on their way out: collected, padded, and given to the kernel one after the other.
//!
//! By `write`, since a message may name another interface than the one that the socket is bound to, and a worker that was
//! taken over could send on any of the machine's; `sendmmsg` would cost the kernel some 0.5 µs less of each frame of a
//! flood. A TX ring would save the copy as well, but lends its pages to whoever receives: over a veth, a frame that waits in
//! a local process' receive buffer would change when its slot is written again.

use std::os::fd::AsFd;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, write},
};

/// Frames that wait at most, so that what comes in is looked at between two batches.
const BATCH: usize = 64;

/// The longest frame: 1,500 octets, an Ethernet header and a tag.
const LONGEST: usize = 1_518;

/// The shortest frame that Ethernet carries, less the check sequence (IEEE 802.3 §3.2.7); a real card pads to this.
const SHORTEST: usize = 60;

/// How long a full queue is waited for before frames are dropped: a card at 10 Mbit/s sends a full frame in 1.2 ms.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// Frames for one interface.
#[derive(Debug)]
pub(crate) struct Transmitter {
    octets: Box<[[u8; LONGEST]; BATCH]>,
    lengths: [usize; BATCH],
    waiting: usize,
    /// Frames that the kernel took.
    pub(crate) sent: u64,
    /// Frames that were too long, or that the kernel had no room for.
    pub(crate) dropped: u64,
}

impl Transmitter {
    pub(crate) fn new() -> Self {
        Self { octets: Box::new([[0; LONGEST]; BATCH]), lengths: [0; BATCH], waiting: 0, sent: 0, dropped: 0 }
    }

    /// Takes a copy of `frame`; says whether the batch is now full and must be flushed.
    pub(crate) fn push(&mut self, frame: &[u8]) -> bool {
        let Some((slot, length)) = self.octets.get_mut(self.waiting).zip(self.lengths.get_mut(self.waiting)) else {
            self.dropped += 1;
            return true;
        };
        let Some((body, rest)) = slot.split_at_mut_checked(frame.len()) else {
            self.dropped += 1;
            return false;
        };
        body.copy_from_slice(frame);
        let padding = SHORTEST.saturating_sub(frame.len());
        rest.iter_mut().take(padding).for_each(|octet| *octet = 0);
        *length = frame.len() + padding;
        self.waiting += 1;
        self.waiting == BATCH
    }

    /// Sends all that waits by `socket`, which does not block. Waits itself for a moment where the card is slower than the
    /// engine.
    pub(crate) fn flush(&mut self, socket: impl AsFd) {
        for (octets, &length) in self.octets.iter().zip(&self.lengths).take(self.waiting) {
            let frame = octets.get(..length).unwrap_or(octets);
            if send(&socket, frame) {
                self.sent += 1;
            } else {
                self.dropped += 1;
            }
        }
        self.waiting = 0;
    }
}

/// Whether the kernel took the frame. Where the card's queue is full (ENOBUFS), or the interface went down, it is lost, as it
/// would be for a real host.
fn send(socket: impl AsFd, frame: &[u8]) -> bool {
    let mut waited = false;
    loop {
        match write(&socket, frame) {
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if !waited => {
                waited = true;
                let _ = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&WAIT));
            }
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests;
