//! The inboxes of several workers, and of the node host: one socket pair each, made once, so that it outlives whoever
//! reads it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::SocketType;

use super::{pair, process::Inherited};
use crate::failure::Failure;

/// One pair for each worker, and behind them one for the node host; none for a single worker without one, who has nobody
/// to pass anything on to.
#[derive(Debug)]
pub(super) struct Inboxes(Vec<Inbox>);

#[derive(Debug)]
struct Inbox {
    /// The owner's end.
    out: OwnedFd,
    /// The end of all others.
    into: OwnedFd,
}

impl Inboxes {
    /// For so many processes.
    pub(super) fn new(processes: usize) -> Result<Self, Failure> {
        let pairs = if processes == 1 { 0 } else { processes };
        let make = |_| pair(SocketType::SEQPACKET).map(|(out, into)| Inbox { out, into });
        (0..pairs).map(make).collect::<Result<_, _>>().map(Self)
    }

    /// What the process of that number inherits: its own inbox, and the way into each, in their order.
    pub(super) fn inherited(&self, process: usize) -> impl Iterator<Item = Inherited<'_>> {
        let own = self.0.get(process).map(|inbox| ("--inbox", inbox.out.as_fd()));
        own.into_iter().chain(self.0.iter().map(|inbox| ("--other", inbox.into.as_fd())))
    }
}
