//! A machine, whichever hypervisor runs it: how it is made, what it holds, how it is ended.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::Child,
};

use chaff_events::Mac;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Signal, pidfd_send_signal},
};

use super::{
    qemu::{self, Qemu},
    xen,
};

/// Octets that may wait on their way into or out of a machine: some 200 small frames, 60 full ones, as in a card's ring.
const FRAMES_WAITING: usize = 160 * 1024;

/// What runs machines.
#[derive(Debug)]
pub enum Hypervisor {
    /// A process of QEMU's for each.
    Qemu(Qemu),
    /// A domain of Xen's for each; whoever has this socket's other end makes them ([`xen::keep`]).
    Xen(OwnedFd),
}

/// How machines are made.
#[derive(Debug)]
pub struct Machine {
    /// By what.
    pub hypervisor: Hypervisor,
    /// Memory of each, in MiB.
    pub memory_mib: u16,
    /// How many are being started at the same time.
    pub starts_at_once: u16,
}

/// What was started, and this side's ends of what it holds.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) frames: OwnedFd,
    pub(super) console: OwnedFd,
    /// What it, and what runs it, says on stdout and stderr.
    pub(super) said: OwnedFd,
}

/// What ends when a machine ends.
#[derive(Debug)]
pub(super) enum Running {
    /// An emulator.
    Process {
        child: Child,
        pidfd: OwnedFd,
    },
    Domain(xen::Domain),
}

/// The ends of a machine's sockets that are not this process's.
#[derive(Debug)]
pub(super) struct FarEnds {
    pub(super) frames: OwnedFd,
    pub(super) console: OwnedFd,
    pub(super) said: OwnedFd,
}

impl Machine {
    /// Starts one, of the decoy `index`. This process must have one thread: descriptors are inheritable for a moment.
    pub(super) fn start(
        &self,
        index: usize,
        kvm: bool,
        image: &OwnedFd,
        module: &[u8],
        mac: Mac,
    ) -> io::Result<Started> {
        let module = in_memory("chaff-module", module)?;
        let (frames, frames_far) = pair(SocketType::DGRAM)?;
        let (console, console_far) = pair(SocketType::STREAM)?;
        for end in [&frames, &frames_far] {
            rustix::net::sockopt::set_socket_send_buffer_size(end, FRAMES_WAITING)?;
        }
        let (said, said_far) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&said, true)?;
        let far = FarEnds { frames: frames_far, console: console_far, said: said_far };
        let running = match &self.hypervisor {
            Hypervisor::Qemu(qemu) => qemu::start(qemu, kvm, self.memory_mib, image, &module, far, mac)?,
            Hypervisor::Xen(keeper) => Running::Domain(xen::ask(keeper, index, &module, &far)?),
        };
        Ok(Started { running, frames, console, said })
    }
}

impl Running {
    /// The process, if it is one of this system.
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Self::Process { child, .. } => Some(child.id()),
            Self::Domain(_) => None,
        }
    }

    /// Ends it. It may have ended a moment ago; what this holds never names another.
    pub(super) fn kill(&self) {
        match self {
            Self::Process { pidfd, .. } => drop(pidfd_send_signal(pidfd, Signal::KILL)),
            Self::Domain(domain) => domain.end(),
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self {
            Self::Process { child, .. } => Some(child.try_wait().ok()??.to_string()),
            Self::Domain(domain) => domain.ended(),
        }
    }

    /// Waits for its end, after [`kill`](Self::kill). For a domain its keeper waits.
    pub(super) fn wait(&mut self) {
        if let Self::Process { child, .. } = self {
            let _ = child.wait();
        }
    }
}

/// Readable when it has ended.
impl AsFd for Running {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Process { pidfd, .. } => pidfd.as_fd(),
            Self::Domain(domain) => domain.as_fd(),
        }
    }
}

/// A file in memory.
pub(super) fn in_memory(name: &str, octets: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(octets)?;
    Ok(file.into())
}

/// Two sockets that speak to each other.
pub(super) fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}

#[cfg(test)]
mod tests;
