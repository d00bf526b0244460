//! What the host does for its machines: starts them, hears them, buries them, and says how they are.

use chaff_events::{DecoyId, Kind, Observation, Source};
use chaff_unikernel::{
    console::{FromHost, ToHost},
    module::{BootModule, VERSION},
};

use super::{
    counter::Counter,
    door::{Answer, Question, Status},
    guest::{Guest, Lines},
    host::{Host, Token, add},
    life::{Due, Life, State},
};
use crate::{clock::SECOND, report};

/// Observations that one machine may tell at once, and each second: more than an engine of one decoy makes, and few
/// enough that one machine in wrong hands fills nobody's store. What it tells beyond waits in its console.
const TELLS: u32 = 4_096;
const TELLS_PER_SECOND: u32 = 256;

/// How often a machine's forgeries are told of, with their count.
const TELL_FORGERIES_EVERY: u64 = 10 * SECOND;

/// How long a first machine may take to come up on the processor before emulation is tried.
const PROBE_LIMIT: u64 = 5 * SECOND;

/// A decoy that has a machine.
pub(super) struct Node {
    life: Life,
    pub(super) guest: Option<Guest>,
    lines: Lines,
    /// Observations that it may still tell.
    tells: u32,
    /// Whether its console is left unread until it may tell more.
    muted: bool,
    forged: u64,
    /// Forgeries that were not told yet.
    untold: u32,
    /// The last of them.
    last: (&'static str, Vec<u8>),
    /// When any were told.
    told: Option<u64>,
    /// Frames for it that were lost.
    pub(super) lost: u64,
}

/// Whether machines run on the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kvm {
    /// A first machine is to show it.
    Tried,
    Yes,
    No,
    /// They are domains of Xen's.
    Xen,
}

impl Node {
    pub(super) fn new(now: u64) -> Self {
        Self {
            life: Life::new(now),
            guest: None,
            lines: Lines::default(),
            tells: TELLS,
            muted: false,
            forged: 0,
            untold: 0,
            last: ("", Vec::new()),
            told: None,
            lost: 0,
        }
    }
}

