//! Real clients of SSH against the server, on the loopback address, and the server beside the real OpenSSH.

mod server;

use std::{process::Command, sync::Arc};

use chaff_events::{Detail, Kind};
use chaff_services::{ServiceKind, SshSpec};
use server::Server;

/// The product as it ships, without the time that it takes to refuse.
fn product() -> SshSpec {
    #[derive(serde::Deserialize)]
    struct File {
        kind: ServiceKind,
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles/services/openssh-9.2-debian12.toml");
    let text = std::fs::read_to_string(path).unwrap().replace("{revision}", "deb12u10");
    let file: File = toml::from_str(&text).unwrap();
    let ServiceKind::Ssh(spec) = file.kind else { panic!("{path} is no SSH server") };
    SshSpec { password_delay_ms: (20, 40), ..(*spec).clone() }
}

fn start(spec: SshSpec) -> Server {
    Server::start(ServiceKind::Ssh(Arc::new(spec)))
}

/// Runs a client; it must be installed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout").arg("40").arg(program).args(arguments).output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{program} is not installed");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The OpenSSH client with these options; it gives `password`, three times.
fn ssh(server: &Server, password: &str, options: &[&str]) -> String {
    let askpass = std::env::temp_dir().join(format!("chaff-askpass-{}", std::process::id()));
    std::fs::write(&askpass, "#!/bin/sh\nprintf '%s\\n' \"$CHAFF_PASSWORD\"\n").unwrap();
    std::fs::set_permissions(&askpass, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let output = Command::new("timeout")
        .args(["40", "ssh", "-v", "-F", "/dev/null", "-p", &server.port.to_string()])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(options)
        .arg("root@127.0.0.1")
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("CHAFF_PASSWORD", password)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_openssh_client_is_refused_and_what_it_tried_is_known() {
    let server = start(product());
    let said = ssh(&server, "hunter2 ü", &["-o", "NumberOfPasswordPrompts=2"]);
    assert!(said.contains("root@127.0.0.1: Permission denied (publickey,password)."), "{said}");
    assert_eq!(server.credentials(), ["root/hunter2 ü"]);
    let facts = server.facts();
    let Some((_, _, Detail::Ssh { client, hassh, algorithms })) =
        facts.iter().find(|(kind, _, _)| *kind == Kind::ServiceRequest)
    else {
        panic!("{facts:?}");
    };
    assert!(client.starts_with(b"SSH-2.0-OpenSSH_"), "{client:?}");
    assert_eq!(hassh.len(), 32);
    assert!(algorithms.split(|octet| *octet == b';').count() == 4);
}
