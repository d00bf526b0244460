//! What an intruder would try from inside of a running child, by the hole that builds for tests have (`src/hole.rs`).

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::bench::{Bench, CHAFF, eventually};

/// How long a start and an attempt may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

const KILLED: &str = "ended (signal: 31 (SIGSYS)";
const REFUSED: &str = "hole: refused: Operation not permitted (os error 1)";
const DONE: &str = "hole: done";

/// What `child` meets that tries `deed`, with `tail` in the configuration: one of the three.
fn outcome(tail: &str, child: &str, deed: &str) -> &'static str {
    let mut bench = Bench::with("", tail);
    let said = bench.directory.path().join("said");
    let program = Command::new(CHAFF)
        .args(bench.arguments())
        .env("CHAFF_HOLE", format!("{child}: {deed}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).expect("a file"))
        .spawn()
        .expect("chaff runs");
    bench.program = Some(program);
    eventually(PATIENCE, || {
        let said = fs::read_to_string(&said).unwrap_or_default();
        [KILLED, REFUSED, DONE].into_iter().find(|outcome| said.contains(outcome))
    })
}

const DEADLY: [&str; 10] = [
    "read a file",
    "write a file",
    "open a socket",
    "listen",
    "start a program",
    "start a thread",
    "signal its parent",
    "look into another",
    "make a namespace",
    "send behind another interface in a batch",
];
const REFUSED_ONES: [&str; 3] = ["make code", "signal a thread of its parent", "send behind another interface"];

#[test]
fn whoever_takes_over_a_worker_gets_nothing_by_it() {
    for deed in DEADLY {
        assert_eq!(outcome("", "worker", deed), KILLED, "{deed}");
    }
    for deed in REFUSED_ONES {
        assert_eq!(outcome("", "worker", deed), REFUSED, "{deed}");
    }
}

/// The attempts are real: without the seal, they come to something.
#[test]
fn a_worker_without_seal_is_held_by_nothing() {
    let bare = "[sandbox]\nwithout = [\"landlock\", \"seccomp\"]";
    for deed in
        ["read a file", "open a socket", "make code"].into_iter().chain(REFUSED_ONES).chain(DEADLY.last().copied())
    {
        assert_eq!(outcome(bare, "worker", deed), DONE, "{deed}");
    }
}

#[test]
fn whoever_takes_over_the_hub_starts_nothing_and_looks_into_nobody() {
    for deed in ["look into another", "make a namespace"] {
        assert_eq!(outcome("", "hub", deed), KILLED, "{deed}");
    }
}

/// Limits of memory and descriptors, as the kernel has them for the running children.
#[test]
fn children_are_limited() {
    let mut bench = Bench::new("");
    bench.start();
    for (role, descriptors) in [("worker-process", "256"), ("hub-process", "1024")] {
        let id = bench.child(role).expect("a child");
        let limit = |name: &str| {
            let limits = fs::read_to_string(format!("/proc/{id}/limits")).expect("a process");
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().expect("soft"), words.next().expect("hard"))
        };
        let both = |value: &str| (value.to_owned(), value.to_owned());
        eventually(PATIENCE, || (limit("Max open files") == both(descriptors)).then_some(()));
        assert_eq!(limit("Max core file size"), both("0"), "{role}");
        let (soft, hard) = limit("Max data size");
        let octets: u64 = soft.parse().expect("a number, not `unlimited`");
        assert!(soft == hard && (1 << 30..=3 << 30).contains(&octets), "{role}: {octets}");
    }
}
