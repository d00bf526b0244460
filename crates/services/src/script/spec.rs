use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Form, Pattern};

/// A service as states and rules, all names resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptSpec {
    /// Sent when the connection opens; empty: the client speaks first.
    pub greeting: Form,
    /// Milliseconds until then.
    pub greeting_delay_ms: u32,
    /// What a request is.
    pub framing: Framing,
    /// Octets of a request that are read; what is longer fits no rule.
    pub max_request: u16,
    /// Seconds that a silent client is kept; 0: five minutes.
    pub idle_timeout_s: u32,
    /// The states; a conversation begins in the first.
    pub states: Vec<ScriptState>,
}

/// What makes octets a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// A line; its end (CR LF or LF) does not belong to it.
    #[default]
    Line,
    /// Whatever comes in one piece.
    Piece,
    /// So many octets.
    Length(u16),
}

/// What is answered in one state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptState {
    /// Its name.
    pub name: String,
    /// The first that fits answers.
    pub rules: Vec<ScriptRule>,
    /// What happens if none fits.
    pub otherwise: Reply,
    /// Milliseconds until then.
    pub otherwise_delay_ms: u32,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptRule {
    /// What the request looks like.
    pub pattern: Pattern,
    /// The name and the secret that the request completes.
    pub secret: Option<SecretSpec>,
    /// What happens.
    pub reply: Reply,
    /// What happens instead where name and secret are those of a planted account.
    pub admitted: Option<Reply>,
    /// Milliseconds until either.
    pub delay_ms: u32,
}

/// A login, as captures make it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecretSpec {
    /// The name.
    pub user: Form,
    /// The secret.
    pub password: Form,
}

/// What a service does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it says.
    pub answer: Form,
    /// The state after that, by index; `None`: the same.
    pub next: Option<u16>,
    /// Whether it closes the connection then.
    pub closes: bool,
}
