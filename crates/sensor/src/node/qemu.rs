//! One machine as a process: QEMU's `microvm`, which has a card, a console and nothing else.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use chaff_events::Mac;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{FdFlags, fcntl_setfd},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open},
};

/// Octets that may wait on their way into or out of a machine: some 200 small frames, 60 full ones, as in a card's ring.
const FRAMES_WAITING: usize = 160 * 1024;

/// Descriptors of a machine's process; QEMU opens some thirty.
const DESCRIPTORS: u64 = 128;

/// What executes a machine's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor where that works, else emulation.
    Auto,
    /// The processor.
    Kvm,
    /// Emulation.
    Tcg,
}

/// How machines are made.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The emulator.
    pub qemu: PathBuf,
    /// What executes their code.
    pub accel: Accel,
    /// Memory of each, in MiB.
    pub memory_mib: u16,
    /// How many are being started at the same time.
    pub starts_at_once: u16,
}

/// A process that was started, and this side's ends of what it holds.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) frames: OwnedFd,
    pub(super) console: OwnedFd,
    /// What it says on stdout and stderr.
    pub(super) said: OwnedFd,
}

impl Machine {
    /// Starts one. This process must have one thread: descriptors are inheritable for a moment.
    pub(super) fn start(&self, kvm: bool, image: &OwnedFd, module: &[u8], mac: Mac) -> io::Result<Started> {
        let module = in_memory(module)?;
        let (frames, frames_far) = pair(SocketType::DGRAM)?;
        let (console, console_far) = pair(SocketType::STREAM)?;
        for end in [&frames, &frames_far] {
            rustix::net::sockopt::set_socket_send_buffer_size(end, FRAMES_WAITING)?;
        }
        let (said, said_far) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&said, true)?;
        let files = [image.as_fd(), module.as_fd(), frames_far.as_fd(), console_far.as_fd()];
        let [image, module, frames_number, console_number] = files.map(|file| file.as_raw_fd());
        let mut command = Command::new(&self.qemu);
        command.args(arguments(kvm, self.memory_mib, image, module, frames_number, console_number, mac));
        command.env_clear().stdin(Stdio::null()).stdout(said_far.try_clone()?).stderr(said_far);
        let parent = rustix::process::getpid();
        // SAFETY: the closure makes system calls only, which are safe between fork and exec; it allocates nothing.
        unsafe { command.pre_exec(move || prepare(parent)) };
        for file in files {
            fcntl_setfd(file, FdFlags::empty())?;
        }
        let child = command.spawn();
        for file in files {
            fcntl_setfd(file, FdFlags::CLOEXEC)?;
        }
        let child = child?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Started { child, pidfd, frames, console, said })
    }
}

/// The command line, as it was found to cost least: no firmware tables, timers or controllers that a unikernel does not
/// use, the smallest cache of translated code that a start does not fill (a full one is emptied as a whole, and the same
/// code translated again), and QEMU's own filter of system calls.
fn arguments(kvm: bool, memory_mib: u16, image: i32, module: i32, frames: i32, console: i32, mac: Mac) -> Vec<String> {
    let accel = if kvm { "kvm".to_owned() } else { "tcg,tb-size=2".to_owned() };
    [
        "-accel",
        &accel,
        "-cpu",
        "max",
        "-m",
        &memory_mib.to_string(),
        "-M",
        "microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=on,auto-kernel-cmdline=on",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-serial",
        "stdio",
        "-kernel",
        &format!("/proc/self/fd/{image}"),
        "-initrd",
        &format!("/proc/self/fd/{module}"),
        "-netdev",
        &format!("dgram,id=net,local.type=fd,local.str={frames}"),
        "-device",
        &format!("virtio-net-device,netdev=net,mac={mac}"),
        "-chardev",
        &format!("socket,id=console,fd={console}"),
        "-device",
        "virtio-serial-device,max_ports=1",
        "-device",
        "virtconsole,chardev=console",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// In the child, before the emulator: it dies with its host, leaves no core, and opens little.
fn prepare(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(Resource::Core, most(0))?;
    rustix::process::setrlimit(Resource::Nofile, most(DESCRIPTORS))?;
    Ok(())
}

fn in_memory(octets: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("chaff-module", MemfdFlags::CLOEXEC)?);
    file.write_all(octets)?;
    Ok(file.into())
}

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
