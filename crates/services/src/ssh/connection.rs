//! Channels (RFC 4254) for whoever was let in: sessions with a shell that executes nothing, and uploads of which only
//! the hash is kept. Everything that would make a connection out is refused.

mod files;
mod input;
mod reading;
mod running;
mod scp;
mod session;
mod sftp;
mod typing;

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use chaff_events::{Detail, Kind, Tool};

use super::{
    spec::SshSpec,
    transport::{End, Transport},
    wire::{Put, Reader, message},
};
use crate::{
    Account,
    console::Console,
    limits::ssh::{MAX_HOST, MAX_OUTPUT},
    outbox::Outbox,
    shell::{Disk, Interpreter, Shell, Surroundings},
    text::Who,
};
use input::Input;
use session::Session;

/// Sessions of one connection, as OpenSSH has it (MaxSessions).
const MAX_SESSIONS: usize = 10;
/// What a client may send before it is told to go on, and in one message; both as OpenSSH has them
/// (CHAN_SES_WINDOW_DEFAULT, CHAN_SES_PACKET_DEFAULT). The window bounds what is kept of input.
const WINDOW: u32 = 64 * MAX_DATA;
const MAX_DATA: u32 = 32 * 1024;
/// The window is opened again when so much of it was used.
const REOPEN_AT: u32 = 3 * MAX_DATA;
/// Reasons of RFC 4254 §5.1.
const PROHIBITED: u32 = 1;
const CONNECT_FAILED: u32 = 2;
/// SSH_EXTENDED_DATA_STDERR.
const STDERR: u32 = 1;

/// What channels need of the connection that they are in.
pub(crate) struct Line<'a> {
    pub(crate) spec: &'a SshSpec,
    pub(crate) transport: &'a mut Transport,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) tool: Option<Tool>,
    pub(crate) who: &'a Who,
    pub(crate) user: &'a [u8],
    pub(crate) accounts: &'a Arc<[Account]>,
    /// The decoy's wall clock.
    pub(crate) utc: u64,
    /// What is around it.
    pub(crate) around: Surroundings,
    /// What was changed on it.
    pub(crate) disk: &'a mut Disk,
}

impl Line<'_> {
    fn send(&mut self, payload: &[u8]) {
        self.transport.send(self.outbox, payload);
    }

    fn observe(&mut self, kind: Kind, detail: Detail) {
        self.outbox.observe(kind, self.tool, detail);
    }
}

/// All channels of a connection.
#[derive(Default)]
pub(crate) struct Channels {
    list: Vec<Channel>,
    /// The client wants no further session.
    closed_to_more: bool,
}

struct Channel {
    number: u32,
    peer: u32,
    /// What the client may still send.
    window: u32,
    /// What it sent since the window was opened.
    used: u32,
    peer_window: u32,
    peer_max: u32,
    input: Input,
    ended: bool,
    output: Vec<(bool, Vec<u8>)>,
    session: Session,
    /// The session's status, once it is over.
    status: Option<u8>,
    closes: bool,
}

impl Channels {
    /// Handles a message of the connection protocol; `false`: it is none.
    pub(crate) fn handle(&mut self, line: &mut Line<'_>, payload: &[u8]) -> Result<bool, End> {
        let mut reader = Reader::new(payload);
        let Some(kind) = reader.byte() else { return Ok(false) };
        let handled = match kind {
            message::GLOBAL_REQUEST => self.handle_global(line, reader),
            message::CHANNEL_OPEN => self.handle_open(line, reader),
            message::CHANNEL_WINDOW_ADJUST..=message::CHANNEL_REQUEST => self.handle_channel(line, kind, reader),
            // Answers to requests that a server makes, of which it makes none that wants one.
            message::REQUEST_SUCCESS | message::REQUEST_FAILURE => Some(()),
            _ => return Ok(false),
        };
        // A message that cannot be read, or names a channel that is not there, is the end in OpenSSH.
        handled.map(|()| true).ok_or(End::Quietly)
    }

    /// Lets sessions read and write as far as they can.
    pub(crate) fn advance(&mut self, line: &mut Line<'_>) {
        for channel in &mut self.list {
            channel.advance(line);
        }
    }

    /// The client is gone.
    pub(crate) fn end(&mut self, line: &mut Line<'_>) {
        for channel in &mut self.list {
            channel.session.end(line);
        }
    }

    /// The wall clock when a session has something to do without being told anything.
    pub(crate) fn due(&self) -> Option<u64> {
        self.list.iter().filter_map(Channel::due).min()
    }

    fn handle_global(&mut self, line: &mut Line<'_>, mut reader: Reader<'_>) -> Option<()> {
        let request = reader.string()?;
        let wants_reply = reader.boolean()?;
        let granted = request == b"no-more-sessions@openssh.com";
        self.closed_to_more |= granted;
        if wants_reply {
            line.send(&[if granted { message::REQUEST_SUCCESS } else { message::REQUEST_FAILURE }]);
        }
        Some(())
    }

