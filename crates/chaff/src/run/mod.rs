//! `chaff run`: from a configuration to processes at work.

mod inboxes;
mod links;
mod nodes;
mod plan;
mod process;
mod state;
mod supervisor;

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Seek, Write},
    os::fd::{AsFd, OwnedFd},
    time::Instant,
};

use chaff_engine::{owner, spec::FleetSpec};
use chaff_sensor::{inherit, interface::Interfaces, ownership, relay::Fellows, roster};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};

use crate::{cli::Files, failure::Failure, privileges, processes, sandbox, signals};

use inboxes::Inboxes;
use links::{Links, Place};
pub(crate) use nodes::{descriptors, find_image, find_qemu, find_xl, fitting_image};
pub(crate) use plan::{Plan, read_hub_spec};
use state::State;
pub(crate) use state::read_secret;
use supervisor::{Children, Supervisor, WorkerFiles};

/// What the configuration allows, the sensor can do.
const _: () = assert!(chaff_config::MAX_WORKERS as usize <= ownership::MAX_WORKERS);

/// Octets that may wait in each direction between a worker and the hub: a second of a scan at full speed, while the
/// hub commits.
const SOCKET_BUFFER: usize = 1 << 20;

/// Runs the fleet until SIGTERM or SIGINT.
pub(crate) fn run(files: &Files, started: Instant) -> Result<(), Failure> {
    let signals = signals::block_termination().map_err(Failure::running)?;
    processes::log_to_stderr();
    if let Err(error) = inherit::keep_from_children() {
        tracing::warn!("descriptors that this process was started with stay open in its children: {error}");
    }
    let plan = Plan::read(files)?;
    sandbox::check(plan.without())?;
    let user = plan.user().map(privileges::look_up).transpose().map_err(Failure::Usage)?;
    if read_secret(&plan.state_dir)?.is_none() {
        // A first start with a mistake in the configuration leaves nothing behind.
        plan.compile(&[0; state::SECRET])?;
    }
    let state = State::open(&plan.state_dir)?;
    let fleet = plan.compile(&state.secret()?)?;
    let names = plan.interfaces(&fleet);
    let interfaces = names.join(", ");
    let interfaces_now = usable_interfaces(&names, &fleet)?;
    let decoys = fleet.decoys.len();
    let is_node = |index: usize| plan.nodes().iter().any(|range| range.contains(&(index as u64)));
    let machines = fleet.only(is_node);
    let shared = if machines.decoys.is_empty() { fleet.clone() } else { fleet.only(|index| !is_node(index)) };
    let count = if shared.decoys.is_empty() { 0 } else { plan.workers() };
    let fellows = Fellows::new(&machines, |_| count);
    // Of all decoys only where there is a node host: it alone must know them.
    let others =
        if machines.decoys.is_empty() { Fellows::default() } else { Fellows::new(&shared, |ip| owner(ip, count)) };
    let nodes = nodes::prepare(&plan, &machines, &names, &interfaces_now, &state, &others)?;
    let workers = (0..count)
        .map(|worker| {
            let place = Place { worker, workers: count };
            let links = Links::open(&names, place, &interfaces_now)?;
            WorkerFiles::new(&part(&shared, place), state.spool(worker)?, links, &fellows)
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    state.forget_spools_from(count)?;
    let inboxes = Inboxes::new(count + usize::from(nodes.is_some()))?;
    let hub_spec = memory_file("chaff-hub", |file| plan.write_hub_spec(&fleet, file))?;
    if let Some(user) = user {
        state.give_to(user)?;
    }
    let children = Children { user, without: plan.without().to_vec() };
    // From here on the fleet is in the memory files alone; this process keeps nothing of it.
    drop((fleet, shared, machines, fellows, others, plan));
    inherit::trim_heap();
    let xen = nodes.as_ref().is_some_and(nodes::NodeFiles::are_domains);
    privileges::keep_for_supervisor(user.is_some(), xen).map_err(Failure::running)?;
    let up = move || {
        let seconds = started.elapsed().as_secs_f64();
        let s = if decoys == 1 { "" } else { "s" };
        // Nobody reads stdout any more: that stops no decoy.
        let _ = writeln!(io::stdout(), "{decoys} decoy{s} on {interfaces}, up in {seconds:.2} s");
    };
    Supervisor::new(workers, nodes, inboxes, hub_spec, children, signals).run(up)
}

/// The decoys of one worker. A single one has the fleet as it is.
fn part(fleet: &FleetSpec, place: Place) -> Cow<'_, FleetSpec> {
    if place.workers == 1 { Cow::Borrowed(fleet) } else { Cow::Owned(fleet.part(place.worker, place.workers)) }
}

/// The machine's interfaces, once it is known that those of the fleet are up and that the kernel answers for no decoy.
fn usable_interfaces(names: &[String], fleet: &FleetSpec) -> Result<Interfaces, Failure> {
    let interfaces = Interfaces::read().map_err(Failure::running)?;
    for name in names {
        interfaces.usable(name).map_err(Failure::running)?;
    }
    interfaces.free_of(fleet.decoys.iter().map(|d| (d.ip, d.name.as_str()))).map_err(Failure::running)?;
    Ok(interfaces)
}

/// A file in memory, filled and rewound.
fn memory_file(name: &str, fill: impl FnOnce(&File) -> Result<(), Failure>) -> Result<File, Failure> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC).map_err(Failure::running)?);
    fill(&file)?;
    file.rewind().map_err(Failure::running)?;
    Ok(file)
}

impl WorkerFiles {
    pub(super) fn new(fleet: &FleetSpec, spool: File, links: Links, fellows: &Fellows) -> Result<Self, Failure> {
        let spec = memory_file("chaff-fleet", |mut file| {
            let octets = postcard::to_allocvec(fleet).map_err(Failure::running)?;
            file.write_all(&octets).map_err(Failure::running)
        })?;
        let roster = memory_file("chaff-roster", |file| roster::write(fleet, file).map_err(Failure::running))?;
        let (hub, hub_far) = pair(SocketType::SEQPACKET)?;
        let fellows = (*fellows != Fellows::default())
            .then(|| memory_file("chaff-fellows", |file| Ok(fellows.write(file)?)))
            .transpose()?;
        Ok(Self { fleet: spec, roster, spool, hub, hub_far, links, fellows })
    }
}

/// A socket pair with room for bursts. It outlives the processes at both ends.
fn pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd), Failure> {
    let (a, b) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(Failure::running)?;
    for end in [a.as_fd(), b.as_fd()] {
        // Past the system's limit where that is allowed; the least that is needed (64 KiB) fits in any case.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size_force(end, SOCKET_BUFFER)
            .or_else(|_| rustix::net::sockopt::set_socket_send_buffer_size(end, SOCKET_BUFFER));
    }
    Ok((a, b))
}