impl Host {
    /// Does what is due, and finds out when there is something next.
    pub(super) fn care(&mut self, now: u64) {
        if self.ending {
            return;
        }
        let most = if self.kvm == Kvm::Tried { 1 } else { usize::from(self.machine.starts_at_once.max(1)) };
        let mut starting = self.nodes.iter().filter(|node| node.life.is_starting()).count();
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(index) else { continue };
            if let State::Starting { since } = node.life.state
                && self.kvm == Kvm::Tried
                && since + PROBE_LIMIT <= now
                && let Some(guest) = &mut node.guest
            {
                guest.end("it did not come up".to_owned());
                continue;
            }
            match node.life.due(now) {
                Some(Due::Start) if starting < most => {
                    starting += 1;
                    self.start(index, now);
                }
                Some(Due::Ask) => {
                    node.life.handle_asked(now);
                    let utc = self.clock.utc(now);
                    if let Some(guest) = &mut node.guest {
                        guest.say(FromHost::Hello { version: VERSION, utc });
                    }
                }
                Some(Due::End(why)) => match &mut node.guest {
                    Some(guest) => guest.end(why.to_owned()),
                    None => drop(node.life.handle_end(now)),
                },
                Some(Due::Start) | None => {}
            }
        }
        // Whoever waits for his turn to start gets it when another is up; that is an event of its own.
        let later = self.nodes.iter().map(|node| node.life.deadline()).filter(|&at| at > now).min();
        let probing = self.kvm == Kvm::Tried && starting > 0;
        let later = if probing { later.map(|at| at.min(now + SECOND)) } else { later };
        self.next_due = later.unwrap_or(now + SECOND);
    }

    fn start(&mut self, index: usize, now: u64) {
        let kvm = self.kvm != Kvm::No;
        let started = self.module(index, now).and_then(|module| {
            let mac = self.switch.ports().get(index).map_or_else(Default::default, |port| port.mac);
            let started =
                self.machine.start(index, kvm, &self.image, &module, mac).map_err(|error| error.to_string())?;
            let watched = add(&self.events, &started.running, Token::Ended(index))
                .and_then(|()| add(&self.events, &started.frames, Token::Frames(index)))
                .and_then(|()| add(&self.events, &started.console, Token::Console(index)))
                .and_then(|()| add(&self.events, &started.said, Token::Said(index)));
            watched.map_err(|error| error.to_string()).map(|()| started)
        });
        let utc = self.clock.utc(now);
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.life.handle_start(now);
        match started {
            Ok(started) => {
                let mut guest = Guest::new(started);
                guest.say(FromHost::Hello { version: VERSION, utc });
                node.guest = Some(guest);
            }
            Err(error) => {
                let pause = node.life.handle_end(now);
                tracing::error!("{}: {error}; tried again in {} ms", self.name(index), pause / 1_000_000);
            }
        }
    }

    fn module(&self, index: usize, now: u64) -> Result<Vec<u8>, String> {
        let fleet = self.fleet.alone(index).ok_or("no such decoy")?;
        let mut entropy = [0; 32];
        rustix::rand::getrandom(&mut entropy, rustix::rand::GetRandomFlags::empty()).map_err(|e| e.to_string())?;
        // A processor's own virtualisation tells by itself.
        let counter_khz = self.counter.filter(|_| self.kvm == Kvm::No).and_then(Counter::khz);
        let module = BootModule { entropy, now, utc: self.clock.utc(now), counter_khz, fleet };
        module.encode().map_err(|error| error.to_string())
    }

    /// Reads a machine's console.
    pub(super) fn hear(&mut self, index: usize) {
        let now = self.clock.now();
        let Some(guest) = self.nodes.get_mut(index).and_then(|node| node.guest.as_mut()) else { return };
        guest.read();
        while let Some(message) = self.nodes.get_mut(index).and_then(|node| node.guest.as_mut()?.poll()) {
            self.handle_message(index, now, message);
        }
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(guest) = &mut node.guest else { return };
        guest.flush();
        if guest.has_babbled() && guest.ending.is_none() {
            guest.end("its console spoke what is no message".to_owned());
            self.note_forgery(index, "what is no message of a console", &[]);
        }
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.tells == 0 && !node.muted {
            node.muted = true;
            if let Some(guest) = &node.guest {
                let _ = rustix::event::epoll::delete(&self.events, &guest.started.console);
            }
        }
    }

    fn handle_message(&mut self, index: usize, now: u64, message: ToHost) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.life.handle_word(now);
        }
        match message {
            ToHost::Up { version: VERSION, run, .. } => self.is_up(index, now, run),
            ToHost::Up { version, .. } => {
                let why = format!("its image is of version {version}, not {VERSION}: make it again, cargo xtask image");
                if let Some(guest) = self.nodes.get_mut(index).and_then(|node| node.guest.as_mut()) {
                    guest.end(why);
                }
            }
            ToHost::Observations { first, observations } => self.take(index, now, first, observations),
            ToHost::Log { text } => self.note_line(index, &text),
            ToHost::Panic { text } => {
                self.note_line(index, &format!("panic: {text}"));
                if let Some(guest) = self.nodes.get_mut(index).and_then(|node| node.guest.as_mut()) {
                    guest.end(format!("panic: {text}").escape_debug().take(200).collect());
                }
            }
        }
    }

    fn is_up(&mut self, index: usize, now: u64, run: u64) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(guest) = &mut node.guest else { return };
        guest.run = run;
        if !node.life.handle_up(now) {
            return;
        }
        if self.kvm == Kvm::Tried {
            self.kvm = Kvm::Yes;
            tracing::info!("machines run on the processor (KVM)");
        }
        self.next_due = now;
        if !self.all_up && self.nodes.iter().all(|node| node.life.is_up()) {
            self.all_up = true;
            let seconds = now.saturating_sub(self.begun) as f64 / SECOND as f64;
            let how = match self.kvm {
                Kvm::Yes => "KVM",
                Kvm::Xen => "Xen",
                Kvm::Tried | Kvm::No => "emulation",
            };
            let machines = if self.nodes.len() == 1 { "machine answers" } else { "machines answer" };
            tracing::info!("{} {machines} after {seconds:.2} s ({how})", self.nodes.len());
        }
    }

    /// Observations of one machine: whose they are is not for it to say.
    fn take(&mut self, index: usize, now: u64, first: u64, observations: Vec<Observation>) {
        let count = observations.len();
        for mut observation in observations {
            if matches!(observation.kind, Kind::ProcessEnded | Kind::NodeMisbehaved) {
                self.note_forgery(index, "an observation that only the sensor makes", &[]);
                continue;
            }
            observation.decoy = DecoyId(u32::try_from(index).unwrap_or(u32::MAX));
            self.uplink.push(now, &observation);
        }
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.tells = node.tells.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        if let Some(guest) = &mut node.guest
            && let Some(last) = (count as u64).checked_sub(1)
        {
            let run = guest.run;
            guest.say(FromHost::Acknowledge { run, up_to: first.saturating_add(last) });
        }
    }

    /// A machine that was muted may tell more.
    pub(super) fn refill(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.tells = node.tells.saturating_add(TELLS_PER_SECOND).min(TELLS);
        if std::mem::take(&mut node.muted)
            && let Some(guest) = &node.guest
        {
            let _ = add(&self.events, &guest.started.console, Token::Console(index));
        }
    }

    /// Reads what a machine's process says on stdout and stderr.
    pub(super) fn listen(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(guest) = &node.guest else { return };
        let mut octets = [0; 4_096];
        match rustix::io::read(&guest.started.said, &mut octets) {
            Ok(0) => drop(rustix::event::epoll::delete(&self.events, &guest.started.said)),
            Ok(length) => node.lines.push_octets(octets.get(..length).unwrap_or_default()),
            Err(_) => {}
        }
    }

    fn note_line(&mut self, index: usize, text: &str) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.lines.push(text);
        }
    }

    /// A machine's process has ended.
    pub(super) fn bury(&mut self, index: usize) {
        // Its last words first.
        self.listen(index);
        self.hear(index);
        let now = self.clock.now();
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(reason) = node.guest.as_mut().and_then(Guest::ended) else { return };
        node.guest = None;
        node.muted = false;
        self.next_due = now;
        if self.ending {
            return;
        }
        if self.kvm == Kvm::Tried {
            self.kvm = Kvm::No;
            node.life.handle_wish(now);
            let said = node.lines.last().to_owned();
            tracing::info!("no machine boots on the processor here ({reason}; {said}): they run in emulation");
            return;
        }
        if reason == WISHED {
            node.life.handle_wish(now);
            return;
        }
        let was_up = node.life.is_up();
        let pause = node.life.handle_end(now);
        let said = node.lines.last().to_owned();
        let name = self.name(index);
        tracing::error!("{name} ended ({reason}; {said}); it is started again in {} ms", pause / 1_000_000);
        // One that never comes up is told once, and not each time.
        if was_up || self.nodes.get(index).is_some_and(|node| node.life.restarts == 0) {
            self.tell_ended(DecoyId(u32::try_from(index).unwrap_or(u32::MAX)), &name, &reason);
        }
    }

    fn name(&self, index: usize) -> String {
        format!("node {}", self.fleet.decoys.get(index).map_or("?", |decoy| decoy.name.as_str()))
    }

    pub(super) fn tell_ended(&mut self, decoy: DecoyId, process: &str, reason: &str) {
        let now = self.clock.now();
        self.uplink.push(now, &report::process_ended(self.clock.utc(now), decoy, process, reason));
    }

    /// A machine did what its program never does.
    pub(super) fn note_forgery(&mut self, index: usize, what: &'static str, octets: &[u8]) {
        let now = self.clock.now();
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.forged = node.forged.saturating_add(1);
        node.untold = node.untold.saturating_add(1);
        node.last = (what, octets.to_vec());
        self.tell_forgeries(now, index);
    }

    /// Tells of forgeries: the first at once, then now and then with their number.
    pub(super) fn tell_forgeries(&mut self, now: u64, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let quiet = node.told.is_none_or(|told| told + TELL_FORGERIES_EVERY <= now);
        if node.untold == 0 || !quiet {
            return;
        }
        node.told = Some(now);
        let count = std::mem::take(&mut node.untold);
        let (what, octets) = std::mem::take(&mut node.last);
        let Some(port) = self.switch.ports().get(index) else { return };
        let source = Source { ip: port.ip, mac: port.mac, port: 0 };
        let decoy = DecoyId(u32::try_from(index).unwrap_or(u32::MAX));
        tracing::error!("{} sent {what}, {count} times since this was told last", self.name(index));
        self.uplink.push(now, &report::misbehaved(self.clock.utc(now), decoy, source, count, what, &octets));
    }

    pub(super) fn admit_client(&mut self) {
        if let Some(client) = self.door.admit() {
            // Unwatched it would be answered at the next turn, within a second.
            let _ = add(&self.events, client, Token::Client);
        }
    }

    pub(super) fn answer_clients(&mut self) {
        let mut wished = None;
        let (nodes, fleet, kvm, clock) = (&self.nodes, &self.fleet, self.kvm, &self.clock);
        let find = |name: &str| {
            let mut found = fleet.decoys.iter().enumerate().filter(|(_, d)| d.name == name || d.ip.to_string() == name);
            found.next().filter(|_| found.next().is_none()).map(|(index, _)| index)
        };
        self.door.serve(|question| match question {
            Question::List => {
                let now = clock.reading();
                Answer::Nodes(
                    nodes.iter().zip(&fleet.decoys).map(|(node, decoy)| status(node, decoy, kvm, now)).collect(),
                )
            }
            Question::Restart(name) => match find(&name) {
                Some(index) => {
                    wished = Some(index);
                    Answer::Done
                }
                None => Answer::NoSuchNode(name),
            },
            Question::Console(name) => match find(&name).and_then(|index| nodes.get(index)) {
                Some(node) => Answer::Lines(node.lines.all()),
                None => Answer::NoSuchNode(name),
            },
        });
        let now = self.clock.now();
        if let Some(node) = wished.and_then(|index| self.nodes.get_mut(index)) {
            match &mut node.guest {
                Some(guest) => guest.end(WISHED.to_owned()),
                None => node.life.handle_wish(now),
            }
            self.next_due = now;
        }
    }
}

/// The end of a machine that somebody asked for.
const WISHED: &str = "restart";

fn status(node: &Node, decoy: &chaff_engine::spec::DecoySpec, kvm: Kvm, now: u64) -> Status {
    let (state, up_ms) = match node.life.state {
        State::Waiting { .. } => ("waiting", 0),
        State::Starting { .. } => ("starting", 0),
        State::Up { since, .. } => ("up", now.saturating_sub(since) / 1_000_000),
    };
    Status {
        name: decoy.name.clone(),
        ip: decoy.ip,
        state: state.to_owned(),
        pid: node.guest.as_ref().and_then(|guest| guest.started.running.id()),
        up_ms,
        restarts: node.life.restarts,
        forged: node.forged,
        lost: node.lost,
        accel: match kvm {
            Kvm::No => "tcg",
            Kvm::Xen => "xen",
            Kvm::Tried | Kvm::Yes => "kvm",
        }
        .to_owned(),
    }
}
