//! The catalogue's services as a client hears them: their files through the real conversations.

use std::path::Path;

use chaff_config::SourceFile;
use chaff_services::{Around, Context, Identity, Opening, Output, ServiceSpec, Shared, open};

const SECOND: u64 = 1_000_000_000;

/// The services of one decoy of a profile.
fn services(profile: &str) -> Vec<ServiceSpec> {
    let text = format!(
        "[[network]]\nname = \"n\"\ninterface = \"e0\"\nsubnet = \"10.9.0.0/24\"\n[[network.decoys]]\nprofile = \"{profile}\"\naddresses = [\"10.9.0.7\"]\n"
    );
    let config = chaff_config::parse(&SourceFile::new("chaff.toml", text), Path::new("")).unwrap();
    chaff_profiles::compile(&config, &[7; 32]).unwrap().services
}

/// All that a service says within three seconds to a client that says `request`, and whether it closes then.
fn talk(profile: &str, service: &str, request: &[u8]) -> (String, bool) {
    let services = services(profile);
    let spec = services.iter().find(|s| s.name.split('@').next() == Some(service)).unwrap();
    let mac = "00:50:56:9a:10:07".parse().unwrap();
    let identity = Identity { hostname: "decoy", ip: [10, 9, 0, 7].into(), mac, seed: [3; 16], serial: None };
    let (accounts, mut shared) = ([].into(), Shared::default());
    let opening = Opening {
        identity,
        now: 0,
        utc: 1_700_000_000 * SECOND,
        chance: [1; 32],
        accounts: &accounts,
        around: Around::default(),
    };
    let mut conversation = open(spec, &opening);
    let (mut said, mut closes, mut offered) = (Vec::new(), false, 0);
    for tick in 1..=300 {
        let cx = &mut Context { now: tick * SECOND / 100, shared: &mut shared };
        conversation.handle_wake(cx);
        while let Some(output) = conversation.poll(cx, 4096) {
            match output {
                Output::Send(octets) => said.extend(octets),
                Output::Finish | Output::Close | Output::Reset => closes = true,
                Output::Observe(..) | Output::Wake(_) => {}
            }
        }
        if tick > 10 && offered < request.len() {
            offered += conversation.handle_octets(cx, &request[offered..]);
        }
    }
    (String::from_utf8_lossy(&said).into_owned(), closes)
}

#[test]
fn openssh_names_a_package_that_exists() {
    let (said, closes) =
        talk("linux-server", "openssh-9.2-debian12", b"SSH-2.0-OpenSSH_9.2\r\n\x00\x00\x05\n\x14garbage\n");
    let (version, rest) = said.split_once("\r\n").unwrap();
    let revision = version.strip_prefix("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u");
    assert!(revision.is_some_and(|r| r.parse::<u8>().is_ok()), "{said}");
    assert!(rest.contains("sntrup761x25519-sha512"), "its algorithms follow the client's version: {said}");
    assert!(closes, "what is no packet ends it");
}

#[test]
fn openssh_refuses_what_is_no_client() {
    for nonsense in [&b"SSH-1337-OpenSSH_9.0\r\n"[..], b"GET / HTTP/1.0\r\n\r\n"] {
        let (said, closes) = talk("linux-server", "openssh-9.2-debian12", nonsense);
        assert!(said.ends_with("Invalid SSH identification string.\r\n") && closes, "{said}");
    }
    let (said, closes) = talk("linux-server", "openssh-9.2-debian12", b"SSH-3.0-x\r\n");
    assert!(said.ends_with("Protocol major versions differ.\r\n") && closes, "{said}");
}

#[test]
fn web_servers_serve_the_page_of_their_package() {
    for (profile, service, length, title) in [
        ("linux-server", "nginx-1.22.1-debian12", 615, "Welcome to nginx!"),
        ("ubuntu-file-server", "nginx-1.18.0-ubuntu20.04", 612, "Welcome to nginx!"),
        ("windows-server-2022", "iis-10", 703, "IIS Windows Server"),
        ("freebsd-server", "apache-2.4-freebsd", 45, "It works!"),
    ] {
        let (said, _) = talk(profile, service, b"GET / HTTP/1.1\r\nHost: decoy\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{service}: {said}");
        assert!(said.contains(&format!("Content-Length: {length}\r\n")), "{service}: {said}");
        assert!(said.contains(title), "{service}: {said}");
    }
}

