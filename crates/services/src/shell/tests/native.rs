//! Shells of systems that are no Linux.

use super::*;

const SYSTEMS: [(&str, &str); 3] = [
    ("freebsd", include_str!("../../../../../profiles/services/openssh-7.5-freebsd11.toml")),
    ("macos", include_str!("../../../../../profiles/services/openssh-8.1-macos10.15.toml")),
    ("solaris", include_str!("../../../../../profiles/services/openssh-7.5-solaris11.4.toml")),
];

fn spec_of(system: &str) -> Arc<ShellSpec> {
    let (_, product) = SYSTEMS.into_iter().find(|(name, _)| *name == system).unwrap();
    let table: toml::Table = product.parse().unwrap();
    Arc::new(table["kind"]["ssh"]["shell"].clone().try_into().unwrap())
}

fn said_on(system: &str, line: &str) -> String {
    say(&mut shell_with(&spec_of(system), "deploy", true), line)
}

/// Every placeholder is one that is known, and every command of the data can be run.
#[test]
fn every_answer_is_filled_and_reached() {
    for (system, _) in SYSTEMS {
        let spec = spec_of(system);
        for answer in &spec.answers {
            let mut reached = false;
            for pattern in &answer.to {
                let word = if pattern.contains(" *") { "1" } else { "" };
                let typed = pattern.replace('*', word);
                let shown = said_on(system, &typed);
                for (at, _) in shown.match_indices('{') {
                    let after = shown[at + 1..].chars().next();
                    assert!(after == Some(' '), "{system}: {typed}: {shown}");
                }
                reached |= !shown.contains("not found") || shown.is_empty() || answer.errors.contains("not found");
            }
            assert!(reached, "{system}: {:?}", answer.to);
        }
        assert!(spec.answers.len() > 60, "{system}: {}", spec.answers.len());
    }
}

#[test]
fn answers_of_each_system_agree() {
    for (system, _) in SYSTEMS {
        let said = |line: &str| said_on(system, line);
        assert_eq!(said("hostname"), said("uname -n"), "{system}");
        for field in ["-s", "-r", "-m"] {
            assert!(said("uname -a").contains(said(&format!("uname {field}")).trim()), "{system}: {field}");
        }
        let addresses = said("ifconfig -a");
        assert!(addresses.contains("10.20.1.16 netmask ") && addresses.contains("fffffc00"), "{system}: {addresses}");
        assert!(addresses.contains("broadcast 10.20.3.255"), "{system}");
        assert!(system == "solaris" || addresses.contains("ether 00:50:56:9a:10:07"), "{system}");
        assert!(said("netstat -rn").contains("10.20.0.0"), "{system}");
        let sockets = said("netstat -an");
        assert!(sockets.contains("*.22 ") && sockets.contains("*.80 "), "{system}: {sockets}");
        assert!(sockets.contains("10.20.3.9.51544") && sockets.contains("ESTABLISHED"), "{system}: {sockets}");
        assert!(said("arp -a").contains("10.20.3.9"), "{system}");
        assert!(said("ps").contains("ps") && said("who").contains("(10.20.3.9)"), "{system}");
        assert!(said("w").starts_with(said("uptime").trim_end()), "{system}");
        assert_eq!(said("echo $HOME; id -un"), said("pwd; whoami"), "{system}");
        let name = said("id -gn");
        assert!(said("ls -ld ~").contains(&format!(" {} ", name.trim())), "{system}");
        // Nothing of a Linux is there.
        for command in ["ip a", "free", "systemctl status", "lscpu", "cat /proc/version", "cat /etc/debian_version"] {
            let shown = said(command);
            let missing = ["not found", "No such file", "cannot open"].iter().any(|text| shown.contains(text));
            assert!(missing, "{system}: {command}: {shown}");
        }
        assert!(!said("cat /etc/passwd; ls -la / ~; env; last").contains("Debian"), "{system}");
    }
}

