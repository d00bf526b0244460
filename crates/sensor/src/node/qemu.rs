//! One machine as a process: QEMU's `microvm`, which has a card, a console and nothing else.
#![allow(unsafe_code)]

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use chaff_events::Mac;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open},
};

use super::machine::{FarEnds, Running};

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

/// The emulator.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// The program.
    pub program: PathBuf,
    /// What executes machines' code.
    pub accel: Accel,
}

/// Starts a machine. This process must have one thread: descriptors are inheritable for a moment.
pub(super) fn start(
    qemu: &Qemu,
    kvm: bool,
    memory_mib: u16,
    image: &OwnedFd,
    module: &OwnedFd,
    far: FarEnds,
    mac: Mac,
) -> io::Result<Running> {
    let files = [image.as_fd(), module.as_fd(), far.frames.as_fd(), far.console.as_fd()];
    let [image, module, frames_number, console_number] = files.map(|file| file.as_raw_fd());
    let mut command = Command::new(&qemu.program);
    command.args(arguments(kvm, memory_mib, image, module, frames_number, console_number, mac));
    command.env_clear().stdin(Stdio::null()).stdout(far.said.try_clone()?).stderr(far.said);
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
    Ok(Running::Process { child, pidfd })
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
