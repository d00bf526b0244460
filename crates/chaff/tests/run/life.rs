use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::bench::{Bench, answers, eventually, hardware_address, pid};

/// A killed child is back within this (50 to 100 ms of pause, the rest is its start on a busy machine).
const BACK: Duration = Duration::from_secs(1);

/// A process that has ended and that nobody has waited for yet is not alive.
fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Connects to port 22 of decoys `from..=to`; each is a first touch, which is never folded away.
fn touch(from: u8, to: u8) -> BTreeSet<String> {
    let names = (from..=to).map(|host| {
        let address = SocketAddr::from(([10, 20, 0, host], 22));
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("an open port");
        format!("10.20.0.{host}")
    });
    names.collect()
}

fn touched(bench: &Bench) -> BTreeSet<String> {
    let events = bench.events();
    let connects = events.iter().filter(|event| event["transport"] == "tcp");
    connects.filter_map(|event| Some(event["decoy"]["ip"].as_str()?.to_owned())).collect()
}

#[test]
fn it_says_when_it_is_up_answers_and_leaves_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut bench = Bench::new("");
        let line = bench.start();
        assert!(line.starts_with("20 decoys on near, up in 0.") && line.ends_with(" s"), "{line}");
        assert!(eventually(BACK, || answers("10.20.0.5").then_some(true)));
        assert!(!answers("10.20.0.77"), "nobody lives there");
        let children = bench.children();
        assert_eq!(children.len(), 2, "a worker and a hub");
        let (status, took) = bench.stop(signal);
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert!(!children.into_iter().any(is_alive), "a child is left");
    }
}

#[test]
fn a_killed_worker_is_back_within_a_second_and_decoys_keep_their_identity() {
    let mut bench = Bench::new("");
    bench.start();
    let before = hardware_address("10.20.0.5");
    let worker = bench.child("worker-process").expect("a worker");
    kill_process(pid(worker), Signal::KILL).expect("killed");
    let killed = Instant::now();
    eventually(BACK, || bench.child("worker-process").filter(|id| *id != worker));
    assert!(eventually(BACK, || answers("10.20.0.5").then_some(true)));
    assert!(killed.elapsed() < BACK, "{:?}", killed.elapsed());
    assert_eq!(hardware_address("10.20.0.5"), before);
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
}

#[test]
fn what_is_seen_while_the_hub_is_dead_is_stored_by_the_next() {
    let mut bench = Bench::new("");
    bench.start();
    let mut expected = touch(1, 5);
    let mut hub = eventually(BACK, || bench.child("hub-process"));
    for (from, to) in [(6, 10), (11, 15), (16, 20)] {
        kill_process(pid(hub), Signal::KILL).expect("killed");
        expected.extend(touch(from, to));
        hub = eventually(BACK, || bench.child("hub-process").filter(|id| *id != hub));
    }
    eventually(Duration::from_secs(5), || (touched(&bench) == expected).then_some(()));
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
    let ids: Vec<String> = bench.events().iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "what was sent twice is stored once");
}

#[test]
fn what_was_seen_in_the_last_moment_is_stored() {
    let mut bench = Bench::new("");
    bench.start();
    let expected = touch(1, 20);
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
    assert_eq!(touched(&bench), expected);
}

#[test]
fn a_second_start_shows_the_same_decoys() {
    let mut bench = Bench::new("");
    bench.start();
    let before = hardware_address("10.20.0.9");
    bench.stop(Signal::TERM);
    bench.start();
    assert_eq!(hardware_address("10.20.0.9"), before);
}

#[test]
fn children_die_with_a_killed_supervisor() {
    let mut bench = Bench::new("");
    bench.start();
    let children = bench.children();
    bench.stop(Signal::KILL);
    eventually(BACK, || (!children.iter().copied().any(is_alive)).then_some(()));
}

#[test]
fn children_hold_no_capability_and_become_the_user_of_the_configuration() {
    let mut bench = Bench::new("user = \"nobody\"");
    bench.start();
    for role in ["worker-process", "hub-process"] {
        let id = bench.child(role).expect("a child");
        let status = eventually(BACK, || {
            let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            text.contains("NoNewPrivs:\t1").then_some(text)
        });
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{role}: {set}: {status}");
        }
        assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{role}: {status}");
        assert!(status.contains("Groups:\t \n"), "{role}: {status}");
    }
    let worker = bench.child("worker-process").expect("a worker");
    // Three standard ones, fleet, roster, spool, hub, control, one interface.
    let open = fs::read_dir(format!("/proc/{worker}/fd")).expect("descriptors").count();
    assert_eq!(open, 9, "descriptors of the worker");
    let expected = touch(1, 2);
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
    assert_eq!(touched(&bench), expected, "the hub may write its store");
}

/// A field of `/proc/PID/status`.
fn status(id: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

/// Without a `user` no change of identity takes them away: it is our own doing.
#[test]
fn children_drop_their_capabilities() {
    const NONE: &str = "0000000000000000";
    let mut bench = Bench::new("");
    bench.start();
    let supervisor = bench.program.as_ref().expect("a program").id();
    assert_ne!(status(supervisor, "CapEff"), NONE, "there is something to give up");
    for role in ["worker-process", "hub-process"] {
        // A child that was just started gives them up before it does anything else.
        let child = eventually(BACK, || bench.child(role).filter(|&id| status(id, "NoNewPrivs") == "1"));
        assert!(status(child, "Uid").starts_with("0\t"), "{role} is root still");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(child, set), NONE, "{role}: {set}");
        }
        // A worker says that it is up when it is sealed; the hub is sealed before it opens its store.
        eventually(BACK, || (status(child, "Seccomp") == "2").then_some(()));
        let tasks = fs::read_dir(format!("/proc/{child}/task")).expect("threads").flatten();
        for task in tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()) {
            assert_eq!(status(task, "CapEff"), NONE, "{role}: thread {task}");
            assert_eq!(status(task, "Seccomp"), "2", "{role}: thread {task}");
        }
    }
    assert!(answers("10.20.0.5"), "it works without them");
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
}

/// Each layer can be done without, where the configuration says so.
#[test]
fn what_the_configuration_does_without_is_not_enforced() {
    let mut bench = Bench::new("sandbox = { without = [\"landlock\", \"seccomp\"] }");
    bench.start();
    for role in ["worker-process", "hub-process"] {
        let child = eventually(BACK, || bench.child(role).filter(|&id| status(id, "NoNewPrivs") == "1"));
        assert_eq!(status(child, "Seccomp"), "0", "{role}");
    }
    assert!(answers("10.20.0.5"));
    assert_eq!(bench.stop(Signal::TERM).0.code(), Some(0));
}

#[test]
fn the_doctor_shows_what_a_worker_is_kept_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaff"));
    let output = command.current_dir(&folder).arg("doctor").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let row = |what: &str| {
        let line = said.lines().find(|line| line.trim_start().starts_with(what));
        line.unwrap_or_else(|| panic!("no {what} in {said}")).to_owned()
    };
    assert!(row("landlock").contains("enforced") && row("seccomp").contains("enforced"), "{said}");
    assert!(row("filters").contains(" 2 ") && row("no_new_privs").contains(" 1 "), "{said}");
    assert!(row("capabilities").contains("none") && row("bounding set").contains("none"), "{said}");
}
