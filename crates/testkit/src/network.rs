//! The network of the black-box tests: an attacker, a switch, the decoys' interface and a real Linux host (the
//! twin), each in a namespace; further hosts and a router where a test wants them.

use std::{
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    process::{Command, Output, Stdio},
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use chaff_lab::{Error, Namespace, PacketSocket, veth};
use chaff_wire::Mac;

use crate::neighbour;

/// The attacker, on the decoys' link.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
/// A real Linux host on the same link.
pub const TWIN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
/// The router's leg on the decoys' link.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Whoever asks whether decoys are there yet: neither attacker nor decoy.
pub const WATCHER: (Mac, Ipv4Addr) = (Mac([0x52, 0x54, 0, 0, 0, 9]), Ipv4Addr::new(10, 0, 0, 9));
/// A host behind the router.
pub const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

/// The interface that decoys live on, in [`Network::dut`].
pub const DECOY_INTERFACE: &str = "dut0";

/// Namespaces and cables; all of it is gone when this is dropped.
#[derive(Debug)]
pub struct Network {
    /// The attacker: interface `atk0`.
    pub atk: Namespace,
    /// The switch: bridge `br0`.
    pub net: Namespace,
    /// Where Chaff runs: interface `dut0`, no address.
    pub dut: Namespace,
    /// A real Linux host: interface `twin0`.
    pub twin: Namespace,
}

impl Network {
    /// The whole of 10.0.0.0/8 on one switch.
    ///
    /// # Panics
    /// When this machine grants no namespaces; the message says what to allow.
    #[must_use]
    pub fn new() -> Self {
        Self::build().unwrap_or_else(|error| panic!("cannot make the test network: {error}"))
    }

    fn build() -> Result<Self, Error> {
        let network =
            Self { atk: Namespace::new()?, net: Namespace::new()?, dut: Namespace::new()?, twin: Namespace::new()? };
        for namespace in [&network.atk, &network.net, &network.dut, &network.twin] {
            namespace.disable_ipv6()?;
        }
        network.net.bridge("br0")?;
        network.plug(&network.dut, DECOY_INTERFACE, None)?;
        network.plug(&network.atk, "atk0", Some(ATTACKER))?;
        network.plug(&network.twin, "twin0", Some(TWIN))?;
        Ok(network)
    }

    /// Plugs `namespace` into the switch with an interface of this name, and gives it an address.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn plug(&self, namespace: &Namespace, name: &str, ip: Option<Ipv4Addr>) -> Result<(), Error> {
        let port = format!("{name}-p");
        veth(namespace, name, &self.net, &port)?;
        self.net.link(&port).enslave("br0")?;
        match ip {
            Some(ip) => namespace.link(name).address(&format!("{ip}/8")),
            None => Ok(()),
        }
    }

    /// A host of its own on the switch.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn host(&self, name: &str, ip: Ipv4Addr) -> Namespace {
        let made = Namespace::new().and_then(|host| {
            host.disable_ipv6()?;
            self.plug(&host, name, Some(ip))?;
            Ok(host)
        });
        made.unwrap_or_else(|error| panic!("cannot make host {name}: {error}"))
    }

    /// A router on the switch, and a host behind it that reaches the decoys only through it. Returns router and host.
    ///
    /// # Panics
    /// When they cannot be made.
    #[must_use]
    pub fn far_host(&self) -> (Namespace, Namespace) {
        let make = || {
            let router = self.host("router0", ROUTER);
            let far = Namespace::new()?;
            far.disable_ipv6()?;
            veth(&router, "far-r", &far, "far0")?;
            router.link("far-r").address("192.0.2.1/24")?;
            router.forward_ipv4()?;
            far.link("far0").address(&format!("{FAR}/24"))?;
            far.route("0.0.0.0/0", "192.0.2.1")?;
            Ok::<_, Error>((router, far))
        };
        make().unwrap_or_else(|error| panic!("cannot make the far host: {error}"))
    }

    /// Waits until the decoy at `ip` answers ARP, and says how long that took from `begun` on. Asks as the watcher,
    /// from a cable of its own.
    ///
    /// # Panics
    /// When it does not answer within `limit`.
    #[must_use]
    pub fn wait_for_decoy(&self, ip: Ipv4Addr, begun: Instant, limit: Duration) -> Duration {
        let socket = self.watcher();
        let mut buffer = [0; 2048];
        while begun.elapsed() < limit {
            // What is not sent now is sent with the next question.
            let _ = socket.send(&neighbour::question(WATCHER, ip));
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_millis(5) {
                if let Ok(Some(length)) = socket.receive(&mut buffer, Duration::from_millis(5))
                    && neighbour::answered(&buffer[..length], WATCHER.0).is_some_and(|who| who.1 == ip)
                {
                    return begun.elapsed();
                }
            }
        }
        panic!("the decoy at {ip} did not answer ARP within {limit:?}");
    }

    fn watcher(&self) -> PacketSocket {
        if self.net.link("watch").index().is_err() {
            let made =
                veth(&self.net, "watch", &self.net, "watch-p").and_then(|()| self.net.link("watch-p").enslave("br0"));
            made.unwrap_or_else(|error| panic!("cannot plug in the watcher: {error}"));
        }
        PacketSocket::open(&self.net, "watch").unwrap_or_else(|error| panic!("no packet socket: {error}"))
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// A `chaff.toml` of the network that [`Network`] is: what is given are its decoys and what else the file has.
#[macro_export]
macro_rules! office {
    ($rest:literal) => {
        concat!(
            "[[network]]\nname = \"office\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n",
            $rest
        )
    };
}

/// How a test runs that needs namespaces: inside a user namespace where the user is not root, and in turn with the others
/// of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// With the machine for itself, so that the timing of tests does not depend on each other.
    Alone,
    /// Beside others that do not mind either: what it looks at does not depend on how soon it comes.
    Beside,
}

