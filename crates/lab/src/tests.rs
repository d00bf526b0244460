//! These tests make real namespaces: as root directly, else each runs itself again inside a user namespace.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use super::*;

/// Longer than anything here takes on a loaded machine, short enough not to hang a test run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves the test when a child in a user namespace has run it instead.
macro_rules! privileged {
    ($name:literal) => {
        if run_test_privileged(concat!("tests::", $name)).unwrap() {
            return;
        }
    };
}

fn two_hosts() -> (Namespace, Namespace) {
    let (a, b) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    veth(&a, "e0", &b, "e0").unwrap();
    a.link("e0").address("10.20.0.1/24").unwrap();
    b.link("e0").address("10.20.0.2/24").unwrap();
    (a, b)
}

/// Sends four octets from `client` to a listener in `server` at `ip` and reads them back.
fn talk(client: &Namespace, server: &Namespace, ip: &str) {
    let address: SocketAddr = format!("{ip}:7").parse().unwrap();
    let listener = server.enter(|| TcpListener::bind(address)).unwrap().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut octets = [0; 4];
        stream.read_exact(&mut octets).unwrap();
        stream.write_all(&octets).unwrap();
    });
    let mut stream = client.enter(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"ping").unwrap();
    let mut octets = [0; 4];
    stream.read_exact(&mut octets).unwrap();
    assert_eq!(&octets, b"ping");
    answering.join().unwrap();
}

#[test]
fn hosts_talk_across_a_bridge() {
    privileged!("hosts_talk_across_a_bridge");
    let net = Namespace::new().unwrap();
    net.bridge("br0").unwrap();
    let hosts = ["10.20.0.5", "10.20.0.6"].map(|ip| {
        let host = Namespace::new().unwrap();
        let port = format!("p{}", ip.rsplit('.').next().unwrap());
        veth(&net, &port, &host, "e0").unwrap();
        net.link(&port).enslave("br0").unwrap();
        host.link("e0").address(&format!("{ip}/24")).unwrap();
        host
    });
    talk(&hosts[0], &hosts[1], "10.20.0.6");
}

#[test]
fn a_router_forwards_to_a_whole_16() {
    privileged!("a_router_forwards_to_a_whole_16");
    let (near, router) = two_hosts();
    let far = Namespace::new().unwrap();
    veth(&router, "e1", &far, "e0").unwrap();
    router.link("e1").address("192.0.2.1/24").unwrap();
    far.link("e0").address("192.0.2.2/24").unwrap();
    far.link("lo").address("10.30.200.9/32").unwrap();
    router.route("10.30.0.0/16", "192.0.2.2").unwrap();
    router.forward_ipv4().unwrap();
    near.route("0.0.0.0/0", "10.20.0.2").unwrap();
    far.route("10.20.0.0/24", "192.0.2.1").unwrap();
    talk(&near, &far, "10.30.200.9");
}

#[test]
fn a_route_on_a_link_needs_no_gateway() {
    privileged!("a_route_on_a_link_needs_no_gateway");
    let (a, b) = two_hosts();
    b.link("e0").address("10.40.7.7/32").unwrap();
    a.link("e0").route("10.40.0.0/16").unwrap();
    talk(&a, &b, "10.40.7.7");
}

#[test]
fn a_link_takes_mac_mtu_and_neighbours() {
    privileged!("a_link_takes_mac_mtu_and_neighbours");
    let (a, b) = two_hosts();
    let mac = [0x02, 0, 0, 0, 0, 0x17];
    a.link("e0").set_mac(mac).unwrap();
    assert_eq!(a.link("e0").mac().unwrap(), mac);
    a.link("e0").set_mtu(1400).unwrap();
    let mtu = a.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap()).unwrap();
    assert!(mtu.contains("e0:"), "the interface is in this namespace alone: {mtu}");
    assert!(a.link("e0").set_mtu(10).unwrap_err().to_string().contains("set the MTU of e0 to 10"));
    b.link("e0").neighbours([(Ipv4Addr::new(10, 20, 0, 1).into(), mac)]).unwrap();
    let arp = b.enter(|| std::fs::read_to_string("/proc/thread-self/net/arp").unwrap()).unwrap();
    assert!(arp.contains("10.20.0.1") && arp.contains("02:00:00:00:00:17"), "{arp}");
    talk(&b, &a, "10.20.0.1");
}

#[test]
fn sysctls_are_the_namespaces_own() {
    privileged!("sysctls_are_the_namespaces_own");
    let (a, b) = two_hosts();
    a.forward_ipv4().unwrap();
    a.disable_ipv6().unwrap();
    a.sysctl("net.ipv4.conf.e0.arp_ignore", "1").unwrap();
    let read = |path: &'static str, of: &Namespace| of.enter(|| std::fs::read_to_string(path)).unwrap().unwrap();
    assert_eq!(read("/proc/sys/net/ipv4/ip_forward", &a), "1\n");
    assert_eq!(read("/proc/sys/net/ipv4/ip_forward", &b), "0\n");
    assert_eq!(read("/proc/sys/net/ipv4/conf/e0/arp_ignore", &a), "1\n");
    let error = a.sysctl("net.ipv4.no_such_key", "1").unwrap_err().to_string();
    assert!(error.starts_with("cannot set net.ipv4.no_such_key = 1: "), "{error}");
}

