//! Every client of SSH and every guesser against every product: what was tried is known to the octet, and nobody is let
//! in but by a planted account. The ordinary run tries each client by each method on one product, the thorough one on all.
//! Pairs that come to nothing are named with their cause, and tried as well.

mod products;
mod server;

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use chaff_events::Detail;
use chaff_services::{Account, ServiceKind, ServiceSpec, SshSpec};
use server::Server;

/// Attempts at a time.
const WORKERS: usize = 4;
/// Whom the decoys let in.
const PLANTED: (&str, &str) = ("backup", "Winter 2019 ü");

/// How a client is to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Password,
    Key,
    Questions,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Key => "publickey",
            Self::Questions => "keyboard-interactive",
        }
    }
}

/// One login.
struct Attempt<'a> {
    method: Method,
    port: u16,
    user: &'a [u8],
    secret: &'a [u8],
    keys: &'a Keys,
}

impl<'a> Attempt<'a> {
    fn user(&self) -> &'a OsStr {
        OsStr::from_bytes(self.user)
    }

    fn secret(&self) -> &'a OsStr {
        OsStr::from_bytes(self.secret)
    }
}

/// What a client's program says of a login: whether it was let in, and its words.
struct Said {
    inside: bool,
    words: String,
}

/// A client, and what it can do.
struct Client {
    name: &'static str,
    methods: &'static [Method],
    /// A name and a secret with any octets; else they are UTF-8.
    raw: bool,
    run: fn(&Attempt<'_>) -> Said,
}

use Method::{Key, Password, Questions};
const CLIENTS: [Client; 9] = [
    Client { name: "hydra", methods: &[Password, Questions], raw: true, run: hydra },
    Client { name: "medusa", methods: &[Password, Questions], raw: true, run: medusa },
    Client { name: "ncrack", methods: &[Password], raw: true, run: ncrack },
    Client { name: "openssh", methods: &[Password, Key, Questions], raw: true, run: openssh },
    Client { name: "plink", methods: &[Password, Key, Questions], raw: true, run: plink },
    Client { name: "dbclient", methods: &[Password, Key, Questions], raw: true, run: dbclient },
    Client { name: "paramiko", methods: &[Password, Key, Questions], raw: true, run: paramiko },
    Client { name: "asyncssh", methods: &[Password, Key, Questions], raw: false, run: asyncssh },
    Client { name: "libssh", methods: &[Password, Key, Questions], raw: true, run: libssh },
];

#[test]
fn every_client_is_observed_and_kept_out() {
    let products = products();
    let mut cases = each_once(&products);
    // And once each that comes to nothing, with the first product that it concerns.
    let concerned = |is: &dyn Fn(&SshSpec) -> bool| products.iter().position(|(_, spec)| is(spec)).unwrap();
    for unable in &UNABLE {
        let client = CLIENTS.iter().find(|client| client.name == unable.client).unwrap();
        let is = |spec: &SshSpec| self::unable(client, spec).is_some_and(|first| first.says == unable.says);
        cases.push((client, client.methods[0], concerned(&is)));
    }
    for known in &KNOWN {
        let client = CLIENTS.iter().find(|client| client.name == known.client).unwrap();
        cases.push((client, known.method, concerned(&known.concerns)));
    }
    run_all(&products, &cases);
}

/// Each pair of client and method where it gets on, each product with some.
fn each_once(products: &[(String, SshSpec)]) -> Vec<Case> {
    let able = |(client, method): &(&Client, Method), spec: &SshSpec| {
        unable(client, spec).is_none() && known(client, *method, spec).is_none()
    };
    let mut left: Vec<_> = pairs().collect();
    let mut cases = Vec::new();
    for (place, (name, spec)) in products.iter().enumerate() {
        let next = left.iter().position(|pair| able(pair, spec)).map(|next| left.remove(next));
        let pair = next.or_else(|| pairs().find(|pair| able(pair, spec)));
        let (client, method) = pair.unwrap_or_else(|| panic!("no client gets on with {name}"));
        cases.push((client, method, place));
    }
    for pair in left {
        let place = products.iter().position(|(_, spec)| able(&pair, spec));
        let place = place.unwrap_or_else(|| panic!("{} gets on with no product", pair.0.name));
        cases.push((pair.0, pair.1, place));
    }
    cases
}

#[test]
#[ignore = "soak: minutes"]
fn soak_every_client_is_observed_and_kept_out_by_every_product() {
    let products = products();
    let all = (0..products.len()).flat_map(|product| pairs().map(move |(client, method)| (client, method, product)));
    run_all(&products, &all.collect::<Vec<_>>());
}

fn pairs() -> impl Iterator<Item = (&'static Client, Method)> {
    CLIENTS.iter().flat_map(|client| client.methods.iter().map(move |method| (client, *method)))
}

/// A client, a method, and the place of a product.
type Case = (&'static Client, Method, usize);

/// A client that comes to nothing at some products, as it does at the real ones.
struct Known {
    client: &'static str,
    method: Method,
    concerns: fn(&SshSpec) -> bool,
    /// Takes the cause away: with it the client gets on.
    cure: fn(&mut SshSpec),
}

/// What was looked at beside a real server: sshd of Debian 12 with the product's lists, and Dropbear 2022.83.
const KNOWN: [Known; 4] = [
    // Ncrack 0.7 has no group 1, and of the other groups of primes it never sends its half to the real sshd either.
    Known {
        client: "ncrack",
        method: Password,
        concerns: |spec| spec.kex.iter().all(|name| name.starts_with("diffie-hellman-")),
        cure: |spec| spec.kex.insert(0, "curve25519-sha256@libssh.org".into()),
    },
    // It passes over what comes in one segment with the version line, and then waits for it: at the real Dropbear, too.
    Known {
        client: "ncrack",
        method: Password,
        concerns: |spec| spec.kexinit_first,
        cure: |spec| spec.kexinit_first = false,
    },
    // Dbclient offers no key whose algorithm the server does not name. The real sshd names what it was built with.
    Known {
        client: "dbclient",
        method: Key,
        concerns: |spec| signatures(spec).is_some_and(|names| !names.contains("ssh-ed25519")),
        cure: |spec| spec.ext_info = vec![("server-sig-algs".into(), "ssh-ed25519".into())],
    },
    // Medusa 2.2 answers only the questions that it knows: "received an unknown SSH prompt".
    Known {
        client: "medusa",
        method: Questions,
        concerns: |spec| spec.prompts.iter().any(|prompt| prompt.contains("{user}")),
        cure: |spec| spec.prompts.clear(),
    },
];

/// The algorithms of signatures that the server says it knows.
fn signatures(spec: &SshSpec) -> Option<&str> {
    spec.ext_info.iter().find(|(name, _)| name == "server-sig-algs").map(|(_, names)| names.as_str())
}

/// A client that gets no further than the first packet at some products, and its own words for it: by default it has none
/// of the old algorithms that the product has alone.
struct Unable {
    client: &'static str,
    concerns: fn(&SshSpec) -> bool,
    says: &'static str,
}

/// The first that concerns a pair holds. What is said is looked at in each run: who gets on by now has no place here.
const UNABLE: [Unable; 9] = [
    // Three of Cisco.
    Unable { client: "hydra", concerns: has_sha1_kex_alone, says: "no match for method kex algos" },
    Unable { client: "libssh", concerns: has_sha1_kex_alone, says: "no match for method kex algos" },
    // RouterOS. The signatures of RSA with SHA-1; hydra is built on libssh.
    Unable { client: "hydra", concerns: has_ssh_rsa_alone, says: "no match for method server host key algo" },
    Unable { client: "libssh", concerns: has_ssh_rsa_alone, says: "no match for method server host key algo" },
    // Two of Cisco. Plink asks a person, whom it has not in batch mode.
    Unable {
        client: "plink",
        concerns: has_group1_alone,
        says: "Cannot confirm a weak crypto primitive in batch mode",
    },
    Unable { client: "dbclient", concerns: has_group1_alone, says: "No matching algo kex" },
    Unable { client: "asyncssh", concerns: has_group1_alone, says: "No matching key exchange algorithm found" },
    // And the third.
    Unable { client: "dbclient", concerns: has_cbc_alone, says: "No matching algo enc c->s" },
    Unable { client: "asyncssh", concerns: has_cbc_alone, says: "No matching encryption algorithm found" },
];

fn has_sha1_kex_alone(spec: &SshSpec) -> bool {
    spec.kex.iter().all(|name| name.starts_with("diffie-hellman-") && name.ends_with("-sha1"))
}

fn has_group1_alone(spec: &SshSpec) -> bool {
    spec.kex.iter().all(|name| name == "diffie-hellman-group1-sha1")
}

fn has_ssh_rsa_alone(spec: &SshSpec) -> bool {
    spec.host_key_algorithms.iter().all(|name| name == "ssh-rsa")
}

fn has_cbc_alone(spec: &SshSpec) -> bool {
    spec.ciphers.iter().all(|name| name.ends_with("-cbc"))
}

fn unable(client: &Client, spec: &SshSpec) -> Option<&'static Unable> {
    UNABLE.iter().find(|unable| unable.client == client.name && (unable.concerns)(spec))
}

fn known(client: &Client, method: Method, spec: &SshSpec) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.client == client.name && known.method == method && (known.concerns)(spec))
}

