use super::*;

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
        "nothing" => {}
        other => panic!("{other}"),
    }
    let done = do_it(deed, &state);
    // A formatted message would allocate, which a sealed worker may.
    println!("{}", done.map_or_else(|error| format!("refused: {error}"), |()| "done".to_owned()));
}

fn do_it(deed: &str, state: &Path) -> io::Result<()> {
    match deed {
        "allocate" => {
            let octets = vec![1_u8; 8 << 20];
            assert!(octets.iter().all(|&octet| octet == 1));
            Ok(())
        }
        "read a file" => std::fs::read("/etc/hostname").map(drop),
        "write a file" => std::fs::write(state.join("chaff-sandbox-test"), "x"),
        "write elsewhere" => std::fs::write("/var/chaff-sandbox-test", "x"),
        "open a socket" => std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
        "listen" => std::net::TcpListener::bind("127.0.0.1:0").map(drop),
        "start a program" => {
            let ended = std::process::Command::new("/bin/true").status()?;
            if ended.success() { Ok(()) } else { Err(io::Error::other(ended.to_string())) }
        }
        "start a thread" => std::thread::Builder::new().spawn(|| {}).map(drop),
        "signal somebody" => Ok(rustix::process::test_kill_process(rustix::process::getpid())?),
        "make code" => {
            use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
            // SAFETY: a new mapping, which nothing uses.
            #[allow(unsafe_code)]
            let mapped = unsafe {
                mmap_anonymous(std::ptr::null_mut(), 4096, ProtFlags::READ | ProtFlags::EXEC, MapFlags::PRIVATE)
            };
            Ok(mapped.map(drop)?)
        }
        other => panic!("{other}"),
    }
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
    for deed in ["allocate", "read a file", "open a socket", "listen", "start a program", "start a thread", "make code"]
    {
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
    ] {
        assert_eq!(outcome("worker", deed), "killed", "{deed}");
    }
    assert_eq!(outcome("worker", "make code"), "refused: Operation not permitted (os error 1)");
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
}
