//! Application protocols as particular servers speak them: conversations over octet streams and datagrams. They know
//! nothing of TCP, of packets, of clocks or of files: time comes in with every call, chance comes with the birth of a
//! conversation, and all that a server says is data of its [`ServiceSpec`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_lossless
)]
// A test that indexes or unwraps in vain fails, as it should.
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod banner;
mod calendar;
mod console;
mod conversation;
mod crypto;
mod echo;
mod feed;
mod http;
mod keys;
mod limits;
mod message;
mod outbox;
mod primes;
mod script;
mod shared;
mod shell;
mod spec;
mod ssh;
mod text;
pub mod tls;
mod tool;

pub use console::{ConsoleCommand, ConsoleFiles, ConsoleFilter, ConsoleMode, ConsoleRefusals, ConsoleSpec};
pub use conversation::{Account, Around, Context, Conversation, Identity, Opening, Output};
pub use http::{
    auth::{AuthSpec, Scheme},
    coding::{Accepting, CodedTag, GzipSpec},
    forms::FormSpec,
    spec::{
        Announced, Etag, Expect, FileSpec, HttpError, HttpKeeping, HttpLinger, HttpPage, HttpRules, HttpSpec, Ranges,
        Reading,
    },
    two::spec::{Frames, Http2Spec, Indexing},
};
pub use script::{
    Form, Framing, MAX_CAPTURES, Pattern, PatternError, Reply, ScriptRule, ScriptSpec, ScriptState, SecretSpec, is_fact,
};
pub use shared::Shared;
pub use shell::{
    ShellAnswer, ShellAsk, ShellFile, ShellKind, ShellMount, ShellProcess, ShellPrograms, ShellSpec, ShellSystem,
    ShellUser,
};
pub use spec::{BannerSpec, FeedSpec, LoginSpec, MatchRule, ServiceKind, ServiceSpec};
pub use ssh::spec::{SshAnswers, SshCurve, SshGroup, SshHostKey, SshPenalties, SshSpec, SshStartups};
pub use tls::TlsSpec;
pub use tool::{tool_of_payload, tool_of_user_agent};

use alloc::boxed::Box;

/// Starts a conversation over a stream.
#[must_use]
pub fn open(spec: &ServiceSpec, opening: &Opening<'_>) -> Box<dyn Conversation> {
    let inner = open_inside(spec, opening);
    match &spec.tls {
        Some(tls) => Box::new(tls::Tls::new(tls, opening, inner)),
        None => inner,
    }
}

/// The same without the TLS that it is wrapped in, if any: what is said inside of it.
#[must_use]
pub fn open_inside(spec: &ServiceSpec, opening: &Opening<'_>) -> Box<dyn Conversation> {
    match &spec.kind {
        ServiceKind::Echo => Box::new(echo::Echo::new(true)),
        ServiceKind::Discard => Box::new(echo::Echo::new(false)),
        ServiceKind::Banner(banner) => Box::new(banner::Banner::new(banner, opening)),
        ServiceKind::Http(http) => Box::new(http::Http::new(http, opening, spec.tls.is_some())),
        ServiceKind::Feed(feed) => Box::new(feed::Feed::new(feed, opening)),
        ServiceKind::Script(script) => Box::new(script::Script::new(script, opening)),
        ServiceKind::Ssh(ssh) => Box::new(ssh::Ssh::new(ssh, opening)),
    }
}

/// Answers one datagram; `None` is silence.
#[must_use]
pub fn answer(spec: &ServiceSpec, opening: &Opening<'_>, datagram: &[u8]) -> Option<alloc::vec::Vec<u8>> {
    match &spec.kind {
        ServiceKind::Echo => Some(datagram.into()),
        ServiceKind::Banner(banner) => banner::answer(banner, opening, datagram),
        ServiceKind::Script(script) => script::answer(script, opening, datagram),
        ServiceKind::Discard | ServiceKind::Http(_) | ServiceKind::Feed(_) | ServiceKind::Ssh(_) => None,
    }
}

#[cfg(test)]
mod tests;
