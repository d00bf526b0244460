//! The image as a domain of a real Xen, whose first domain is a Linux that speaks to it over netback. All of it runs under
//! software emulation: `cargo xtask xen` unpacks what it takes, and runs it.

#[path = "machine/vm.rs"]
#[allow(dead_code, reason = "the same module as for QEMU's machines")]
mod vm;

use std::{fs, time::Duration};

use chaff_events::{Detail, Kind, Observation, UtcNanos};
use chaff_testkit::{image::with_holes, xen::Dom0};
use chaff_unikernel::{
    console::{FromHost, Reader, ToHost, encode},
    module::VERSION,
};

use vm::{DECOY, OURS};

/// A machine that emulates a machine that runs machines, on a processor that is busy.
const PATIENCE: Duration = Duration::from_secs(400);

/// Starts a domain, and says its number as `ID`, its card as `vif$ID.0`.
const CREATE: &str = r#"
cat > /domain.cfg <<END
name = "node"
type = "pvh"
kernel = "/node/image"
ramdisk = "/node/module"
memory = 8
vcpus = 1
cmdline = "$WORDS"
vif = ["mac=$MAC,script=/bin/true"]
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
END
xl create -p /domain.cfg
ID=$(xl domid node)
TTY=$(xenstore-read /local/domain/$ID/console/tty)
stty -F $TTY raw -echo
cat $TTY > /console &
cat /node/hello > $TTY
# As a script would that puts the interface into a bridge: netback waits for this word.
xenstore-write /local/domain/0/backend/vif/$ID/0/hotplug-status connected
"#;

/// A first domain with the node's image, its module and the host's first word.
fn dom0() -> Dom0 {
    let mut dom0 = Dom0::new();
    dom0.add("node/image", fs::read(with_holes()).expect("the image"), 0o644);
    dom0.add("node/module", vm::module().encode().expect("a module"), 0o644);
    let hello = FromHost::Hello { version: VERSION, utc: UtcNanos(1_800_000_000_000_000_000) };
    dom0.add("node/hello", encode(&hello).expect("short"), 0o644);
    dom0
}

fn script(words: &str, rest: &str) -> String {
    let mac = chaff_events::Mac(DECOY.1);
    format!("WORDS=\"{words}\"\nMAC={mac}\nNODE={}\nOURS={}/16\n{CREATE}{rest}", DECOY.0, OURS.0)
}

/// All observations, and all lines, that a console said.
fn heard(octets: &[u8]) -> (Vec<Observation>, Vec<String>) {
    let (mut reader, mut rest) = (Reader::new(), octets);
    let (mut observed, mut lines) = (Vec::new(), Vec::new());
    loop {
        let taken = reader.handle_octets(rest);
        rest = &rest[taken..];
        let Some(message) = reader.poll() else { break };
        match message {
            ToHost::Up { version, .. } => assert_eq!(version, VERSION),
            ToHost::Observations { observations, .. } => observed.extend(observations),
            ToHost::Log { text } | ToHost::Panic { text } => lines.push(text),
        }
    }
    assert_eq!(reader.skipped(), 0, "nothing else was said");
    (observed, lines)
}

#[test]
#[ignore = "xen: `cargo xtask xen` runs it"]
fn it_answers_speaks_and_tells_as_a_domain_of_xen() {
    let said = dom0().run(
        &script(
            "",
            r#"
ip link set vif$ID.0 up
ip addr add $OURS dev vif$ID.0
xl unpause $ID
say state
for n in $(seq 30); do arping -q -c 1 -w 1 -I vif$ID.0 $NODE && break; done
xl list
say arp
arping -c 2 -w 10 -I vif$ID.0 $NODE
say ping
ping -c 5 -s 1400 $NODE
say ssh
(sleep 5) | nc -w 5 $NODE 22 | head -n 1
say http
get() { printf "GET $1 HTTP/1.0\r\nHost: x\r\n\r\n" | nc -w 5 $NODE 80; }
get /secret
say load
# Under emulation a program of the first domain ends by a fault of its own now and then: it asks again.
page() { get / | sed -e '1,/^.$/d' | wc -c; }
for n in $(seq 20); do
  for try in 1 2 3; do LENGTH=$(page 2>/dev/null); [ "$LENGTH" = 0 ] || break; done
  echo $LENGTH
done
say idle
BEFORE=$(xl list node | tail -n 1 | awk '{ print $6 }')
sleep 10
AFTER=$(xl list node | tail -n 1 | awk '{ print $5, $6 }')
echo $BEFORE $AFTER
say console
xxd -p /console
say store
xenstore-ls /local/domain/$ID/device
xenstore-ls /local/domain/0/backend/vif/$ID
say destroyed
xl destroy $ID
sleep 1
xl list
"#,
        ),
        PATIENCE,
    );
    println!("{}", said.all());
    assert!(said.text("state").contains("node"), "the domain is there");
    let mac = chaff_events::Mac(DECOY.1).to_string();
    assert!(said.text("arp").to_lowercase().contains(&format!("[{mac}]")), "{}", said.text("arp"));
    assert!(said.text("ping").contains("5 packets received, 0% packet loss"), "{}", said.text("ping"));
    assert!(said.text("ssh").starts_with("SSH-2.0-OpenSSH_9.2p1 Debian"), "{}", said.text("ssh"));
    assert!(said.text("http").contains("404 Not Found"), "{}", said.text("http"));
    let pages = said.after("load");
    assert!(pages.len() == 20 && pages.iter().all(|length| *length == pages[0] && *length != "0"), "{pages:?}");
    // Halted, and with less than 3 % of a processor's time, most of it the emulation of its emulation.
    let idle = said.text("idle");
    let words: Vec<&str> = idle.split_whitespace().collect();
    let [before, state, after] = words[..] else { panic!("{idle}") };
    let used: f64 = after.parse::<f64>().expect("seconds") - before.parse::<f64>().expect("seconds");
    assert!(used <= 0.3 && state.contains('b'), "{used} s of 10 in state {state}");
    let (observations, lines) = heard(&said.octets("console"));
    assert!(lines[0].starts_with("up; "), "{lines:?}");
    println!("{}", lines.join("\n"));
    let count = |kind| observations.iter().filter(|observation| observation.kind == kind).count();
    assert!(
        count(Kind::ArpRequest) > 0 && count(Kind::IcmpEcho) > 0 && count(Kind::TcpConnect) > 0,
        "{observations:?}"
    );
    assert!(observations.iter().all(|observation| observation.time.0 / 1_000_000_000 / 1_000 == 1_800_000));
    let request = observations.iter().find(|observation| observation.kind == Kind::ServiceRequest).expect("a request");
    assert!(matches!(&request.detail, Detail::Request { target, .. } if target == b"/secret"), "{request:?}");
    assert!(!said.text("destroyed").contains("node"), "{}", said.text("destroyed"));
}
