use super::*;
use crate::hole;

#[test]
fn layers_have_the_names_of_the_configuration() {
    for layer in Layer::ALL {
        assert_eq!(Layer::named(layer.name()), Some(layer));
    }
    assert_eq!(Layer::named("apparmor"), None);
}

#[test]
fn a_supported_layer_says_so() {
    for layer in Layer::ALL {
        let lacking = matches!(support(layer), Support::Missing(_));
        assert_eq!(lacking, missing().contains(&layer));
    }
}

#[test]
fn what_is_done_without_is_not_missed() {
    assert!(check(&Layer::ALL).is_ok());
    assert_eq!(quoted(&Layer::ALL), "\"landlock\", \"seccomp\"");
}

/// What a program tries that an intruder smuggled in; run in a process of its own, which may not survive it.
const ATTEMPT: &str = "CHAFF_TEST_ATTEMPT";

/// Not a test: what the others run, sealed.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn attempt() {
    let attempt = std::env::var(ATTEMPT).unwrap();
    let (seal, deed) = attempt.split_once(' ').unwrap();
    let state = std::env::temp_dir();
    match seal {
        "worker" => seal_worker(&[], 0).unwrap(),
        "worker-without-seccomp" => seal_worker(&[Layer::Seccomp], 0).unwrap(),
        "worker-without-landlock" => seal_worker(&[Layer::Landlock], 0).unwrap(),
        "hub" => seal_hub(&[], &state).unwrap(),
        // What is started in the emulator's place lies where Debian has that.
        "node-host" => seal_node_host(&[], Some(Path::new("/usr/bin/qemu-system-x86_64")), 1).unwrap(),
        "node-host-of-xen" => seal_node_host(&[], None, 1).unwrap(),
        "nothing" => {}
        other => panic!("{other}"),
    }
    println!("{}", hole::attempt(deed, &state));
}

/// What came of it: what the process said, or the signal that ended it.
fn outcome(seal: &str, deed: &str) -> String {
    use std::os::unix::process::ExitStatusExt;
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["sandbox::tests::attempt", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ATTEMPT, format!("{seal} {deed}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.signal() {
        Some(libc::SIGSYS) => "killed".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => said
            .lines()
            .find_map(|line| line.find("refused: ").or_else(|| line.find("done")).and_then(|at| line.get(at..)))
            .map_or_else(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)), str::to_owned),
    }
}

#[test]
fn without_a_seal_each_of_these_works() {
    for deed in [
        "allocate",
        "read a file",
        "open a socket",
        "listen",
        "start a program",
        "start a program of its own",
        "start a thread",
        "signal its parent",
        "signal a thread of its parent",
        "signal itself",
        "look into another",
        "make a namespace",
        "make code",
    ] {
        assert_eq!(outcome("nothing", deed), "done", "{deed}");
    }
}

#[test]
fn a_sealed_worker_goes_on_and_whatever_only_an_intruder_does_ends_it() {
    assert_eq!(outcome("worker", "allocate"), "done");
    for deed in [
        "read a file",
        "write a file",
        "open a socket",
        "listen",
        "start a program",
        "start a thread",
        "signal somebody",
        "look into another",
        "make a namespace",
    ] {
        assert_eq!(outcome("worker", deed), "killed", "{deed}");
    }
    assert_eq!(outcome("worker", "signal itself"), "done", "as who panics does");
    for seal in ["worker", "worker-without-landlock"] {
        for deed in ["make code", "signal a thread of its parent"] {
            assert_eq!(outcome(seal, deed), "refused: Operation not permitted (os error 1)", "{seal}: {deed}");
        }
    }
}

#[test]
fn each_layer_holds_alone() {
    for deed in ["read a file", "write a file"] {
        assert_eq!(outcome("worker-without-seccomp", deed), "refused: Permission denied (os error 13)", "{deed}");
        assert_eq!(outcome("worker-without-landlock", deed), "killed", "{deed}");
    }
}

#[test]
fn a_sealed_hub_writes_its_store_and_sends_and_starts_nothing() {
    for deed in ["allocate", "read a file", "write a file", "open a socket", "start a thread"] {
        assert_eq!(outcome("hub", deed), "done", "{deed}");
    }
    // The child that would have become the program is killed in the attempt.
    assert_eq!(outcome("hub", "start a program"), "refused: signal: 31 (SIGSYS)");
    for deed in ["write elsewhere", "listen"] {
        assert_eq!(outcome("hub", deed), "refused: Permission denied (os error 13)", "{deed}");
    }
    for deed in ["look into another", "make a namespace"] {
        assert_eq!(outcome("hub", deed), "killed", "{deed}");
    }
}

#[test]
fn a_sealed_node_host_starts_what_is_installed_and_reaches_nothing_else() {
    for deed in ["allocate", "start a thread", "start a program"] {
        assert_eq!(outcome("node-host", deed), "done", "{deed}");
    }
    for deed in ["read a file", "write a file", "write elsewhere", "start a program of its own"] {
        assert_eq!(outcome("node-host", deed), "refused: Permission denied (os error 13)", "{deed}");
    }
    for deed in ["open a socket", "listen", "look into another", "make a namespace"] {
        assert_eq!(outcome("node-host", deed), "refused: Operation not permitted (os error 1)", "{deed}");
    }
    if landlock_version() >= Some(LANDLOCK as i32) {
        assert_eq!(outcome("node-host", "signal its parent"), "refused: Operation not permitted (os error 1)");
    }
}

#[test]
fn a_sealed_node_host_without_an_emulator_starts_nothing() {
    assert_eq!(outcome("node-host-of-xen", "allocate"), "done");
    assert_eq!(outcome("node-host-of-xen", "start a program"), "refused: signal: 31 (SIGSYS)");
    for deed in ["read a file", "write a file"] {
        assert_eq!(outcome("node-host-of-xen", deed), "refused: Permission denied (os error 13)", "{deed}");
    }
    for deed in ["open a socket", "listen"] {
        assert_eq!(outcome("node-host-of-xen", deed), "refused: Operation not permitted (os error 1)", "{deed}");
    }
    for deed in ["look into another", "make a namespace"] {
        assert_eq!(outcome("node-host-of-xen", deed), "killed", "{deed}");
    }
}
