use crate::{cargo, image, root, shown, tools};

/// `cargo xtask bench [PART…]`: builds everything in release mode and hands over to the bench of `testkit`, which
/// makes the lab, the load and the table, and knows its parts. For `nodes`, the image is made as well.
pub(crate) fn run(parts: &[&str]) -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    if parts.contains(&"nodes") {
        image::run()?;
    }
    let mut build = cargo();
    build.args(["build", "--release", "-p", "chaff", "-p", "chaff-testkit", "--bins", "--examples"]);
    let mut bench = cargo();
    bench.args(["run", "--quiet", "--release", "-p", "chaff-testkit", "--example", "bench", "--"]).args(parts);
    bench.env("CHAFF_NODE_IMAGE", root().join("target/chaff-node.elf"));
    for command in [&mut build, &mut bench] {
        eprintln!("── {}", shown(command));
        let ended = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !ended.success() {
            return Err(format!("failed: {}", shown(command)));
        }
    }
    Ok(())
}
