//! `chaff doctor`: what of the sandbox this machine enforces, and what its kernel lacks. A child seals itself as a worker
//! does, and what the kernel then says of it is shown.

use std::{
    fs,
    io::{self, BufRead, BufReader, IsTerminal, Write, stdout},
    path::Path,
    process::{Command, Stdio},
};

use caps::{CapSet, Capability};
use chaff_config::Layer;
use clap::Args;
use comfy_table::{ContentArrangement, Table};
use rustix::process::{Pid, getppid};

use crate::{
    cli::DoctorArgs,
    failure::Failure,
    lab::{PIPE_WIDTH, plain_style},
    privileges::{self, User},
    processes,
    run::{self, Plan},
    sandbox::{self, Support},
    whereabouts,
};

/// Hidden subcommand of the child.
const PATIENT: &str = "doctor-process";
/// What the child says when it is sealed.
const SEALED: &str = "sealed";

/// Options of the child.
#[derive(Args, Debug)]
pub(crate) struct PatientArgs {
    #[arg(long, value_parser = processes::layer)]
    without: Vec<Layer>,
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
}

/// Prints what is enforced. Fails where `chaff run` would refuse for want of a layer, or a worker would not start.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let configured = args.files.config.is_some() || whereabouts::configuration().is_ok();
    let plan = configured.then(|| Plan::read(&args.files)).transpose()?;
    let without = plan.as_ref().map_or(&[][..], Plan::without);
    let user = plan.as_ref().and_then(Plan::user).map(privileges::look_up).transpose().map_err(Failure::Usage)?;
    let mut left_out = without.to_vec();
    left_out.extend(sandbox::missing());
    let status = examine(&left_out, user)?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or("not told").trim().to_owned()
    };

    let mut table = Table::new();
    table.load_style(plain_style()).set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        table.set_width(PIPE_WIDTH);
    }
    table.set_header(["what", "of a worker here", "keeps it from"]);
    for layer in Layer::ALL {
        let said = said(&sandbox::support(layer), without.contains(&layer));
        table.add_row([layer.name(), &said, purpose(layer)]);
    }
    let set = |empty: &str, value: String| if value.bytes().all(|b| b == b'0') { empty.to_owned() } else { value };
    let rows = [
        ("filters", field("Seccomp_filters"), "(of system calls, stacked)"),
        ("capabilities", set("none", field("CapEff")), "whatever root may"),
        ("bounding set", set("none", field("CapBnd")), "getting capabilities back"),
        ("no_new_privs", field("NoNewPrivs"), "programs that give rights, as sudo does"),
        (
            "user",
            field("Uid").split_whitespace().next().unwrap_or_default().to_owned(),
            "other users' processes, files",
        ),
        ("CAP_NET_RAW", packet_sockets()?, "(the supervisor needs it, to open sockets)"),
    ];
    for (what, here, from) in rows {
        table.add_row([what, &here, from]);
    }
    for (what, here, why) in nodes(&plan) {
        table.add_row([what, &here, why]);
    }
    let mut out = stdout().lock();
    writeln!(out, "{table}")?;
    out.flush()?;
    sandbox::check(without)
}

/// Starts a child that seals itself but for `left_out`; what the kernel says of it, as in proc(5), `/proc/PID/status`.
fn examine(left_out: &[Layer], user: Option<User>) -> Result<String, Failure> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(PATIENT).stdin(Stdio::piped()).stdout(Stdio::piped());
    for layer in left_out {
        command.args(["--without", layer.name()]);
    }
    if let Some(User { uid, gid }) = user {
        command.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
    }
    let mut child = command.spawn()?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said)?;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    // Closing its input ends it.
    drop(child.stdin.take());
    let ended = child.wait()?;
    if said.trim() == SEALED {
        Ok(status)
    } else {
        Err(Failure::Running(format!("a worker cannot be sealed: {ended}")))
    }
}

/// The child: seals itself, says so, and waits for the end of its input.
pub(crate) fn patient(args: &PatientArgs) -> Result<(), Failure> {
    let user = args.uid.zip(args.gid).map(|(uid, gid)| User { uid, gid });
    let parent: Option<Pid> = getppid();
    privileges::drop_all(user, parent, &[]).map_err(Failure::running)?;
    sandbox::seal_worker(&args.without, 0).map_err(Failure::running)?;
    writeln!(stdout(), "{SEALED}")?;
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// What decoys with a machine of their own would find here.
fn nodes(plan: &Option<Plan>) -> [(&'static str, String, &'static str); 4] {
    let none = chaff_config::NodeSettings::default();
    let (settings, directory) =
        plan.as_ref().map_or_else(|| (&none, Path::new("")), |plan| (plan.node(), plan.directory()));
    let found = |found: Result<std::path::PathBuf, Failure>| match found {
        Ok(path) => path.display().to_string(),
        Err(_) => "not there; `chaff run` says how to get it where a decoy needs it".to_owned(),
    };
    let image = match run::find_image(settings, directory) {
        Ok(path) if run::fitting_image(&path).is_ok() => path.display().to_string(),
        Ok(path) => format!("{}: no image of this build; `chaff run` says how to mend it", path.display()),
        missing => found(missing),
    };
    let kvm = match fs::File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => "there; `chaff run` says whether a machine boots on it".to_owned(),
        Err(error) => format!("/dev/kvm: {error}; machines run in emulation"),
    };
    let xen = match run::find_xl(settings, directory) {
        Ok(xl) => format!("{}, in its first domain", xl.display()),
        Err(_) => "not here; `chaff run` says what it lacks where a decoy needs it".to_owned(),
    };
    [
        ("QEMU", found(run::find_qemu(settings, directory)), "(decoys with runtime = \"node\" need it)"),
        ("node image", image, "(as above)"),
        ("KVM", kvm, "(as above, for speed alone)"),
        ("Xen", xen, "(decoys with a machine need it where [node] hypervisor = \"xen\")"),
    ]
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
        Layer::Seccomp => "every system call but some fifty: no file, no socket, no process, no new code",
    }
}

fn packet_sockets() -> io::Result<String> {
    let may = caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).map_err(io::Error::other)?;
    Ok(if may { "there" } else { "not now: run as root, or with `setcap cap_net_raw+ep` on the program" }.to_owned())
}
