use std::collections::BTreeMap;

use chaff_lab::Namespace;

use crate::network::run;

/// What nmap says of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Names with their accuracy in per cent, in nmap's order.
    pub(super) names: Vec<(String, u8)>,
    /// What it saw, one test a line.
    pub(super) fingerprint: String,
}

/// By address.
pub(super) type Reports = BTreeMap<String, Report>;

/// Seconds that a scan may take.
const LIMIT: u64 = 300;

impl Report {
    pub(super) fn of(&self, accuracy: u8) -> impl Iterator<Item = &str> {
        self.names.iter().filter(move |(_, other)| *other == accuracy).map(|(name, _)| name.as_str())
    }
}

/// Looks at hosts with one open port, 22, and one closed, 23.
pub(super) fn scan(from: &Namespace, routed: bool, addresses: &[String]) -> Reports {
    let mut words = vec!["-O", "-d", "-n", "-Pn", "-p", "T:22,23", "-oX", "-"];
    if !routed {
        // Whole frames: the kernel's neighbour table is one for all namespaces.
        words.push("--send-eth");
    }
    words.extend(addresses.iter().map(String::as_str));
    reports(&run(from, LIMIT, "nmap", &words))
}

/// Reads nmap's XML as far as it is needed.
fn reports(xml: &str) -> Reports {
    xml.split("<host ").skip(1).filter_map(report).collect()
}

fn report(host: &str) -> Option<(String, Report)> {
    let host = host.split("</host>").next()?;
    let address = attribute(host.split("<address ").find(|part| part.contains("addrtype=\"ipv4\""))?, "addr")?;
    let matches = host.split("<osmatch ").skip(1);
    let name = |part: &str| Some((attribute(part, "name")?, attribute(part, "accuracy")?.parse().ok()?));
    let names = matches.filter_map(name).collect();
    let fingerprint = host.split("<osfingerprint ").nth(1).and_then(|part| attribute(part, "fingerprint"));
    Some((address, Report { names, fingerprint: fingerprint.unwrap_or_default() }))
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let begin = format!("{name}=\"");
    let value = element.split_once(&begin)?.1.split('"').next()?;
    let replaced = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#45;", "-"),
        ("&#xa;", "\n"),
        ("&amp;", "&"),
    ];
    Some(replaced.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_fingerprints_are_read() {
        let xml = "<host a=\"1\"><address addr=\"10.0.0.1\" addrtype=\"ipv4\"/><address addr=\"02:00:00:00:00:01\" \
                   addrtype=\"mac\"/><os><osmatch name=\"A &amp; B\" accuracy=\"100\" line=\"7\">\
                   </osmatch><osmatch name=\"C\" accuracy=\"96\" line=\"9\"></osmatch>\
                   <osfingerprint fingerprint=\"SCAN(V=1)&#xa;T1(R=Y)&#xa;\"/></os></host>";
        let reports = reports(xml);
        let report = &reports["10.0.0.1"];
        assert_eq!(report.names, [("A & B".to_owned(), 100), ("C".to_owned(), 96)]);
        assert_eq!(report.of(100).collect::<Vec<_>>(), ["A & B"]);
        assert_eq!(report.fingerprint, "SCAN(V=1)\nT1(R=Y)\n");
    }
}
