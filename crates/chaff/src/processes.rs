//! The kinds of children that `chaff run` starts: this same program, with descriptors instead of paths.

use std::{
    fs::File,
    os::fd::{OwnedFd, RawFd},
    path::PathBuf,
};

use chaff_config::{Accel, Layer};
use chaff_sensor::{inherit, node, relay, worker};
use clap::Args;
use rustix::process::{Gid, Pid};

use crate::{
    failure::Failure,
    privileges::{self, User},
    sandbox,
};

/// The exit code of a worker whose interface was removed: it can only be started again with a new socket.
pub(crate) const INTERFACE_GONE: u8 = 3;

/// How far the hub steps back where processors are short: enough that a sweep's observations do not slow its answers,
/// little enough that the first alarm stays within its 50 ms.
const HUB_NICENESS: i32 = 5;

/// What every child is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChildArgs {
    /// Stream to the supervisor.
    #[arg(long)]
    control: RawFd,
    /// Process that must be the parent.
    #[arg(long)]
    parent: i32,
    /// User and group to become.
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    /// Layers of the sandbox that the configuration does without.
    #[arg(long, value_parser = layer)]
    without: Vec<Layer>,
}

/// Descriptors of whoever holds packet sockets, by number.
#[derive(Args, Debug)]
struct HostArgs {
    #[command(flatten)]
    child: ChildArgs,
    #[arg(long)]
    fleet: RawFd,
    #[arg(long)]
    roster: RawFd,
    #[arg(long)]
    spool: RawFd,
    #[arg(long)]
    hub: RawFd,
    #[arg(long)]
    link: Vec<RawFd>,
    /// Workers in all.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// What others pass on, and the inboxes of all, where there are several that hold packet sockets.
    #[arg(long, requires = "other")]
    inbox: Option<RawFd>,
    #[arg(long)]
    other: Vec<RawFd>,
    /// Decoys on the other side of the node host, where there is one.
    #[arg(long)]
    fellows: Option<RawFd>,
    /// How the one before it ended.
    #[arg(long)]
    replaces: Option<String>,
}

/// What a worker is told.
#[derive(Args, Debug)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    host: HostArgs,
    /// Which worker of several this is.
    #[arg(long)]
    index: usize,
}

/// What the node host is told, and how it makes machines.
#[derive(Args, Debug)]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    host: HostArgs,
    #[arg(long)]
    image: RawFd,
    #[arg(long)]
    door: RawFd,
    /// The emulator, or else where the keeper of domains is asked.
    #[arg(long, required_unless_present = "keeper")]
    qemu: Option<PathBuf>,
    #[arg(long)]
    keeper: Option<RawFd>,
    #[arg(long, value_parser = accel)]
    accel: node::Accel,
    #[arg(long)]
    memory_mib: u16,
    #[arg(long)]
    starts_at_once: u16,
    #[arg(long)]
    nodes: u64,
}

/// What the keeper of Xen's domains is told.
#[derive(Args, Debug)]
pub(crate) struct KeeperArgs {
    #[command(flatten)]
    child: ChildArgs,
    #[arg(long)]
    fleet: RawFd,
    #[arg(long)]
    image: RawFd,
    #[arg(long)]
    questions: RawFd,
    #[arg(long)]
    xl: PathBuf,
    #[arg(long)]
    memory_mib: u16,
    /// How the one before it ended; the node host tells of its domains' ends.
    #[arg(long)]
    replaces: Option<String>,
}

/// Descriptors of the hub, by number.
#[derive(Args, Debug)]
pub(crate) struct HubArgs {
    #[command(flatten)]
    child: ChildArgs,
    #[arg(long)]
    spec: RawFd,
    #[arg(long)]
    worker: Vec<RawFd>,
}

/// Messages for the operator go to stderr, as the process that says them.
pub(crate) fn log_to_stderr() {
    let level = match std::env::var("CHAFF_LOG").as_deref() {
        Ok("debug") => tracing::Level::DEBUG,
        Ok("trace") => tracing::Level::TRACE,
        Ok("warn") => tracing::Level::WARN,
        Ok("error") => tracing::Level::ERROR,
        _ => tracing::Level::INFO,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    // Fails only where a subscriber is set already, which then does the same.
    let _ = subscriber.with_ansi(false).try_init();
}

impl HostArgs {
    /// Takes over what was inherited by the process of this number.
    fn adopt(&self, number: usize) -> Result<worker::Setup, Failure> {
        Ok(worker::Setup {
            fleet: File::from(adopt(self.fleet)?),
            roster: File::from(adopt(self.roster)?),
            spool: File::from(adopt(self.spool)?),
            hub: adopt(self.hub)?,
            control: adopt(self.child.control)?,
            links: self.link.iter().copied().map(adopt).collect::<Result<_, _>>()?,
            relay: self.inbox.map(|inbox| self.adopt_relay(number, inbox)).transpose()?,
            replaces: self.replaces.clone(),
        })
    }

    fn adopt_relay(&self, worker: usize, inbox: RawFd) -> Result<relay::Setup, Failure> {
        let others = self.other.iter().copied().map(adopt).collect::<Result<_, _>>()?;
        let fellows = match self.fellows {
            Some(file) => relay::Fellows::read(&File::from(adopt(file)?))?,
            None => relay::Fellows::default(),
        };
        Ok(relay::Setup { worker, workers: self.workers, inbox: adopt(inbox)?, others, fellows })
    }
}

fn adopt(number: RawFd) -> Result<OwnedFd, Failure> {
    inherit::adopt(number).map_err(|error| Failure::Usage(format!("this command is for `chaff run` alone: {error}")))
}

/// The end of whoever holds packet sockets. Where an interface was removed, the supervisor is told by the code.
fn ended(name: &str, result: Result<(), worker::WorkerError>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(worker::WorkerError::InterfaceGone) => std::process::exit(INTERFACE_GONE.into()),
        Err(error) => Err(Failure::Running(format!("{name}: {error}"))),
    }
}