impl Turn {
    /// Runs `test` when it is its turn. `name` is the test's own, as the harness knows it.
    ///
    /// # Panics
    /// When the test does, or where this machine grants no namespaces.
    pub fn take(self, name: &str, test: impl FnOnce()) {
        static TURN: RwLock<()> = RwLock::new(());
        // A test that failed before has left nothing behind that this one could trip over.
        let (_whole, _part);
        match self {
            Self::Alone => _whole = TURN.write().unwrap_or_else(PoisonError::into_inner),
            Self::Beside => _part = TURN.read().unwrap_or_else(PoisonError::into_inner),
        }
        match chaff_lab::run_test_privileged(name) {
            Ok(true) => {}
            Ok(false) => test(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// [`Turn::Alone`], which is what most tests want.
///
/// # Panics
/// As [`Turn::take`].
pub fn alone(name: &str, test: impl FnOnce()) {
    Turn::Alone.take(name, test);
}

/// Runs `program` in `namespace` until it ends, and returns what it printed on standard output.
///
/// # Panics
/// When it is not there, fails, or takes longer than `limit` seconds.
pub fn run(namespace: &Namespace, limit: u64, program: &str, words: &[&str]) -> String {
    let output = run_any(namespace, limit, program, words);
    let shown = || format!("{program} {}: {output:?}", words.join(" "));
    assert!(output.status.success(), "{}", shown());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same for programs whose exit code says nothing.
///
/// # Panics
/// When it is not there, or takes longer than `limit` seconds.
pub fn run_any(namespace: &Namespace, limit: u64, program: &str, words: &[&str]) -> Output {
    // timeout(1) ends the child by its own id, whatever state it is in.
    let mut command: Command = namespace.command("timeout");
    command.args(["--kill-after=5", &limit.to_string(), program]).args(words).stdin(Stdio::null());
    // Folders that a user's PATH may lack.
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command.process_group(0);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    assert_ne!(output.status.code(), Some(127), "{program} is not installed: run `cargo xtask tools`");
    assert_ne!(
        output.status.code(),
        Some(124),
        "{program} {} took longer than {limit} s: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stdout)
    );
    output
}
