//! How a card and Xen's end of it find each other in the store (Xen's `io/netif.h`, `io/xenbus.h`): the simplest that every
//! netback has. One queue, frames copied, an event where something came; sums that are not made yet, segments that are not
//! cut yet and frames in pieces are declined.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use super::{Fault, store::Answer};

/// The store, to whoever waits for each answer.
pub trait Asks {
    /// What the store answers to the question for the value at `path`.
    ///
    /// # Errors
    /// When its end does what it never may.
    fn read(&mut self, path: &str) -> Result<Answer, Fault>;
    /// What it answers when the value at `path` is to be this.
    ///
    /// # Errors
    /// As above.
    fn write(&mut self, path: &str, value: &str) -> Result<Answer, Fault>;
    /// Lets [`PAUSE_NS`] pass.
    fn pause(&mut self);
}

/// How long the other end is left alone before it is looked at again.
pub const PAUSE_NS: u64 = 1_000_000;
/// How often it is looked at: ten seconds, less than a machine may take to come up.
const LOOKS: u32 = 10_000;

/// What this machine is told of the device.
const DEVICE: &str = "device/vif/0";
/// States of a device's end (`enum xenbus_state`).
const WAITS: &str = "2";
const CONNECTED: &str = "4";
const CLOSING: &str = "5";
const CLOSED: &str = "6";

/// Xen's end of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The domain that it is in.
    pub domain: u16,
    path: String,
}

/// What the other end needs to know: entries of the table of grants, and the event channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The ring of frames that are sent.
    pub transmit: u32,
    /// The ring of frames that come.
    pub receive: u32,
    /// The event channel of both.
    pub port: u32,
}

/// Why there is no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// The store's or the card's other end does what it never may.
    Fault(Fault),
    /// The store refuses what every card has there.
    Refused(String, String),
    /// A value there is not what it should be.
    Value(String, String),
    /// The other end is closed, or does not come.
    State(String),
}

impl From<Fault> for JoinError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Refused(path, word) => write!(f, "Xen's store refuses {path}: {word}"),
            Self::Value(path, value) => write!(f, "Xen's store has `{value}` at {path}"),
            Self::State(state) => write!(f, "Xen's end of the card is in state `{state}` and does not connect"),
        }
    }
}

impl core::error::Error for JoinError {}

/// Waits for Xen's end of the card.
///
/// # Errors
/// When there is none, or it cannot do what every netback does.
pub fn find(store: &mut impl Asks) -> Result<Backend, JoinError> {
    let of_device = |name: &str| format!("{DEVICE}/{name}");
    let id = value(store, &of_device("backend-id"))?;
    let domain = id.parse().map_err(|_| JoinError::Value(of_device("backend-id"), id))?;
    let backend = Backend { domain, path: value(store, &of_device("backend"))? };
    wait(store, &backend, &[WAITS, CONNECTED])?;
    let copies = format!("{}/feature-rx-copy", backend.path);
    match value(store, &copies)?.as_str() {
        "1" => Ok(backend),
        other => Err(JoinError::Value(copies, other.into())),
    }
}

/// Tells it what it needs, and waits until it is connected.
///
/// # Errors
/// When it does not connect.
pub fn connect(store: &mut impl Asks, backend: &Backend, offer: Offer) -> Result<(), JoinError> {
    let Offer { transmit, receive, port } = offer;
    let words = [
        ("tx-ring-ref", transmit.to_string()),
        ("rx-ring-ref", receive.to_string()),
        ("event-channel", port.to_string()),
        ("request-rx-copy", "1".into()),
        ("feature-rx-notify", "1".into()),
        ("feature-sg", "0".into()),
        ("feature-gso-tcpv4", "0".into()),
        ("feature-gso-tcpv6", "0".into()),
        ("feature-no-csum-offload", "1".into()),
        // What comes before this is read by the other end once it sees it.
        ("state", CONNECTED.into()),
    ];
    for (name, word) in words {
        let path = format!("{DEVICE}/{name}");
        if let Answer::Refused(why) = store.write(&path, &word)? {
            return Err(JoinError::Refused(path, why));
        }
    }
    wait(store, backend, &[CONNECTED])
}

fn value(store: &mut impl Asks, path: &str) -> Result<String, JoinError> {
    match store.read(path)? {
        Answer::Value(value) => Ok(value),
        Answer::Refused(why) => Err(JoinError::Refused(path.into(), why)),
    }
}

/// Until the other end is in one of these states.
fn wait(store: &mut impl Asks, backend: &Backend, states: &[&str]) -> Result<(), JoinError> {
    let path = format!("{}/state", backend.path);
    let mut state = String::new();
    for _ in 0..LOOKS {
        state = value(store, &path)?;
        if states.contains(&state.as_str()) {
            return Ok(());
        }
        if [CLOSING, CLOSED].contains(&state.as_str()) {
            break;
        }
        store.pause();
    }
    Err(JoinError::State(state))
}

#[cfg(test)]
mod tests;
