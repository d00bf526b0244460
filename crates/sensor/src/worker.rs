//! One worker: rings in, engine, frames and observations out.
//!
//! The loop handles a bounded batch of what is ready, gives out what the engine wants sent in one call an interface,
//! and looks again. With nothing ready it sleeps until a frame, the hub, the supervisor or the engine's next wake.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
};

use chaff_engine::{Audience, Engine, Output, Verdict, spec::FleetSpec};
use chaff_events::{DecoyId, UtcNanos};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;

use crate::{
    clock::{Clock, MEASURE_EVERY, SECOND},
    inherit,
    outbox::Outbox,
    relay::{self, Passed, Relay},
    report,
    ring::RxRing,
    spool::{Found, Spool},
    transmit::Transmitter,
    uplink::Uplink,
};

/// Frames of one interface handled before the answers go out: large enough to spread the cost of a call, small
/// enough that the first answer of a burst leaves within 100 µs.
const FRAMES_AT_ONCE: usize = 64;

/// Batches in a row after which the supervisor and the hub are listened to while packets keep coming: some 50 ms of full
/// ones. A lone packet is thus not followed by calls that bring nothing, which would keep its sender from the processor.
const BATCHES_IN_A_ROW: u32 = 128;

/// How long the hub may take to acknowledge the last observations before they are left in the spool.
const FAREWELL: u64 = SECOND / 2;

/// How far the engine's clock is moved at the end, so that it gives out what it was still folding.
const FOLDING: u64 = 60 * SECOND;

/// What the supervisor hands to a worker.
#[derive(Debug)]
pub struct Setup {
    /// The fleet, postcard.
    pub fleet: File,
    /// The roster, as [`crate::roster::write`] writes it.
    pub roster: File,
    /// The spool.
    pub spool: File,
    /// The socket to the hub.
    pub hub: OwnedFd,
    /// A stream to the supervisor: gets [`UP`] once, and ends when the worker shall.
    pub control: OwnedFd,
    /// One packet socket for each interface, by link.
    pub links: Vec<OwnedFd>,
    /// The way to other workers and the node host, where there are any.
    pub relay: Option<relay::Setup>,
    /// How the worker before this one ended, if there was one.
    pub replaces: Option<String>,
}

/// What a worker writes to its control stream when it answers packets.
pub const UP: u8 = b'u';

/// Why a worker ended.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The memory that holds the fleet is damaged, or of another version.
    #[error("the fleet cannot be decoded: {0}")]
    Fleet(String),
    /// The kernel refused something at the start.
    #[error("{0}: {1}")]
    Start(&'static str, io::Error),
    /// The interface was removed.
    #[error("an interface is gone")]
    InterfaceGone,
    /// Waiting for packets failed.
    #[error("waiting for packets: {0}")]
    Wait(io::Error),
}

/// What a worker drives: the engine, or a test's own.
trait Stack {
    fn audience(&self, link: u16, frame: &[u8]) -> Audience;
    fn handle_frame(&mut self, now: u64, link: u16, frame: &[u8]) -> Verdict;
    fn handle_wake(&mut self, now: u64);
    fn handle_clock(&mut self, now: u64, utc: UtcNanos);
    fn poll(&mut self) -> Option<Output<'_>>;
}

impl Stack for Engine {
    fn audience(&self, link: u16, frame: &[u8]) -> Audience {
        self.audience(link, frame)
    }

    fn handle_frame(&mut self, now: u64, link: u16, frame: &[u8]) -> Verdict {
        self.handle_frame(now, link, frame)
    }

    fn handle_wake(&mut self, now: u64) {
        self.handle_wake(now);
    }

    fn handle_clock(&mut self, now: u64, utc: UtcNanos) {
        self.handle_clock(now, utc);
    }

    fn poll(&mut self) -> Option<Output<'_>> {
        self.poll()
    }
}

