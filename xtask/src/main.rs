//! Chores that cargo cannot do: `cargo xtask help` lists them. What a chore builds and runs lives elsewhere (the
//! bench and the simulator in `crates/testkit`, fuzz targets in `fuzz/`); here is only what puts them in order.
#![forbid(unsafe_code)]

mod bench;
mod fidelity;
mod fuzz;
mod goldens;
mod image;
mod storm;
mod summary;
mod test;
mod tools;
mod xen;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const HELP: &str = "\
cargo xtask test                            install what is missing, then run every check; the last line is the sum
cargo xtask tools                           only install what the tests need
cargo xtask bench [PART...]                 figures of this machine beside those of its kernel, some ten minutes; PART is
                                            memory, rates, latency, alarm, instructions or doors
cargo xtask bench nodes [N]                 decoys with a machine each, 200 or N: memory, start, processor time, alarms
cargo xtask storm [--frames N]              ten million mutated frames to a machine, and words to whoever runs machines
cargo xtask image                           the unikernel of a node, as target/chaff-node.elf
cargo xtask xen [CRATE...]                  the unikernel as a domain of Xen, under emulation: minutes, and 100 MB to fetch;
                                            CRATE is chaff-unikernel or chaff
cargo xtask soak                            the tests that take too long for every day
cargo xtask fidelity [--sample N] [--seed S] [--whole] [--routed] [--two-scanners]
                                            how many fingerprints of the installed nmap decoys can be taken for
cargo xtask goldens http                    record anew what real web servers answer
cargo xtask goldens ssh [NAME...]           record anew what real SSH servers say (root, network)
cargo xtask goldens tls                     record anew how real servers of TLS answer (network)
cargo xtask goldens trees                   only unpack these servers, for tests that run them (network)
cargo xtask fuzz [TARGET] [--seconds N]     run one fuzz target, or all of them one after another (60 s each)
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["tools"] => tools::install().map_err(|lacking| lacking.to_string()),
        ["bench", parts @ ..] => bench::run(parts),
        ["fidelity", options @ ..] => fidelity::run(options),
        ["image"] => image::run(),
        ["storm", options @ ..] => storm::run(options),
        ["xen", tests @ ..] => xen::run(tests),
        ["soak"] => test::soak(),
        ["goldens", options @ ..] => goldens::run(options),
        ["fuzz", options @ ..] => fuzz::run(options),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            if !message.is_empty() {
                eprintln!("{message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root: this crate lies right below it.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that runs us, in the workspace's root.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}
