//! The clients and guessers of SSH, each with its command line: one login, and what the program says of it. Some are
//! libraries, which `attempt.py` calls.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use Method::{Key, Password, Questions};

/// How a client is to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
    Key,
    Questions,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Key => "publickey",
            Self::Questions => "keyboard-interactive",
        }
    }
}

/// One login.
pub(crate) struct Attempt<'a> {
    pub(crate) method: Method,
    pub(crate) port: u16,
    pub(crate) user: &'a [u8],
    pub(crate) secret: &'a [u8],
    pub(crate) keys: &'a Keys,
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
pub(crate) struct Said {
    pub(crate) inside: bool,
    pub(crate) words: String,
}

/// A client, and what it can do.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) methods: &'static [Method],
    /// A name and a secret with any octets; else they are UTF-8.
    pub(crate) raw: bool,
    pub(crate) run: fn(&Attempt<'_>) -> Said,
}

pub(crate) const CLIENTS: [Client; 9] = [
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

/// A key of a client, in the forms that clients read.
pub(crate) struct Keys {
    folder: PathBuf,
    /// Its kind and what `ssh-keygen -l` prints.
    pub(crate) fingerprint: String,
}

impl Keys {
    pub(crate) fn make() -> Self {
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

/// Runs a client: its words.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{command:?} is not installed: cargo xtask tools");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn hydra(attempt: &Attempt<'_>) -> Said {
    let mut command = program("hydra");
    command.args(["-I", "-t", "1", "-s", &attempt.port.to_string()]);
    command.arg("-l").arg(attempt.user()).arg("-p").arg(attempt.secret()).arg("ssh://127.0.0.1");
    let words = run(&mut command);
    Said { inside: words.contains("1 valid password"), words }
}

fn medusa(attempt: &Attempt<'_>) -> Said {
    let mut command = program("medusa");
    command.args(["-h", "127.0.0.1", "-M", "ssh", "-n", &attempt.port.to_string()]);
    let words = run(command.arg("-u").arg(attempt.user()).arg("-p").arg(attempt.secret()));
    Said { inside: words.contains("ACCOUNT FOUND"), words }
}

fn ncrack(attempt: &Attempt<'_>) -> Said {
    let mut command = program("ncrack");
    command.arg("--user").arg(attempt.user()).arg("--pass").arg(attempt.secret());
    let words = run(command.arg(format!("ssh://127.0.0.1:{}", attempt.port)));
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
    let words = run(command.args(["127.0.0.1", "exit"]));
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
    let words = run(command().args(["127.0.0.1", "exit"]));
    let Some(print) = words.split_whitespace().find(|word| word.starts_with("SHA256:")) else {
        return Said { inside: false, words };
    };
    let words = run(command().args(["-hostkey", print, "127.0.0.1", "exit"]));
    Said { inside: words.contains("Access granted"), words }
}

fn dbclient(attempt: &Attempt<'_>) -> Said {
    let mut command = program("dbclient");
    command.args(["-y", "-y", "-p", &attempt.port.to_string()]).arg("-l").arg(attempt.user());
    if attempt.method == Key {
        command.arg("-i").arg(attempt.keys.path("key.db"));
    }
    let words = run(command.env("DROPBEAR_PASSWORD", attempt.secret()).args(["127.0.0.1", "exit"]));
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
    let words = run(command.env("USER_HEX", hex(attempt.user)).env("SECRET_HEX", hex(attempt.secret)));
    // Before it, libraries may warn of each other.
    Said { inside: words.lines().any(|line| line == "in"), words }
}