#[test]
fn packets_on_a_veth_carry_complete_checksums() {
    privileged!("packets_on_a_veth_carry_complete_checksums");
    let (a, b) = two_hosts();
    let raw = PacketSocket::open(&b, "e0").unwrap();
    let sender = a.enter(|| UdpSocket::bind("10.20.0.1:5000")).unwrap().unwrap();
    sender.send_to(b"whole", "10.20.0.2:6000").unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut frame = [0_u8; 2048];
    while Instant::now() < deadline {
        let length = raw.receive(&mut frame, PATIENCE).unwrap().unwrap_or(0);
        let frame = &frame[..length];
        // Ethernet, IPv4 without options, UDP to port 6000.
        if length >= 42 && frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == 6000_u16.to_be_bytes() {
            assert_eq!(udp_sum(frame), 0xffff, "the checksum was left to the card");
            return;
        }
    }
    panic!("the datagram did not arrive");
}

/// The sum over pseudo header and datagram, which is 0xffff where the checksum is right (RFC 768).
fn udp_sum(frame: &[u8]) -> u16 {
    let length = u16::from_be_bytes([frame[38], frame[39]]);
    let datagram = &frame[34..34 + usize::from(length)];
    let padded = datagram.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]);
    let addresses = frame[26..34].chunks(2).map(|pair| [pair[0], pair[1]]);
    let words = addresses.chain(padded).map(|pair| u32::from(u16::from_be_bytes(pair)));
    let mut sum: u32 = words.sum::<u32>() + 17 + u32::from(length);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

#[test]
fn raw_frames_cross_a_veth() {
    privileged!("raw_frames_cross_a_veth");
    let (a, b) = two_hosts();
    let (sender, receiver) = (PacketSocket::open(&a, "e0").unwrap(), PacketSocket::open(&b, "e0").unwrap());
    let mut frame = vec![0xff; 12];
    frame.extend([0x88, 0xb5]);
    frame.extend([7; 50]);
    sender.send(&frame).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = [0; 2048];
    while Instant::now() < deadline {
        // The kernel's own IPv6 chatter may come first.
        if receiver.receive(&mut buffer, PATIENCE).unwrap() == Some(64) && buffer[..64] == frame {
            return;
        }
    }
    panic!("the frame did not arrive");
}

#[test]
fn dropping_a_namespace_removes_its_links() {
    privileged!("dropping_a_namespace_removes_its_links");
    let (a, b) = two_hosts();
    drop(b);
    let deadline = Instant::now() + PATIENCE;
    while a.link("e0").index().is_ok() {
        assert!(Instant::now() < deadline, "the peer of a dropped namespace's link is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn commands_run_inside_and_die_with_their_thread() {
    privileged!("commands_run_inside_and_die_with_their_thread");
    let (a, _b) = two_hosts();
    let output = a.command("cat").arg("/proc/self/net/dev").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("e0:"));
    let inside = a.clone();
    let mut child = std::thread::spawn(move || inside.command("sleep").arg("600").spawn().unwrap()).join().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_namespace_can_be_entered_by_its_path() {
    privileged!("a_namespace_can_be_entered_by_its_path");
    let (a, _b) = two_hosts();
    let net = format!("--net={}", a.path());
    let output = std::process::Command::new("nsenter").args([&net, "cat", "/proc/self/net/dev"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("e0:"), "{output:?}");
}

#[test]
fn mistakes_are_named() {
    privileged!("mistakes_are_named");
    let (a, b) = two_hosts();
    let message = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert!(message(a.link("nope").up()).starts_with("cannot find the interface nope: "));
    assert!(message(veth(&a, "e0", &b, "x0")).contains("cannot make the link e0 – x0: File exists"));
    assert!(message(veth(&a, "a-name-far-too-long", &b, "x0")).contains("is not an interface name"));
    assert!(message(a.link("e0").address("10.20.0.1/24")).contains("add address 10.20.0.1/24 to e0"));
    assert!(message(a.link("e0").address("10.20.0.1")).contains("like 10.20.0.5/24"));
    assert!(message(a.link("e0").address("10.20.0.1/33")).contains("like 10.20.0.5/24"));
    assert!(message(a.route("0.0.0.0/0", "172.16.0.1")).contains("add the route to 0.0.0.0/0 by 172.16.0.1"));
    assert!(message(a.route("0.0.0.0/0", "fe80::1")).contains("not of the same family"));
    assert!(message(a.link("e0").enslave("br9")).contains("find the interface br9"));
    a.link("e0").delete().unwrap();
    assert!(a.link("e0").index().is_err());
}

#[test]
fn a_panic_inside_reaches_the_caller() {
    privileged!("a_panic_inside_reaches_the_caller");
    let host = Namespace::new().unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.enter(|| panic!("inside"))));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"inside"));
}

#[test]
fn a_process_of_many_threads_is_told_to_enter_early() {
    // The harness itself is the second thread; with capabilities there is nothing to enter.
    match enter_user_namespace() {
        Ok(entered) => assert!(!entered && has_namespace_capabilities()),
        Err(error) => assert!(matches!(error, Error::SeveralThreads), "{error}"),
    }
}
