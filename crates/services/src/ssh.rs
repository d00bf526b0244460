//! Servers of SSH (RFC 4251 to 4254) that let nobody in but planted accounts. What a product says, in which order and
//! in how many pieces, is data of its [`SshSpec`]; the protocol is here.

mod admission;
mod auth;
mod cipher;
mod compression;
mod connection;
mod hostkey;
mod kex;
mod mac;
mod packet;
pub(crate) mod spec;
mod transport;
mod version;
mod wire;

use alloc::sync::Arc;

use chaff_events::{Kind, Tool};
use rand_core::Rng;

use crate::{
    Account, Context, Conversation, Opening, Output,
    message::payload,
    outbox::Outbox,
    shell::Surroundings,
    text::{Who, unescape},
    tool_of_payload,
};
pub(crate) use admission::Startups;
use admission::{Door, Outcome};
use auth::{Answer, Auth, Visit, Wait};
use connection::{Channels, Line as Wire};
use packet::Packet;
use spec::SshSpec;
use transport::{End, Transport};
use version::{Line, Verdict};
use wire::{Put, Reader, message};

const NANOS_OF_MS: u64 = 1_000_000;
const NANOS_OF_S: u64 = 1_000_000_000;
/// PROTOCOL of OpenSSH, 2.5.
const PROVE: &[u8] = b"hostkeys-prove-00@openssh.com";

/// One connection.
pub(crate) struct Ssh {
    spec: Arc<SshSpec>,
    accounts: Arc<[Account]>,
    outbox: Outbox,
    transport: Transport,
    phase: Phase,
    auth: Auth,
    channels: Channels,
    /// All host keys are to be named to the client before anything else.
    announces: bool,
    who: Who,
    around: Surroundings,
    /// Whether the client may speak at all, and what follows from how it goes.
    door: Door,
    /// The monotone clock and the wall clock at the connection's begin.
    opened: u64,
    utc: u64,
    tool: Option<Tool>,
    /// The client's first line was told of, alone or with its KEXINIT.
    told: bool,
    introduction: Introduction,
    /// The refusal that is due at this time; nothing is read until then, as a process that sleeps reads nothing.
    refusal: Option<u64>,
    /// A client that has not logged in by then is cut off.
    grace: u64,
    ended: bool,
    armed: Option<u64>,
}

/// What a server says once, with its answer to the first request of authentication.
#[derive(PartialEq)]
enum Introduction {
    Awaited,
    Due,
    Said,
}

enum Phase {
    /// The version line is due at this time.
    Greeting(u64),
    /// The client's version line is coming in.
    Version(Line),
    /// Packets.
    Packets,
}

impl Ssh {
    pub(crate) fn new(spec: &Arc<SshSpec>, opening: &Opening<'_>) -> Self {
        let due = opening.now.saturating_add(u64::from(spec.version_delay_ms) * NANOS_OF_MS);
        let mut ssh = Self {
            spec: Arc::clone(spec),
            accounts: Arc::clone(opening.accounts),
            outbox: Outbox::default(),
            transport: Transport::new(spec, opening.identity.seed, opening.chance()),
            phase: Phase::Greeting(due),
            auth: Auth::default(),
            channels: Channels::default(),
            announces: false,
            who: Who::new(&opening.identity),
            around: Surroundings {
                uptime: opening.around.uptime,
                ports: opening.around.ports.to_vec(),
                peer: opening.around.peer,
                prefix: opening.around.prefix,
            },
            door: Door::new(opening),
            opened: opening.now,
            utc: opening.utc,
            tool: None,
            told: false,
            introduction: Introduction::Awaited,
            refusal: None,
            grace: opening.now.saturating_add(u64::from(spec.login_grace_s()) * NANOS_OF_S),
            ended: false,
            armed: None,
        };
        ssh.arm(opening.now);
        ssh
    }

    /// Knocks, once: a server that has too many clients turns one away before it says its name.
    fn enter(&mut self, cx: &mut Context<'_>) {
        self.door.tell_time(cx.now);
        if !self.door.enter(cx, &self.spec, &mut self.transport.chance) {
            self.outbox.send(&unescape(&self.spec.answers.turned_away));
            self.outbox.close();
        }
    }

