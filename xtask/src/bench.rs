use crate::{cargo, shown, tools};

/// `cargo xtask bench [PART…]`: builds everything in release mode and hands over to the bench of `testkit`, which
/// makes the lab, the load and the table, and knows its parts.
pub(crate) fn run(parts: &[&str]) -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    let mut build = cargo();
    build.args(["build", "--release", "-p", "chaff", "-p", "chaff-testkit", "--bins", "--examples"]);
    let mut bench = cargo();
    bench.args(["run", "--quiet", "--release", "-p", "chaff-testkit", "--example", "bench", "--"]).args(parts);
    for command in [&mut build, &mut bench] {
        eprintln!("── {}", shown(command));
        let ended = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !ended.success() {
            return Err(format!("failed: {}", shown(command)));
        }
    }
    Ok(())
}
