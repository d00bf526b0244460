//! System calls that rustix does not wrap. All of the kernel's sizes are checked here, so that callers stay safe.
#![allow(unsafe_code)]

use std::{
    io, mem,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd},
};

/// Sets a socket option to a plain C value.
pub(crate) fn set_option<T: Copy>(socket: impl AsFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(mem::size_of::<T>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `value` is valid for reads of `length` octets for the duration of the call; the kernel only reads.
    let done =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length) };
    check(done).map(drop)
}

/// Reads a socket option that is a plain C value.
pub(crate) fn option<T: Copy + Default>(socket: impl AsFd, level: i32, name: i32) -> io::Result<T> {
    let mut value = T::default();
    let mut length = libc::socklen_t::try_from(mem::size_of::<T>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `value` is valid for writes of `length` octets, and any octets are a value of the C types used here
    // (integers and structs of integers), which `Default + Copy` and the private callers ensure.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    check(done).map(|_| value)
}

/// Binds a packet socket to an interface; `protocol` is in host order, 0 receives nothing.
pub(crate) fn bind_packet(socket: impl AsFd, index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is a struct of integers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
    let length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is valid for reads of `length` octets.
    let done = unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const address).cast(), length) };
    check(done).map(drop)
}

/// The interface that a packet socket is bound to; `None` when that interface is gone.
pub(crate) fn bound_index(socket: impl AsFd) -> io::Result<Option<u32>> {
    let address = bound_address(socket)?;
    Ok(u32::try_from(address.sll_ifindex).ok().filter(|&index| index != 0))
}

/// The kind of hardware (`ARPHRD_…`) of the interface that a packet socket is bound to.
pub(crate) fn hardware_type(socket: impl AsFd) -> io::Result<u16> {
    Ok(bound_address(socket)?.sll_hatype)
}

fn bound_address(socket: impl AsFd) -> io::Result<libc::sockaddr_ll> {
    // SAFETY: as in `bind_packet`.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    let mut length = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is valid for writes of `length` octets.
    let done = unsafe { libc::getsockname(socket.as_fd().as_raw_fd(), (&raw mut address).cast(), &raw mut length) };
    check(done).map(|_| address)
}

/// One line of what the kernel says of its interfaces: a name, whether it is up, and one address if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    pub(crate) name: String,
    pub(crate) up: bool,
    pub(crate) address: Option<IpAddr>,
}

/// Every interface at least once (by its link-layer line), and once more for each IP address.
pub(crate) fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut head: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `head` is valid for writes; the list is freed below.
    check(unsafe { libc::getifaddrs(&raw mut head) })?;
    let mut found = Vec::new();
    let mut at = head;
    while !at.is_null() {
        // SAFETY: `at` is a node of the list that `getifaddrs` made and that is not yet freed.
        let node = unsafe { &*at };
        // SAFETY: the name is a C string that lives as long as the list.
        let name = unsafe { std::ffi::CStr::from_ptr(node.ifa_name) };
        found.push(InterfaceAddress {
            name: name.to_string_lossy().into_owned(),
            up: node.ifa_flags & libc::IFF_UP as u32 != 0,
            address: ip_of(node.ifa_addr),
        });
        at = node.ifa_next;
    }
    // SAFETY: `head` came from `getifaddrs` and nothing borrowed from it is left.
    unsafe { libc::freeifaddrs(head) };
    Ok(found)
}

fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: `getifaddrs` gives an address that is as long as its family says; unaligned reads ask nothing more.
    unsafe {
        match i32::from((&raw const (*address).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::from(v4.sin_addr.s_addr.to_ne_bytes()))
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::from(v6.sin6_addr.s6_addr))
            }
            _ => None,
        }
    }
}

pub(crate) fn check(done: libc::c_int) -> io::Result<libc::c_int> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

/// Frames that a packet socket lost for lack of room since this was asked last.
pub(crate) fn lost_frames(socket: impl AsFd) -> io::Result<u64> {
    let statistics: [libc::c_uint; 2] = option(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
    let [_received, lost] = statistics;
    Ok(lost.into())
}

/// Attaches a classic BPF program that judges every frame before it is queued.
pub(crate) fn attach_filter(socket: impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel copies the program and writes nothing, whatever the type of the pointer says.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// A frame of a packet socket that has PACKET_AUXDATA, and the tag that the kernel took out of it: its type and its control
/// information (packet(7)).
pub(crate) fn receive_tagged(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<(u16, u16)>)> {
    /// `struct tpacket_auxdata`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Auxiliary {
        status: u32,
        _lengths: [u32; 2],
        _places: [u16; 2],
        tci: u16,
        tpid: u16,
    }
    let mut control = [0_u64; 16];
    let mut piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a struct of integers and pointers, for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: the message names the buffer and the room for control messages, both valid for writes during the call.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has filled in the message, whose control messages lie in `control`; a head that is not null is
    // inside.
    let head = unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if head.is_null() { None } else { Some((head, *head)) }
    };
    let whole = mem::size_of::<libc::cmsghdr>() + mem::size_of::<Auxiliary>();
    let is_tag = |head: &libc::cmsghdr| head.cmsg_level == libc::SOL_PACKET && head.cmsg_len >= whole;
    let Some((head, _)) = head.filter(|(_, head)| is_tag(head)) else {
        return Ok((length.min(buffer.len()), None));
    };
    // SAFETY: the control message is as long as this struct and its head, which was looked at above.
    let auxiliary = unsafe { libc::CMSG_DATA(head).cast::<Auxiliary>().read_unaligned() };
    let (valid, typed) = (libc::TP_STATUS_VLAN_VALID, libc::TP_STATUS_VLAN_TPID_VALID);
    let tpid = if auxiliary.status & typed != 0 { auxiliary.tpid } else { crate::offload::TPID_8021Q };
    let tag = (auxiliary.status & valid != 0).then_some((tpid, auxiliary.tci));
    Ok((length.min(buffer.len()), tag))
}

/// Makes a terminal a stream of octets, as cfmakeraw(3) does.
pub(crate) fn make_raw(terminal: impl AsFd) -> io::Result<()> {
    let number = terminal.as_fd().as_raw_fd();
    // SAFETY: a struct of integers, for which all zeroes is a value; the calls read and write it alone.
    unsafe {
        let mut settings: libc::termios = mem::zeroed();
        check(libc::tcgetattr(number, &raw mut settings))?;
        libc::cfmakeraw(&raw mut settings);
        check(libc::tcsetattr(number, libc::TCSANOW, &raw const settings)).map(drop)
    }
}
