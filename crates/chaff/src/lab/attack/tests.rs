use std::net::Ipv4Addr;

use super::{Finding, OpenPort, builtin, choose, merge, printable, xml};

const XML: &str = r#"<?xml version="1.0"?>
<nmaprun scanner="nmap" args="nmap -sS &lt;x&gt;">
<host starttime="1"><status state="up" reason="arp-response"/>
<address addr="10.77.0.12" addrtype="ipv4"/>
<address addr="00:50:56:9A:10:07" addrtype="mac" vendor="VMware"/>
<ports><extraports state="closed" count="997"/>
<port protocol="tcp" portid="22"><state state="open" reason="syn-ack"/><service name="ssh" product="OpenSSH" version="9.2p1 Debian 2+deb12u10" extrainfo="protocol 2.0"/></port>
<port protocol="tcp" portid="23"><state state="filtered"/><service name="telnet"/></port>
<port protocol="tcp" portid="9100"><state state="open"/><service name="jetdirect" method="table"/></port>
</ports>
<os><osmatch name="Linux 5.0 - 5.5" accuracy="98" line="1"/><osmatch name="Other" accuracy="95" line="2"/></os>
</host>
<host><status state="down"/><address addr="10.77.0.13" addrtype="ipv4"/></host>
<host><status state="up"/><address addr="10.77.0.14" addrtype="ipv4"/><os><osmatch name="A &amp; B" accuracy="100"/></os></host>
<host><status state="up"/><address addr="10.77.0.15" addr"#;

fn finding(ip: [u8; 4], vendor: &str) -> Finding {
    Finding { ip: Some(ip.into()), vendor: vendor.to_owned(), ..Finding::default() }
}

#[test]
fn nmaps_xml_is_read_even_where_it_breaks_off() {
    let findings = xml::findings(XML);
    assert_eq!(findings.len(), 2);
    let first = &findings[0];
    assert_eq!((first.ip, first.mac.as_str()), (Some(Ipv4Addr::new(10, 77, 0, 12)), "00:50:56:9a:10:07"));
    assert_eq!((first.vendor.as_str(), first.os.as_str()), ("VMware", "Linux 5.0 - 5.5 (98 %)"));
    let ssh = OpenPort { port: 22, service: "OpenSSH 9.2p1 Debian 2+deb12u10".to_owned() };
    assert_eq!(first.ports, [ssh, OpenPort { port: 9100, service: "jetdirect".to_owned() }]);
    assert_eq!(findings[1].os, "A & B");
}

#[test]
fn no_text_is_no_finding() {
    for text in ["", "<", "<host", "<host><address addr=\"", "<host><address addr=\"x\" addrtype=\"ipv4\"></host>"] {
        assert_eq!(xml::findings(text), [], "{text}");
    }
}

#[test]
fn the_intruder_looks_at_one_of_each_vendor_first() {
    let findings = [
        finding([10, 0, 0, 1], "A"),
        finding([10, 0, 0, 2], "A"),
        finding([10, 0, 0, 3], "B"),
        finding([10, 0, 0, 4], "C"),
    ];
    let chosen = choose(&findings, 3);
    assert_eq!(chosen.iter().map(|ip| ip.octets()[3]).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(choose(&findings, 9).len(), 4);
}

#[test]
fn a_closer_look_keeps_what_the_sweep_found() {
    let mut findings = vec![finding([10, 0, 0, 1], "A"), finding([10, 0, 0, 2], "B")];
    let closer = Finding { os: "Linux".to_owned(), ..finding([10, 0, 0, 2], "") };
    merge(&mut findings, vec![closer]);
    assert_eq!((findings[1].vendor.as_str(), findings[1].os.as_str(), findings[1].probed), ("B", "Linux", true));
    assert!(!findings[0].probed);
}

#[test]
fn what_a_host_says_cannot_change_the_terminal() {
    assert_eq!(printable("SSH\x1b[2J-2.0\r\n"), "SSH[2J-2.0");
    assert_eq!(printable("\u{fffd}\u{fffd}User Access"), "User Access");
    assert_eq!(printable(&"x".repeat(500)), format!("{}…", "x".repeat(80)));
    assert_eq!(printable(&"x".repeat(80)).len(), 80);
}

#[test]
fn an_arp_reply_names_its_sender() {
    let mut frame = builtin::arp_request(Ipv4Addr::new(10, 77, 0, 66), Ipv4Addr::new(10, 77, 0, 5));
    assert_eq!(frame.len(), 60);
    assert_eq!(builtin::arp_reply(&frame), None, "a request is no reply");
    frame[21] = 2;
    assert_eq!(builtin::arp_reply(&frame), Some((Ipv4Addr::new(10, 77, 0, 66), crate::lab::plan::INTRUDER_MAC)));
    assert_eq!(builtin::arp_reply(&frame[..20]), None);
}
