//! `chaff lab`: a self-contained network in namespaces, an attack on it, and both sides of the story in a terminal.
//!
//! The lab talks to the product as a user would, by its command line: it writes a `chaff.toml`, runs `chaff run` on it
//! inside a namespace, and reads `chaff incidents --follow`. It uses nothing of the sensor or the hub directly.

mod attack;
mod chronicle;
mod error;
mod hosts;
mod incident;
mod interrupt;
mod network;
mod paint;
mod plan;
mod product;
mod show;
mod state;

#[cfg(test)]
mod tests;

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use attack::Report;
use chronicle::{Chronicle, Event};
use error::LabError;
use hosts::RealHosts;
use network::Network;
use paint::say;
use plan::Plan;
use product::Product;
pub(crate) use show::{PIPE_WIDTH, plain_style};
use state::StateDir;

use crate::{
    cli::{Attack, LabArgs},
    failure::Failure,
};

/// How long the defender's side may lag behind the last packet before `--once` gives up on more incidents.
const LAST_INCIDENT_PATIENCE: Duration = Duration::from_secs(3);
/// How often the screen and the signals are looked after: fast enough to feel immediate.
const TICK: Duration = Duration::from_millis(100);

/// Runs the lab; the caller must not have started a thread yet, since a user namespace may have to be entered.
pub(crate) fn run(args: &LabArgs) -> Result<(), Failure> {
    match play(args) {
        Ok(()) | Err(LabError::Interrupted) => Ok(()),
        Err(error) => Err(Failure::Running(error.to_string())),
    }
}

fn play(args: &LabArgs) -> Result<(), LabError> {
    let began = Instant::now();
    let as_user = chaff_lab::enter_user_namespace()?;
    interrupt::catch();
    let state = StateDir::open(args.state.as_deref())?;
    let plan = Plan::new(args.decoys);
    let config = state.write_config(&plan.to_toml())?;
    let mut chronicle = Chronicle::new(began);

    chronicle.title(&plan, as_user);
    let network = Network::build(&plan)?;
    let _hosts = RealHosts::start(&network)?;
    chronicle.done(&format!("a switch, two real hosts and an intruder at {}", plan.intruder()));
    chronicle.begin("chaff run: the decoys move in");
    let mut product = Product::start(&network, &config, state.path())?;
    product.wait_until_up(&mut chronicle)?;
    chronicle.done(&format!("chaff run: {} decoys are up", plan.decoys()));
    let roster = product::roster(&config, state.path())?;

    let (events, inbox) = mpsc::channel();
    product.follow_incidents(events.clone())?;
    let report = match args.attack {
        Attack::None => None,
        attack => {
            let play = |events: &_| attack::play(attack, &plan, &network, state.path(), events);
            Some(watch_the_attack(play, &mut product, &mut chronicle, &events, &inbox)?)
        }
    };
    if let Some(report) = &report {
        wait_for_the_defender(&inbox, &mut product, &mut chronicle)?;
        show::intruder_view(&plan, &roster, report);
        show::defender_view(chronicle.incidents());
    }
    if args.once {
        product.stop();
        let silent = report.is_some() && chronicle.incidents().is_empty();
        return if silent { Err(LabError::Silent { seconds: LAST_INCIDENT_PATIENCE.as_secs() }) } else { Ok(()) };
    }
    if report.is_none() {
        say("");
    }
    show::hint(&network, &plan, as_user);
    stay(&inbox, &mut product, &mut chronicle, &state)
}

/// Runs the attack on a thread of its own and shows what happens, on both sides, as it happens.
fn watch_the_attack(
    attack: impl FnOnce(&mpsc::Sender<Event>) -> Report + Send,
    product: &mut Product,
    chronicle: &mut Chronicle,
    events: &mpsc::Sender<Event>,
    inbox: &mpsc::Receiver<Event>,
) -> Result<Report, LabError> {
    thread::scope(|scope| {
        let sender = events.clone();
        scope.spawn(move || {
            let report = attack(&sender);
            let _ = sender.send(Event::AttackEnded(report));
        });
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Event::AttackEnded(report)) => return Ok(report),
                Ok(event) => chronicle.take(event),
                Err(_) => chronicle.tick(),
            }
            if interrupt::caught() {
                // The attack's thread sees it too and ends its scanner, so the scope can close.
                return Err(LabError::Interrupted);
            }
            if let Err(error) = product.check_alive() {
                interrupt::give_up();
                return Err(error);
            }
        }
    })
}

/// Takes what the hub still has to say: until it has been silent for a moment after at least one incident.
fn wait_for_the_defender(
    inbox: &mpsc::Receiver<Event>,
    product: &mut Product,
    chronicle: &mut Chronicle,
) -> Result<(), LabError> {
    const SILENCE: Duration = Duration::from_millis(700);
    let deadline = Instant::now() + LAST_INCIDENT_PATIENCE;
    let mut last = Instant::now();
    while Instant::now() < deadline && (chronicle.incidents().is_empty() || last.elapsed() < SILENCE) {
        if let Ok(event) = inbox.recv_timeout(TICK) {
            chronicle.take(event);
            last = Instant::now();
        }
        if interrupt::caught() {
            return Err(LabError::Interrupted);
        }
        product.check_alive()?;
    }
    chronicle.rest();
    Ok(())
}

/// Stays up and prints incidents as they come, until Ctrl-C.
fn stay(
    inbox: &mpsc::Receiver<Event>,
    product: &mut Product,
    chronicle: &mut Chronicle,
    state: &StateDir,
) -> Result<(), LabError> {
    chronicle.tell_growth();
    while !interrupt::caught() {
        if let Ok(event) = inbox.recv_timeout(TICK) {
            chronicle.take(event);
        }
        product.check_alive()?;
    }
    say("");
    product.stop();
    say(match state.is_temporary() {
        true => "The lab is gone: its namespaces, its processes and its temporary files.",
        false => "The lab is gone: its namespaces and its processes. What it saw is kept where you said.",
    });
    Ok(())
}
