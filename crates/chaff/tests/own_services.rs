//! Services of a user's own on running decoys: the documented one in clear and the documented one behind TLS, as a
//! client meets them and as the defender is told.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use chaff_testkit::{
    network::{Network, Turn, run_any},
    office,
    process::Chaff,
};
use serde_json::Value;

const CONFIG: &str = office!(
    r#"
[[network.decoys]]
profile   = "linux-server"
hostname  = "plant-{n:02}"
addresses = ["10.20.0.10-10.20.0.11"]
ports     = { "2001/tcp" = "file:plant-terminal.toml", "4070/tcp" = "file:door-controller.toml" }
accounts  = [{ user = "service", password = "Winter2019" }]
"#
);
const FIRST: &str = "10.20.0.10";
const SECOND: &str = "10.20.0.11";
const PATIENCE: Duration = Duration::from_secs(20);

fn with_fleet(name: &str, test: impl FnOnce(&Network, &Chaff)) {
    Turn::Beside.take(name, || {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new();
        for file in ["plant-terminal.toml", "door-controller.toml"] {
            let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples").join(file);
            fs::copy(documented, folder.path().join(file)).unwrap();
        }
        let chaff = Chaff::start(Path::new(env!("CARGO_BIN_EXE_chaff")), &network, folder.path(), CONFIG);
        test(&network, &chaff);
    });
}

/// The observations that `of` picks, once `enough` says that they are.
fn observed(chaff: &Chaff, of: impl Fn(&Value) -> Option<String>, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let found: Vec<String> = chaff.events().iter().filter_map(&of).collect();
        if enough(&found) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:#?}\n{:#?}", chaff.events());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn detail<'e>(event: &'e Value, field: &str) -> &'e str {
    event["detail"][field].as_str().unwrap_or_default()
}

/// `SERVICE USER/SECRET accepted` of a login.
fn login(event: &Value) -> Option<String> {
    let said = |field| detail(event, field);
    let service = event["service"].as_str().unwrap_or_default();
    let accepted = event["detail"]["accepted"].as_bool().unwrap_or_default();
    (event["kind"] == "credential").then(|| format!("{service} {}/{} {accepted}", said("username"), said("secret")))
}

/// `SERVICE payload` of a request.
fn request(event: &Value) -> Option<String> {
    let service = event["service"].as_str().unwrap_or_default();
    (event["kind"] == "service.request").then(|| format!("{service} {}", detail(event, "payload")))
}

