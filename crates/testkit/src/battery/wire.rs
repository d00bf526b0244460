//! One packet socket for all stations of a recording: frames go out as they are, and come in with the kernel's own
//! receive stamp, sorted by the station whose card they name.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chaff_lab::{Namespace, PacketSocket};
use chaff_wire::{
    Mac, arp,
    ethernet::{self, Content, Frame},
};

use crate::{forwarder::ignore_outgoing, neighbour};

/// Room for a frame.
const ROOM: usize = 2048;
/// How long the hearing thread sleeps; it must notice that it shall stop.
const IDLE: Duration = Duration::from_millis(50);

/// A frame, and when it came: nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) at: u64,
    pub(super) octets: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Wire {
    socket: PacketSocket,
    /// In the upper half the side, in the lower the round.
    side: u8,
    seats: Vec<Seat>,
    stop: AtomicBool,
}

/// What the hearing thread knows of a station.
#[derive(Debug)]
struct Seat {
    sender: Sender<Heard>,
    receiver: Mutex<Option<Receiver<Heard>>>,
    /// It is asked for by ARP, and answers.
    answers: AtomicBool,
}

impl Wire {
    pub(super) fn open(
        namespace: &Namespace,
        interface: &str,
        (side, round): (u8, u8),
        stations: usize,
    ) -> io::Result<Self> {
        let socket = PacketSocket::open(namespace, interface).map_err(io::Error::other)?;
        ignore_outgoing(&socket)?;
        stamp(&socket)?;
        let seat = |_| {
            let (sender, receiver) = channel();
            Seat { sender, receiver: Mutex::new(Some(receiver)), answers: AtomicBool::new(true) }
        };
        let side = (side & 3) << 4 | round & 15;
        Ok(Self { socket, side, seats: (0..stations).map(seat).collect(), stop: AtomicBool::new(false) })
    }

    /// The card and the address of a station.
    pub(super) fn identity(&self, station: usize) -> (Mac, Ipv4Addr) {
        let [high, low] = u16::try_from(station).unwrap_or(u16::MAX).to_be_bytes();
        (Mac([0x52, 0x54, 0x0b, self.side, high, low]), Ipv4Addr::new(10, 64 + self.side, high, low.wrapping_add(1)))
    }

    /// What comes for a station; taken once.
    pub(super) fn inbox(&self, station: usize) -> Receiver<Heard> {
        let mut seat = self.seats[station].receiver.lock().expect("nobody panics with it");
        seat.take().expect("each station is made once")
    }

    /// Whether a station answers ARP.
    pub(super) fn answer_arp(&self, station: usize, answers: bool) {
        self.seats[station].answers.store(answers, Ordering::SeqCst);
    }

    pub(super) fn send(&self, frame: &[u8]) -> u64 {
        let at = now();
        let mut octets = frame.to_vec();
        octets.resize(octets.len().max(ethernet::MIN_FRAME), 0);
        // A link that is down shows as answers that never come.
        let _ = self.socket.send(&octets);
        at
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Sorts frames until it is stopped.
    pub(super) fn hear(&self) {
        let mut buffer = vec![0; ROOM];
        while !self.stop.load(Ordering::SeqCst) {
            if let Ok(Some((length, at))) = receive(&self.socket, &mut buffer) {
                self.sort(&buffer[..length], at);
            }
        }
    }

    fn sort(&self, octets: &[u8], at: u64) {
        let Some(frame) = Frame::parse(octets) else { return };
        let asked = match frame.content {
            Content::Type(ethernet::ARP, packet) => arp::Packet::parse(packet),
            _ => None,
        };
        let station = match asked {
            Some(packet) if frame.destination.is_group() => self.station_at(packet.target_ip),
            _ => self.station_of(frame.destination),
        };
        let Some((number, seat)) = station.and_then(|number| Some((number, self.seats.get(number)?))) else { return };
        if seat.answers.load(Ordering::SeqCst)
            && let Some(answer) = neighbour::answer(octets, self.identity(number))
        {
            self.send(&answer);
        }
        // A station that has ended hears no more.
        let _ = seat.sender.send(Heard { at, octets: octets.to_vec() });
    }

    fn station_of(&self, mac: Mac) -> Option<usize> {
        let [0x52, 0x54, 0x0b, side, high, low] = mac.0 else { return None };
        (side == self.side).then(|| usize::from(u16::from_be_bytes([high, low])))
    }

    fn station_at(&self, ip: Ipv4Addr) -> Option<usize> {
        (0..self.seats.len()).find(|&number| self.identity(number).1 == ip)
    }
}

/// Nanoseconds since 1970: the clock of the kernel's stamps.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Asks the kernel for receive stamps.
fn stamp(socket: &PacketSocket) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&yes)).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of `yes`, which outlives the call.
    let result =
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const yes).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits a little for a frame: its length and its stamp.
fn receive(socket: &PacketSocket, buffer: &mut [u8]) -> io::Result<Option<(usize, u64)>> {
    let mut waiting = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::IN)];
    let timeout = rustix::event::Timespec::try_from(IDLE).map_err(io::Error::other)?;
    if rustix::event::poll(&mut waiting, Some(&timeout))? == 0 {
        return Ok(None);
    }
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // Aligned as the kernel's control messages are.
    let mut control = [0_u64; 16];
    // SAFETY: msghdr is plain old data; all zeroes is a valid value of it.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: `message` points at `vector` and `control`, and `vector` at `buffer`; all outlive the call, and their
    // lengths are their own.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    let mut at = now();
    // SAFETY: the kernel has filled `message`; the macros walk its control messages within `msg_controllen`, and a
    // SCM_TIMESTAMPNS message holds one timespec, which may lie unaligned.
    unsafe {
        let mut part = libc::CMSG_FIRSTHDR(&raw const message);
        while !part.is_null() {
            if (*part).cmsg_level == libc::SOL_SOCKET && (*part).cmsg_type == libc::SCM_TIMESTAMPNS {
                let time: libc::timespec = std::ptr::read_unaligned(libc::CMSG_DATA(part).cast());
                at = u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0);
            }
            part = libc::CMSG_NXTHDR(&raw const message, part);
        }
    }
    Ok(Some((length.min(buffer.len()), at)))
}
