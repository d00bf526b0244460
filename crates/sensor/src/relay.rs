//! Frames that one worker has received and that concern another's decoys: a ping of everybody, a claim of a decoy's
//! address made in a question for somebody else's.
//!
//! Each worker has an inbox, a socket pair that the supervisor made and that outlives it; all others may write into it.
//! Nobody waits for anybody: a frame for which an inbox has no room is lost there, and counted. What a worker is passed
//! it passes on to nobody, so nothing goes in circles.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use chaff_engine::{Audience, owner};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

/// Octets before the frame: the link, and the time of day at which it was received.
const HEADER: usize = 2 + 8;

/// The longest frame that is passed on: an ordinary one of a network with jumbo frames, which is the longest that a
/// broadcast can be. What the kernel has merged is longer, but never a broadcast.
const LONGEST: usize = 9_216;

/// What a worker of several inherits.
#[derive(Debug)]
pub struct Setup {
    /// Which worker this is.
    pub worker: usize,
    /// Where it reads what others pass on.
    pub inbox: OwnedFd,
    /// Where it writes, by worker. Its own place is never written to.
    pub others: Vec<OwnedFd>,
}

/// One worker's inbox, and the way into the others'.
#[derive(Debug)]
pub(crate) struct Relay {
    worker: usize,
    inbox: OwnedFd,
    others: Vec<OwnedFd>,
    buffer: Vec<u8>,
    outgoing: Vec<u8>,
    /// Frames that another worker did not get, for lack of room.
    pub(crate) lost: u64,
}

/// A frame that another worker has received.
#[derive(Debug)]
pub(crate) struct Passed<'a> {
    pub(crate) link: u16,
    pub(crate) stamp: u64,
    pub(crate) octets: &'a [u8],
}

impl Relay {
    /// Starts with an empty inbox: what was passed to the worker before this one is answered too late.
    pub(crate) fn start(setup: Setup) -> io::Result<Self> {
        let Setup { worker, inbox, others } = setup;
        let buffer = vec![0; HEADER + LONGEST];
        let mut relay = Self { worker, inbox, others, buffer, outgoing: Vec::new(), lost: 0 };
        while relay.receive()?.is_some() {}
        Ok(relay)
    }

    /// Passes a frame on to whom it concerns; says whether this worker is one of them.
    pub(crate) fn pass(&mut self, audience: Audience, frame: &Passed<'_>) -> bool {
        match audience {
            Audience::Here => true,
            Audience::Decoy(ip) => {
                self.send(self.owner(ip), frame);
                false
            }
            Audience::Everybody => {
                let own = self.worker;
                for other in (0..self.others.len()).filter(|&other| other != own) {
                    self.send(other, frame);
                }
                true
            }
        }
    }

    /// The next frame that was passed to this worker.
    pub(crate) fn take(&mut self) -> Option<Passed<'_>> {
        // An inbox that cannot be read is as good as an empty one.
        let length = self.receive().ok().flatten()?;
        let (header, octets) = self.buffer.get(..length)?.split_at_checked(HEADER)?;
        let (link, stamp) = header.split_first_chunk()?;
        let stamp = u64::from_le_bytes(*stamp.first_chunk()?);
        Some(Passed { link: u16::from_le_bytes(*link), stamp, octets })
    }

    fn owner(&self, ip: IpAddr) -> usize {
        owner(ip, self.others.len())
    }

    fn send(&mut self, worker: usize, frame: &Passed<'_>) {
        if !self.try_send(worker, frame) {
            self.lost += 1;
        }
    }

    fn try_send(&mut self, worker: usize, frame: &Passed<'_>) -> bool {
        let Some(inbox) = self.others.get(worker) else { return false };
        if frame.octets.len() > LONGEST {
            return false;
        }
        self.outgoing.clear();
        self.outgoing.extend_from_slice(&frame.link.to_le_bytes());
        self.outgoing.extend_from_slice(&frame.stamp.to_le_bytes());
        self.outgoing.extend_from_slice(frame.octets);
        rustix::net::send(inbox, &self.outgoing, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok()
    }

    /// Reads one message into the buffer; gives its length.
    fn receive(&mut self) -> io::Result<Option<usize>> {
        loop {
            match rustix::net::recv(&self.inbox, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, length)) => return Ok((length > 0).then_some(length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Relay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inbox.as_fd()
    }
}

#[cfg(test)]
mod tests;
