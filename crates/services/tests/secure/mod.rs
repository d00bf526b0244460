//! Ours behind TLS, and the real servers that it claims to be, on the loopback address.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use chaff_services::{HttpPage, HttpSpec, ServiceKind, ServiceSpec, TlsSpec};

use super::{
    daemon::{Daemon, make_certificate, make_ecdsa_certificate, nginx_alone, packaged},
    hellos::{self, Said, answer},
    server::Server,
};

pub(crate) const APACHE: &str = include_str!("../../../../profiles/tls/openssl-3.0-apache.toml");
pub(crate) const LIGHTTPD: &str = include_str!("../../../../profiles/tls/openssl-3.0-lighttpd.toml");
pub(crate) const NGINX: &str = include_str!("../../../../profiles/tls/openssl-3.0-nginx.toml");
pub(crate) const NGINX_OLD: &str = include_str!("../../../../profiles/tls/openssl-1.1-nginx.toml");
pub(crate) const OPENSSL: &str = include_str!("../../../../profiles/tls/openssl-3.0.toml");
const ECDSA: &str = include_str!("../../../../profiles/services/nginx-1.22.1-debian12-ecdsa.toml");

/// The same library with a certificate of ECDSA, with a key as the profiles name it.
pub(crate) fn with_ecdsa(spec: &str, key: &str) -> String {
    let [mut spec, ecdsa]: [toml::Table; 2] = [spec, ECDSA].map(|text| toml::from_str(text).unwrap());
    let mut certificate = ecdsa["tls"]["certificate"].clone();
    certificate["key"] = key.into();
    spec.insert("certificate".into(), certificate);
    spec.to_string()
}

pub(crate) fn https(spec: &str) -> Server {
    let page = HttpPage { path: "/".into(), body: "<h1>{hostname}</h1>\n".repeat(2000), ..HttpPage::default() };
    let http = HttpSpec { server: "nginx/1.22.1".into(), pages: vec![page], ..HttpSpec::default() };
    behind("https", toml::from_str(spec).unwrap(), ServiceKind::Http(Arc::new(http)))
}

/// A service behind TLS, once the decoy's key is found, for which the first client has to wait.
pub(crate) fn behind(name: &str, tls: TlsSpec, kind: ServiceKind) -> Server {
    let server = Server::with(ServiceSpec { tls: Some(Arc::new(tls)), ..ServiceSpec::new(name, kind) }, &[]);
    let said = Said { pieces: vec![hellos::new().record()], ends: false };
    let ready = (0..20).any(|_| answer(server.port, &said).len() > 1);
    assert!(ready, "no key was found");
    server
}

