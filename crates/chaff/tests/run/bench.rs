//! A namespace with a veth pair (`near` for chaff, `far` with the kernel's 10.20.0.254), a configuration, and the
//! program. The namespace belongs to the test's thread and goes with it; the processes are killed on drop.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    thread::UnshareFlags,
};

/// The program under test.
pub(crate) const CHAFF: &str = env!("CARGO_BIN_EXE_chaff");

/// How long a start may take on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(20);

const CONFIG: &str = r#"
sensor = "bench"
[[network]]
name = "office"
interface = "near"
subnet = "10.20.0.0/24"
[[network.decoys]]
profile = "linux-server"
addresses = ["10.20.0.1-10.20.0.20"]
"#;

pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) program: Option<Child>,
}

impl Bench {
    /// A namespace and a configuration; `head` is put before it.
    pub(crate) fn new(head: &str) -> Self {
        Self::with(head, "")
    }

    /// The same, with `tail` behind it: further decoys of the network.
    pub(crate) fn with(head: &str, tail: &str) -> Self {
        // SAFETY: only the network namespace of this thread changes; no descriptor table is split.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.expect("a network namespace (needs root)");
        ip("link add near type veth peer name far");
        for name in ["lo", "near", "far"] {
            ip(&format!("link set {name} up"));
        }
        ip("addr add 10.20.0.254/24 dev far");
        let directory = tempfile::tempdir().expect("a directory");
        // A hub that runs as somebody else must reach the state directory in it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::write(directory.path().join("chaff.toml"), format!("{head}\n{CONFIG}\n{tail}")).expect("written");
        Self { directory, program: None }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The arguments of `chaff run`.
    pub(crate) fn arguments(&self) -> [String; 5] {
        let path = |name| self.directory.path().join(name).display().to_string();
        ["run".into(), "-c".into(), path("chaff.toml"), "--state".into(), path("state")]
    }

    /// Starts `chaff run`; gives the line that it prints when it is up.
    pub(crate) fn start(&mut self) -> String {
        let mut program = Command::new(CHAFF)
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chaff runs");
        let stdout = program.stdout.take().expect("a pipe");
        self.program = Some(program);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l)));
        lines.recv_timeout(START).expect("a line when it is up")
    }

    /// Runs `chaff run` where it cannot start; gives exit code and stderr.
    pub(crate) fn refused(&self) -> (Option<i32>, String) {
        outcome(&Command::new(CHAFF).args(self.arguments()).output().expect("chaff runs"))
    }

    /// Sends a signal to `chaff run` and waits for its end.
    pub(crate) fn stop(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let mut program = self.program.take().expect("a program");
        let begun = Instant::now();
        kill_process(pid(program.id()), signal).expect("sent");
        let status = eventually(START, || program.try_wait().expect("waited"));
        (status, begun.elapsed())
    }

    /// The process of `chaff run`'s children that plays `role`: so its command line reads, with a zero behind each word.
    pub(crate) fn child(&self, role: &str) -> Option<u32> {
        let parent = self.program.as_ref().expect("a program").id();
        self::children(parent).into_iter().find(|(_, line)| line.contains(role)).map(|(id, _)| id)
    }

    pub(crate) fn children(&self) -> Vec<u32> {
        children(self.program.as_ref().expect("a program").id()).into_iter().map(|(id, _)| id).collect()
    }

    /// What `chaff events --json` prints.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let state = self.state().display().to_string();
        let output = Command::new(CHAFF).args(["events", "--json", "--state", &state]).output().expect("chaff runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            // The children die with it.
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// Runs `ip` in the thread's namespace.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a decoy answers an echo request within a fifth of a second.
pub(crate) fn answers(address: &str) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-n", "-q", "-c1", "-W0.2", address]).stdout(Stdio::null()).stderr(Stdio::null());
    ping.status().expect("ping").success()
}

/// The hardware address that a decoy answers ARP with.
pub(crate) fn hardware_address(address: &str) -> String {
    ip("neigh flush dev far");
    assert!(eventually(START, || answers(address).then_some(true)));
    let line = ip(&format!("neigh show {address} dev far"));
    let mut words = line.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).expect("a resolved neighbour").into()
}

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "nothing within {patience:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn outcome(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("a process id")).expect("not zero")
}

/// Processes whose parent is `parent`, with their command lines.
fn children(parent: u32) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let mut fields = after_name.split(' ');
        let alive = fields.next()? != "Z";
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
        (alive && fields.next()?.parse() == Ok(parent)).then_some((id, line))
    })
    .collect()
}
