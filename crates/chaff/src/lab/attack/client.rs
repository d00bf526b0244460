//! Two clients that an intruder tries by hand: a browser and a login.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use super::{Finding, Teller, builtin, printable, tool};
use crate::lab::{interrupt, network::Network};

const PATIENCE: Duration = Duration::from_secs(3);
const CURL_PATIENCE: Duration = Duration::from_secs(6);
const MAX_ANSWER: usize = 4096;
/// Octets read of a page: its title is near the top.
const MAX_PAGE: u64 = 1 << 16;

const SSH_PORT: u16 = 22;
/// Servers that are tried until one asks for a password.
const SSH_SERVERS: usize = 3;
/// A refusal takes a server two seconds or three.
const SSH_PATIENCE: Duration = Duration::from_secs(10);
/// Where names and passwords go in clear.
const LOGIN_PORTS: [u16; 2] = [21, 23];
const WEB_PORTS: [u16; 4] = [80, 3000, 8080, 8000];
/// Pages looked at: enough to see that hosts differ.
const PAGES: usize = 4;
/// What is typed: a name, a secret. As every list of default passwords begins.
const USER: &str = "admin";
const SECRET: &str = "admin";

/// Fetches a page from a few hosts that have one, each of another vendor.
pub(super) fn look_at_pages(findings: &[Finding], network: &Network, teller: &Teller<'_>) {
    let mut vendors = BTreeSet::new();
    let servers = findings.iter().filter_map(|finding| {
        let port = WEB_PORTS.into_iter().find(|port| has_open(finding, *port))?;
        Some((finding.ip?, port, finding.vendor.as_str()))
    });
    for (ip, port, _) in servers.filter(|(_, _, vendor)| vendors.insert(*vendor)).take(PAGES) {
        if interrupt::caught() {
            return;
        }
        look_at_page(ip, port, network, teller);
    }
}

fn look_at_page(ip: Ipv4Addr, port: u16, network: &Network, teller: &Teller<'_>) {
    let url = if port == 80 { format!("http://{ip}/") } else { format!("http://{ip}:{port}/") };
    teller.step(format!("curl {url}"));
    let page = match tool::find("curl") {
        Some(curl) => {
            let mut command = network.intruder().command(curl);
            command.args(["-s", "-i", "-m", "5", &url]);
            tool::run(&mut command, CURL_PATIENCE)
        }
        None => fetch(network, ip, port),
    };
    teller.result(match page {
        Ok(page) if !page.is_empty() => describe_page(&page),
        Ok(_) => "no answer".to_owned(),
        Err(error) => format!("failed: {error}"),
    });
}

/// Tries one name and password: by SSH where there is a client for it, else where FTP or telnet is open.
pub(super) fn try_a_login(findings: &[Finding], network: &Network, folder: &Path, teller: &Teller<'_>) {
    if interrupt::caught() || tool::find("ssh").is_some_and(|ssh| try_ssh(&ssh, findings, network, folder, teller)) {
        return;
    }
    let known = first_open(findings, &LOGIN_PORTS);
    let Some((ip, port)) = known.or_else(|| find_a_login(findings, network, teller)) else { return };
    let (name, lines) = if port == 21 {
        ("ftp", [format!("USER {USER}\r\n"), format!("PASS {SECRET}\r\n")])
    } else {
        ("telnet", [format!("{USER}\r\n"), format!("{SECRET}\r\n")])
    };
    teller.step(format!("{name} {ip}, as {USER} with password {SECRET}"));
    let answer = talk(network, ip, port, &lines);
    teller.result(match answer {
        Ok(answer) => {
            last_line(&answer).map_or_else(|| "no answer".to_owned(), |line| format!("not let in; it says “{line}”"))
        }
        Err(error) => format!("failed: {error}"),
    });
}

