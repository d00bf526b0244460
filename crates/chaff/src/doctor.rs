//! `chaff doctor`: what of the sandbox this machine enforces, and what its kernel lacks.

use std::io::{self, IsTerminal, Write, stdout};

use caps::{CapSet, Capability};
use comfy_table::{ContentArrangement, Table};

use crate::{
    cli::DoctorArgs,
    failure::Failure,
    lab::{PIPE_WIDTH, plain_style},
    run::Plan,
    sandbox::{Layer, Support, Without},
    whereabouts,
};

/// Prints what is enforced. Fails where `chaff run` would refuse for want of a layer.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let configured = args.files.config.is_some() || whereabouts::configuration().is_ok();
    let plan = configured.then(|| Plan::read(&args.files)).transpose()?;
    let without = plan.as_ref().map_or_else(Without::default, Plan::without);
    let mut table = Table::new();
    table.load_style(plain_style()).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(PIPE_WIDTH);
    }
    table.set_header(["what", "here", "keeps a worker from"]);
    let mut lacking = Vec::new();
    for layer in Layer::ALL {
        let support = layer.support();
        if matches!(support, Support::Missing(_)) && !without.contains(layer) {
            lacking.push(layer.name());
        }
        table.add_row([layer.name().to_owned(), said(&support, without.contains(layer)), purpose(layer).to_owned()]);
    }
    let user = plan.as_ref().and_then(Plan::user).map_or_else(
        || "the user that starts it (set `user` in chaff.toml for another)".to_owned(),
        |user| format!("`{user}`"),
    );
    table.add_row(["capabilities".to_owned(), "all given up".to_owned(), "whatever root may".to_owned()]);
    table.add_row(["no_new_privs".to_owned(), "set".to_owned(), "programs that give rights, as sudo does".to_owned()]);
    table.add_row(["user".to_owned(), user, "other users' processes and files".to_owned()]);
    table.add_row([
        "limits".to_owned(),
        "set".to_owned(),
        "new processes, many descriptors, much memory, core files".into(),
    ]);
    table.add_row([
        "CAP_NET_RAW".to_owned(),
        packet_sockets()?,
        "(needed by the supervisor alone, to open sockets)".into(),
    ]);
    let mut out = stdout().lock();
    writeln!(out, "{table}")?;
    if lacking.is_empty() {
        return Ok(());
    }
    out.flush()?;
    Err(Failure::Running(format!("`chaff run` refuses to start here without {}", lacking.join(" and "))))
}

fn said(support: &Support, without: bool) -> String {
    let optional = if without { "; chaff.toml does without it" } else { "" };
    match support {
        Support::Full(how) => format!("enforced ({how}){optional}"),
        Support::Partial(how) => format!("enforced in part ({how}){optional}"),
        Support::Missing(why) => format!("MISSING: {why}{optional}"),
    }
}

fn purpose(layer: Layer) -> &'static str {
    match layer {
        Layer::Landlock => "every file, and TCP",
        Layer::Seccomp => "every system call but some forty: no file, no socket, no process, no new code",
    }
}

fn packet_sockets() -> io::Result<String> {
    let may = caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).map_err(io::Error::other)?;
    Ok(if may { "there" } else { "not now: run as root, or with `setcap cap_net_raw+ep` on the program" }.to_owned())
}
