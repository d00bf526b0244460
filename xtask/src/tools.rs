//! Programs that the tests run: clients are installed by apt, daemons are only unpacked below `target/tools`, because
//! installing a daemon would start it, now or at the next boot.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::root;

/// A client: the program that proves that it is there, and its Debian package.
const CLIENTS: [(&str, &str); 35] = [
    ("nmap", "nmap"),
    ("arp-scan", "arp-scan"),
    ("masscan", "masscan"),
    ("hping3", "hping3"),
    ("curl", "curl"),
    ("busybox", "busybox"),
    // Beside which the shells' text programs are held, with what every Debian has.
    ("mawk", "mawk"),
    ("hexdump", "bsdextrautils"),
    ("xxd", "xxd"),
    ("hydra", "hydra"),
    ("tshark", "tshark"),
    ("ping", "iputils-ping"),
    ("ethtool", "ethtool"),
    ("ip", "iproute2"),
    ("sysctl", "procps"),
    ("g++", "g++"),
    ("valgrind", "valgrind"),
    ("p0f", "p0f"),
    ("python3", "python3"),
    ("unshare", "util-linux"),
    // arp-fingerprint is a Perl script, and the interpreter alone, which every Debian has, lacks the modules.
    ("corelist", "perl"),
    ("mount", "mount"),
    ("openssl", "openssl"),
    ("gnutls-cli", "gnutls-bin"),
    ("text2pcap", "wireshark-common"),
    ("ssh", "openssh-client"),
    ("dbclient", "dropbear-bin"),
    ("plink", "putty-tools"),
    ("medusa", "medusa"),
    ("ncrack", "ncrack"),
    ("ssh-audit", "ssh-audit"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    // No program of its own; a full path is looked for as it stands.
    ("/usr/lib/python3/dist-packages/paramiko/__init__.py", "python3-paramiko"),
    ("/usr/lib/python3/dist-packages/asyncssh/__init__.py", "python3-asyncssh"),
    ("/usr/lib/x86_64-linux-gnu/libssh.so.4", "libssh-4"),
];

/// A daemon of ordinary LAN life: where the package puts it, and the package.
const DAEMONS: [(&str, &str); 10] = [
    ("usr/sbin/avahi-daemon", "avahi-daemon"),
    ("usr/sbin/dnsmasq", "dnsmasq-base"),
    ("usr/sbin/lldpd", "lldpd"),
    ("usr/sbin/nmbd", "samba"),
    ("sbin/dhclient", "isc-dhcp-client"),
    ("usr/sbin/nginx", "nginx"),
    ("usr/sbin/apache2", "apache2-bin"),
    ("usr/sbin/lighttpd", "lighttpd"),
    ("usr/lib/lighttpd/mod_openssl.so", "lighttpd-mod-openssl"),
    ("usr/sbin/sshd", "openssh-server"),
];

/// What a package's post-installation script asks before it starts a service; 101 is "no" (Debian Policy §9.3.3.1).
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_NO: &str = "#!/bin/sh\n# Made by cargo xtask test for the time of one installation.\nexit 101\n";

/// What is missing and could not be installed.
#[derive(Debug)]
pub(crate) enum Lacking {
    /// Not root, and sudo wants a password.
    Rights(Vec<&'static str>),
    /// apt said no.
    Apt(String),
    /// A daemon could not be fetched or unpacked.
    Unpacking(String),
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rights(packages) => write!(
                f,
                "The tests need programs that are not installed. Install them, then run this again:\n\n    \
                 sudo apt-get install --no-install-recommends {}\n",
                packages.join(" ")
            ),
            Self::Apt(line) => write!(f, "apt failed; run it yourself to see why:\n\n    {line}\n"),
            Self::Unpacking(what) => write!(f, "{what}"),
        }
    }
}

/// Installs what is missing. Does nothing, and asks nobody, where everything is there.
pub(crate) fn install() -> Result<(), Lacking> {
    let packages = missing_clients();
    let daemons = missing_daemons();
    if packages.is_empty() && daemons.is_empty() {
        return Ok(());
    }
    let sudo = rights();
    if let Some(sudo) = sudo {
        apt(sudo, &["update", "--quiet"])?;
    }
    if !packages.is_empty() {
        install_clients(sudo, &packages)?;
    }
    if daemons.is_empty() { Ok(()) } else { unpack_daemons(&daemons) }
}

/// Where the daemons are unpacked: tests look for them here and below `/`.
fn unpacked() -> PathBuf {
    root().join("target/tools")
}

