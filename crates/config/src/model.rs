//! What `chaff.toml` says, once understood.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::{Deref, Range},
    path::PathBuf,
    sync::Arc,
};

use chaff_events::{Facility, Mac, Severity};

use crate::{AddressRange, Cidr, SourceFile};

/// A value and where it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Octets of the file that it takes.
    pub span: Range<usize>,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file itself, for diagnostics that come later.
    pub source: Arc<SourceFile>,
    /// What `file:` paths are relative to.
    pub directory: PathBuf,
    /// Where state is kept, unless the command line says otherwise.
    pub state_dir: Option<PathBuf>,
    /// Name of the sensor; the host's name if left out.
    pub sensor: String,
    /// User to run as once everything is open.
    pub user: Option<Located<String>>,
    /// Processes that share the decoys between them.
    pub workers: u16,
    /// Layers of the sandbox that are not required.
    pub without: Vec<Layer>,
    /// The networks, in the order of the file.
    pub networks: Vec<Network>,
    /// Sources that never alarm.
    pub allow: Vec<Allow>,
    /// Ways out for incidents.
    pub notify: Vec<Notify>,
    /// Traffic that the fleet makes of itself.
    pub chaff: Chaff,
    /// How decoys run that have a virtual machine of their own.
    pub node: NodeSettings,
}

/// A layer of the sandbox around workers and hub that a kernel may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// No path can be opened.
    Landlock,
    /// Few system calls can be made.
    Seccomp,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 2] = [Self::Landlock, Self::Seccomp];

    /// As `[sandbox] without` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// The layer of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// One `[[network]]`.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name.
    pub name: Located<String>,
    /// Interface that it is reached through.
    pub interface: Located<String>,
    /// Its addresses.
    pub subnet: Located<Cidr>,
    /// Its router.
    pub gateway: Option<Located<Ipv4Addr>>,
    /// 802.1Q VLAN on that interface.
    pub vlan: Option<Located<u16>>,
    /// Its groups of decoys, in the order of the file.
    pub decoys: Vec<Decoys>,
}

/// One `[[network.decoys]]`: decoys of one kind.
#[derive(Clone, Debug)]
pub struct Decoys {
    /// The group as a whole, for diagnostics.
    pub span: Range<usize>,
    /// Name of the profile, or `file:…`.
    pub profile: Located<String>,
    /// Personality that replaces the profile's own, or `file:…`.
    pub personality: Option<Located<String>>,
    /// The addresses, in the order of the file.
    pub addresses: Vec<Located<AddressRange>>,
    /// Pattern of the host names.
    pub hostname: Option<Located<String>>,
    /// What is laid over the profile's ports.
    pub ports: Ports,
    /// Hardware address of the group's only decoy.
    pub mac: Option<Located<Mac>>,
    /// What keys, certificates and serial numbers of the group's only decoy derive from, in place of the install's secret
    /// and its address.
    pub identity: Option<Located<[u8; 16]>>,
    /// Serial number that the group's only decoy tells.
    pub serial: Option<Located<String>>,
    /// `false` accepts a combination that the coherence check refuses.
    pub coherent: bool,
    /// Logins that succeed, planted for intruders to find.
    pub accounts: Vec<Account>,
    /// What the decoys run in.
    pub runtime: Runtime,
}

/// What a decoy runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// One of the workers, which many decoys share.
    #[default]
    Shared,
    /// A virtual machine of its own.
    Node,
}

/// `[node]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// What runs the machines.
    pub hypervisor: Hypervisor,
    /// The unikernel; looked for beside the program and in the usual folders if left out.
    pub image: Option<PathBuf>,
    /// The emulator; looked for in `PATH` if left out.
    pub qemu: Option<PathBuf>,
    /// Xen's toolstack; looked for in `PATH` and where distributions put it if left out.
    pub xl: Option<PathBuf>,
    /// What executes the guest's code.
    pub accel: Accel,
    /// Memory of each machine in MiB.
    pub memory_mib: u16,
    /// Machines that are being started at the same time.
    pub starts_at_once: u16,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            hypervisor: Hypervisor::Qemu,
            image: None,
            qemu: None,
            xl: None,
            accel: Accel::Auto,
            memory_mib: 8,
            starts_at_once: 4,
        }
    }
}

