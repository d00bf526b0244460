//! Load for the bench: frames made beforehand, sent at a set rate, answers counted by the kernel's own filter, so
//! that counting costs next to nothing. The sender has a thread, and where there is one a processor, of its own.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use chaff_lab::{Namespace, PacketSocket};
use chaff_wire::{
    Mac, ethernet, icmpv4, ipv4,
    tcp::{self, Flags, OptionList, TcpOption},
};

use crate::{forwarder::ignore_outgoing, neighbour};

/// Frames in one system call.
const BATCH: usize = 64;
/// How soon a resident hears that it is to end.
const PATIENCE: Duration = Duration::from_millis(100);
/// Answers that come after the last frame was sent still count for so long.
const GRACE: Duration = Duration::from_millis(50);

/// What is sent, and what counts as its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A SYN; the answer is a SYN-ACK.
    Syn,
    /// An ICMP echo request; the answer is a reply.
    Echo,
}

/// Whom frames go to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Hardware address.
    pub mac: Mac,
    /// Address.
    pub ip: Ipv4Addr,
}

/// What came of one run.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Frames that left.
    pub sent: u64,
    /// Answers that came.
    pub answered: u64,
    /// How long the sending took.
    pub seconds: f64,
}

impl Outcome {
    /// Frames a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.seconds
    }

    /// Answered part, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.answered as f64 / self.sent as f64 }
    }
}

/// An interface to send from, and the counter of what comes back.
#[derive(Debug)]
pub struct Generator {
    sender: PacketSocket,
    namespace: Namespace,
    interface: String,
}

impl Generator {
    /// Opens `interface` of `namespace`.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn open(namespace: &Namespace, interface: &str) -> io::Result<Self> {
        let sender = PacketSocket::open(namespace, interface).map_err(io::Error::other)?;
        // The sender hears nothing: it would only slow the kernel down.
        filter(&sender, &[statement(libc::BPF_RET | libc::BPF_K, 0, 0, 0)])?;
        ignore_outgoing(&sender)?;
        option(&sender, libc::PACKET_QDISC_BYPASS)?;
        Ok(Self { sender, namespace: namespace.clone(), interface: interface.into() })
    }

    /// Sends `frames` once, `per_second` of them a second (0: as fast as it goes), and counts answers of `kind`.
    ///
    /// # Errors
    /// When the link is down.
    pub fn run(&self, kind: Kind, frames: &[Vec<u8>], per_second: u64) -> io::Result<Outcome> {
        let counter = PacketSocket::open(&self.namespace, &self.interface).map_err(io::Error::other)?;
        ignore_outgoing(&counter)?;
        filter(&counter, &answers(kind))?;
        // What came in before the filter was there.
        statistics(&counter)?;
        let begun = Instant::now();
        let mut sent = 0_u64;
        for batch in frames.chunks(BATCH) {
            if per_second > 0 {
                let due = Duration::from_secs_f64(sent as f64 / per_second as f64);
                while begun.elapsed() < due {
                    std::hint::spin_loop();
                }
            }
            sent += send_batch(&self.sender, batch)?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        std::thread::sleep(GRACE);
        Ok(Outcome { sent, answered: statistics(&counter)?, seconds })
    }

    /// The highest rate at which at least `share` of all frames are answered: halving, `steps` times. `make` gives
    /// fresh frames for a number of them. Each try takes `seconds`, short of the first retransmission of a SYN-ACK; a rate
    /// that fails is tried once more, since whatever else runs on the machine for a moment fails it as well.
    ///
    /// # Errors
    /// When the link is down.
    pub fn search(
        &self,
        kind: Kind,
        share: f64,
        steps: u32,
        seconds: f64,
        mut make: impl FnMut(usize) -> Vec<Vec<u8>>,
    ) -> io::Result<Outcome> {
        let mut once = |rate: f64| {
            let frames = make((rate * seconds) as usize);
            let outcome = self.run(kind, &frames, rate as u64);
            std::thread::sleep(Duration::from_millis(200));
            outcome
        };
        let mut try_at = |rate: f64| match once(rate)? {
            outcome if outcome.share() >= share => Ok(outcome),
            _ => once(rate),
        };
        // As fast as the generator itself can: the ceiling of the search.
        let first = try_at(2_000_000.0)?;
        let (mut low, mut high) = (10_000.0, first.rate());
        let mut best = first;
        if first.share() >= share {
            return Ok(first);
        }
        for _ in 0..steps {
            let middle = (low + high) / 2.0;
            let outcome = try_at(middle)?;
            if outcome.share() >= share {
                (low, best) = (middle, outcome);
            } else {
                high = middle;
            }
        }
        Ok(best)
    }
}

