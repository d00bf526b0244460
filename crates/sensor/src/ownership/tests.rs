use std::net::IpAddr;

use chaff_engine::owner;

use super::*;
use crate::{
    ring::RxRing,
    testnet::{enter, next, open, send},
};

fn ipv4(destination: [u8; 4], group: bool) -> Vec<u8> {
    let mut frame = vec![if group { 0xff } else { 2 }, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 9, 9, 9]);
    frame.extend(destination);
    frame
}

fn arp(target: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 9, 9, 9, 0, 0, 0, 0, 0, 0]);
    frame.extend(target);
    frame
}

fn tagged(frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0, 0, 20], &frame[12..]].concat()
}

/// Sends frames for eight addresses, and some for nobody in particular, to `workers` filtered rings.
fn each_frame_reaches_its_owner_alone(workers: usize) {
    enter();
    let mut rings: Vec<RxRing> = (0..workers)
        .map(|worker| {
            let socket = open("near");
            restrict(&socket, worker, workers).expect("a filter");
            RxRing::attach(socket).expect("a ring")
        })
        .collect();
    let far = open("far");
    let mut cases = Vec::new();
    for host in 0..8 {
        let address = [10, 20, 0, host];
        let worker = owner(IpAddr::from(address), workers);
        cases.push((ipv4(address, false), worker));
        cases.push((arp(address), worker));
        cases.push((tagged(&ipv4(address, false)), worker));
        cases.push((tagged(&arp(address)), worker));
    }
    cases.push((ipv4([10, 20, 0, 255], true), 0));
    cases.push((ipv4([239, 0, 0, 3], true), 0));
    cases.push(([&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1][..], &[0x88, 0xcc], &[3; 46]].concat(), 0));
    // The last frame of each owner shows that none of another's came before it.
    cases.extend(
        (0..workers as u8).map(|last| (arp([10, 30, 0, last]), owner(IpAddr::from([10, 30, 0, last]), workers))),
    );
    for (frame, _) in &cases {
        send(&far, frame);
    }
    for (worker, ring) in rings.iter_mut().enumerate() {
        let own: Vec<_> = cases.iter().filter(|(_, owner)| *owner == worker).collect();
        assert!(own.len() > 2, "worker {worker} of {workers}");
        for (expected, _) in own {
            // The next frame of ours is the next one sent to this owner: no other came between.
            let (_, octets) = next(ring, |octets| octets.get(6..12) == Some(&[2, 0, 0, 0, 0, 1]));
            assert_eq!(octets, *expected, "worker {worker} of {workers}");
        }
    }
}

#[test]
fn frames_reach_the_owner_alone() {
    each_frame_reaches_its_owner_alone(4);
}

#[test]
fn frames_reach_the_owner_alone_where_workers_are_no_power_of_two() {
    each_frame_reaches_its_owner_alone(3);
}

#[test]
fn more_workers_than_there_may_be_get_no_filter() {
    enter();
    let socket = open("near");
    assert!(restrict(&socket, 0, MAX_WORKERS + 1).is_err());
    assert!(restrict(&socket, 2, 2).is_err());
}
