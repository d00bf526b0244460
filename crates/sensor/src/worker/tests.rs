use std::{
    collections::VecDeque,
    io::Write,
    net::IpAddr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use chaff_engine::DropReason;
use chaff_events::{
    DecoyId, Detail, EventId, Kind, Mac, Observation, Source, Transport, VERSION,
    message::{FromHub, ToHub},
};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, socketpair};

use super::*;
use crate::relay::Fellows;
use crate::testnet::{EXPERIMENT, enter, frame, ip, next, open, ring, send};

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers each experimental frame with its payload turned around, observes it, and notes when it was woken.
struct Mirror {
    out: VecDeque<Work>,
    current: Vec<u8>,
    seen: u32,
    woken: mpsc::Sender<(u64, u64)>,
}

enum Work {
    Frame(Vec<u8>),
    Observation(Observation),
    Wake(u64),
}

impl Stack for Mirror {
    fn audience(&self, _: u16, frame: &[u8]) -> Audience {
        match frame.get(14) {
            Some(b'*') => Audience::Everybody,
            Some(b'1') => Audience::Decoy(IpAddr::from([10, 20, 0, 1])),
            _ => Audience::Here,
        }
    }

    fn handle_frame(&mut self, now: u64, _: u16, frame: &[u8]) -> Verdict {
        if frame.get(12..14) != Some(&EXPERIMENT.to_be_bytes()) {
            return Verdict::Dropped(DropReason::Malformed);
        }
        let payload: Vec<u8> = frame[14..].iter().rev().copied().collect();
        self.seen += 1;
        self.out.push_back(Work::Frame(crate::testnet::frame(&payload)));
        self.out.push_back(Work::Observation(observation(self.seen)));
        if payload.ends_with(b"ekaw") {
            self.out.push_back(Work::Wake(now + 1_000_000));
        }
        Verdict::Answered
    }

    fn handle_wake(&mut self, now: u64) {
        let _ = self.woken.send((now, Clock::start().now()));
    }

    fn handle_clock(&mut self, _: u64, _: UtcNanos) {}

    fn poll(&mut self) -> Option<Output<'_>> {
        match self.out.pop_front()? {
            Work::Frame(frame) => {
                self.current = frame;
                Some(Output::Transmit { link: 0, frame: &self.current })
            }
            Work::Observation(observation) => Some(Output::Observe(observation)),
            Work::Wake(at) => Some(Output::Wake(at)),
        }
    }
}

fn observation(number: u32) -> Observation {
    Observation {
        id: EventId(number.into()),
        time: UtcNanos(1),
        decoy: DecoyId(number),
        source: Source { ip: IpAddr::from([10, 0, 0, 1]), mac: Mac([2, 0, 0, 0, 0, 1]), port: 0 },
        kind: Kind::IcmpEcho,
        transport: Transport::Icmp,
        port: 0,
        service: String::new(),
        tool: None,
        count: 1,
        ports: Vec::new(),
        detail: Detail::None,
    }
}

/// A worker at `near`, and all that surrounds it.
struct Bench {
    hub: OwnedFd,
    control: Option<OwnedFd>,
    woken: mpsc::Receiver<(u64, u64)>,
    spool: File,
    worker: Option<thread::JoinHandle<Result<(), WorkerError>>>,
}

impl Bench {
    fn start() -> Self {
        enter();
        Self::start_in(None)
    }