/// Somebody who answers ARP for an address that no kernel has, until it is dropped: hosts ask for whom they do not know.
#[derive(Debug)]
pub struct Resident {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resident {
    /// Moves in as `who` at `interface` of `namespace`.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn at(namespace: &Namespace, interface: &str, who: Target) -> io::Result<Self> {
        let socket = PacketSocket::open(namespace, interface).map_err(io::Error::other)?;
        ignore_outgoing(&socket)?;
        filter(&socket, &questions_alone())?;
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let answer = move || {
            let mut buffer = [0; 128];
            while !ended.load(Ordering::SeqCst) {
                let Ok(Some(length)) = socket.receive(&mut buffer, PATIENCE) else { continue };
                if let Some(answer) = neighbour::answer(&buffer[..length], (who.mac, who.ip)) {
                    // A link that is down shows in what is measured.
                    let _ = socket.send(&answer);
                }
            }
        };
        Ok(Self { stop, thread: Some(std::thread::spawn(answer)) })
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes SYNs or echo requests to `targets` in turn, each from another port or with another number; `salt` makes the
/// ones of a later run differ.
#[must_use]
pub fn frames(kind: Kind, source: Target, targets: &[Target], port: u16, count: usize, salt: u32) -> Vec<Vec<u8>> {
    let mut frames = Vec::with_capacity(count);
    for (n, target) in targets.iter().cycle().take(count).enumerate() {
        let number = u32::try_from(n).unwrap_or(0).wrapping_add(salt.wrapping_mul(0x0100_0193));
        let round = u32::try_from(n / targets.len().max(1)).unwrap_or(0).wrapping_add(salt.wrapping_mul(7919));
        let mut payload = Vec::with_capacity(40);
        match kind {
            Kind::Syn => {
                let mut options = OptionList::new();
                options.push(TcpOption::MaxSegmentSize(1460));
                let from = 1024 + u16::try_from(round % 60_000).unwrap_or(0);
                tcp::Header {
                    source: from,
                    destination: port,
                    seq: number,
                    ack: 0,
                    reserved: 0,
                    flags: Flags::SYN,
                    window: 1024,
                    urgent: 0,
                    options: options.as_octets(),
                }
                .emit(source.ip, target.ip, &[], &mut payload);
            }
            Kind::Echo => {
                icmpv4::Header { kind: icmpv4::ECHO, code: 0, word: number.to_be_bytes() }.emit(&[7; 18], &mut payload);
            }
        }
        frames.push(frame(kind, source, *target, &payload));
    }
    frames
}

fn frame(kind: Kind, source: Target, target: Target, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ethernet::MIN_FRAME);
    let kinds = ethernet::Header { destination: target.mac, source: source.mac, vlan: None, kind: ethernet::IPV4 };
    kinds.emit(&mut frame);
    let header = ipv4::Header {
        tos: 0,
        id: 0,
        df: true,
        mf: false,
        offset: 0,
        ttl: 64,
        protocol: if kind == Kind::Syn { ipv4::TCP } else { ipv4::ICMP },
        source: source.ip,
        destination: target.ip,
        options: &[],
    };
    header.emit(payload.len(), &mut frame);
    frame.extend_from_slice(payload);
    frame.resize(frame.len().max(ethernet::MIN_FRAME), 0);
    frame
}

/// Round trips of single echo requests, or of SYNs to `port` and what answers them, sent at moments that follow no grid.
/// One `None` for each that was lost.
///
/// # Errors
/// When the link is down.
pub fn round_trips(
    (namespace, interface): (&Namespace, &str),
    (kind, port): (Kind, u16),
    source: Target,
    target: Target,
    count: u32,
    seed: u64,
) -> io::Result<Vec<Option<Duration>>> {
    let socket = PacketSocket::open(namespace, interface).map_err(io::Error::other)?;
    ignore_outgoing(&socket)?;
    filter(&socket, &answers(kind))?;
    let mut chance = crate::chance::Chance::new(seed);
    let mut buffer = [0; 2048];
    let mut trips = Vec::new();
    while socket.receive(&mut buffer, Duration::ZERO)?.is_some() {}
    for number in 0..count {
        let request = frames(kind, source, &[target], port, 1, number);
        let pause = Instant::now();
        let gap = Duration::from_micros(200 + chance.below(1800));
        // Spinning keeps this processor awake in every case alike: what is measured is the other side.
        while pause.elapsed() < gap {
            std::hint::spin_loop();
        }
        let begun = Instant::now();
        socket.send(request.first().map_or(&[][..], |frame| &frame[..]))?;
        let mut came = None;
        while came.is_none() && begun.elapsed() < Duration::from_millis(100) {
            if socket.receive(&mut buffer, Duration::ZERO)?.is_some() {
                came = Some(begun.elapsed());
            }
        }
        trips.push(came);
    }
    Ok(trips)
}

/// The middle one of some values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Binds the calling thread to one processor; does nothing where there is only one.
pub fn pin(processor: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    // Where this is refused, figures are less steady and no less true.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

fn send_batch(socket: &PacketSocket, batch: &[Vec<u8>]) -> io::Result<u64> {
    let fd = socket.as_fd().as_raw_fd();
    let vector = |frame: &Vec<u8>| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    let mut vectors: Vec<libc::iovec> = batch.iter().map(vector).collect();
    let message = |vector: &mut libc::iovec| {
        // SAFETY: mmsghdr is plain old data; all zeroes is a valid value of it.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        message
    };
    let mut messages: Vec<libc::mmsghdr> = vectors.iter_mut().map(message).collect();
    let mut done = 0;
    while done < messages.len() {
        let rest = &mut messages[done..];
        let length = libc::c_uint::try_from(rest.len()).map_err(io::Error::other)?;
        // SAFETY: `rest` holds `length` messages whose vectors point into `batch`; all outlive the call, which only
        // reads the frames.
        let sent = unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), length, 0) };
        match usize::try_from(sent) {
            Ok(sent) => done += sent.max(1),
            Err(_) => {
                let error = io::Error::last_os_error();
                // A full queue of the interface: try again, as a scanner would.
                if error.raw_os_error() != Some(libc::ENOBUFS) && error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(batch.len() as u64)
}

/// How many frames passed the filter since the last call, those included for which there was no room.
fn statistics(socket: &PacketSocket) -> io::Result<u64> {
    // SAFETY: tpacket_stats is plain old data; all zeroes is a valid value of it.
    let mut counts: libc::tpacket_stats = unsafe { std::mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of_val(&counts)).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of `counts`, which outlives the call.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_PACKET, libc::PACKET_STATISTICS, (&raw mut counts).cast(), &raw mut length)
    };
    if result == 0 { Ok(u64::from(counts.tp_packets)) } else { Err(io::Error::last_os_error()) }
}