/// Runs a worker until its control stream ends. `seal` is called once all is set up, before the first packet is read:
/// from then on the worker opens, maps as code, and starts nothing.
///
/// # Errors
/// When it cannot start, or its interface is removed.
pub fn run(setup: Setup, seal: impl FnOnce() -> io::Result<()>) -> Result<(), WorkerError> {
    let fleet = setup.fleet;
    let (spec, fingerprint) = read_fleet(&fleet)?;
    let mut clock = Clock::start();
    let now = clock.now();
    let has_decoys = !spec.decoys.is_empty();
    let engine = Engine::new(spec, entropy()?, now, clock.utc(now));
    inherit::trim_heap();
    // Numbers begin where no worker before has been, so that an acknowledgement of its numbers, late in the socket,
    // is none of ours.
    let outbox = Outbox::new(open_spool(setup.spool, fingerprint), clock.utc(now).0);
    let uplink = Uplink::start(setup.hub, setup.roster, outbox)
        .map_err(|error| WorkerError::Start("read from the hub", error))?;
    let relay = setup.relay.map(Relay::start).transpose();
    let relay = relay.map_err(|error| WorkerError::Start("read from other workers", error))?;
    let mut worker = Worker::new(engine, clock, uplink, setup.links, relay)?;
    // A timer that fires late shows in round trips; the default slack is 50 µs.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    seal().map_err(|error| WorkerError::Start("seal the worker", error))?;
    if let Some(reason) = setup.replaces.filter(|_| has_decoys) {
        let now = worker.clock.now();
        let told = report::process_ended(worker.clock.utc(now), DecoyId(0), "worker", &reason);
        worker.uplink.push(now, &told);
    }
    rustix::io::write(&setup.control, &[UP]).map_err(|e| WorkerError::Start("report to the supervisor", e.into()))?;
    worker.serve(&setup.control)?;
    worker.farewell();
    Ok(())
}

struct Worker<S> {
    stack: S,
    clock: Clock,
    uplink: Uplink,
    links: Vec<Link>,
    relay: Option<Relay>,
    /// When the stack wants to be woken.
    wake: Option<u64>,
    reported: Losses,
}

struct Link {
    ring: RxRing,
    out: Transmitter,
}

/// What was lost so far, as last reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    received: u64,
    oversize: u64,
    unsent: u64,
    passed: u64,
    observations: u64,
}

impl<S: Stack> Worker<S> {
    fn new(
        stack: S,
        clock: Clock,
        uplink: Uplink,
        links: Vec<OwnedFd>,
        relay: Option<Relay>,
    ) -> Result<Self, WorkerError> {
        let attach = |socket| {
            let ring = RxRing::attach(socket).map_err(|error| WorkerError::Start("set up the packet ring", error))?;
            Ok(Link { ring, out: Transmitter::new() })
        };
        let links = links.into_iter().map(attach).collect::<Result<_, WorkerError>>()?;
        Ok(Self { stack, clock, uplink, links, relay, wake: Some(0), reported: Losses::default() })
    }

    /// Works until the supervisor closes `control`.
    fn serve(&mut self, control: &OwnedFd) -> Result<(), WorkerError> {
        let mut batches = 0;
        loop {
            let handled = self.receive();
            let now = self.clock.now();
            self.wake_if_due(now);
            self.flush();
            self.uplink.service(now, handled == 0);
            if self.clock.tick(now) {
                self.stack.handle_clock(now, self.clock.utc(now));
                self.drain(now);
                self.report_losses();
                self.look_at_links()?;
            }
            let idle = handled == 0;
            batches += 1;
            if !idle && batches < BATCHES_IN_A_ROW {
                continue;
            }
            batches = 0;
            let until = if idle { self.next_deadline(now) } else { now };
            if self.wait(control, until.saturating_sub(now))? {
                return Ok(());
            }
        }
    }

