//! Real clients of SSH against the server, on the loopback address, and what they say of it beside the real OpenSSH.

mod daemon;
mod products;
mod server;
mod sshd;

use std::{process::Command, sync::Arc};

use chaff_events::{Detail, Kind};
use chaff_services::{Account, ServiceKind, ServiceSpec, SshCurve, SshHostKey, SshSpec};
use server::Server;
use sha2::Digest;

/// The product as it ships, without the time that it takes to refuse.
fn product() -> SshSpec {
    SshSpec { password_delay_ms: (20, 40), ..products::product("openssh-9.2-debian12") }
}

fn start(spec: SshSpec) -> Server {
    Server::start(ServiceKind::Ssh(Arc::new(spec)))
}

/// Runs a client; it must be installed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout").arg("90").arg(program).args(arguments).output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{program} is not installed");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A program that gives the client the password.
fn askpass() -> std::path::PathBuf {
    static WRITTEN: std::sync::Once = std::sync::Once::new();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("askpass-{}", std::process::id()));
    WRITTEN.call_once(|| {
        std::fs::write(&path, "#!/bin/sh\nprintf '%s\\n' \"$CHAFF_PASSWORD\"\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    });
    path
}

/// The OpenSSH client with these options; it gives `password`, three times.
fn ssh(server: &Server, password: &str, options: &[&str]) -> String {
    let askpass = askpass();
    let output = Command::new("timeout")
        .args(["90", "ssh", "-v", "-F", "/dev/null", "-p", &server.port.to_string()])
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
    let kinds: Vec<&str> = facts
        .iter()
        .filter_map(|(_, _, detail)| match detail {
            Detail::Credential { secret_kind, .. } => Some(secret_kind.as_str()),
            _ => None,
        })
        .collect();
    assert!(kinds.starts_with(&["none"]) && kinds.ends_with(&["password", "password"]), "{kinds:?}");
    let Some((_, _, Detail::Ssh { client, hassh, algorithms })) =
        facts.iter().find(|(kind, _, _)| *kind == Kind::ServiceRequest)
    else {
        panic!("{facts:?}");
    };
    assert!(client.starts_with(b"SSH-2.0-OpenSSH_"), "{client:?}");
    assert_eq!(hassh.len(), 32);
    assert!(algorithms.split(|octet| *octet == b';').count() == 4);
}

/// Every name that a client of this machine can ask for: exchanges, signatures, ciphers and MACs.
#[test]
fn every_algorithm_is_spoken_with_the_openssh_client() {
    speak_all(false);
}

/// Every combination: all ciphers with all MACs.
#[test]
#[ignore = "soak: half a minute"]
fn soak_every_cipher_is_spoken_with_every_mac() {
    speak_all(true);
}

fn speak_all(combined: bool) {
    let product = product();
    let old = |list: &[String], more: &[&str]| list.iter().cloned().chain(more.iter().map(|n| (*n).into())).collect();
    let spec = SshSpec {
        kex: old(
            &product.kex,
            &["diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1", "diffie-hellman-group-exchange-sha1"],
        ),
        ciphers: old(&product.ciphers, &["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"]),
        macs: old(&product.macs, &["hmac-md5", "hmac-sha1-96", "hmac-md5-96", "hmac-md5-etm@openssh.com"]),
        host_key_algorithms: old(
            &product.host_key_algorithms,
            &["ssh-rsa", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
        ),
        host_keys: product
            .host_keys
            .iter()
            .copied()
            .chain([SshHostKey::Ecdsa(SshCurve::Nistp384), SshHostKey::Ecdsa(SshCurve::Nistp521)])
            .collect(),
        ..product
    };
    let mut tried = Vec::new();
    for kex in spec.kex.iter().filter(|name| !name.starts_with("kex-strict")) {
        tried.push(format!("KexAlgorithms={kex}"));
    }
    for signature in &spec.host_key_algorithms {
        tried.push(format!("HostKeyAlgorithms={signature}"));
    }
    let (authenticated, others): (Vec<_>, Vec<_>) =
        spec.ciphers.iter().partition(|cipher| cipher.contains("gcm") || cipher.contains("poly1305"));
    tried.extend(authenticated.iter().map(|cipher| format!("Ciphers={cipher}")));
    for (place, mac) in spec.macs.iter().enumerate() {
        // Each MAC with one cipher, which goes round, or with all.
        let chosen = |(number, _): &(usize, &&String)| combined || *number == place % others.len();
        let ciphers = others.iter().enumerate().filter(chosen);
        tried.extend(ciphers.map(|(_, cipher)| format!("Ciphers={cipher} MACs={mac}")));
    }
    let server = start(spec);
    for (place, options) in tried.iter().enumerate() {
        let words: Vec<&str> = options.split(' ').flat_map(|option| ["-o", option]).collect();
        let password = format!("try {place}");
        let said = ssh(&server, &password, &[&words[..], &["-o", "NumberOfPasswordPrompts=1"]].concat());
        assert!(said.contains("Permission denied (publickey,password)"), "{options}: {said}");
        assert!(server.credentials().contains(&format!("root/{password}")), "{options}");
    }
}

#[test]
fn a_key_is_told_by_its_fingerprint_and_every_answer_to_a_question_is_told() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut spec = product();
    spec.auth_methods.push("keyboard-interactive".into());
    let server = start(spec);
    let mut expected = Vec::new();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = folder.join(kind);
        let path = key.to_str().unwrap();
        run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", path]);
        let printed = run("ssh-keygen", &["-l", "-f", path]);
        expected.push(printed.split(' ').nth(1).unwrap().to_string());
        let said =
            ssh(&server, "", &["-o", "PreferredAuthentications=publickey", "-o", "IdentitiesOnly=yes", "-i", path]);
        assert!(said.contains("Permission denied"), "{said}");
    }
    let said = ssh(&server, "swordfish", &["-o", "PreferredAuthentications=keyboard-interactive"]);
    assert!(said.contains("Permission denied"), "{said}");
    let told: Vec<(String, String)> = server
        .facts()
        .iter()
        .filter_map(|(_, _, detail)| match detail {
            Detail::Credential { secret_kind, secret, accepted: false, .. } => {
                Some((secret_kind.to_string(), String::from_utf8(secret.clone()).unwrap()))
            }
            _ => None,
        })
        .collect();
    for fingerprint in expected {
        assert!(told.iter().any(|(kind, secret)| kind == "publickey" && secret.ends_with(&fingerprint)), "{told:?}");
    }
    let answers = told.iter().filter(|(kind, secret)| kind == "keyboard-interactive" && secret == "swordfish");
    assert_eq!(answers.count(), 3, "as often as the client asked");
}

#[test]
fn the_seventh_failure_does_not_come() {
    let server = start(product());
    let said = ssh(&server, "again", &["-o", "NumberOfPasswordPrompts=9"]);
    assert!(said.contains("Received disconnect from 127.0.0.1 port"), "{said}");
    assert!(said.contains(":2: Too many authentication failures"), "{said}");
    let password =
        |detail: &Detail| matches!(detail, Detail::Credential { secret_kind, .. } if secret_kind == "password");
    assert_eq!(server.facts().iter().filter(|(_, _, detail)| password(detail)).count(), 6);
}

/// The product with a planted account.
fn planted() -> Server {
    let spec = ServiceSpec::new("under-test", ServiceKind::Ssh(Arc::new(product())));
    Server::with(spec, &[Account { user: "root".into(), password: "Winter2019".into() }])
}

/// Runs `script` with SSH's programs as `$SSH`, `$SCP`, `$SFTP`, which give the planted password.
fn inside(server: &Server, script: &str) -> String {
    let askpass = askpass();
    let options = "-F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
    let port = server.port;
    let output = Command::new("timeout")
        .args(["30", "sh", "-c", script])
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("CHAFF_PASSWORD", "Winter2019")
        .env("SSH", format!("ssh {options} -p {port} root@127.0.0.1"))
        .env("SCP", format!("scp {options} -P {port}"))
        .env("SFTP", format!("sftp {options} -P {port} -o BatchMode=no -b - root@127.0.0.1"))
        .output()
        .unwrap();
    format!(
        "{}{}={}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code().unwrap_or(-1)
    )
}

fn commands(server: &Server) -> Vec<String> {
    let facts = server.facts();
    let lines = facts.iter().filter_map(|(_, _, detail)| match detail {
        Detail::Command { username, line } if username == b"root" => Some(String::from_utf8_lossy(line).into_owned()),
        _ => None,
    });
    lines.collect()
}

#[test]
fn a_planted_account_opens_a_shell_in_which_nothing_runs() {
    let server = planted();
    let said = inside(&server, "$SSH 'id; exit 3'");
    assert_eq!(said, "uid=0(root) gid=0(root) groups=0(root)\n=3");
    let said = inside(&server, "printf 'whoami\nhostname\nexit 4\n' | $SSH");
    assert_eq!(said, "root\nnav-1\n=4");
    let said = inside(&server, r"(printf 'unamx\177e -n\r'; sleep 1; printf 'exit\r') | $SSH -tt");
    assert!(said.contains("root@nav-1:~# ") && said.contains("nav-1\r\n"), "{said}");
    let told = commands(&server);
    for line in ["id; exit 3", "whoami", "exit 4", "exit"] {
        assert!(told.iter().any(|told| told == line), "{told:?}");
    }
    let accepted = |detail: &Detail| matches!(detail, Detail::Credential { accepted: true, .. });
    assert_eq!(server.facts().iter().filter(|(_, _, detail)| accepted(detail)).count(), 3);
    let said = inside(&server, "$SSH -o ExitOnForwardFailure=yes -W 10.0.0.1:80");
    assert!(said.contains("stdio forwarding failed") && said.ends_with("=255"), "{said}");
    assert!(commands(&server).iter().any(|line| line == "direct-tcpip 10.0.0.1:80"));
    // New keys on the way, asked for by the client; with compression, whose streams begin anew with them.
    for options in ["", "-C", "-C -c aes128-ctr"] {
        let said = inside(&server, &format!("$SSH -o RekeyLimit=1K {options} 'cat /etc/passwd; cat /etc/passwd; id'"));
        assert!(said.ends_with("groups=0(root)\n=0"), "{options}: {said}");
    }
}

#[test]
fn whoever_logs_in_learns_all_host_keys_with_their_proof() {
    let server = planted();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("known-hosts-{}", std::process::id()));
    for first in ["ssh-ed25519", "rsa-sha2-256"] {
        let _ = std::fs::remove_file(&file);
        let options = format!(
            "-o UpdateHostKeys=yes -o UserKnownHostsFile={} -o HashKnownHosts=no -o HostKeyAlgorithms=^{first}",
            file.display()
        );
        // A host must be known before its further keys are learned. Of two options the first counts, and the proof comes
        // while the session lasts.
        for script in ["echo exit", "sleep 1; echo id; echo exit"] {
            let said = inside(&server, &format!("({script}) | ssh {options} ${{SSH#ssh }}"));
            assert!(said.ends_with("=0"), "{said}");
        }
        let known = std::fs::read_to_string(&file).unwrap();
        for kind in ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"] {
            assert!(known.contains(&format!(" {kind} ")), "{first}: {known}");
        }
    }
}