    /// Gives the place at the door back.
    fn leave(&mut self) {
        let outcome = if self.auth.has_failed() { Outcome::Refused } else { Outcome::NotTried };
        self.door.leave(&self.spec, outcome);
    }

    fn greet(&mut self) {
        self.outbox.send(self.spec.version.as_bytes());
        self.outbox.send(&unescape(self.spec.version_end()));
        self.phase = Phase::Version(Line::default());
        // Servers that do not wait write both at once.
        if self.spec.kexinit_first {
            self.transport.offer(&mut self.outbox);
        } else {
            self.outbox.flush();
        }
        if self.ended {
            self.outbox.close();
        }
    }

    /// Reads the client's version line as far as it goes: not an octet more, since what a server leaves unread
    /// decides how its system ends the connection.
    fn read_version(&mut self, octets: &[u8]) -> usize {
        let Phase::Version(line) = &mut self.phase else { return 0 };
        let (taken, verdict) = line.take(&self.spec, octets);
        let Some(verdict) = verdict else { return taken };
        let raw = core::mem::take(&mut line.raw);
        self.tool = tool_of_payload(&raw);
        match verdict {
            Verdict::Good(version) => {
                self.transport.greet(&version);
                self.phase = Phase::Packets;
                if !self.spec.kexinit_first {
                    self.transport.offer(&mut self.outbox);
                }
            }
            Verdict::Bad | Verdict::OtherMajor | Verdict::Shunned => {
                let answers = &self.spec.answers;
                let text = match verdict {
                    Verdict::Bad => &answers.bad_version,
                    Verdict::OtherMajor => &answers.other_major,
                    _ => "",
                };
                // What nmap and others send to every port is known by more than its first line.
                self.tool = self.tool.or_else(|| tool_of_payload(octets));
                self.outbox.observe(
                    Kind::ServiceRequest,
                    self.tool,
                    payload(if raw.len() > taken { &raw } else { octets }),
                );
                self.told = true;
                if !text.is_empty() {
                    self.outbox.send(text.as_bytes());
                    if answers.split {
                        self.outbox.flush();
                    }
                    self.outbox.send(&unescape(&answers.line_end));
                }
                self.outbox.close();
            }
        }
        taken
    }

