//! A real server on the loopback address, beside the one under test. What is not installed is unpacked by `cargo xtask
//! tools` below `target/tools`.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Debian's ssl-cert gives to `openssl req`, with the name of the decoy under test.
const SNAKEOIL: &str = "[req]\ndistinguished_name = name\nprompt = no\nreq_extensions = v3\nx509_extensions = v3\n\
                        [name]\ncommonName = nav-1\n[v3]\nbasicConstraints = CA:FALSE\nsubjectAltName = DNS:nav-1\n";
/// Of 20 octets, as ours are: so the records of both have the same lengths.
const SERIAL: &str = "0x5101010101010101010101010101010101010101";

/// Ends when it is dropped, and its folder goes with it.
pub(crate) struct Daemon {
    pub(crate) port: u16,
    child: Child,
    folder: PathBuf,
}

/// Where `file` is: among what the tests unpacked, or where its package installs it.
pub(crate) fn packaged(file: &str) -> PathBuf {
    let unpacked = tools().join(file);
    if unpacked.exists() { unpacked } else { Path::new("/").join(file) }
}

/// Lines of nginx.conf: a server that is no child of anything, and keeps to `folder`.
pub(crate) fn nginx_alone(folder: &Path) -> String {
    let path = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .collect();
    format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/log;\nevents {{}}\nhttp {{\n\
         access_log off; {temporary}"
    )
}

/// Files `cert` and `key`.
pub(crate) fn make_certificate(mut openssl: Command, folder: &Path) {
    fs::write(folder.join("req"), SNAKEOIL).unwrap();
    let [config, cert, key] = ["req", "cert", "key"].map(|name| folder.join(name).display().to_string());
    openssl.args(["req", "-config", &config, "-new", "-x509", "-days", "3650", "-nodes", "-sha256", "-newkey"]);
    openssl.args(["rsa:2048", "-set_serial", SERIAL, "-out", &cert, "-keyout", &key]);
    let made = openssl.stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// The same as `openssl req` makes them by itself, with a key in `curve`.
pub(crate) fn make_ecdsa_certificate(mut openssl: Command, folder: &Path, curve: &str) {
    let [cert, key] = ["cert", "key"].map(|name| folder.join(name).display().to_string());
    openssl.args(["req", "-new", "-x509", "-days", "3650", "-nodes", "-sha256", "-subj", "/CN=nav-1", "-newkey", "ec"]);
    openssl.args(["-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-set_serial", SERIAL]);
    let made = openssl.args(["-out", &cert, "-keyout", &key]).stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

impl Daemon {
    /// Runs the command that `prepare` makes for a folder of its own and a free port, and waits until it listens.
    pub(crate) fn start(prepare: impl FnOnce(&Path, u16) -> Command) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("chaff-daemon-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = prepare(&folder, port);
        let libraries = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|folder| tools().join(folder));
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
        // Some end with their input, which stays open as long as the child is held.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(fs::File::create(folder.join("said")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        let mut daemon = Self { port, child, folder };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = daemon.child.try_wait().unwrap();
            let [said, log] =
                ["said", "log"].map(|file| fs::read_to_string(daemon.folder.join(file)).unwrap_or_default());
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{:?} does not listen ({ended:?}); `cargo xtask test`, as root, unpacks what is missing: {said}{log}",
                command.get_program()
            );
            thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // In order first, so that the workers of a server that has some end with it.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        // A process that is gone already has nothing to be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}
