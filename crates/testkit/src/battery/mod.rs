//! The battery: what a host does at the packet level, asked by raw frames and written down as lines that two hosts can
//! be compared by. What is random is named by its class, what is told late has its time beside it.
//!
//! Each probe is a station of its own, with a card and an address that nobody else has, so that limits, caches and
//! counters which a host keeps for each peer are fresh, and all probes can run side by side.

mod diff;
mod flow;
mod packet;
mod probes;
pub mod servers;
mod station;
mod wire;

use std::{io, net::Ipv4Addr, sync::Arc};

use chaff_lab::Namespace;

use self::wire::Wire;
pub use self::{
    diff::{Difference, differences, lasting_difference},
    station::Station,
};

/// Ports that the battery counts on; see [`servers`] for what is behind them.
pub mod port {
    /// Sends back what comes.
    pub const ECHO: u16 = 7;
    /// Reads and says nothing.
    pub const DISCARD: u16 = 9;
    /// Never reads, never closes.
    pub const MUTE: u16 = 11;
    /// Closes a second after it was spoken to, without having read.
    pub const LEAVER: u16 = 13;
    /// Reads a line, answers `ok`, closes.
    pub const CLOSER: u16 = 17;
    /// Says 20,000 octets at once, then reads.
    pub const SAYER: u16 = 19;
    /// Nothing listens.
    pub const CLOSED: u16 = 90;
}

/// One question of the battery.
#[derive(Clone, Copy)]
pub struct Probe {
    /// What is asked.
    pub name: &'static str,
    /// Asks it, and writes down the answer.
    pub run: fn(&mut Station),
}

/// What a host did at some moment of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Seconds after what it answers, where that is part of the behaviour.
    pub at: Option<f64>,
    /// What it did.
    pub text: String,
}

/// What a host did in one probe.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The probe's name.
    pub probe: &'static str,
    /// In order.
    pub lines: Vec<Line>,
}

/// Every probe there is.
#[must_use]
pub fn all() -> Vec<Probe> {
    probes::all()
}

/// Asks `probes` of the host at `target`, all at once, from `interface` of `namespace`. `side` (below 16) tells the
/// stations of recordings that run side by side apart, `round` those of recordings one after another: a host remembers
/// whom it has met.
///
/// # Errors
/// When there is no such interface.
pub fn record(
    namespace: &Namespace,
    interface: &str,
    target: Ipv4Addr,
    (side, round): (u8, u8),
    probes: &[Probe],
) -> io::Result<Vec<Answer>> {
    let wire = Arc::new(Wire::open(namespace, interface, (side, round), probes.len())?);
    let answers = std::thread::scope(|scope| {
        let hearing = scope.spawn(|| wire.hear());
        let run = |(number, probe): (usize, &Probe)| {
            let (wire, probe) = (Arc::clone(&wire), *probe);
            scope.spawn(move || {
                // Not all in the same instant: the machine would be slower than the hosts are.
                std::thread::sleep(std::time::Duration::from_millis(u64::try_from(number).unwrap_or(0) * 4));
                let mut station = Station::new(wire, number, target);
                (probe.run)(&mut station);
                Answer { probe: probe.name, lines: station.into_lines() }
            })
        };
        let running: Vec<_> = probes.iter().enumerate().map(run).collect();
        let answers = running.into_iter().map(|probe| probe.join());
        let answers: Vec<_> = answers.collect();
        wire.stop();
        // It ends by itself, and has nothing to say.
        let _ = hearing.join();
        answers
    });
    answers.into_iter().map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).map(Ok).collect()
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at:+8.3} s  {}", self.text),
            None => write!(f, "            {}", self.text),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.probe)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
