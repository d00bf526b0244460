use alloc::{format, string::String, sync::Arc, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::limits::shell::MAX_LINE;

mod ash;
mod language;
mod native;
mod text;

/// 2026-11-27 02:40:11 UTC, a Friday.
const NOW: u64 = 1_795_747_211 * NANOS;
/// 41 days, 11 hours, 3 minutes and 20 seconds.
const UPTIME: u64 = (41 * 86_400 + 11 * 3600 + 200) * NANOS;

pub(super) fn debian() -> Arc<ShellSpec> {
    let product = include_str!("../../../../profiles/services/openssh-9.2-debian12.toml");
    let table: toml::Table = product.parse().unwrap();
    Arc::new(table["kind"]["ssh"]["shell"].clone().try_into().unwrap())
}

pub(super) fn shell_of(user: &str, terminal: bool) -> Shell {
    shell_with(&debian(), user, terminal)
}

/// A decoy that is another with another seed.
fn identity(seed: [u8; 16]) -> Identity<'static> {
    let ip = "10.0.0.1".parse().unwrap();
    Identity { hostname: "a.b", ip, mac: chaff_wire::Mac([2; 6]), seed, serial: None }
}

fn shell_with(spec: &Arc<ShellSpec>, user: &str, terminal: bool) -> Shell {
    let identity = Identity {
        hostname: "files-07",
        ip: "10.20.1.16".parse().unwrap(),
        mac: chaff_wire::Mac([0x00, 0x50, 0x56, 0x9a, 0x10, 0x07]),
        seed: [7; 16],
        serial: None,
    };
    let around = Surroundings {
        uptime: Some(UPTIME),
        ports: vec![22, 80],
        peer: Some(("10.20.3.9".parse().unwrap(), 51544)),
        prefix: Some(22),
    };
    Shell::new(spec, &identity, user, NOW, &around, terminal)
}

/// What each line says, in a session of its own at a terminal.
fn said(line: &str) -> String {
    say(&mut shell_of("deploy", true), line)
}

fn say(shell: &mut Shell, line: &str) -> String {
    let mut said = Written::default();
    shell.handle_line(NOW, line.as_bytes(), &mut said);
    String::from_utf8(said.all()).unwrap()
}

fn exec(line: &str) -> (String, String, u8) {
    exec_in(&mut shell_of("deploy", false), line)
}

fn exec_in(shell: &mut Shell, line: &str) -> (String, String, u8) {
    let mut said = Written::default();
    let status = shell.exec(NOW, line.as_bytes(), Some(Vec::new()), &mut said).unwrap();
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    said.split(&mut out, &mut errors);
    (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), status)
}

#[test]
fn a_session_from_prompt_to_logout() {
    let mut shell = shell_of("deploy", true);
    assert_eq!(shell.prompt(), b"deploy@files-07:~$ ");
    assert!(String::from_utf8(shell.greeting()).unwrap().starts_with("Linux files-07 6.1.0-18-amd64 "));
    assert_eq!(say(&mut shell, "cd /etc; pwd"), "/etc\n");
    assert_eq!(shell.prompt(), b"deploy@files-07:/etc$ ");
    assert_eq!(say(&mut shell, "cd -"), "/home/deploy\n");
    assert_eq!(say(&mut shell, "nmap -sn 10.0.0.0/8"), "-bash: nmap: command not found\n");
    assert_eq!(say(&mut shell, "echo $?"), "127\n");
    assert_eq!(
        say(&mut shell, "history"),
        "    1  cd /etc; pwd\n    2  cd -\n    3  nmap -sn 10.0.0.0/8\n    4  echo $?\n    5  history\n"
    );
    let mut said = Written::default();
    assert_eq!(shell.handle_line(NOW, b"exit 3", &mut said), Flow::Exit(3));
    assert_eq!(said.all(), b"logout\n");
}

