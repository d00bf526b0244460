use alloc::{string::String, sync::Arc, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{ScriptSpec, SshSpec, TlsSpec, http::spec::HttpSpec};

/// A service as one particular server speaks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name: `openssh-9.2-debian12`.
    pub name: String,
    /// What it does.
    pub kind: ServiceKind,
    /// The TLS that it is wrapped in, if any.
    #[serde(default)]
    pub tls: Option<Arc<TlsSpec>>,
}

impl ServiceSpec {
    /// A service in clear.
    pub fn new(name: impl Into<String>, kind: ServiceKind) -> Self {
        Self { name: name.into(), kind, tls: None }
    }

    /// Seconds for which the server has its system hold a client back that says nothing; 0: it does not.
    #[must_use]
    pub fn deferred_s(&self) -> u32 {
        match &self.kind {
            ServiceKind::Http(http) => http.keeping.deferred_s,
            _ => 0,
        }
    }

    /// Whether a conversation shows what is around its decoy, so that it is worth gathering.
    #[must_use]
    pub fn shows_surroundings(&self) -> bool {
        matches!(&self.kind, ServiceKind::Ssh(ssh) if ssh.shell.is_some() || ssh.console.is_some())
    }
}

/// The protocols. A conversation outlives the call that opened it and there may be many on one specification, so each
/// is shared, not copied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// RFC 862.
    Echo,
    /// RFC 863.
    Discard,
    /// Says something, answers by rules.
    Banner(Arc<BannerSpec>),
    /// HTTP/1.x, pages as data.
    Http(Arc<HttpSpec>),
    /// Sentences at an interval, to whoever connects (NMEA 0183 over TCP).
    Feed(Arc<FeedSpec>),
    /// States and rules of the user's own.
    Script(Arc<ScriptSpec>),
    /// SSH.
    Ssh(Arc<SshSpec>),
}

impl ServiceKind {
    /// Whether a planted account gets in anywhere.
    #[must_use]
    pub fn takes_accounts(&self) -> bool {
        match self {
            Self::Ssh(ssh) => ssh.auth_methods.iter().any(|method| method != "publickey"),
            Self::Http(http) => http.form.is_some() || http.pages.iter().any(|page| page.login.is_some()),
            Self::Script(script) => {
                script.states.iter().flat_map(|state| &state.rules).any(|rule| rule.admitted.is_some())
            }
            Self::Echo | Self::Discard | Self::Banner(_) | Self::Feed(_) => false,
        }
    }
}

/// A server that greets and then answers what it knows. Text may hold `{hostname}`, `{ip}`, `{mac}`, `{serial}` and,
/// as escapes, `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN`.
///
/// A request is a line, unless `binary` says otherwise. `USER x` and `PASS y` on lines of their own are taken for
/// credentials whatever the rules answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BannerSpec {
    /// Sent when the connection opens; empty: the client speaks first.
    pub greeting: String,
    /// Milliseconds until the greeting is sent.
    pub greeting_delay_ms: u32,
    /// The first rule whose `starts` fits answers.
    pub rules: Vec<MatchRule>,
    /// What is sent when no rule fits; empty: nothing.
    pub otherwise: String,
    /// Whether the connection is closed after `otherwise`.
    pub otherwise_closes: bool,
    /// Requests are not lines: whatever comes in one piece is one request.
    pub binary: bool,
    /// Asks for a name and a password after the greeting, and refuses every one. Rules are not used then.
    pub login: Option<LoginSpec>,
    /// How long a silent client is kept, in seconds; 0: for ever (the engine's own limit still holds).
    pub idle_timeout_s: u32,
}

/// One rule of a [`BannerSpec`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MatchRule {
    /// The request begins with this, ASCII letters in either case. If it holds an octet that is not printable, it is
    /// held against what comes as it comes, not against lines.
    pub starts: String,
    /// The answer.
    pub answer: String,
    /// Whether the connection is closed after it.
    pub closes: bool,
}

/// A telnet-like login that nobody passes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LoginSpec {
    /// Asks for the name: `{hostname} login: `; empty: only a password is asked for.
    pub prompt: String,
    /// Asks for the password.
    pub password_prompt: String,
    /// Sent after a refused password, before the next prompt.
    pub failure: String,
    /// Milliseconds between the password and the refusal.
    pub failure_delay_ms: u32,
    /// Refusals until the connection is closed; 0: 3.
    pub attempts: u8,
    /// The server echoes the name (it said `WILL ECHO` in its greeting), but not the password.
    pub echoes: bool,
}

/// A server that talks at an interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FeedSpec {
    /// Milliseconds between two rounds; 1000 if left out.
    pub interval_ms: u32,
    /// Sentences of one round, without `$` and checksum. `{lat}` (`5427.1234,N`), `{lon}` (`01012.0456,E`), `{speed}`
    /// (knots), `{course}` (degrees), `{depth}` (metres), `{wind_angle}` (degrees), `{wind_speed}` (knots), `{time}`
    /// (`hhmmss.ss`) and `{date}` (`ddmmyy`) come from the decoy's own voyage. A sentence that starts with `!` or `$`
    /// is sent as it is.
    pub sentences: Vec<String>,
    /// Where the voyage is: degrees north and east. Left out: the bay of Kiel.
    pub home: Option<(f64, f64)>,
}
