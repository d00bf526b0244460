//! `chaff node`: decoys that have a virtual machine of their own, as the running `chaff run` knows them.

use std::{
    fs,
    io::{ErrorKind, IsTerminal, Write, stdout},
    path::Path,
};

use chaff_sensor::node::door::{Answer, Question, Status, ask};
use comfy_table::{ContentArrangement, Table};

use crate::{
    cli::NodeCommand,
    failure::Failure,
    lab::{PIPE_WIDTH, plain_style},
    whereabouts::StateDir,
};

pub(crate) fn run(command: &NodeCommand) -> Result<(), Failure> {
    match command {
        NodeCommand::List(store) => match put(store.state.as_deref(), &Question::List)? {
            Answer::Nodes(nodes) if store.json => print_json(&nodes),
            Answer::Nodes(nodes) => print_table(&nodes),
            other => Err(unexpected(&other)),
        },
        NodeCommand::Restart(args) => match put(args.state.as_deref(), &Question::Restart(args.node.clone()))? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        },
        NodeCommand::Console(args) => match put(args.state.as_deref(), &Question::Console(args.node.clone()))? {
            Answer::Lines(lines) => {
                let mut out = stdout().lock();
                lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
                Ok(())
            }
            other => Err(unexpected(&other)),
        },
    }
}

fn put(state: Option<&Path>, question: &Question) -> Result<Answer, Failure> {
    let state = StateDir::find(state)?;
    ask(&state.path, question).map_err(|error| {
        let path = state.path.display();
        Failure::Running(match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
                "no `chaff run` with virtual machines keeps its state in {path} (looked there because: {}). Give its \
                 directory with --state; only decoys with runtime = \"node\" have a machine",
                state.why
            ),
            ErrorKind::PermissionDenied => format!("{path}: {error}. Ask as the user that `chaff run` runs as"),
            _ => format!("{path}: {error}"),
        })
    })
}

fn unexpected(answer: &Answer) -> Failure {
    match answer {
        Answer::NoSuchNode(name) => Failure::Running(format!(
            "no one virtual machine is that of `{name}`. `chaff node list` prints names and addresses; where several \
             have one name, use the address"
        )),
        _ => Failure::Running("the node host answered something else: it is of another version".into()),
    }
}

fn print_json(nodes: &[Status]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for node in nodes {
        let line = serde_json::json!({
            "name": node.name, "ip": node.ip, "state": node.state, "pid": node.pid, "up_ms": node.up_ms,
            "restarts": node.restarts, "forged": node.forged, "lost": node.lost, "accel": node.accel,
            "memory_kib": node.pid.and_then(memory_kib),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn print_table(nodes: &[Status]) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(plain_style()).set_content_arrangement(ContentArrangement::Dynamic);
    if !stdout().is_terminal() {
        table.set_width(PIPE_WIDTH);
    }
    table.set_header(["address", "name", "state", "process", "up", "restarts", "memory", "forged", "lost", "by"]);
    for node in nodes {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.add_row([
            node.ip.to_string(),
            node.name.clone(),
            node.state.clone(),
            or_dash(node.pid.map(|pid| pid.to_string())),
            format!("{} s", node.up_ms / 1_000),
            node.restarts.to_string(),
            or_dash(node.pid.and_then(memory_kib).map(|kib| format!("{} KiB", kib))),
            node.forged.to_string(),
            node.lost.to_string(),
            node.accel.clone(),
        ]);
    }
    writeln!(stdout(), "{table}")?;
    Ok(())
}

/// A process' share of the memory of the machine (PSS), where this user may see it.
fn memory_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
