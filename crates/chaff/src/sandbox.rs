//! What the kernel enforces on the children, beyond lost capabilities: no path to open (landlock), a short list of
//! system calls (seccomp), and limits.
//!
//! A worker does not need the file system, new sockets or new processes, so a program that an intruder smuggles into it
//! can do nothing but what a worker does: talk to its packet socket and to the hub. The hub opens its store and
//! sends messages, and executes nothing.

mod calls;

use std::{io, path::Path};

use chaff_config::Layer;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;

use crate::failure::Failure;

/// The newest landlock whose rights are known here; an older kernel enforces what it knows of them.
const LANDLOCK: ABI = ABI::V6;

/// Descriptors of a worker: its sockets, files and the links of every interface. It opens none.
const WORKER_DESCRIPTORS: u64 = 256;
/// Descriptors of the hub: store, one socket for each worker and receiver.
const HUB_DESCRIPTORS: u64 = 1024;
/// Memory of a worker beyond what its fleet takes: rings, conversations and tables, whose own limits end below that.
const WORKER_MEMORY: u64 = 1 << 30;
/// Memory of a worker for each octet of its compiled fleet. Measured: below 8.
const MEMORY_PER_OCTET: u64 = 32;
/// Memory of the hub: SQLite's cache, the roster of a million decoys, the correlator's tables.
const HUB_MEMORY: u64 = 2 << 30;

/// What the hub may read besides its store: names of servers, certificates of authorities, libraries that resolve names.
const READABLE_BY_HUB: [&str; 7] =
    ["/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/dev/urandom", "/dev/null"];

/// Whether this kernel has a layer; says what is lacking.
pub(crate) fn support(layer: Layer) -> Support {
    match layer {
        Layer::Landlock => match landlock_version() {
            Some(version) if version >= LANDLOCK as i32 => Support::Full(format!("ABI {version}")),
            Some(version) => Support::Partial(format!(
                "ABI {version}: paths are forbidden; {} only seccomp forbids",
                lacking(version)
            )),
            None => Support::Missing(
                "the kernel has it off: build it with CONFIG_SECURITY_LANDLOCK and name it in `lsm=` at boot \
                 (Linux 5.13 and later)"
                    .into(),
            ),
        },
        Layer::Seccomp if calls::is_supported() => Support::Full("filters".into()),
        Layer::Seccomp => Support::Missing("the kernel is built without CONFIG_SECCOMP_FILTER".into()),
    }
}

/// What an older landlock leaves to seccomp.
fn lacking(version: i32) -> &'static str {
    match version {
        ..4 => "TCP, signals and abstract sockets",
        4 => "device commands, signals and abstract sockets",
        _ => "signals and abstract sockets",
    }
}

/// How far a kernel has a layer, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    Full(String),
    Partial(String),
    Missing(String),
}

/// Layers that this kernel lacks.
pub(crate) fn missing() -> Vec<Layer> {
    Layer::ALL.into_iter().filter(|&layer| matches!(support(layer), Support::Missing(_))).collect()
}

/// Whether every layer that the configuration wants can be had here.
///
/// # Errors
/// Names the layers that cannot, and how to do without them.
pub(crate) fn check(without: &[Layer]) -> Result<(), Failure> {
    let missing: Vec<Layer> = missing().into_iter().filter(|layer| !without.contains(layer)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = quoted(&missing);
    Err(Failure::Running(format!(
        "this kernel cannot seal the processes that face the network: {} missing (`chaff doctor` says why). To run \
         without, write into chaff.toml:\n\n    [sandbox]\n    without = [{names}]\n",
        if missing.len() == 1 { "a layer is" } else { "two layers are" }
    )))
}

/// The value of `[sandbox] without` that names `layers`.
pub(crate) fn quoted(layers: &[Layer]) -> String {
    layers.iter().map(|layer| format!("\"{}\"", layer.name())).collect::<Vec<_>>().join(", ")
}

/// Why a child cannot be sealed.
#[derive(Debug, Error)]
pub(crate) enum SandboxError {
    #[error("limits: {0}")]
    Limits(#[from] rustix::io::Errno),
    #[error("landlock: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("landlock is not enforced by this kernel")]
    NotEnforced,
    #[error("landlock: {0}")]
    Path(#[from] landlock::PathFdError),
    #[error("seccomp: {0}")]
    Seccomp(String),
}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> Self {
        Self::other(error)
    }
}

/// Seals a worker that is set up: from here on it opens nothing. `fleet` is the length of its compiled fleet in octets.
pub(crate) fn seal_worker(without: &[Layer], fleet: u64) -> Result<(), SandboxError> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, WORKER_DESCRIPTORS)?;
    limit(Resource::Nproc, 0)?;
    limit(Resource::Data, WORKER_MEMORY.saturating_add(fleet.saturating_mul(MEMORY_PER_OCTET)))?;
    if !without.contains(&Layer::Landlock) {
        restrict(ruleset()?)?;
    }
    if !without.contains(&Layer::Seccomp) {
        calls::allow_those_of_a_worker().map_err(SandboxError::Seccomp)?;
    }
    Ok(())
}