#[test]
fn headers_come_in_the_order_of_the_product() {
    let order = |profile, service| {
        let (said, _) = talk(profile, service, b"GET / HTTP/1.1\r\nHost: decoy\r\n\r\n");
        let head = said.split("\r\n\r\n").next().unwrap().to_owned();
        head.lines().skip(1).map(|l| l.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let nginx = order("linux-server", "nginx-1.22.1-debian12");
    let recorded =
        ["Server", "Date", "Content-Type", "Content-Length", "Last-Modified", "Connection", "ETag", "Accept-Ranges"];
    assert_eq!(nginx, recorded);
    let iis = order("windows-server-2022", "iis-10");
    assert_eq!(iis, ["Content-Type", "Server", "X-Powered-By", "Date", "Content-Length"]);
}

#[test]
fn a_page_that_is_not_there_is_not_found() {
    for (profile, service, length) in [
        ("linux-server", "nginx-1.22.1-debian12", 153),
        ("windows-server-2022", "iis-10", 1245),
        ("windows-server-2022", "http.sys-2.0", 315),
    ] {
        let (said, _) = talk(profile, service, b"GET /nice%20ports HTTP/1.1\r\nHost: decoy\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 404 Not Found\r\n"), "{service}: {said}");
        assert!(said.contains(&format!("Content-Length: {length}\r\n")), "{service}: {said}");
    }
}

#[test]
fn a_switch_asks_for_a_name_and_refuses_it() {
    let (said, _) = talk("cisco-switch", "cisco-telnet", b"admin\r\nsecret\r\n");
    let expected =
        "\r\n\r\nUser Access Verification\r\n\r\nUsername: admin\r\nPassword: \r\n% Login invalid\r\n\r\nUsername: ";
    assert!(
        said.replace('\u{fffd}', "").replace(['\u{1}', '\u{3}', '\u{18}', '\u{1f}'], "").ends_with(expected),
        "{said:?}"
    );
    let (said, _) = talk("cisco-switch", "cisco-ios-http", b"GET / HTTP/1.1\r\nHost: decoy\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{said}");
    assert!(said.contains("WWW-Authenticate: Basic realm=\"level_15_access\"\r\n"), "{said}");
}

#[test]
fn a_printer_tells_what_it_is() {
    let expected = "@PJL INFO ID\r\n\"HP LaserJet P2055dn\"\r\n\u{c}";
    for request in [&b"@PJL INFO ID\r\n"[..], b"\x1b%-12345X@PJL INFO ID\r\n"] {
        assert_eq!(talk("hp-printer", "hp-laserjet-p2055-jetdirect", request).0, expected);
    }
    let page = b"GET /hp/device/info_deviceStatus.html HTTP/1.0\r\n\r\n";
    let (said, _) = talk("hp-printer", "hp-laserjet-p2055-http", page);
    assert!(said.contains("<td>00:50:56:9a:10:07</td>") && said.contains("<td>decoy</td>"), "{said}");
}

#[test]
fn a_boat_says_where_it_is() {
    let (said, closes) = talk("sailboat-navigation", "nmea-0183", b"");
    let sentences: Vec<&str> = said.lines().collect();
    assert!(sentences.len() >= 12 && !closes, "{said}");
    for sentence in &sentences {
        let (body, sum) = sentence.trim_start_matches('$').split_once('*').unwrap();
        let computed = body.bytes().fold(0, |sum, octet| sum ^ octet);
        assert_eq!(sum, format!("{computed:02X}"), "{sentence}");
        assert!(!sentence.contains(['{', '}']), "{sentence}");
    }
    let (said, _) = talk("sailboat-navigation", "signalk-2", b"GET /signalk HTTP/1.1\r\nHost: decoy\r\n\r\n");
    assert!(said.contains("\"signalk-http\":\"http://10.9.0.7:3000/signalk/v1/api/\""), "{said}");
    assert!(said.contains("\"id\":\"signalk-server-node\",\"version\":\"2."), "{said}");
    let (said, _) = talk("sailboat-navigation", "signalk-2", b"GET / HTTP/1.1\r\nHost: decoy\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 302 Found\r\n") && said.contains("Location: /admin/\r\n"), "{said}");
}