/// The first row of the checks that unmask a false shell: what says the same thing twice must say the same thing.
#[test]
fn answers_agree_with_each_other() {
    assert_eq!(said("hostname"), said("uname -n"));
    assert_eq!(said("hostname"), said("cat /etc/hostname"));
    assert!(said("cat /proc/version").contains(said("uname -r").trim()));
    assert!(said("cat /proc/version").contains(said("uname -v").trim()));
    assert_eq!(
        said("uname -a"),
        "Linux files-07 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01) x86_64 GNU/Linux\n"
    );
    assert_eq!(said("id"), "uid=1000(deploy) gid=1000(deploy) groups=1000(deploy)\n");
    assert_eq!(said("grep deploy /etc/passwd"), "deploy:x:1000:1000:,,,:/home/deploy:/bin/bash\n");
    let memory = said("free").lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().to_string();
    assert!(said("cat /proc/meminfo").contains(&format!("{memory} kB")));
    assert_eq!(said("wc -l < /etc/passwd"), said("cat /etc/passwd | wc -l"));
    assert_eq!(said("uptime"), said("w | head -1"));
    assert_eq!(said("cat /etc/os-release"), said("cat /usr/lib/os-release"));
    assert_eq!(said("nproc"), said("grep -c ^processor /proc/cpuinfo"));
    assert_eq!(said("test -e /etc/passwd && echo yes"), "yes\n");
}

#[test]
fn the_decoy_shows_itself() {
    let addresses = said("ip a");
    assert!(addresses.contains("    link/ether 00:50:56:9a:10:07 brd ff:ff:ff:ff:ff:ff\n    inet 10.20.1.16/22 brd 10.20.3.255 scope global ens18\n"));
    assert!(addresses.contains("inet6 fe80::250:56ff:fe9a:1007/64 scope link"));
    assert!(said("/sbin/ifconfig").contains("inet 10.20.1.16  netmask 255.255.252.0  broadcast 10.20.3.255"));
    assert_eq!(said("ifconfig"), "-bash: ifconfig: command not found\n");
    assert_eq!(said("ip r"), "10.20.0.0/22 dev ens18 proto kernel scope link src 10.20.1.16 \n");
    let sockets = said("ss -tln");
    assert!(sockets.contains("0.0.0.0:22") && sockets.contains("0.0.0.0:80") && !sockets.contains("443"));
    assert!(said("uptime").starts_with(" 02:40:11 up 41 days, 11:03,  1 user,  load average: 0.0"));
    assert_eq!(said("uptime -s"), "2026-10-16 15:36:51\n");
    assert!(said("who").contains("(10.20.3.9)"));
    assert!(said("last").contains("reboot   system boot  6.1.0-18-amd64   Fri Oct 16 15:36   still running\n"));
    assert_eq!(said("echo $SSH_CONNECTION"), "10.20.3.9 51544 10.20.1.16 22\n");
    assert_eq!(said("date"), "Fri Nov 27 02:40:11 AM UTC 2026\n");
    assert_eq!(said("date +%s"), "1795747211\n");
}

#[test]
fn two_decoys_differ_and_one_stays_the_same() {
    let texts = |seed: [u8; 16]| {
        let mut shell = Shell::new(&debian(), &identity(seed), "deploy", NOW, &Surroundings::default(), true);
        say(&mut shell, "cat /etc/machine-id; free; df; uptime -s; ls -la /; ps aux")
    };
    assert_eq!(texts([1; 16]), texts([1; 16]));
    assert_ne!(texts([1; 16]), texts([2; 16]));
}

#[test]
fn nobody_becomes_root_or_leaves() {
    let mut shell = shell_of("deploy", true);
    assert_eq!(say(&mut shell, "sudo -l"), "");
    assert_eq!(shell.prompt(), b"[sudo] password for deploy: ");
    assert!(shell.hides_input());
    assert_eq!(say(&mut shell, "secret"), "deploy is not in the sudoers file.\n");
    assert_eq!(say(&mut shell, "su -"), "");
    assert_eq!(say(&mut shell, "secret"), "su: Authentication failure\n");
    assert_eq!(say(&mut shell, "cat /etc/shadow"), "cat: /etc/shadow: Permission denied\n");
    assert_eq!(say(&mut shell, "ls /root"), "ls: cannot open directory '/root': Permission denied\n");
    assert_eq!(say(&mut shell, "echo x > /etc/passwd"), "-bash: /etc/passwd: Permission denied\n");
    assert_eq!(say(&mut shell, "curl http://example.org/x"), "curl: (6) Could not resolve host: example.org\n");
    assert!(
        say(&mut shell, "wget http://192.0.2.1/x")
            .ends_with("Connecting to 192.0.2.1:80... failed: Network is unreachable.\n")
    );
    assert_eq!(say(&mut shell, "cat /etc/machine-id | wc -c"), "33\n");
}