/// One worker.
pub(crate) fn worker(args: &WorkerArgs) -> Result<(), Failure> {
    log_to_stderr();
    let setup = args.host.adopt(args.index)?;
    drop_privileges(&args.host.child)?;
    let fleet = setup.fleet.metadata().map_or(0, |fleet| fleet.len());
    let seal = || {
        sandbox::seal_worker(&args.host.child.without, fleet)?;
        #[cfg(debug_assertions)]
        crate::hole::open("worker");
        Ok(())
    };
    ended("worker", worker::run(setup, seal))
}

/// The node host.
pub(crate) fn nodes(args: &NodesArgs) -> Result<(), Failure> {
    log_to_stderr();
    let setup = node::Setup {
        worker: args.host.adopt(args.host.workers)?,
        image: adopt(args.image)?,
        door: adopt(args.door)?,
        machine: node::Machine {
            hypervisor: match (args.keeper, &args.qemu) {
                (Some(keeper), _) => node::Hypervisor::Xen(adopt(keeper)?),
                (None, Some(program)) => {
                    node::Hypervisor::Qemu(node::Qemu { program: program.clone(), accel: args.accel })
                }
                (None, None) => return Err(Failure::Usage("neither --qemu nor --keeper".into())),
            },
            memory_mib: args.memory_mib,
            starts_at_once: args.starts_at_once,
        },
    };
    let child = &args.host.child;
    drop_privileges_as(child, privileges::nobody_if_root(), &privileges::group_of("/dev/kvm"))?;
    ended(
        "node host",
        node::run(setup, || Ok(sandbox::seal_node_host(&child.without, args.qemu.as_deref(), args.nodes)?)),
    )
}

/// The keeper of Xen's domains: it keeps the rights that it takes to make them.
pub(crate) fn keeper(args: &KeeperArgs) -> Result<(), Failure> {
    log_to_stderr();
    let setup = node::xen::Setup {
        fleet: File::from(adopt(args.fleet)?),
        image: adopt(args.image)?,
        questions: adopt(args.questions)?,
        control: adopt(args.child.control)?,
        xl: args.xl.clone(),
        memory_mib: args.memory_mib,
    };
    if let Some(reason) = &args.replaces {
        tracing::info!("the keeper of domains before this one ended: {reason}");
    }
    privileges::die_with(Pid::from_raw(args.child.parent))
        .map_err(|error| Failure::Running(format!("keeper of domains: {error}")))?;
    node::xen::keep(setup).map_err(|error| Failure::Running(format!("keeper of domains: {error}")))
}

/// The hub.
pub(crate) fn hub(args: &HubArgs) -> Result<(), Failure> {
    log_to_stderr();
    let mut spec = File::from(adopt(args.spec)?);
    let workers = args.worker.iter().copied().map(adopt).collect::<Result<_, _>>()?;
    let stop = adopt(args.child.control)?;
    drop_privileges(&args.child)?;
    // What the hub is given waits in a queue; packets do not wait for the worker. A kernel that refuses changes nothing.
    let _ = rustix::process::nice(HUB_NICENESS);
    let spec = crate::run::read_hub_spec(&mut spec)?;
    sandbox::seal_hub(&args.child.without, &spec.state_dir)
        .map_err(|error| Failure::Running(format!("sealing the hub: {error}")))?;
    #[cfg(debug_assertions)]
    crate::hole::open("hub");
    chaff_hub::run(spec, workers, stop).map_err(|error| Failure::Running(format!("hub: {error}")))
}

/// A layer of the sandbox, by its name on a command line.
pub(crate) fn layer(name: &str) -> Result<Layer, String> {
    Layer::named(name).ok_or_else(|| format!("no layer `{name}`"))
}

fn accel(name: &str) -> Result<node::Accel, String> {
    match Accel::named(name) {
        Some(Accel::Auto) => Ok(node::Accel::Auto),
        Some(Accel::Kvm) => Ok(node::Accel::Kvm),
        Some(Accel::Tcg) => Ok(node::Accel::Tcg),
        None => Err(format!("no accelerator `{name}`")),
    }
}

fn drop_privileges(args: &ChildArgs) -> Result<(), Failure> {
    drop_privileges_as(args, None, &[])
}

/// Becomes the user of the configuration, else `otherwise`, and keeps no group but `groups`.
fn drop_privileges_as(args: &ChildArgs, otherwise: Option<User>, groups: &[Gid]) -> Result<(), Failure> {
    let user = args.uid.zip(args.gid).map(|(uid, gid)| User { uid, gid }).or(otherwise);
    privileges::drop_all(user, Pid::from_raw(args.parent), groups)
        .map_err(|error| Failure::Running(format!("giving up privileges: {error}")))
}
