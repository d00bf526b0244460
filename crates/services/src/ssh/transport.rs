//! The transport layer (RFC 4253): key exchange, new keys, and which message has its place when. Messages of the layers
//! above pass through it.

mod host_keys;

use alloc::{string::String, sync::Arc, vec::Vec};

use chaff_events::{Detail, Kind, Tool};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{
    kex::{self, COOKIE, Choice, ClientInit, Secrets, exchange::Agreed, exchange::Method, group::GroupExchange},
    packet::{Corrupt, Keys, Packet, Receiver, Sender},
    spec::SshSpec,
    wire::{Put, Reader, message},
};
use crate::{Context, limits::ssh::MAX_HELD, outbox::Outbox};

/// Octets of the text in a DISCONNECT at most: the buffer that OpenSSH formats it in.
const MAX_TEXT: usize = 1023;
/// Numbers of the transport layer (RFC 4250 §4.1.1), of which `kex` handles all.
const TRANSPORT: core::ops::RangeInclusive<u8> = 1..=49;
/// Numbers of the exchange itself.
const EXCHANGE: core::ops::RangeInclusive<u8> = 30..=49;
/// Numbers for private use (RFC 4250 §4.1.1); servers take them for nonsense.
const PRIVATE: core::ops::RangeInclusive<u8> = 192..=255;
const ALL_PACKETS: u64 = 1 << 31;

/// How a connection ends.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// Without a word.
    Quietly,
    /// With a DISCONNECT of this text; empty: without a word.
    Saying(Vec<u8>),
}

impl End {
    /// With a text of the product in which `{name}`s are filled in.
    pub(crate) fn with(text: &str, values: &[(&str, &[u8])]) -> Self {
        Self::Saying(fill(text, values))
    }
}

/// One side of a key exchange at a time, and the packets under its keys.
pub(crate) struct Transport {
    spec: Arc<SshSpec>,
    seed: [u8; 16],
    pub(crate) chance: ChaCha8Rng,
    receiver: Receiver,
    sender: Sender,
    state: State,
    client_version: Vec<u8>,
    server_init: Vec<u8>,
    client_init: Vec<u8>,
    session: Vec<u8>,
    /// How the host key signed in the last exchange.
    signature: String,
    strict: bool,
    held: Vec<Vec<u8>>,
    drops_next: bool,
    /// The client takes a second EXT_INFO.
    wants_update: bool,
    admitted: bool,
}

/// Where a key exchange is.
enum State {
    /// None is going on.
    Idle,
    /// The server's KEXINIT is out; the client's is awaited.
    Offered,
    /// The client's half of the secret is awaited.
    Chosen(Choice),
    /// The client's half is awaited, in a group that the server named.
    Grouped(Choice, GroupExchange),
    /// The host key is searched for; nothing is read meanwhile.
    WantsKey(Choice, Agreed),
    /// The client's NEWKEYS is awaited.
    Keyed(Keys),
}

impl Transport {
    pub(crate) fn new(spec: &Arc<SshSpec>, seed: [u8; 16], chance: ChaCha8Rng) -> Self {
        Self {
            spec: Arc::clone(spec),
            seed,
            chance,
            receiver: Receiver::new(spec.answers.max_packet(), spec.answers.reads_blocks),
            sender: Sender::new(spec.random_padding),
            state: State::Idle,
            client_version: Vec::new(),
            server_init: Vec::new(),
            client_init: Vec::new(),
            session: Vec::new(),
            signature: String::new(),
            strict: false,
            held: Vec::new(),
            drops_next: false,
            wants_update: false,
            admitted: false,
        }
    }

    pub(crate) fn client_version(&self) -> &[u8] {
        &self.client_version
    }

    /// The client named itself.
    pub(crate) fn greet(&mut self, version: &[u8]) {
        self.client_version = version.to_vec();
    }

    /// The first exchange is going on, until the client's NEWKEYS.
    fn is_initial(&self) -> bool {
        self.receiver.is_plain()
    }

    /// Whether the host key has to be searched for before anything goes on.
    pub(crate) fn wants_key(&self) -> bool {
        matches!(self.state, State::WantsKey(..))
    }

    pub(crate) fn take(&mut self, octets: &[u8]) -> usize {
        self.receiver.take(octets)
    }

    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Corrupt> {
        self.receiver.next()
    }