#[test]
fn a_session_keeps_what_it_writes() {
    let mut shell = shell_of("deploy", true);
    assert_eq!(say(&mut shell, "mkdir /tmp/x && cd /tmp/x && echo one > a; echo two >> a; cat a"), "one\ntwo\n");
    assert_eq!(say(&mut shell, "ls -l a | cut -d ' ' -f 5"), "8\n");
    assert_eq!(say(&mut shell, "chmod +x a; ls -l | grep -c rwx"), "1\n");
    assert_eq!(say(&mut shell, "rm -rf /tmp/x; cat /tmp/x/a"), "cat: /tmp/x/a: No such file or directory\n");
    // Another one of the same decoy sees it, once it has the decoy's disk.
    say(&mut shell, "echo two > /tmp/b; chmod 600 /tmp/b; mkdir /tmp/d; touch /tmp/d/e");
    let (mut disks, mut other) = (Disks::default(), shell_of("root", true));
    shell.mount(disks.of([7; 16]));
    assert_eq!((say(&mut shell, "ls /tmp"), say(&mut other, "ls /tmp")), (String::new(), String::new()));
    other.mount(disks.of([7; 16]));
    assert_eq!(say(&mut other, "ls /tmp /tmp/d; cat /tmp/b"), "/tmp:\nb  d\n\n/tmp/d:\ne\ntwo\n");
    assert_eq!(
        say(&mut other, "rm -rf /tmp/d /etc/os-release; ls /tmp; cat /etc/os-release"),
        "b\ncat: /etc/os-release: No such file or directory\n"
    );
    // What is removed makes room, and there is an end of it.
    for _ in 0..3 {
        assert_eq!(say(&mut other, "for i in {1..60}; do echo > /tmp/f$i; done; rm /tmp/f*"), "");
    }
    assert!(say(&mut other, "for i in {1..70}; do echo > /tmp/f$i; done").contains("No space left on device\n"));
    for seed in 0..200 {
        disks.of([seed; 16]);
    }
}

#[test]
fn the_language() {
    assert_eq!(said("false && echo a || echo b; echo c"), "b\nc\n");
    assert_eq!(said("A='x y'; echo \"$A\" $A '$A' \\$A"), "x y x y $A $A\n");
    assert_eq!(said("echo $(hostname)-`whoami`"), "files-07-deploy\n");
    assert_eq!(said("echo ~ ~/x '~'"), "/home/deploy /home/deploy/x ~\n");
    assert_eq!(said("cat /nothing 2>/dev/null; echo $?"), "1\n");
    assert_eq!(said("cat /nothing 2>&1 | wc -l"), "1\n");
    assert_eq!(said("echo /etc/*release /etc/none*"), "/etc/os-release /etc/none*\n");
    assert_eq!(said("echo -e 'a\\tb'; echo -n c"), "a\tb\nc");
    assert_eq!(said("echo a | | b"), "-bash: syntax error near unexpected token `|'\n");
    assert_eq!(said("# nothing"), "");
    assert_eq!(exec("exit 7; echo no"), (String::new(), String::new(), 7));
    assert_eq!(exec("nothing"), (String::new(), "bash: line 1: nothing: command not found\n".into(), 127));
    assert_eq!(exec("(exit 4)").2, 4);
}

/// What cannot be had twice of a directory: its links, and the sum of its blocks.
#[test]
fn listings_add_up() {
    let listing = said("ls -la /");
    let mut lines = listing.lines();
    let total: u64 = lines.next().unwrap().strip_prefix("total ").unwrap().parse().unwrap();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let blocks: u64 = rows.iter().filter(|r| r[0].starts_with('d')).map(|_| 4).sum();
    assert_eq!(total, blocks);
    let directories = rows.iter().filter(|r| r[0].starts_with('d')).count();
    // Itself and its parent are among them, and each of the others has it as parent.
    assert_eq!(rows[0][1], directories.to_string());
    assert!(listing.contains("lrwxrwxrwx  1 root root    7 ") && listing.contains(" bin -> usr/bin\n"));
    assert!(listing.contains("drwxrwxrwt "));
}

