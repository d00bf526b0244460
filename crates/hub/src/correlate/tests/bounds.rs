//! Floods, and what is kept of them.

use super::*;

#[test]
fn a_flood_from_many_sources_is_one_incident_and_hides_nobody_who_connects() {
    let mut script = Script::new();
    for n in 0..20_000_u32 {
        script.wait(SECOND / 100);
        let [_, a, b, c] = (n + 1).to_be_bytes();
        script.syn([100 + a, b, c, 1], n % 900, 80);
    }
    let connected = script.see(INTRUDER, 3, Kind::TcpConnect, |connect| connect.port = 80);
    assert_eq!(change(connected), Some(Change::Opened));
    let (floods, others): (Vec<_>, Vec<_>) =
        script.incidents().into_iter().partition(|incident| incident.title.starts_with("flood from many sources"));
    let [flood] = floods.as_slice() else { panic!("{floods:#?}") };
    // 200 seconds touch four minutes: one at the full figure, the others at that of a flood.
    let alone = others.len() as u64 - 1;
    assert!(alone <= u64::from(NEW_PER_MINUTE + 4 * NEW_PER_MINUTE_IN_FLOOD), "{alone}");
    assert_eq!(flood.observations + alone, 20_000);
    assert_eq!((flood.decoys, flood.ports), (900, 1));
    assert!(flood.source.ip.is_unspecified());
}

#[test]
fn after_a_flood_new_sources_have_incidents_of_their_own_again() {
    let mut script = Script::new();
    for n in 0..200 {
        script.syn([192, 0, 2, n], 0, 80);
    }
    script.wait(120 * SECOND);
    assert_eq!(change(script.syn(INTRUDER, 0, 80)), Some(Change::Opened));
    assert_eq!(script.incidents().last().unwrap().source.ip, IpAddr::from(INTRUDER));
}

#[test]
fn open_incidents_are_bounded_and_the_worst_stay() {
    let mut script = Script::new();
    script.see(INTRUDER, 0, Kind::Credential, |_| {});
    for n in 0..2 * OPEN_INCIDENTS as u32 {
        script.wait(1_000_000);
        let [_, _, a, b] = n.to_be_bytes();
        script.see([100, 64, a, b], 1, Kind::TcpConnect, |_| {});
    }
    assert_eq!(script.incidents().len(), OPEN_INCIDENTS);
    assert_eq!(script.incidents()[0].severity, Severity::Critical, "the oldest is kept, for it is the worst");
    let mut closed = 0;
    while script.correlator.poll(UtcNanos(script.now)).is_some() {
        closed += 1;
    }
    assert_eq!(closed, OPEN_INCIDENTS + 1, "every one that had to go is handed out");
}

#[test]
fn watched_sources_are_bounded() {
    let mut script = Script::new();
    for n in 0..50_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        script.arp([100 + a, b, c, 1], 0);
        script.wait(1_000);
    }
    assert!(script.correlator.watches.len() <= WATCHED_SOURCES);
    for decoy in 0..5 {
        script.arp(INTRUDER, decoy);
    }
    assert_eq!(script.only().source.ip, IpAddr::from(INTRUDER), "a sweep is still seen");
}
