//! Machines that are domains of Xen's.
//!
//! Only root of the first domain makes domains, and the node host is nobody: so it asks the *keeper* ([`keep`]), a process
//! that keeps root's rights and hears nothing from any network but what it carries. The node host hands it a boot module and
//! the far ends of the machine's sockets, as it does to an emulator, and says for which decoy; all else (name, card, image,
//! memory) the keeper knows by itself, so whoever takes the node host over gets no other domain out of it.
//!
//! For each domain the keeper carries frames between the domain's interface in the first domain and the node host's
//! switch, and octets between the domain's console and the node host. That interface is in no bridge, and in a network
//! namespace of the keeper's in which nothing else is: no address, no route, no forwarding. So there is no way around the
//! switch.

mod domain;
mod keeper;
mod vif;

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        Shutdown, SocketType,
    },
};

pub use keeper::{Setup, keep};

use super::machine::{FarEnds, pair};

/// Descriptors of a question: module, frames, console, what is said, and the stream that ends with the domain.
const HANDED: usize = 5;

/// Octets of the reason for an end that are kept.
const REASON: usize = 200;

/// The node host's hold on a domain: a stream on which its keeper says why it ended.
#[derive(Debug)]
pub(super) struct Domain {
    life: OwnedFd,
    reason: Vec<u8>,
}

/// Asks the keeper for the machine of decoy `index`.
pub(super) fn ask(keeper: &OwnedFd, index: usize, module: &OwnedFd, far: &FarEnds) -> io::Result<Domain> {
    let (life, life_far) = pair(SocketType::STREAM)?;
    let index = u32::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
    let files = [module.as_fd(), far.frames.as_fd(), far.console.as_fd(), far.said.as_fd(), life_far.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDED))];
    let mut handed = SendAncillaryBuffer::new(&mut space);
    handed.push(SendAncillaryMessage::ScmRights(&files));
    let octets = index.to_le_bytes();
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    rustix::net::sendmsg(keeper, &[io::IoSlice::new(&octets)], &mut handed, flags)?;
    Ok(Domain { life, reason: Vec::new() })
}

impl Domain {
    pub(super) fn end(&self) {
        let _ = rustix::net::shutdown(&self.life, Shutdown::Write);
    }

    /// Why it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        loop {
            let mut octets = [0; REASON];
            match rustix::io::read(&self.life, &mut octets) {
                Ok(length) if length > 0 => {
                    self.reason.extend(octets.iter().take(length));
                    self.reason.truncate(REASON);
                }
                Err(Errno::AGAIN) => return None,
                Err(Errno::INTR) => {}
                // The keeper closes it, or has ended.
                Ok(_) | Err(_) => break,
            }
        }
        let said = String::from_utf8_lossy(&self.reason).into_owned();
        Some(if said.is_empty() { "the keeper of domains ended".to_owned() } else { said })
    }
}

impl AsFd for Domain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.life.as_fd()
    }
}

/// What the node host asks for: a machine, and what it is to hold.
#[derive(Debug)]
struct Wanted {
    index: usize,
    module: OwnedFd,
    frames: OwnedFd,
    console: OwnedFd,
    said: OwnedFd,
    life: OwnedFd,
}

/// The next question; `None` when there is none now. What is no question is passed over.
fn next_question(questions: &OwnedFd) -> io::Result<Option<Wanted>> {
    let mut octets = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDED))];
    let mut handed = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let length = match rustix::net::recvmsg(questions, &mut [io::IoSliceMut::new(&mut octets)], &mut handed, flags) {
        Ok(received) => received.bytes,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let rights = handed.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files: Vec<OwnedFd> = rights.flatten().collect();
    let Ok([module, frames, console, said, life]) = <[OwnedFd; HANDED]>::try_from(files) else { return Ok(None) };
    let index = usize::try_from(u32::from_le_bytes(octets)).unwrap_or(usize::MAX);
    Ok((length == octets.len()).then_some(Wanted { index, module, frames, console, said, life }))
}

#[cfg(test)]
mod tests;