/// What the programs of the machine that runs the tests say to a line, in the C locale.
fn real(line: &str) -> (String, String, i32) {
    // Debian's awk is mawk, as long as no other is installed.
    static FOLDER: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/usr/bin/mawk", folder.path().join("awk")).unwrap();
        folder
    });
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", line])
        .env_clear()
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.path().display()))
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// Lines whose answer does not depend on the machine: the real programs say the same, to the octet.
#[test]
fn programs_say_what_the_real_ones_say() {
    for line in [
        "echo a  b 'c  d' \"e\"; echo -n x; echo -e 'a\\tb'",
        "printf '%s-%s\\n' a b",
        "printf 'b 2\\na 10\\nb 2\\n' | sort | uniq -c",
        "printf '10\\n9\\n100\\n' | sort -rn | head -n 2",
        "printf 'a:b:c\\nd:e:f\\n' | cut -d: -f1,3 | tail -1",
        "printf 'one two\\nthree\\n' | wc; printf 'x\\n' | wc -c",
        "printf 'Root\\nuser\\n' | grep -i root; printf 'a\\n' | grep -c b",
        "printf 'abc\\nxbc\\n' | grep ^a; printf 'abc\\n' | grep -v b",
        "cat /nothing /; echo $?",
        "ls /nothing; echo $?",
        "head /nothing; tail /nothing",
        "wc /nothing; sort /nothing",
        "false || echo no && echo yes",
        "cd /etc && pwd && cd .. && pwd",
        "cd /nothing; cd /etc/passwd",
        "nothing-like-it; echo $?",
        "/nothing; /etc; /etc/passwd; echo $?",
        "echo $(echo a; echo b) `echo c`",
        "A=1; B=$A$A; echo $B ${A}x ${C:-d}",
        "cat < /nothing; echo $?",
        "id nobody-at-all; uname x",
        "cat /dev/null | wc -l; echo x > /dev/null",
        "rmdir; mkdir; touch; chmod",
        "mkdir /etc; rm /etc/nothing",
        "[ 1 = 2 ] || echo differs; test -d /etc && echo is",
        "exit 300",
    ] {
        let (out, errors, status) = exec_at_root(line);
        assert_eq!((out, errors, i32::from(status)), real(line), "{line}");
    }
}

fn exec_at_root(line: &str) -> (String, String, u8) {
    let mut shell = shell_of("root", false);
    shell.directory = "/".into();
    exec_in(&mut shell, line)
}

/// Lines whose answer depends on the machine: what does not is the same, columns aside.
#[test]
fn programs_look_as_the_real_ones_do() {
    let columns = |text: String| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    for line in
        ["free | head -1", "df | head -1", "df -h | head -1", "ps aux | head -1", "ps -ef | head -1", "ps | head -1"]
    {
        assert_eq!(columns(exec_at_root(line).0), columns(real(line).0), "{line}");
    }
    // Each digit a 9 and each run of them one, so that only the form is left.
    let form = |text: &str| {
        let mut form = String::new();
        for letter in text.chars() {
            let letter = if letter.is_ascii_digit() { '9' } else { letter };
            if letter != '9' || !form.ends_with('9') {
                form.push(letter);
            }
        }
        form
    };
    for line in ["free | tail -2 | head -1 | wc -w", "ip a | head -4", "id", "date +%F-%T", "uname -s -m"] {
        assert_eq!(form(&exec_at_root(line).0), form(&real(line).0), "{line}");
    }
    let (ours, theirs) = (exec_at_root("ls -ld /tmp").0, real("ls -ld /tmp").0);
    assert_eq!(ours.split(' ').next(), theirs.split(' ').next());
}