fn missing_clients() -> Vec<&'static str> {
    let paths: Vec<PathBuf> =
        std::env::var_os("PATH").map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default();
    // A user's PATH may lack the folders of root's programs.
    let folders = paths.iter().map(PathBuf::as_path).chain(["/usr/sbin", "/sbin"].map(Path::new));
    let folders: Vec<&Path> = folders.collect();
    let missing = CLIENTS.iter().filter(|(program, _)| !folders.iter().any(|folder| folder.join(program).exists()));
    missing.map(|&(_, package)| package).collect()
}

fn missing_daemons() -> Vec<&'static str> {
    let there = |file: &str| unpacked().join(file).exists() || Path::new("/").join(file).exists();
    DAEMONS.iter().filter(|(file, _)| !there(file)).map(|&(_, package)| package).collect()
}

fn install_clients(sudo: Option<bool>, packages: &[&'static str]) -> Result<(), Lacking> {
    let Some(sudo) = sudo else {
        return Err(Lacking::Rights(packages.to_vec()));
    };
    let _no_services = NoServices::during_install(sudo);
    let mut words = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    words.extend(packages);
    apt(sudo, &words)
}

/// Whether sudo is needed to be root; `None` if there is no way to be root without a question.
fn rights() -> Option<bool> {
    if rustix::process::geteuid().is_root() {
        return Some(false);
    }
    let asked = Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success()).then_some(true)
}

fn as_root(sudo: bool, program: &str) -> Command {
    if !sudo {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

fn apt(sudo: bool, words: &[&str]) -> Result<(), Lacking> {
    let line = format!("{}apt-get {}", if sudo { "sudo " } else { "" }, words.join(" "));
    eprintln!("── {line}");
    let mut command = as_root(sudo, "env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(words).stdin(Stdio::null());
    let done = command.status().is_ok_and(|status| status.success());
    if done { Ok(()) } else { Err(Lacking::Apt(line)) }
}

/// Keeps services from being started while packages are installed. A policy that is already there is left alone.
struct NoServices {
    sudo: bool,
    made: bool,
}

impl NoServices {
    fn during_install(sudo: bool) -> Self {
        let made = !Path::new(POLICY).exists() && Self::write(sudo);
        Self { sudo, made }
    }

    fn write(sudo: bool) -> bool {
        let script = format!("printf '%s' '{POLICY_NO}' > {POLICY} && chmod 755 {POLICY}");
        as_root(sudo, "sh").args(["-c", &script]).status().is_ok_and(|status| status.success())
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.made {
            // If this fails there is nobody to tell; the file says itself what it is.
            let _ = as_root(self.sudo, "rm").args(["-f", POLICY]).status();
        }
    }
}

/// Fetches the daemons and those of their libraries that are not installed, and unpacks them. Needs no rights.
fn unpack_daemons(packages: &[&str]) -> Result<(), Lacking> {
    unpack(&closure(packages), &unpacked())
}

/// Fetches these packages and unpacks them into `into`.
pub(crate) fn unpack(names: &[String], into: &Path) -> Result<(), Lacking> {
    let folder = into.join("packages");
    let failed =
        |what: &str| Lacking::Unpacking(format!("cannot unpack {} into {}: {what}", names.join(" "), into.display()));
    fs::create_dir_all(&folder).map_err(|error| failed(&error.to_string()))?;
    if names.is_empty() {
        return Err(failed("apt does not know them; run `apt-get update` as root first"));
    }
    eprintln!("── apt-get download {}", names.join(" "));
    let mut download = Command::new("apt-get");
    download.current_dir(&folder).args(["download", "--quiet"]).args(names).stdin(Stdio::null());
    if !download.status().is_ok_and(|status| status.success()) {
        return Err(failed("apt-get download failed"));
    }
    for file in fs::read_dir(&folder).map_err(|error| failed(&error.to_string()))?.flatten() {
        let done = Command::new("dpkg").arg("-x").arg(file.path()).arg(into).status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(failed(&format!("dpkg -x {} failed", file.path().display())));
        }
    }
    fs::remove_dir_all(&folder).map_err(|error| failed(&error.to_string()))
}

/// `packages` and all that apt would install with them.
fn closure(packages: &[&str]) -> Vec<String> {
    let mut simulate = Command::new("apt-get");
    simulate.args(["install", "--simulate", "--quiet", "--no-install-recommends"]).args(packages);
    let Ok(said) = simulate.stdin(Stdio::null()).output() else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&said.stdout);
    // `Inst samba (2:4.17.12+dfsg-0 Debian:12 [amd64])`
    text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next().map(String::from)).collect()
}
