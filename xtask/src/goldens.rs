//! Recordings of real servers: packages of other suites are fetched and unpacked below `target/goldens`, never installed,
//! and each server runs there by chroot, in a network namespace of its own, for as long as it is asked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{cargo, root, shown, tools};

/// A suite of a distribution: its name, its mirror's lines for apt, and the keyring that vouches for them.
struct Suite {
    name: &'static str,
    sources: &'static [&'static str],
    /// Ubuntu's is not on a Debian machine; its packages come unproved, which a recording can bear.
    keyring: Option<&'static str>,
}

const DEBIAN_KEYS: Option<&str> = Some("/usr/share/keyrings/debian-archive-keyring.gpg");

const SUITES: [Suite; 7] = [
    Suite {
        name: "bullseye",
        sources: &[
            "http://deb.debian.org/debian bullseye main",
            "http://deb.debian.org/debian-security bullseye-security main",
        ],
        keyring: DEBIAN_KEYS,
    },
    Suite {
        name: "bookworm",
        sources: &[
            "http://deb.debian.org/debian bookworm main",
            "http://deb.debian.org/debian-security bookworm-security main",
        ],
        keyring: DEBIAN_KEYS,
    },
    Suite {
        name: "trixie",
        sources: &[
            "http://deb.debian.org/debian trixie main",
            "http://deb.debian.org/debian-security trixie-security main",
        ],
        keyring: DEBIAN_KEYS,
    },
    Suite { name: "sid", sources: &["http://deb.debian.org/debian sid main"], keyring: DEBIAN_KEYS },
    Suite {
        name: "focal",
        sources: &[
            "http://archive.ubuntu.com/ubuntu focal main universe",
            "http://archive.ubuntu.com/ubuntu focal-updates main universe",
        ],
        keyring: None,
    },
    Suite {
        name: "jammy",
        sources: &[
            "http://archive.ubuntu.com/ubuntu jammy main universe",
            "http://archive.ubuntu.com/ubuntu jammy-updates main universe",
        ],
        keyring: None,
    },
    Suite {
        name: "noble",
        sources: &[
            "http://archive.ubuntu.com/ubuntu noble main universe",
            "http://archive.ubuntu.com/ubuntu noble-updates main universe",
        ],
        keyring: None,
    },
];

/// Where the packages of web servers lie, unpacked, one folder for each suite.
const HTTP_SERVERS: &str = "target/tools/http";

const SSHD: &str = "usr/sbin/sshd -D -o PidFile=none";
/// From 9.8 on a client that fails often is shut out for a while, and no second probe would be answered.
const SSHD_PATIENT: &str = "usr/sbin/sshd -D -o PidFile=none -o PerSourcePenalties=no";
const DROPBEAR: &str = "usr/sbin/dropbear -F -P /run/dropbear.pid";

/// Name of the recording, suite, program with its options.
const SSH_SERVERS: [(&str, &str, &str); 11] = [
    ("openssh-8.2p1-ubuntu20.04", "focal", SSHD),
    ("openssh-8.4p1-debian11", "bullseye", SSHD),
    ("openssh-8.9p1-ubuntu22.04", "jammy", SSHD),
    ("openssh-9.2p1-debian12", "bookworm", SSHD),
    ("openssh-9.6p1-ubuntu24.04", "noble", SSHD),
    ("openssh-10.0p2-debian13", "trixie", SSHD_PATIENT),
    ("openssh-10.6p1-debian-sid", "sid", SSHD_PATIENT),
    ("dropbear-2020.81-debian11", "bullseye", DROPBEAR),
    ("dropbear-2022.83-debian12", "bookworm", DROPBEAR),
    ("dropbear-2025.89-debian13", "trixie", DROPBEAR),
    ("dropbear-2026.94-debian-sid", "sid", DROPBEAR),
];

/// A file beside a tree that has all that it needs.
const FURNISHED: &str = "furnished";

const SSH_PACKAGES: [&str; 3] = ["openssh-server", "dropbear-bin", "libpam-modules"];

/// What speaks OpenSSL 1.1.1, and makes certificates with it; of bullseye, beside the tree of its SSH servers.
const OLD_TLS: &str = "bullseye-tls";
const OLD_TLS_PACKAGES: [&str; 2] = ["nginx-core", "openssl"];

