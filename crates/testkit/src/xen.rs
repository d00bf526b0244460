//! A Xen whose first domain is a Linux of one busybox, under QEMU's software emulation, for as long as a script in that
//! domain runs. Its parts are packages that `cargo xtask xen` unpacks below `target/tools/xen`; nothing is installed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Modules of the first domain's kernel that it needs to be one, in an order in which each finds what it needs.
const MODULES: [&str; 7] = [
    "drivers/xen/xen-privcmd.ko",
    "drivers/xen/xen-evtchn.ko",
    "drivers/xen/xen-gntdev.ko",
    "drivers/xen/xen-gntalloc.ko",
    "drivers/xen/xenfs/xenfs.ko",
    "drivers/net/xen-netback/xen-netback.ko",
    "drivers/net/veth.ko",
];

/// Programs of Xen's, by their folder below the unpacked packages.
const PROGRAMS: [&str; 9] = [
    "usr/lib/xen-4.17/bin/xl",
    "usr/lib/xen-4.17/bin/xenstored",
    "usr/lib/xen-4.17/bin/xenconsoled",
    "usr/lib/xen-4.17/bin/xen-init-dom0",
    "usr/bin/xenstore-read",
    "usr/bin/xenstore-write",
    "usr/bin/xenstore-ls",
    "usr/bin/xenstore-list",
    "usr/bin/xenstore-exists",
];