    /// Begins an exchange.
    pub(crate) fn offer(&mut self, outbox: &mut Outbox) {
        let mut cookie = [0; COOKIE];
        self.chance.fill_bytes(&mut cookie);
        self.server_init = kex::server_init(&self.spec, &cookie, self.session.is_empty());
        let init = self.server_init.clone();
        self.put(outbox, &init);
        outbox.flush();
        self.state = State::Offered;
    }

    /// Sends a message; those of the layers above wait while keys are exchanged (RFC 4253 §7.1).
    pub(crate) fn send(&mut self, outbox: &mut Outbox, payload: &[u8]) {
        if matches!(self.state, State::Idle | State::Keyed(_)) {
            self.put(outbox, payload);
            if matches!(self.state, State::Idle) && self.is_worn() {
                self.offer(outbox);
            }
        } else if self.held.len() < MAX_HELD {
            self.held.push(payload.to_vec());
        }
    }

    /// Whether the keys were used as much as they should be.
    fn is_worn(&self) -> bool {
        let limit = self.spec.rekey_octets();
        [self.sender.used, self.receiver.used].iter().any(|used| used.octets > limit || used.packets > ALL_PACKETS)
    }

    fn put(&mut self, outbox: &mut Outbox, payload: &[u8]) {
        let packet = self.sender.seal(payload, &mut self.chance);
        outbox.send(&packet);
        if payload.first() == Some(&message::USERAUTH_SUCCESS) {
            self.sender.admit();
        }
    }

    /// Says goodbye as `end` has it and closes.
    pub(crate) fn end(&mut self, outbox: &mut Outbox, end: &End) {
        if let End::Saying(text) = end
            && !text.is_empty()
        {
            let mut payload = alloc::vec![message::DISCONNECT];
            payload.put_u32(self.spec.answers.reason());
            payload.put_string(text.get(..MAX_TEXT).unwrap_or(text));
            payload.put_string(b"");
            self.put(outbox, &payload);
        }
        outbox.close();
    }

    /// Ends after a packet that cannot be read.
    pub(crate) fn end_corrupt(&mut self, outbox: &mut Outbox, why: Corrupt) {
        let end = match why {
            Corrupt::Padding(octets) => {
                End::with(&self.spec.answers.bad_padding, &[("padding", decimal(u32::from(octets)).as_bytes())])
            }
            Corrupt::Length | Corrupt::Mac | Corrupt::Compression => End::Quietly,
        };
        self.end(outbox, &end);
    }

    /// "I do not know that message" (RFC 4253 §11.4).
    pub(crate) fn unimplemented(&mut self, outbox: &mut Outbox, sequence: u32) {
        let mut payload = alloc::vec![message::UNIMPLEMENTED];
        payload.put_u32(sequence);
        self.send(outbox, &payload);
    }

    /// Handles a packet of this layer; gives back one that is for the layers above.
    pub(crate) fn handle(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
        tool: Option<Tool>,
        packet: Packet,
    ) -> Result<Option<Packet>, End> {
        let Some(&kind) = packet.payload.first() else { return Err(End::Quietly) };
        if kind == message::DISCONNECT {
            return Err(End::Quietly);
        }
        let pings = self.spec.knows_pings();
        if kind == 0 || (PRIVATE.contains(&kind) && !pings) {
            return Err(End::with(&self.spec.answers.bad_type, &[("type", decimal(u32::from(kind)).as_bytes())]));
        }
        if core::mem::take(&mut self.drops_next) {
            return Ok(None);
        }
        let strict = self.strict && self.is_initial() && !self.is_relaxed();
        match kind {
            message::IGNORE if !strict => {}
            message::DEBUG | message::UNIMPLEMENTED if !strict => {
                let fine = self.spec.answers.ignores_remarks || can_be_read(&packet.payload).is_some();
                fine.then_some(()).ok_or(End::Quietly)?;
            }
            message::PING | message::PONG if pings && !strict => self.handle_ping(outbox, &packet)?,
            message::KEXINIT if matches!(self.state, State::Idle | State::Offered) => {
                self.handle_init(outbox, tool, packet)?;
            }
            message::NEWKEYS if matches!(self.state, State::Keyed(_)) => self.handle_new_keys(outbox, &packet)?,
            _ if EXCHANGE.contains(&kind) && self.awaits(kind) => self.handle_half(cx, outbox, &packet)?,
            message::SERVICE_REQUEST if !self.is_initial() => return Ok(Some(packet)),
            message::EXT_INFO if !self.is_initial() => self.wants_update |= asks_for_update(&packet.payload),
            _ if TRANSPORT.contains(&kind) => {
                if strict {
                    return Err(self.violated(kind, packet.sequence));
                }
                if self.ends_for(kind) {
                    return Err(End::Quietly);
                }
                self.put_unimplemented(outbox, packet.sequence);
            }
            _ if self.is_initial() || kind == u8::MAX => return Err(End::Quietly),
            _ => return Ok(Some(packet)),
        }
        Ok(None)
    }

