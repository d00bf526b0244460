//! Real clients decide: curl and hydra talk to conversations through sockets of the kernel, on the loopback address.

mod server;

use std::{process::Command, sync::Arc};

use chaff_events::Tool;
use chaff_services::{AuthSpec, BannerSpec, HttpPage, HttpSpec, LoginSpec, MatchRule, Scheme, ServiceKind};
use server::Server;

/// Runs a client; it must be installed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .arg("30")
        .arg(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert_ne!(output.status.code(), Some(127), "{program} is not installed: apt-get install {program}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn web() -> ServiceKind {
    let page = |path: &str, body: &str| HttpPage { path: path.into(), body: body.into(), ..HttpPage::default() };
    let admin = HttpPage {
        login: Some(AuthSpec { schemes: vec![Scheme::Basic], realm: "Printer".into(), ..AuthSpec::default() }),
        ..page("/admin", "no")
    };
    ServiceKind::Http(Arc::new(HttpSpec {
        server: "nginx/1.22.1".into(),
        pages: vec![page("/", "<h1>{hostname}</h1>\n"), page("/big", &"x".repeat(300_000)), admin],
        error_body: "<h1>{status}</h1>".into(),
        ..HttpSpec::default()
    }))
}

#[test]
fn curl_takes_pages_one_after_another_over_one_connection() {
    let server = Server::start(web());
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.port);
    let urls = [url("/"), url("/big"), url("/none")];
    let mut arguments = vec!["-s", "-w", "%{http_code} %{size_download} %{num_connects}\n"];
    urls.iter().for_each(|url| arguments.extend(["-o", "/dev/null", url]));
    assert_eq!(run("curl", &arguments), "200 15 1\n200 300000 0\n404 12 0\n");
    assert_eq!(server.facts().len(), 3);
    assert!(server.facts().iter().all(|(_, tool, _)| *tool == Some(Tool::Curl)));
    let said = run("curl", &["-sI", "--http1.0", &url("/")]);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: "), "{said}");
    assert!(said.contains("\r\nContent-Length: 15\r\nConnection: close\r\n"), "{said}");
}

#[test]
fn curl_and_hydra_offer_basic_credentials_in_vain() {
    let server = Server::start(web());
    let url = format!("http://127.0.0.1:{}/admin", server.port);
    assert_eq!(run("curl", &["-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", "anna:gh:ost", &url]), "401");
    let port = server.port.to_string();
    let said = run("hydra", &["-I", "-l", "root", "-p", "toor", "-s", &port, "127.0.0.1", "http-get", "/admin"]);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(server.credentials(), ["anna/gh:ost", "root/toor"]);
    assert!(server.facts().iter().any(|(_, tool, _)| *tool == Some(Tool::Hydra)), "{:?}", server.facts());
}

#[test]
fn hydra_tries_ftp_and_telnet_in_vain() {
    let rule = |starts: &str, answer: &str| MatchRule { starts: starts.into(), answer: answer.into(), closes: false };
    let ftp = BannerSpec {
        greeting: r"220 (vsFTPd 3.0.3)\r\n".into(),
        greeting_delay_ms: 3,
        rules: vec![rule("USER ", r"331 Please specify the password.\r\n"), rule("PASS ", r"530 Login incorrect.\r\n")],
        otherwise: r"530 Please login with USER and PASS.\r\n".into(),
        ..BannerSpec::default()
    };
    let server = Server::start(ServiceKind::Banner(Arc::new(ftp)));
    let said = run("hydra", &["-I", "-l", "anna", "-p", "ghost", "-s", &server.port.to_string(), "ftp://127.0.0.1"]);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(server.credentials(), ["anna/ghost"]);

    let login = LoginSpec {
        prompt: "{hostname} login: ".into(),
        password_prompt: "Password: ".into(),
        failure: r"\r\nLogin incorrect\r\n".into(),
        failure_delay_ms: 300,
        attempts: 3,
        echoes: true,
    };
    let telnet = BannerSpec {
        greeting: r"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27".into(),
        login: Some(login),
        ..BannerSpec::default()
    };
    let server = Server::start(ServiceKind::Banner(Arc::new(telnet)));
    let said = run("hydra", &["-I", "-l", "root", "-p", "tiger", "-s", &server.port.to_string(), "telnet://127.0.0.1"]);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(server.credentials(), ["root/tiger"], "{:?}", server.facts());
}
