//! Decoys that have a virtual machine of their own: who starts the machines, carries their frames, and hears them.
//!
//! One process, the *node host*, does all of it ([`run`]). It holds packet sockets as a worker does, and for each machine a
//! pair of unix sockets: datagrams that are Ethernet frames, and a stream that is the machine's console. Neither has a
//! path, so nobody else can speak on them. The [`switch`] decides which frame goes where, and what a machine may send;
//! [`life`] when a machine is started, doubted and started again; [`door`] answers `chaff node`.
//!
//! Nobody waits for a machine: a frame for which its socket has no room is lost, as on a full queue of a card, and
//! counted. What a machine says is believed of nothing but what it has seen.
//!
//! Not delivered: what a machine sends to a decoy of a worker on the same interface, and the reverse. Decoys of workers
//! have no conversation among each other either. Machines do reach each other.

mod care;
pub mod door;
mod guest;
mod host;
mod life;
mod qemu;
pub mod switch;

pub use host::run;
pub use qemu::{Accel, Machine};

use std::{fs::File, os::fd::OwnedFd};

/// What the supervisor hands to the node host.
#[derive(Debug)]
pub struct Setup {
    /// The fleet: only decoys that have a machine, postcard.
    pub fleet: File,
    /// Their roster, as [`crate::roster::write`] writes it.
    pub roster: File,
    /// The spool.
    pub spool: File,
    /// The socket to the hub.
    pub hub: OwnedFd,
    /// A stream to the supervisor, as a worker's.
    pub control: OwnedFd,
    /// One packet socket for each interface, by link.
    pub links: Vec<OwnedFd>,
    /// The unikernel.
    pub image: OwnedFd,
    /// Where `chaff node` asks: a listening unix socket.
    pub door: OwnedFd,
    /// How a machine is made.
    pub machine: Machine,
    /// How this process' predecessor ended, if there was one.
    pub replaces: Option<String>,
}
