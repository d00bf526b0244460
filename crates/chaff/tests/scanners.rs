//! Scanners look at a decoy and at the kernel whose personality it has, and report the same of both.

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

use chaff_lab::Namespace;
use chaff_testkit::{
    battery::servers,
    network::{Network, TWIN, Turn, run_any},
    office, p0f,
    process::Chaff,
};

const DECOY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
/// Ports that are open on both: one that sends back what comes, and one that says nothing.
const OPEN: [u16; 2] = [7, 9];
const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile     = "linux-server"
personality = "linux-6.x"
addresses   = ["10.20.0.10"]
coherent    = false
ports       = { "7/tcp" = "echo", "9/tcp" = "discard", "7/udp" = "echo", "default/tcp" = "closed", "default/udp" = "closed" }
"#
);
/// What depends on how busy this machine is gets so many chances.
const TRIES: usize = 3;

/// A decoy and its twin, with the same ports open, and each with a way out of the subnet.
fn with_twin(turn: Turn, name: &str, test: impl FnOnce(&Network)) {
    turn.take(name, || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), CONFIG);
        chaff.hurry();
        network.twin.route("0.0.0.0/0", "10.0.0.1").unwrap();
        servers::start(&network.twin).unwrap();
        test(&network);
    });
}

/// Runs a program against the decoy and against the twin, and holds `look` at both outputs to be equal in one of a few
/// tries.
fn same<T: PartialEq + std::fmt::Debug>(
    network: &Network,
    program: &str,
    words: &[&str],
    look: impl Fn(&str, Ipv4Addr) -> T,
) {
    let mut said = String::new();
    for _ in 0..TRIES {
        let of = |target: Ipv4Addr| {
            let ip = target.to_string();
            let words: Vec<&str> =
                words.iter().map(|word| if *word == "TARGET" { ip.as_str() } else { word }).collect();
            let out = run_any(&network.atk, 120, program, &words);
            let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
            (look(&text, target), text)
        };
        let ((decoy, ours), (twin, theirs)) = (of(DECOY), of(TWIN));
        if decoy == twin {
            return;
        }
        said = format!("of the decoy: {decoy:?}\nof the kernel: {twin:?}\n{ours}\n{theirs}");
    }
    panic!("{program} {} sees something else\n{said}", words.join(" "));
}

/// Ports and protocols with their states, as nmap's grepable output names them: `7/open/tcp`.
fn states(grepable: &str, _: Ipv4Addr) -> BTreeSet<String> {
    let field = |part: &str| {
        let mut fields = part.trim().split('/');
        let (number, state, kind) = (fields.next()?, fields.next()?, fields.next()?);
        number.parse::<u16>().ok().map(|number| format!("{number}/{state}/{kind}"))
    };
    let found: BTreeSet<String> = grepable.split([' ', ',', '\t', '\n']).filter_map(field).collect();
    assert!(!found.is_empty(), "nothing found: {grepable}");
    found
}

/// The lines that a script of nmap's printed.
fn script_lines(out: &str, _: Ipv4Addr) -> Vec<String> {
    out.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect()
}

#[test]
fn arp_fingerprint_sees_the_kernel() {
    with_twin(Turn::Beside, "arp_fingerprint_sees_the_kernel", |network| {
        same(network, "arp-fingerprint", &["-o", "-I atk0", "TARGET"], |out, _| {
            let pattern = out.split('\t').nth(1).unwrap_or_default().to_owned();
            assert_eq!(pattern.len(), 11, "{out}");
            pattern
        });
    });
}