    fn handle_open(&mut self, line: &mut Line<'_>, mut reader: Reader<'_>) -> Option<()> {
        let kind = reader.string()?;
        let (peer, peer_window, peer_max) = (reader.u32()?, reader.u32()?, reader.u32()?);
        if kind != b"session" || self.closed_to_more || self.list.len() >= MAX_SESSIONS {
            let forwards = matches!(kind, b"direct-tcpip" | b"direct-streamlocal@openssh.com");
            if kind == b"direct-tcpip" {
                observe_forward(line, reader);
            }
            let mut refusal = alloc::vec![message::CHANNEL_OPEN_FAILURE];
            refusal.put_u32(peer);
            refusal.put_u32(if forwards { PROHIBITED } else { CONNECT_FAILED });
            refusal.put_string(b"open failed");
            refusal.put_string(b"");
            line.send(&refusal);
            return Some(());
        }
        let number = (0..).find(|number| self.list.iter().all(|channel| channel.number != *number))?;
        self.list.push(Channel {
            number,
            peer,
            window: 0,
            used: 0,
            peer_window,
            peer_max,
            input: Input::default(),
            ended: false,
            output: Vec::new(),
            session: Session::default(),
            status: None,
            closes: false,
        });
        let mut granted = alloc::vec![message::CHANNEL_OPEN_CONFIRMATION];
        // The window is opened when there is a program behind it.
        for field in [peer, number, 0, MAX_DATA] {
            granted.put_u32(field);
        }
        line.send(&granted);
        Some(())
    }

    fn handle_channel(&mut self, line: &mut Line<'_>, kind: u8, mut reader: Reader<'_>) -> Option<()> {
        let number = reader.u32()?;
        let place = self.list.iter().position(|channel| channel.number == number)?;
        let channel = self.list.get_mut(place)?;
        match kind {
            message::CHANNEL_WINDOW_ADJUST => channel.peer_window = channel.peer_window.checked_add(reader.u32()?)?,
            message::CHANNEL_DATA => channel.take(reader.string()?),
            message::CHANNEL_EXTENDED_DATA => {}
            message::CHANNEL_EOF => channel.ended = true,
            message::CHANNEL_CLOSE => {
                channel.advance(line);
                channel.session.end(line);
                channel.close(line);
                self.list.remove(place);
                return Some(());
            }
            message::CHANNEL_REQUEST => channel.handle_request(line, reader)?,
            _ => {}
        }
        channel.advance(line);
        Some(())
    }
}

/// Where an intruder wanted to go from here is worth knowing.
fn observe_forward(line: &mut Line<'_>, mut reader: Reader<'_>) {
    let (Some(host), Some(port)) = (reader.string(), reader.u32()) else { return };
    let mut text = b"direct-tcpip ".to_vec();
    text.extend_from_slice(host.get(..MAX_HOST).unwrap_or(host));
    text.extend_from_slice(alloc::format!(":{port}").as_bytes());
    let detail = Detail::Command { username: line.user.to_vec(), line: text };
    line.observe(Kind::Command, detail);
}

impl Channel {
    /// Takes what the client sent, as far as its window goes; what is beyond it is dropped, as OpenSSH does.
    fn take(&mut self, octets: &[u8]) {
        let room = usize::try_from(self.window).unwrap_or(usize::MAX);
        let taken = octets.get(..room).unwrap_or(octets);
        let count = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        self.window = self.window.saturating_sub(count);
        if self.status.is_none() {
            self.input.extend(taken);
        }
    }

    fn handle_request(&mut self, line: &mut Line<'_>, mut reader: Reader<'_>) -> Option<()> {
        let request = reader.string()?;
        let wants_reply = reader.boolean()?;
        let fresh = !self.session.is_started();
        let granted = match request {
            b"pty-req" if fresh => self.session.add_terminal(),
            b"env" if fresh => {
                let name = reader.string()?;
                line.spec.accepts_env.iter().any(|pattern| super::version::fits(pattern.as_bytes(), name))
            }
            b"shell" if fresh => self.session.start_shell(line),
            b"exec" if fresh => {
                let command = reader.string()?;
                self.session.start_command(line, command)
            }
            b"subsystem" if fresh => {
                let name = reader.string()?;
                name == b"sftp" && self.session.start_sftp(line)
            }
            b"window-change" | b"signal" => true,
            _ => false,
        };
        if fresh && self.session.is_started() {
            self.window = WINDOW;
            self.adjust(line, WINDOW);
        }
        if wants_reply {
            let mut reply = alloc::vec![if granted { message::CHANNEL_SUCCESS } else { message::CHANNEL_FAILURE }];
            reply.put_u32(self.peer);
            line.send(&reply);
        }
        Some(())
    }

