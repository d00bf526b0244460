use chaff_events::{Detail, Kind, Observation, Severity, Tool};
use serde::{Deserialize, Serialize};

/// How far an intruder has come. The order is the order of growth; an incident has the furthest that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Somebody claims a decoy's address: a mistake as often as an attack.
    Conflict,
    /// Which hosts are there? ARP sweep, ping.
    Discovery,
    /// Which ports are open? Every kind of port scan.
    Scan,
    /// What is behind them? OS detection, banners, version probes.
    Probing,
    /// A service is used as a person or a program with a purpose would.
    Interaction,
    /// A login was tried.
    Credential,
    /// A planted account was used: somebody believes to be in.
    Access,
    /// A process of the sensor ended unbidden: a fault, or an attempt on it.
    Failure,
    /// A decoy's virtual machine does what its program never does: somebody else's program runs in it.
    Escape,
}

impl Stage {
    /// What this observation shows.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        match observation.kind {
            Kind::ArpConflict => Self::Conflict,
            Kind::ArpRequest | Kind::NdSolicit | Kind::IcmpEcho | Kind::IcmpOther => Self::Discovery,
            Kind::IpOther
            | Kind::UdpProbe
            | Kind::TcpSyn
            | Kind::TcpNull
            | Kind::TcpFin
            | Kind::TcpXmas
            | Kind::TcpAck
            | Kind::TcpOther
            | Kind::TcpConnect
            | Kind::TcpClose => Self::Scan,
            Kind::OsProbe | Kind::UdpPayload | Kind::TlsHello => Self::Probing,
            Kind::ServiceRequest => Self::of_request(observation),
            Kind::Command | Kind::File => Self::Access,
            Kind::ProcessEnded => Self::Failure,
            Kind::NodeMisbehaved => Self::Escape,
            Kind::Credential => match observation.detail {
                Detail::Credential { accepted: true, .. } => Self::Access,
                _ => Self::Credential,
            },
        }
    }

    /// A scanner's request asks what a service is. So does one whose client does not say what it is: `GET / HTTP/1.0`
    /// and nothing else is what version detection sends. The others want something.
    fn of_request(observation: &Observation) -> Self {
        let Detail::Request { client, .. } = &observation.detail else { return Self::Probing };
        if client.is_empty() || observation.tool.is_some_and(is_scanner) { Self::Probing } else { Self::Interaction }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Conflict => Severity::Info,
            Self::Discovery => Severity::Low,
            Self::Scan | Self::Probing | Self::Failure => Severity::Medium,
            Self::Interaction => Severity::High,
            Self::Credential | Self::Access | Self::Escape => Severity::Critical,
        }
    }
}

/// Tools that look and do not touch.
fn is_scanner(tool: Tool) -> bool {
    matches!(
        tool,
        Tool::Nmap
            | Tool::Masscan
            | Tool::Zmap
            | Tool::Naabu
            | Tool::Unicornscan
            | Tool::Zgrab
            | Tool::AngryIpScanner
            | Tool::Nbtscan
    )
}
