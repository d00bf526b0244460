use alloc::{vec, vec::Vec};
use core::net::Ipv4Addr;

use chaff_events::{DecoyId, EventId, Kind, Mac, Source, Transport};

use super::*;

const HELLO: FromHost = FromHost::Hello { version: VERSION, utc: UtcNanos(5) };

fn observation(port: u16, octets: usize) -> Observation {
    Observation {
        id: EventId(u128::from(port)),
        time: UtcNanos(1),
        decoy: DecoyId(0),
        source: Source { ip: Ipv4Addr::new(10, 0, 0, 1).into(), mac: Mac([2, 0, 0, 0, 0, 1]), port: 4_000 },
        kind: Kind::UdpPayload,
        transport: Transport::Udp,
        port,
        service: "x".into(),
        tool: None,
        count: 1,
        ports: vec![],
        detail: Detail::Payload { octets: vec![7; octets], length: 7 },
    }
}

fn say(reporter: &mut Reporter, message: FromHost) -> Vec<Wish> {
    reporter.handle_octets(&encode(&message).expect("short"))
}

/// All that it has to say now.
fn heard(reporter: &mut Reporter) -> Vec<ToHost> {
    let mut reader = Reader::new();
    let mut all = vec![];
    while let Some(octets) = reporter.poll() {
        assert_eq!(reader.handle_octets(&octets), octets.len());
        all.push(reader.poll().expect("a message"));
    }
    all
}

/// All that it has to say to a host that acknowledges.
fn told(reporter: &mut Reporter) -> Vec<ToHost> {
    let mut all = vec![];
    loop {
        let now = heard(reporter);
        if let Some(&(last, _)) = ports(&now).last() {
            say(reporter, FromHost::Acknowledge { run: 9, up_to: last });
        }
        if now.is_empty() {
            return all;
        }
        all.extend(now);
    }
}

/// Numbers and ports of what is said.
fn ports(messages: &[ToHost]) -> Vec<(u64, u16)> {
    let mut all = vec![];
    for message in messages {
        if let ToHost::Observations { first, observations } = message {
            all.extend(observations.iter().zip(*first..).map(|(observation, number)| (number, observation.port)));
        }
    }
    all
}

#[test]
fn nobody_is_told_anything_before_he_has_greeted() {
    let mut reporter = Reporter::new(9);
    reporter.handle_observation(observation(1, 0));
    reporter.handle_line("a line");
    assert_eq!(heard(&mut reporter), [ToHost::Up { version: VERSION, run: 9, lost: 0 }]);
    assert_eq!(say(&mut reporter, HELLO), [Wish::Clock(UtcNanos(5))]);
    let all = heard(&mut reporter);
    assert_eq!(all[0], ToHost::Up { version: VERSION, run: 9, lost: 0 });
    assert_eq!(all[1], ToHost::Log { text: "a line".into() });
    assert_eq!(ports(&all), [(0, 1)]);
}

#[test]
fn what_is_not_acknowledged_is_said_again() {
    let mut reporter = Reporter::new(9);
    say(&mut reporter, HELLO);
    (1..=5).for_each(|port| reporter.handle_observation(observation(port, 0)));
    assert_eq!(ports(&heard(&mut reporter)), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
    // Another run's acknowledgement, late in the stream, is none of ours.
    say(&mut reporter, FromHost::Acknowledge { run: 8, up_to: 4 });
    say(&mut reporter, FromHost::Acknowledge { run: 9, up_to: 1 });
    assert_eq!(ports(&heard(&mut reporter)), []);
    say(&mut reporter, HELLO);
    reporter.handle_observation(observation(6, 0));
    assert_eq!(ports(&heard(&mut reporter)), [(2, 3), (3, 4), (4, 5), (5, 6)]);
    say(&mut reporter, FromHost::Acknowledge { run: 9, up_to: 5 });
    assert!(reporter.is_settled() && reporter.octets == 0);
}

#[test]
fn what_was_never_said_cannot_be_acknowledged() {
    let mut reporter = Reporter::new(9);
    say(&mut reporter, HELLO);
    reporter.handle_observation(observation(1, 0));
    say(&mut reporter, FromHost::Acknowledge { run: 9, up_to: u64::MAX });
    assert_eq!(ports(&heard(&mut reporter)), [(0, 1)]);
}

#[test]
fn memory_is_bounded_and_what_is_lost_is_counted() {
    let mut reporter = Reporter::new(9);
    (0..2_000).for_each(|port| reporter.handle_observation(observation(port, 1_000)));
    assert!(reporter.octets <= MAX_WAITING && reporter.lost > 1_000);
    (0..100).for_each(|_| reporter.handle_line("a line"));
    assert_eq!(reporter.lines.len(), MAX_LINES);
    say(&mut reporter, HELLO);
    let all = told(&mut reporter);
    assert!(matches!(all[0], ToHost::Up { lost, .. } if lost == reporter.lost));
    // The oldest stay.
    assert_eq!(ports(&all)[..2], [(0, 0), (1, 1)]);
    assert_eq!(ports(&all).len() as u64 + reporter.lost, 2_000);
}

#[test]
fn the_longest_observation_is_said_alone() {
    let mut reporter = Reporter::new(9);
    say(&mut reporter, HELLO);
    for (port, octets) in [(1, 0), (2, 40_000), (3, 0)] {
        reporter.handle_observation(observation(port, octets));
    }
    let all = told(&mut reporter);
    assert_eq!(ports(&all), [(0, 1), (1, 2), (2, 3)]);
    assert_eq!(all.iter().filter(|message| matches!(message, ToHost::Observations { .. })).count(), 3);
}

#[test]
fn wishes_are_heard_however_they_come() {
    let mut reporter = Reporter::new(9);
    assert_eq!(say(&mut reporter, FromHost::End), [Wish::End]);
    assert_eq!(say(&mut reporter, FromHost::Clock { utc: UtcNanos(8) }), [Wish::Clock(UtcNanos(8))]);
    assert_eq!(say(&mut reporter, FromHost::Hello { version: 99, utc: UtcNanos(0) }), [Wish::Stranger(99)]);
    let mut octets = vec![0xc4; 100_000];
    octets.extend(encode(&FromHost::End).expect("short"));
    assert_eq!(reporter.handle_octets(&octets), [Wish::End]);
}

#[test]
fn no_more_is_said_ahead_than_a_host_that_does_not_read_has_room_for() {
    let mut reporter = Reporter::new(9);
    (0..1_000).for_each(|port| reporter.handle_observation(observation(port, 0)));
    reporter.poll();
    say(&mut reporter, HELLO);
    let mut told = vec![];
    loop {
        let now = ports(&heard(&mut reporter));
        let Some(&(last, _)) = now.last() else { break };
        assert!(now.len() * LEAST_COST <= WINDOW, "{}", now.len());
        assert_eq!(reporter.poll(), None, "nothing more before it is acknowledged");
        told.extend(now);
        say(&mut reporter, FromHost::Acknowledge { run: 9, up_to: last });
    }
    assert_eq!(told, (0..1_000).map(|port| (u64::from(port), port)).collect::<Vec<_>>());
    assert!(reporter.is_settled());
}