    fn adjust(&self, line: &mut Line<'_>, octets: u32) {
        let mut payload = alloc::vec![message::CHANNEL_WINDOW_ADJUST];
        payload.put_u32(self.peer);
        payload.put_u32(octets);
        line.send(&payload);
    }

    fn advance(&mut self, line: &mut Line<'_>) {
        if self.closes {
            return;
        }
        while self.status.is_none() && self.waiting() < MAX_OUTPUT && !line.outbox.is_behind() {
            let before = self.input.len();
            self.status = self.session.advance(line, &mut self.input, self.ended, &mut self.output);
            let count = u32::try_from(before.saturating_sub(self.input.len())).unwrap_or(u32::MAX);
            self.used = self.used.saturating_add(count);
            if count == 0 {
                break;
            }
        }
        if self.used >= REOPEN_AT && self.status.is_none() {
            self.window = self.window.saturating_add(self.used);
            let used = core::mem::take(&mut self.used);
            self.adjust(line, used);
        }
        self.write(line);
        if self.output.is_empty()
            && let Some(status) = self.status
        {
            self.finish(line, status);
        }
    }

    /// What cannot be said for now is due when the way is free.
    fn due(&self) -> Option<u64> {
        let speaks = !self.closes && self.status.is_none() && self.waiting() < MAX_OUTPUT;
        self.session.due().filter(|_| speaks)
    }

    fn waiting(&self) -> usize {
        self.output.iter().map(|(_, octets)| octets.len()).sum()
    }

    /// Sends output as far as the client's window and the way to it go.
    fn write(&mut self, line: &mut Line<'_>) {
        while let Some((errors, octets)) = self.output.first_mut() {
            let most = self.peer_window.min(self.peer_max).min(MAX_DATA);
            if most == 0 || line.outbox.is_behind() || line.transport.is_exchanging() {
                return;
            }
            let count = octets.len().min(usize::try_from(most).unwrap_or(0));
            let rest = octets.split_off(count);
            let part = core::mem::replace(octets, rest);
            let mut payload = alloc::vec![if *errors { message::CHANNEL_EXTENDED_DATA } else { message::CHANNEL_DATA }];
            payload.put_u32(self.peer);
            if *errors {
                payload.put_u32(STDERR);
            }
            payload.put_string(&part);
            if octets.is_empty() {
                self.output.remove(0);
            }
            self.peer_window = self.peer_window.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            line.send(&payload);
            line.outbox.flush();
        }
    }

    /// The session is over: its status, and the channel's end.
    fn finish(&mut self, line: &mut Line<'_>, status: u8) {
        let mut exit = alloc::vec![message::CHANNEL_REQUEST];
        exit.put_u32(self.peer);
        exit.put_string(b"exit-status");
        exit.push(0);
        exit.put_u32(u32::from(status));
        line.send(&exit);
        if line.spec.says_eow && line.transport.client_version().windows(7).any(|name| name == b"OpenSSH") {
            let mut eow = alloc::vec![message::CHANNEL_REQUEST];
            eow.put_u32(self.peer);
            eow.put_string(b"eow@openssh.com");
            eow.push(0);
            line.send(&eow);
        }
        let mut eof = alloc::vec![message::CHANNEL_EOF];
        eof.put_u32(self.peer);
        line.send(&eof);
        self.close(line);
    }

    fn close(&mut self, line: &mut Line<'_>) {
        if core::mem::replace(&mut self.closes, true) {
            return;
        }
        let mut close = alloc::vec![message::CHANNEL_CLOSE];
        close.put_u32(self.peer);
        line.send(&close);
    }
}

/// A name as text, for what takes only that.
fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The shell of the product, if it has one.
fn shell(line: &Line<'_>, terminal: bool) -> Option<Shell> {
    let spec: &Arc<_> = line.spec.shell.as_ref()?;
    Some(Shell::new(spec, &line.who.identity(), &lossy(line.user), line.utc, &line.around, terminal))
}

/// The command line of the product, if it has one.
fn console(line: &Line<'_>, terminal: bool) -> Option<Console> {
    let spec = line.spec.console.as_ref()?;
    let console = Console::new(spec, line.who, &lossy(line.user), line.utc, &line.around, terminal);
    Some(console.admitting(line.accounts))
}

/// What reads lines in the product: its command line or its shell.
fn interpreter(line: &Line<'_>, terminal: bool) -> Option<Box<dyn Interpreter>> {
    match console(line, terminal) {
        Some(console) => Some(Box::new(console)),
        None => shell(line, terminal).map(|shell| Box::new(shell) as Box<dyn Interpreter>),
    }
}