    /// Handles packets as long as there are any and nothing stands in the way.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if self.announces && !self.outbox.is_closing() && self.transport.announce(cx, &mut self.outbox) {
            self.announces = false;
            self.outbox.flush();
        }
        while !self.is_held() {
            let packet = match self.transport.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(why) => {
                    self.tell_rest(cx);
                    return self.transport.end_corrupt(&mut self.outbox, why);
                }
            };
            if let Err(end) = self.handle_packet(cx, packet) {
                self.tell_rest(cx);
                self.transport.end(&mut self.outbox, &end);
            }
            self.outbox.flush();
        }
        if self.auth.is_admitted() && !self.outbox.is_closing() {
            let (channels, mut line) = self.channels(cx);
            channels.advance(&mut line);
            self.outbox.flush();
        }
    }

    fn admit(&mut self) {
        self.introduce();
        self.door.leave(&self.spec, Outcome::Admitted);
        self.transport.admit(&mut self.outbox);
        self.outbox.flush();
        self.announces = self.spec.announces_host_keys;
    }

    /// The channels, and what they need.
    fn channels<'a>(&'a mut self, cx: &'a mut Context<'_>) -> (&'a mut Channels, Wire<'a>) {
        let now = cx.now;
        let line = Wire {
            spec: &self.spec,
            transport: &mut self.transport,
            outbox: &mut self.outbox,
            tool: self.tool,
            who: &self.who,
            user: self.auth.user(),
            accounts: &self.accounts,
            utc: self.utc.saturating_add(now.saturating_sub(self.opened)),
            around: Surroundings {
                uptime: self.around.uptime.map(|uptime| uptime.saturating_add(now.saturating_sub(self.opened))),
                ..self.around.clone()
            },
            disk: cx.shared.disks.of(self.who.identity().seed),
        };
        (&mut self.channels, line)
    }

    /// Whether nothing is read for now.
    fn is_held(&self) -> bool {
        self.outbox.is_closing() || self.outbox.is_behind() || self.refusal.is_some() || self.searches()
    }

    /// Whether a host key is searched for.
    fn searches(&self) -> bool {
        self.transport.wants_key() || self.announces
    }

    fn handle_packet(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<(), End> {
        self.told |= packet.payload.first() == Some(&message::KEXINIT);
        let Some(packet) = self.transport.handle(cx, &mut self.outbox, self.tool, packet)? else { return Ok(()) };
        let kind = packet.payload.first().copied().unwrap_or(0);
        if self.auth.is_admitted() && kind > message::USERAUTH_INFO_RESPONSE {
            if let Some(blobs) = asks_for_proof(&packet.payload).filter(|_| self.spec.announces_host_keys) {
                let answer = self.transport.prove(cx.shared, blobs);
                self.transport.send(&mut self.outbox, &answer.unwrap_or_else(|| [message::REQUEST_FAILURE].into()));
                return Ok(());
            }
            let (channels, mut line) = self.channels(cx);
            if !channels.handle(&mut line, &packet.payload)? {
                self.transport.unimplemented(&mut self.outbox, packet.sequence);
            }
            return Ok(());
        }
        if kind == message::USERAUTH_REQUEST && self.introduction == Introduction::Awaited {
            self.introduction = Introduction::Due;
        }
        let (outbox, tool) = (&mut self.outbox, self.tool);
        let visit =
            Visit { accounts: &self.accounts, client: self.transport.client_version(), hostname: self.who.hostname() };
        let answer = self.auth.handle(&self.spec, &visit, &packet.payload, &mut |detail| {
            outbox.observe(Kind::Credential, tool, detail);
        });
        match answer {
            Answer::Send(messages) => {
                self.introduce();
                for message in messages {
                    self.transport.send(&mut self.outbox, &message);
                }
            }
            Answer::Refuse(wait) => self.refuse_later(cx.now, wait),
            Answer::Admit => self.admit(),
            Answer::Unimplemented => self.transport.unimplemented(&mut self.outbox, packet.sequence),
            Answer::End(end) => return Err(end),
        }
        Ok(())
    }

    /// The text that some servers show before anybody logs in (RFC 4252 §5.4), and what OpenSSH says anew of keys.
    fn introduce(&mut self) {
        if self.introduction != Introduction::Due {
            return;
        }
        self.introduction = Introduction::Said;
        if !self.spec.auth_banner.is_empty() {
            let mut banner = alloc::vec![message::USERAUTH_BANNER];
            banner.put_string(&unescape(&self.spec.auth_banner));
            banner.put_string(b"");
            self.transport.send(&mut self.outbox, &banner);
        }
        if let Some(info) = self.transport.ext_info_update() {
            self.transport.send(&mut self.outbox, &info);
        }
    }

    fn refuse_later(&mut self, now: u64, wait: Wait) {
        let (least, most) = match wait {
            Wait::Password => self.spec.password_delay_ms,
            Wait::Other => self.spec.refusal_delay_ms,
        };
        // In microseconds, so that two refusals do not differ by whole milliseconds.
        let spread = u64::from(most.saturating_sub(least)).saturating_mul(1000).saturating_add(1);
        let micros = u64::from(least).saturating_mul(1000).saturating_add(self.transport.chance.next_u64() % spread);
        self.refusal = Some(now.saturating_add(micros.saturating_mul(1000)));
    }

    fn refuse(&mut self) {
        self.refusal = None;
        self.introduce();
        match self.auth.refuse(&self.spec) {
            Ok(payload) => self.transport.send(&mut self.outbox, &payload),
            Err(end) => self.transport.end(&mut self.outbox, &end),
        }
        self.outbox.flush();
    }

    /// What is due at `now`, and the next wake-up.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        if matches!(self.phase, Phase::Greeting(due) if due <= cx.now) {
            self.greet();
        }
        if self.transport.wants_key() {
            if let Err(end) = self.transport.search_key(cx, &mut self.outbox) {
                self.transport.end(&mut self.outbox, &end);
            }
            self.outbox.flush();
        }
        if self.refusal.is_some_and(|due| due <= cx.now) {
            self.refuse();
        }
        if !self.auth.is_admitted() && self.grace <= cx.now {
            self.door.leave(&self.spec, Outcome::TooLate);
            self.finish(cx);
        }
        self.advance(cx);
        if self.ended
            && self.refusal.is_none()
            && !self.transport.wants_key()
            && !matches!(self.phase, Phase::Greeting(_))
        {
            self.finish(cx);
        }
        self.arm(cx.now);
    }

    /// Closes, if that was not done.
    fn finish(&mut self, cx: &mut Context<'_>) {
        if !self.outbox.is_closing() {
            self.tell_rest(cx);
            self.outbox.close();
        }
    }

    /// Tells of a client of which only the version line is known, that did not answer, or that had begun to send a file,
    /// now that no more will come.
    fn tell_rest(&mut self, cx: &mut Context<'_>) {
        if self.auth.is_admitted() {
            let (channels, mut line) = self.channels(cx);
            channels.end(&mut line);
        }
        let (outbox, tool) = (&mut self.outbox, self.tool);
        self.auth.tell_unanswered(self.transport.client_version(), &mut |detail| {
            outbox.observe(Kind::Credential, tool, detail);
        });
        if !self.told && matches!(self.phase, Phase::Packets) {
            self.told = true;
            self.outbox.observe(Kind::ServiceRequest, self.tool, payload(self.transport.client_version()));
        }
    }

    fn arm(&mut self, now: u64) {
        if self.outbox.is_closing() {
            return;
        }
        let greeting = if let Phase::Greeting(due) = self.phase { Some(due) } else { None };
        // A search goes on with every call; its wake-up is at once.
        let key = self.searches().then_some(0);
        let grace = (!self.auth.is_admitted()).then_some(self.grace);
        let due = self.channels.due().filter(|_| !self.outbox.is_behind());
        let session = due.map(|utc| utc.saturating_sub(self.utc).saturating_add(self.opened));
        let next = [greeting, key, self.refusal, grace, session].into_iter().flatten().min();
        if let Some(at) = next
            && self.armed != next
        {
            self.outbox.wake(at.max(now));
            self.armed = next;
        }
    }
}