    /// A worker in the namespace of the calling thread.
    fn start_in(relay: Option<relay::Setup>) -> Self {
        let pair = |kind| socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).expect("a pair");
        let (hub, hub_far) = pair(SocketType::SEQPACKET);
        let (control, control_far) = pair(SocketType::STREAM);
        for socket in [&hub, &control] {
            rustix::net::sockopt::set_socket_timeout(socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))
                .expect("a timeout");
        }
        let (sender, woken) = mpsc::channel();
        let spool = tempfile::tempfile().expect("a file");
        let copy = spool.try_clone().expect("a copy");
        let socket = open("near");
        let relay = relay.map(|setup| Relay::start(setup).expect("a relay"));
        let worker = thread::spawn(move || {
            let stack = Mirror { out: VecDeque::new(), current: Vec::new(), seen: 0, woken: sender };
            let outbox = Outbox::new(open_spool(copy, 1), 1);
            let roster = tempfile::tempfile().expect("a file");
            let uplink = Uplink::start(hub_far, roster, outbox).expect("an uplink");
            let mut worker = Worker::new(stack, Clock::start(), uplink, vec![socket], relay)?;
            rustix::io::write(&control_far, &[UP]).expect("said");
            worker.serve(&control_far)?;
            worker.farewell();
            Ok(())
        });
        let mut said = [0];
        assert_eq!(rustix::io::read(&control, &mut said[..]), Ok(1));
        Self { hub, control: Some(control), woken, spool, worker: Some(worker) }
    }

    /// Ends the worker as the supervisor would; gives how long that took.
    fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        self.control = None;
        self.worker.take().expect("a worker").join().expect("no panic").expect("no error");
        begun.elapsed()
    }

    /// Reads observations until `last` has come; gives the sequence number of the last.
    fn hear(&self, last: u32) -> u64 {
        let mut buffer = vec![0; chaff_events::message::MAX_DATAGRAM];
        loop {
            let (_, length) = recv(&self.hub, &mut buffer[..], RecvFlags::empty()).expect("a datagram");
            let Ok(ToHub::Observations { first, observations }) = postcard::from_bytes(&buffer[..length]) else {
                panic!("not observations");
            };
            if observations.iter().any(|o| o.decoy.0 == last) {
                return first + observations.len() as u64 - 1;
            }
        }
    }

    fn say(&self, message: FromHub) {
        let octets = postcard::to_allocvec(&message).expect("encoded");
        rustix::net::send(&self.hub, &octets, SendFlags::empty()).expect("sent");
    }
}

fn mirrored(octets: &[u8], payload: &[u8]) -> bool {
    let expected: Vec<u8> = payload.iter().rev().copied().collect();
    octets.get(14..14 + expected.len()) == Some(&expected)
}

#[test]
fn frames_are_answered_observed_and_acknowledged() {
    let mut bench = Bench::start();
    let far = open("far");
    let mut answers = ring("far");
    for number in 1..=500u32 {
        send(&far, &frame(&number.to_be_bytes()));
    }
    for number in 1..=500u32 {
        let (_, octets) = next(&mut answers, |octets| octets.get(12..14) == Some(&EXPERIMENT.to_be_bytes()));
        assert!(mirrored(&octets, &number.to_be_bytes()), "{number}: {octets:02x?}");
        assert_eq!(octets.len(), 60, "padded");
    }
    let last = bench.hear(500);
    assert_eq!(last, 500);
    bench.say(FromHub::Acknowledge { up_to: last });
    let took = bench.stop();
    assert!(took < Duration::from_millis(400), "an acknowledged worker ends at once, not after {took:?}");
    assert_eq!(bench.spool.metadata().expect("metadata").len(), 16, "an empty spool");
}