/// OpenSSH asks for new keys by itself, here after so few octets that a listing is enough.
#[test]
fn the_server_asks_for_new_keys() {
    let spec = SshSpec { rekey_octets: 1024, ..product() };
    let spec = ServiceSpec::new("under-test", ServiceKind::Ssh(Arc::new(spec)));
    let server = Server::with(spec, &[Account { user: "root".into(), password: "Winter2019".into() }]);
    for options in ["", "-C"] {
        let said = inside(
            &server,
            &format!("ssh -o LogLevel=DEBUG1 {options} ${{SSH#ssh }} 'ls -l /usr/bin /usr/bin /usr/bin; id'"),
        );
        let exchanges = said.matches("SSH2_MSG_NEWKEYS received").count();
        assert!(said.contains("groups=0(root)\n") && said.ends_with("=0") && exchanges > 1, "{exchanges}: {said}");
    }
}

#[test]
fn uploads_are_told_by_their_hash() {
    let server = planted();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("upload-{}", std::process::id()));
    let octets: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &octets).unwrap();
    let path = file.to_str().unwrap();
    for protocol in ["-O", "-s"] {
        let said = inside(&server, &format!("$SCP {protocol} {path} root@127.0.0.1:/tmp/x{protocol}"));
        assert!(said.ends_with("=0"), "{protocol}: {said}");
    }
    let said = inside(&server, &format!("printf 'put {path} y\nls /etc\nget /etc/hostname {path}.hostname\n' | $SFTP"));
    assert!(said.ends_with("=0") && said.contains("/etc/passwd"), "{said}");
    assert_eq!(std::fs::read(format!("{path}.hostname")).unwrap(), b"nav-1\n", "{said}");
    let hash: [u8; 32] = sha2::Sha256::digest(&octets).into();
    let facts = server.facts();
    let files = facts.iter().filter_map(|(_, _, detail)| match detail {
        Detail::File { name, length: 1_200_000, sha256 } if *sha256 == hash => Some(String::from_utf8_lossy(name)),
        _ => None,
    });
    assert_eq!(files.collect::<Vec<_>>(), ["/tmp/x-O", "/tmp/x-s", "/root/y"]);
}

