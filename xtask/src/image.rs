use std::fs;

use crate::{cargo, root, shown};

/// The image at most, in octets: what a node may take of its 8 MiB before it has done anything.
const MOST: u64 = 2 << 20;

/// `cargo xtask image`: the unikernel, as `target/chaff-node.elf`. On its own, since with others cargo would turn on
/// features for it that need std.
pub(crate) fn run() -> Result<(), String> {
    let mut build = cargo();
    // Whoever has built it somewhere else would find an old one here.
    build.env_remove("CARGO_TARGET_DIR");
    build.args(["build", "-p", "chaff-unikernel", "--profile", "image", "--features", "image"]);
    eprintln!("── {}", shown(&build));
    if !build.status().is_ok_and(|status| status.success()) {
        return Err(format!("failed: {}", shown(&build)));
    }
    let (from, to) = (root().join("target/image/chaff-node"), root().join("target/chaff-node.elf"));
    let octets = fs::copy(&from, &to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    println!("{}: {octets} octets", to.display());
    if octets <= MOST { Ok(()) } else { Err(format!("the image is larger than {MOST} octets")) }
}
