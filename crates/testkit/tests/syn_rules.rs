//! Rules of the SYN-ACK that only some systems have: how a segment size that the client does not name counts, windows
//! that follow from a buffer, and a clock that begins with the connection.

use chaff_testkit::{
    fixture::{self, personality},
    script::{ACK, Option, SYN, Script, mss, nop, sack_permitted, tcp, timestamps, window_scale},
};

fn script(system: &str) -> Script {
    Script::with("syn-rules", fixture::fleet_of(1, personality(system)))
}

/// FreeBSD 11.1 names the client's segment size where it is the smaller one; where there is none, its own.
#[test]
fn a_segment_size_that_is_not_named_does_not_count() {
    for (offered, answered) in [(Some(640), 640), (Some(9000), 1460), (None, 1460)] {
        let mut host = script("freebsd-11.1");
        host.send(tcp(SYN).seq(100).options(offered.map(mss).into_iter().collect::<Vec<_>>()));
        host.expect(tcp(SYN | ACK).ack(101).options([mss(answered)]));
    }
}

/// Solaris 11.4 offers 256,000 octets rounded up to whole segments, shifted by two bits: as six published fingerprints
/// show. Without scaling the field holds as many whole segments as fit.
#[test]
fn a_buffer_is_rounded_up_to_whole_segments() {
    let (t, scale) = (timestamps(1000, 0), window_scale(7));
    let rows: [(Vec<Option>, u16); 5] = [
        (vec![mss(1460), nop(), scale.clone()], 64_240),
        (vec![t.clone(), mss(1460), nop(), scale.clone()], 64_074),
        (vec![t.clone(), mss(1340), nop(), scale.clone()], 64_076),
        (vec![sack_permitted(), t.clone(), nop(), scale], 64_059),
        (vec![t, mss(265), nop(), nop()], 65_527),
    ];
    for (offered, window) in rows {
        let mut host = script("solaris-11.4");
        host.send(tcp(SYN).seq(100).options(offered));
        host.expect(tcp(SYN | ACK).ack(101).window(window));
    }
}

/// NetBSD's clock stands at one in every SYN-ACK, however long the decoy is up.
#[test]
fn a_clock_that_begins_with_the_connection_begins_at_one() {
    let mut host = script("netbsd-9");
    host.wait(60_000);
    host.send(tcp(SYN).seq(100).options([mss(1460), nop(), nop(), timestamps(1000, 0)]));
    host.expect(tcp(SYN | ACK).ack(101).options([mss(1460), nop(), nop(), timestamps(1, 1000)]));
}
