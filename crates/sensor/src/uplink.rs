//! The line to the hub. Never blocks: what the hub does not take now stays in the outbox.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use chaff_events::{Observation, VERSION, message::FromHub};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use crate::{outbox::Outbox, roster};

/// How long an observation may wait for others to share its datagram while packets keep coming.
const GATHER: u64 = 2_000_000;

/// Messages of the hub that are read in one go; it sends one for each batch that it has committed.
const MESSAGES_AT_ONCE: usize = 64;

/// Longest message of the hub.
const LONGEST_MESSAGE: usize = 64;

/// The socket, the roster and the outbox.
#[derive(Debug)]
pub(crate) struct Uplink {
    socket: OwnedFd,
    roster: File,
    /// How far the roster was sent; `None` when it was sent whole.
    roster_at: Option<u64>,
    outbox: Outbox,
    datagram: Vec<u8>,
    /// The socket has no room.
    blocked: bool,
    /// When the batch that is being filled must go out.
    close_at: Option<u64>,
}

impl Uplink {
    /// Starts with the roster: the hub learns from it that numbering starts again.
    pub(crate) fn start(socket: OwnedFd, roster: File, outbox: Outbox) -> io::Result<Self> {
        let uplink =
            Self { socket, roster, roster_at: Some(0), outbox, datagram: Vec::new(), blocked: false, close_at: None };
        uplink.forget_old_messages()?;
        Ok(uplink)
    }

    /// Takes an observation made at `now`.
    pub(crate) fn push(&mut self, now: u64, observation: &Observation) {
        self.outbox.push(observation);
        self.close_at.get_or_insert(now + GATHER);
    }

    /// Sends what can be sent now. When `idle`, nothing is waited for.
    pub(crate) fn service(&mut self, now: u64, idle: bool) {
        if idle || self.close_at.is_some_and(|at| at <= now) {
            self.outbox.close();
            self.close_at = None;
        }
        self.send();
    }

    /// Whether the socket should be watched for room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked && (self.roster_at.is_some() || self.outbox.has_unsent())
    }

    /// Whether the hub has all and has said so.
    pub(crate) fn is_settled(&self) -> bool {
        self.roster_at.is_none() && self.outbox.is_empty()
    }

    /// Observations that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.outbox.lost
    }

    /// At the end: what the hub has not acknowledged goes to the spool.
    pub(crate) fn save(&mut self) {
        self.outbox.save();
    }

    /// Reads what the hub has said; to be called when its socket has something to read.
    pub(crate) fn receive(&mut self) {
        let mut message = [0; LONGEST_MESSAGE];
        for _ in 0..MESSAGES_AT_ONCE {
            let Ok((_, length)) = rustix::net::recv(&self.socket, &mut message[..], RecvFlags::DONTWAIT) else {
                return;
            };
            match message.get(..length).map(postcard::from_bytes::<FromHub>) {
                Some(Ok(FromHub::Hello { version: VERSION })) => {
                    self.roster_at = Some(0);
                    self.outbox.rewind();
                    self.blocked = false;
                }
                Some(Ok(FromHub::Hello { version })) => {
                    tracing::error!("the hub speaks version {version}, this sensor {VERSION}: install one of both");
                }
                Some(Ok(FromHub::Acknowledge { up_to })) => self.outbox.acknowledge(up_to),
                Some(Err(_)) | None => tracing::error!("the hub sent {length} octets that are no message"),
            }
        }
    }

    fn send(&mut self) {
        self.blocked = false;
        while self.load_next() {
            match rustix::net::send(&self.socket, &self.datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => {
                    self.blocked = true;
                    return;
                }
            }
            match self.roster_at {
                Some(at) => self.roster_at = Some(at + 4 + self.datagram.len() as u64),
                None => self.outbox.mark_sent(),
            }
        }
    }

    /// Puts the next datagram in place: the roster before any observation.
    fn load_next(&mut self) -> bool {
        if let Some(at) = self.roster_at {
            match roster::read(&self.roster, at, &mut self.datagram) {
                Ok(Some(_)) => return true,
                Ok(None) => self.roster_at = None,
                Err(error) => {
                    tracing::error!("the roster cannot be read: {error}");
                    self.roster_at = None;
                }
            }
        }
        self.outbox.write_next(&mut self.datagram)
    }

    /// Acknowledgements of the worker before this one speak of its numbers, not of ours.
    fn forget_old_messages(&self) -> io::Result<()> {
        let mut message = [0; LONGEST_MESSAGE];
        loop {
            match rustix::net::recv(&self.socket, &mut message[..], RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Uplink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