    /// Gives the stack a batch of each link's frames; says how many.
    fn receive(&mut self) -> usize {
        let mut handled = 0;
        let batch_now = self.clock.reading();
        for index in 0..self.links.len() {
            for _ in 0..FRAMES_AT_ONCE {
                let Some(frame) = self.links.get_mut(index).and_then(|link| link.ring.take()) else { break };
                handled += 1;
                if let Some(relay) = &mut self.relay {
                    let frame = Passed { link: index as u16, stamp: frame.stamp, octets: frame.octets() };
                    if !relay.pass(self.stack.audience(frame.link, frame.octets), &frame) {
                        continue;
                    }
                }
                let now = self.clock.receive_time(frame.stamp, batch_now);
                self.stack.handle_frame(now, index as u16, frame.octets());
            }
        }
        handled += self.receive_passed(batch_now);
        // Once for the whole batch: asking after each frame would cost as much as many a frame does.
        if handled > 0 {
            self.drain(batch_now);
        }
        handled
    }

    /// Gives the stack a batch of what other workers have received for it; says how many.
    fn receive_passed(&mut self, batch_now: u64) -> usize {
        let Some(relay) = &mut self.relay else { return 0 };
        let mut handled = 0;
        while handled < FRAMES_AT_ONCE
            && let Some(frame) = relay.take()
        {
            let now = self.clock.receive_time(frame.stamp, batch_now);
            self.stack.handle_frame(now, frame.link, frame.octets);
            handled += 1;
        }
        handled
    }

    fn wake_if_due(&mut self, now: u64) {
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            self.stack.handle_wake(now);
            self.drain(now);
        }
    }

    /// Takes all work that the stack gives out.
    fn drain(&mut self, now: u64) {
        while let Some(output) = self.stack.poll() {
            match output {
                Output::Transmit { link, frame } => {
                    if let Some(relay) = &mut self.relay
                        && relay.hand_over(&Passed { link, stamp: self.clock.utc(now).0, octets: frame })
                    {
                        continue;
                    }
                    let Some(link) = self.links.get_mut(usize::from(link)) else { continue };
                    if link.out.push(frame) {
                        link.out.flush(&link.ring);
                    }
                }
                Output::Observe(observation) => self.uplink.push(now, &observation),
                Output::Wake(at) => self.wake = Some(at),
            }
        }
    }

    fn flush(&mut self) {
        for link in &mut self.links {
            link.out.flush(&link.ring);
        }
    }

    fn next_deadline(&self, now: u64) -> u64 {
        let tick = now + MEASURE_EVERY;
        self.wake.map_or(tick, |at| at.min(tick))
    }

    /// Sleeps for `timeout` nanoseconds at most; says whether the supervisor wants the end.
    fn wait(&mut self, control: &OwnedFd, timeout: u64) -> Result<bool, WorkerError> {
        let hub = if self.uplink.is_blocked() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = Vec::with_capacity(self.links.len() + 3);
        fds.push(PollFd::new(control, PollFlags::IN));
        fds.push(PollFd::new(&self.uplink, hub));
        fds.extend(self.links.iter().map(|link| PollFd::new(&link.ring, PollFlags::IN)));
        fds.extend(self.relay.as_ref().map(|relay| PollFd::new(relay, PollFlags::IN)));
        match poll(&mut fds, Some(&timespec(timeout))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(WorkerError::Wait(error.into())),
        }
        let mut ready = fds.iter().map(PollFd::revents);
        let ended = ready.next().is_some_and(|flags| !flags.is_empty());
        let told = ready.next().is_some_and(|flags| flags.contains(PollFlags::IN));
        let trouble = ready.any(|flags| flags.contains(PollFlags::ERR));
        drop(fds);
        if told {
            self.uplink.receive();
        }
        if trouble {
            self.look_at_links()?;
        }
        Ok(ended)
    }

    /// An interface that went down may come up again; one that was removed does not. The kernel tells of the first as
    /// an error of the socket, but of a removal that follows only to whoever asks.
    fn look_at_links(&self) -> Result<(), WorkerError> {
        for link in &self.links {
            if link.ring.is_orphan() {
                return Err(WorkerError::InterfaceGone);
            }
            if let Err(error) = link.ring.take_error() {
                tracing::warn!("interface: {error}; its decoys are silent until it is up again");
            }
        }
        Ok(())
    }

    fn report_losses(&mut self) {
        let mut losses = Losses { observations: self.uplink.lost(), ..Losses::default() };
        losses.received = self.reported.received;
        losses.passed = self.relay.as_ref().map_or(0, |relay| relay.lost);
        for link in &self.links {
            losses.received += link.ring.lost();
            losses.oversize += link.ring.oversize;
            losses.unsent += link.out.dropped;
        }
        if losses != self.reported {
            tracing::warn!(
                "lost so far: {} frames that came faster than they were handled, {} too long for the ring, {} that \
                 the card had no room for, {} that another worker had no room for, {} observations that the hub did not \
                 take",
                losses.received,
                losses.oversize,
                losses.unsent,
                losses.passed,
                losses.observations
            );
            self.reported = losses;
        }
    }

    /// Tells the hub what the stack still held back, and leaves the rest in the spool.
    fn farewell(&mut self) {
        let now = self.clock.now();
        self.stack.handle_wake(now + FOLDING);
        while let Some(output) = self.stack.poll() {
            // Frames of a minute that will not come are not sent.
            if let Output::Observe(observation) = output {
                self.uplink.push(now, &observation);
            }
        }
        let end = now + FAREWELL;
        loop {
            let now = self.clock.now();
            self.uplink.service(now, true);
            if now >= end || self.uplink.is_settled() {
                break;
            }
            let flags = if self.uplink.is_blocked() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            let _ = poll(&mut [PollFd::new(&self.uplink, flags)], Some(&timespec(end - now)));
            self.uplink.receive();
        }
        self.uplink.save();
    }
}

