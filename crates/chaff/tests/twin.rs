//! The twin: a decoy with the personality of this kernel beside the kernel itself. A battery of raw packets asks both
//! the same questions, and the answers are the same.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path};

use chaff_testkit::{
    battery::{self, Answer, Difference, Probe},
    network::{Network, TWIN, alone},
    process::Chaff,
};

const DECOY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
const CONFIG: &str = r#"
[[network]]
name      = "office"
interface = "dut0"
subnet    = "10.0.0.0/8"

[[network.decoys]]
profile     = "linux-server"
personality = "linux-6.x"
addresses   = ["10.20.0.10"]
coherent    = false
ports       = { "7/tcp" = "echo", "7/udp" = "echo", "9/tcp" = "discard", "11/tcp" = "file:mute.toml", "13/tcp" = "file:leaver.toml", "17/tcp" = "file:closer.toml", "19/tcp" = "file:sayer.toml", "default/tcp" = "closed", "default/udp" = "closed" }
"#;
/// Services that do what the twin's servers of the same ports do; see `battery::servers`.
const MUTE: &str = r#"
name = "mute"
title = "Never reads"
source = "fitted: for this test"
[kind.banner]
greeting-delay-ms = 3600000
"#;
const LEAVER: &str = r#"
name = "leaver"
title = "Leaves without having read"
source = "fitted: for this test"
[kind.banner]
greeting-delay-ms = 3600000
idle-timeout-s = 1
"#;
const CLOSER: &str = r#"
name = "closer"
title = "Answers one line and closes"
source = "fitted: for this test"
[kind.banner]
otherwise = 'ok\r\n'
otherwise-closes = true
"#;
/// What cannot be equal, and why. It is tested to differ still: what has become equal is to leave this list.
const UNEQUAL: [(&str, &str); 1] = [(
    "data: half a megabyte that is read",
    "the kernel widens the window by how fast its service reads, which a decoy's does at once",
)];
/// How often what differs is asked again: a busy machine is late, a wrong stack is wrong every time. The kernel does not
/// do the same each time either, where it depends on how packets fell together; the decoy has to do one of the things that
/// the kernel did.
const TRIES: u8 = 5;

#[test]
fn the_decoy_answers_as_the_kernel_does() {
    alone("the_decoy_answers_as_the_kernel_does", || {
        let folder = tempfile::tempdir().unwrap();
        let sayer = format!(
            "name = \"sayer\"\ntitle = \"Speaks first\"\nsource = \"fitted: for this test\"\n[kind.banner]\ngreeting = '{}'\n",
            "x".repeat(battery::servers::SPEECH)
        );
        for (name, text) in [("mute", MUTE), ("leaver", LEAVER), ("closer", CLOSER), ("sayer", &sayer)] {
            std::fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        let network = Network::new();
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), CONFIG);
        chaff.hurry();
        battery::servers::start(&network.twin).unwrap();
        let mut probes = battery::all();
        if let Ok(part) = std::env::var("CHAFF_PROBES") {
            probes.retain(|probe| probe.name.contains(&part));
        }
        let (mut rounds, mut differing) = (Vec::new(), Vec::new());
        let tries = std::env::var("CHAFF_TRIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(TRIES);
        for round in 0..tries {
            let (decoy, twin) = record(&network, round, &probes);
            if std::env::var_os("CHAFF_RECORD").is_some() {
                twin.iter().for_each(|answer| print!("{answer}"));
            }
            rounds.push((decoy, twin));
            differing = probes.iter().filter_map(|probe| difference(&rounds, probe.name)).collect();
            probes.retain(|probe| differing.iter().any(|difference| difference.probe == probe.name));
            if probes.iter().all(|probe| is_unequal(probe.name)) {
                break;
            }
        }
        if std::env::var_os("CHAFF_PROBES").is_none() {
            for (probe, reason) in UNEQUAL {
                assert!(differing.iter().any(|d| d.probe == probe), "{probe} is equal now; it was not, since {reason}");
            }
        }
        differing.retain(|difference| !is_unequal(difference.probe));
        assert!(differing.is_empty(), "the decoy (-), and the kernel (+):\n{}", shown(&differing));
    });
}

fn is_unequal(probe: &str) -> bool {
    UNEQUAL.iter().any(|(unequal, _)| *unequal == probe)
}

/// How the decoy's latest answer to `probe` differs from the kernel's, unless in some round it did what the kernel did in
/// some round.
fn difference(rounds: &[(Vec<Answer>, Vec<Answer>)], probe: &str) -> Option<Difference> {
    let of = |answers: &[Answer]| answers.iter().find(|answer| answer.probe == probe).cloned();
    let ours = rounds.iter().filter_map(|(decoy, _)| of(decoy));
    let mut last = None;
    for decoy in ours {
        for kernel in rounds.iter().filter_map(|(_, twin)| of(twin)) {
            last = Some(battery::differences(std::slice::from_ref(&decoy), &[kernel]).pop()?);
        }
    }
    last
}

/// Both hosts, side by side.
fn record(network: &Network, round: u8, probes: &[Probe]) -> (Vec<Answer>, Vec<Answer>) {
    std::thread::scope(|scope| {
        let decoy = scope.spawn(|| battery::record(&network.atk, "atk0", DECOY, (1, round), probes).unwrap());
        let twin = battery::record(&network.atk, "atk0", TWIN, (2, round), probes).unwrap();
        (decoy.join().unwrap(), twin)
    })
}

fn shown(differences: &[Difference]) -> String {
    differences.iter().fold(String::new(), |mut text, difference| {
        let _ = writeln!(text, "{}\n{}", difference.probe, difference.text);
        text
    })
}
