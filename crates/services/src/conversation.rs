use alloc::{string::String, sync::Arc, vec::Vec};

use chaff_events::{Detail, Kind, Tool};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::Shared;

/// Who a decoy is, for the texts in which a server names itself.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Host name.
    pub hostname: &'a str,
    /// Address.
    pub ip: core::net::IpAddr,
    /// Hardware address.
    pub mac: chaff_wire::Mac,
    /// The decoy's own seed: serial numbers and the like derive from it.
    pub seed: [u8; 16],
    /// The device's serial number, where it is chosen and not drawn.
    pub serial: Option<&'a str>,
}

/// What a conversation is born with.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Who the server is.
    pub identity: Identity<'a>,
    /// The monotone clock, nanoseconds.
    pub now: u64,
    /// The decoy's wall clock, nanoseconds since 1970 (its own: skewed as the decoy is).
    pub utc: u64,
    /// Chance of this conversation alone: nonces, cookies, ephemeral keys.
    pub chance: [u8; 32],
    /// Logins that succeed, planted for intruders to find.
    pub accounts: &'a Arc<[Account]>,
    /// What is around the decoy.
    pub around: Around<'a>,
}

/// What is around a decoy, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The client's address and port.
    pub peer: Option<(core::net::IpAddr, u16)>,
    /// Nanoseconds since the decoy was booted, by its own clock.
    pub uptime: Option<u64>,
    /// TCP ports that are open, as far as anything here shows them.
    pub ports: &'a [u16],
    /// Bits of its network.
    pub prefix: Option<u8>,
}

impl Opening<'_> {
    /// The random stream of this conversation.
    pub(crate) fn chance(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.chance)
    }
}

/// A name and a password that let whoever offers them in, as far as there is an inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Name of the account.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl Account {
    /// Whether one of the accounts has this name and this password.
    pub(crate) fn admits(accounts: &[Self], user: &[u8], password: &[u8]) -> bool {
        accounts.iter().any(|a| a.user.as_bytes() == user && a.password.as_bytes() == password)
    }
}

/// What a conversation is given for the time of one call.
#[derive(Debug)]
pub struct Context<'a> {
    /// The monotone clock, nanoseconds.
    pub now: u64,
    /// What all conversations of one engine share.
    pub shared: &'a mut Shared,
}

/// What a conversation wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send these octets; never more than the room that was offered.
    Send(Vec<u8>),
    /// Tell the operator.
    Observe(Kind, Option<Tool>, Detail),
    /// Call `handle_wake` at this time (monotone, nanoseconds). A later one replaces an earlier one.
    Wake(u64),
    /// No more data from the server: FIN once all is sent. The service goes on reading until it closes.
    Finish,
    /// The service is done: close in order once all is sent, and read no more.
    Close,
    /// Abort.
    Reset,
}

/// One conversation over a stream of octets: three verbs, no clock of its own.
pub trait Conversation {
    /// The protocol that was agreed on beneath (ALPN, RFC 7301), told before any octet of it.
    fn handle_protocol(&mut self, _cx: &mut Context<'_>, _protocol: &[u8]) {}

    /// Octets from the client, in order. Returns how many were taken; the rest is offered again after the next
    /// `poll`, which is how a server that is behind closes the client's window.
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize;

    /// The client has sent all that it will.
    fn handle_end(&mut self, cx: &mut Context<'_>);

    /// The client has said beneath that it sends no more (`close_notify`, RFC 8446 §6.1), though its connection is open.
    fn handle_parting(&mut self, cx: &mut Context<'_>) {
        self.handle_end(cx);
    }

    /// Something has come beneath that is no word for it yet: half a record (RFC 8446 §5.1).
    fn handle_stir(&mut self, _cx: &mut Context<'_>) {}

    /// Whether it has ended because the client was too slow with what it had begun to say.
    fn is_late(&self) -> bool {
        false
    }

    /// The time asked for by [`Output::Wake`] has come.
    fn handle_wake(&mut self, cx: &mut Context<'_>);

    /// Whether the server leaves it to the stack to gather small pieces while others are on their way (Nagle's
    /// algorithm, RFC 9293 §3.7.4). Those that care about latency turn that off.
    fn tolerates_delay(&self) -> bool {
        false
    }

    /// The next thing to be done, with `room` octets free in the send buffer. `None`: nothing for now.
    fn poll(&mut self, cx: &mut Context<'_>, room: usize) -> Option<Output>;
}
