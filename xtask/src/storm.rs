use crate::{cargo, shown, tools};

/// Frames, and words of machines, when nothing is said.
const FRAMES: u64 = 10_000_000;

/// `cargo xtask storm [--frames N]`: mutated frames to a machine of a decoy's own, and as many mutated words of machines
/// to the node host that runs them (`crates/chaff/tests/nodes/storm.rs`).
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let frames = match words {
        [] => FRAMES,
        ["--frames", n] => n.parse().ok().filter(|&n| n > 0).ok_or_else(|| format!("`{n}` is no number of frames"))?,
        _ => return Err("usage: cargo xtask storm [--frames N]".into()),
    };
    tools::install().map_err(|lacking| lacking.to_string())?;
    let mut test = cargo();
    test.args(["test", "--release", "-p", "chaff", "--test", "nodes", "--", "--ignored", "--nocapture"]);
    test.arg("storm_of_mutated_frames_and_words").env("CHAFF_FRAMES", frames.to_string());
    eprintln!("── {}", shown(&test));
    let ended = test.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if ended.success() { Ok(()) } else { Err(format!("failed: {}", shown(&test))) }
}