#[test]
fn every_output_is_bounded() {
    let mut shell = shell_of("root", true);
    for _ in 0..30 {
        let mut said = Written::default();
        let line = b"cat /etc/* /etc/* >> /tmp/a; cat /tmp/a /tmp/a /tmp/a /tmp/a /tmp/a /tmp/a";
        shell.handle_line(NOW, line, &mut said);
        assert!(said.all().len() <= MAX_OUTPUT);
    }
    let mut lines = Lines::default();
    let typed = b"A=$A$A$A$A$A; A=x$A; echo $A > /tmp/$A; cd $(pwd)/..";
    let read =
        (0..10_000).take_while(|_| lines.pass(&mut shell, NOW, typed, &mut Written::default()) == Flow::More).count();
    assert_eq!(read, 4096);
    // More is not read of a line than a terminal passes on.
    let mut said = Written::default();
    Lines::default().pass(&mut shell, NOW, &[b"echo ".as_slice(), &[b'x'; 10_000]].concat(), &mut said);
    assert_eq!(said.all().len(), MAX_LINE - "echo ".len() + 1);
}

proptest! {
    #[test]
    fn any_octets(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8), root in any::<bool>(), terminal in any::<bool>()) {
        let mut shell = shell_of(if root { "root" } else { "deploy" }, terminal);
        for line in lines {
            let mut said = Written::default();
            shell.handle_line(NOW, &line, &mut said);
            prop_assert!(said.all().len() <= MAX_OUTPUT);
        }
    }

    /// Lines of words that mean something, in any order.
    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..24), utc in any::<u64>()) {
        let mut shell = shell_of("deploy", true);
        let mut said = Written::default();
        shell.handle_line(utc, words.join(" ").as_bytes(), &mut said);
        prop_assert!(said.all().len() <= MAX_OUTPUT);
    }

    #[test]
    fn any_time_and_seed(utc in any::<u64>(), seed in any::<[u8; 16]>(), uptime in any::<Option<u64>>(), prefix in any::<Option<u8>>()) {
        let around = Surroundings { uptime, prefix, ..Surroundings::default() };
        for spec in [debian(), Arc::new(ShellSpec::default())] {
            let mut shell = Shell::new(&spec, &identity(seed), "x", utc, &around, true);
            let mut said = Written::default();
            shell.handle_line(utc, b"w; last; ps aux; ls -la /; free -h; df -h; mount; ifconfig; stat /etc", &mut said);
            prop_assert!(!said.all().is_empty());
        }
    }
}

const WORDS: &[&str] = &[
    "ls",
    "-la",
    "-l",
    "/",
    "/etc",
    "..",
    "cat",
    "/etc/passwd",
    "|",
    "||",
    "&&",
    ";",
    "&",
    ">",
    ">>",
    "<",
    "2>&1",
    "2>/dev/null",
    "head",
    "-n",
    "3",
    "tail",
    "-1",
    "grep",
    "-v",
    "root",
    "wc",
    "sort",
    "-rn",
    "uniq",
    "-c",
    "cut",
    "-d:",
    "-f1,3",
    "echo",
    "$HOME",
    "$(id)",
    "`pwd`",
    "'q q'",
    "\"$A\"",
    "A=1",
    "cd",
    "-",
    "~",
    "*",
    "/*",
    "/etc/*",
    "find",
    "-name",
    "-type",
    "d",
    "rm",
    "-rf",
    "mkdir",
    "-p",
    "/tmp/a",
    "touch",
    "chmod",
    "777",
    "+x",
    "cp",
    "mv",
    "stat",
    "file",
    "du",
    "-sh",
    "ps",
    "aux",
    "-ef",
    "w",
    "who",
    "last",
    "uptime",
    "-p",
    "date",
    "+%F",
    "free",
    "-m",
    "df",
    "-h",
    "ip",
    "a",
    "r",
    "n",
    "ss",
    "-tlnp",
    "netstat",
    "-anp",
    "sudo",
    "su",
    "passwd",
    "exit",
    "history",
    "env",
    "which",
    "type",
    "test",
    "[",
    "]",
    "=",
    "kill",
    "1",
    "wget",
    "http://a/b",
    "curl",
    "ping",
    "10.0.0.9",
    "ssh",
    "root@h",
    "xargs",
    "printf",
    "%s\\n",
    "uname",
    "id",
    "hostname",
];
