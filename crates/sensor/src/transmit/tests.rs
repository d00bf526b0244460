use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

use super::*;

#[test]
fn frames_arrive_in_order_and_padded() {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::NONBLOCK, None).expect("a socket pair");
    let mut transmitter = Transmitter::new();
    assert!(!transmitter.push(&[7; LONGEST]));
    assert!(!transmitter.push(&[9; 42]));
    assert!(!transmitter.push(&[1; LONGEST + 1]));
    transmitter.flush(&ours);
    assert_eq!((transmitter.sent, transmitter.dropped), (2, 1));
    // The slot of the second batch still holds the first one's octets: padding must be zero nevertheless.
    transmitter.push(&[5; 14]);
    transmitter.flush(&ours);
    let mut expected = vec![vec![7; LONGEST]];
    expected.push([vec![9; 42], vec![0; 18]].concat());
    expected.push([vec![5; 14], vec![0; 46]].concat());
    for frame in expected {
        let mut buffer = vec![0; 2048];
        let (_, length) = recv(&theirs, &mut buffer[..], RecvFlags::DONTWAIT).expect("a frame");
        assert_eq!(buffer[..length], frame);
    }
}

#[test]
fn a_full_batch_asks_to_be_flushed() {
    let mut transmitter = Transmitter::new();
    let full = (0..BATCH).map(|_| transmitter.push(&[0; 60])).filter(|&full| full).count();
    assert_eq!(full, 1);
    assert!(transmitter.push(&[0; 60]));
    assert_eq!(transmitter.dropped, 1);
}

#[test]
fn a_receiver_that_is_gone_costs_the_frames_and_no_time() {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::NONBLOCK, None).expect("a socket pair");
    drop(theirs);
    let mut transmitter = Transmitter::new();
    transmitter.push(&[0; 60]);
    transmitter.push(&[0; 60]);
    transmitter.flush(&ours);
    assert_eq!((transmitter.sent, transmitter.dropped), (0, 2));
}
