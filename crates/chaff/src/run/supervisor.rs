//! Starts the workers and the hub, starts again what dies, and ends all in order: workers first, so that the hub
//! hears their last observations.

use std::{
    fmt,
    fs::File,
    os::fd::{AsFd, OwnedFd},
    process::ExitStatus,
    time::{Duration, Instant},
};

use chaff_config::Layer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    inboxes::Inboxes,
    links::Links,
    nodes::NodeFiles,
    process::{HUB, Inherited, KEEPER, NODES, Process, WORKER},
};
use crate::{failure::Failure, privileges::User, signals};

/// The pause before a child that died is started again; doubles with each death in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: the decoys are silent for less than a second, whatever kills the worker.
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// A child that has lived so long starts with the first pause again.
const STEADY: Duration = Duration::from_secs(10);

/// A child that fails sooner, the first time it is started, has a reason that starting again does not mend.
const STILLBORN: Duration = Duration::from_secs(3);

/// How long workers may take to hand over their last observations (they wait half a second for the hub).
const WORKERS_END: Duration = Duration::from_secs(2);

/// How long the keeper may take to end Xen's domains, each of which takes a part of a second.
const KEEPER_END: Duration = Duration::from_secs(30);

/// How long the hub may take to commit and to tell its receivers.
const HUB_END: Duration = Duration::from_secs(5);

/// What a worker inherits. Kept here, so that the next one inherits the same.
#[derive(Debug)]
pub(super) struct WorkerFiles {
    pub(super) fleet: File,
    pub(super) roster: File,
    pub(super) spool: File,
    /// The worker's end.
    pub(super) hub: OwnedFd,
    /// The hub's end.
    pub(super) hub_far: OwnedFd,
    pub(super) links: Links,
    /// Decoys on the other side of the node host, where there are any.
    pub(super) fellows: Option<File>,
}

/// What all children are started with.
#[derive(Debug)]
pub(super) struct Children {
    /// Whom they become.
    pub(super) user: Option<User>,
    /// Layers of the sandbox that they do without.
    pub(super) without: Vec<Layer>,
}

/// The children of `chaff run`.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// Workers, then the hub.
    slots: Vec<Slot>,
    workers: Vec<WorkerFiles>,
    nodes: Option<NodeFiles>,
    inboxes: Inboxes,
    hub_spec: File,
    children: Children,
    signals: OwnedFd,
}

/// A place for one child.
#[derive(Debug)]
struct Slot {
    role: Role,
    process: Option<Process>,
    start_at: Option<Instant>,
    deaths: u32,
    starts: u32,
    up: bool,
    /// How the last one ended.
    last_end: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// By index.
    Worker(usize),
    Nodes,
    /// Of Xen's domains.
    Keeper,
    Hub,
}

impl Supervisor {
    pub(super) fn new(
        workers: Vec<WorkerFiles>,
        nodes: Option<NodeFiles>,
        inboxes: Inboxes,
        hub_spec: File,
        children: Children,
        signals: OwnedFd,
    ) -> Self {
        let keeper = nodes.as_ref().is_some_and(NodeFiles::are_domains).then_some(Role::Keeper);
        let machines = keeper.into_iter().chain(nodes.is_some().then_some(Role::Nodes));
        let roles = (0..workers.len()).map(Role::Worker).chain(machines).chain([Role::Hub]);
        let now = Instant::now();
        let slots = roles.map(|role| Slot::new(role, now)).collect();
        Self { slots, workers, nodes, inboxes, hub_spec, children, signals }
    }

    /// Runs until a signal; calls `up` once, when every worker answers packets.
    pub(super) fn run(mut self, up: impl FnOnce()) -> Result<(), Failure> {
        let mut up = Some(up);
        let result = loop {
            if let Err(failure) = self.start_due() {
                break Err(failure);
            }
            self.wait();
            if signals::take(&self.signals) {
                break Ok(());
            }
            if let Err(failure) = self.collect() {
                break Err(failure);
            }
            if self.slots.iter().all(|slot| slot.up || slot.role == Role::Hub)
                && let Some(up) = up.take()
            {
                up();
            }
        };
        self.end();
        result
    }

