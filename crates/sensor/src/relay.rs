//! Frames that one worker has received and that concern another's decoys: a ping of everybody, a claim of a decoy's
//! address made in a question for somebody else's.
//!
//! Each worker has an inbox, a socket pair that the supervisor made and that outlives it; all others may write into it.
//! Nobody waits for anybody: a frame for which an inbox has no room is lost there, and counted. What a worker is passed
//! it passes on to nobody, so nothing goes in circles.
//!
//! The node host, where there is one, has an inbox as well. It receives from the interface by itself; what it is passed,
//! and passes, is what decoys say to each other: a kernel hands what is sent on an interface to nobody who listens there.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use chaff_engine::{Audience, owner, spec::FleetSpec};
use chaff_events::Mac;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use serde::{Deserialize, Serialize};

/// Octets before the frame: the link, and the time of day at which it was received.
const HEADER: usize = 2 + 8;

/// The longest frame that is passed on: an ordinary one of a network with jumbo frames, which is the longest that a
/// broadcast can be. What the kernel has merged is longer, but never a broadcast.
const LONGEST: usize = 9_216;

/// What one of several inherits, of workers and the node host.
#[derive(Debug)]
pub struct Setup {
    /// Which worker this is. The node host's number is that of the workers.
    pub worker: usize,
    /// Workers, without the node host.
    pub workers: usize,
    /// Where it reads what others pass on.
    pub inbox: OwnedFd,
    /// Where it writes, by number. Its own place is never written to.
    pub others: Vec<OwnedFd>,
    /// Decoys on the other side of the node host: machines for a worker, all others for the node host itself.
    pub fellows: Fellows,
}

/// Whose decoy has which card, of those on the other side of the node host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fellows {
    /// Link, card, and who has the decoy; in order.
    cards: Vec<(u16, Mac, u8)>,
}

impl Fellows {
    /// The decoys of `fleet`, of which `whose` says who has one at an address.
    #[must_use]
    pub fn new(fleet: &FleetSpec, whose: impl Fn(IpAddr) -> usize) -> Self {
        let link = |network: u16| fleet.networks.get(usize::from(network)).map_or(0, |network| network.link);
        let whose = |ip| u8::try_from(whose(ip)).unwrap_or(u8::MAX);
        let mut cards: Vec<_> =
            fleet.decoys.iter().map(|decoy| (link(decoy.network), decoy.mac, whose(decoy.ip))).collect();
        cards.sort_unstable();
        Self { cards }
    }

    /// Writes them into a file for whoever inherits it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, mut file: &File) -> io::Result<()> {
        file.write_all(&postcard::to_allocvec(self).map_err(io::Error::other)?)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(mut file: &File) -> io::Result<Self> {
        let mut octets = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut octets)?;
        postcard::from_bytes(&octets).map_err(io::Error::other)
    }

    fn find(&self, link: u16, card: Mac) -> Option<usize> {
        let at = self.cards.partition_point(|&(l, mac, _)| (l, mac) < (link, card));
        let &(l, mac, whose) = self.cards.get(at)?;
        ((l, mac) == (link, card)).then_some(usize::from(whose))
    }

    /// Who has any on which link.
    fn hosts(&self) -> Vec<(u16, usize)> {
        let mut hosts: Vec<_> = self.cards.iter().map(|&(link, _, whose)| (link, usize::from(whose))).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// One worker's inbox, and the way into the others'.
#[derive(Debug)]
pub(crate) struct Relay {
    worker: usize,
    workers: usize,
    fellows: Fellows,
    /// Who has fellows on which link, and so hears what is for everybody there.
    hosts: Vec<(u16, usize)>,
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
        let Setup { worker, workers, inbox, others, fellows } = setup;
        let buffer = vec![0; HEADER + LONGEST];
        let hosts = fellows.hosts();
        let outgoing = Vec::new();
        let mut relay = Self { worker, workers, fellows, hosts, inbox, others, buffer, outgoing, lost: 0 };
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
                for other in (0..self.workers).filter(|&other| other != own) {
                    self.send(other, frame);
                }
                true
            }
        }
    }

    /// Hands a frame that a decoy here sends to those on the other side of the node host that hear it; whether it is for
    /// one of them alone, so that nobody on the interface is meant.
    pub(crate) fn hand_over(&mut self, frame: &Passed<'_>) -> bool {
        if self.hosts.is_empty() {
            return false;
        }
        let Some(&destination) = frame.octets.first_chunk() else { return false };
        let destination = Mac(destination);
        if destination.is_group() {
            for at in 0..self.hosts.len() {
                if let Some(&(link, host)) = self.hosts.get(at)
                    && link == frame.link
                {
                    self.send(host, frame);
                }
            }
            return false;
        }
        let Some(host) = self.fellows.find(frame.link, destination) else { return false };
        self.send(host, frame);
        true
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
        owner(ip, self.workers)
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
