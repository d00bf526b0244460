//! Programs that tell of the network, and those that would use it: the decoy has no route beyond its own network and no
//! name server, so none of them gets anywhere.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Write, net::IpAddr};

use super::{Call, lossy};
use crate::{
    calendar::Moment,
    console::{link_local, peer_mac},
    shell::NANOS,
    text::mix,
};

/// What the interface has carried, each under a number of its own.
const TRAFFIC: u64 = 0x5e11_1001;

impl Call<'_> {
    fn words(&self) -> Vec<String> {
        self.args.iter().map(|arg| lossy(arg).into_owned()).collect()
    }

    pub(super) fn network(&self) -> (String, String, String) {
        let host = &self.shell.host;
        let IpAddr::V4(ip) = host.ip else { return ("::".into(), String::new(), String::new()) };
        let mask = host.mask();
        let network = core::net::Ipv4Addr::from(ip.to_bits() & mask);
        let broadcast = core::net::Ipv4Addr::from(ip.to_bits() | !mask);
        (network.to_string(), broadcast.to_string(), core::net::Ipv4Addr::from(mask).to_string())
    }

    pub(super) fn link_local(&self) -> String {
        link_local(self.shell.host.mac)
    }

    pub(super) fn ip(&mut self) -> u8 {
        let words: Vec<String> = self.words().into_iter().filter(|word| !word.starts_with('-')).collect();
        let what = words.first().cloned().unwrap_or_default();
        let host = &self.shell.host;
        let (device, mac, prefix, ip) = (&host.interface, host.mac, host.prefix, host.ip);
        let (network, broadcast, _) = self.network();
        let brief = self.args.iter().any(|arg| arg == b"-br" || arg == b"-brief");
        let mut text = String::new();
        match what.as_str() {
            "a" | "ad" | "add" | "addr" | "address" if brief => {
                let _ = writeln!(text, "lo               UNKNOWN        127.0.0.1/8 ::1/128 ");
                let _ = writeln!(text, "{device:<16} UP             {ip}/{prefix} {}/64 ", self.link_local());
            }
            "a" | "ad" | "add" | "addr" | "address" | "l" | "link" => {
                let addresses = what.starts_with('a');
                text.push_str("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN ");
                text.push_str(if addresses {
                    "group default qlen 1000\n"
                } else {
                    "mode DEFAULT group default qlen 1000\n"
                });
                text.push_str("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n");
                if addresses {
                    text.push_str(
                        "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n",
                    );
                    text.push_str(
                        "    inet6 ::1/128 scope host noprefixroute \n       valid_lft forever preferred_lft forever\n",
                    );
                }
                let _ =
                    write!(text, "2: {device}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP ");
                text.push_str(if addresses {
                    "group default qlen 1000\n"
                } else {
                    "mode DEFAULT group default qlen 1000\n"
                });
                let _ = writeln!(text, "    link/ether {mac} brd ff:ff:ff:ff:ff:ff");
                if addresses {
                    match ip {
                        IpAddr::V4(_) => {
                            let _ = writeln!(text, "    inet {ip}/{prefix} brd {broadcast} scope global {device}");
                        }
                        IpAddr::V6(_) => {
                            let _ = writeln!(text, "    inet6 {ip}/64 scope global ");
                        }
                    }
                    text.push_str("       valid_lft forever preferred_lft forever\n");
                    let _ = writeln!(text, "    inet6 {}/64 scope link ", self.link_local());
                    text.push_str("       valid_lft forever preferred_lft forever\n");
                }
            }
            "r" | "ro" | "route" => {
                let proto = if self.is_applet() { "scope link " } else { "proto kernel scope link" };
                let _ = writeln!(text, "{network}/{prefix} dev {device} {proto} src {ip} ");
            }
            "n" | "ne" | "nei" | "neigh" | "neighbour" | "neighbor" => {
                if let Some((peer, _)) = host.peer {
                    let used = if self.is_applet() { " ref 1 used 0/0/0 probes 1" } else { "" };
                    let _ = writeln!(text, "{peer} dev {device} lladdr {}{used} REACHABLE", self.peer_mac());
                }
            }
            "" => {
                self.written
                    .errors(b"Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n       ip [ -force ] -batch filename\n");
                return 255;
            }
            other => {
                let text = format!("Object \"{other}\" is unknown, try \"ip help\".\n");
                self.written.errors(text.as_bytes());
                return 1;
            }
        }
        self.say(&text);
        0
    }

    fn peer_mac(&self) -> String {
        peer_mac(self.shell.host.peer.map(|(ip, _)| ip))
    }

    /// Packets received and sent by the interface, and octets.
    pub(super) fn traffic(&self) -> [u64; 4] {
        let host = &self.shell.host;
        let uptime = self.now.saturating_sub(host.booted);
        let rate = 1 + mix(&host.seed, TRAFFIC) % 7;
        let (received, sent) = (uptime * rate / 2, uptime * rate / 9);
        [received, sent, received * 211 + rate * 13, sent * 143 + rate * 7]
    }

    pub(super) fn ifconfig(&mut self) -> u8 {
        let host = &self.shell.host;
        let (_, broadcast, mask) = self.network();
        let rate = 1 + mix(&host.seed, TRAFFIC) % 7;
        let [received, sent, received_octets, sent_octets] = self.traffic();
        let device = &host.interface;
        let text = format!(
            "{device}: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        inet {}  netmask {mask}  broadcast {broadcast}\n        inet6 {}  prefixlen 64  scopeid 0x20<link>\n        ether {}  txqueuelen 1000  (Ethernet)\n        RX packets {received}  bytes {received_octets} ({})\n        RX errors 0  dropped 0  overruns 0  frame 0\n        TX packets {sent}  bytes {sent_octets} ({})\n        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0\n\nlo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n        inet6 ::1  prefixlen 128  scopeid 0x10<host>\n        loop  txqueuelen 1000  (Local Loopback)\n        RX packets {rate}  bytes {} ({}.0 B)\n        RX errors 0  dropped 0  overruns 0  frame 0\n        TX packets {rate}  bytes {} ({}.0 B)\n        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0\n\n",
            host.ip,
            self.link_local(),
            host.mac,
            interface_size(received_octets),
            interface_size(sent_octets),
            rate * 84,
            rate * 84,
            rate * 84,
            rate * 84
        );
        self.say(&text);
        0
    }

    /// Ports and the program behind each; the visitor's own connection.
    fn sockets(&self) -> Vec<(u16, String)> {
        let host = &self.shell.host;
        host.ports
            .iter()
            .map(|port| {
                let owner = host.processes.iter().find(|p| p.ports.contains(port));
                let shown = owner.filter(|_| host.user.uid == 0).map(|p| {
                    let program =
                        p.command.split([' ', ':']).next().unwrap_or("").rsplit('/').next().unwrap_or("").to_string();
                    format!("{}/{program}", p.pid)
                });
                (*port, shown.unwrap_or_default())
            })
            .collect()
    }

    pub(super) fn ss(&mut self) -> u8 {
        let (letters, _) = self.options();
        let listening = letters.contains(['l', 'a']);
        let connected = !letters.contains('l');
        let only_tcp = letters.contains('t') && !letters.contains('u');
        let mut rows: Vec<(&str, u8, u16, String, String)> = Vec::new();
        let host = &self.shell.host;
        if connected && let Some((peer, port)) = host.peer {
            rows.push(("ESTAB", 0, 0, format!("{}:22", host.ip), format!("{peer}:{port}")));
        }
        if listening && (letters.contains('t') || !letters.contains('u')) {
            for (port, _) in self.sockets() {
                rows.push(("LISTEN", 0, 128, format!("0.0.0.0:{port}"), "0.0.0.0:*".into()));
                rows.push(("LISTEN", 0, 128, format!("[::]:{port}"), "[::]:*".into()));
            }
        }
        let kind = |text: &str| if only_tcp { String::new() } else { text.to_string() };
        let local = rows.iter().map(|row| row.3.len()).max().unwrap_or(0).max("Local Address:Port".len());
        let remote = rows.iter().map(|row| row.4.len()).max().unwrap_or(0).max("Peer Address:Port".len());
        let mut text = format!(
            "{}State  Recv-Q Send-Q {:>local$} {:>remote$}Process\n",
            kind("Netid "),
            "Local Address:Port",
            "Peer Address:Port"
        );
        for (state, received, sent, from, to) in rows {
            let _ = writeln!(text, "{}{state:<6} {received:<6} {sent:<6} {from:>local$} {to:>remote$}", kind("tcp   "));
        }
        self.say(&text);
        0
    }

    pub(super) fn netstat(&mut self) -> u8 {
        let (letters, _) = self.options();
        if letters.contains('r') {
            return self.route();
        }
        let host = &self.shell.host;
        let (listening, all) = (letters.contains('l'), letters.contains('a'));
        let mut text = String::from(match (listening, all) {
            (true, _) => "Active Internet connections (only servers)\n",
            (_, true) => "Active Internet connections (servers and established)\n",
            _ => "Active Internet connections (w/o servers)\n",
        });
        let programs = letters.contains('p');
        let (state_width, six) = if self.is_applet() { (12, "tcp") } else { (11, "tcp6") };
        if programs && host.user.uid != 0 {
            text.insert_str(0, "(Not all processes could be identified, non-owned process info\n will not be shown, you would have to be root to see it all.)\n");
        }
        text.push_str("Proto Recv-Q Send-Q Local Address           Foreign Address         ");
        let _ = write!(text, "{:<state_width$}", "State");
        text.push_str(if programs { " PID/Program name    \n" } else { "\n" });
        let mut row = |kind: &str, from: String, to: String, state: &str, program: &str| {
            let _ = write!(text, "{kind:<5}{:>7}{:>7} {from:<23} {to:<23} {state:<state_width$}", 0, 0);
            if programs {
                let _ = write!(text, " {:<20}", if program.is_empty() { "-" } else { program });
            }
            text.push('\n');
        };
        if listening || all {
            for (port, program) in self.sockets() {
                row("tcp", format!("0.0.0.0:{port}"), "0.0.0.0:*".into(), "LISTEN", &program);
            }
        }
        if !listening && let Some((peer, port)) = host.peer {
            row("tcp", format!("{}:22", host.ip), format!("{peer}:{port}"), "ESTABLISHED", "");
        }
        if listening || all {
            for (port, program) in self.sockets() {
                row(six, format!(":::{port}"), ":::*".into(), "LISTEN", &program);
            }
        }
        self.say(&text);
        0
    }

    pub(super) fn arp(&mut self) -> u8 {
        let (letters, _) = self.options();
        let device = self.shell.host.interface.clone();
        let Some((peer, _)) = self.shell.host.peer else { return 0 };
        let mac = self.peer_mac();
        let text = if letters.contains('a') {
            let gap = if self.is_applet() { " " } else { "" };
            format!("? ({peer}) at {mac} [ether] {gap}on {device}\n")
        } else {
            format!(
                "Address                  HWtype  HWaddress           Flags Mask            Iface\n{:<24} ether   {mac:<19} C                     {device}\n",
                peer.to_string()
            )
        };
        self.say(&text);
        0
    }

    pub(super) fn route(&mut self) -> u8 {
        let (network, _, mask) = self.network();
        let device = self.shell.host.interface.clone();
        self.say(&format!("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n{network:<15} 0.0.0.0         {mask:<15} U     0      0        0 {device}\n"));
        0
    }

    /// Where a URL or an argument points: the scheme's port, the host, the rest.
    fn target(&self) -> Option<(String, u16, String)> {
        let words = self.words();
        let url = words
            .iter()
            .find(|word| word.contains("://"))
            .or_else(|| words.iter().find(|word| !word.starts_with('-')))?;
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default = match scheme {
            "https" => 443,
            "ftp" => 21,
            _ => 80,
        };
        let (host, port) = host.rsplit_once(':').map_or((host, default), |(h, p)| (h, p.parse().unwrap_or(default)));
        Some((
            host.to_string(),
            port,
            format!("{scheme}://{rest}{}", if path.is_empty() && !rest.ends_with('/') { "/" } else { "" }),
        ))
    }

    pub(super) fn wget(&mut self) -> u8 {
        let Some((host, port, url)) = self.target() else {
            self.written.errors(
                b"wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n",
            );
            return 1;
        };
        let quiet = self.args.iter().any(|arg| arg.starts_with(b"-q") || arg == b"--quiet");
        let m = Moment::at(self.now.saturating_mul(NANOS));
        let mut text = format!(
            "--{:04}-{:02}-{:02} {:02}:{:02}:{:02}--  {url}\n",
            m.year, m.month, m.day, m.hour, m.minute, m.second
        );
        if host.parse::<IpAddr>().is_ok() {
            let _ = writeln!(text, "Connecting to {host}:{port}... failed: Network is unreachable.");
        } else {
            let _ = writeln!(
                text,
                "Resolving {host} ({host})... failed: Temporary failure in name resolution.\nwget: unable to resolve host address ‘{host}’"
            );
        }
        if !quiet {
            self.written.errors(text.as_bytes());
        }
        4
    }

    pub(super) fn curl(&mut self) -> u8 {
        let Some((host, port, _)) = self.target() else {
            self.written.errors(b"curl: try 'curl --help' or 'curl --manual' for more information\n");
            return 2;
        };
        let silent =
            self.args.iter().any(|arg| arg.starts_with(b"-s") || arg == b"--silent" || arg.starts_with(b"-fs"));
        let shows = self.args.iter().any(|arg| arg.starts_with(b"-sS") || arg.starts_with(b"-fsS"));
        let numeric = host.parse::<IpAddr>().is_ok();
        if !silent || shows {
            let text = if numeric {
                format!("curl: (7) Failed to connect to {host} port {port} after 0 ms: Couldn't connect to server\n")
            } else {
                format!("curl: (6) Could not resolve host: {host}\n")
            };
            self.written.errors(text.as_bytes());
        }
        if numeric { 7 } else { 6 }
    }

    pub(super) fn ssh(&mut self) -> u8 {
        let Some(target) = self.words().into_iter().rev().find(|word| !word.starts_with('-')) else {
            self.written.errors(
                b"usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface] destination [command [argument ...]]\n",
            );
            return 255;
        };
        let host = target.rsplit_once('@').map_or(target.as_str(), |(_, host)| host);
        let host = host.split(':').next().unwrap_or(host);
        let text = if host.parse::<IpAddr>().is_ok() {
            format!("ssh: connect to host {host} port 22: Network is unreachable\r\n")
        } else {
            format!("ssh: Could not resolve hostname {host}: Temporary failure in name resolution\r\n")
        };
        self.written.errors(text.as_bytes());
        255
    }
}

/// As `ifconfig` has it.
fn interface_size(octets: u64) -> String {
    let (unit, name) = match octets {
        0..1024 => return format!("{octets}.0 B"),
        1024..0x10_0000 => (1024, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000, "GiB"),
    };
    let tenths = octets * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