/// Tries a pair, which is as it should be or, where that is known, fails for the known cause alone.
fn try_pair(client: &Client, method: Method, spec: &SshSpec, keys: &Keys) -> Result<(), String> {
    if let Some(unable) = unable(client, spec) {
        return give_up(client, method, spec, keys, unable.says);
    }
    let Some(known) = known(client, method, spec) else { return try_one(client, method, spec, keys) };
    if try_one(client, method, spec, keys).is_ok() {
        return Err("gets on by now".into());
    }
    let mut cured = spec.clone();
    (known.cure)(&mut cured);
    try_one(client, method, &cured, keys).map_err(|what| format!("without the known cause: {what}"))
}

/// A login that the client gives up before it has begun, with these words; nothing is offered.
fn give_up(client: &Client, method: Method, spec: &SshSpec, keys: &Keys, says: &str) -> Result<(), String> {
    let (server, _) = serve(client, method, spec);
    let (user, secret) = (PLANTED.0.as_bytes(), PLANTED.1.as_bytes());
    let said = (client.run)(&Attempt { method, port: server.port, user, secret, keys });
    let offered = attempts(&server);
    if said.inside || !offered.is_empty() {
        return Err(format!("is able by now: {offered:?}\n{}", said.words));
    }
    said.words.contains(says).then_some(()).ok_or_else(|| format!("does not say {says}:\n{}", said.words))
}

