//! `chaff lab` as a newcomer meets it, as root and as a user without any privilege.

use std::{
    fs,
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const CHAFF: &str = env!("CARGO_BIN_EXE_chaff");
/// The user and group `nobody` of Debian; any unused number would do.
const NOBODY: u32 = 65_534;
/// A quick lab takes a quarter of it.
const PATIENCE: Duration = Duration::from_secs(150);
const POLL: Duration = Duration::from_millis(50);

/// A folder for one test's temporary files that anybody may enter, with a copy of the program that anybody may run.
struct Folder {
    folder: tempfile::TempDir,
    deadline: Instant,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        // By another process: a descriptor open for writing here would go with whatever another test starts meanwhile, and
        // a program that is open for writing cannot be executed.
        let copied = Command::new("cp").arg(CHAFF).arg(folder.path().join("chaff")).status();
        assert!(copied.unwrap().success(), "cp");
        Self { folder, deadline: Instant::now() + PATIENCE }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `chaff lab`, with its output in files here.
    fn lab(&self, arguments: &[&str]) -> Command {
        let file = |name| fs::File::create(self.path().join(name)).unwrap();
        let mut command = Command::new(self.path().join("chaff"));
        command.arg("lab").args(arguments).env("TMPDIR", self.path()).current_dir("/");
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        command
    }

    fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.path().join(name)).unwrap_or_default();
        format!("{}{}", read("out"), read("err"))
    }

    /// Waits for the end of a lab; kills it and fails where it takes too long.
    fn finish(&self, lab: &mut Child) -> Output {
        self.wait(lab, has_ended, "it did not end");
        let read = |name| fs::read(self.path().join(name)).unwrap();
        Output { status: lab.wait().unwrap(), stdout: read("out"), stderr: read("err") }
    }

    fn wait(&self, lab: &mut Child, mut until: impl FnMut(&mut Child) -> bool, complaint: &str) {
        while !until(lab) {
            if Instant::now() > self.deadline {
                // It may have ended by itself.
                let _ = lab.kill();
                lab.wait().unwrap();
                panic!("{complaint}:\n{}", self.said());
            }
            std::thread::sleep(POLL);
        }
    }

    /// What labs left here.
    fn leavings(&self) -> Vec<PathBuf> {
        let paths = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("chaff-lab-")).collect()
    }

    /// Processes that run this folder's copy of the program.
    fn processes(&self) -> usize {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == self.path().join("chaff")))
            .count()
    }
}

fn has_ended(lab: &mut Child) -> bool {
    lab.try_wait().unwrap().is_some()
}

/// What every lab that was attacked must have shown.
fn assert_a_story(output: &Output) {
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}\n{said}\n{wrong}", output.status);
    let parts =
        ["What the intruder sees", "What the defender is told", "ALARM", "10.77.0.66", "after the first packet"];
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing:\n{said}\n{wrong}");
    }
    assert!(!said.contains('\x1b'), "colours without a terminal:\n{said}");
}

#[test]
fn a_quick_attack_ends_in_an_incident() {
    let folder = Folder::new();
    let output = folder.finish(&mut folder.lab(&["--once"]).spawn().unwrap());
    assert_a_story(&output);
    assert!(folder.leavings().is_empty(), "the lab left files behind");
}

#[test]
fn it_needs_no_root_and_no_nmap() {
    let folder = Folder::new();
    let mut command = folder.lab(&["--once", "--decoys", "20"]);
    // No program is found, so the built-in scan plays.
    command.env("PATH", folder.path().join("empty"));
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = folder.finish(&mut command.spawn().unwrap());
    assert_a_story(&output);
    let said = folder.said();
    assert!(said.contains("without root") && said.contains("ARP sweep"), "{said}");
    assert!(folder.leavings().is_empty(), "the lab left files behind");
}

#[test]
fn a_killed_lab_leaves_no_process_and_its_files_go_with_the_next() {
    let folder = Folder::new();
    let mut first = folder.lab(&["--attack", "none", "--decoys", "20"]).spawn().unwrap();
    // The lab, the supervisor, its hub and its worker, and the command that follows incidents.
    folder.wait(&mut first, |lab| has_ended(lab) || folder.processes() >= 5, "the lab did not come up");
    assert!(!has_ended(&mut first), "{}", folder.said());
    first.kill().unwrap();
    folder.wait(&mut first, |_| folder.processes() == 0, "processes of a killed lab live on");
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    assert_eq!(folder.leavings().len(), 1, "a killed lab cannot have removed its files");
    let second = folder.finish(&mut folder.lab(&["--once", "--attack", "none", "--decoys", "1"]).spawn().unwrap());
    assert!(second.status.success(), "{second:?}");
    assert!(folder.leavings().is_empty(), "{:?}", folder.leavings());
}

#[test]
fn ctrl_c_ends_it_cleanly() {
    let folder = Folder::new();
    let mut lab = folder.lab(&["--attack", "none"]).spawn().unwrap();
    let hint = "Ctrl-C ends the lab";
    folder.wait(&mut lab, |lab| has_ended(lab) || folder.said().contains(hint), "it says nothing of Ctrl-C");
    assert!(folder.said().contains(hint) && folder.said().contains("nsenter"), "{}", folder.said());
    rustix::process::kill_process(rustix::process::Pid::from_child(&lab), rustix::process::Signal::INT).unwrap();
    let output = folder.finish(&mut lab);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(folder.said().contains("The lab is gone"), "{}", folder.said());
    assert!(folder.leavings().is_empty() && folder.processes() == 0);
}

#[test]
fn the_console_is_refused_until_it_exists() {
    let output = Command::new(CHAFF).args(["lab", "--console", "127.0.0.1:8443"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not in this version"), "{output:?}");
}
