//! The gate against std: the engine, and all that it stands on, links into a program without std and without C; and the
//! gate is a gate: with either of them it does not.

use std::{path::Path, process::Command};

/// Builds the gate with `features`; returns whether that worked and what was said.
fn build(features: &str) -> (bool, String) {
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/nostd-gate");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--features", features])
        .current_dir(gate)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("cargo runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_engine_needs_neither_std_nor_c_and_the_gate_would_notice() {
    let (built, said) = build("");
    assert!(built, "std or C crept into the engine, or the gate needs a new symbol:\n{said}");
    let (built, said) = build("std");
    assert!(!built && said.contains("panic_impl"), "std went through the gate:\n{said}");
    let (built, said) = build("libc");
    assert!(!built && said.contains("getpid"), "a call of C went through the gate:\n{said}");
}
