//! One child: how it is started, what it inherits, how long it has lived.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::supervisor::Children;
use crate::privileges::User;

/// A running child.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pidfd: OwnedFd,
    /// Closing this asks the child to end; a worker says on it that it is up.
    control: Option<OwnedFd>,
    pub(super) started: Instant,
}

/// A descriptor that the child gets, and the option that tells its number.
pub(super) type Inherited<'a> = (&'static str, BorrowedFd<'a>);

impl Process {
    /// Starts this program again as `role`, which is a hidden subcommand with its own words.
    pub(super) fn start(role: &[&str], inherited: &[Inherited<'_>], all: &Children) -> io::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("chaff").args(role).stdin(Stdio::null());
        if role.first() != Some(&HUB) {
            // Only the hub has something to say to whoever reads stdout.
            command.stdout(Stdio::null());
        }
        command.args(["--parent", &std::process::id().to_string()]);
        if let Some(User { uid, gid }) = all.user {
            command.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
        }
        for layer in &all.without {
            command.args(["--without", layer.name()]);
        }
        let control = [("--control", theirs.as_fd())];
        let descriptors = || inherited.iter().chain(&control);
        for (option, fd) in descriptors() {
            command.args([option, fd.as_raw_fd().to_string().as_str()]);
        }
        // This process has one thread, so nothing else is started while these descriptors are inheritable.
        for (_, fd) in descriptors() {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        let child = command.spawn();
        for (_, fd) in descriptors() {
            fcntl_setfd(fd, FdFlags::CLOEXEC)?;
        }
        let child = child?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { child, pidfd, control: Some(ours), started: Instant::now() })
    }

    /// Readable when the child has ended.
    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Readable when the child has said something.
    pub(super) fn control(&self) -> Option<&OwnedFd> {
        self.control.as_ref()
    }

    /// Whether the child has said that it is up; to be asked when its control stream is readable.
    pub(super) fn has_said_up(&self) -> bool {
        let mut octet = [0];
        let said = self.control.as_ref().map(|control| rustix::io::read(control, &mut octet[..]));
        matches!(said, Some(Ok(1))) && octet == [chaff_sensor::worker::UP]
    }

    /// Asks the child to end.
    pub(super) fn ask_to_end(&mut self) {
        self.control = None;
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        // It may have ended a moment ago; the descriptor never names another process.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// How the child ended, if it has.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(super) fn lived(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Hidden subcommand of a worker.
pub(super) const WORKER: &str = "worker-process";

/// Hidden subcommand of the node host.
pub(super) const NODES: &str = "nodes-process";

/// Hidden subcommand of the keeper of Xen's domains.
pub(super) const KEEPER: &str = "keeper-process";

/// Hidden subcommand of the hub.
pub(super) const HUB: &str = "hub-process";
