//! A hole on purpose, for the tests of what holds an intruder: what he would try from inside of a child. Programs that are
//! built for release have none.

use std::{io, path::Path};

/// Names a child and what it shall try: `worker: open a socket`.
pub(crate) const WISH: &str = "CHAFF_HOLE";

/// Descriptors that are looked at.
const FIRST: i32 = 3;
const LAST: i32 = 64;
/// The loopback interface, in each network namespace.
const LOOPBACK: i32 = 1;

/// Tries in `child`, which is sealed, what the environment says, and says on stderr what came of it.
pub(crate) fn open(child: &str) {
    let Ok(wish) = std::env::var(WISH) else { return };
    let Some(deed) = wish.strip_prefix(child).and_then(|rest| rest.strip_prefix(": ")) else { return };
    eprintln!("hole: {}", attempt(deed, Path::new("/tmp")));
}

/// What comes of a deed, in words; files are written in `state`.
pub(crate) fn attempt(deed: &str, state: &Path) -> String {
    try_to(deed, state).map_or_else(|error| format!("refused: {error}"), |()| "done".to_owned())
}

fn try_to(deed: &str, state: &Path) -> io::Result<()> {
    match deed {
        "allocate" => {
            let octets = vec![1_u8; 8 << 20];
            assert!(octets.iter().all(|&octet| octet == 1));
            Ok(())
        }
        "read a file" => std::fs::read("/etc/hostname").map(drop),
        "write a file" => std::fs::write(state.join("chaff-sandbox-test"), "x"),
        "write elsewhere" => std::fs::write("/var/chaff-sandbox-test", "x"),
        "open a socket" => std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
        "listen" => std::net::TcpListener::bind("127.0.0.1:0").map(drop),
        "start a program" => {
            let ended = std::process::Command::new("/bin/true").status()?;
            if ended.success() { Ok(()) } else { Err(io::Error::other(ended.to_string())) }
        }
        "start a program of its own" => {
            std::process::Command::new(std::env::current_exe()?).arg("--list").output().map(drop)
        }
        "start a thread" => std::thread::Builder::new().spawn(|| {}).map(drop),
        "signal somebody" => Ok(rustix::process::test_kill_process(rustix::process::getpid())?),
        "signal its parent" => {
            let parent = rustix::process::getppid().expect("the test");
            Ok(rustix::process::test_kill_process(parent)?)
        }
        "signal a thread of its parent" => {
            let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get().into());
            call(libc::SYS_tgkill, [parent, parent, 0])
        }
        "signal itself" => {
            let own = libc::c_long::from(rustix::process::getpid().as_raw_nonzero().get());
            call(libc::SYS_tgkill, [own, rustix::thread::gettid().as_raw_nonzero().get().into(), 0])
        }
        "send behind another interface" => send(false),
        "send behind another interface in a batch" => send(true),
        "look into another" => call(libc::SYS_process_vm_readv, [std::process::id().into(), 0, 0]),
        "make a namespace" => call(libc::SYS_unshare, [0; 3]),
        "make code" => {
            use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
            // SAFETY: a new mapping, which nothing uses.
            #[allow(unsafe_code)]
            let mapped = unsafe {
                mmap_anonymous(std::ptr::null_mut(), 4096, ProtFlags::READ | ProtFlags::EXEC, MapFlags::PRIVATE)
            };
            Ok(mapped.map(drop)?)
        }
        other => panic!("{other}"),
    }
}

/// A call of the system that does no harm.
fn call(number: libc::c_long, arguments: [libc::c_long; 3]) -> io::Result<()> {
    let [first, second, third] = arguments;
    // SAFETY: of the calls that are made here none touches memory.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(number, first, second, third, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a frame by the first of its packet sockets, out of the loopback interface, to which that is not bound.
fn send(in_a_batch: bool) -> io::Result<()> {
    let mut frame = [0xff_u8; 60];
    let mut vector = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
    // SAFETY: structs of integers and pointers, for which all zeroes is a value.
    #[allow(unsafe_code)]
    let (mut to, mut message): (libc::sockaddr_ll, libc::mmsghdr) = unsafe { std::mem::zeroed() };
    (to.sll_family, to.sll_ifindex) = (libc::AF_PACKET.try_into().unwrap_or(0), LOOPBACK);
    let length = libc::socklen_t::try_from(size_of_val(&to)).unwrap_or(0);
    message.msg_hdr.msg_name = (&raw mut to).cast();
    message.msg_hdr.msg_namelen = length;
    (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (&raw mut vector, 1);
    let mut refused = io::Error::other("it holds no packet socket");
    for socket in FIRST..LAST {
        // SAFETY: all pointers are to what lives until the end of this function; a number that is no packet socket is
        // refused by the kernel.
        #[allow(unsafe_code)]
        let sent = unsafe {
            if in_a_batch {
                libc::sendmmsg(socket, &raw mut message, 1, 0)
            } else {
                let to = (&raw const to).cast();
                i32::try_from(libc::sendto(socket, frame.as_ptr().cast(), frame.len(), 0, to, length)).unwrap_or(-1)
            }
        };
        if sent > 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::EPERM) {
            refused = error;
        }
    }
    Err(refused)
}