    fn start_due(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get(index).filter(|slot| slot.start_at.is_some_and(|at| at <= now)) else {
                continue;
            };
            let (role, last_end) = (slot.role, slot.last_end.clone());
            let started = self.start(role, last_end.as_deref());
            let Some(slot) = self.slots.get_mut(index) else { continue };
            match started {
                Ok(process) => slot.is_started(process),
                Err(failure) if slot.starts == 0 => return Err(failure),
                Err(failure) => {
                    tracing::error!("{} cannot be started: {failure}", slot.role);
                    slot.start_at = Some(now + LONGEST_PAUSE);
                }
            }
        }
        Ok(())
    }

    /// Starts a child, which tells how the one before it ended.
    fn start(&mut self, role: Role, last_end: Option<&str>) -> Result<Process, Failure> {
        let replaces = last_end.map_or_else(Vec::new, |reason| vec!["--replaces", reason]);
        let children = &self.children;
        let workers = self.workers.len().to_string();
        let process = match role {
            Role::Worker(index) => {
                let Some(files) = self.workers.get_mut(index) else {
                    return Err(Failure::Running(format!("there is no worker {index}")));
                };
                files.links.reopen_orphans()?;
                let mut inherited = files.inherited();
                inherited.extend(self.inboxes.inherited(index));
                let index = index.to_string();
                let words = [WORKER, "--index", &index, "--workers", &workers];
                let words: Vec<&str> = words.into_iter().chain(replaces).collect();
                Process::start(&words, &inherited, children)
            }
            Role::Nodes => {
                let Some(files) = &mut self.nodes else {
                    return Err(Failure::Running("there are no nodes".into()));
                };
                files.worker.links.reopen_orphans()?;
                let words = files.words();
                let words = [NODES, "--workers", &workers].into_iter().chain(words.iter().map(String::as_str));
                let words: Vec<&str> = words.chain(replaces).collect();
                let mut inherited = files.inherited();
                inherited.extend(self.inboxes.inherited(self.workers.len()));
                Process::start(&words, &inherited, children)
            }
            Role::Keeper => {
                let Some(files) = &self.nodes else {
                    return Err(Failure::Running("there are no nodes".into()));
                };
                let words = files.words_of_keeper();
                let words: Vec<&str> =
                    [KEEPER].into_iter().chain(words.iter().map(String::as_str)).chain(replaces).collect();
                Process::start(&words, &files.inherited_by_keeper(), children)
            }
            Role::Hub => {
                let mut inherited: Vec<Inherited<'_>> = vec![("--spec", self.hub_spec.as_fd())];
                let hosts = self.workers.iter().chain(self.nodes.as_ref().map(|nodes| &nodes.worker));
                inherited.extend(hosts.map(|files| ("--worker", files.hub_far.as_fd())));
                Process::start(&[HUB], &inherited, children)
            }
        };
        process.map_err(|error| Failure::Running(format!("start {}: {error}", role)))
    }

    /// Sleeps until a signal, the end of a child, a word of a worker, or the next start.
    fn wait(&self) {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        for slot in &self.slots {
            let Some(process) = &slot.process else { continue };
            fds.push(PollFd::new(process.pidfd(), PollFlags::IN));
            if let Some(control) = process.control().filter(|_| !slot.up && slot.role != Role::Hub) {
                fds.push(PollFd::new(control, PollFlags::IN));
            }
        }
        let now = Instant::now();
        let next = self.slots.iter().filter_map(|slot| slot.start_at).min();
        let timeout = next.and_then(|at| Timespec::try_from(at.saturating_duration_since(now)).ok());
        // An interrupted wait is a short wait.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    /// Takes note of what became of the children.
    fn collect(&mut self) -> Result<(), Failure> {
        for slot in &mut self.slots {
            let Some(process) = &mut slot.process else { continue };
            if let Some(status) = process.ended() {
                slot.has_ended(status)?;
            } else if !slot.up && slot.role != Role::Hub && is_readable(process.control()) {
                slot.up = process.has_said_up();
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        self.end_those(|role| !matches!(role, Role::Hub | Role::Keeper), WORKERS_END);
        self.end_those(|role| role == Role::Keeper, KEEPER_END);
        self.end_those(|role| role == Role::Hub, HUB_END);
    }

    fn end_those(&mut self, which: impl Fn(Role) -> bool, patience: Duration) {
        let deadline = Instant::now() + patience;
        for slot in self.slots.iter_mut().filter(|slot| which(slot.role)) {
            if let Some(process) = &mut slot.process {
                process.ask_to_end();
            }
        }
        for slot in self.slots.iter_mut().filter(|slot| which(slot.role)) {
            let Some(mut process) = slot.process.take() else { continue };
            let left = deadline.saturating_duration_since(Instant::now());
            wait_for(&process, &self.signals, left);
            if process.ended().is_none() {
                tracing::warn!("{} did not end in time and is killed", slot.role);
                process.kill();
                wait_for(&process, &self.signals, HUB_END);
                let _ = process.ended();
            }
        }
    }
}

/// Waits for the end of a child; another signal cuts the wait short.
fn wait_for(process: &Process, signals: &OwnedFd, patience: Duration) {
    let timeout = Timespec::try_from(patience).unwrap_or_default();
    let mut fds = [PollFd::new(process.pidfd(), PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
    let _ = poll(&mut fds, Some(&timeout));
    let _ = signals::take(signals);
}

fn is_readable(control: Option<&OwnedFd>) -> bool {
    control.is_some_and(|fd| matches!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec::default())), Ok(1)))
}

impl Slot {
    fn new(role: Role, now: Instant) -> Self {
        Self { role, process: None, start_at: Some(now), deaths: 0, starts: 0, up: false, last_end: None }
    }

    fn is_started(&mut self, process: Process) {
        tracing::debug!("{} started as process {}", self.role, process.id());
        self.process = Some(process);
        self.start_at = None;
        self.starts += 1;
        self.up = false;
    }

    /// Plans the next start; gives up on a child that failed at its very first.
    fn has_ended(&mut self, status: ExitStatus) -> Result<(), Failure> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let stillborn = self.starts == 1 && !self.up && process.lived() < STILLBORN && status.code().is_some();
        if stillborn {
            // Its own message is on stderr already.
            return Err(Failure::Running(format!("{} did not start ({status})", self.role)));
        }
        self.deaths = if process.lived() > STEADY { 0 } else { self.deaths + 1 };
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.deaths.min(16))).min(LONGEST_PAUSE);
        tracing::error!("{} ended ({status}); it is started again in {} ms", self.role, pause.as_millis());
        self.start_at = Some(Instant::now() + pause);
        self.last_end = Some(status.to_string());
        self.up = false;
        Ok(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(index) => write!(f, "worker {index}"),
            Self::Nodes => f.write_str("the node host"),
            Self::Keeper => f.write_str("the keeper of domains"),
            Self::Hub => f.write_str("the hub"),
        }
    }
}

impl WorkerFiles {
    pub(super) fn inherited(&self) -> Vec<Inherited<'_>> {
        let mut all: Vec<Inherited<'_>> = vec![
            ("--fleet", self.fleet.as_fd()),
            ("--roster", self.roster.as_fd()),
            ("--spool", self.spool.as_fd()),
            ("--hub", self.hub.as_fd()),
        ];
        all.extend(self.links.sockets().map(|link| ("--link", link.as_fd())));
        all.extend(self.fellows.as_ref().map(|fellows| ("--fellows", fellows.as_fd())));
        all
    }
}
