use std::{fs, process::Command};

use crate::bench::{Bench, CHAFF, ip, outcome};

#[test]
fn a_missing_interface_names_the_nearest() {
    let bench = Bench::new("");
    ip("link set near down");
    ip("link set near name nearr");
    ip("link set nearr up");
    let (code, text) = bench.refused();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("error: no interface `near` on this machine; did you mean `nearr`?"), "{text}");
}

#[test]
fn an_interface_that_is_down_says_how_to_bring_it_up() {
    let bench = Bench::new("");
    ip("link set near down");
    let (code, text) = bench.refused();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("ip link set dev near up"), "{text}");
}

#[test]
fn an_address_that_the_kernel_owns_is_refused() {
    for owner in ["near", "far"] {
        let bench = Bench::new("");
        ip(&format!("addr add 10.20.0.7/24 dev {owner}"));
        let (code, text) = bench.refused();
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&format!("ip address del 10.20.0.7 dev {owner}")), "{text}");
    }
}

#[test]
fn an_image_of_another_build_is_refused_before_any_machine_starts() {
    let machine = "[[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"10.20.0.21\"]\nruntime = \"node\"\n\
                   [node]\nimage = \"node.elf\"\n";
    let bench = Bench::with("", machine);
    let mut image = fs::read(chaff_testkit::image::with_holes()).expect("the image");
    let mark = b"chaff-node build ";
    let at = image.windows(mark.len()).position(|octets| octets == mark).expect("it says of which build it is");
    image[at + mark.len()] ^= 1;
    fs::write(bench.directory.path().join("node.elf"), &image).expect("written");
    let (code, text) = bench.refused();
    assert_eq!(code, Some(1), "{text}");
    for words in ["node.elf: image and program are of different builds", "cargo xtask image", "of the same release"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let doctor = Command::new(CHAFF).arg("doctor").args(&bench.arguments()[1..]).output().expect("chaff runs");
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("node.elf: no image of this build"), "{said}");
}

#[test]
fn a_missing_capability_is_named_with_three_ways_to_grant_it() {
    let bench = Bench::new("");
    let mut command = Command::new("setpriv");
    let output = command.args(["--bounding-set", "-net_raw", CHAFF]).args(bench.arguments()).output();
    let (code, text) = outcome(&output.expect("setpriv (package util-linux)"));
    assert_eq!(code, Some(1), "{text}");
    for words in ["CAP_NET_RAW", "Run as root", "setcap cap_net_raw+ep", "AmbientCapabilities=CAP_NET_RAW"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_state_directory_is_used_by_one() {
    let mut bench = Bench::new("");
    bench.start();
    let (code, text) = bench.refused();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("another `chaff run` uses the state directory"), "{text}");
}

#[test]
fn a_configuration_with_a_mistake_is_exit_2_and_leaves_nothing_behind() {
    let bench = Bench::new("");
    let path = bench.directory.path().join("chaff.toml");
    let text = fs::read_to_string(&path).expect("read");
    for (right, wrong, said) in [
        ("interface", "interfase", "interfase"),
        ("linux-server", "linux-sever", "linux-server"),
        ("[[network]]", "[console]\nlisten = \"127.0.0.1:8443\"\n[[network]]", "not in this version"),
        ("sensor = \"bench\"", "user = \"nobody-at-all\"", "useradd --system nobody-at-all"),
    ] {
        fs::write(&path, text.replace(right, wrong)).expect("written");
        let (code, stderr) = bench.refused();
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert!(!bench.state().exists(), "{wrong} left a state directory");
    }
    fs::remove_file(&path).expect("removed");
    let (code, stderr) = bench.refused();
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("there is no such file"), "{stderr}");
}

#[test]
fn the_inner_commands_refuse_strangers() {
    let output =
        Command::new(CHAFF).args(["hub-process", "--control", "200", "--parent", "1", "--spec", "201"]).output();
    let (code, text) = outcome(&output.expect("chaff runs"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("for `chaff run` alone"), "{text}");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let script = format!("{CHAFF} profiles list | head -n 1; exit ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
    assert_eq!(outcome(&output), (Some(0), String::new()));
}