#[test]
fn what_others_have_received_is_answered_and_what_concerns_them_is_passed_on() {
    enter();
    let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair");
    let ((inbox, into_ours), (others_inbox, into_others)) = (pair(), pair());
    let ours = into_ours.try_clone().expect("a copy");
    // This is worker 0; the test is worker 1, who owns 10.20.0.1.
    let setup =
        relay::Setup { worker: 0, workers: 2, inbox, others: vec![ours, into_others], fellows: Fellows::default() };
    let mut bench = Bench::start_in(Some(setup));
    let others = vec![into_ours];
    let setup = relay::Setup { worker: 1, workers: 2, inbox: others_inbox, others, fellows: Fellows::default() };
    let mut other = Relay::start(setup).expect("a relay");
    let (far, mut answers) = (open("far"), ring("far"));
    for payload in [&b"* everybody"[..], b"1 for the other", b"0 for us"] {
        send(&far, &frame(payload));
    }
    for payload in [&b"* everybody"[..], b"0 for us"] {
        let (_, octets) = next(&mut answers, |octets| octets.get(12..14) == Some(&EXPERIMENT.to_be_bytes()));
        assert!(mirrored(&octets, payload), "{octets:02x?}");
    }
    for payload in [&b"* everybody"[..], b"1 for the other"] {
        let passed = other.take().expect("a frame");
        assert_eq!((passed.link, passed.octets), (0, &frame(payload)[..]));
        assert!(passed.stamp > 0, "with the time at which it was received");
    }
    assert!(other.take().is_none());
    // What comes from another is answered at once, and passed on to nobody, whomever it concerns.
    let octets = frame(b"* from the other");
    assert!(!other.pass(Audience::Decoy(IpAddr::from([10, 20, 0, 0])), &Passed { link: 0, stamp: 1, octets: &octets }));
    next(&mut answers, |octets| mirrored(octets, b"* from the other"));
    assert!(other.take().is_none());
    bench.stop();
}

#[test]
fn a_new_hub_hears_all_that_is_not_acknowledged_again() {
    let mut bench = Bench::start();
    let far = open("far");
    for number in 1..=3u32 {
        send(&far, &frame(&number.to_be_bytes()));
        bench.hear(number);
    }
    bench.say(FromHub::Acknowledge { up_to: 1 });
    bench.say(FromHub::Hello { version: VERSION });
    assert_eq!(bench.hear(3), 3);
    // Nothing of it is acknowledged when the worker ends: it stays in the spool.
    bench.stop();
    let (mut spool, found) = Spool::open(bench.spool.try_clone().expect("a copy"), 1).expect("a spool");
    assert_eq!(found, Found::Usable);
    let counts: Vec<u32> = std::iter::from_fn(|| spool.next().expect("readable")).map(|record| record.count).collect();
    assert_eq!(counts.iter().sum::<u32>(), 2);
}

#[test]
fn the_stack_is_woken_within_a_millisecond_of_the_time_that_it_asked_for() {
    let mut bench = Bench::start();
    let far = open("far");
    while bench.woken.try_recv().is_ok() {}
    let late: Vec<u64> = (0..20)
        .map(|_| {
            send(&far, &frame(b"wake"));
            let (now, real) = bench.woken.recv_timeout(Duration::from_secs(2)).expect("woken");
            assert!(real >= now);
            real - now
        })
        .collect();
    assert!(late.iter().min() < Some(&1_000_000), "{late:?}");
    bench.stop();
}

#[test]
fn an_idle_worker_sleeps() {
    let mut bench = Bench::start();
    thread::sleep(Duration::from_millis(50));
    let before = processor_time();
    thread::sleep(Duration::from_millis(300));
    let used = processor_time() - before;
    bench.stop();
    assert!(used < Duration::from_millis(150), "{used:?} of 300 ms");
}

#[test]
fn a_removed_interface_ends_the_worker_with_that_reason() {
    let mut bench = Bench::start();
    ip("link del near");
    let ended = bench.worker.take().expect("a worker").join().expect("no panic");
    assert!(matches!(ended, Err(WorkerError::InterfaceGone)), "{ended:?}");
}

#[test]
fn an_interface_that_was_down_is_served_again() {
    let mut bench = Bench::start();
    let far = open("far");
    ip("link set near down");
    thread::sleep(Duration::from_millis(50));
    ip("link set near up");
    let mut answers = ring("far");
    send(&far, &frame(b"back again"));
    next(&mut answers, |octets| mirrored(octets, b"back again"));
    bench.stop();
}

#[test]
fn a_fleet_that_cannot_be_decoded_is_refused() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&[0xff; 64]).expect("written");
    assert!(matches!(read_fleet(&file), Err(WorkerError::Fleet(_))));
}

/// Processor time of the whole test process: other tests run beside this one, so it is an upper bound.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