#[test]
fn each_speaks_in_its_own_words() {
    let up = "2:40AM  up 41 days, 11:03, 1 user, load averages: 0.0";
    assert!(said_on("freebsd", "uptime").starts_with(&format!(" {up}")));
    assert!(said_on("macos", "uptime").starts_with("02:40  up 41 days, 11:03, 1 user, load averages: 0.0"));
    assert!(said_on("solaris", "uptime").starts_with(" 2:40am  up 41 day(s), 11:03,  1 user,  load average: 0.0"));
    for (system, missing, refused, folder) in [
        (
            "freebsd",
            "foo: not found\n",
            "cannot create /etc/x: Permission denied\n",
            "cd: /nope: No such file or directory\n",
        ),
        (
            "macos",
            "zsh: command not found: foo\n",
            "zsh: permission denied: /etc/x\n",
            "cd: no such file or directory: /nope\n",
        ),
        (
            "solaris",
            "-bash: foo: command not found\n",
            "-bash: /etc/x: Permission denied\n",
            "-bash: cd: /nope: No such file or directory\n",
        ),
    ] {
        assert_eq!(said_on(system, "foo"), missing);
        assert_eq!(said_on(system, "echo x > /etc/x"), refused);
        assert_eq!(said_on(system, "cd /nope"), folder);
    }
    assert_eq!(said_on("freebsd", "ls /nope"), "ls: /nope: No such file or directory\n");
    assert_eq!(said_on("solaris", "ls /nope"), "/nope: No such file or directory\n");
    assert_eq!(said_on("solaris", "cat /nope"), "cat: cannot open /nope: No such file or directory\n");
    assert_eq!(said_on("freebsd", "id"), "uid=1001(deploy) gid=1001(deploy) groups=1001(deploy),0(wheel)\n");
    assert_eq!(said_on("solaris", "id"), "uid=100(deploy) gid=10(staff)\n");
    assert!(said_on("macos", "ls -l /").contains("lrwxr-xr-x  1 root  wheel    11 "));
    assert_eq!(said_on("freebsd", "history"), "history: not found\n");
    assert_eq!(said_on("macos", "head -c 4 /bin/ls | wc -c").trim(), "4");
}

#[test]
fn nobody_becomes_root_there_either() {
    for (system, sudo) in [("freebsd", "sudo: not found\n"), ("macos", "\nWARNING: "), ("solaris", "\nWe trust you ")] {
        let mut shell = shell_with(&spec_of(system), "deploy", true);
        assert!(say(&mut shell, "sudo -l").starts_with(sudo), "{system}");
        if shell.hides_input() {
            assert!(shell.prompt().starts_with(b"Password:"));
            assert!(say(&mut shell, "secret").starts_with("deploy is not in the sudoers file.  "), "{system}");
        }
        assert_eq!(say(&mut shell, "su -"), "");
        assert!(shell.hides_input() && shell.prompt().starts_with(b"Password:"));
        assert_eq!(say(&mut shell, "secret"), "su: Sorry\n");
        assert_ne!(say(&mut shell, "id -u"), "0\n");
    }
}

/// What was typed stays what it is, whatever it looks like.
#[test]
fn what_is_typed_is_not_filled() {
    assert!(said_on("freebsd", "ping {ip}").contains("resolve {ip}:"));
    assert!(!said_on("macos", "ps aux {mac:colons}").contains("00:50:56"));
}

#[test]
fn each_is_itself_and_no_other_decoy() {
    for (system, _) in SYSTEMS {
        let texts = |seed: [u8; 16]| {
            let mut shell =
                Shell::new(&spec_of(system), &identity(seed), "deploy", NOW, &Surroundings::default(), true);
            say(&mut shell, "df -k; uptime; ls -la /; ps -ef; last")
        };
        assert_eq!(texts([1; 16]), texts([1; 16]), "{system}");
        assert_ne!(texts([1; 16]), texts([2; 16]), "{system}");
    }
}

/// Whoever breaks in knows that he has not been there before.
#[test]
fn earlier_logins_are_not_the_visitors() {
    let linux = shell_of("deploy", true);
    let shells = SYSTEMS.iter().map(|(system, _)| shell_with(&spec_of(system), "deploy", true)).chain([linux]);
    for mut shell in shells {
        let text = say(&mut shell, "last");
        let (now, before): (Vec<_>, Vec<_>) =
            text.lines().filter(|line| line.starts_with("deploy ")).partition(|line| line.contains("still logged in"));
        assert!(now.len() == 1 && now[0].contains("10.20.3.9 "), "{text}");
        let place = |line: &&str| line.contains(" 10.20.1.") && !line.contains(" 10.20.1.16 ");
        assert!(!before.is_empty() && before.iter().all(place), "{text}");
    }
}
