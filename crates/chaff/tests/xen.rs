//! Decoys as domains of a real Xen: `chaff run` in its first domain, and a visitor who comes over the network. All of it runs
//! under software emulation: `cargo xtask xen` unpacks what it takes, and runs it.

use std::{fs, path::Path, process::Command, time::Duration};

use chaff_testkit::{image::with_holes, xen::Dom0};

/// A machine that emulates a machine that runs machines, on a processor that is busy.
const PATIENCE: Duration = Duration::from_secs(900);

/// One decoy with a machine, of this name.
fn config(name: &str) -> String {
    format!(
        "[[network]]\nname = \"net\"\ninterface = \"lan\"\nsubnet = \"10.0.0.0/16\"\ngateway = \"10.0.0.1\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"10.0.1.7\"]\nhostname = \"{name}\"\n\
         mac = \"00:50:56:9a:10:07\"\nruntime = \"node\"\n\
         [node]\nhypervisor = \"xen\"\nimage = \"/node/image\"\n"
    )
}

/// A visitor in a namespace of his own behind a veth, and Chaff at its other end.
const SCRIPT: &str = r#"
export PATH=/node:$PATH
ip link add lan type veth
unshare -n sleep 100000 &
VISITOR=$!
sleep 1
ip link set veth0 netns $VISITOR
visitor() { nsenter -t $VISITOR -n "$@"; }
visitor ip link set veth0 up
visitor ip addr add 10.0.0.2/16 dev veth0
ip link set lan up
pids() { ps | grep "$1" | grep -v grep | awk '{ print $1 }'; }
listed() { chaff node list --json --state /state; }
is() { for n in $(seq 40); do "$@" && return; sleep 1; done; }
is_up() { listed 2> /dev/null | grep '"state":"up"' | grep -q "\"restarts\":$1,"; }

say doctor
chaff doctor -c /node/chaff.toml | grep Xen
mv /xen/bin/xl /xen/bin/gone
say without-xl
chaff run -c /node/chaff.toml --state /state 2>&1
mv /xen/bin/gone /xen/bin/xl
say run
chaff run -c /node/chaff.toml --state /state > /log 2>&1 &
CHAFF=$!
is is_up 0
say list
listed
xl list
say interfaces
ip link
say arp
visitor arping -c 2 -w 10 -I veth0 10.0.1.7
say ping
visitor ping -c 5 -s 1400 10.0.1.7
say ssh
(sleep 5) | visitor nc -w 5 10.0.1.7 22 | head -n 1
say restart
chaff node restart honest --state /state && is is_up 1
listed
say killed
xl destroy chaff-0050569a1007
is is_up 2
listed
visitor ping -c 3 10.0.1.7
say rights
for name in nodes-process keeper-process; do
  PID=$(pids $name | head -n 1)
  grep -E "^(Uid|CapEff|NoNewPrivs|Seccomp):" /proc/$PID/status | tr '\n\t' '  '; echo $name
done
say keeper-killed
kill -9 $(pids keeper-process)
sleep 1
is is_up 3
listed
visitor ping -c 3 10.0.1.7
say events
chaff events --json --state /state
say stopped
kill $CHAFF
wait $CHAFF
echo ended with $?
xl list
say log
cat /log
# A machine that was taken over, which sends in another's name all the time.
chaff run -c /node/forger.toml --state /forger > /log 2>&1 &
CHAFF=$!
told() { chaff events --json --state /forger 2> /dev/null | grep -q node.misbehaved; }
is told
say forged
chaff events --json --state /forger | grep node.misbehaved | head -n 1
kill $CHAFF
wait $CHAFF
# One that is killed with all its processes leaves a domain.
chaff run -c /node/chaff.toml --state /again > /log 2>&1 &
CHAFF=$!
up_again() { chaff node list --json --state /again 2> /dev/null | grep -q '"state":"up"'; }
is up_again
say killed-all
kill -9 $CHAFF $(pids keeper-process)
sleep 1
xl list
chaff run -c /node/chaff.toml --state /again > /log 2>&1 &
CHAFF=$!
is up_again
say cleared
cat /log
xl list
kill $CHAFF
wait $CHAFF
"#;

