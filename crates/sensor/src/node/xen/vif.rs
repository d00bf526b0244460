//! A domain's interface in the first domain: taken into the keeper's own network namespace, and a packet socket on it.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice::name_to_index, socket_with};

use crate::sys;

/// Two namespaces: the one that interfaces come into being in, and the one that they are taken to.
#[derive(Debug)]
pub(super) struct Namespaces {
    there: OwnedFd,
    here: OwnedFd,
    /// Any socket there, to look names up with.
    look_up: OwnedFd,
}

impl Namespaces {
    /// Leaves the namespace that this process was started in for a new one. To be called while it has one thread.
    pub(super) fn leave() -> io::Result<Self> {
        let (there, look_up) = (routing()?, any()?);
        // SAFETY: the call takes no memory; this thread, the only one, is in another namespace after it.
        sys::check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        // Interfaces are to have no address at all, not even one that the kernel makes of their cards'. A kernel without
        // IPv6 lacks the file, and the addresses.
        let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        Ok(Self { there, here: routing()?, look_up })
    }

    /// Takes the interface `name` over; a packet socket on it.
    pub(super) fn take(&self, name: &str) -> io::Result<OwnedFd> {
        let index = name_to_index(&self.look_up, name)?;
        change(&self.there, index, 0, Some(std::process::id()))?;
        // Up before the socket is bound, which else has the error of an interface that is down.
        let socket =
            socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        let index = name_to_index(&socket, name)?;
        change(&self.here, index, libc::IFF_UP as u32, None)?;
        for option in [libc::PACKET_IGNORE_OUTGOING, libc::PACKET_AUXDATA] {
            sys::set_option(&socket, libc::SOL_PACKET, option, &1)?;
        }
        sys::bind_packet(&socket, index, libc::ETH_P_ALL as u16)?;
        Ok(socket)
    }
}

fn routing() -> io::Result<OwnedFd> {
    // Protocol 0 of netlink is routing.
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?)
}

fn any() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

/// Sets `flags` of an interface, or moves it to the namespace of a process (rtnetlink(7), RTM_NEWLINK), and waits for the
/// kernel's word.
fn change(socket: &OwnedFd, index: u32, flags: u32, to: Option<u32>) -> io::Result<()> {
    let message = link_message(index, flags, to);
    rustix::net::send(socket, &message, rustix::net::SendFlags::empty())?;
    let mut answer = [0; 512];
    let (_, length) = rustix::net::recv(socket.as_fd(), &mut answer[..], rustix::net::RecvFlags::empty())?;
    // A header of 16 octets, then the error, 0 if there is none (RFC 3549 §2.3.2.2).
    let error = answer.get(..length).and_then(|answer| answer.get(16..20)?.first_chunk());
    match error.map(|&octets| i32::from_ne_bytes(octets)) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// `struct nlmsghdr`, `struct ifinfomsg`, and an attribute.
fn link_message(index: u32, flags: u32, to: Option<u32>) -> Vec<u8> {
    let attribute = to.map(|process| {
        let head = [8_u16, libc::IFLA_NET_NS_PID].map(u16::to_ne_bytes);
        [head.as_flattened(), &process.to_ne_bytes()].concat()
    });
    let attribute = attribute.unwrap_or_default();
    let length = (32 + attribute.len()) as u32;
    let asks = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend([libc::RTM_NEWLINK, asks].map(u16::to_ne_bytes).as_flattened());
    // Its number, and its sender's, which the kernel sets.
    message.extend([1_u32, 0].map(u32::to_ne_bytes).as_flattened());
    // Any family, any kind.
    message.extend([0; 4]);
    message.extend([index, flags, flags].map(u32::to_ne_bytes).as_flattened());
    message.extend(attribute);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_the_kernel_reads() {
        let up = link_message(7, 1, None);
        assert_eq!(
            (up.len(), &up[..4], &up[20..32]),
            (32, &32_u32.to_ne_bytes()[..], &[7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..])
        );
        let moved = link_message(7, 0, Some(0x0102_0304));
        assert_eq!((moved.len(), &moved[32..]), (40, &[8, 0, 19, 0, 4, 3, 2, 1][..]));
    }
}