/// Sends pieces one by one, each once what it answers is there; gives all that was said.
fn talk(network: &Network, steps: &[(&str, &str)]) -> String {
    let steps: Vec<(String, String)> = steps.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let talk = move || {
        let to: SocketAddr = format!("{FIRST}:2001").parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = String::new();
        for (send, until) in &steps {
            stream.write_all(send.as_bytes()).unwrap();
            let mut buffer = [0; 512];
            while !said.ends_with(until.as_str()) {
                match stream.read(&mut buffer).unwrap() {
                    0 => return said + "<end>",
                    read => said += &String::from_utf8_lossy(&buffer[..read]),
                }
            }
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        said + &String::from_utf8_lossy(&rest) + "<end>"
    };
    network.atk.enter(talk).unwrap()
}

#[test]
fn one_in_clear_goes_through_its_states_and_is_observed() {
    with_fleet("one_in_clear_goes_through_its_states_and_is_observed", |network, chaff| {
        let said = talk(
            network,
            &[
                ("", "login: "),
                ("root\r\n", "password: "),
                ("toor\r\n", "Login incorrect\r\nlogin: "),
                // Longer than the service reads: it fits no rule, and is a request all the same.
                (&format!("{}\r\nservice\r\n", "x".repeat(5_000)), "password: "),
                ("Winter2019\r\n", "Welcome service. Type HELP.\r\n> "),
                ("STATUS\r\n", "running\r\n> "),
                ("Read TIC-101\r\n", "TIC-101: no such tag\r\n> "),
                ("reboot\r\n", "what?\r\n> "),
                ("quit\r\n", "<end>"),
            ],
        );
        assert!(said.starts_with("\r\n*** plant-01  unit ") && said.ends_with("bye\r\n<end>"), "{said:?}");
        assert!(said.contains(&format!(" at {FIRST}: running\r\n")), "{said:?}");
        let logins = observed(chaff, login, |all| all.len() >= 2);
        assert_eq!(logins, ["plant-terminal root/toor false", "plant-terminal service/Winter2019 true"]);
        let requests = observed(chaff, request, |all| all.iter().any(|one| one.ends_with(" quit")));
        for expected in ["root", "STATUS", "Read TIC-101", "reboot", "quit"] {
            assert!(requests.contains(&format!("plant-terminal {expected}")), "{expected}: {requests:#?}");
        }
        let overlong = requests.iter().find(|one| one.contains("xxx")).unwrap();
        assert_eq!(overlong.matches('x').count(), 256, "what was read of it");
        let incidents = chaff.wait_for_incidents(PATIENCE, |all| all.iter().any(|one| one["severity"] == "critical"));
        let title = incidents[0]["title"].as_str().unwrap();
        assert!(title.contains("use of a planted account as service on plant-01 (plant-terminal)"), "{title}");
    });
}

/// What `openssl s_client` is told when it sends `lines`; what it says of TLS is behind it.
fn s_client(network: &Network, host: &str, lines: &str, more: &str) -> (String, String) {
    let script = format!("(printf '{lines}'; sleep 3) | openssl s_client -connect {host}:4070 {more}");
    let output = run_any(&network.atk, 60, "sh", &["-c", &script]);
    [output.stdout, output.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned()).into()
}

#[test]
fn one_behind_tls_is_spoken_to_by_openssl_and_observed() {
    with_fleet("one_behind_tls_is_spoken_to_by_openssl_and_observed", |network, chaff| {
        let lines = r"door 1 open\r\nlogin guard 1234\r\nnever read\r\n";
        let (said, about) = s_client(network, FIRST, lines, "-quiet -servername doors.example");
        let (greeting, rest) = said.split_once(" ready\r\n").unwrap_or_else(|| panic!("{said:?} {about}"));
        let serial = greeting.strip_prefix("DC2 ").unwrap();
        assert_eq!(rest, "ERR login first\r\nERR login of guard\r\n", "{about}");
        assert!(about.contains(&format!("CN = {serial}")) || about.contains(&format!("CN={serial}")), "{about}");

        let lines = r"login service Winter2019\r\ndoor 17 open\r\nfly\r\nquit\r\n";
        let (said, about) = s_client(network, SECOND, lines, "-quiet");
        let expected = "OK service\r\nERR door 17: interlock, service\r\nERR what\r\nBYE\r\n";
        assert!(said.ends_with(expected), "{said:?} {about}");
        assert!(!said.contains(serial), "each decoy has a number of its own: {said:?}");

        let (about, _) = s_client(network, FIRST, "", "</dev/null");
        assert!(about.contains("TLSv1.2") && about.to_ascii_uppercase().contains("ECDSA"), "{about}");
        let (_, refused) = s_client(network, FIRST, "", "-tls1_3 </dev/null");
        assert!(refused.contains("alert"), "{refused}");

        let logins = observed(chaff, login, |all| all.len() >= 2);
        assert_eq!(logins, ["door-controller guard/1234 false", "door-controller service/Winter2019 true"]);
        let requests = observed(chaff, request, |all| all.iter().any(|one| one.ends_with(" quit")));
        for expected in ["door 1 open", "door 17 open", "fly"] {
            assert!(requests.contains(&format!("door-controller {expected}")), "{expected}: {requests:#?}");
        }
        assert!(!requests.iter().any(|one| one.contains("never read")), "{requests:#?}");
        let name = |event: &Value| (event["kind"] == "tls.hello").then(|| detail(event, "server_name").to_owned());
        let names = observed(chaff, name, |all| !all.is_empty());
        assert!(names.iter().any(|name| name == "doors.example"), "{names:?}");
    });
}
