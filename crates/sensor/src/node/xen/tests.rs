use std::io::Read;

use super::*;
use crate::node::machine::in_memory;

fn far_ends() -> (OwnedFd, FarEnds) {
    let (frames, frames_far) = pair(SocketType::DGRAM).expect("sockets");
    let (_, console_far) = pair(SocketType::STREAM).expect("sockets");
    let (_, said) = rustix::pipe::pipe().expect("a pipe");
    (frames, FarEnds { frames: frames_far, console: console_far, said })
}

#[test]
fn a_question_carries_the_machines_sockets_and_its_end_is_told() {
    let (host, keeper) = pair(SocketType::SEQPACKET).expect("sockets");
    assert!(next_question(&keeper).expect("sound").is_none());
    let module = in_memory("module", b"a module").expect("room");
    let (frames, far) = far_ends();
    let mut domain = ask(&host, 7, &module, &far).expect("room");
    drop((module, far));
    let wanted = next_question(&keeper).expect("sound").expect("a question");
    assert_eq!((wanted.index, domain.ended()), (7, None));
    rustix::net::send(&wanted.frames, b"a frame", SendFlags::empty()).expect("room");
    let mut octets = [0; 16];
    assert_eq!(rustix::io::read(&frames, &mut octets), Ok(7));
    let mut text = String::new();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&wanted.module));
    std::fs::File::open(path).expect("it is a file").read_to_string(&mut text).expect("text");
    assert_eq!(text, "a module");

    // The host wants its end.
    domain.end();
    assert_eq!(rustix::io::read(&wanted.life, &mut octets), Ok(0));
    rustix::net::send(&wanted.life, b"as told", SendFlags::empty()).expect("room");
    drop(wanted);
    assert_eq!(domain.ended().as_deref(), Some("as told"));
}

#[test]
fn a_keeper_that_dies_ends_its_domains_for_the_host() {
    let (host, keeper) = pair(SocketType::SEQPACKET).expect("sockets");
    let (_, far) = far_ends();
    let mut domain = ask(&host, 0, &in_memory("module", b"").expect("room"), &far).expect("room");
    drop(next_question(&keeper));
    assert_eq!(domain.ended().as_deref(), Some("the keeper of domains ended"));
}

#[test]
fn what_is_no_question_is_passed_over() {
    let (host, keeper) = pair(SocketType::SEQPACKET).expect("sockets");
    for octets in [&b"1234"[..], b"", b"a longer one"] {
        rustix::net::send(&host, octets, SendFlags::empty()).expect("room");
        assert!(next_question(&keeper).expect("sound").is_none());
    }
    let (_, far) = far_ends();
    let _domain = ask(&host, 1, &in_memory("module", b"").expect("room"), &far).expect("room");
    assert_eq!(next_question(&keeper).expect("sound").map(|wanted| wanted.index), Some(1));
}