    /// Whether a message that has no place now ends the connection.
    fn ends_for(&self, kind: u8) -> bool {
        let answers = &self.spec.answers;
        match kind {
            message::KEXINIT | message::SERVICE_REQUEST | message::SERVICE_ACCEPT => answers.misplaced_ends,
            message::KEX_GEX_REQUEST => answers.one_group && matches!(self.state, State::Grouped(..)),
            _ => false,
        }
    }

    /// OpenSSH answers once somebody is in, and not while keys are exchanged.
    fn handle_ping(&mut self, outbox: &mut Outbox, packet: &Packet) -> Result<(), End> {
        let mut reader = Reader::new(&packet.payload);
        let kind = reader.byte();
        let data = reader.string().ok_or(End::Quietly)?;
        if kind == Some(message::PING) && self.admitted && !self.is_exchanging() {
            let mut pong = alloc::vec![message::PONG];
            pong.put_string(data);
            self.send(outbox, &pong);
        }
        Ok(())
    }

    /// The algorithms of keys anew, for a client that takes them once it has named its user.
    pub(crate) fn ext_info_update(&self) -> Option<Vec<u8>> {
        (self.wants_update && self.spec.ext_info_in_auth).then(|| kex::ext_info_update(&self.spec)).flatten()
    }

    /// The answer to what has no place in an exchange goes out in its midst.
    fn put_unimplemented(&mut self, outbox: &mut Outbox, sequence: u32) {
        let mut payload = alloc::vec![message::UNIMPLEMENTED];
        payload.put_u32(sequence);
        self.put(outbox, &payload);
    }

    fn violated(&self, kind: u8, sequence: u32) -> End {
        let (kind, sequence) = (decimal(u32::from(kind)), decimal(sequence));
        End::with(&self.spec.answers.strict_violation, &[("type", kind.as_bytes()), ("sequence", sequence.as_bytes())])
    }

    /// Whether the server has done with being strict.
    fn is_relaxed(&self) -> bool {
        self.spec.answers.strict_until_half && matches!(self.state, State::Keyed(_))
    }

    fn awaits(&self, kind: u8) -> bool {
        match &self.state {
            State::Chosen(choice) if choice.method == Method::Chosen => kind == message::KEX_GEX_REQUEST,
            State::Chosen(_) => kind == message::KEX_INIT,
            State::Grouped(..) => kind == message::KEX_GEX_INIT,
            _ => false,
        }
    }

    fn handle_init(&mut self, outbox: &mut Outbox, tool: Option<Tool>, packet: Packet) -> Result<(), End> {
        let initial = self.session.is_empty();
        let client = ClientInit::read(&packet.payload).ok_or(End::Quietly)?;
        if initial {
            let (algorithms, hassh) = client.hassh();
            let detail = Detail::Ssh { client: self.client_version.clone(), hassh, algorithms };
            outbox.observe(Kind::ServiceRequest, tool, detail);
        }
        if matches!(self.state, State::Idle) {
            self.offer(outbox);
        }
        if initial {
            self.strict = client.is_strict(&self.spec);
            if self.strict && packet.sequence != 0 {
                return Err(End::with(&self.spec.answers.strict_order, &[]));
            }
        }
        let choice = kex::choose(&self.spec, &client).ok_or(End::Quietly)?;
        self.drops_next = choice.drops_next;
        self.state = State::Chosen(choice);
        self.client_init = packet.payload;
        Ok(())
    }

    fn handle_half(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox, packet: &Packet) -> Result<(), End> {
        let state = core::mem::replace(&mut self.state, State::Idle);
        let (choice, agreed) = match state {
            State::Chosen(choice) if choice.method == Method::Chosen => {
                let (group, reply) =
                    GroupExchange::begin(&self.spec, &packet.payload, &mut self.chance).ok_or(End::Quietly)?;
                self.put(outbox, &reply);
                self.state = State::Grouped(choice, group);
                return Ok(());
            }
            State::Chosen(choice) => {
                let agreed = choice.method.agree(&packet.payload, &mut self.chance).ok_or(End::Quietly)?;
                (choice, agreed)
            }
            State::Grouped(choice, group) => {
                let agreed = group.agree(&packet.payload, &mut self.chance).ok_or(End::Quietly)?;
                (choice, agreed)
            }
            _ => return Err(End::Quietly),
        };
        self.state = State::WantsKey(choice, agreed);
        self.search_key(cx, outbox)
    }