#[test]
fn every_kind_of_scan_reports_the_same_states() {
    with_twin(Turn::Beside, "every_kind_of_scan_reports_the_same_states", |network| {
        for scan in ["-sS", "-sT", "-sF", "-sN", "-sX", "-sA", "-sW", "-sM"] {
            let words = ["-n", "-Pn", "-v", scan, "-p", "7,9,81,82,65535", "-oG", "-", "TARGET"];
            same(network, "nmap", &words, states);
        }
        // SYN and FIN together, and every flag there is.
        for flags in ["SYNFIN", "SYNRST", "PSH", "URGACKPSHRSTSYNFIN", "ECECWR"] {
            let words = ["-n", "-Pn", "-v", "-sS", "--scanflags", flags, "-p", "7,81", "-oG", "-", "TARGET"];
            same(network, "nmap", &words, states);
        }
    });
}

#[test]
fn scans_over_udp_and_ip_report_the_same_states() {
    with_twin(Turn::Beside, "scans_over_udp_and_ip_report_the_same_states", |network| {
        let words = ["-n", "-Pn", "-v", "-sU", "-p", "7,9,53,161,33333", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
        // Protocols that need no module of this machine's kernel.
        let words = ["-n", "-Pn", "-v", "-sO", "-p", "1,2,6,17,77,253", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
    });
}

#[test]
fn wrong_checksums_and_fragments_are_met_the_same() {
    with_twin(Turn::Beside, "wrong_checksums_and_fragments_are_met_the_same", |network| {
        let words = ["-n", "-Pn", "-v", "-sS", "--badsum", "-p", "7,81", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
        let words = ["-n", "-Pn", "-v", "-sU", "--badsum", "-p", "7,81", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
        let words = ["-n", "-Pn", "-v", "-sS", "-f", "-p", "7,81", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
        let words = ["-n", "-Pn", "-v", "-sS", "--ip-options", "R", "-p", "7,81", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
        let words = ["-n", "-Pn", "-v", "-sS", "--data-length", "40", "-p", "7,81", "-oG", "-", "TARGET"];
        same(network, "nmap", &words, states);
    });
}

/// nmap says of a host why it is no zombie.
#[test]
fn neither_is_a_zombie() {
    with_twin(Turn::Alone, "neither_is_a_zombie", |network| {
        for port in OPEN {
            // Each is asked to be the zombie for a scan of the other.
            let said = |zombie: Ipv4Addr, target: Ipv4Addr| {
                let (named, target) = (format!("{zombie}:{port}"), target.to_string());
                let out = run_any(&network.atk, 60, "nmap", &["-n", "-Pn", "-sI", &named, "-p", "22", &target]);
                let text = [out.stdout, out.stderr].concat();
                let text = String::from_utf8_lossy(&text).replace(&zombie.to_string(), "it");
                text.lines().filter(|line| line.contains("ombie") || line.contains("IP ID")).collect::<String>()
            };
            let (decoy, twin) = (said(DECOY, TWIN), said(TWIN, DECOY));
            assert!(twin.contains("IP ID"), "{twin}");
            assert_eq!(decoy, twin);
        }
    });
}

#[test]
fn nmaps_scripts_see_the_kernel() {
    with_twin(Turn::Alone, "nmaps_scripts_see_the_kernel", |network| {
        let words = ["-n", "-Pn", "-p", "7,81", "--script", "ipidseq", "TARGET"];
        same(network, "nmap", &words, |out, target| {
            let lines = script_lines(out, target);
            assert!(!lines.is_empty(), "{out}");
            lines
        });
    });
}

/// Whether qscan, at the strictest of its confidences, puts the three ports of a host at more than one distance.
fn falls_apart(network: &Network, target: Ipv4Addr) -> bool {
    let ip = target.to_string();
    let args = "qscan.delay=30ms,qscan.confidence=0.9995";
    let words = ["-n", "-Pn", "-p", "7,9,81", "--script", "qscan", "--script-args", args, &ip];
    let out = run_any(&network.atk, 120, "nmap", &words);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let family = |port: &str| {
        let rows = text.lines().map(|line| line.trim_start_matches(['|', '_', ' ']));
        let mut fields = rows.filter(|row| !row.contains('/')).map(str::split_whitespace);
        let mut row = fields.find(|row| row.clone().next() == Some(port)).unwrap_or_else(|| panic!("{text}"));
        row.nth(1).map(str::to_owned)
    };
    let families: BTreeSet<_> = ["7", "9", "81"].map(family).into();
    families.len() > 1
}

/// qscan tells by the round trips which ports are as far away as which, so whether something on the way answers for
/// some of them. What it says is a statistic: now and then a kernel falls apart too, whose refusals are some
/// microseconds faster than its acceptances.
#[test]
fn qscan_tells_no_port_from_another_more_often_than_a_kernels() {
    const ROUNDS: usize = 5;
    with_twin(Turn::Alone, "qscan_tells_no_port_from_another_more_often_than_a_kernels", |network| {
        let apart: Vec<[bool; 2]> =
            (0..ROUNDS).map(|_| [DECOY, TWIN].map(|target| falls_apart(network, target))).collect();
        let times = |which: usize| apart.iter().filter(|round| round[which]).count();
        assert!(times(0) <= times(1) + 1, "[decoy, kernel] in each round: {apart:?}");
    });
}

/// Who listens to everything gives himself away by answering questions that his card should not have let in. A veth lets
/// everything in, so the kernel beside the decoy has another card here.
#[test]
fn sniffer_detect_takes_neither_for_a_sniffer() {
    const CARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    with_twin(Turn::Beside, "sniffer_detect_takes_neither_for_a_sniffer", |network| {
        let host = Namespace::new().unwrap();
        host.disable_ipv6().unwrap();
        network.plug(&host, "cable0", None).unwrap();
        let card = host.macvlan("card0", "cable0").unwrap();
        card.address(&format!("{CARD}/8")).unwrap();
        // The cable below the card does not answer for it.
        host.sysctl("net.ipv4.conf.cable0.arp_ignore", "1").unwrap();
        let said = |target: Ipv4Addr| {
            let words = ["-n", "-Pn", "-p", "7", "--script", "sniffer-detect", &target.to_string()];
            let out = run_any(&network.atk, 60, "nmap", &words);
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(text.contains("Host is up"), "{text}");
            script_lines(&text, target)
        };
        let honest = said(CARD);
        assert_eq!(said(DECOY), honest);
        card.promiscuous().unwrap();
        assert_ne!(said(CARD), honest, "a real sniffer is not found either");
    });
}

#[test]
fn p0f_prints_the_same_raw_signature() {
    with_twin(Turn::Beside, "p0f_prints_the_same_raw_signature", |network| {
        let seen = p0f::watch(&network.atk, "atk0", &[DECOY, TWIN], 9, |_, signatures| !signatures.is_empty());
        assert_eq!(seen[&TWIN].len(), 1, "{seen:?}");
        assert_eq!(seen[&DECOY], seen[&TWIN]);
    });
}

/// nmap's own fingerprint of both: the same but for what is a statistic of random numbers.
#[test]
fn nmap_prints_the_same_fingerprint() {
    with_twin(Turn::Alone, "nmap_prints_the_same_fingerprint", |network| {
        let words = ["--send-eth", "-O", "-d", "-n", "-Pn", "-p", "T:7,81", "TARGET"];
        same(network, "nmap", &words, |out, _| {
            let wrapped: String = out.lines().filter_map(|line| line.strip_prefix("OS:")).collect();
            assert!(wrapped.contains("OPS("), "{out}");
            let tests = wrapped.split(')').filter(|test| !test.starts_with("SCAN"));
            let stable = |test: &str| {
                let fields = test
                    .split(['(', '%'])
                    .filter(|field| !["SP=", "GCD=", "ISR=", "TS="].iter().any(|restless| field.starts_with(restless)));
                fields.collect::<Vec<_>>().join("%")
            };
            tests.map(stable).collect::<BTreeSet<_>>()
        });
    });
}
