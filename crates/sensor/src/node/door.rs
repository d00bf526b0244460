//! `chaff node`: questions on a unix socket in the state directory, which its owner alone can enter.
//!
//! One question a connection: a postcard value until the client closes its side, then the answer until this side does.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    time::Duration,
};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Name of the socket in the state directory.
pub const SOCKET: &str = "node.sock";

/// Questions at the same time; a further one waits.
const CLIENTS: usize = 8;

/// Octets of a question: the longest host name.
const QUESTION: usize = 512;

/// Octets of an answer: a line for each of a thousand machines.
const ANSWER: u64 = 4 << 20;

/// How long the command waits for the host.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// All machines.
    List,
    /// End that machine and start it again; by host name or address.
    Restart(String),
    /// What that machine has said.
    Console(String),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The machines, in the order of the fleet.
    Nodes(Vec<Status>),
    /// It is done.
    Done,
    /// Lines, oldest first.
    Lines(Vec<String>),
    /// No machine has that name, or several have.
    NoSuchNode(String),
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Host name of its decoy.
    pub name: String,
    /// Address.
    pub ip: IpAddr,
    /// `up`, `starting` or `waiting`.
    pub state: String,
    /// Its process, if it runs.
    pub pid: Option<u32>,
    /// How long it has answered, in milliseconds.
    pub up_ms: u64,
    /// Starts after the first.
    pub restarts: u32,
    /// Frames of its own that were not its own.
    pub forged: u64,
    /// Frames for it that were lost for lack of room.
    pub lost: u64,
    /// What executes its code: `kvm`, `tcg` or `xen`.
    pub accel: String,
}

/// Asks the node host of the state directory `state`.
///
/// # Errors
/// When nobody listens there, or does not answer in time.
pub fn ask(state: &Path, question: &Question) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(state.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&postcard::to_allocvec(question).map_err(io::Error::other)?)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    postcard::from_bytes(&answer).map_err(io::Error::other)
}

/// The host's side.
#[derive(Debug)]
pub(super) struct Door {
    listener: OwnedFd,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    question: Vec<u8>,
    answer: Option<Vec<u8>>,
    sent: usize,
    done: bool,
}

impl Door {
    pub(super) fn new(listener: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&listener, true)?;
        Ok(Self { listener, clients: Vec::new() })
    }

    /// Lets in who waits; gives what is new, to be watched.
    pub(super) fn admit(&mut self) -> Option<BorrowedFd<'_>> {
        if self.clients.len() >= CLIENTS {
            // Whoever says nothing makes room for whoever does.
            self.clients.remove(0);
        }
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        let socket = rustix::net::accept_with(&self.listener, flags).ok()?;
        self.clients.push(Client { socket, question: Vec::new(), answer: None, sent: 0, done: false });
        self.clients.last().map(|client| client.socket.as_fd())
    }

    /// Reads and writes what can be, with `answer` to whoever has asked.
    pub(super) fn serve(&mut self, mut answer: impl FnMut(Question) -> Answer) {
        for client in &mut self.clients {
            client.read(&mut answer);
            client.write();
        }
        self.clients.retain(|client| !client.done);
    }
}

impl Client {
    fn read(&mut self, answer: &mut impl FnMut(Question) -> Answer) {
        let mut octets = [0; QUESTION];
        while self.answer.is_none() && !self.done {
            match rustix::io::read(&self.socket, &mut octets) {
                Ok(0) => match postcard::from_bytes(&self.question) {
                    Ok(question) => self.answer = postcard::to_allocvec(&answer(question)).ok(),
                    Err(_) => self.done = true,
                },
                Ok(length) => {
                    self.question.extend(octets.iter().take(length));
                    self.done = self.question.len() > QUESTION;
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => self.done = true,
            }
        }
    }

    fn write(&mut self) {
        let Some(answer) = &self.answer else { return };
        while let Some(rest) = answer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match rustix::net::send(&self.socket, rest, rustix::net::SendFlags::NOSIGNAL) {
                Ok(length) => self.sent += length,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.done = true;
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
