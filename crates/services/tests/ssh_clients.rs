//! Every client of SSH and every guesser against every product: what was tried is known to the octet, and nobody is let
//! in but by a planted account. The ordinary run tries each client by each method on one product, the thorough one on all.
//! Pairs that come to nothing are named with their cause, and tried as well.

mod attempts;
mod products;
mod server;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use attempts::{
    Attempt, CLIENTS, Client, Keys,
    Method::{self, Key, Password, Questions},
};
use chaff_events::Detail;
use chaff_services::{Account, ServiceKind, ServiceSpec, SshSpec};
use server::Server;

/// Attempts at a time.
const WORKERS: usize = 4;
/// How often a client may be asked for its words.
const TRIES: usize = 12;
/// Whom the decoys let in.
const PLANTED: (&str, &str) = ("backup", "Winter 2019 ü");

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

/// A login that the client gives up before it has begun, with these words; nothing is offered. The server finds as well
/// that they have nothing in common, and where it closes first, the client may say only that.
fn give_up(client: &Client, method: Method, spec: &SshSpec, keys: &Keys, says: &str) -> Result<(), String> {
    let (user, secret) = (PLANTED.0.as_bytes(), PLANTED.1.as_bytes());
    let mut words = String::new();
    for _ in 0..TRIES {
        let (server, _) = serve(client, method, spec);
        let said = (client.run)(&Attempt { method, port: server.port, user, secret, keys });
        let offered = attempts(&server);
        if said.inside || !offered.is_empty() {
            return Err(format!("is able by now: {offered:?}\n{}", said.words));
        }
        if said.words.contains(says) {
            return Ok(());
        }
        words = said.words;
    }
    Err(format!("does not say {says}:\n{words}"))
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