/// What the script begins with: devices, modules, Xen's daemons.
const BEGIN: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/xen/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /var/lib/xen /var/lib/xenstored /var/log/xen /run/xen /run/xenstored /run/lock
ln -sf /run /var/run
for module in /modules/*.ko; do insmod $module; done
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /run/xenstored.pid
for n in $(seq 50); do xenstore-exists / && break; usleep 100000; done
xen-init-dom0
xenconsoled --pid-file=/run/xenconsoled.pid
ip link set lo up
say() { echo "== $*"; }
say begin
"#;

/// What it ends with.
const END: &str = "\nsay end\npoweroff -f\n";

/// Memory of the first domain: programs and all else are in it.
const DOM0_MIB: u32 = 700;
/// Memory of the machine. Xen takes some 200 MiB of it for itself.
const MACHINE_MIB: u32 = 1_500;

/// What runs in the first domain.
#[derive(Debug, Default)]
pub struct Dom0 {
    /// Content and mode, by path without the first slash.
    files: BTreeMap<String, (Vec<u8>, u32)>,
}

/// Where the packages are.
fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/xen")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask xen` unpacks it", path.display()))
}

/// The only file in `folder` whose name begins so.
fn only(folder: &Path, prefix: &str) -> PathBuf {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files =
        files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    files.next().unwrap_or_else(|| panic!("no {prefix} in {}; `cargo xtask xen` unpacks it", folder.display()))
}

impl Dom0 {
    /// One with busybox, the modules, and Xen's programs.
    ///
    /// # Panics
    /// When the packages are not unpacked.
    #[must_use]
    pub fn new() -> Self {
        let mut new = Self::default();
        new.add("bin/busybox", read(&unpacked().join("bin/busybox")), 0o755);
        let modules = only(&unpacked().join("lib/modules"), "").join("kernel");
        for (n, module) in MODULES.iter().enumerate() {
            let name = Path::new(module).file_name().unwrap_or_default().to_string_lossy();
            new.add(&format!("modules/{n}-{name}"), read(&modules.join(module)), 0o644);
        }
        new.add("etc/xen/xl.conf", "", 0o644);
        // The C library opens it when a thread is ended, which no program says of itself.
        let unwinder = "lib/x86_64-linux-gnu/libgcc_s.so.1";
        new.add(unwinder, read(&Path::new("/").join(unwinder)), 0o644);
        for program in PROGRAMS {
            new.add_program("xen/bin", &unpacked().join(program));
        }
        new
    }

    /// Puts a file there.
    pub fn add(&mut self, path: &str, content: impl Into<Vec<u8>>, mode: u32) {
        self.files.insert(path.to_owned(), (content.into(), mode));
    }

    /// Puts a program of this machine's there, and the libraries that it needs.
    ///
    /// # Panics
    /// When it or any of them is not there.
    pub fn add_program(&mut self, folder: &str, program: &Path) {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        self.add(&format!("{folder}/{name}"), read(program), 0o755);
        let libraries = unpacked().join("usr/lib/x86_64-linux-gnu");
        let listed = Command::new("ldd").arg(program).env("LD_LIBRARY_PATH", libraries).output().expect("ldd runs");
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader, which stands alone.
            let mut words = line.split_whitespace();
            let (Some(name), second) = (words.next(), words.next()) else { continue };
            let path = if second == Some("=>") { words.next().unwrap_or_default() } else { name };
            assert_ne!(path, "not", "{}: {line}", program.display());
            let Some(file) = path.strip_prefix('/').and_then(|_| Path::new(path).file_name()) else { continue };
            let place = if second == Some("=>") { "lib/x86_64-linux-gnu" } else { "lib64" };
            self.add(&format!("{place}/{}", file.to_string_lossy()), read(Path::new(path)), 0o755);
        }
    }

    /// Boots it with `script` and waits for its end; what the script has said, by `say` or otherwise.
    ///
    /// # Panics
    /// When it does not come to its end in `patience`.
    #[must_use]
    pub fn run(mut self, script: &str, patience: Duration) -> Said {
        self.add("init", format!("{BEGIN}{script}{END}"), 0o755);
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("files"), self.archive()).expect("room");
        let xen = only(&unpacked().join("boot"), "xen-4.17-amd64.gz");
        let gunzip = Command::new("gzip").args(["-dc"]).arg(xen).output().expect("gzip runs");
        fs::write(path("xen"), gunzip.stdout).expect("room");
        let kernel = only(&unpacked().join("boot"), "vmlinuz-");
        fs::copy(kernel, path("linux")).expect("room");

        let mut qemu = Command::new("qemu-system-x86_64");
        // With these features that are taken away a first domain of this age crashes at once.
        qemu.args(["-accel", "tcg", "-cpu", "max,+svm,-smap,-smep,-pku,-umip,-la57", "-M", "q35"]);
        qemu.args(["-m", &MACHINE_MIB.to_string(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        qemu.args(["-serial", &format!("file:{}", path("serial").display())]);
        qemu.arg("-kernel").arg(path("xen")).arg("-append").arg(format!(
            "console=com1 com1=115200,8n1,0x3f8,4 guest_loglvl=all dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M noreboot"
        ));
        let linux = format!("{} console=hvc0 rdinit=/init quiet", path("linux").display());
        qemu.args(["-initrd", &format!("{linux},{}", path("files").display())]);
        let qemu = qemu.stdin(Stdio::null()).spawn().expect("qemu-system-x86_64 runs: cargo xtask tools installs it");
        let mut qemu = Ended(qemu);
        let begun = Instant::now();
        let serial = || String::from_utf8_lossy(&fs::read(path("serial")).unwrap_or_default()).replace('\r', "");
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let text = serial();
            let ended = text.lines().any(|line| line == "== end");
            if ended || qemu.0.try_wait().ok().flatten().is_some() {
                assert!(ended, "the machine ended before the script did:\n{text}");
                return Said(text);
            }
            assert!(begun.elapsed() < patience, "the script did not come to its end:\n{text}");
        }
    }

    /// The files as the kernel unpacks them (`newc`, Linux' Documentation/driver-api/early-userspace/buffer-format.rst).
    fn archive(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        let mut folders = Vec::new();
        for path in self.files.keys() {
            let parents = Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
            folders.extend(parents.map(|parent| parent.to_string_lossy().into_owned()));
        }
        folders.extend(["dev", "proc", "sys", "run", "tmp", "var", "etc"].map(str::to_owned));
        folders.sort();
        folders.dedup();
        let mut number = 0;
        let mut entry = |path: &str, mode: u32, content: &[u8]| {
            number += 1;
            let fields = [number, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, path.len() as u32 + 1, 0];
            archive.extend(b"070701");
            fields.iter().for_each(|field| write!(archive, "{field:08x}").expect("room"));
            archive.extend(path.as_bytes());
            archive.push(0);
            archive.resize(archive.len().next_multiple_of(4), 0);
            archive.extend(content);
            archive.resize(archive.len().next_multiple_of(4), 0);
        };
        folders.iter().for_each(|folder| entry(folder, 0o040_755, b""));
        self.files.iter().for_each(|(path, (content, mode))| entry(path, 0o100_000 | mode, content));
        entry("TRAILER!!!", 0, b"");
        archive
    }
}

/// What came out of the first domain, and of Xen, on the serial port.
#[derive(Debug)]
pub struct Said(String);

impl Said {
    /// All of it.
    #[must_use]
    pub fn all(&self) -> &str {
        &self.0
    }

    /// The lines between `say FROM` and the next `say`.
    #[must_use]
    pub fn after(&self, from: &str) -> Vec<&str> {
        let begin = format!("== {from}");
        let lines = self.0.lines().skip_while(|line| *line != begin).skip(1);
        lines.take_while(|line| !line.starts_with("== ")).filter(|line| !line.starts_with("(XEN)")).collect()
    }

    /// The same as one text.
    #[must_use]
    pub fn text(&self, from: &str) -> String {
        self.after(from).join("\n")
    }

    /// What `xxd -p` printed after `say FROM`.
    #[must_use]
    pub fn octets(&self, from: &str) -> Vec<u8> {
        let digits: Vec<u8> = self.after(from).concat().bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
    }
}

/// A machine that is ended in any case.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
