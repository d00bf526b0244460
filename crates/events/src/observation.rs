use alloc::{string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use chaff_wire::Mac;
use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UtcNanos(pub u64);

/// A version 7 UUID (RFC 9562 §5.7): sorts by time, and is made by the sensor, so that an observation that is sent
/// twice is stored once.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u128);

impl EventId {
    /// The identifier of something that happened at `utc`. `within` tells apart what happened in one millisecond; of it
    /// the low 12 bits count, of `random` the low 62.
    #[must_use]
    pub fn new(utc: UtcNanos, within: u16, random: u64) -> Self {
        const VERSION: u128 = 7 << 76;
        const VARIANT: u128 = 0b10 << 62;
        let milliseconds = u128::from(utc.0 / 1_000_000) & 0xffff_ffff_ffff;
        let within = u128::from(within & 0x0fff);
        Self(milliseconds << 80 | VERSION | within << 64 | VARIANT | u128::from(random & (u64::MAX >> 2)))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            (id >> 80) & 0xffff,
            (id >> 64) & 0xffff,
            (id >> 48) & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A decoy's place in the [`Roster`](crate::Roster) that the sensor sent at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DecoyId(pub u32);

/// One fact seen by a decoy, or many like ones folded into one with a count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Unique, ordered by time.
    pub id: EventId,
    /// When the first packet of it was received.
    pub time: UtcNanos,
    /// Who was touched.
    pub decoy: DecoyId,
    /// Who touched it.
    pub source: Source,
    /// What was done.
    pub kind: Kind,
    /// Over what.
    pub transport: Transport,
    /// The decoy's port; 0 where there is none.
    pub port: u16,
    /// Name of the service bound to that port, empty if none.
    pub service: String,
    /// The tool that this single packet or message gives away.
    pub tool: Option<Tool>,
    /// How many packets were folded into this observation; 1 if it stands for itself.
    pub count: u32,
    /// The ports of a folded observation, ascending, each once; empty if it stands for itself.
    pub ports: Vec<u16>,
    /// What else is worth keeping.
    pub detail: Detail,
}

/// Where something came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Source address; unspecified where the packet gave none (an ARP probe).
    pub ip: IpAddr,
    /// Source hardware address: the intruder's on the link, a router's otherwise.
    pub mac: Mac,
    /// Source port; 0 where there is none.
    pub port: u16,
}

/// What was done to a decoy. The names as printed are fixed: see [`Kind::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Kind {
    ArpRequest,
    ArpConflict,
    NdSolicit,
    IcmpEcho,
    IcmpOther,
    IpOther,
    UdpProbe,
    UdpPayload,
    TcpSyn,
    TcpNull,
    TcpFin,
    TcpXmas,
    TcpAck,
    TcpOther,
    TcpConnect,
    TcpClose,
    OsProbe,
    TlsHello,
    ServiceRequest,
    Credential,
    Command,
    File,
    ProcessEnded,
    NodeMisbehaved,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 24] = [
        Self::ArpRequest,
        Self::ArpConflict,
        Self::NdSolicit,
        Self::IcmpEcho,
        Self::IcmpOther,
        Self::IpOther,
        Self::UdpProbe,
        Self::UdpPayload,
        Self::TcpSyn,
        Self::TcpNull,
        Self::TcpFin,
        Self::TcpXmas,
        Self::TcpAck,
        Self::TcpOther,
        Self::TcpConnect,
        Self::TcpClose,
        Self::OsProbe,
        Self::TlsHello,
        Self::ServiceRequest,
        Self::Credential,
        Self::Command,
        Self::File,
        Self::ProcessEnded,
        Self::NodeMisbehaved,
    ];

    /// The name as printed in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArpRequest => "arp.request",
            Self::ArpConflict => "arp.conflict",
            Self::NdSolicit => "nd.solicit",
            Self::IcmpEcho => "icmp.echo",
            Self::IcmpOther => "icmp.other",
            Self::IpOther => "ip.other",
            Self::UdpProbe => "udp.probe",
            Self::UdpPayload => "udp.payload",
            Self::TcpSyn => "tcp.syn",
            Self::TcpNull => "tcp.null",
            Self::TcpFin => "tcp.fin",
            Self::TcpXmas => "tcp.xmas",
            Self::TcpAck => "tcp.ack",
            Self::TcpOther => "tcp.other",
            Self::TcpConnect => "tcp.connect",
            Self::TcpClose => "tcp.close",
            Self::OsProbe => "os.probe",
            Self::TlsHello => "tls.hello",
            Self::ServiceRequest => "service.request",
            Self::Credential => "credential",
            Self::Command => "command",
            Self::File => "file",
            Self::ProcessEnded => "process.ended",
            Self::NodeMisbehaved => "node.misbehaved",
        }
    }
}

/// The protocol under an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Transport {
    Arp,
    Nd,
    Icmp,
    Ip,
    Udp,
    Tcp,
}

impl Transport {
    /// The name as printed in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Nd => "nd",
            Self::Icmp => "icmp",
            Self::Ip => "ip",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// A tool that one packet or one message gives away (the hub joins marks over time).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Tool {
    Nmap,
    Masscan,
    Zmap,
    Naabu,
    Unicornscan,
    Hping3,
    Nping,
    ArpScan,
    Netdiscover,
    Fping,
    Ping,
    AngryIpScanner,
    Nbtscan,
    Hydra,
    Medusa,
    Ncrack,
    Curl,
    Zgrab,
    Gobuster,
    Ffuf,
    Feroxbuster,
    Sqlmap,
    Nikto,
    Nuclei,
    OpenVas,
    Nessus,
}

