use alloc::{string::String, sync::Arc, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::Identity;

/// 2026-11-27 02:40:11 UTC, a Friday.
const NOW: u64 = 1_795_747_211_000_000_000;
/// 41 days, 11 hours, 3 minutes and 20 seconds.
const UPTIME: u64 = (41 * 86_400 + 11 * 3600 + 200) * 1_000_000_000;
const SECRET: &str = "Winter2019!";

fn product(text: &str) -> Arc<ConsoleSpec> {
    let table: toml::Table = text.parse().unwrap();
    Arc::new(table["kind"]["ssh"]["console"].clone().try_into().unwrap())
}

fn switch() -> Arc<ConsoleSpec> {
    product(include_str!("../../../../profiles/services/cisco-ssh-1.25.toml"))
}

fn console_of(spec: &Arc<ConsoleSpec>, seed: u8, terminal: bool) -> Console {
    let who = Who::new(&Identity {
        hostname: "sw-eg-03.example.org",
        ip: "10.20.1.16".parse().unwrap(),
        mac: chaff_wire::Mac([0x00, 0x1b, 0xd4, 0x9a, 0x10, 0xff]),
        seed: [seed; 16],
        serial: None,
    });
    let around = Surroundings {
        uptime: Some(UPTIME),
        ports: vec![22, 23, 80],
        peer: Some(("10.20.3.9".parse().unwrap(), 51544)),
        prefix: Some(22),
    };
    let accounts = Arc::from([Account { user: "backup".into(), password: SECRET.into() }]);
    Console::new(spec, &who, "backup", NOW, &around, terminal).admitting(&accounts)
}

fn say(console: &mut Console, line: &str) -> String {
    let mut said = Written::default();
    console.handle_line(NOW, line.as_bytes(), &mut said);
    String::from_utf8(said.all()).unwrap()
}

/// A session without pages, in privileged mode.
fn privileged() -> Console {
    let mut console = console_of(&switch(), 7, true);
    say(&mut console, "terminal length 0");
    say(&mut console, "enable");
    say(&mut console, SECRET);
    assert_eq!(console.prompt(), b"sw-eg-03#");
    console
}

#[test]
fn a_session_from_prompt_to_exit() {
    let mut console = console_of(&switch(), 7, true);
    assert_eq!(console.greeting(), b"\n");
    assert_eq!(console.prompt(), b"sw-eg-03>");
    assert_eq!(say(&mut console, ""), "");
    assert_eq!(say(&mut console, "sh clo"), "*02:40:11.000 UTC Fri Nov 27 2026\n");
    assert_eq!(say(&mut console, "SHOW PRIVILEGE"), "Current privilege level is 1\n");
    assert!(say(&mut console, "who").contains("*  1 vty 0     backup     idle                 00:00:00 10.20.3.9\n"));
    assert_eq!(console.handle_line(NOW, b"exi", &mut Written::default()), Flow::Exit(0));
    assert_eq!(console.farewell(), None, "control-D is no end");
}

/// Cisco IOS Configuration Fundamentals: where the words go wrong is shown below them, behind the prompt.
#[test]
fn what_is_wrong_is_shown() {
    let mut console = console_of(&switch(), 7, true);
    let caret = |column: usize| format!("{}^\n% Invalid input detected at '^' marker.\n\n", " ".repeat(column));
    assert_eq!(say(&mut console, "foo"), caret("sw-eg-03>".len()));
    assert_eq!(say(&mut console, "show  foo bar"), caret("sw-eg-03>show  ".len()));
    assert_eq!(say(&mut console, "show running-config"), caret("sw-eg-03>show ".len()), "not in this mode");
    assert_eq!(say(&mut console, "show version all"), caret("sw-eg-03>show version ".len()));
    assert_eq!(say(&mut console, "show v"), "% Ambiguous command:  \"show v\"\n");
    assert_eq!(say(&mut console, "show ip"), "% Incomplete command.\n\n");
    assert_eq!(say(&mut console, "show"), "% Type \"show ?\" for a list of subcommands\n");
    assert!(say(&mut console, "ping {mac}").contains("Echos to {mac}, timeout"), "nothing typed is filled");
    assert!(say(&mut console, "{hostname}").contains("Invalid input"));
}

#[test]
fn the_secret_is_asked_for_three_times() {
    let mut console = console_of(&switch(), 7, true);
    assert_eq!(say(&mut console, "en"), "");
    for left in (0..3).rev() {
        assert_eq!(console.prompt(), b"Password: ");
        assert!(console.hides_input());
        assert_eq!(say(&mut console, "cisco"), if left == 0 { "% Bad secrets\n\n" } else { "" });
    }
    assert_eq!(console.prompt(), b"sw-eg-03>");
    assert!(!console.hides_input());
    say(&mut console, "enable");
    assert_eq!(say(&mut console, SECRET), "");
    assert_eq!(console.prompt(), b"sw-eg-03#");
    say(&mut console, "disable");
    assert_eq!(console.prompt(), b"sw-eg-03>");
}

/// What says the same thing twice says the same thing.
#[test]
fn answers_agree_with_each_other() {
    let mut console = privileged();
    let version = say(&mut console, "show version");
    assert!(version.contains("sw-eg-03 uptime is 5 weeks, 6 days, 11 hours, 3 minutes\n"), "{version}");
    assert!(version.contains("Base ethernet MAC Address       : 00:1B:D4:9A:10:FF\n"));
    let serial = version.split_once("Processor board ID ").unwrap().1.lines().next().unwrap();
    assert!(say(&mut console, "show inventory").contains(&format!("SN: {serial}\n")));
    assert_eq!(version.matches(serial).count(), 2);
    let config = say(&mut console, "show run");
    let (head, rest) = config.split_once(" bytes\n").unwrap();
    let octets: usize = head.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(octets, rest.trim_end().len() + 1);
    assert!(config.contains("\nhostname sw-eg-03\n") && config.contains("\n ip address 10.20.1.16 255.255.252.0\n"));
    assert_eq!(config.matches("\ninterface ").count(), 27);
    assert!(rest.ends_with("\nend\n\n"));
    assert!(say(&mut console, "show startup-config").ends_with(rest));
    assert_eq!(say(&mut console, "show run | include hostname"), "hostname sw-eg-03\n");
    assert!(say(&mut console, "show run | b line con").starts_with("line con 0\n"));
    assert!(!say(&mut console, "show run | exc !").contains('!'));
    let (brief, status) = (say(&mut console, "sh ip int br"), say(&mut console, "sh int status"));
    let interfaces = say(&mut console, "show interfaces");
    for port in 1..=24 {
        let row = brief.lines().find(|line| line.starts_with(&format!("FastEthernet0/{port} "))).unwrap();
        let other = status.lines().find(|line| line.starts_with(&format!("Fa0/{port} "))).unwrap();
        assert_eq!(row.len(), "FastEthernet0/1        unassigned      YES unset  up                    up      ".len());
        assert_eq!(row.contains(" up "), other.contains(" connected "), "{row}\n{other}");
        let up = format!("\nFastEthernet0/{port} is up, line protocol is up (connected) \n");
        assert_eq!(row.contains(" up "), interfaces.contains(&up), "{row}");
    }
    assert!(brief.contains("Vlan1                  10.20.1.16      YES NVRAM  up                    up      \n"));
    assert!(interfaces.contains("\n  Hardware is Fast Ethernet, address is 001b.d49a.1100 (bia 001b.d49a.1100)\n"));
    assert!(
        say(&mut console, "show arp").contains("Internet  10.20.1.16              -   001b.d49a.10ff  ARPA   Vlan1\n")
    );
    for text in [version, config, brief, status, interfaces] {
        assert!(!text.contains(['{', '}']), "{text}");
    }
}

#[test]
fn two_decoys_differ_and_one_stays_the_same() {
    let texts = |seed| {
        let mut console = console_of(&switch(), seed, false);
        say(&mut console, "enable");
        say(&mut console, SECRET);
        ["show version", "show run", "show interfaces", "dir"].map(|line| say(&mut console, line))
    };
    assert_eq!(texts(1), texts(1));
    for (one, other) in texts(1).iter().zip(&texts(2)) {
        assert_ne!(one, other);
    }
}

#[test]
fn long_output_comes_in_pages() {
    let mut console = console_of(&switch(), 7, true);
    let first = say(&mut console, "show version");
    assert_eq!(first.lines().count(), 24);
    assert!(first.ends_with("\n --More-- ") && console.awaits_key() && console.prompt().is_empty());
    let mut out = Vec::new();
    console.handle_key(b'\r', &mut out);
    let line = String::from_utf8(out).unwrap();
    assert!(line.starts_with(&format!("{0}{1}{0}", "\x08".repeat(10), " ".repeat(10))) && line.ends_with(" --More-- "));
    assert_eq!(line.matches('\n').count(), 1);
    let mut out = Vec::new();
    while console.awaits_key() {
        console.handle_key(b' ', &mut out);
    }
    assert!(String::from_utf8(out).unwrap().contains("Configuration register is 0xF\n"));
    assert_eq!(console.prompt(), b"sw-eg-03>");
    say(&mut console, "show version");
    console.handle_key(b'q', &mut Vec::new());
    assert!(!console.awaits_key());
    let mut piped = console_of(&switch(), 7, false);
    assert!(say(&mut piped, "show version").contains("Configuration register"), "no terminal, no pages");
}

#[test]
fn a_question_mark_helps() {
    let console = console_of(&switch(), 7, true);
    let help = |typed: &str| String::from_utf8(console.help(typed.as_bytes()).unwrap()).unwrap();
    assert!(help("").starts_with("Exec commands:\n"));
    assert!(help("").contains("  enable    Turn on privileged commands\n"), "{}", help(""));
    assert_eq!(help("sh"), "show\n\n");
    assert!(help("show ").contains("  version     System hardware and software status\n"), "{}", help("show "));
    assert!(help("show version ").contains("  <cr>\n"));
    assert!(help("foo ").contains("% Invalid input"));
}

#[test]
fn one_command_over_ssh() {
    let exec = |line: &str| {
        let mut said = Written::default();
        let status = console_of(&switch(), 7, false).exec(NOW, line.as_bytes(), None, &mut said).unwrap();
        (String::from_utf8(said.all()).unwrap(), status)
    };
    assert_eq!(exec("show privilege"), ("Current privilege level is 1\n".into(), 0));
    assert_eq!(exec("uname -a"), ("Line has invalid autocommand \"uname -a\"".into(), 0));
    assert!(exec("enable").0.is_empty());
}

/// Every text of every product's command line is complete, and every mode and part that it names is there.
#[test]
fn products_are_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/services");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains("[kind.ssh.console]") {
            continue;
        }
        seen += 1;
        let spec = product(&text);
        let console = console_of(&spec, 7, true);
        let mode = |name: &String| spec.modes.iter().any(|mode| mode.name == *name);
        for command in &spec.commands {
            assert!(command.modes.iter().all(mode), "{}: {command:?}", path.display());
            assert!(command.to.is_empty() || mode(&command.to), "{}: {command:?}", path.display());
            let said = console.fill(&command.text, NOW).replace("{word}", "");
            // Braces are the language of Junos; what is in none of its lines is a name right behind one.
            assert!(
                !said.split('{').skip(1).any(|rest| rest.starts_with(char::is_alphabetic)),
                "{}: {:?}: {said}",
                path.display(),
                command.lines
            );
        }
    }
    assert!(seen >= 2);
}