fn option(socket: &PacketSocket, name: libc::c_int) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&yes)).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of `yes`, which outlives the call.
    let result = unsafe { libc::setsockopt(fd, libc::SOL_PACKET, name, (&raw const yes).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets through the answers of `kind`: IPv4 without options, as all answers to these frames are.
fn answers(kind: Kind) -> Vec<libc::sock_filter> {
    let (protocol, at, value) = match kind {
        // Flags of the TCP header: SYN and ACK.
        Kind::Syn => (ipv4::TCP, 14 + 20 + 13, Flags::SYN.with(Flags::ACK).0),
        Kind::Echo => (ipv4::ICMP, 14 + 20, icmpv4::ECHO_REPLY),
    };
    let (half, octet) = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, libc::BPF_LD | libc::BPF_B | libc::BPF_ABS);
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    vec![
        statement(half, 12, 0, 0),
        statement(equal, u32::from(ethernet::IPV4), 0, 5),
        statement(octet, 14 + 9, 0, 0),
        statement(equal, u32::from(protocol), 0, 3),
        statement(octet, at, 0, 0),
        statement(equal, u32::from(value), 0, 1),
        statement(end, 0xffff, 0, 0),
        statement(end, 0, 0, 0),
    ]
}

/// Lets through ARP.
fn questions_alone() -> [libc::sock_filter; 4] {
    [
        statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 12, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, u32::from(ethernet::ARP), 0, 1),
        statement(libc::BPF_RET | libc::BPF_K, 0xffff, 0, 0),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ]
}

fn statement(code: u32, k: u32, when_true: u8, when_false: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: when_true, jf: when_false, k }
}

fn filter(socket: &PacketSocket, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the length are those of `program`, whose statements outlive the call; the kernel copies
    // them.
    let result =
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, (&raw const program).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
