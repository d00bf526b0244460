//! Real clients of SSH against the server, on the loopback address, and the server beside the real OpenSSH.

mod server;
mod sshd;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    sync::Arc,
    time::Duration,
};

use chaff_events::{Detail, Kind};
use chaff_services::{Account, ServiceKind, ServiceSpec, SshCurve, SshHostKey, SshSpec};
use server::Server;
use sha2::Digest;
use sshd::Sshd;

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
    let Some((_, _, Detail::Ssh { client, hassh, algorithms })) =
        facts.iter().find(|(kind, _, _)| *kind == Kind::ServiceRequest)
    else {
        panic!("{facts:?}");
    };
    assert!(client.starts_with(b"SSH-2.0-OpenSSH_"), "{client:?}");
    assert_eq!(hassh.len(), 32);
    assert!(algorithms.split(|octet| *octet == b';').count() == 4);
}

/// Every combination that a client of this machine can ask for: all exchanges, all signatures, all ciphers with all
/// MACs.
#[test]
fn every_algorithm_is_spoken_with_the_openssh_client() {
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
    for cipher in &spec.ciphers {
        let authenticated = cipher.contains("gcm") || cipher.contains("poly1305");
        let macs: Vec<&str> =
            if authenticated { vec!["hmac-sha1"] } else { spec.macs.iter().map(String::as_str).collect() };
        tried.extend(macs.iter().map(|mac| format!("Ciphers={cipher} MACs={mac}")));
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
    assert_eq!(server.facts().iter().filter(|(kind, ..)| *kind == Kind::Credential).count(), 6);
}

#[test]
fn guessers_are_refused_and_known_by_what_they_tried() {
    let server = start(product());
    let port = server.port.to_string();
    let said = run("hydra", &["-I", "-l", "anna", "-p", "hy:dra", "-s", &port, "-t", "1", "ssh://127.0.0.1"]);
    assert!(said.contains("0 valid password"), "{said}");
    run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "anna", "-p", "medusa", "-M", "ssh"]);
    run("ncrack", &["--user", "anna", "--pass", "ncrack", &format!("ssh://127.0.0.1:{port}")]);
    let plink = ["-batch", "-ssh", "-P", &port, "-l", "anna", "-pw", "plink", "-hostkey", "*", "127.0.0.1", "id"];
    run("plink", &plink);
    let dropbear = "DROPBEAR_PASSWORD=dropbear dbclient -y -y -p $0 anna@127.0.0.1 id";
    run("sh", &["-c", dropbear, &port]);
    let paramiko = "import paramiko, sys\nc = paramiko.SSHClient()\nc.set_missing_host_key_policy(paramiko.AutoAddPolicy())\n\
        try: c.connect('127.0.0.1', port=int(sys.argv[1]), username='anna', password='paramiko', look_for_keys=False, allow_agent=False)\n\
        except paramiko.AuthenticationException: print('refused')\n";
    let said = run("/usr/bin/python3", &["-c", paramiko, &port]);
    assert!(said.contains("refused"), "{said}");
    let tried = server.credentials();
    for tool in ["hy:dra", "medusa", "ncrack", "dropbear", "paramiko"] {
        assert!(tried.contains(&format!("anna/{tool}")), "{tool}: {tried:?}");
    }
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
    // New keys on the way, asked for by the client.
    let said = inside(&server, "$SSH -o RekeyLimit=1K 'cat /etc/passwd; cat /etc/passwd; id'");
    assert!(said.ends_with("groups=0(root)\n=0"), "{said}");
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
    let (server, sshd) = (start(spec), Sshd::start());
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