#[test]
fn nmap_reads_the_lists_the_keys_and_the_methods() {
    let spec = product();
    let (server, sshd) = (start(spec), sshd::openssh());
    let scan = |port: u16| {
        let port = port.to_string();
        let scripts = "ssh2-enum-algos";
        let said = run("nmap", &["-Pn", "-n", "-sV", "-p", &port, "--script", scripts, "127.0.0.1"]);
        let lines = said.lines().skip_while(|line| !line.starts_with("PORT")).skip(1);
        let lines = lines.take_while(|line| !line.starts_with("Service Info")).map(|line| line.replace(&port, "PORT"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (ours, real) = (scan(server.port), scan(sshd.port));
    assert!(ours.contains("OpenSSH 9.2p1 Debian 2+deb12u10") && ours.contains("umac-64-etm"), "{ours}");
    assert_eq!(ours, real);
    let keys = |port: u16| {
        let port = port.to_string();
        let options = ["-Pn", "-n", "-sV", "-p", &port, "--script", "ssh-hostkey,ssh-auth-methods"];
        run("nmap", &[&options[..], &["--script-args", "ssh_hostkey=full", "127.0.0.1"]].concat())
    };
    let kinds = |said: &str| {
        let lines = said.lines().filter(|line| line.contains(" AAAA"));
        lines
            .map(|line| line.trim_start_matches(['|', '_', ' ']).split(' ').next().unwrap().into())
            .collect::<Vec<String>>()
    };
    let (ours, real) = (keys(server.port), keys(sshd.port));
    assert!(ours.contains("|     publickey\n|_    password"), "{ours}");
    assert_eq!(kinds(&ours), kinds(&real), "{ours}\n{real}");
    assert!(kinds(&ours).len() >= 2, "{ours}");
}
