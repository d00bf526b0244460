//! The engine's host in virtual time: what the sensor is on a real machine.

use std::collections::VecDeque;

use chaff_engine::{Audience, Engine, Output, Usage, Verdict, spec::FleetSpec};
use chaff_events::{Observation, UtcNanos};

use crate::{SECOND, capture::Capture};

/// The monotone clock at the start of every run: not zero, so that nobody relies on it.
pub const START: u64 = 1_000 * SECOND;
/// The time of day at the start of every run.
pub const START_UTC: UtcNanos = UtcNanos(1_800_000_000 * SECOND);
/// What the engine may give out for one frame or one wake-up before the rig takes it for an endless loop.
const MAX_OUTPUTS: usize = 4_000_000;

/// An engine, its clock, and all that came out of it.
#[derive(Debug)]
pub struct Rig {
    engine: Engine,
    now: u64,
    wake: Option<u64>,
    sent: VecDeque<(u64, Vec<u8>)>,
    observations: Vec<Observation>,
    counts: Counts,
    capture: Capture,
    recording: bool,
}

/// What became of the frames: every one ends in exactly one verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames handed to the engine.
    pub frames: u64,
    /// Answered.
    pub answered: u64,
    /// Observed and not answered.
    pub observed: u64,
    /// Neither.
    pub dropped: u64,
    /// Frames that the engine sent.
    pub sent: u64,
}

impl Rig {
    /// An engine for `spec`, its chance fixed by `seed`.
    #[must_use]
    pub fn new(spec: FleetSpec, seed: u64) -> Self {
        let mut entropy = [0; 32];
        let octets = crate::chance::Chance::new(seed).octets(32);
        entropy.copy_from_slice(&octets);
        let mut rig = Self {
            engine: Engine::new(spec, entropy, START, START_UTC),
            now: START,
            wake: None,
            sent: VecDeque::new(),
            observations: Vec::new(),
            counts: Counts::default(),
            capture: Capture::default(),
            recording: true,
        };
        rig.drain();
        rig
    }

    /// Keeps no frames for a capture: for runs of millions.
    #[must_use]
    pub fn unrecorded(mut self) -> Self {
        self.recording = false;
        self
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// When the engine wants to be woken.
    #[must_use]
    pub fn next_wake(&self) -> Option<u64> {
        self.wake
    }

    /// Whom a frame concerns, where the fleet has other parts.
    #[must_use]
    pub fn audience(&self, frame: &[u8]) -> Audience {
        self.engine.audience(0, frame)
    }

    /// Hands a frame to the engine, now.
    pub fn handle_frame(&mut self, frame: &[u8]) -> Verdict {
        if self.recording {
            self.capture.record(self.now, frame);
        }
        let verdict = self.engine.handle_frame(self.now, 0, frame);
        self.counts.frames += 1;
        match verdict {
            Verdict::Answered => self.counts.answered += 1,
            Verdict::Observed => self.counts.observed += 1,
            Verdict::Dropped(_) => self.counts.dropped += 1,
        }
        self.drain();
        verdict
    }

    /// Lets time pass until `until`, waking the engine whenever it asked for it.
    pub fn advance(&mut self, until: u64) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Jumps to the next wake-up if it is not later than `until`. Whether there was one.
    pub fn step(&mut self, until: u64) -> bool {
        let Some(at) = self.wake.filter(|at| *at <= until) else {
            return false;
        };
        // A wake-up in the past is due now; each one moves the clock on, so that a stuck timer cannot hold the test.
        self.now = self.now.max(at) + u64::from(at <= self.now);
        self.wake = None;
        self.engine.handle_wake(self.now);
        self.drain();
        true
    }

    /// The next frame that the engine sent, and when.
    pub fn poll_frame(&mut self) -> Option<(u64, Vec<u8>)> {
        self.sent.pop_front()
    }

    /// What the engine observed so far.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// Forgets what was observed so far, and returns it.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observations)
    }

    /// What became of the frames.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How full the engine's tables are.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.engine.usage()
    }

    /// Writes what was captured and says where, for the message of a failing test.
    #[must_use]
    pub fn write_capture(&self, name: &str) -> String {
        match self.capture.write(name) {
            Ok(path) => format!("capture: {}", path.display()),
            Err(error) => format!("no capture: {error}"),
        }
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.engine.poll() {
                None => return,
                Some(Output::Transmit { frame, .. }) => {
                    self.counts.sent += 1;
                    if self.recording {
                        self.capture.record(self.now, frame);
                    }
                    self.sent.push_back((self.now, frame.to_vec()));
                }
                Some(Output::Observe(observation)) => self.observations.push(observation),
                Some(Output::Wake(at)) => self.wake = Some(at),
            }
        }
        panic!("the engine gave out more than {MAX_OUTPUTS} pieces of work at once: an endless loop");
    }
}