proptest! {
    #[test]
    fn any_octets(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8), terminal in any::<bool>()) {
        let mut console = console_of(&switch(), 7, terminal);
        for line in lines {
            console.help(&line);
            let mut said = Written::default();
            console.handle_line(NOW, &line, &mut said);
            prop_assert!(said.all().len() <= MAX_OUTPUT + 64);
            console.handle_key(b' ', &mut Vec::new());
        }
    }

    /// Words that mean something, in any order, in any time and place.
    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..12), utc in any::<u64>(), seed in any::<u8>()) {
        let mut console = console_of(&switch(), seed, true);
        for mode in ["user", "privileged", "config", "config-if"] {
            console.mode = mode.into();
            let line = words.join(" ");
            console.help(line.as_bytes());
            let mut said = Written::default();
            console.handle_line(utc, line.as_bytes(), &mut said);
            prop_assert!(said.all().len() <= MAX_OUTPUT + 64);
            console.rest.clear();
            console.asking = None;
        }
    }
}

const WORDS: &[&str] = &[
    "show",
    "sh",
    "version",
    "ver",
    "running-config",
    "run",
    "ip",
    "interface",
    "int",
    "brief",
    "vlan",
    "1",
    "|",
    "include",
    "i",
    "begin",
    "^",
    "hostname",
    "enable",
    "configure",
    "terminal",
    "length",
    "0",
    "99999999999",
    "end",
    "exit",
    "ping",
    "{ip}",
    "{octets}",
    "{text:export}",
    "no",
    "shutdown",
    "é",
    "?",
];
