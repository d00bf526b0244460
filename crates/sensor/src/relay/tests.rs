use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;

/// The workers of a fleet, each with the ends that it inherits; the supervisor keeps copies.
struct Pool {
    inboxes: Vec<(OwnedFd, OwnedFd)>,
}

impl Pool {
    fn new(workers: usize) -> Self {
        let pair =
            || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair");
        Self { inboxes: (0..workers).map(|_| pair()).collect() }
    }

    fn start(&self, worker: usize) -> Relay {
        let copy = |fd: &OwnedFd| fd.try_clone().expect("a copy");
        let others = self.inboxes.iter().map(|(_, into)| copy(into)).collect();
        let (workers, fellows) = (self.inboxes.len(), Fellows::default());
        Relay::start(Setup { worker, workers, inbox: copy(&self.inboxes[worker].0), others, fellows }).expect("a relay")
    }
}

impl Pool {
    /// A worker that has been there all the time.
    fn start_without_emptying(&self, worker: usize) -> Relay {
        let copy = |fd: &OwnedFd| fd.try_clone().expect("a copy");
        let buffer = vec![0; HEADER + LONGEST];
        Relay {
            worker,
            workers: self.inboxes.len(),
            fellows: Fellows::default(),
            hosts: Vec::new(),
            inbox: copy(&self.inboxes[worker].0),
            others: Vec::new(),
            buffer,
            outgoing: Vec::new(),
            lost: 0,
        }
    }
}

fn passed(octets: &[u8]) -> Passed<'_> {
    Passed { link: 3, stamp: 1_700_000_000_000_000_001, octets }
}

#[test]
fn a_frame_goes_to_the_owner_or_to_everybody_and_nowhere_twice() {
    let pool = Pool::new(3);
    let mut relays: Vec<Relay> = (0..3).map(|worker| pool.start(worker)).collect();
    assert!(relays[0].pass(Audience::Here, &passed(b"here")));
    // 10.20.0.2 is 169082882, which leaves 2 when divided by 3.
    let ip = IpAddr::from([10, 20, 0, 2]);
    assert_eq!(owner(ip, 3), 2);
    assert!(!relays[0].pass(Audience::Decoy(ip), &passed(b"one")));
    assert!(relays[1].pass(Audience::Everybody, &passed(b"all")));
    let heard: Vec<Vec<Vec<u8>>> = relays
        .iter_mut()
        .map(|relay| {
            let mut heard = Vec::new();
            while let Some(passed) = relay.take() {
                assert_eq!((passed.link, passed.stamp), (3, 1_700_000_000_000_000_001));
                heard.push(passed.octets.to_vec());
            }
            heard
        })
        .collect();
    assert_eq!(heard, [vec![b"all".to_vec()], vec![], vec![b"one".to_vec(), b"all".to_vec()]]);
    assert!(relays.iter().all(|relay| relay.lost == 0));
}

#[test]
fn a_full_inbox_keeps_nobody_waiting_and_is_counted() {
    let pool = Pool::new(2);
    let mut relay = pool.start(0);
    let octets = [7; 1_514];
    let mut tries = 0;
    while relay.lost < 5 {
        assert!(relay.pass(Audience::Everybody, &passed(&octets)), "it is this worker's as well");
        tries += 1;
        assert!(tries < 100_000, "an inbox without a bound");
    }
    let mut other = pool.start_without_emptying(1);
    let waiting = std::iter::from_fn(|| other.take().map(|_| ())).count();
    assert_eq!(waiting, tries - 5, "what was not lost arrives");
    assert!(relay.pass(Audience::Everybody, &passed(&octets)));
    assert_eq!(relay.lost, 5, "there is room again");
}

#[test]
fn a_frame_longer_than_any_broadcast_is_lost_and_counted() {
    let pool = Pool::new(2);
    let mut relay = pool.start(0);
    assert!(relay.pass(Audience::Everybody, &passed(&[0; LONGEST + 1])));
    assert!(relay.pass(Audience::Everybody, &passed(&[1; LONGEST])));
    assert_eq!(relay.lost, 1);
    let mut other = pool.start_without_emptying(1);
    assert_eq!(other.take().expect("a frame").octets, [1; LONGEST]);
}

#[test]
fn a_new_worker_answers_nothing_that_waited_for_the_one_before() {
    let pool = Pool::new(2);
    let mut relay = pool.start(0);
    relay.pass(Audience::Everybody, &passed(b"too late"));
    let mut other = pool.start(1);
    relay.pass(Audience::Everybody, &passed(b"in time"));
    assert_eq!(other.take().expect("a frame").octets, b"in time");
    assert!(other.take().is_none());
}

/// Two workers and the node host, which has a machine with card 2 on link 3; worker 1 has a decoy with card 1.
fn with_machines(pool: &Pool) -> Vec<Relay> {
    let card = |last| Mac([2, 0, 0, 0, 0, last]);
    let of = |who: usize| match who {
        2 => Fellows { cards: vec![(3, card(1), 1)] },
        _ => Fellows { cards: vec![(3, card(2), 2)] },
    };
    let start = |worker: usize| {
        let copy = |fd: &OwnedFd| fd.try_clone().expect("a copy");
        let others = pool.inboxes.iter().map(|(_, into)| copy(into)).collect();
        let inbox = copy(&pool.inboxes[worker].0);
        Relay::start(Setup { worker, workers: 2, inbox, others, fellows: of(worker) }).expect("a relay")
    };
    (0..3).map(start).collect()
}

#[test]
fn what_decoys_say_to_each_other_crosses_between_workers_and_the_node_host() {
    let pool = Pool::new(3);
    let mut relays = with_machines(&pool);
    let to = |last: u8| [2, 0, 0, 0, 0, last, 9];
    let heard = |relay: &mut Relay| std::iter::from_fn(|| relay.take().map(|p| p.octets.to_vec())).collect::<Vec<_>>();

    assert!(relays[0].hand_over(&passed(&to(2))), "for a machine alone");
    assert!(!relays[0].hand_over(&passed(&to(1))), "a decoy of another worker is none of the node host's");
    assert!(!relays[0].hand_over(&passed(&to(7))), "somebody on the interface");
    assert!(!relays[0].hand_over(&passed(&[0xff; 7])), "for everybody: for the interface as well");
    assert!(!relays[0].hand_over(&Passed { link: 4, stamp: 0, octets: &to(2) }), "another interface");
    assert!(!relays[0].hand_over(&Passed { link: 4, stamp: 0, octets: &[0xff; 7] }));
    assert_eq!(heard(&mut relays[2]), [to(2).to_vec(), vec![0xff; 7]]);

    assert!(relays[2].hand_over(&passed(&to(1))));
    assert!(!relays[2].hand_over(&passed(&[0xff; 7])));
    assert_eq!(heard(&mut relays[1]), [to(1).to_vec(), vec![0xff; 7]]);
    assert!(heard(&mut relays[0]).is_empty(), "it has no decoy on that link");

    // What came from the interface is passed among workers, never to the node host, which has received it too.
    assert!(relays[0].pass(Audience::Everybody, &passed(b"all")));
    assert_eq!(heard(&mut relays[1]), [b"all"]);
    assert!(heard(&mut relays[2]).is_empty());
}
