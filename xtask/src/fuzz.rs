use std::{path::PathBuf, process::Command};

use crate::{cargo, root, shown};

/// Seconds for each target when nothing is said.
const DEFAULT_SECONDS: u32 = 60;
/// Longest input: more than a frame, so that what lies behind its end, and conversations, are tried as well.
const MAX_INPUT: u32 = 4096;
/// Memory of one target at most, in MiB: none of the parsers may keep what it read.
const MAX_MEMORY_MIB: u32 = 1024;

/// `cargo xtask fuzz [TARGET] [--seconds N]`.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let (chosen, seconds) = match words {
        [] => (None, DEFAULT_SECONDS),
        ["--seconds", n] => (None, parse_seconds(n)?),
        [target] => (Some(*target), DEFAULT_SECONDS),
        [target, "--seconds", n] => (Some(*target), parse_seconds(n)?),
        _ => return Err("usage: cargo xtask fuzz [TARGET] [--seconds N]".into()),
    };
    let targets = targets()?;
    if let Some(name) = chosen
        && !targets.iter().any(|target| target == name)
    {
        return Err(format!("no fuzz target `{name}`; there are: {}", targets.join(", ")));
    }
    for target in targets.iter().filter(|target| chosen.is_none_or(|name| name == *target)) {
        let mut command = command(target, seconds);
        eprintln!("── {}", shown(&command));
        let ended = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !ended.success() {
            return Err(format!("fuzz target `{target}` found something; the input is in fuzz/artifacts/{target}/"));
        }
    }
    Ok(())
}

/// Names of the fuzz targets: the binaries of `fuzz/`.
pub(crate) fn targets() -> Result<Vec<String>, String> {
    let asked = cargo()
        .current_dir(directory())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cannot run cargo metadata in fuzz/: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&asked.stdout)
        .map_err(|_| format!("cargo metadata in fuzz/ failed:\n{}", String::from_utf8_lossy(&asked.stderr)))?;
    let is_binary = |target: &&serde_json::Value| target["kind"][0] == "bin";
    let binaries = metadata["packages"][0]["targets"].as_array().into_iter().flatten().filter(is_binary);
    Ok(binaries.filter_map(|target| target["name"].as_str().map(String::from)).collect())
}

/// Builds all targets, so that none of them waits for the compiler when it is run.
pub(crate) fn build() -> Command {
    let mut command = in_fuzz();
    command.args(["build", "--quiet", "--bins"]);
    command
}

/// Runs `target` for so long.
pub(crate) fn command(target: &str, seconds: u32) -> Command {
    let corpus = directory().join("corpus").join(target);
    let artifacts = directory().join("artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        // A folder that cannot be made is libFuzzer's to complain about.
        let _ = std::fs::create_dir_all(folder);
    }
    let mut command = in_fuzz();
    command
        .args(["run", "--quiet", "--bin", target, "--"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_INPUT}"))
        .arg(format!("-rss_limit_mb={MAX_MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=0", "-verbosity=0"])
        .args([corpus, directory().join("seeds").join(target)]);
    command
}

/// Cargo in `fuzz/`: the flags that make libFuzzer work on stable are in `.cargo/config.toml` there, which it reads only
/// from there.
fn in_fuzz() -> Command {
    let mut command = cargo();
    command.current_dir(directory());
    // These would replace the flags of the file, or put the binary elsewhere.
    for variable in ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
        command.env_remove(variable);
    }
    command
}

fn directory() -> PathBuf {
    root().join("fuzz")
}

fn parse_seconds(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| format!("`{text}` is no number of seconds"))
}