/// The keys that a client wants proof of, if it asks for that and for an answer.
fn asks_for_proof(payload: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(payload);
    let asks = reader.byte()? == message::GLOBAL_REQUEST && reader.string()? == PROVE && reader.boolean()?;
    asks.then_some(reader)
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Conversation for Ssh {
    fn handle_octets(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> usize {
        self.enter(cx);
        let mut rest = octets;
        while !rest.is_empty() && !self.is_held() {
            let taken = match self.phase {
                Phase::Greeting(_) => 0,
                Phase::Version(_) => self.read_version(rest),
                Phase::Packets => self.transport.take(rest),
            };
            if taken == 0 {
                break;
            }
            rest = rest.get(taken..).unwrap_or(&[]);
            if matches!(self.phase, Phase::Packets) {
                self.advance(cx);
            }
        }
        self.arm(cx.now);
        octets.len().saturating_sub(rest.len())
    }

    fn handle_end(&mut self, cx: &mut Context<'_>) {
        self.ended = true;
        self.keep_time(cx);
    }

    fn handle_wake(&mut self, cx: &mut Context<'_>) {
        self.armed = None;
        self.enter(cx);
        self.keep_time(cx);
    }

    fn tolerates_delay(&self) -> bool {
        false
    }

    fn poll(&mut self, cx: &mut Context<'_>, room: usize) -> Option<Output> {
        self.enter(cx);
        if let Some(output) = self.outbox.poll(room) {
            return Some(output);
        }
        if self.outbox.is_closing() {
            self.leave();
        }
        // The way may be free again.
        self.advance(cx);
        self.arm(cx.now);
        self.outbox.poll(room)
    }
}

#[cfg(test)]
pub(crate) mod tests;
