//! The loop of the node host: frames between interfaces and machines, observations out, machines started and ended.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use chaff_engine::spec::FleetSpec;
use chaff_events::DecoyId;
use chaff_unikernel::console::FromHost;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};

use super::{
    Accel, Hypervisor, Machine, Setup,
    care::{Kvm, Node},
    counter::Counter,
    door::Door,
    segment::segments,
    switch::{Delivery, LONGEST, Port, Switch},
};
use crate::{
    clock::{Clock, MEASURE_EVERY, SECOND},
    inherit,
    outbox::Outbox,
    relay::{Passed, Relay},
    ring::RxRing,
    transmit::Transmitter,
    uplink::Uplink,
    worker::{self, UP, WorkerError},
};

/// Frames of one interface, or of one machine, that are handled before others have their turn.
const FRAMES_AT_ONCE: usize = 64;

/// How long machines may take to end in order.
const FAREWELL: u64 = SECOND / 2;

/// Events that are taken in one go.
const EVENTS: usize = 256;

/// What an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Control,
    Hub,
    Door,
    /// What decoys of workers say to machines.
    Relay,
    Client,
    /// By link.
    Link(usize),
    /// These by machine.
    Ended(usize),
    Frames(usize),
    Console(usize),
    Said(usize),
}

/// Runs machines until the control stream ends. `seal` is called once all is set up.
///
/// # Errors
/// When it cannot start, or an interface is removed.
pub fn run(setup: Setup, seal: impl FnOnce() -> io::Result<()>) -> Result<(), WorkerError> {
    let start = |what| move |error: io::Error| WorkerError::Start(what, error);
    let file = setup.worker.fleet;
    let (fleet, fingerprint) = worker::read_fleet(&file)?;
    inherit::trim_heap();
    let clock = Clock::start();
    let outbox = Outbox::new(worker::open_spool(setup.worker.spool, fingerprint), clock.utc(clock.reading()).0);
    let uplink = Uplink::start(setup.worker.hub, setup.worker.roster, outbox).map_err(start("read from the hub"))?;
    let attach = |socket| Ok(Link { ring: RxRing::attach(socket)?, out: Transmitter::new() });
    let links =
        setup.worker.links.into_iter().map(attach).collect::<io::Result<_>>().map_err(start("set up the ring"))?;
    let relay = setup.worker.relay.map(Relay::start).transpose().map_err(start("read from workers"))?;
    let door = Door::new(setup.door).map_err(start("listen for `chaff node`"))?;
    let events = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| start("watch")(e.into()))?;
    let mut host = Host::new(fleet, clock, uplink, links, relay, door, events, setup.image, setup.machine);
    host.watch(&setup.worker.control).map_err(start("watch its descriptors"))?;
    seal().map_err(start("seal the node host"))?;
    if let Some(reason) = setup.worker.replaces {
        host.tell_ended(DecoyId(0), "node host", &reason);
    }
    rustix::io::write(&setup.worker.control, &[UP]).map_err(|e| start("report to the supervisor")(e.into()))?;
    host.serve()?;
    host.farewell();
    Ok(())
}

/// See the module.
pub(super) struct Host {
    pub(super) fleet: FleetSpec,
    pub(super) clock: Clock,
    pub(super) uplink: Uplink,
    links: Vec<Link>,
    relay: Option<Relay>,
    pub(super) door: Door,
    pub(super) events: OwnedFd,
    pub(super) image: OwnedFd,
    pub(super) machine: Machine,
    pub(super) switch: Switch,
    pub(super) nodes: Vec<Node>,
    pub(super) kvm: Kvm,
    pub(super) counter: Option<Counter>,
    pub(super) begun: u64,
    pub(super) all_up: bool,
    pub(super) ending: bool,
    /// When [`Self::care`] has something to do next.
    pub(super) next_due: u64,
    /// Losses that were told.
    reported: u64,
}

struct Link {
    ring: RxRing,
    out: Transmitter,
}

impl Host {
    #[allow(clippy::too_many_arguments, reason = "all of it is made once, in one place")]
    fn new(
        fleet: FleetSpec,
        clock: Clock,
        uplink: Uplink,
        links: Vec<Link>,
        relay: Option<Relay>,
        door: Door,
        events: OwnedFd,
        image: OwnedFd,
        machine: Machine,
    ) -> Self {
        let port = |decoy: &chaff_engine::spec::DecoySpec| {
            let network = fleet.networks.get(usize::from(decoy.network));
            let (link, vlan) = network.map_or((0, None), |network| (network.link, network.vlan));
            Port { link, vlan, mac: decoy.mac, ip: decoy.ip }
        };
        let switch = Switch::new(fleet.decoys.iter().map(port).collect());
        let begun = clock.reading();
        let nodes = fleet.decoys.iter().map(|_| Node::new(begun)).collect();
        let kvm = match &machine.hypervisor {
            Hypervisor::Xen(_) => Kvm::Xen,
            Hypervisor::Qemu(qemu) => match qemu.accel {
                Accel::Auto => Kvm::Tried,
                Accel::Kvm => Kvm::Yes,
                Accel::Tcg => Kvm::No,
            },
        };
        Self {
            fleet,
            clock,
            uplink,
            links,
            relay,
            door,
            events,
            image,
            machine,
            switch,
            nodes,
            kvm,
            counter: Counter::read(),
            begun,
            all_up: false,
            ending: false,
            next_due: begun,
            reported: 0,
        }
    }

