//! What the intruder does. With nmap, curl and ssh where they are installed; else with what is here.

mod builtin;
mod client;
mod nmap;
mod tool;
mod xml;

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path, sync::mpsc};

use super::{chronicle::Event, interrupt, network::Network, plan::Plan};
use crate::cli::Attack;

/// One host, as the intruder sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Finding {
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) mac: String,
    pub(crate) vendor: String,
    pub(crate) os: String,
    pub(crate) ports: Vec<OpenPort>,
    /// Whether its ports were looked at, or only that it answers.
    pub(crate) probed: bool,
}

/// One open port of a host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenPort {
    pub(crate) port: u16,
    /// What is behind it, as far as the intruder found out.
    pub(crate) service: String,
}

/// All that the intruder found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
}

/// How far the intruder goes.
struct Depth {
    /// Hosts whose ports are looked at.
    targets: usize,
    full: bool,
}

impl Depth {
    fn of(attack: Attack) -> Self {
        match attack {
            Attack::None | Attack::Quick => Self { targets: 12, full: false },
            Attack::Full => Self { targets: 24, full: true },
        }
    }
}

/// Plays the attack and tells of each step. What the intruder writes down goes into `folder`.
pub(crate) fn play(
    attack: Attack,
    plan: &Plan,
    network: &Network,
    folder: &Path,
    events: &mpsc::Sender<Event>,
) -> Report {
    let depth = Depth::of(attack);
    let teller = Teller { events };
    let nmap = tool::find("nmap");
    let mut findings = match &nmap {
        Some(nmap) => nmap::sweep(nmap, plan, network, &teller),
        None => builtin::sweep(plan, network, &teller),
    };
    let targets = choose(&findings, depth.targets);
    let probed = match &nmap {
        _ if interrupt::caught() || targets.is_empty() => Vec::new(),
        Some(nmap) => nmap::probe(nmap, &targets, depth.full, network, &teller),
        None => builtin::probe(&targets, network, &teller),
    };
    merge(&mut findings, probed);
    client::look_at_pages(&findings, network, &teller);
    client::try_a_login(&findings, network, folder, &teller);
    Report { findings }
}

/// Tells the chronicle.
struct Teller<'a> {
    events: &'a mpsc::Sender<Event>,
}

impl Teller<'_> {
    fn step(&self, what: impl Into<String>) {
        // Whoever no longer listens has his reasons.
        let _ = self.events.send(Event::Step(what.into()));
    }

    fn result(&self, what: impl Into<String>) {
        let _ = self.events.send(Event::Result(what.into()));
    }
}

/// Like an intruder who wants to know what there is: a host of each vendor first, then others from all over the network.
fn choose(findings: &[Finding], how_many: usize) -> Vec<Ipv4Addr> {
    let mut seen = BTreeSet::new();
    let (firsts, others): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| seen.insert(finding.vendor.as_str()));
    let left = how_many.saturating_sub(firsts.len());
    let step = others.len().checked_div(left).unwrap_or(1).max(1);
    let chosen = firsts.into_iter().chain(others.into_iter().step_by(step)).filter_map(|finding| finding.ip);
    let mut chosen: Vec<_> = chosen.take(how_many).collect();
    chosen.sort_unstable();
    chosen
}

/// Puts what a closer look found beside what the sweep found.
fn merge(findings: &mut [Finding], probed: Vec<Finding>) {
    for closer in probed {
        if let Some(finding) = findings.iter_mut().find(|finding| finding.ip == closer.ip) {
            finding.os = closer.os;
            finding.ports = closer.ports;
            finding.probed = true;
        }
    }
}

/// What a host says may hold anything, also sequences that change the terminal and octets that are no text.
pub(crate) fn printable(text: &str) -> String {
    const MAX: usize = 80;
    let mut readable = text.chars().filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER);
    let shown: String = readable.by_ref().take(MAX).collect();
    if readable.next().is_some() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests;
