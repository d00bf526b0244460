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
//! Machines reach each other, and, by the [`relay`](crate::relay), the decoys of workers on the same interface, which a
//! kernel would not do: what one process sends there no other receives. Decoys of workers have no conversation among each
//! other.

mod care;
mod counter;
pub mod door;
mod guest;
mod host;
mod life;
mod machine;
mod qemu;
mod segment;
pub mod switch;
pub mod xen;

pub use chaff_unikernel::build::is_of_this_build;
pub use host::run;
pub use machine::{Hypervisor, Machine};
pub use qemu::{Accel, Qemu};

use std::os::fd::OwnedFd;

use crate::worker;

/// What the supervisor hands to the node host.
#[derive(Debug)]
pub struct Setup {
    /// What a worker gets as well: a fleet, of which only decoys that have a machine, their roster, sockets.
    pub worker: worker::Setup,
    /// The unikernel.
    pub image: OwnedFd,
    /// Where `chaff node` asks: a listening unix socket.
    pub door: OwnedFd,
    /// How a machine is made.
    pub machine: Machine,
}