    fn watch(&mut self, control: &OwnedFd) -> io::Result<()> {
        add(&self.events, control, Token::Control)?;
        add(&self.events, &self.uplink, Token::Hub)?;
        add(&self.events, &self.door, Token::Door)?;
        if let Some(relay) = &self.relay {
            add(&self.events, relay, Token::Relay)?;
        }
        for (index, link) in self.links.iter().enumerate() {
            add(&self.events, &link.ring, Token::Link(index))?;
        }
        if self.kvm == Kvm::Tried
            && let Err(error) = File::options().read(true).write(true).open("/dev/kvm")
        {
            tracing::info!("/dev/kvm: {error}. Machines run in emulation, which takes more of the processor");
            self.kvm = Kvm::No;
        }
        Ok(())
    }

    /// Works until the supervisor closes its stream.
    fn serve(&mut self) -> Result<(), WorkerError> {
        loop {
            let now = self.clock.now();
            let until = self.next_due.min(now + MEASURE_EVERY);
            if self.turn(until.saturating_sub(now))? {
                return Ok(());
            }
        }
    }

    /// Waits for `patience` at most and does what there is to do; whether the supervisor wants the end.
    fn turn(&mut self, patience: u64) -> Result<bool, WorkerError> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        let timeout = Timespec { tv_sec: (patience / SECOND) as i64, tv_nsec: (patience % SECOND) as i64 };
        match epoll::wait(&self.events, spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(WorkerError::Wait(error.into())),
        }
        let mut control = false;
        for event in &events {
            match Token::of(event.data.u64()) {
                Some(Token::Control) => control = true,
                Some(Token::Hub) => self.uplink.receive(),
                Some(Token::Door) => self.admit_client(),
                Some(Token::Client) | None => {}
                Some(Token::Relay) => self.receive_passed(),
                Some(Token::Link(link)) => self.receive(link),
                Some(Token::Frames(node)) => self.receive_from(node),
                Some(Token::Console(node)) => self.hear(node),
                Some(Token::Said(node)) => self.listen(node),
                Some(Token::Ended(node)) => self.bury(node),
            }
        }
        self.answer_clients();
        let now = self.clock.now();
        if self.next_due <= now {
            self.care(now);
        }
        for link in &mut self.links {
            link.out.flush(&link.ring);
        }
        self.uplink.service(now, events.is_empty());
        if self.clock.tick(now) {
            self.look_around(now)?;
        }
        Ok(control)
    }

    /// Frames that came in on an interface.
    fn receive(&mut self, link: usize) {
        let number = u16::try_from(link).unwrap_or(u16::MAX);
        let Some(Link { ring, .. }) = self.links.get_mut(link) else { return };
        for _ in 0..FRAMES_AT_ONCE {
            let Some(frame) = ring.take() else { return };
            deliver(&self.switch, &mut self.nodes, number, frame.octets(), None);
        }
    }

    /// What decoys of workers say to machines.
    fn receive_passed(&mut self) {
        let Some(relay) = &mut self.relay else { return };
        for _ in 0..FRAMES_AT_ONCE {
            let Some(frame) = relay.take() else { return };
            deliver(&self.switch, &mut self.nodes, frame.link, frame.octets, None);
        }
    }

    /// Frames that a machine has sent.
    fn receive_from(&mut self, node: usize) {
        let mut buffer = [0; LONGEST + 1];
        for _ in 0..FRAMES_AT_ONCE {
            let Some(guest) = self.nodes.get(node).and_then(|node| node.guest.as_ref()) else { return };
            let Some(length) = guest.take_frame(&mut buffer) else { return };
            let frame = buffer.get(..length.min(LONGEST + 1)).unwrap_or_default();
            match self.switch.admit(node, frame) {
                Ok(()) => {
                    self.switch.handle_sent(node, frame);
                    self.forward(node, frame);
                }
                Err(forgery) => self.note_forgery(node, forgery.name(), frame),
            }
        }
    }

    /// To other decoys of the network, and to the network unless one of them is all that it is for.
    fn forward(&mut self, node: usize, frame: &[u8]) {
        let Some(port) = self.switch.ports().get(node) else { return };
        let link = port.link;
        if deliver(&self.switch, &mut self.nodes, link, frame, Some(node)) && frame.first().is_some_and(|o| o & 1 == 0)
        {
            return;
        }
        let stamp = self.clock.utc(self.clock.reading()).0;
        if let Some(relay) = &mut self.relay
            && relay.hand_over(&Passed { link, stamp, octets: frame })
        {
            return;
        }
        if let Some(Link { ring, out }) = self.links.get_mut(usize::from(link))
            && out.push(frame)
        {
            out.flush(ring);
        }
    }

    /// Once a second: what was lost, what was forged, whether the interfaces are there.
    fn look_around(&mut self, now: u64) -> Result<(), WorkerError> {
        for link in &self.links {
            if link.ring.is_orphan() {
                return Err(WorkerError::InterfaceGone);
            }
            if let Err(error) = link.ring.take_error() {
                tracing::warn!("interface: {error}; its decoys are silent until it is up again");
            }
        }
        for node in 0..self.nodes.len() {
            self.tell_forgeries(now, node);
            self.refill(node);
        }
        let mut lost = self.uplink.lost() + self.relay.as_ref().map_or(0, |relay| relay.lost);
        for link in &self.links {
            lost += link.ring.lost() + link.out.dropped + link.ring.oversize;
        }
        lost += self.nodes.iter().map(|node| node.lost).sum::<u64>();
        if lost > self.reported {
            tracing::warn!("{lost} frames and observations lost so far for lack of room; `chaff node list` says whose");
            self.reported = lost;
        }
        Ok(())
    }

    /// Lets machines say their last words, and leaves to the spool what the hub does not take.
    fn farewell(&mut self) {
        self.ending = true;
        for node in &mut self.nodes {
            if let Some(guest) = &mut node.guest {
                guest.say(FromHost::End);
            }
        }
        let end = self.clock.now() + FAREWELL;
        while self.nodes.iter().any(|node| node.guest.is_some()) && self.clock.now() < end {
            self.next_due = u64::MAX;
            if self.turn(FAREWELL / 10).is_err() {
                break;
            }
        }
        for node in &mut self.nodes {
            if let Some(mut guest) = node.guest.take() {
                guest.end("the sensor ends".to_owned());
                guest.started.running.wait();
            }
        }
        let end = self.clock.now() + FAREWELL;
        while self.clock.now() < end && !self.uplink.is_settled() {
            let now = self.clock.now();
            self.uplink.service(now, true);
            let timeout = Timespec { tv_sec: 0, tv_nsec: (FAREWELL / 50) as i64 };
            let mut fds = [rustix::event::PollFd::new(&self.uplink, rustix::event::PollFlags::IN)];
            let _ = rustix::event::poll(&mut fds, Some(&timeout));
            self.uplink.receive();
        }
        self.uplink.save();
    }
}