fn run_all(products: &[(String, SshSpec)], cases: &[Case]) {
    let keys = Keys::make();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((client, method, product)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (name, spec) = &products[*product];
                    if let Err(what) = try_pair(client, *method, spec, &keys) {
                        wrong.lock().unwrap().push(format!("{} by {method:?} on {name}: {what}", client.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The product as it stands before a client, with the method as its administrator would allow it, and the planted account.
fn serve(client: &Client, method: Method, spec: &SshSpec) -> (Server, bool) {
    let mut spec = spec.clone();
    // An administrator's choice in every product; most ship without questions, some without passwords. Where there are
    // both, clients choose the questions.
    spec.auth_methods.retain(|offered| method == Questions || offered != Questions.name());
    if method == Questions || !spec.auth_methods.iter().any(|offered| offered == method.name()) {
        spec.auth_methods = vec!["publickey".into(), method.name().into()];
        spec.auth_methods.dedup();
    }
    // Dbclient does not ask whether its command was begun: where no shell is, it waits for ever. What products have
    // inside is for tests/ssh_inside.rs.
    spec.shell.get_or_insert_default();
    spec.console = None;
    // Paramiko reads no question that has such a name in it.
    let asked_by_name = client.name == "paramiko" && spec.prompts.iter().any(|prompt| prompt.contains("{user}"));
    let accounts = [Account { user: PLANTED.0.into(), password: PLANTED.1.into() }];
    let server = Server::with(ServiceSpec::new("under-test", ServiceKind::Ssh(Arc::new(spec))), &accounts);
    (server, client.raw && !asked_by_name)
}

/// A login in vain, and with a secret one with the planted account.
fn try_one(client: &Client, method: Method, spec: &SshSpec, keys: &Keys) -> Result<(), String> {
    let (server, raw) = serve(client, method, spec);
    let (user, secret): (&[u8], &[u8]) =
        if raw { (b"ann\xe9", b"p\xff;\xc3\xbc\x7f\\ '\"x") } else { ("anné".as_bytes(), "pü;\\ '\"x".as_bytes()) };
    let said = (client.run)(&Attempt { method, port: server.port, user, secret, keys });
    let expected = if method == Key { keys.fingerprint.as_bytes() } else { secret };
    let seen = attempts(&server);
    if said.inside || !seen.contains(&(method.name().into(), user.to_vec(), expected.to_vec(), false)) {
        return Err(format!("tried in vain: {seen:?}\n{}", said.words));
    }
    if method != Key {
        let (user, secret) = (PLANTED.0.as_bytes(), PLANTED.1.as_bytes());
        let said = (client.run)(&Attempt { method, port: server.port, user, secret, keys });
        if !said.inside || !attempts(&server).contains(&(method.name().into(), user.to_vec(), secret.to_vec(), true)) {
            return Err(format!("planted: {:?}\n{}", attempts(&server), said.words));
        }
    }
    let let_in = attempts(&server)
        .iter()
        .filter(|(.., accepted)| *accepted)
        .all(|(_, user, secret, _)| user == PLANTED.0.as_bytes() && secret == PLANTED.1.as_bytes());
    let_in.then_some(()).ok_or_else(|| format!("{:?}", attempts(&server)))
}

/// Kind, user, secret, whether it was accepted.
fn attempts(server: &Server) -> Vec<(String, Vec<u8>, Vec<u8>, bool)> {
    let facts = server.facts().into_iter().filter_map(|(_, _, detail)| match detail {
        Detail::Credential { username, secret_kind, secret, accepted, .. } => {
            Some((secret_kind.to_string(), username, secret, accepted))
        }
        _ => None,
    });
    facts.collect()
}

/// Every product that speaks SSH, as its newest revision, without the time that it takes to refuse.
fn products() -> Vec<(String, SshSpec)> {
    let quick = |spec| SshSpec { password_delay_ms: (5, 10), refusal_delay_ms: (1, 2), ..spec };
    let all: Vec<_> = products::products().into_iter().map(|(name, spec)| (name, quick(spec))).collect();
    assert!(all.len() >= 9, "{all:?}");
    all
}

/// A key of a client, in the forms that clients read.
struct Keys {
    folder: PathBuf,
    /// Its kind and what `ssh-keygen -l` prints.
    fingerprint: String,
}

impl Keys {
    fn make() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ssh-clients-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let make = |program: &str, words: &[&str]| {
            let output = Command::new(program).args(words).current_dir(&folder).output().unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        make("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
        make("puttygen", &["key", "-o", "key.ppk"]);
        make("dropbearconvert", &["openssh", "dropbear", "key", "key.db"]);
        let printed = make("ssh-keygen", &["-l", "-f", "key"]);
        fs::write(folder.join("askpass"), "#!/bin/sh\nprintf '%s\\n' \"$SECRET\"\n").unwrap();
        fs::set_permissions(folder.join("askpass"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let fingerprint = format!("ssh-ed25519 {}", printed.split(' ').nth(1).unwrap());
        Self { folder, fingerprint }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // What is left lies below target, where nobody minds it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A client's command line, bounded in time, without an agent and without input.
fn program(name: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", name]).stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
    command
}

/// Runs a client: its status and its words.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{command:?} is not installed: cargo xtask tools");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn hydra(attempt: &Attempt<'_>) -> Said {
    let mut command = program("hydra");
    command.args(["-I", "-t", "1", "-s", &attempt.port.to_string()]);
    command.arg("-l").arg(attempt.user()).arg("-p").arg(attempt.secret()).arg("ssh://127.0.0.1");
    let (_, words) = run(&mut command);
    Said { inside: words.contains("1 valid password"), words }
}

fn medusa(attempt: &Attempt<'_>) -> Said {
    let mut command = program("medusa");
    command.args(["-h", "127.0.0.1", "-M", "ssh", "-n", &attempt.port.to_string()]);
    let (_, words) = run(command.arg("-u").arg(attempt.user()).arg("-p").arg(attempt.secret()));
    Said { inside: words.contains("ACCOUNT FOUND"), words }
}

fn ncrack(attempt: &Attempt<'_>) -> Said {
    let mut command = program("ncrack");
    command.arg("--user").arg(attempt.user()).arg("--pass").arg(attempt.secret());
    let (_, words) = run(command.arg(format!("ssh://127.0.0.1:{}", attempt.port)));
    Said { inside: words.contains("Discovered credentials"), words }
}

fn openssh(attempt: &Attempt<'_>) -> Said {
    let mut command = program("ssh");
    command.args(["-v", "-F", "/dev/null", "-p", &attempt.port.to_string(), "-i", &attempt.keys.path("key")]);
    for option in [
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "NumberOfPasswordPrompts=1",
        // For the oldest products.
        "KexAlgorithms=+diffie-hellman-group1-sha1,diffie-hellman-group14-sha1",
        "HostKeyAlgorithms=+ssh-rsa",
        "Ciphers=+aes128-cbc",
        &format!("PreferredAuthentications={}", attempt.method.name()),
    ] {
        command.args(["-o", option]);
    }
    command.env("SSH_ASKPASS", attempt.keys.path("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
    command.env("SECRET", attempt.secret()).arg("-l").arg(attempt.user());
    let (_, words) = run(command.args(["127.0.0.1", "exit"]));
    Said { inside: words.contains("Authenticated to 127.0.0.1"), words }
}

fn plink(attempt: &Attempt<'_>) -> Said {
    let command = || {
        let mut command = program("plink");
        command.args(["-v", "-batch", "-ssh", "-P", &attempt.port.to_string()]).arg("-l").arg(attempt.user());
        if attempt.method == Key {
            command.arg("-i").arg(attempt.keys.path("key.ppk"));
        } else {
            command.arg("-pw").arg(attempt.secret());
        }
        command
    };
    // It knows no way to take any host key: the first run says which it is.
    let (_, words) = run(command().args(["127.0.0.1", "exit"]));
    let Some(print) = words.split_whitespace().find(|word| word.starts_with("SHA256:")) else {
        return Said { inside: false, words };
    };
    let (_, words) = run(command().args(["-hostkey", print, "127.0.0.1", "exit"]));
    Said { inside: words.contains("Access granted"), words }
}

fn dbclient(attempt: &Attempt<'_>) -> Said {
    let mut command = program("dbclient");
    command.args(["-y", "-y", "-p", &attempt.port.to_string()]).arg("-l").arg(attempt.user());
    if attempt.method == Key {
        command.arg("-i").arg(attempt.keys.path("key.db"));
    }
    let (_, words) = run(command.env("DROPBEAR_PASSWORD", attempt.secret()).args(["127.0.0.1", "exit"]));
    // It says how the server or it itself gave up; of a login, or of a session that is refused after it, it says less.
    let refused = [
        "No matching algo",
        "No auth methods could be used",
        "Disconnect received",
        "Remote closed the connection",
        "Error",
    ];
    Said { inside: !refused.iter().any(|text| words.contains(text)), words }
}

fn paramiko(attempt: &Attempt<'_>) -> Said {
    library("paramiko", attempt)
}

fn asyncssh(attempt: &Attempt<'_>) -> Said {
    library("asyncssh", attempt)
}

fn libssh(attempt: &Attempt<'_>) -> Said {
    library("libssh", attempt)
}

fn library(name: &str, attempt: &Attempt<'_>) -> Said {
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let mut command = program("/usr/bin/python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attempts/attempt.py"));
    command.args([name, attempt.method.name(), &attempt.port.to_string(), &attempt.keys.path("key")]);
    let (code, words) = run(command.env("USER_HEX", hex(attempt.user)).env("SECRET_HEX", hex(attempt.secret)));
    // What is no refusal is a fault, but for a key exchange that fails.
    let no_exchange = ["kex error", "KeyExchangeFailed"].iter().any(|sign| words.contains(sign));
    assert!(code == Some(0) || no_exchange, "{name}: {words}");
    // Before it, libraries may warn of each other.
    Said { inside: words.lines().any(|line| line == "in"), words }
}
