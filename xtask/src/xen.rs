use std::{fs, process::Command};

use crate::{cargo, root, shown, tools};

/// What a domain of Xen's takes that runs others: Xen itself, what starts and serves domains, their libraries.
const PACKAGES: [&str; 15] = [
    "xen-hypervisor-4.17-amd64",
    "xen-utils-4.17",
    "xenstore-utils",
    "libxenmisc4.17",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxenstore4",
    "libxentoolcore1",
    "libxentoollog1",
    "libyajl2",
    "busybox-static",
];

/// The package that names the newest kernel.
const KERNEL: &str = "linux-image-amd64";

/// Where they lie.
const FOLDER: &str = "target/tools/xen";

/// `cargo xtask xen`: the image as a domain of a real Xen, whose first domain is a Linux, all of it under software
/// emulation (`crates/testkit/src/xen.rs`). Minutes, and some 100 MB to fetch the first time.
pub(crate) fn run(tests: &[&str]) -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    fetch()?;
    for (package, test) in [("chaff-unikernel", "xen"), ("chaff", "xen")] {
        if !tests.is_empty() && !tests.contains(&package) {
            continue;
        }
        let mut command = cargo();
        command.args(["test", "-p", package, "--test", test, "--", "--ignored", "--nocapture", "--test-threads=1"]);
        eprintln!("── {}", shown(&command));
        if !command.status().is_ok_and(|status| status.success()) {
            return Err(format!("failed: {}", shown(&command)));
        }
    }
    Ok(())
}

/// Fetches and unpacks what is not there.
fn fetch() -> Result<(), String> {
    let folder = root().join(FOLDER);
    let done = folder.join("unpacked");
    if done.exists() {
        return Ok(());
    }
    let kernel = kernel().ok_or("apt does not know linux-image-amd64; run `apt-get update` as root first")?;
    let mut names: Vec<String> = PACKAGES.iter().map(ToString::to_string).collect();
    names.push(kernel);
    tools::unpack(&names, &folder).map_err(|lacking| lacking.to_string())?;
    fs::write(&done, names.join("\n")).map_err(|error| format!("{}: {error}", done.display()))
}

/// The kernel that Debian's package of none depends on.
fn kernel() -> Option<String> {
    let said = Command::new("apt-cache").args(["depends", KERNEL]).output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout);
    text.lines().find_map(|line| line.trim().strip_prefix("Depends: ").map(str::to_owned))
}
