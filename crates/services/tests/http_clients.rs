//! Real clients and password guessers before our web pages, on the loopback address: what they type is taken exactly,
//! and nobody is let in but by a planted account. And curl, which prints of our servers what it prints of the real ones.

mod daemon;
mod real;
mod server;
mod table;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    process::{Command, Stdio},
    thread,
};

use chaff_events::Detail;
use chaff_services::{Account, AuthSpec, HttpPage, HttpSpec, Scheme, ServiceSpec};
use server::Server;

/// Names and passwords of a small list: spaces, separators, escapes, octets that are no UTF-8.
const USERS: [&[u8]; 3] = [b"admin", b"o'brien", b"j\xe9r\xf4me"];
const SECRETS: [&[u8]; 7] =
    [b"1234", b"a&b=c", b"100% +sure", b"semi;colon", b"\xff\xfe\x80", b"tab\there", b"quo\"te\\back"];
/// The one that is let in.
const PLANTED: (&str, &str) = ("backup", "Winter2019!");

/// Runs a client, which must be installed, for a minute at most.
fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new("timeout").args(["60", program]).args(words).output().unwrap();
    assert!(!matches!(output.status.code(), Some(124 | 127)), "{program} {words:?}: {output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Lists of names and passwords as files, and where they are.
struct Lists(tempfile::TempDir);

impl Lists {
    /// `secrets` for each name, and the planted account if it is wanted.
    fn new(users: &[&[u8]], secrets: &[&[u8]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, words) in [("users", users), ("secrets", secrets)] {
            fs::write(folder.path().join(name), words.join(&b'\n')).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// Every pair of a list.
fn pairs(users: &[&[u8]], secrets: &[&[u8]]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    users.iter().flat_map(|user| secrets.iter().map(|secret| (user.to_vec(), secret.to_vec()))).collect()
}

/// What was observed of one kind of secret.
fn observed(server: &Server, wanted: &str) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    let facts = server.facts();
    let of_kind = |detail: &Detail| match detail {
        Detail::Credential { username, secret_kind, secret, .. } if secret_kind == wanted => {
            Some((username.clone(), secret.clone()))
        }
        _ => None,
    };
    facts.iter().filter_map(|(_, _, detail)| of_kind(detail)).collect()
}

fn shown(pairs: &BTreeSet<(Vec<u8>, Vec<u8>)>) -> Vec<String> {
    pairs.iter().map(|(user, secret)| format!("{}/{}", user.escape_ascii(), secret.escape_ascii())).collect()
}

fn accounts() -> [Account; 1] {
    [Account { user: PLANTED.0.into(), password: PLANTED.1.into() }]
}

fn of_catalogue(name: &str) -> Server {
    let mut spec = table::product(name);
    // Delays are the product's own; here they would only be waited for.
    if let Some(form) = &mut spec.form {
        (form.delay_ms, form.jitter_ms) = (5, 0);
    }
    for page in &mut spec.pages {
        if let Some(login) = &mut page.login {
            (login.delay_ms, login.jitter_ms) = (5, 0);
        }
    }
    Server::with(ServiceSpec::new(name, table::kind(spec)), &accounts())
}

fn behind(schemes: Vec<Scheme>) -> Server {
    let login = AuthSpec { schemes, realm: "Files".into(), domain: "CORP".into(), ..AuthSpec::default() };
    let page = HttpPage { path: "/".into(), body: "inside\n".into(), login: Some(login), ..HttpPage::default() };
    let spec = HttpSpec { server: "nginx".into(), pages: vec![page], ..HttpSpec::default() };
    Server::with(ServiceSpec::new("behind", table::kind(spec)), &accounts())
}

#[test]
fn guessers_of_basic_are_taken_at_their_word() {
    let lists = Lists::new(&USERS, &SECRETS);
    let [users, secrets] = ["users", "secrets"].map(|name| lists.path(name));
    let expected = pairs(&USERS, &SECRETS);
    let hydra = |port: &str| {
        run("hydra", &["-I", "-t", "8", "-L", &users, "-P", &secrets, "-s", port, "127.0.0.1", "http-get", "/"])
    };
    let medusa = |port: &str| {
        let words =
            ["-h", "127.0.0.1", "-n", port, "-U", &users, "-P", &secrets, "-M", "http", "-m", "DIR:/", "-t", "4"];
        run("medusa", &words)
    };
    for (tool, guess, refused) in
        [("hydra", &hydra as &dyn Fn(&str) -> String, "0 valid password"), ("medusa", &medusa, "ACCOUNT CHECK")]
    {
        let server = of_catalogue("cisco-ios-http");
        let said = guess(&server.port.to_string());
        assert!(said.contains(refused) && !said.contains("ACCOUNT FOUND"), "{tool}: {said}");
        assert_eq!(shown(&observed(&server, "password")), shown(&expected), "{tool}: {said}");
    }
    // ncrack counts in whole words of its lists; what it makes of other octets is not the point here.
    let server = of_catalogue("cisco-ios-http");
    let target = format!("http://127.0.0.1:{}", server.port);
    let said = run("ncrack", &["--user", "admin,cisco", "--pass", "1234,a=b", &target]);
    assert!(!said.contains("Discovered credentials"), "{said}");
    assert_eq!(
        shown(&observed(&server, "password")),
        shown(&pairs(&[b"admin", b"cisco"], &[b"1234", b"a=b"])),
        "{said}"
    );
}

#[test]
fn guessers_of_forms_are_taken_at_their_word() {
    // Not Signal K's, whose refusal is a 401: hydra takes that for a login of HTTP itself, and gives up.
    for (name, form) in [
        ("nas-web", "/api/v1/session:account=^USER^&passwd=^PASS^:F=false"),
        ("camera-web", "/web/cgi-bin/webauth.cgi:usr=^USER^&usrpw=^PASS^:F=why=1"),
        ("router-web", "/cgi-bin/gui/sysauth:gui_username=^USER^&gui_password=^PASS^:F=Invalid username"),
        ("printer-web", "/Admin/SignIn.cgi:AdminName=^USER^&AdminPin=^PASS^:F=not recognized"),
        ("management-controller-web", "/rest/session:login_name=^USER^&login_secret=^PASS^:F=Denied"),
    ] {
        let lists = Lists::new(&USERS, &SECRETS);
        let [users, secrets] = ["users", "secrets"].map(|name| lists.path(name));
        let server = of_catalogue(name);
        let port = server.port.to_string();
        let words = ["-I", "-t", "8", "-L", &users, "-P", &secrets, "-s", &port, "127.0.0.1", "http-post-form", form];
        let said = run("hydra", &words);
        assert!(said.contains("0 valid password"), "{name}: {said}");
        assert_eq!(shown(&observed(&server, "password")), shown(&pairs(&USERS, &SECRETS)), "{name}: {said}");
    }
}

#[test]
fn the_planted_account_is_found_and_no_other() {
    let lists = Lists::new(&[b"root", PLANTED.0.as_bytes()], &[b"toor", PLANTED.1.as_bytes(), b"Winter2020!"]);
    let [users, secrets] = ["users", "secrets"].map(|name| lists.path(name));
    for (name, way, what) in [
        ("cisco-ios-http", "http-get", "/"),
        ("nas-web", "http-post-form", "/api/v1/session:account=^USER^&passwd=^PASS^:F=false"),
    ] {
        let server = of_catalogue(name);
        let port = server.port.to_string();
        let said = run("hydra", &["-I", "-L", &users, "-P", &secrets, "-s", &port, "127.0.0.1", way, what]);
        let found: Vec<_> = said.lines().filter(|line| line.contains("login: ")).collect();
        assert!(found.len() == 1 && found[0].contains("login: backup   password: Winter2019!"), "{name}: {said}");
    }
}

#[test]
fn curl_logs_in_by_every_scheme_and_only_with_the_planted_account() {
    let ask = |server: &Server, way: &str, login: &str| {
        let url = format!("http://127.0.0.1:{}/", server.port);
        run("curl", &["-s", "-o", "/dev/null", "-w", "%{http_code}", way, "-u", login, &url])
    };
    let planted = format!("{}:{}", PLANTED.0, PLANTED.1);
    for (scheme, way) in [(Scheme::Basic, "--basic"), (Scheme::Digest, "--digest")] {
        let server = behind(vec![scheme]);
        assert_eq!(ask(&server, way, "backup:winter"), "401", "{scheme:?}");
        assert_eq!(ask(&server, way, &planted), "200", "{scheme:?}");
    }
    // What Digest sends is kept so that it can be tried: here, with the password.
    let server = behind(vec![Scheme::Digest]);
    assert_eq!(ask(&server, "--digest", "anna:gh:ost"), "401");
    let taken = observed(&server, "digest");
    let (user, secret) = taken.first().unwrap();
    let text = String::from_utf8(secret.clone()).unwrap();
    let fields: Vec<_> = text.split('$').collect();
    let [_, _, response, name, realm, method, uri, nonce, nc, cnonce, qop] = fields[..] else { panic!("{text}") };
    let md5 = |text: String| digest(&["-md5"], text.as_bytes());
    let first = md5(format!("{name}:{realm}:gh:ost"));
    let second = md5(format!("{method}:{uri}"));
    assert_eq!((user.as_slice(), name), (b"anna".as_slice(), "anna"));
    assert_eq!(response, md5(format!("{first}:{nonce}:{nc}:{cnonce}:{qop}:{second}")));
    // NTLM is offered, taken, and lets in nobody.
    let server = behind(vec![Scheme::Ntlm]);
    assert_eq!(ask(&server, "--ntlm", "CORP\\anna:ghost"), "401");
    let taken = observed(&server, "ntlmv2");
    let (user, secret) = taken.first().unwrap();
    let text = String::from_utf8(secret.clone()).unwrap();
    assert!(user.as_slice() == b"CORP\\anna" || user.as_slice() == b"anna", "{user:?}");
    let fields: Vec<_> = text.split(':').collect();
    let [name, _, domain, challenge, proof, blob] = fields[..] else { panic!("{text}") };
    assert_eq!((name, domain, challenge.len(), proof.len()), ("anna", "CORP", 16, 32), "{text}");
    assert_eq!(ntlmv2_proof("anna", "ghost", domain, &format!("{challenge}{blob}")), proof);
}

/// [MS-NLMP] §3.3.2, by OpenSSL: the proof that the secret must have if the password is this one.
fn ntlmv2_proof(user: &str, password: &str, domain: &str, message: &str) -> String {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let hmac =
        |key: &str, octets: &[u8]| digest(&["-md5", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}")], octets);
    let hash = digest(&["-md4", "-provider", "legacy", "-provider", "default"], &wide(password));
    let key = hmac(&hash, &wide(&format!("{}{domain}", user.to_uppercase())));
    let (pairs, _) = message.as_bytes().as_chunks::<2>();
    let octet = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hmac(&key, &pairs.iter().map(octet).collect::<Vec<u8>>())
}

/// What `openssl dgst` makes of `octets`, in hexadecimal.
fn digest(words: &[&str], octets: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.arg("dgst").args(words).arg("-r").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("openssl runs");
    child.stdin.take().unwrap().write_all(octets).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl dgst {words:?}");
    String::from_utf8_lossy(&output.stdout)[..32].to_owned()
}

/// Starts a real server with a page.
type Start = fn(&str) -> daemon::Daemon;

/// Our web servers, and how the real ones are started.
const SERVERS: [(&str, Start); 3] = [
    ("nginx-1.22.1-debian12", real::nginx),
    ("apache-2.4.71-debian12", real::apache),
    ("lighttpd-1.4.69-debian12", real::lighttpd),
];

/// One of them, ours and the real one, with the same page.
fn beside(name: &str, real: Start) -> (Server, daemon::Daemon) {
    let page = table::set_up(name, 80).pages[0].body.clone();
    let real = real(&page);
    (Server::with(ServiceSpec::new(name, table::kind(table::set_up(name, real.port))), &[]), real)
}

#[test]
fn nmap_prints_of_our_servers_what_it_prints_of_the_real_ones() {
    thread::scope(|scope| {
        for (name, start) in SERVERS {
            scope.spawn(move || {
                let (ours, real) = beside(name, start);
                let (own, other) = thread::scope(|scope| {
                    let own = scope.spawn(|| nmap(ours.port));
                    (nmap(real.port), own.join().unwrap())
                });
                let product =
                    if name.starts_with("apache") { "Apache httpd " } else { name.split_once('-').unwrap().0 };
                let found = other.iter().find_map(|line| line.strip_prefix("PORT/tcp open ")).unwrap();
                let said = found.trim_start().strip_prefix("http ").map(str::trim_start);
                assert!(said.is_some_and(|said| said.starts_with(product)), "{name}: {found}");
                assert_eq!(own, other, "{name}");
            });
        }
    });
}

/// What nmap's version detection and its scripts about HTTP print: those that run by default, and those that look closer
/// without guessing names. Without the port, line by line: which script is printed first is chance.
fn nmap(port: u16) -> Vec<String> {
    let port = port.to_string();
    let scripts = "(default or http-headers or http-trace or http-enum or http-apache-negotiation or http-comments-displayer \
                   or http-errors or http-vhosts or http-mobileversion-checker) and http-*";
    let words = ["-n", "-Pn", "-sV", "--version-all", "-p", &port, "--script", scripts, "127.0.0.1"];
    let said = run("nmap", &words);
    let lines = said.lines().skip_while(|line| !line.starts_with("PORT")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("Service detection"));
    let mut lines: Vec<_> = lines
        .filter(|line| !["Date: ", "ETag: "].iter().any(|moment| line.contains(moment)))
        .map(|line| sorted_allow(&line.replace(&port, "PORT").replace("|_", "| ")))
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn curl_prints_of_our_servers_what_it_prints_of_the_real_ones() {
    for (name, start) in SERVERS {
        let (ours, real) = beside(name, start);
        let version = |port: u16| curl(port, &["-I", "/"]).lines().find_map(version_of).unwrap();
        let (own, other) = (version(ours.port), version(real.port));
        for words in [
            &["/"][..],
            &["-I", "/"],
            &["-0", "/"],
            &["/none"],
            &["-r", "0-99", "/"],
            &["-r", "-20", "/"],
            &["-r", "5-9,20-30", "/assets/site.css"],
            &["-r", "999999-", "/"],
            &["-C", "100", "/"],
            &["-z", "Tue, 14 Nov 2023 22:13:20 GMT", "/"],
            &["-z", "Tue, 14 Nov 2000 22:13:20 GMT", "/"],
            &["-X", "OPTIONS", "/"],
            &["-X", "TRACE", "/"],
            &["-X", "PROPFIND", "/"],
            &["-X", "DELETE", "/none"],
            &["-d", "a=b", "/"],
            &["-d", "a=b", "/assets/site.css"],
            &["-T", "/etc/hostname", "/up"],
            &["-u", "anna:ghost", "/"],
            &["--path-as-is", "/../../etc/passwd"],
            &["-H", "Host:", "/"],
            &["-H", "Host: a b", "/"],
            // Both name the port of the real one.
            &["/assets"],
            &["-H", "Expect: 100-continue", "-d", "a=b", "/"],
            &["-H", "Connection: close", "/"],
            &["/", "/none", "/assets/site.css"],
        ] {
            let (own_said, other_said) = (curl(ours.port, words), curl(real.port, words));
            let own_said = own_said.replace(&real.port.to_string(), "{port}");
            let other_said = other_said.replace(&other, &own);
            // The order of methods in Apache's `Allow` is another with every start.
            let [own_said, other_said] = [own_said, other_said].map(|said| sorted_allow(&said));
            let differ = own_said.lines().zip(other_said.lines()).find(|(own, other)| own != other);
            assert!(own_said == other_said, "{name}: curl {words:?}: {differ:?}");
        }
        assert!(ours.facts().len() > 26);
    }
}

/// The methods of `Allow`, as they were said or as nmap prints them, in the order of the alphabet.
fn sorted_allow(said: &str) -> String {
    let sorted = |before: &str, label: &str, methods: &str, between: &str| {
        let mut words: Vec<_> = methods.split(between).collect();
        words.sort_unstable();
        format!("{before}{label}{}\n", words.join(between))
    };
    let line = |line: &str| {
        let labels = [("Allow: ", ","), ("Supported Methods: ", " ")];
        let found = labels.iter().find_map(|(label, between)| Some((line.split_once(label)?, *label, *between)));
        match found {
            Some(((before, methods), label, between)) => sorted(before, label, methods, between),
            None => format!("{line}\n"),
        }
    };
    said.lines().map(line).collect()
}

fn version_of(line: &str) -> Option<String> {
    line.strip_prefix("< Server: ").map(String::from)
}

/// What `curl -v` prints, head and body, without ports and moments.
fn curl(port: u16, words: &[&str]) -> String {
    let urls: Vec<String> = words
        .iter()
        .map(|word| {
            if word.starts_with('/') && *word != "/etc/hostname" {
                format!("http://127.0.0.1:{port}{word}")
            } else {
                (*word).into()
            }
        })
        .collect();
    let mut all = vec!["-sv", "--max-time", "20"];
    all.extend(urls.iter().map(String::as_str));
    let said = run("curl", &all);
    let mut boundary: Option<String> = None;
    // Moments, addresses in memory, and how many octets came at a time.
    let other = ["< Date: ", "< ETag: ", "Date: ", "ETag: ", "* Found bundle", "{ [", "} ["];
    let kept = said.lines().filter(|line| !other.iter().any(|start| line.starts_with(start)));
    let lines = kept.map(|line| {
        if let Some((_, name)) = line.split_once("boundary=") {
            boundary = Some(name.trim().into());
        }
        let line = line.replace(&port.to_string(), "{port}");
        boundary.as_ref().map_or_else(|| line.clone(), |name| line.replace(name.as_str(), "{boundary}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}