fn timespec(nanos: u64) -> Timespec {
    // Both are small: callers wait a second at most.
    Timespec { tv_sec: (nanos / SECOND) as i64, tv_nsec: (nanos % SECOND) as i64 }
}

/// The fleet, and a number that names it. Read without moving the place in the file, which all processes of a sensor share
/// and may be reading from at this moment.
pub(crate) fn read_fleet(file: &File) -> Result<(FleetSpec, u64), WorkerError> {
    let start = |error| WorkerError::Start("read the fleet", error);
    let length = usize::try_from(file.metadata().map_err(start)?.len()).unwrap_or(usize::MAX);
    let mut octets = vec![0; length];
    file.read_exact_at(&mut octets, 0).map_err(start)?;
    let spec = postcard::from_bytes(&octets).map_err(|error| WorkerError::Fleet(error.to_string()))?;
    Ok((spec, fingerprint(&octets)))
}

/// FNV-1a, 64 bits: tells a changed fleet from the one before; nobody attacks it.
fn fingerprint(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3))
}

fn entropy() -> Result<[u8; 32], WorkerError> {
    let mut octets = [0; 32];
    rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| WorkerError::Start("draw entropy", error.into()))?;
    Ok(octets)
}

/// A spool that cannot be used is reported, and done without.
pub(crate) fn open_spool(file: File, fleet: u64) -> Option<Spool> {
    match Spool::open(file, fleet) {
        Ok((spool, found)) => {
            match found {
                Found::Usable => {}
                Found::Damaged { octets } => {
                    tracing::warn!(
                        "the spool had {octets} damaged octets at its end; the observations in them are lost"
                    );
                }
                Found::OtherFleet { octets } => tracing::warn!(
                    "the spool held {octets} octets of observations of another fleet, whose decoys no longer exist; \
                     they are lost"
                ),
            }
            Some(spool)
        }
        Err(error) => {
            tracing::error!("the spool cannot be used: {error}; observations wait in memory only");
            None
        }
    }
}

#[cfg(test)]
mod tests;