/// Gives a frame to the machines that it is for, except the one that sent it; whether there were any. What the kernel has
/// merged is longer than a machine's card takes, and is cut again.
fn deliver(switch: &Switch, nodes: &mut [Node], link: u16, frame: &[u8], sender: Option<usize>) -> bool {
    let to: &[usize] = match &switch.deliver(link, frame) {
        Delivery::Nobody => return false,
        Delivery::One(node) => &[*node],
        Delivery::All(nodes) => nodes,
    };
    let pieces = if frame.len() > LONGEST { segments(frame) } else { Vec::new() };
    for &index in to {
        let Some(node) = nodes.get_mut(index).filter(|_| Some(index) != sender) else { continue };
        let Some(guest) = &node.guest else { continue };
        if pieces.is_empty() {
            // One that is too long and cannot be cut is refused there.
            node.lost += u64::from(!guest.deliver(frame));
        } else {
            node.lost += pieces.iter().map(|piece| u64::from(!guest.deliver(piece))).sum::<u64>();
        }
    }
    true
}

/// Watches a descriptor for what can be read.
pub(super) fn add(events: &OwnedFd, fd: impl AsFd, token: Token) -> io::Result<()> {
    Ok(epoll::add(events, fd, epoll::EventData::new_u64(token.number()), epoll::EventFlags::IN)?)
}

impl Token {
    fn number(self) -> u64 {
        let (kind, index) = match self {
            Self::Control => (0, 0),
            Self::Hub => (1, 0),
            Self::Door => (2, 0),
            Self::Client => (3, 0),
            Self::Link(index) => (4, index),
            Self::Ended(index) => (5, index),
            Self::Frames(index) => (6, index),
            Self::Console(index) => (7, index),
            Self::Said(index) => (8, index),
            Self::Relay => (9, 0),
        };
        (index as u64) << 4 | kind
    }

    fn of(number: u64) -> Option<Self> {
        let index = usize::try_from(number >> 4).ok()?;
        Some(match number & 15 {
            0 => Self::Control,
            1 => Self::Hub,
            2 => Self::Door,
            3 => Self::Client,
            4 => Self::Link(index),
            5 => Self::Ended(index),
            6 => Self::Frames(index),
            7 => Self::Console(index),
            8 => Self::Said(index),
            9 => Self::Relay,
            _ => return None,
        })
    }
}
