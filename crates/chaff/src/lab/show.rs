//! The two sides of the story: what the intruder sees, what the defender is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use comfy_table::{Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};

use super::{
    attack::{Finding, OpenPort, Report, printable},
    incident::{Incident, technique_name},
    network::Network,
    paint::{Style, is_coloured, is_terminal, paint, say, severity_style},
    plan::{Plan, REAL_HOSTS},
    product::Decoy,
};

/// 256-colour orange, as everywhere in Chaff.
const ORANGE: Color = Color::AnsiValue(208);
/// Addresses in one line of the map.
const MAP_COLUMNS: usize = 64;

const DECOY: &str = "d";
const REAL: &str = "R";
const INTRUDER: &str = "X";
const NOBODY: &str = "·";

/// What an address really is.
enum Truth<'a> {
    Decoy(&'a Decoy),
    Real(&'static str),
    Intruder,
    Nobody,
}

/// Knows the truth that the intruder does not.
struct Truths<'a> {
    intruder: Ipv4Addr,
    decoys: BTreeMap<Ipv4Addr, &'a Decoy>,
}

impl<'a> Truths<'a> {
    fn new(plan: &Plan, roster: &'a [Decoy]) -> Self {
        Self { intruder: plan.intruder(), decoys: roster.iter().map(|decoy| (decoy.ip, decoy)).collect() }
    }

    fn of(&self, ip: Ipv4Addr) -> Truth<'a> {
        if ip == self.intruder {
            return Truth::Intruder;
        }
        if let Some(host) = REAL_HOSTS.iter().find(|host| host.ip == ip) {
            return Truth::Real(host.what);
        }
        self.decoys.get(&ip).map_or(Truth::Nobody, |decoy| Truth::Decoy(decoy))
    }
}

/// The network as the intruder found it, with the truth in colours that he does not have.
pub(crate) fn intruder_view(plan: &Plan, roster: &[Decoy], report: &Report) {
    let truths = Truths::new(plan, roster);
    heading("What the intruder sees", "and, in colour and in the last column, what he does not know");
    print_map(plan, &truths, &report.findings);
    let probed: Vec<&Finding> = report.findings.iter().filter(|finding| finding.probed).collect();
    if !probed.is_empty() {
        say(&format!("\n{}", finding_table(&truths, &probed)));
    }
}

fn heading(text: &str, more: &str) {
    say(&format!("\n{}  {}\n", paint(Style::Bold, text), paint(Style::Dim, more)));
}

/// One mark for each address of the sweep that answered.
fn print_map(plan: &Plan, truths: &Truths<'_>, findings: &[Finding]) {
    let answered: BTreeSet<Ipv4Addr> = findings.iter().filter_map(|finding| finding.ip).collect();
    let cells: Vec<Ipv4Addr> = plan.swept_addresses().collect();
    for row in cells.chunks(MAP_COLUMNS) {
        let label = row.first().map(Ipv4Addr::to_string).unwrap_or_default();
        let marks: String = row.iter().map(|ip| mark(truths, *ip, answered.contains(ip))).collect();
        say(&format!("  {} {marks}", paint(Style::Dim, &format!("{label:<12}"))));
    }
    say(&format!(
        "  {:<12} {} decoy   {} real host   {} the intruder   {} nobody answers",
        "",
        paint(Style::Orange, DECOY),
        paint(Style::Green, REAL),
        paint(Style::BrightRed, INTRUDER),
        paint(Style::Dim, NOBODY)
    ));
}

fn mark(truths: &Truths<'_>, ip: Ipv4Addr, answered: bool) -> String {
    match truths.of(ip) {
        Truth::Intruder => paint(Style::BrightRed, INTRUDER),
        Truth::Decoy(_) if answered => paint(Style::Orange, DECOY),
        Truth::Real(_) if answered => paint(Style::Green, REAL),
        _ => paint(Style::Dim, NOBODY),
    }
}

