//! The real binary, run as a user runs it.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chaff_lab::Namespace;
use chaff_wire::Mac;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::network::Network;

/// How long a clean stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long the start may take before a test gives up (the figure itself is asserted where it is the subject).
const START_LIMIT: Duration = Duration::from_secs(30);

/// Priority of what must not wait, as nice(1) counts.
const HURRY: i32 = -18;

/// `chaff run` at work. It is ended when this is dropped.
#[derive(Debug)]
pub struct Chaff {
    binary: PathBuf,
    folder: PathBuf,
    child: Child,
    /// From its start to its last decoy's first answer.
    pub started_in: Duration,
}

/// One line of `chaff check --json`.
#[derive(Clone, Debug)]
pub struct RosterLine {
    /// Host name.
    pub name: String,
    /// Address.
    pub ip: Ipv4Addr,
    /// Hardware address.
    pub mac: Mac,
}

impl Chaff {
    /// Writes `config` as `chaff.toml` into `folder`, which also gets the state directory, starts `chaff run` in
    /// the network's `dut`, and waits until the last decoy answers.
    ///
    /// # Panics
    /// When the binary refuses the file, or no decoy appears.
    #[must_use]
    pub fn start(binary: &Path, network: &Network, folder: &Path, config: &str) -> Self {
        write_config(folder, config);
        let roster = check(binary, folder);
        let last = roster.last().expect("the fleet is not empty").ip;
        let mut chaff = Self::spawn(binary, &network.dut, folder);
        let begun = Instant::now();
        chaff.started_in = network.wait_for_decoy(last, begun, START_LIMIT);
        if let Ok(Some(status)) = chaff.child.try_wait() {
            panic!("chaff run ended with {status}: {}", chaff.log());
        }
        chaff
    }

    /// Starts `chaff run` and waits for nothing.
    ///
    /// # Panics
    /// When there is no such binary.
    #[must_use]
    pub fn spawn(binary: &Path, namespace: &Namespace, folder: &Path) -> Self {
        let mut command = namespace.command(binary);
        command.arg("run").arg("-c").arg(folder.join("chaff.toml")).arg("--state").arg(folder.join("state"));
        let log = fs::File::create(folder.join("log")).expect("the folder can be written");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()));
        Self { binary: binary.into(), folder: folder.into(), child, started_in: Duration::ZERO }
    }

    /// Process id of the supervisor.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Puts it, and whatever this thread starts from here on, before other work of the machine, as far as that is
    /// allowed: what is measured is a host, and a host is not busy with compiling. The kernel beside it is not either.
    pub fn hurry(&self) {
        for id in self.processes() {
            if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                // Without the right to do so, timing is less steady and no less true.
                let _ = rustix::process::setpriority_process(Some(id), HURRY);
            }
        }
        let _ = rustix::process::setpriority_process(None, HURRY);
    }

    /// It and all that descend from it.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        family(self.child.id())
    }

    /// Ends all of it without a warning, as a power cut would.
    pub fn kill(&mut self) {
        for id in self.processes() {
            signal(id, Signal::KILL);
        }
        // The supervisor is dead by now, or this shows at the next start.
        let _ = self.child.wait();
    }

    /// What it said on standard error.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The decoys.
    #[must_use]
    pub fn roster(&self) -> Vec<RosterLine> {
        check(&self.binary, &self.folder)
    }

    /// What `chaff events --json` prints.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.json_lines("events")
    }

    /// What `chaff incidents --json` prints.
    #[must_use]
    pub fn incidents(&self) -> Vec<Value> {
        self.json_lines("incidents")
    }

    /// Asks for incidents again and again until `enough` says so.
    ///
    /// # Panics
    /// When that does not come to pass within `limit`.
    pub fn wait_for_incidents(&self, limit: Duration, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let incidents = self.incidents();
            if enough(&incidents) {
                return incidents;
            }
            assert!(begun.elapsed() < limit, "not within {limit:?}; incidents: {incidents:#?}\nlog: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Proportional set size of all processes of it, in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        family(self.child.id()).into_iter().filter_map(memory_kib).sum()
    }

    /// Asks it to end, as an operator does, and waits. How long it took, and whether its exit code was 0.
    pub fn stop(&mut self) -> (Duration, bool) {
        let begun = Instant::now();
        signal(self.child.id(), Signal::TERM);
        while begun.elapsed() < STOP_LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return (begun.elapsed(), status.success());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        (begun.elapsed(), false)
    }

    fn json_lines(&self, verb: &str) -> Vec<Value> {
        stored(&self.binary, &self.folder, verb)
    }
}

impl Drop for Chaff {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if self.stop().0 >= STOP_LIMIT {
            self.kill();
        }
    }
}

/// Writes `chaff.toml` into `folder`.
///
/// # Panics
/// When the folder cannot be written.
pub fn write_config(folder: &Path, config: &str) {
    fs::write(folder.join("chaff.toml"), config).expect("the folder can be written");
}

/// Runs `chaff check --json`.
///
/// # Panics
/// When the file is refused.
#[must_use]
pub fn check(binary: &Path, folder: &Path) -> Vec<RosterLine> {
    let mut command = Command::new(binary);
    command.args(["check", "--json", "-c"]).arg(folder.join("chaff.toml"));
    command.arg("--state").arg(folder.join("state")).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()));
    assert!(output.status.success(), "chaff check: {}", String::from_utf8_lossy(&output.stderr));
    let line = |value: &Value| {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        RosterLine {
            name: text("name"),
            ip: text("ip").parse().unwrap_or_else(|_| panic!("no address in {value}")),
            mac: text("mac").parse().unwrap_or_else(|_| panic!("no MAC in {value}")),
        }
    };
    json_lines(&output.stdout).iter().map(line).collect()
}

/// What `chaff incidents --json` prints of what was stored in `folder`, whether or not `chaff run` is at work there.
///
/// # Panics
/// When nothing was stored.
#[must_use]
pub fn incidents(binary: &Path, folder: &Path) -> Vec<Value> {
    stored(binary, folder, "incidents")
}

fn stored(binary: &Path, folder: &Path, verb: &str) -> Vec<Value> {
    let mut command = Command::new(binary);
    command.args([verb, "--json", "--state"]).arg(folder.join("state")).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("cannot run chaff {verb}: {error}"));
    assert!(output.status.success(), "chaff {verb}: {output:?}");
    json_lines(&output.stdout)
}

fn json_lines(octets: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(octets);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    text.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

/// A process and all that descend from it.
fn family(of: u32) -> Vec<u32> {
    let mut members = vec![of];
    let parents: Vec<(u32, u32)> = processes().collect();
    let mut next = 0;
    while let Some(parent) = members.get(next).copied() {
        members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    members
}

/// All processes with their parents.
fn processes() -> impl Iterator<Item = (u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in parentheses, may hold anything; state and parent follow the last one.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((id, parent))
    })
}

/// The proportional set size of a process, in KiB; `None` if it has ended.
#[must_use]
pub fn memory_kib(id: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Processor time that a process and its descendants have used, those that have ended included, in clock ticks of the
/// kernel's (100 a second).
#[must_use]
pub fn processor_ticks(of: u32) -> u64 {
    let used = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // utime, stime, and cutime, cstime of children that were waited for (proc(5)).
        let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
        fields.map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()
    };
    family(of).into_iter().filter_map(used).sum()
}

fn signal(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _: Result<(), io::Error> = kill_process(pid, signal).map_err(io::Error::from);
    }
}