impl Tool {
    /// The name as printed in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nmap => "nmap",
            Self::Masscan => "masscan",
            Self::Zmap => "zmap",
            Self::Naabu => "naabu",
            Self::Unicornscan => "unicornscan",
            Self::Hping3 => "hping3",
            Self::Nping => "nping",
            Self::ArpScan => "arp-scan",
            Self::Netdiscover => "netdiscover",
            Self::Fping => "fping",
            Self::Ping => "ping",
            Self::AngryIpScanner => "angry-ip-scanner",
            Self::Nbtscan => "nbtscan",
            Self::Hydra => "hydra",
            Self::Medusa => "medusa",
            Self::Ncrack => "ncrack",
            Self::Curl => "curl",
            Self::Zgrab => "zgrab",
            Self::Gobuster => "gobuster",
            Self::Ffuf => "ffuf",
            Self::Feroxbuster => "feroxbuster",
            Self::Sqlmap => "sqlmap",
            Self::Nikto => "nikto",
            Self::Nuclei => "nuclei",
            Self::OpenVas => "openvas",
            Self::Nessus => "nessus",
        }
    }
}

/// What else an observation carries, by kind. Octets from the wire stay octets; printing escapes what is not UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// The header of a probing segment, as it came.
    Segment {
        /// Flags, low bit FIN.
        flags: u8,
        /// Window, not scaled.
        window: u16,
        /// IP time to live.
        ttl: u8,
        /// IP identification.
        ip_id: u16,
        /// Options, padding included.
        options: Vec<u8>,
    },
    /// An ICMP message or another IP protocol.
    Ip {
        /// IP protocol number.
        protocol: u8,
        /// ICMP type, or 0.
        kind: u8,
        /// ICMP code, or 0.
        code: u8,
    },
    /// The first octets of what was sent, and how many there were.
    Payload {
        /// At most [`Detail::MAX_OCTETS`] octets.
        octets: Vec<u8>,
        /// Octets in all.
        length: u32,
    },
    /// A request that a service understood.
    Request {
        /// Verb or command: `GET`, `EHLO`.
        method: Vec<u8>,
        /// What it asked for: a path, an argument.
        target: Vec<u8>,
        /// What the client calls itself.
        client: Vec<u8>,
        /// The first octets of what came with it.
        body: Vec<u8>,
    },
    /// A secret that was offered.
    Credential {
        /// Who it was offered for.
        username: Vec<u8>,
        /// `password`, `publickey`, `ntlmv2`, …; [`Detail::NOTHING`] where the client only asked what it may offer.
        secret_kind: String,
        /// The secret, or its fingerprint.
        secret: Vec<u8>,
        /// What the client calls itself.
        client: Vec<u8>,
        /// Whether it let the client in: it belongs to a planted account.
        accepted: bool,
    },
    /// How a TLS client opened (RFC 8446 §4.1.2).
    Tls {
        /// The server name that it asked for; empty: none.
        server_name: Vec<u8>,
        /// The protocols that it offers inside (RFC 7301), in its order.
        alpn: Vec<Vec<u8>>,
        /// JA3: MD5 of its hello's lists, in hexadecimal.
        ja3: String,
        /// JA4 of its hello.
        ja4: String,
    },
    /// How an SSH client opened (RFC 4253 §4.2, §7.1).
    Ssh {
        /// Its version line.
        client: Vec<u8>,
        /// HASSH: MD5 of its lists of algorithms, in hexadecimal.
        hassh: String,
        /// What that is the hash of: the lists as they came, bounded.
        algorithms: Vec<u8>,
    },
    /// A line that was typed into a shell.
    Command {
        /// As whom.
        username: Vec<u8>,
        /// The line.
        line: Vec<u8>,
    },
    /// A file that was sent. Its octets are no part of this.
    File {
        /// Where it was to go, or the command that read it.
        name: Vec<u8>,
        /// Octets in all.
        length: u64,
        /// SHA-256 of them.
        sha256: [u8; 32],
    },
    /// A connection that ended.
    Closed {
        /// Octets received from the client.
        received: u64,
        /// Octets sent to the client.
        sent: u64,
        /// How long it was open.
        milliseconds: u64,
    },
    /// Somebody claims a decoy's address.
    Conflict {
        /// Who.
        mac: Mac,
    },
    /// A process of the sensor's own that ended unbidden, and was replaced.
    Process {
        /// Which: `worker 0`, `node FS-07`.
        process: String,
        /// How it ended.
        reason: String,
    },
    /// What a decoy's virtual machine did that its program never does.
    Misbehaved {
        /// What.
        what: String,
        /// The first octets of it.
        octets: Vec<u8>,
    },
}

impl Detail {
    /// How many octets of a payload are kept: enough to name a tool, too few to be a store of malware.
    pub const MAX_OCTETS: usize = 1024;
    /// The kind of a secret that there was none of: by SSH's method of this name clients ask, as a user, what they may
    /// try (RFC 4252 §5.2). It is an attempt, and no credential.
    pub const NOTHING: &str = "none";
}
