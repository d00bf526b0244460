//! Commands that read and print.

use std::{
    io::{self, BufWriter, Write, stdout},
    path::Path,
};

use chaff_hub::print::{PrintError, PrintOptions};
use chaff_profiles::ShowError;

use crate::{
    cli::{CheckArgs, CredentialsArgs, EventsArgs, IncidentsArgs, ProfilesCommand, Store},
    failure::Failure,
    run::{self, Plan},
    whereabouts::StateDir,
};

/// `chaff check`: reads files only, never the machine.
pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let plan = Plan::read(&args.files)?;
    let secret = run::read_secret(&plan.state_dir).unwrap_or_default();
    let fleet = plan.compile(&secret.unwrap_or_default())?;
    if secret.is_none() && args.identities {
        return Err(Failure::Running(format!(
            "{} holds no secret that can be read, so there are no identities yet. `chaff run` draws the secret once.",
            plan.state_dir.display()
        )));
    }
    if secret.is_none() {
        eprintln!(
            "note: {} holds no secret that can be read, so hardware addresses and drawn names are examples. \
             `chaff run` draws the secret once.",
            plan.state_dir.display()
        );
    }
    let mut out = BufWriter::new(stdout().lock());
    if args.identities {
        chaff_profiles::print_identities(&fleet, &mut out)?;
    } else if args.json {
        chaff_profiles::roster_json(&fleet, &mut out)?;
    } else {
        chaff_profiles::print_fleet(&fleet, &mut out)?;
    }
    Ok(out.flush()?)
}

/// `chaff profiles …`.
pub(crate) fn profiles(command: &ProfilesCommand) -> Result<(), Failure> {
    let mut out = BufWriter::new(stdout().lock());
    match command {
        ProfilesCommand::List => chaff_profiles::list(&mut out)?,
        ProfilesCommand::Show { name } => chaff_profiles::show(name, &mut out).map_err(|error| match error {
            ShowError::Io(error) => error.into(),
            unknown => Failure::Usage(unknown.to_string()),
        })?,
        ProfilesCommand::Check { file } => chaff_profiles::check_file(file, &mut out)?,
    }
    Ok(out.flush()?)
}

/// `chaff events`.
pub(crate) fn events(args: &EventsArgs) -> Result<(), Failure> {
    let since = args.since.as_deref().map(|text| chaff_hub::since(text, chaff_hub::utc_now()));
    let since = since.transpose().map_err(|error| Failure::Usage(format!("--since: {error}")))?;
    let options = PrintOptions { json: args.store.json, follow: args.follow, since, terminal: None };
    print(&args.store, |state| chaff_hub::print::events(state, &options, &mut stdout().lock()))
}

/// `chaff incidents`.
pub(crate) fn incidents(args: &IncidentsArgs) -> Result<(), Failure> {
    let options = PrintOptions { json: args.store.json, follow: args.follow, ..PrintOptions::default() };
    print(&args.store, |state| chaff_hub::print::incidents(state, &options, &mut stdout().lock()))
}

/// `chaff credentials`.
pub(crate) fn credentials(args: &CredentialsArgs) -> Result<(), Failure> {
    let options = PrintOptions { json: args.store.json, terminal: terminal_width(), ..PrintOptions::default() };
    print(&args.store, |state| chaff_hub::print::credentials(state, &options, &mut stdout().lock()))
}

/// Columns of the terminal that is written to, if it is one.
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

fn print(store: &Store, print: impl FnOnce(&Path) -> Result<(), PrintError>) -> Result<(), Failure> {
    let state = StateDir::find(store.state.as_deref())?;
    print(&state.path).map_err(|error| match error {
        PrintError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        // It names the place.
        PrintError::Store(error) => Failure::Running(format!("{error} (looked there because: {})", state.why)),
        error => Failure::Running(format!("{}: {error}", state.path.display())),
    })
}
