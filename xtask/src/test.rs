use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{cargo, fuzz, goldens, root, shown, summary::Summary, tools};

/// Seconds for each fuzz target in the test command: enough to find what every input finds.
const FUZZ_SAMPLE_SECONDS: u32 = 5;
/// Fuzz targets that run beside each other: one for each processor of the smallest machine that the tests are meant for.
const FUZZ_TARGETS_AT_ONCE: usize = 2;

/// Everything that must hold before a change goes in. The last line is the sum over all of it.
pub(crate) fn run() -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    let mut sum = Summary::default();
    check(&mut sum, cargo().args(["fmt", "--all", "--check"]));
    // Tests wait for scanners and timers most of their time; what only computes runs in these gaps. It begins when the
    // first test runs: before that, cargo needs the folder of the debug build for itself.
    let mut beside = None;
    let tests = &mut cargo();
    if nothing_is_compiled() {
        tests.env("CARGO_INCREMENTAL", "0");
    }
    runner(&mut sum, tests.args(["test", "--workspace", "--no-fail-fast"]), || {
        beside = Some(std::thread::spawn(in_gaps));
    });
    sum.add(beside.map_or_else(in_gaps, |thread| thread.join().unwrap_or_else(|_| Summary::of_one(false))));
    for targets in fuzz::targets()?.chunks(FUZZ_TARGETS_AT_ONCE) {
        let mut commands: Vec<_> = targets.iter().map(|target| fuzz::command(target, FUZZ_SAMPLE_SECONDS)).collect();
        check_all(&mut sum, &mut commands);
    }
    close(sum)
}

/// Whether this is the first run on this machine. What makes later compilations shorter makes that one a fifteenth longer.
fn nothing_is_compiled() -> bool {
    let libraries = std::fs::read_dir(root().join("target/debug/deps")).into_iter().flatten().flatten();
    !libraries.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libchaff_engine-"))
}

/// The checks that need a processor, but no quiet machine.
fn in_gaps() -> Summary {
    let mut sum = Summary::default();
    check_in_gaps(&mut sum, cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    check_in_gaps(&mut sum, &fuzz::build());
    sum
}

/// The tests that are marked `ignore = "soak: …"`, in release mode: they move much, or take minutes.
pub(crate) fn soak() -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    // The servers of other suites, beside which the products of SSH are held.
    goldens::trees()?;
    let mut sum = Summary::default();
    let mut command = cargo();
    command.args([
        "test",
        "--release",
        "-p",
        "chaff",
        "-p",
        "chaff-sensor",
        "-p",
        "chaff-services",
        "-p",
        "chaff-testkit",
        "--no-fail-fast",
        "--",
    ]);
    runner(&mut sum, command.args(["--ignored", "--nocapture", "--test-threads=1", "soak"]), || {});
    close(sum)
}

fn close(sum: Summary) -> Result<(), String> {
    println!("{sum}");
    if sum.failed == 0 && sum.passed > 0 { Ok(()) } else { Err(String::new()) }
}

/// A command that passes or fails as a whole.
fn check(sum: &mut Summary, command: &mut Command) {
    check_all(sum, std::slice::from_mut(command));
}

/// Commands that run beside each other, each of which passes or fails as a whole.
fn check_all(sum: &mut Summary, commands: &mut [Command]) {
    let begun = Instant::now();
    let mut children = Vec::new();
    for command in commands.iter_mut() {
        eprintln!("── {}", shown(command));
        children.push(command.spawn());
    }
    for (command, child) in commands.iter().zip(children) {
        let passed = child.and_then(|mut child| child.wait()).is_ok_and(|status| status.success());
        report(command, passed, begun);
        sum.add(Summary::of_one(passed));
    }
}

/// A command that passes or fails as a whole, and computes only while nothing else wants to: scheduled as idle, so that
/// what it runs beside is woken as soon as without it. What it says is shown when it failed, in one piece.
fn check_in_gaps(sum: &mut Summary, command: &Command) {
    let begun = Instant::now();
    let mut idle = Command::new("chrt");
    idle.args(["--idle", "0"]).arg(command.get_program()).args(command.get_args());
    idle.current_dir(command.get_current_dir().unwrap_or(&root()));
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => idle.env(variable, value),
            None => idle.env_remove(variable),
        };
    }
    let output = idle.stdin(Stdio::null()).output();
    let passed = output.as_ref().is_ok_and(|output| output.status.success());
    match output {
        Ok(output) if !passed => eprint!("{}", String::from_utf8_lossy(&output.stderr)),
        Ok(_) => {}
        Err(error) => eprintln!("cannot run chrt(1) of util-linux: {error}"),
    }
    report(command, passed, begun);
    sum.add(Summary::of_one(passed));
}

/// A test runner: its own counts are added. One that dies before it counts anything is one failure. `compiled` is called
/// when the first line comes of a test.
fn runner(sum: &mut Summary, command: &mut Command, compiled: impl FnOnce()) {
    let begun = Instant::now();
    eprintln!("── {}", shown(command));
    let mut counted = Summary::default();
    let mut compiled = Some(compiled);
    let passed = stream(command, |line| {
        if let Some(compiled) = compiled.take() {
            compiled();
        }
        println!("{line}");
        if let Some(result) = Summary::of_line(line) {
            counted.add(result);
        }
    });
    if !passed && counted.failed == 0 {
        // It did not compile, or a runner was killed in the middle.
        counted.failed += 1;
    }
    report(command, passed, begun);
    sum.add(counted);
}

/// Runs `command` and hands over each line of its standard output as it comes. Whether it ended well.
fn stream(command: &mut Command, mut each: impl FnMut(&str)) -> bool {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        return false;
    };
    if let Some(out) = child.stdout.take() {
        let mut reader = BufReader::new(out);
        let mut line = Vec::new();
        // Bytes, not `lines()`: a test may print what is not UTF-8.
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
            line.clear();
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

fn report(command: &Command, passed: bool, begun: Instant) {
    let word = if passed { "passed" } else { "FAILED" };
    eprintln!("── {word} in {:.0} s: {}", begun.elapsed().as_secs_f64(), shown(command));
}