#[test]
fn what_is_not_built_yet_says_nothing_wrong() {
    for (profile, service) in [
        ("windows-server-2022", "microsoft-ds"),
        ("windows-server-2022", "ms-rdp"),
        ("ubuntu-file-server", "samba"),
        ("plc", "ethernet-ip"),
        ("iphone", "apple-lockdownd"),
    ] {
        assert_eq!(talk(profile, service, b"GET / HTTP/1.0\r\n\r\n"), (String::new(), true), "{service}");
    }
}

#[test]
fn a_server_without_ntlm_gives_no_challenge() {
    let opening = b"GET / HTTP/1.1\r\nHost: decoy\r\nAuthorization: NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw==\r\n\r\n";
    let (said, _) = talk("cisco-switch", "cisco-ios-http", opening);
    assert!(said.contains("WWW-Authenticate: Basic realm=\"level_15_access\"\r\n") && !said.contains("NTLM"), "{said}");
}

#[test]
fn rpc_of_another_version_is_refused_and_names_the_one_that_there_is() {
    let services = services("windows-server-2022");
    assert!(services.iter().any(|service| service.name == "msrpc"));
    let (said, closes) = talk("windows-server-2022", "msrpc", b"GET / HTTP/1.0\r\n\r\n");
    // The last octets: one version, 5.0.
    assert!(said.starts_with("\u{5}\0\r") && said.ends_with("\u{4}\0\u{1}\u{5}\0\0\0\0") && closes, "{said:?}");
    assert_eq!(talk("windows-server-2022", "msrpc", b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0").0, "");
}

#[test]
fn a_camera_and_a_router_answer_with_the_number_of_the_question() {
    let (said, _) = talk(
        "network-camera",
        "axis-rtsp",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 41\r\n\r\nDESCRIBE rtsp://10.9.0.7/ RTSP/1.0\r\nCSeq: 42\r\n\r\n",
    );
    assert!(said.starts_with("RTSP/1.0 200 OK\r\nCSeq: 41\r\n"), "{said}");
    assert!(said.contains("RTSP/1.0 401 Unauthorized\r\nCSeq: 42\r\n") && said.contains("AXIS_"), "{said}");
    let question = b"\0\x1e\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";
    let (said, _) = talk("wlan-router", "dnsmasq-2.85", question);
    assert!(said.starts_with("\0\u{37}\u{12}4") && said.ends_with("\u{c}dnsmasq-2.85"), "{said:?}");
}

/// The examples of the documents, as a reader would try them.
#[test]
fn documented_services_of_ones_own_do_what_their_examples_say() {
    for name in ["plant-terminal", "door-controller"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/examples/{name}.toml"));
        let mut out = Vec::new();
        chaff_profiles::check_file(&file, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains(&format!("the service `{name}` is in order, and so are its 2 examples")), "{said}");
    }
}

/// What `chaff profiles check` says of the door controller with a line of it changed.
fn check_changed(from: &str, to: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/door-controller.toml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("door-controller.toml");
    std::fs::write(&changed, text.replace(from, to)).unwrap();
    chaff_profiles::check_file(&changed, &mut Vec::new()).err().map(|mistakes| mistakes.to_string())
}

#[test]
fn examples_inside_tls_are_played_and_its_table_is_checked() {
    let wrong = check_changed("interlock, planted", "it opens").unwrap();
    assert!(wrong.contains("`the planted account` does not go like this"), "{wrong}");
    let wrong = check_changed("base     = \"openssl-3.0\"\n", "").unwrap();
    assert!(wrong.contains("nobody could speak to it: the table has no `suites`"), "{wrong}");
    let wrong = check_changed("openssl-3.0", "openssl-3.1").unwrap();
    assert!(wrong.contains("unknown base `openssl-3.1`") && wrong.contains("did you mean"), "{wrong}");
    let wrong = check_changed("valid-days       = 7300", "valid-days       = 0").unwrap();
    assert!(wrong.contains("no `valid-days` of its `certificate`"), "{wrong}");
    assert_eq!(check_changed("[\"1.2\"]", "[\"1.2\", \"1.3\"]"), None);
}