#[test]
fn nonsense_is_answered_as_the_real_one_answers() {
    let (server, sshd) = (start(product()), Sshd::start());
    let mut different = Vec::new();
    let cases = openings();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|(_, octets)| {
                let (ours, real) = (server.port, sshd.port);
                scope.spawn(move || (transcript(ours, octets), transcript(real, octets)))
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for ((name, octets), (ours, real)) in cases.iter().zip(outcomes) {
        // What is on its way when a RST comes may be lost, and a busy machine may answer late: once more, alone.
        let agree = || transcript(server.port, octets) == transcript(sshd.port, octets);
        if ours != real && !(0..4).any(|_| agree()) {
            different.push(format!("{name}:\n  ours {ours}\n  real {real}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// What the server said to `octets`, without the cookie of its KEXINIT, and how the connection ended.
fn transcript(port: u16, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    let mut said = vec![0; 4096];
    let count = stream.read(&mut said).unwrap();
    said.truncate(count);
    assert!(said.ends_with(b"\r\n"));
    let sent = stream.write_all(octets);
    let mut end = if sent.is_err() { "reset" } else { "open" };
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => end = "closed",
            Ok(count) => {
                said.extend_from_slice(&buffer[..count]);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => end = "reset",
            Err(_) => {}
        }
        break;
    }
    let line = said.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    if said.get(line + 5) == Some(&20) {
        said[line + 6..line + 22].fill(0);
    }
    if end == "reset" {
        // The end of the line is a segment of its own, which the RST may overtake.
        said.truncate(said.trim_ascii_end().len());
    }
    format!("{end} {}", said.escape_ascii())
}

/// Openings that no client sends, by name.
fn openings() -> Vec<(String, Vec<u8>)> {
    const HELLO: &[u8] = b"SSH-2.0-x\r\n";
    let lists = |strict: &str, cipher: &str| {
        let mut init = vec![20];
        init.extend_from_slice(&[0; 16]);
        for list in
            [strict, "ssh-ed25519", cipher, "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""]
        {
            string(&mut init, list.as_bytes());
        }
        init.extend_from_slice(&[0; 5]);
        init
    };
    let init = lists("curve25519-sha256", "aes128-ctr");
    let strict = lists("curve25519-sha256,kex-strict-c-v00@openssh.com", "aes128-ctr");
    let with = |payloads: &[&[u8]]| {
        let mut all = HELLO.to_vec();
        payloads.iter().for_each(|payload| all.extend(packet(payload)));
        all
    };
    let half = |octets: &[u8]| {
        let mut payload = vec![30];
        string(&mut payload, octets);
        payload
    };
    let mut guess = init.clone();
    let flag = guess.len() - 5;
    guess[flag] = 1;
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, octets: Vec<u8>| all.push((name.into(), octets));
    for line in [
        "foo\r\n",
        "SSH-1337-OpenSSH_9.0\r\n",
        "SSH-1111-x\r\n",
        "SSH-3.0-x\r\n",
        "SSH-1.5-x\r\n",
        "SSH-2.2-OpenSSH_9.0\r\n",
        "SSH-1.99-x\r\n",
        "SSH-2.0-x\n",
        "SSH-2.0-x \r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\n\n\n\n\n\n\n\n",
        "SSH-2.0-\0x\r\n",
        "SSH-2.0-x\rx\r\n",
        "SSH-2.0-\r\n",
        "SSH-2.0\r\n",
        "SSH- 2. 0-x\r\n",
        "SSH-+2.-1-x\r\n",
        "SSH-2.0-x\r\r\n",
        "foo\r\nbar\r\n",
        "SSH-2.0-SSH_Version_Mapper\r\n",
        "SSH-2.0-Probe-x\r\n",
        "SSH-2.0-xProbe-x\r\n",
        "SSH-\r\n",
        "SSH\r\n",
        "\r\n",
        "ssh-2.0-x\r\n",
    ] {
        add(&line.escape_debug().to_string(), line.as_bytes().to_vec());
    }
    add("a line of 9,000", [b"SSH-2.0-", &[b'a'; 9000][..], b"\r\n"].concat());
    add("a line of 8,184", [b"SSH-2.0-", &[b'a'; 8184][..], b"\r\n"].concat());
    for (name, octet, count) in [("ones", 0xff, 64), ("feeds", b'\n', 8), ("zeros", 0, 64), ("many ones", 0xff, 20_000)]
    {
        add(name, [HELLO, &vec![octet; count]].concat());
    }
    let raw =
        |length: u32, padding: u8, rest: usize| [HELLO, &length.to_be_bytes(), &[padding], &vec![0; rest]].concat();
    add("padding beyond the packet", raw(12, 200, 11));
    add("no padding", raw(12, 0, 11));
    add("no whole block", raw(13, 4, 12));
    add("the shortest packet", raw(12, 11, 11));
    add("a packet that is too long", raw(262_145, 4, 11));
    add("a packet of which the rest does not come", raw(35_004, 4, 100));
    for kind in [0, 2, 4, 5, 6, 7, 21, 30, 31, 34, 49, 50, 80, 99, 191, 192, 255] {
        add(&format!("message {kind} first"), with(&[&[kind]]));
        add(&format!("message {kind} in the exchange"), with(&[&init, &[kind]]));
        add(&format!("message {kind} in a strict exchange"), with(&[&strict, &[kind]]));
    }
    add("a message to be ignored", with(&[&[2, 0, 0, 0, 0]]));
    add("a goodbye", with(&[&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]]));
    add("half a goodbye", with(&[&[1]]));
    add("a service too early", with(&[b"\x05\0\0\0\x0cssh-userauth"]));
    add("a strict exchange that is late", with(&[&[2, 0, 0, 0, 0], &strict]));
    add("half an offer", with(&[&init[..init.len() - 1]]));
    add("more than an offer", with(&[&[&init[..], b"x"].concat()]));
    add("nothing in common", with(&[&lists("curve25519-sha256", "aes129-ctr")]));
    add("no exchange in common", with(&[&lists("curve25518-sha256", "aes128-ctr")]));
    add("two offers", with(&[&init, &init]));
    add("31 octets for a point", with(&[&init, &half(&[9; 31])]));
    add("a point of small order", with(&[&init, &half(&[0; 32])]));
    add("a point and more", with(&[&init, &[&half(&[9; 32])[..], b"x"].concat()]));
    add("keys before a secret", with(&[&init, &[21]]));
    add("a wrong guess", with(&[&guess, &half(&[9; 31]), &[21]]));
    let gex = |numbers: [u32; 3]| [&[34][..], &numbers.map(u32::to_be_bytes).concat()].concat();
    let group = lists("diffie-hellman-group-exchange-sha256", "aes128-ctr");
    add("a group of nothing", with(&[&group, &gex([0, 0, 0])]));
    add("a group between nothing", with(&[&group, &gex([4096, 2048, 8192])]));
    add("a group that is too small", with(&[&group, &gex([1024, 1024, 1024])]));
    add("a group that is too large", with(&[&group, &gex([16_384, 16_384, 16_384])]));
    let fixed = lists("diffie-hellman-group14-sha256", "aes128-ctr");
    for (name, number) in
        [("zero", vec![0]), ("one", vec![1]), ("minus one", vec![255]), ("far too much", vec![1; 300])]
    {
        add(&format!("a half of {name}"), with(&[&fixed, &half(&number)]));
    }
    let curve = lists("ecdh-sha2-nistp256", "aes128-ctr");
    add("no point of the curve", with(&[&curve, &half(&[4; 65])]));
    add("the point at infinity", with(&[&curve, &half(&[0])]));
    all
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut padding = 8 - (payload.len() + 5) % 8;
    if padding < 4 {
        padding += 8;
    }
    let mut packet = u32::try_from(payload.len() + 1 + padding).unwrap().to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap());
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

fn string(to: &mut Vec<u8>, octets: &[u8]) {
    to.extend_from_slice(&u32::try_from(octets.len()).unwrap().to_be_bytes());
    to.extend_from_slice(octets);
}
