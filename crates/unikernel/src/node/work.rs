//! The loop: frames and words of the host in, engine, frames and observations out; with nothing to do it sleeps.

use alloc::{collections::VecDeque, vec::Vec};

use chaff_engine::{Engine, Output};
use chaff_events::UtcNanos;
use chaff_unikernel::{
    module::{BootModule, VERSION},
    report::{Reporter, Wish},
};

use crate::{
    clock::Clock,
    device::{Card, Console, Devices},
    machine::{counter, draw, end},
    memory, panic,
};

/// Frames handled before their answers go out.
const AT_ONCE: usize = 16;
/// Frames that wait for room on the card: the pieces of two datagrams of the longest, which leave at once. What comes then
/// is lost, as it is on any host's queue.
const BACKLOG: usize = 96;
/// How soon the card is looked at again while any wait, should it not say by itself that it has room.
const AGAIN_NS: u64 = 1_000_000;
/// How far the engine's clock is moved at the end, so that it gives out what it was still folding.
const FOLDING_NS: u64 = 60_000_000_000;
/// How long the host may take to acknowledge the last observations.
const FAREWELL_NS: u64 = 500_000_000;

/// A machine with a hole is as good as any other for so long.
#[cfg(feature = "hole")]
const PEACE_NS: u64 = 1_000_000_000;

struct Node {
    engine: Engine,
    clock: Clock,
    card: Card,
    /// What the card had no room for yet.
    backlog: VecDeque<Vec<u8>>,
    console: Option<Console>,
    reporter: Reporter,
    /// What the console had no room for yet, from `said` on.
    saying: Vec<u8>,
    said: usize,
    wake: Option<u64>,
    /// When to end, once the host wants it.
    end_at: Option<u64>,
}

/// Works until the host wants the end. `begun` is what the counter read at the entry.
pub(crate) fn run(begun: u64, module: BootModule, clock: Clock, devices: Devices) -> ! {
    let BootModule { mut entropy, now, utc, fleet, .. } = module;
    for part in entropy.chunks_exact_mut(8) {
        let drawn = draw().unwrap_or(0).to_le_bytes();
        part.iter_mut().zip(drawn).for_each(|(octet, drawn)| *octet ^= drawn);
    }
    let run = draw().unwrap_or(now);
    let card = devices.card.expect("no card");
    #[cfg(feature = "hole")]
    let (name, own) = fleet.decoys.first().map(|decoy| (decoy.name.clone(), decoy.mac.0)).unwrap_or_default();
    let engine = Engine::new(fleet, entropy, clock.now(), utc);
    let mut node = Node {
        engine,
        clock,
        card,
        backlog: VecDeque::new(),
        console: devices.console,
        reporter: Reporter::new(run),
        saying: Vec::new(),
        said: 0,
        wake: Some(0),
        end_at: None,
    };
    if let Some(console) = &mut node.console {
        panic::tell_on(console);
    }
    let (used, all) = memory::used();
    let took = node.clock.microseconds(counter().saturating_sub(begun));
    node.reporter.handle_line(&alloc::format!("up; {used} of {all} octets of memory in use; {took} µs from the entry"));
    loop {
        node.turn();
        #[cfg(feature = "hole")]
        if node.clock.now() > now + PEACE_NS {
            crate::hole::turn_on_others(&name, own, &mut node.card, node.console.as_mut());
        }
    }
}

impl Node {
    fn turn(&mut self) {
        self.card.acknowledge();
        if let Some(console) = &mut self.console {
            console.acknowledge();
        }
        self.listen();
        let received = self.receive();
        let now = self.clock.now();
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            self.engine.handle_wake(now);
        }
        self.catch_up();
        self.give_out();
        let stuck = self.speak();
        self.end_if_due(now, stuck);
        if received < AT_ONCE {
            let now = self.clock.now();
            let again = (!self.backlog.is_empty()).then_some(now.saturating_add(AGAIN_NS));
            let until = [self.wake, self.end_at, again].into_iter().flatten().min().unwrap_or(u64::MAX);
            // What came since is pending as an interrupt, which ends the sleep at once.
            if until > now {
                self.clock.sleep(until - now);
            }
        }
    }

    /// Gives the engine a batch of frames; says how many.
    fn receive(&mut self) -> usize {
        for handled in 0..AT_ONCE {
            let (engine, clock) = (&mut self.engine, &self.clock);
            let any = self.card.receive(|frame| {
                engine.handle_frame(clock.now(), 0, frame);
            });
            if !any {
                return handled;
            }
        }
        AT_ONCE
    }

    /// Hears what the host says.
    fn listen(&mut self) {
        let Some(console) = &mut self.console else { return };
        let mut wishes = Vec::new();
        let reporter = &mut self.reporter;
        while console.receive(|octets| wishes.extend(reporter.handle_octets(octets))) {}
        for wish in wishes {
            match wish {
                Wish::Clock(UtcNanos(utc)) => self.engine.handle_clock(self.clock.now(), UtcNanos(utc)),
                Wish::End => self.farewell(),
                Wish::Stranger(theirs) => {
                    panic!("the host speaks version {theirs} of the console, and this node {VERSION}")
                }
            }
        }
    }

    /// Sends what waited for room.
    fn catch_up(&mut self) {
        while let Some(frame) = self.backlog.front() {
            if !self.card.send(frame) {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Sends and notes what the engine has to give.
    fn give_out(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { frame, .. } => {
                    let sent = self.backlog.is_empty() && self.card.send(frame);
                    if !sent && self.backlog.len() < BACKLOG {
                        self.backlog.push_back(frame.to_vec());
                    }
                }
                Output::Observe(observation) => self.reporter.handle_observation(observation),
                Output::Wake(at) => self.wake = Some(at),
            }
        }
    }

    /// Says what there is to say, as long as the console has room; whether it has none.
    fn speak(&mut self) -> bool {
        let Some(console) = &mut self.console else { return false };
        loop {
            if self.said >= self.saying.len() {
                let Some(next) = self.reporter.poll() else { return false };
                (self.saying, self.said) = (next, 0);
            }
            let rest = self.saying.get(self.said..).unwrap_or_default();
            let piece = rest.get(..console.longest()).unwrap_or(rest);
            if !console.send(piece) {
                return true;
            }
            self.said += piece.len();
        }
    }

    /// The host wants the end: it is told what was still being folded.
    fn farewell(&mut self) {
        let now = self.clock.now();
        self.engine.handle_wake(now.saturating_add(FOLDING_NS));
        while let Some(output) = self.engine.poll() {
            // Frames of a minute that will not come are not sent.
            if let Output::Observe(observation) = output {
                self.reporter.handle_observation(observation);
            }
        }
        self.end_at = Some(now.saturating_add(FAREWELL_NS));
    }

    fn end_if_due(&self, now: u64, stuck: bool) {
        let Some(at) = self.end_at else { return };
        if now >= at || (self.reporter.is_settled() && !stuck) {
            end(0);
        }
    }
}
