//! The real OpenSSH, and the real Dropbear, as servers beside the one under test.
#![allow(dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::daemon::{Daemon, packaged};

/// What systemd does for a server that it starts when somebody calls (sd_listen_fds(3)): the tree, the port, and the server
/// with its options.
const ACTIVATION: &str = "
import os, socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[2])), backlog=128)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.chroot(sys.argv[1])
os.chdir('/')
os.execv(sys.argv[3], sys.argv[3:])
";

const KINDS: [&str; 3] = ["rsa", "ecdsa", "ed25519"];

/// The sshd of the machine's own Debian 12, with a configuration as the package ships it, but without PAM. It runs in a
/// mount namespace that has the user and the folder that it asks for.
pub(crate) fn openssh() -> Daemon {
    openssh_with("MaxStartups 1000\n")
}

/// The same with some lines of configuration.
pub(crate) fn openssh_with(lines: &str) -> Daemon {
    Daemon::start(|folder, port| {
        let mut config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nKbdInteractiveAuthentication no\n\
             StrictModes no\n{lines}"
        );
        for kind in KINDS {
            config += &format!("HostKey {}\n", key(folder, kind, "ssh-keygen", &["-q", "-N", ""]));
        }
        let users = fs::read_to_string("/etc/passwd").unwrap() + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n";
        fs::write(folder.join("passwd"), users).unwrap();
        fs::write(folder.join("config"), config).unwrap();
        let script = "mount --bind \"$1/passwd\" /etc/passwd && mount -t tmpfs tmpfs /run && mkdir /run/sshd && \
                      exec \"$2\" -D -e -f \"$1/config\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(folder).arg(packaged("usr/sbin/sshd"));
        command
    })
}

/// The Dropbear of the machine's own Debian 12, as the package starts it, with a key of each kind.
pub(crate) fn dropbear() -> Daemon {
    Daemon::start(|folder, port| {
        let mut command = Command::new("dropbear");
        command.args(["-F", "-E", "-p", &format!("127.0.0.1:{port}"), "-P", ""]);
        for kind in KINDS {
            command.arg("-r").arg(key(folder, kind, "dropbearkey", &[]));
        }
        command
    })
}

/// `program` of another suite, in the tree that `cargo xtask goldens trees` has unpacked, with the package's own settings
/// and those of `options`.
pub(crate) fn of_suite(suite: &str, program: &str, options: &[&str]) -> Daemon {
    let tree = tree(suite, program);
    Daemon::start(|_, port| {
        // The package of Ubuntu 24.04 has ssh.socket; started otherwise, that sshd forgets to count its clients.
        if suite == "noble" {
            let mut command = Command::new("python3");
            command.args(["-c", ACTIVATION]).arg(tree).arg(port.to_string()).arg(format!("/{program}"));
            command.args(["-D", "-e", "-o", "PidFile=none"]).args(options);
            return command;
        }
        let mut command = Command::new("chroot");
        command.arg(tree).arg(format!("/{program}"));
        if program.ends_with("sshd") {
            command.args(["-D", "-e", "-o", "PidFile=none", "-o", "ListenAddress=127.0.0.1", "-p", &port.to_string()]);
        } else {
            command.args(["-F", "-E", "-P", "/run/dropbear.pid", "-p", &format!("127.0.0.1:{port}")]);
        }
        command.args(options);
        command
    })
}

/// The ssh(1) of another suite, without arguments.
pub(crate) fn client_of_suite(suite: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["120", "chroot"]).arg(tree(suite, "usr/bin/ssh")).arg("/usr/bin/ssh");
    command
}

/// Where the packages of a suite are unpacked, among them `program`.
pub(crate) fn tree(suite: &str, program: &str) -> PathBuf {
    let tree = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/goldens").join(suite).join("tree");
    assert!(tree.join(program).exists(), "{} is missing: run `cargo xtask goldens trees`, as root", tree.display());
    tree
}

/// Makes a host key and names its file.
fn key(folder: &Path, kind: &str, program: &str, words: &[&str]) -> String {
    let file = folder.join(kind).display().to_string();
    let made = Command::new(program).args(words).args(["-t", kind, "-f", &file]).output().unwrap();
    assert!(made.status.success(), "{program}: {made:?}");
    file
}
