//! What a child gives up before it reads a packet or a message.

use std::{io, os::unix::fs::MetadataExt};

use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    process::{Gid, Pid, Signal, Uid, getppid, set_parent_process_death_signal},
    thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// A user to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Gives up every capability for good, becomes `user`, and dies with its parent. To be called before any thread is
/// started: each of these steps concerns the calling thread.
pub(crate) fn drop_all(user: Option<User>, parent: Option<Pid>, groups: &[Gid]) -> io::Result<()> {
    empty_bounding_set()?;
    if let Some(user) = user {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        set_thread_groups(groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    let nothing = CapsHashSet::new();
    caps::clear(None, CapSet::Ambient).map_err(io::Error::other)?;
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        caps::set(None, set, &nothing).map_err(io::Error::other)?;
    }
    set_no_new_privs(true)?;
    // A change of identity clears this, so it comes last.
    die_with(parent)
}

/// Dies with its parent, which may have died before this.
pub(crate) fn die_with(parent: Option<Pid>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != parent {
        return Err(io::Error::other("the supervisor is gone"));
    }
    Ok(())
}

/// Whom to become where nobody is named and this is root: an emulator has nothing to do as root.
pub(crate) fn nobody_if_root() -> Option<User> {
    const NOBODY: u32 = 65_534;
    rustix::process::geteuid().is_root().then_some(User { uid: NOBODY, gid: NOBODY })
}

/// The group that may use the device at `path`, if there is one besides root's.
pub(crate) fn group_of(path: &str) -> Vec<Gid> {
    let metadata =
        std::fs::metadata(path).ok().filter(|metadata| metadata.gid() != 0 && metadata.mode() & 0o60 == 0o60);
    metadata.map(|metadata| Gid::from_raw(metadata.gid())).into_iter().collect()
}

/// What the supervisor keeps once everything is open: the socket of an interface that was removed and came back must be
/// opened again, children give up their own rights and, where `user` is set, change into another user and are killed as
/// that. All else goes, for the children as well.
/// Where domains of Xen's are made, the process that makes them, which is root's, needs more, and gets it from this one.
pub(crate) fn keep_for_supervisor(user: bool, xen: bool) -> io::Result<()> {
    let mut kept = CapsHashSet::from([Capability::CAP_NET_RAW, Capability::CAP_SETPCAP]);
    if xen {
        kept.extend(FOR_XEN);
    }
    let root = rustix::process::geteuid().is_root();
    if user || root {
        // Root's node host becomes nobody in any case.
        kept.extend([Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_KILL]);
    }
    let has = |set| caps::read(None, set).map_err(io::Error::other);
    if has(CapSet::Effective)?.contains(&Capability::CAP_SETPCAP) {
        for capability in has(CapSet::Bounding)?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *capability).map_err(io::Error::other)?;
        }
    }
    for capability in has(CapSet::Ambient)?.difference(&kept) {
        caps::drop(None, CapSet::Ambient, *capability).map_err(io::Error::other)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        let left: CapsHashSet = has(set)?.intersection(&kept).copied().collect();
        caps::set(None, set, &left).map_err(io::Error::other)?;
    }
    Ok(())
}

/// What making a domain takes: Xen's devices and locked memory for its calls, files of whoever installed it, interfaces and
/// a namespace for them.
const FOR_XEN: [Capability; 8] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_CHOWN,
    Capability::CAP_FOWNER,
    Capability::CAP_IPC_LOCK,
    Capability::CAP_SYS_RESOURCE,
    Capability::CAP_SYS_NICE,
];

/// Without CAP_SETPCAP the set stays as it is; `no_new_privs` then does its work.
fn empty_bounding_set() -> io::Result<()> {
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(io::Error::other)? {
        return Ok(());
    }
    for capability in caps::read(None, CapSet::Bounding).map_err(io::Error::other)? {
        caps::drop(None, CapSet::Bounding, capability).map_err(io::Error::other)?;
    }
    Ok(())
}

/// The user `name` of /etc/passwd.
pub(crate) fn look_up(name: &str) -> Result<User, String> {
    let path = "/etc/passwd";
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    find(&text, name).ok_or_else(|| format!("no user `{name}` in {path}. Create it: useradd --system {name}"))
}

fn find(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next()?.parse().ok();
    Some(User { uid: number()?, gid: number()? })
}

#[cfg(test)]
mod tests;
