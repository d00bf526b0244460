//! The twin: a decoy with the personality of this kernel beside the kernel itself. A battery of raw packets asks both
//! the same questions, and the answers are the same.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path};

use chaff_testkit::{
    battery::{self, Answer, Difference, Probe},
    network::{Network, TWIN, alone},
    process::Chaff,
};

const DECOY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
const HEAD: &str = r#"
[[network]]
name      = "office"
interface = "dut0"
subnet    = "10.0.0.0/8"

[[network.decoys]]
profile     = "linux-server"
personality = "linux-6.x"
addresses   = ["10.20.0.10"]
coherent    = false
"#;
/// How often what differs is asked again: a busy machine is late, a wrong stack is wrong every time. The kernel does not
/// do the same each time either, where it depends on how packets fell together; the decoy has to do one of the things that
/// the kernel did.
const TRIES: u8 = 9;

#[test]
fn the_decoy_answers_as_the_kernel_does() {
    alone("the_decoy_answers_as_the_kernel_does", || {
        let folder = tempfile::tempdir().unwrap();
        battery::servers::write_services(folder.path()).unwrap();
        let ports = battery::servers::PORTS;
        let config =
            format!("{HEAD}ports = {{ {ports}, \"default/tcp\" = \"closed\", \"default/udp\" = \"closed\" }}\n");
        let network = Network::new();
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), &config);
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
            differing = probes.iter().filter_map(|probe| battery::lasting_difference(&rounds, probe.name)).collect();
            probes.retain(|probe| differing.iter().any(|difference| difference.probe == probe.name));
            if probes.is_empty() {
                break;
            }
        }
        assert!(differing.is_empty(), "the decoy (-), and the kernel (+):\n{}", shown(&differing));
    });
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
