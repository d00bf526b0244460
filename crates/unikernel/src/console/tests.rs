use alloc::{string::ToString, vec};
use core::net::Ipv4Addr;

use chaff_events::{DecoyId, Detail, EventId, Kind, Mac, Source, Transport};
use proptest::prelude::*;

use super::*;

fn observation(port: u16) -> Observation {
    Observation {
        id: EventId(u128::from(port)),
        time: UtcNanos(1),
        decoy: DecoyId(0),
        source: Source { ip: Ipv4Addr::new(10, 0, 0, 1).into(), mac: Mac([2, 0, 0, 0, 0, 1]), port: 4_000 },
        kind: Kind::TcpSyn,
        transport: Transport::Tcp,
        port,
        service: "http".into(),
        tool: None,
        count: 1,
        ports: vec![],
        detail: Detail::None,
    }
}

fn messages() -> Vec<ToHost> {
    vec![
        ToHost::Up { version: 1, run: 77, lost: 0 },
        ToHost::Observations { first: 0, observations: (1..9).map(observation).collect() },
        ToHost::Log { text: "a line".into() },
        ToHost::Panic { text: "the end".into() },
    ]
}

fn stream() -> Vec<u8> {
    messages().iter().flat_map(|message| encode(message).expect("short")).collect()
}

/// Everything that a reader makes of octets handed over in pieces.
fn read(octets: &[u8], piece: usize) -> (Vec<ToHost>, u64) {
    let mut reader = Reader::new();
    let mut found = vec![];
    let mut rest = octets;
    while !rest.is_empty() {
        let taken = reader.handle_octets(&rest[..piece.min(rest.len())]);
        rest = &rest[taken..];
        while let Some(message) = reader.poll() {
            found.push(message);
        }
        assert!(reader.room() > 0, "it waits for more than a frame holds");
    }
    (found, reader.skipped())
}

/// Any octet that begins no frame.
fn no_magic() -> impl Strategy<Value = u8> {
    prop_oneof![..MAGIC[0], MAGIC[0] + 1..]
}

#[test]
fn what_was_said_is_heard_however_it_is_cut() {
    for piece in [1, 7, 100_000] {
        assert_eq!(read(&stream(), piece), (messages(), 0));
    }
}

#[test]
fn nonsense_is_passed_over_and_counted() {
    let mut octets = b"SeaBIOS (version 1.16)".to_vec();
    octets.extend(&MAGIC[..3]);
    let nonsense = octets.len() as u64;
    octets.extend(stream());
    assert_eq!(read(&octets, 5), (messages(), nonsense));
}

#[test]
fn a_spoiled_frame_costs_itself_alone() {
    let mut octets = stream();
    octets[HEADER + 1] ^= 1;
    let (found, skipped) = read(&octets, 9);
    assert_eq!(found, messages()[1..]);
    assert!(skipped > 0);
}

#[test]
fn a_length_that_no_frame_has_is_nonsense() {
    let mut octets = MAGIC.to_vec();
    octets.extend(u32::MAX.to_le_bytes());
    octets.extend([0; 4]);
    octets.extend(stream());
    assert_eq!(read(&octets, 64).0, messages());
}

#[test]
fn what_is_beyond_the_limits_is_not_taken() {
    let long = ToHost::Log { text: "x".repeat(MAX_TEXT + 1) };
    let many = ToHost::Observations { first: 0, observations: vec![observation(1); MAX_OBSERVATIONS + 1] };
    for message in [long, many] {
        let mut octets = encode(&message).expect("fits a frame");
        octets.extend(stream());
        let (found, skipped) = read(&octets, 4_096);
        assert_eq!(found, messages());
        assert!(skipped > 0);
    }
    assert!(encode(&ToHost::Log { text: "x".repeat(MAX_BODY) }).is_none());
    assert_eq!(cut(&"ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT / 2));
    assert_eq!(cut("short"), "short".to_string());
}

#[test]
fn the_host_is_understood() {
    let all = [
        FromHost::Hello { version: 1, utc: UtcNanos(5) },
        FromHost::Acknowledge { run: 1, up_to: 2 },
        FromHost::Clock { utc: UtcNanos(u64::MAX) },
        FromHost::End,
    ];
    let mut reader = Reader::new();
    for message in all {
        reader.handle_octets(&encode(&message).expect("short"));
        assert_eq!(reader.poll(), Some(message));
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..2_000), piece in 1usize..300) {
        let _ = read(&octets, piece);
    }

    #[test]
    fn frames_around_nonsense_are_found(octets in proptest::collection::vec(no_magic(), 0..500)) {
        let mut all = octets.clone();
        all.extend(stream());
        let (found, skipped) = read(&all, 64);
        prop_assert_eq!(found, messages());
        prop_assert_eq!(skipped, octets.len() as u64);
    }

    #[test]
    fn mutated_frames_are_survived(at in 0usize..600, to: u8) {
        let mut octets = stream();
        let at = at % octets.len();
        octets[at] = to;
        let _ = read(&octets, 50);
    }
}