/// Seals the hub, whose store lies in `state_dir`.
pub(crate) fn seal_hub(without: &[Layer], state_dir: &Path) -> Result<(), SandboxError> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, HUB_DESCRIPTORS)?;
    limit(Resource::Data, HUB_MEMORY)?;
    if !without.contains(&Layer::Landlock) {
        let store = PathBeneath::new(PathFd::new(state_dir)?, AccessFs::from_all(LANDLOCK));
        let mut rules = ruleset()?.add_rule(store)?;
        // Where certificates are that the environment names, reqwest reads them from there.
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
        let readable = READABLE_BY_HUB.iter().map(std::ffi::OsString::from).chain(named);
        for path in readable {
            // What is not there need not be readable.
            let Ok(path) = PathFd::new(&path) else { continue };
            rules = rules.add_rule(PathBeneath::new(path, AccessFs::from_read(LANDLOCK) & !AccessFs::Execute))?;
        }
        restrict(rules)?;
    }
    if !without.contains(&Layer::Seccomp) {
        calls::forbid_those_of_an_intruder().map_err(SandboxError::Seccomp)?;
    }
    Ok(())
}

/// What the node host and its emulators read: programs, libraries and their list, and what every process may have.
const READABLE_BY_NODES: [&str; 8] =
    ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/dev/urandom", "/dev/null", "/proc"];

/// Seals the node host of `nodes` machines, which starts `qemu` and nothing else. Its emulators inherit all of it, and
/// forbid themselves more. Without `qemu` its machines are somebody else's, and no path is left to it.
pub(crate) fn seal_node_host(without: &[Layer], qemu: Option<&Path>, nodes: u64) -> Result<(), SandboxError> {
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, crate::run::descriptors(nodes))?;
    if !without.contains(&Layer::Landlock) {
        let mut rules = ruleset()?;
        let folder = qemu.map(|qemu| qemu.parent().unwrap_or(qemu).to_string_lossy().into_owned());
        let readable = READABLE_BY_NODES.iter().filter(|_| qemu.is_some()).map(ToString::to_string);
        for path in readable.chain(folder) {
            let Ok(open) = PathFd::new(&path) else { continue };
            let access = AccessFs::from_read(LANDLOCK);
            let access = if path.starts_with("/dev") || path.starts_with("/proc") || path.starts_with("/etc") {
                access & !AccessFs::Execute
            } else {
                access
            };
            rules = rules.add_rule(PathBeneath::new(open, access))?;
        }
        if let (Some(_), Ok(kvm)) = (qemu, PathFd::new("/dev/kvm")) {
            rules = rules.add_rule(PathBeneath::new(kvm, AccessFs::from_file(LANDLOCK) & !AccessFs::Execute))?;
        }
        restrict(rules)?;
    }
    if !without.contains(&Layer::Seccomp) {
        let done = match qemu {
            Some(_) => calls::refuse_those_of_an_intruder_but_starting(),
            None => calls::refuse_sockets_to_elsewhere().and_then(|()| calls::forbid_those_of_an_intruder()),
        };
        done.map_err(SandboxError::Seccomp)?;
    }
    Ok(())
}

/// Forbids every path, and what else of `LANDLOCK` no child needs.
fn ruleset() -> Result<RulesetCreated, SandboxError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        // Nobody listens; only the hub connects.
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(LANDLOCK))?;
    Ok(rules.create()?)
}

fn restrict(rules: RulesetCreated) -> Result<(), SandboxError> {
    let status = rules.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced { Err(SandboxError::NotEnforced) } else { Ok(()) }
}

fn limit(resource: Resource, most: u64) -> Result<(), SandboxError> {
    let most = Rlimit { current: Some(most), maximum: Some(most) };
    Ok(setrlimit(resource, most)?)
}

/// The kernel's landlock version; `None` where it is off.
fn landlock_version() -> Option<i32> {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no ruleset and makes none; it only gives a number.
    #[allow(unsafe_code)]
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            CREATE_RULESET_VERSION,
        )
    };
    i32::try_from(version).ok().filter(|&version| version > 0)
}

#[cfg(test)]
mod tests;
