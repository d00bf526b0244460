//! An incident as `chaff incidents --json` prints it.

use serde_json::Value;

/// What the lab shows of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) severity: String,
    pub(crate) title: String,
    pub(crate) observations: u64,
    pub(crate) decoys: u64,
    pub(crate) ports: u64,
    pub(crate) credentials: u64,
    pub(crate) tools: Vec<String>,
    pub(crate) techniques: Vec<String>,
    pub(crate) first_alarm_ms: Option<u64>,
}

impl Incident {
    /// Reads one line; `None` where it is not an incident.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let words = |key: &str| {
            let list = value.get(key).and_then(Value::as_array);
            list.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default()
        };
        Some(Self {
            id: text("id")?,
            severity: text("severity")?,
            title: text("title")?,
            observations: number("observations").unwrap_or(0),
            decoys: number("decoys").unwrap_or(0),
            ports: number("ports").unwrap_or(0),
            credentials: number("credentials").unwrap_or(0),
            tools: words("tools"),
            techniques: words("techniques"),
            first_alarm_ms: number("first_alarm_ms"),
        })
    }

    /// How much of everything: "18230 observations, 214 decoys, 1 login".
    pub(crate) fn counts(&self) -> String {
        let all = [
            (self.observations, "observation"),
            (self.decoys, "decoy"),
            (self.ports, "port"),
            (self.credentials, "login"),
        ];
        let counted = |(n, what): &(u64, &str)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" });
        all.iter().filter(|(n, _)| *n > 0).map(counted).collect::<Vec<_>>().join(", ")
    }

    /// Whether a person wants to be told again: it got worse, or something new was recognised. Mere growth is not news.
    pub(crate) fn is_news_after(&self, earlier: &Self) -> bool {
        self.severity != earlier.severity
            || self.tools != earlier.tools
            || (self.credentials > 0) != (earlier.credentials > 0)
    }
}

/// MITRE ATT&CK's names of the techniques that decoys can see.
pub(crate) fn technique_name(id: &str) -> Option<&'static str> {
    Some(match id {
        "T1016" => "network configuration discovery",
        "T1018" => "remote system discovery",
        "T1021" => "remote services",
        "T1021.001" => "remote desktop",
        "T1021.002" => "Windows admin shares",
        "T1021.003" => "DCOM",
        "T1021.004" => "SSH",
        "T1021.005" => "VNC",
        "T1021.006" => "Windows remote management",
        "T1040" => "network sniffing",
        "T1046" => "network service discovery",
        "T1059" | "T1059.004" => "command interpreter",
        "T1078" => "valid accounts",
        "T1105" => "ingress tool transfer",
        "T1110" => "brute force",
        "T1110.001" => "password guessing",
        "T1110.003" => "password spraying",
        "T1133" => "external remote services",
        "T1135" => "network share discovery",
        "T1190" => "exploit of a public application",
        "T1210" => "exploitation of remote services",
        "T1498" => "network denial of service",
        "T1557" => "adversary in the middle",
        "T1557.002" => "ARP cache poisoning",
        "T1602" | "T1602.001" => "data from a configuration repository",
        "T1595" | "T1595.001" => "active scanning",
        _ => return None,
    })
}
