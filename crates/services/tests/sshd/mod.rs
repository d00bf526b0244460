//! The real OpenSSH, and the real Dropbear, beside the server under test. sshd is unpacked by `cargo xtask test`, on a port of the loopback address, in
//! a mount namespace that has the user and the folder that it asks for.
#![allow(unreachable_pub, dead_code)]

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running sshd; ends when it is dropped.
pub struct Sshd {
    pub port: u16,
    child: Child,
}

impl Sshd {
    /// The sshd of the machine's own Debian 12, with a configuration as the package ships it, but without PAM.
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sshd-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nKbdInteractiveAuthentication no\n\
             StrictModes no\nMaxStartups 1000\n"
        );
        for kind in ["rsa", "ecdsa", "ed25519"] {
            let key = folder.join(kind);
            if !key.exists() {
                let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&key).status();
                assert!(made.unwrap().success(), "ssh-keygen");
            }
            config += &format!("HostKey {}\n", key.display());
        }
        let users = fs::read_to_string("/etc/passwd").unwrap() + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n";
        fs::write(folder.join("passwd"), users).unwrap();
        fs::write(folder.join("config"), config).unwrap();
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
        let sshd = [unpacked.join("usr/sbin/sshd"), PathBuf::from("/usr/sbin/sshd")];
        let sshd = sshd.iter().find(|path| path.exists()).expect("no sshd: run cargo xtask test, which unpacks it");
        let script = "mount --bind \"$1/passwd\" /etc/passwd && mount -t tmpfs tmpfs /run && mkdir /run/sshd && \
                      exec \"$2\" -D -e -f \"$1/config\"";
        let libraries = format!("{0}/lib/x86_64-linux-gnu:{0}/usr/lib/x86_64-linux-gnu", unpacked.display());
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(&folder)
            .arg(sshd)
            .env("LD_LIBRARY_PATH", libraries)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "sshd ended (it needs root): {}", log());
            assert!(start.elapsed() < Duration::from_secs(10), "sshd does not listen: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Self { port, child }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running Dropbear of the machine's own Debian 12; ends when it is dropped.
pub struct Dropbear {
    pub port: u16,
    child: Child,
}

impl Dropbear {
    /// As the package starts it, with a key of each kind.
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dropbear-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("dropbear");
        command.args(["-F", "-E", "-p", &format!("127.0.0.1:{port}"), "-P", ""]);
        for kind in ["rsa", "ecdsa", "ed25519"] {
            let key = folder.join(kind);
            if !key.exists() {
                let made = Command::new("dropbearkey").args(["-t", kind, "-f"]).arg(&key).output().unwrap();
                assert!(made.status.success(), "dropbearkey");
            }
            command.arg("-r").arg(key);
        }
        let mut child =
            command.stdout(Stdio::null()).stderr(fs::File::create(folder.join("log")).unwrap()).spawn().unwrap();
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "dropbear ended: {}", log());
            assert!(start.elapsed() < Duration::from_secs(10), "dropbear does not listen: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Self { port, child }
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