/// What runs machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hypervisor {
    /// A process of QEMU's for each.
    #[default]
    Qemu,
    /// A domain of the Xen that this system is the first domain of.
    Xen,
}

impl Hypervisor {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Qemu, Self::Xen];

    /// As `[node] hypervisor` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Xen => "xen",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hypervisor| hypervisor.name() == name)
    }
}

/// What executes a guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor if a machine boots that way, else the emulator.
    Auto,
    /// The processor, through Linux' KVM.
    Kvm,
    /// The emulator.
    Tcg,
}

impl Accel {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Kvm, Self::Tcg];

    /// As `[node] accel` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|accel| accel.name() == name)
    }
}

/// A planted login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A table of ports, narrower ranges after wider ones.
pub type Ports = Vec<PortChange>;

/// One line of a table of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChange {
    /// Which ports.
    pub key: Located<PortKey>,
    /// What is behind them.
    pub value: Located<PortValue>,
}

/// Which ports: `22/tcp`, `8000-8010/tcp`, `default/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortKey {
    /// TCP or UDP.
    pub transport: Transport,
    /// First and last; `None` is all that nothing else names.
    pub range: Option<(u16, u16)>,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What is behind a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortValue {
    /// A service by name, or `file:…`.
    Service(String),
    /// Accepts, says nothing.
    Open,
    /// Refuses.
    Closed,
    /// Drops.
    Filtered,
}

/// One `[[allow]]`: an authorised scanner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Its addresses.
    pub source: Located<Cidr>,
    /// Why.
    pub reason: String,
}

/// One `[[notify]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Incidents below this are not sent.
    pub min_severity: Severity,
    /// Where to.
    pub kind: NotifyKind,
}

/// The ways out of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyKind {
    /// Lines on standard output.
    Stdout(Stdout),
    /// Syslog (RFC 5424).
    Syslog(Rfc5424),
    /// An HTTP request for each change of an incident.
    Webhook(Webhook),
}

/// Settings of `kind = "stdout"`: none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stdout;

/// Settings of `kind = "syslog"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfc5424 {
    /// Address of the receiver.
    pub address: IpAddr,
    /// Port of the receiver, 514 if left out.
    pub port: u16,
    /// Datagrams (RFC 5426) or a stream (RFC 6587).
    pub transport: SyslogTransport,
    /// Facility of every message; `auth` if left out.
    pub facility: Facility,
}

/// How syslog messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
}

/// Settings of `kind = "webhook"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `http://` or `https://`.
    pub url: String,
    /// Headers that are sent along.
    pub headers: Vec<(String, String)>,
}

/// `[chaff]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chaff {
    /// Budget of the whole fleet.
    pub packets_per_second: u32,
}

impl Default for Chaff {
    /// Twenty packets a second are a hundredth of what a quiet office network carries, and enough for a thousand
    /// decoys to be heard of once a minute.
    fn default() -> Self {
        Self { packets_per_second: 20 }
    }
}

impl Config {
    /// How many decoys the file asks for.
    #[must_use]
    pub fn decoy_count(&self) -> u64 {
        self.networks.iter().flat_map(|n| &n.decoys).map(Decoys::count).sum()
    }

    /// Which decoys run in machines of their own, as ranges of their numbers in the compiled fleet: decoys are numbered
    /// in the order of the file.
    #[must_use]
    pub fn nodes(&self) -> Vec<Range<u64>> {
        let mut first = 0;
        let mut nodes = Vec::new();
        for group in self.networks.iter().flat_map(|n| &n.decoys) {
            let end = first + group.count();
            if group.runtime == Runtime::Node {
                nodes.push(first..end);
            }
            first = end;
        }
        nodes
    }
}

impl Decoys {
    /// How many decoys the group has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.addresses.iter().map(|r| r.count()).sum()
    }
}