/// The program without its debugging information, which is most of it.
fn stripped(program: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("chaff");
    let done = Command::new("strip").arg("-o").arg(&to).arg(program).status();
    assert!(done.is_ok_and(|status| status.success()), "strip of binutils, which a compiler needs as well");
    fs::read(&to).expect("a copy")
}

#[test]
#[ignore = "xen: `cargo xtask xen` runs it"]
fn decoys_are_domains_of_xen() {
    let mut dom0 = Dom0::new();
    let program = Path::new(env!("CARGO_BIN_EXE_chaff"));
    dom0.add_program("node", program);
    dom0.add("node/chaff", stripped(program), 0o755);
    dom0.add("node/chaff.toml", config("honest"), 0o644);
    dom0.add("node/forger.toml", config("hole-card"), 0o644);
    dom0.add("node/image", fs::read(with_holes()).expect("the image"), 0o644);
    let said = dom0.run(SCRIPT, PATIENCE);
    println!("{}", said.all());
    assert!(said.text("doctor").contains("in its first domain"), "{}", said.text("doctor"));
    assert!(said.text("without-xl").contains("need xl, Xen's toolstack"), "{}", said.text("without-xl"));

    let list = said.text("list");
    assert!(list.contains("\"accel\":\"xen\"") && list.contains("chaff-0050569a1007"), "{list}");
    // Its frames can go nowhere but through the switch.
    assert!(!said.text("interfaces").contains("vif"), "{}", said.text("interfaces"));
    assert!(said.text("arp").to_lowercase().contains("[00:50:56:9a:10:07]"), "{}", said.text("arp"));
    assert!(said.text("ping").contains("5 packets received, 0% packet loss"), "{}", said.text("ping"));
    assert!(said.text("ssh").starts_with("SSH-2.0-OpenSSH_9.2p1 Debian"), "{}", said.text("ssh"));
    for (when, restarts) in [("restart", 1), ("killed", 2), ("keeper-killed", 3)] {
        let text = said.text(when);
        let line = text.lines().find(|line| line.contains("\"10.0.1.7\"")).unwrap_or_default();
        assert!(
            line.contains("\"state\":\"up\"") && line.contains(&format!("\"restarts\":{restarts}")),
            "{when}: {text}"
        );
        assert!(when == "restart" || text.contains("3 packets received"), "{when}: {text}");
    }
    let rights = said.text("rights");
    let host = rights.lines().find(|line| line.contains("nodes-process")).unwrap_or_default();
    assert!(host.contains("65534") && host.contains("CapEff: 0000000000000000"), "{rights}");
    assert!(host.contains("NoNewPrivs: 1") && host.contains("Seccomp: 2"), "{rights}");

    let events = said.text("events");
    let kinds = |kind: &str| events.lines().filter(|line| line.contains(&format!("\"kind\":\"{kind}\""))).count();
    for kind in ["arp.request", "icmp.echo", "tcp.connect", "process.ended"] {
        assert!(kinds(kind) > 0, "{kind}: {events}");
    }
    let stopped = said.text("stopped");
    assert!(stopped.contains("ended with 0") && !stopped.contains("chaff-"), "{stopped}");
    assert!(said.text("forged").contains("another's hardware address"), "{}", said.text("forged"));
    // Killed, it leaves a domain, which the next one ends.
    assert!(said.text("killed-all").contains("chaff-0050569a1007"), "{}", said.text("killed-all"));
    let cleared = said.text("cleared");
    assert!(cleared.contains("was left by a keeper that was killed"), "{cleared}");
    assert_eq!(cleared.lines().filter(|line| line.starts_with("chaff-0050569a1007")).count(), 1, "{cleared}");
}
