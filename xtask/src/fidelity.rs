use crate::{cargo, shown, tools};

const USAGE: &str =
    "usage: cargo xtask fidelity [--sample N] [--seed S] [--whole] [--line=N] [--routed] [--two-scanners]";

/// `cargo xtask fidelity`: builds everything in release mode and hands over to an example of `testkit`, which imports
/// fingerprints of the installed nmap, puts decoys on a network and has nmap look at them.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let good = match *option {
            "--whole" | "--routed" | "--two-scanners" => true,
            "--sample" | "--seed" => rest.next().is_some_and(|number| number.parse::<u64>().is_ok()),
            other => other.strip_prefix("--line=").is_some_and(|number| number.parse::<u64>().is_ok()),
        };
        if !good {
            return Err(USAGE.into());
        }
    }
    tools::install().map_err(|lacking| lacking.to_string())?;
    let mut build = cargo();
    build.args(["build", "--release", "-p", "chaff", "-p", "nmap-import", "-p", "chaff-testkit", "--bins"]);
    build.args(["--example", "fidelity"]);
    let mut scan = cargo();
    scan.args(["run", "--quiet", "--release", "-p", "chaff-testkit", "--example", "fidelity", "--"]).args(options);
    for command in [&mut build, &mut scan] {
        eprintln!("── {}", shown(command));
        let ended = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !ended.success() {
            return Err(format!("failed: {}", shown(command)));
        }
    }
    Ok(())
}