/// Records what `options` name: `http`, `tls`, or `ssh` and which of its servers, or all; `trees` only unpacks the servers of
/// SSH, for the tests that run each beside the product that claims to be it.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    match options {
        ["http"] => http(),
        ["ssh", wanted @ ..] => ssh(wanted),
        ["tls"] => tls(),
        ["trees"] => trees(),
        _ => Err("usage: cargo xtask goldens http | ssh [NAME...] | tls | trees".into()),
    }
}

/// Unpacks what is not unpacked yet.
pub(crate) fn trees() -> Result<(), String> {
    for suite in &SUITES {
        if !folder(suite.name).join(FURNISHED).exists() {
            eprintln!("── servers of SSH of {}", suite.name);
            furnish(&unpack(suite, suite.name, &SSH_PACKAGES)?)?;
            fs::write(folder(suite.name).join(FURNISHED), "").map_err(told)?;
        }
    }
    old_tls()
}

/// Unpacks the servers of OpenSSL 1.1.1, if they are not there yet.
pub(crate) fn old_tls() -> Result<(), String> {
    let suite = SUITES.iter().find(|suite| suite.name == "bullseye").ok_or("no such suite")?;
    if !folder(OLD_TLS).join("tree/usr/sbin/nginx").exists() {
        eprintln!("── servers of TLS of {}", suite.name);
        unpack(suite, OLD_TLS, &OLD_TLS_PACKAGES)?;
    }
    Ok(())
}

/// By the tests that hold ours against the real servers.
fn tls() -> Result<(), String> {
    tools::install().map_err(|lacking| lacking.to_string())?;
    old_tls()?;
    let mut command = cargo();
    command.env("UPDATE_GOLDENS", "1").args(["test", "-p", "chaff-services", "--test", "tls_products", "--"]);
    command.args(["--ignored", "beside_the_real_one"]);
    eprintln!("── UPDATE_GOLDENS=1 {}", shown(&command));
    let ended = command.status().map_err(told)?;
    ended.success().then_some(()).ok_or_else(|| "ours differ from what was recorded".into())
}

/// The web servers, by a program of its own.
fn http() -> Result<(), String> {
    let mut command = Command::new("python3");
    command.current_dir(root()).args(["recordings/http/record.py", HTTP_SERVERS]);
    eprintln!("── {}", shown(&command));
    let ended = command.status().map_err(|error| format!("cannot run python3: {error}"))?;
    let help = "recordings/http/record.py says which packages must lie there";
    ended
        .success()
        .then_some(())
        .ok_or_else(|| format!("recording failed; servers are taken from {HTTP_SERVERS}: {help}"))
}

fn ssh(wanted: &[&str]) -> Result<(), String> {
    if let Some(stranger) = wanted.iter().find(|name| SSH_SERVERS.iter().all(|(known, ..)| known != *name)) {
        return Err(format!("no server is called {stranger}"));
    }
    for (name, suite, program) in SSH_SERVERS {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let suite = SUITES.iter().find(|s| s.name == suite).ok_or("no such suite")?;
        let tree = unpack(suite, suite.name, &SSH_PACKAGES)?;
        furnish(&tree)?;
        record(name, &tree, program, suite)?;
    }
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    root().join("target/goldens").join(name)
}

/// Fetches packages and all that they need, and unpacks them below a folder of that name; the tree.
fn unpack(suite: &Suite, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = folder(name);
    let tree = folder.join("tree");
    for below in ["etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial", "tree"] {
        fs::create_dir_all(folder.join(below)).map_err(told)?;
    }
    let trust = suite.keyring.map_or_else(|| "trusted=yes".to_string(), |keys| format!("signed-by={keys}"));
    let lines: Vec<String> = suite.sources.iter().map(|source| format!("deb [{trust}] {source}\n")).collect();
    fs::write(folder.join("etc/sources.list"), lines.concat()).map_err(told)?;
    fs::write(folder.join("status"), "").map_err(told)?;
    let place = folder.display();
    // A mirror that lags behind will do: what is recorded names its packages.
    // Not the machine's lists, not its list of what is installed: nothing here touches the system's own apt.
    let settings = format!(
        "Dir::Etc \"{place}/etc\";\nDir::Etc::sourceparts \"-\";\nDir::State \"{place}/state\";\nDir::State::status \
         \"{place}/status\";\nDir::Cache \"{place}/cache\";\nAPT::Architecture \"amd64\";\nAPT::Sandbox::User \"root\";\n\
         Acquire::Check-Valid-Until \"false\";\n"
    );
    fs::write(folder.join("apt.conf"), settings).map_err(told)?;
    apt(&folder, &["update", "--quiet"])?;
    let mut install = vec!["install", "--quiet", "--yes", "--download-only", "--no-install-recommends"];
    install.extend(packages);
    apt(&folder, &install)?;
    for archive in archives(&folder)? {
        run_quietly(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&tree))?;
    }
    Ok(tree)
}