fn finding_table(truths: &Truths<'_>, findings: &[&Finding]) -> Table {
    let mut table = Table::new();
    table.load_style(plain_style()).set_content_arrangement(ContentArrangement::Dynamic);
    if !is_terminal() {
        // In a file or a pipe there is no width to fit into.
        table.set_width(PIPE_WIDTH);
    }
    let headings = ["address", "card", "system, by its packets", "open ports", "really"];
    table.set_header(headings.map(|heading| styled(Cell::new(heading), None)));
    for finding in findings {
        let Some(ip) = finding.ip else { continue };
        let (truth, colour) = match truths.of(ip) {
            Truth::Decoy(decoy) => (format!("decoy {}\n{}", decoy.name, decoy.profile), Some(ORANGE)),
            Truth::Real(what) => (format!("real host\n{what}"), Some(Color::Green)),
            Truth::Intruder | Truth::Nobody => (String::new(), None),
        };
        let os = if finding.os.is_empty() { "?" } else { &finding.os };
        let nameless = finding.mac.starts_with(&finding.vendor);
        let card = if nameless { &finding.mac } else { &finding.vendor };
        let cells = [ip.to_string(), printable(card), printable(os), ports(finding), truth];
        table.add_row(cells.map(|text| styled(Cell::new(text), colour)));
    }
    table
}

/// Columns apart, one line under the headings, no boxes.
pub(crate) fn plain_style() -> TableStyle {
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'))
}

/// Wide enough for the table, where nobody says how wide.
pub(crate) const PIPE_WIDTH: u16 = 130;

/// One line for each open port; neighbours of which nothing is known share one.
fn ports(finding: &Finding) -> String {
    let alike = |a: &OpenPort, b: &OpenPort| a.port.checked_add(1) == Some(b.port) && a.service == b.service;
    let line = |run: &[OpenPort]| match run {
        [one] => format!("{} {}", one.port, printable(&one.service)),
        [first, .., last] => format!("{}-{} {}", first.port, last.port, printable(&first.service)),
        [] => String::new(),
    };
    let lines: Vec<String> = finding.ports.chunk_by(alike).map(|run| line(run).trim_end().to_owned()).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join("\n") }
}

fn styled(cell: Cell, colour: Option<Color>) -> Cell {
    match colour {
        Some(colour) if is_coloured() => cell.fg(colour),
        _ => cell,
    }
}

/// The incidents, as people get them.
pub(crate) fn defender_view(incidents: &[Incident]) {
    heading(
        "What the defender is told",
        &match incidents.len() {
            0 => "nothing".to_owned(),
            1 => "one incident".to_owned(),
            n => format!("{n} incidents"),
        },
    );
    for incident in incidents {
        print_incident(incident);
    }
}

fn print_incident(incident: &Incident) {
    let style = severity_style(&incident.severity);
    say(&format!("  {}  {}", paint(style, &incident.severity.to_uppercase()), paint(Style::Bold, &incident.title)));
    let indent = incident.severity.len() + 2;
    let line = |label: &str, text: &str| {
        if !text.is_empty() {
            say(&format!("  {:indent$}{} {text}", "", paint(Style::Dim, &format!("{label:<11}"))));
        }
    };
    line("tools", &incident.tools.join(", "));
    let techniques: Vec<String> = incident.techniques.iter().map(|id| technique(id)).collect();
    line("techniques", &techniques.join(", "));
    line("seen", &incident.counts());
    if let Some(ms) = incident.first_alarm_ms {
        line("first alarm", &format!("{ms} ms after the first packet"));
    }
    say("");
}

fn technique(id: &str) -> String {
    technique_name(id).map_or_else(|| id.to_owned(), |name| format!("{id} {name}"))
}

/// How to go on by hand.
pub(crate) fn hint(network: &Network, plan: &Plan, as_user: bool) {
    let net = network.intruder().path();
    let enter = if as_user {
        format!("nsenter --preserve-credentials --user=/proc/{}/ns/user --net={net} bash", std::process::id())
    } else {
        format!("nsenter --net={net} bash")
    };
    say(&paint(Style::Bold, "Now be the intruder yourself, in another terminal:"));
    say(&format!("\n  {}", paint(Style::Cyan, &enter)));
    say(&format!("  {}\n", paint(Style::Cyan, &format!("nmap -sS {}", plan.sweep()))));
    say("New incidents appear here. Ctrl-C ends the lab and removes all of it.\n");
}