pub(crate) fn run(program: &str, words: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The real nginx, with the lines of Debian's nginx.conf that TLS depends on.
pub(crate) fn nginx() -> Daemon {
    nginx_from(&installed, make_certificate)
}

/// The same with a certificate of ECDSA, with a key in `curve`.
pub(crate) fn nginx_ecdsa(curve: &str) -> Daemon {
    nginx_from(&installed, |openssl, folder| make_ecdsa_certificate(openssl, folder, curve))
}

fn installed(program: &str) -> Command {
    Command::new(if program == "openssl" { "openssl".into() } else { packaged(program) })
}

/// The nginx of Debian 11, with its OpenSSL 1.1.1, from the tree that `cargo xtask soak` unpacks.
pub(crate) fn nginx_old() -> Daemon {
    let old = |program: &str| {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/goldens/bullseye-tls/tree");
        let libraries = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|folder| tree.join(folder));
        // By its own loader, so that it finds its own C library.
        let mut command = Command::new(tree.join("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
        command.env("OPENSSL_CONF", tree.join("etc/ssl/openssl.cnf"));
        command.arg("--library-path").arg(std::env::join_paths(libraries).unwrap());
        command.arg(tree.join(if program == "openssl" { "usr/bin/openssl" } else { program }));
        command
    };
    nginx_from(&old, make_certificate)
}

fn nginx_from(program: &dyn Fn(&str) -> Command, make: impl FnOnce(Command, &Path)) -> Daemon {
    Daemon::start(|folder, port| {
        let path = folder.display();
        make(program("openssl"), folder);
        let text = format!(
            "{} ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n\
             ssl_prefer_server_ciphers on;\nserver {{ listen 127.0.0.1:{port} ssl; root {path};\n\
             ssl_certificate {path}/cert; ssl_certificate_key {path}/key; }} }}\n",
            nginx_alone(folder)
        );
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = program("usr/sbin/nginx");
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("conf"));
        command
    })
}

/// The real Apache, with Debian's ssl.conf.
pub(crate) fn apache() -> Daemon {
    Daemon::start(|folder, port| {
        make_certificate(Command::new("openssl"), folder);
        let modules: String = ["mpm_event", "authz_core", "mime", "reqtimeout", "socache_shmcb", "ssl"]
            .iter()
            .map(|name| {
                let file = packaged(&format!("usr/lib/apache2/modules/mod_{name}.so"));
                format!("LoadModule {name}_module {}\n", file.display())
            })
            .collect();
        let path = folder.display();
        let text = format!(
            "ServerRoot {path}\nDefaultRuntimeDir {path}\nPidFile {path}/pid\nMutex file:{path} default\n\
             Timeout 300\nErrorLog {path}/log\nUser www-data\nGroup www-data\n{modules}TypesConfig {path}/types\n\
             RequestReadTimeout header=20-40,minrate=500\nServerTokens OS\nServerSignature On\nTraceEnable Off\n\
             SSLSessionCache shmcb:{path}/cache(512000)\nSSLSessionCacheTimeout 300\nSSLCipherSuite HIGH:!aNULL\n\
             SSLProtocol all -SSLv3\nSSLSessionTickets off\nListen 127.0.0.1:{port}\n<VirtualHost *:{port}>\n\
             ServerName nav-1\nDocumentRoot {path}\nSSLEngine on\nSSLCertificateFile {path}/cert\nSSLCertificateKeyFile {path}/key\n\
             </VirtualHost>\n"
        );
        fs::write(folder.join("types"), "text/html html\n").unwrap();
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/apache2"));
        command.arg("-f").arg(folder.join("conf")).arg("-DFOREGROUND");
        command
    })
}

/// The real lighttpd, with Debian's 10-ssl.conf.
pub(crate) fn lighttpd() -> Daemon {
    Daemon::start(|folder, port| {
        make_certificate(Command::new("openssl"), folder);
        let path = folder.display();
        let text = format!(
            "server.modules = ( \"mod_openssl\", \"mod_staticfile\" )\nserver.document-root = \"{path}\"\n\
             server.port = {port}\nserver.bind = \"127.0.0.1\"\nserver.errorlog = \"{path}/log\"\n\
             ssl.engine = \"enable\"\nssl.pemfile = \"{path}/cert\"\nssl.privkey = \"{path}/key\"\n"
        );
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/lighttpd"));
        command.arg("-D").arg("-f").arg(folder.join("conf")).arg("-m").arg(packaged("usr/lib/lighttpd"));
        command
    })
}

pub(crate) fn openssl() -> Daemon {
    Daemon::start(|folder, port| {
        make_certificate(Command::new("openssl"), folder);
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
        command.arg(folder.join("cert")).arg("-key").arg(folder.join("key"));
        command
    })
}

/// Holds what `openssl s_client` prints of three handshakes with ours against what it prints of the real server's: a new
/// one, one with its ticket, one with the next ticket and another name. Each case is a version and more options. Where
/// the server keeps sessions, they go on without a ticket as well. Octets are not `counted` where signatures have no
/// length of their own.
pub(crate) fn same_sessions(ours: u16, real: u16, keeps: bool, counted: bool, cases: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let print = |port: u16, case: usize, options: &str| {
        let session = folder.path().join(format!("{port}-{case}"));
        let session = session.display();
        let ask = |server: &str, file: &str| {
            // Tickets of TLS 1.3 come after the handshake: the client stays for them.
            let client = format!("openssl s_client -connect 127.0.0.1:{port} {options}");
            let script = format!("sleep 2 | timeout 20 {client} -servername {server} {file}");
            let said = negotiation(&run("sh", &["-c", &script]).1);
            let counts = |line: &&str| !counted && line.starts_with("SSL handshake has read");
            said.lines().filter(|line| !counts(line)).map(|line| format!("{line}\n")).collect::<String>()
        };
        let first = ask("nav-1", &format!("-sess_out {session}"));
        let again = ask("nav-1", &format!("-sess_in {session} -sess_out {session}"));
        let third = ask("other", &format!("-sess_in {session}"));
        format!("{first}\n== again\n{again}\n== with another name\n{third}")
    };
    thread::scope(|scope| {
        for (count, (version, more)) in cases.iter().enumerate() {
            let print = &print;
            scope.spawn(move || {
                let options = format!("{version} {more}");
                let [own, other] = [ours, real].map(|port| print(port, count, &options));
                assert_eq!(own, other, "{options}");
                let reused = own.matches("Reused, ").count();
                assert_eq!(reused, if more.contains("-no_ticket") && !keeps { 0 } else { 2 }, "{options}: {own}");
            });
        }
    });
}

/// What `openssl s_client` prints of a handshake, without what is chance or time.
fn negotiation(said: &str) -> String {
    let own = ["Session-ID: ", "Master-Key", "Resumption PSK", "Start Time", "a:", "v:", "s:", "i:", "NotBefore"];
    let is_dump = |line: &str| line.get(4..7) == Some(" - ") || line.len() == 64;
    let kept =
        said.lines().map(str::trim).filter(|line| !own.iter().any(|start| line.starts_with(start)) && !is_dump(line));
    // The certificate itself is of another key.
    let (mut inside, mut lines) = (false, Vec::new());
    for line in kept {
        inside |= line.contains("BEGIN CERTIFICATE");
        if !inside {
            lines.push(line);
        }
        inside &= !line.contains("END CERTIFICATE");
    }
    lines.join("\n")
}

/// What nmap's scripts about TLS say, line by line, without what is a certificate's own.
pub(crate) fn scanned(port: u16) -> Vec<String> {
    let scripts = "ssl-cert,ssl-enum-ciphers,tls-alpn";
    let (done, said) = run("nmap", &["-n", "-Pn", "-p", &port.to_string(), "--script", scripts, "127.0.0.1"]);
    assert!(done, "{said}");
    let own = ["Not valid", "MD5", "SHA-1", "least strength"];
    let keep = |line: &&str| line.starts_with('|') && !own.iter().any(|word| line.contains(word));
    // Scripts run side by side, and whichever ends first is printed first.
    let mut lines: Vec<_> = said.lines().filter(keep).map(|line| line.trim_start_matches(['|', '_', ' '])).collect();
    lines.sort_unstable();
    lines.into_iter().map(String::from).collect()
}

/// The ten hellos of JARM, and the hash of what they bring.
pub(crate) fn jarm(port: u16) -> String {
    rust_jarm::Jarm::new("127.0.0.1".into(), port.to_string()).hash().unwrap()
}
