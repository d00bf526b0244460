//! A node in a real QEMU: what it is given, its card as a socket of frames, its console as a stream.

use std::{
    fs,
    io::{Read, Write},
    net::Ipv4Addr,
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chaff_events::UtcNanos;
use chaff_testkit::image;
use chaff_unikernel::{
    console::{FromHost, Reader, ToHost, encode},
    module::{BootModule, VERSION},
};

/// The decoy's addresses, and ours.
pub(crate) const DECOY: (Ipv4Addr, [u8; 6]) = (Ipv4Addr::new(10, 0, 1, 7), [0x00, 0x50, 0x56, 0x9a, 0x10, 0x07]);
pub(crate) const OURS: (Ipv4Addr, [u8; 6]) = (Ipv4Addr::new(10, 0, 0, 2), [0x52, 0x54, 0, 0, 0, 2]);

/// A start on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where devices are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Board {
    /// MMIO, named by the command line.
    Microvm,
    /// PCI with MSI-X.
    Q35,
}

/// What the node of these tests is: a Linux server with SSH and nginx.
pub(crate) fn module() -> BootModule {
    let [a, b, c, d, e, f] = DECOY.1;
    let text = format!(
        "[[network]]\nname = \"net\"\ninterface = \"eth0\"\nsubnet = \"10.0.0.0/16\"\ngateway = \"10.0.0.1\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"10.0.1.6\", \"{}\"]\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"10.0.1.8\"]\n",
        DECOY.0
    );
    let source = chaff_config::SourceFile::new("chaff.toml", text);
    let config = chaff_config::parse(&source, Path::new("")).expect("the configuration is good");
    let fleet = chaff_profiles::compile(&config, &[7; 32]).expect("the fleet compiles");
    let index = fleet.decoys.iter().position(|decoy| decoy.ip == DECOY.0).expect("the decoy is there");
    let mut fleet = fleet.alone(index).expect("the decoy is there");
    fleet.decoys[0].mac.0 = [a, b, c, d, e, f];
    let utc = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let utc = UtcNanos(u64::try_from(utc).expect("before 2554"));
    BootModule { entropy: [3; 32], now: 1, utc, counter_khz: None, fleet }
}

/// A running machine.
pub(crate) struct Vm {
    qemu: Child,
    card: UnixDatagram,
    console: UnixListener,
    folder: tempfile::TempDir,
    pub(crate) started: Instant,
}

impl Vm {
    /// Starts the image with `memory` MiB; `words` are for its command line.
    pub(crate) fn start(board: Board, memory: u32, module: &[u8], words: &str) -> Self {
        Self::start_image(image::with_holes(), board, memory, module, words)
    }

    pub(crate) fn start_image(image: &Path, board: Board, memory: u32, module: &[u8], words: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("module"), module).expect("the module");
        let card = UnixDatagram::bind(path("host")).expect("a socket");
        card.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        let console = UnixListener::bind(path("console")).expect("a socket");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg,tb-size=2", "-cpu", "max", "-nodefaults", "-no-user-config", "-display", "none"]);
        qemu.args(["-no-reboot", "-m", &memory.to_string()]);
        let kind = match board {
            Board::Microvm => {
                qemu.args(["-M", "microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=on,auto-kernel-cmdline=on"]);
                "device"
            }
            Board::Q35 => {
                qemu.args(["-M", "q35"]);
                "pci"
            }
        };
        qemu.arg("-kernel").arg(image).arg("-initrd").arg(path("module")).args(["-append", words]);
        qemu.args(["-serial", &format!("file:{}", path("serial").display())]);
        qemu.args(["-netdev", &card_words(folder.path()), "-device", &format!("virtio-net-{kind},netdev=n0")]);
        qemu.args(["-chardev", &format!("socket,id=c0,path={}", path("console").display())]);
        qemu.args(["-device", &format!("virtio-serial-{kind}"), "-device", "virtconsole,chardev=c0"]);
        let started = Instant::now();
        let qemu = qemu.stdin(Stdio::null()).spawn().expect("qemu-system-x86_64 runs: cargo xtask tools installs it");
        Self { qemu, card, console, folder, started }
    }

    /// Sends a frame, once the machine's socket is there.
    pub(crate) fn send(&self, frame: &[u8]) {
        let to = self.folder.path().join("node");
        let deadline = Instant::now() + PATIENCE;
        while self.card.send_to(frame, &to).is_err() {
            assert!(Instant::now() < deadline, "the card takes no frame: {}", self.serial());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next frame, if one comes at once.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 2_048];
        let length = self.card.recv(&mut frame).ok()?;
        frame.truncate(length);
        Some(frame)
    }

    /// Says `frame` until `answer` finds what it looks for among what comes.
    pub(crate) fn ask<T>(&self, frame: &[u8], answer: impl Fn(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.send(frame);
            let again = Instant::now() + Duration::from_millis(100);
            while Instant::now() < again {
                if let Some(found) = self.receive().and_then(|frame| answer(&frame)) {
                    return found;
                }
            }
            assert!(Instant::now() < deadline, "no answer: {}", self.serial());
        }
    }

    /// The console, with the greeting said.
    pub(crate) fn console(&self) -> Console {
        let (stream, _) = self.console.accept().expect("the machine opens its console");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let mut console = Console { stream, reader: Reader::new(), waiting: Vec::new() };
        console.say(&FromHost::Hello { version: VERSION, utc: UtcNanos(1_800_000_000_000_000_000) });
        console
    }

    pub(crate) fn serial(&self) -> String {
        fs::read_to_string(self.folder.path().join("serial")).unwrap_or_default()
    }

    /// Waits for the end of the machine.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.qemu.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the machine goes on: {}", self.serial());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Processor time used so far, in ticks of 10 ms.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.qemu.id())).expect("it runs");
        let words: Vec<&str> = stat.rsplit(") ").next().expect("words").split(' ').collect();
        [11, 12].iter().map(|&n| words[n].parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// One datagram is one frame.
fn card_words(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!("dgram,id=n0,local.type=unix,local.path={},remote.type=unix,remote.path={}", path("node"), path("host"))
}

/// The host's end of a console.
pub(crate) struct Console {
    stream: UnixStream,
    pub(crate) reader: Reader,
    waiting: Vec<u8>,
}

impl Console {
    pub(crate) fn say(&mut self, message: &FromHost) {
        self.stream.write_all(&encode(message).expect("short")).expect("the machine listens");
    }

    /// The next message that `choose` takes.
    pub(crate) fn hear<T>(&mut self, choose: impl Fn(ToHost) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(message) = self.reader.poll() {
                if let Some(chosen) = choose(message) {
                    return chosen;
                }
            }
            let mut octets = [0; 4_096];
            let length = self.stream.read(&mut octets).unwrap_or(0);
            self.waiting.extend(&octets[..length]);
            let taken = self.reader.handle_octets(&self.waiting);
            self.waiting.drain(..taken);
            assert!(Instant::now() < deadline, "it does not say what it should");
        }
    }
}