fn apt(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    run_quietly(command.env("APT_CONFIG", folder.join("apt.conf")).args(arguments))
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder.join("cache/archives")).map_err(told)?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    paths.sort();
    Ok(paths)
}

/// What the installation of the packages would have made: accounts, PAM's files, host keys, a few devices.
fn furnish(tree: &Path) -> Result<(), String> {
    for link in ["bin", "sbin", "lib", "lib64"] {
        let usr = Path::new("usr").join(link);
        if !tree.join(link).exists() && tree.join(&usr).is_dir() {
            std::os::unix::fs::symlink(&usr, tree.join(link)).map_err(told)?;
        }
    }
    for below in
        ["dev", "proc", "run/sshd", "tmp", "root", "var/log", "etc/pam.d", "etc/ssh/sshd_config.d", "etc/dropbear"]
    {
        fs::create_dir_all(tree.join(below)).map_err(told)?;
    }
    let mut files = vec![
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nsshd:x:102:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/shadow", "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"),
        // As pam-auth-update of libpam-runtime writes it for pam_unix alone.
        (
            "etc/pam.d/common-auth",
            "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        ),
    ];
    files.extend([
        ("etc/pam.d/common-account", "account required pam_unix.so\n"),
        ("etc/pam.d/common-session", "session required pam_unix.so\n"),
        ("etc/pam.d/common-password", "password required pam_unix.so\n"),
    ]);
    for (path, text) in files {
        fs::write(tree.join(path), text).map_err(told)?;
    }
    // The package's own settings, as its installation puts them there.
    fs::copy(tree.join("usr/share/openssh/sshd_config"), tree.join("etc/ssh/sshd_config")).map_err(told)?;
    for device in ["null", "zero", "random", "urandom"] {
        if !tree.join("dev").join(device).exists() {
            run_quietly(Command::new("cp").arg("-a").arg(Path::new("/dev").join(device)).arg(tree.join("dev")))?;
        }
    }
    for (kind, bits) in [("rsa", "3072"), ("ecdsa", "256"), ("ed25519", "256")] {
        let key = tree.join(format!("etc/ssh/ssh_host_{kind}_key"));
        if !key.exists() {
            run_quietly(Command::new("ssh-keygen").args(["-q", "-t", kind, "-b", bits, "-N", "", "-f"]).arg(key))?;
        }
        let key = format!("etc/dropbear/dropbear_{kind}_host_key");
        if !tree.join(&key).exists() {
            let mut make = Command::new("chroot");
            let made = run_quietly(make.arg(tree).args(["/usr/bin/dropbearkey", "-t", kind, "-f", &format!("/{key}")]));
            // Dropbear has Ed25519 since 2020.79; that of Ubuntu 20.04 is older, and is not used.
            if kind != "ed25519" {
                made?;
            }
        }
    }
    Ok(())
}

fn record(name: &str, tree: &Path, program: &str, suite: &Suite) -> Result<(), String> {
    let folder_of_all = root().join("recordings/ssh");
    let out = folder_of_all.join(name);
    eprintln!("── {name}: {program}");
    let mut command = Command::new("unshare");
    command.arg("--net").arg("python3").arg(folder_of_all.join("record.py")).arg(tree);
    let mut words = program.split(' ');
    command.arg(words.next().unwrap_or_default()).arg(&out).args(words).stdin(Stdio::null());
    if !command.status().is_ok_and(|status| status.success()) {
        return Err(format!("{name} could not be recorded; it needs root, unshare, chroot, ip and ssh"));
    }
    let mut text =
        format!("Made by: cargo xtask goldens ssh {name}\nServer: {program}\nSuite: {}\n", suite.sources.join(", "));
    for archive in archives(&folder(suite.name))? {
        let package = archive.file_stem().unwrap_or_default().to_string_lossy().replace("%3a", ":");
        if package.starts_with("openssh-server_")
            || package.starts_with("dropbear-bin_")
            || package.starts_with("libssl")
        {
            text.push_str(&format!("Package: {package}\n"));
        }
    }
    fs::write(out.join("made-by.txt"), text).map_err(told)
}

fn run_quietly(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{}: {e}", crate::shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", crate::shown(command), String::from_utf8_lossy(&output.stderr)))
}

fn told(error: std::io::Error) -> String {
    error.to_string()
}
