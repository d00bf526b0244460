//! One line for a person: the furthest stage with what it touched, the widest stage before it, and who it was.

use chaff_events::{Kind, Tool};

use super::{Case, Stage, Who, trace::Trace};

/// Most tools named with a stage; the incident lists all.
const TOOLS: usize = 2;
/// Most user names in a title; `chaff credentials` has all.
const NAMES: usize = 2;

pub(super) fn of(case: &Case) -> String {
    let Some(trace) = case.traces.get(&case.stage) else { return String::new() };
    let deed = deed(case.stage, trace);
    let (tools, before) = (tools(trace, &[]), before(case, trace));
    match case.who {
        Who::Sensor => deed,
        Who::Many => format!("flood from many sources: {deed}"),
        Who::Ip(ip) => format!("{tools}{deed}{before} from {ip}"),
        Who::Mac(mac) => format!("{tools}{deed}{before} from {mac}"),
    }
}

/// The earlier stage that shows how far this goes: the widest, where that is more decoys than at the last stage. Mere
/// discovery is named only where nothing else was wider.
fn before(case: &Case, last: &Trace) -> String {
    let wider = case.traces.range(..case.stage).rev().filter(|(_, trace)| trace.decoys() > last.decoys());
    let widest = wider.max_by_key(|(stage, trace)| (**stage > Stage::Discovery, trace.decoys()));
    widest.map_or_else(String::new, |(&stage, trace)| {
        format!(", after {}{},", tools(trace, last.tools()), deed(stage, trace))
    })
}

/// The tools of a stage, without those that the title names anyway.
fn tools(trace: &Trace, named: &[Tool]) -> String {
    // "ping ping of FS-07" would say nothing more.
    let new = trace.tools().iter().filter(|&tool| *tool != Tool::Ping && !named.contains(tool));
    let names: Vec<_> = new.take(TOOLS).map(|tool| tool.name()).collect();
    if names.is_empty() { String::new() } else { format!("{} ", names.join(" and ")) }
}

fn deed(stage: Stage, trace: &Trace) -> String {
    let whom = trace.whom();
    match stage {
        Stage::Conflict if trace.decoys() > 1 => format!("claim to the addresses of {whom}"),
        Stage::Conflict => format!("claim to the address of {whom}"),
        Stage::Discovery => format!("{} of {whom}", discovery(trace)),
        Stage::Scan => scan(trace, &whom),
        Stage::Probing if trace.saw(Kind::OsProbe) => format!("OS detection of {whom}"),
        Stage::Probing => format!("service probing of {whom}"),
        Stage::Interaction => format!("use of {} on {whom}", trace.service()),
        Stage::Credential => format!("login attempts{} on {whom} ({})", names(trace), trace.service()),
        Stage::Failure if trace.decoys() > 1 => format!("end of processes that host {whom}"),
        Stage::Failure => format!("end of the process that hosts {whom}"),
        Stage::Escape => format!("forged frames out of the virtual machine of {whom}"),
        Stage::Access => format!("use of a planted account{} on {whom} ({})", names(trace), trace.service()),
    }
}

/// As whom: the first names that were tried.
fn names(trace: &Trace) -> String {
    let known = trace.names();
    let shown = known.iter().take(NAMES).map(String::as_str);
    let mut words: Vec<_> = shown.collect();
    if known.len() > NAMES {
        words.push("others");
    }
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => format!(" as {last}"),
        Some((last, before)) => format!(" as {} and {last}", before.join(", ")),
    }
}

fn discovery(trace: &Trace) -> &'static str {
    if trace.saw_only(&[Kind::ArpRequest]) {
        "ARP sweep"
    } else if trace.saw_only(&[Kind::ArpRequest, Kind::IcmpEcho]) {
        if trace.decoys() > 1 { "ping sweep" } else { "ping" }
    } else {
        "discovery"
    }
}

fn scan(trace: &Trace, whom: &str) -> String {
    match trace.only_port() {
        Some(port) if trace.decoys() == 1 => format!("touch of {port} on {whom}"),
        Some(port) => format!("sweep of {port} on {whom}"),
        None if trace.has_port() => format!("port scan of {whom}"),
        None => format!("protocol scan of {whom}"),
    }
}