/// Whether a server asked for the password and got it. Not every port 22 does: a few hosts are tried.
fn try_ssh(ssh: &Path, findings: &[Finding], network: &Network, folder: &Path, teller: &Teller<'_>) -> bool {
    let askpass = folder.join("intruder-askpass");
    if let Err(error) = write_askpass(&askpass) {
        teller.result(format!("ssh: {}: {error}", askpass.display()));
        return false;
    }
    let servers = findings.iter().filter(|finding| has_open(finding, SSH_PORT)).filter_map(|finding| finding.ip);
    for ip in servers.take(SSH_SERVERS) {
        if interrupt::caught() {
            return true;
        }
        teller.step(format!("ssh {USER}@{ip}, with password {SECRET}"));
        let mut command = network.intruder().command(ssh);
        command
            .env("SSH_ASKPASS", &askpass)
            // OpenSSH 8.4 and later ask the program by the second; earlier ones where there is a display and no terminal.
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("DISPLAY", "none:0")
            .args(["-F", "none", "-E", "/dev/stdout"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "NumberOfPasswordPrompts=1"])
            .args(["-o", "ConnectTimeout=3", "-l", USER])
            .arg(ip.to_string())
            .arg("true");
        let said = match tool::run(&mut command, SSH_PATIENCE) {
            Ok(said) => said,
            Err(error) => {
                teller.result(format!("failed: {error}"));
                continue;
            }
        };
        let refused = said.contains("Permission denied");
        let answer = last_line(&said).map_or_else(|| "no answer".to_owned(), |line| format!("not let in; “{line}”"));
        teller.result(answer);
        if refused {
            return true;
        }
    }
    false
}

/// What ssh asks for the password in place of a person.
fn write_askpass(path: &Path) -> std::io::Result<()> {
    fs::write(path, format!("#!/bin/sh\necho {SECRET}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Where none of the hosts that were looked at has a login in clear, an intruder looks for one on all the others.
fn find_a_login(findings: &[Finding], network: &Network, teller: &Teller<'_>) -> Option<(Ipv4Addr, u16)> {
    let others: Vec<_> = findings.iter().filter(|finding| !finding.probed).filter_map(|finding| finding.ip).collect();
    teller.step(format!("FTP and telnet on the other {}", others.len()));
    let found = builtin::knock(&others, &LOGIN_PORTS, network);
    teller.result(match found.len() {
        0 => "nothing".to_owned(),
        1 => "one host has it".to_owned(),
        many => format!("{many} hosts have it"),
    });
    first_open(&found, &LOGIN_PORTS)
}

/// The first that says something, else the first that is open: a mute one takes no login.
fn first_open(findings: &[Finding], ports: &[u16]) -> Option<(Ipv4Addr, u16)> {
    let doors = ports.iter().flat_map(|&port| {
        findings.iter().filter_map(move |finding| {
            let open = finding.ports.iter().find(|open| open.port == port)?;
            Some((finding.ip?, port, open.service.is_empty()))
        })
    });
    // Of equals the first is taken.
    doors.min_by_key(|&(_, _, mute)| mute).map(|(ip, port, _)| (ip, port))
}

fn has_open(finding: &Finding, port: u16) -> bool {
    finding.ports.iter().any(|open| open.port == port)
}

/// Asks for a page and returns all that comes until the server closes.
fn fetch(network: &Network, ip: Ipv4Addr, port: u16) -> std::io::Result<String> {
    let mut stream = connect(network, ip, port)?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {ip}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut octets = Vec::new();
    // What came before an error or the end of patience is worth showing.
    let _ = stream.take(MAX_PAGE).read_to_end(&mut octets);
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Says the lines one after the other, each after what the server said, and returns all that it said.
fn talk(network: &Network, ip: Ipv4Addr, port: u16, lines: &[String]) -> std::io::Result<String> {
    let mut stream = connect(network, ip, port)?;
    let mut said = String::new();
    hear(&mut stream, &mut said);
    for line in lines {
        stream.write_all(line.as_bytes())?;
        hear(&mut stream, &mut said);
    }
    Ok(said)
}

fn connect(network: &Network, ip: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((ip, port));
    let connected = network.intruder().enter(|| TcpStream::connect_timeout(&address, PATIENCE));
    let stream = connected.map_err(std::io::Error::other)??;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One piece of what the server says, if it says something in time.
fn hear(stream: &mut TcpStream, said: &mut String) {
    let mut octets = [0; MAX_ANSWER];
    if let Ok(length) = stream.read(&mut octets) {
        said.push_str(&String::from_utf8_lossy(octets.get(..length).unwrap_or(&[])));
    }
}

/// Its status and its title.
fn describe_page(page: &str) -> String {
    let status = page.lines().next().unwrap_or_default().trim();
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    match title {
        Some((title, _)) => format!("{}, “{}”", printable(status), printable(title.trim())),
        None => printable(status),
    }
}

fn last_line(text: &str) -> Option<String> {
    text.lines().map(|line| printable(line.trim())).rfind(|line| !line.is_empty())
}
