//! What the user types.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{commands, doctor, failure::Failure, lab, node, processes, run};

/// Decoys that live on a network, get scanned, and raise an alarm.
#[derive(Debug, Parser)]
#[command(name = "chaff", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show Chaff at work in a network of its own, on this machine
    Lab(LabArgs),
    /// Put the fleet of chaff.toml on its interfaces
    Run(RunArgs),
    /// Check chaff.toml and print the fleet; reads files only
    Check(CheckArgs),
    /// The catalogue of devices, systems and services
    Profiles {
        #[command(subcommand)]
        command: ProfilesCommand,
    },
    /// Print observations, oldest first
    Events(EventsArgs),
    /// Print incidents
    Incidents(IncidentsArgs),
    /// Print what intruders tried to log in with
    Credentials(CredentialsArgs),
    /// Decoys that have a virtual machine of their own
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// What of the sandbox this machine enforces, and what it lacks
    Doctor(DoctorArgs),
    /// One worker, started by `chaff run`
    #[command(hide = true)]
    WorkerProcess(processes::WorkerArgs),
    /// The host of virtual machines, started by `chaff run`
    #[command(hide = true)]
    NodesProcess(processes::NodesArgs),
    /// The keeper of Xen's domains, started by `chaff run`
    #[command(hide = true)]
    KeeperProcess(processes::KeeperArgs),
    /// A sealed child, started by `chaff doctor`
    #[command(hide = true)]
    DoctorProcess(doctor::PatientArgs),
    /// The hub, started by `chaff run`
    #[command(hide = true)]
    HubProcess(processes::HubArgs),
    #[command(flatten)]
    Later(Later),
}

/// Commands whose names are fixed and that are not built yet.
#[derive(Debug, Subcommand)]
enum Later {
    #[command(hide = true)]
    Plan(Rest),
    #[command(hide = true)]
    Learn(Rest),
    #[command(hide = true)]
    Sensor(Rest),
    #[command(hide = true)]
    Hub(Rest),
    #[command(hide = true)]
    User(Rest),
}

/// Whatever follows.
#[derive(Debug, Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// Options of `chaff lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// How many decoys
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) decoys: u32,
    /// What the intruder does
    #[arg(long, value_enum, default_value_t = Attack::Quick)]
    pub(crate) attack: Attack,
    /// Play the attack, print the incidents and exit
    #[arg(long)]
    pub(crate) once: bool,
    /// Keep the state here instead of a temporary directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[arg(long, value_name = "ADDR", hide = true)]
    console: Option<String>,
}

/// What the lab's intruder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attack {
    /// Nothing: the lab waits for your own tools
    None,
    /// A sweep and a short scan
    Quick,
    /// Versions, systems and logins too
    Full,
}

/// Options of `chaff run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) files: Files,
    #[arg(long, value_name = "ADDR", hide = true)]
    console: Option<String>,
}

/// Options of `chaff check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Print the roster, one JSON object a decoy
    #[arg(long)]
    pub(crate) json: bool,
    /// Print what `identity` pins a decoy by; secret, as the keys are that derive from it
    #[arg(long, conflicts_with = "json")]
    pub(crate) identities: bool,
}

/// Options of `chaff doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) files: Files,
}

/// What a fleet is read from.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The configuration [default: chaff.toml, else /etc/chaff/chaff.toml]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where state is kept; wins over `state_dir` in the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfilesCommand {
    /// List all profiles
    List,
    /// Print one, everything that it is laid over included
    Show {
        /// Its name
        name: String,
    },
    /// Check a file of your own
    Check {
        /// Its path
        file: PathBuf,
    },
}

/// Where a command finds the store.
#[derive(Debug, Args)]
pub(crate) struct Store {
    /// Where `chaff run` keeps its state [default: that of chaff.toml, else of /etc/chaff/chaff.toml, else /var/lib/chaff]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List them: state, process, time up, restarts, memory
    List(Store),
    /// End one and start it again
    Restart(NodeArgs),
    /// Print what one has said last
    Console(NodeArgs),
}

/// Which machine.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Host name or address of its decoy
    pub(crate) node: String,
    /// Where `chaff run` keeps its state, as for `chaff events`
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// Options of `chaff events`.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) store: Store,
    /// Go on with new ones as they come
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only what is not older: 10m, 2h, 3d, or a time like 2026-11-23T02:10:00Z
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
}

/// Options of `chaff incidents`.
#[derive(Debug, Args)]
pub(crate) struct IncidentsArgs {
    #[command(flatten)]
    pub(crate) store: Store,
    /// Go on with changes as they come
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Options of `chaff credentials`.
#[derive(Debug, Args)]
pub(crate) struct CredentialsArgs {
    #[command(flatten)]
    pub(crate) store: Store,
}

/// Parses the command line and runs what it says.
pub(crate) fn main(started: Instant) -> ExitCode {
    match dispatch(Cli::parse().command, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(command: Command, started: Instant) -> Result<(), Failure> {
    match command {
        Command::Lab(args) => no_console(args.console.as_deref()).and_then(|()| lab::run(&args)),
        Command::Run(args) => no_console(args.console.as_deref()).and_then(|()| run::run(&args.files, started)),
        Command::Check(args) => commands::check(&args),
        Command::Profiles { command } => commands::profiles(&command),
        Command::Events(args) => commands::events(&args),
        Command::Incidents(args) => commands::incidents(&args),
        Command::Credentials(args) => commands::credentials(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::DoctorProcess(args) => doctor::patient(&args),
        Command::WorkerProcess(args) => processes::worker(&args),
        Command::Node { command } => node::run(&command),
        Command::NodesProcess(args) => processes::nodes(&args),
        Command::KeeperProcess(args) => processes::keeper(&args),
        Command::HubProcess(args) => processes::hub(&args),
        Command::Later(later) => Err(Failure::Usage(format!("`chaff {}` is not in this version", later.name()))),
    }
}

fn no_console(console: Option<&str>) -> Result<(), Failure> {
    match console {
        Some(_) => Err(Failure::Usage("`--console` is not in this version".into())),
        None => Ok(()),
    }
}

impl Later {
    fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Learn(_) => "learn",
            Self::Sensor(_) => "sensor",
            Self::Hub(_) => "hub",
            Self::User(_) => "user",
        }
    }
}

#[cfg(test)]
mod tests;