    /// Goes on if the host key is there.
    pub(crate) fn search_key(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Result<(), End> {
        let State::WantsKey(choice, agreed) = &self.state else { return Ok(()) };
        let Some(key) = choice.host_key.derive(&self.seed, cx.shared) else { return Ok(()) };
        let blob = key.blob();
        let mut front = Vec::new();
        front.put_string(&self.client_version);
        front.put_string(self.spec.version.as_bytes());
        front.put_string(&self.client_init);
        front.put_string(&self.server_init);
        front.put_string(&blob);
        let exchange_hash = choice.hash.of(&[&front, &agreed.hashed, &agreed.secret]);
        let signature = key.sign(&choice.signature, &exchange_hash);
        self.signature.clone_from(&choice.signature);
        let initial = self.session.is_empty();
        if initial {
            self.session.clone_from(&exchange_hash);
        }
        let secrets = Secrets {
            hash: choice.hash,
            shared: &agreed.secret,
            exchange_hash: &exchange_hash,
            session: &self.session,
        };
        let to_server = secrets.keys(choice.to_server, b"ACE", false).ok_or(End::Quietly)?;
        let to_client = secrets.keys(choice.to_client, b"BDF", true).ok_or(End::Quietly)?;
        let mut reply = alloc::vec![agreed.reply];
        reply.put_string(&blob);
        reply.extend_from_slice(&agreed.half);
        reply.put_string(&signature);
        self.put(outbox, &reply);
        self.put(outbox, &[message::NEWKEYS]);
        self.sender.rekey(to_client, self.strict);
        self.state = State::Keyed(to_server);
        if initial
            && ClientInit::read(&self.client_init).is_some_and(|client| client.wants_ext_info())
            && let Some(info) = kex::ext_info(&self.spec)
        {
            self.put(outbox, &info);
        }
        for payload in core::mem::take(&mut self.held) {
            self.put(outbox, &payload);
        }
        Ok(())
    }

    /// Tells the client that it has logged in.
    pub(crate) fn admit(&mut self, outbox: &mut Outbox) {
        self.send(outbox, &[message::USERAUTH_SUCCESS]);
        self.receiver.admit();
        self.admitted = true;
    }

    /// Whether messages of the layers above would have to wait.
    pub(crate) fn is_exchanging(&self) -> bool {
        !matches!(self.state, State::Idle | State::Keyed(_))
    }

    fn handle_new_keys(&mut self, _outbox: &mut Outbox, packet: &Packet) -> Result<(), End> {
        if packet.payload.len() != 1 {
            return Err(End::Quietly);
        }
        if let State::Keyed(keys) = core::mem::replace(&mut self.state, State::Idle) {
            self.receiver.rekey(keys, self.strict);
        }
        // What both sides said is hashed and done with.
        self.client_init = Vec::new();
        self.server_init = Vec::new();
        Ok(())
    }
}

/// Whether an EXT_INFO has `ext-info-in-auth@openssh.com` among its extensions (PROTOCOL of OpenSSH, 1.13).
fn asks_for_update(payload: &[u8]) -> bool {
    let mut reader = Reader::new(payload);
    let (Some(_), Some(count)) = (reader.byte(), reader.u32()) else { return false };
    (0..count)
        .map_while(|_| reader.string().zip(reader.string()))
        .any(|(name, value)| (name, value) == (b"ext-info-in-auth@openssh.com", b"0"))
}

/// Whether a DEBUG or UNIMPLEMENTED message has its fields (RFC 4253 §11.3, §11.4).
fn can_be_read(payload: &[u8]) -> Option<()> {
    let mut reader = Reader::new(payload);
    if reader.byte()? == message::UNIMPLEMENTED {
        return reader.u32().map(drop);
    }
    reader.boolean()?;
    reader.string()?;
    reader.string().map(drop)
}

/// Puts `values` into a text, whatever octets they are.
pub(crate) fn fill(text: &str, values: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let found = from.split_once('}').and_then(|(name, after)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, after))
        });
        match found {
            Some((value, after)) => {
                out.extend_from_slice(value);
                rest = after;
            }
            None => {
                out.push(b'{');
                rest = from;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn decimal(number: u32) -> String {
    alloc::format!("{number}")
}
