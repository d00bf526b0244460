//! The command line and the supervisor.
#![deny(unsafe_code)]

mod cli;
mod commands;
mod doctor;
mod failure;
#[cfg(any(test, debug_assertions))]
mod hole;
mod lab;
mod node;
mod privileges;
mod processes;
mod run;
mod sandbox;
mod signals;
mod whereabouts;

use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let started = Instant::now();
    chaff_sensor::inherit::limit_allocator();
    cli::main(started)
}
