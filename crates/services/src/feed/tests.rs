use alloc::{string::String, vec::Vec};

use chaff_events::{Kind, Tool};

use super::{
    sentence,
    voyage::{State, Voyage},
};
use crate::tests::{SECOND, UTC, at, drain, offer, start};

fn value(state: &State, name: &str) -> String {
    let mut out = String::new();
    assert!(state.write(name, &mut out), "{name}");
    out
}

/// Latitude and longitude in degrees, as a reader of NMEA takes them.
fn fix(state: &State) -> (f64, f64) {
    let angle = |text: String, width: usize| {
        let (number, letter) = text.split_once(',').unwrap();
        let degrees: f64 = number[..width].parse::<f64>().unwrap() + number[width..].parse::<f64>().unwrap() / 60.0;
        if matches!(letter, "S" | "W") { -degrees } else { degrees }
    };
    (angle(value(state, "lat"), 2), angle(value(state, "lon"), 3))
}

#[test]
fn a_round_is_said_at_every_interval_to_whoever_connects() {
    let mut feed = start("nmea");
    assert_eq!(drain(&mut *feed, SECOND, 1460).wake, Some(SECOND));
    for turn in 1..5 {
        feed.handle_wake(at!(turn * SECOND));
        let said = drain(&mut *feed, turn * SECOND, 1460);
        assert_eq!(said.wake, Some((turn + 1) * SECOND));
        let text = said.text();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with(&alloc::format!("$GPRMC,0210{:02}.00,A,54", turn - 1)), "{text}");
        for line in lines {
            let (body, sum) = line.strip_prefix('$').unwrap().split_once('*').unwrap();
            assert_eq!(u8::from_str_radix(sum, 16).unwrap(), body.bytes().fold(0, |a, b| a ^ b));
            assert!(!body.contains('{') && line.len() <= 80, "{line}");
        }
    }
}

#[test]
fn a_late_wake_up_says_one_round_and_a_reader_that_sleeps_gets_gaps() {
    let mut feed = start("nmea");
    feed.handle_wake(at!(10 * SECOND + 1));
    let said = drain(&mut *feed, 10 * SECOND, 1460);
    assert_eq!(said.text().matches("GPRMC").count(), 1);
    assert_eq!(said.wake, Some(11 * SECOND));
    for turn in 11..2000 {
        feed.handle_wake(at!(turn * SECOND));
    }
    assert!(drain(&mut *feed, 0, 1460).octets.len() < 9000);
}

#[test]
fn a_sentence_of_the_standard_has_its_checksum() {
    let state = Voyage::new(&[1; 16], None).at(UTC);
    assert_eq!(
        sentence("GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,", &state),
        "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
    );
    assert_eq!(sentence("!AIVDM,1,1,,A,x,0*00", &state), "!AIVDM,1,1,,A,x,0*00\r\n");
}

#[test]
fn the_boat_moves_as_fast_and_where_it_says() {
    for seed in 0..20 {
        let voyage = Voyage::new(&[seed; 16], Some((-33.9, 151.3)));
        for hour in 0..30u64 {
            let utc = UTC + hour * 3600 * SECOND;
            let (before, after) = (voyage.at(utc), voyage.at(utc + 60 * SECOND));
            let ((lat, lon), (lat2, lon2)) = (fix(&before), fix(&after));
            assert!((lat + 33.9).abs() < 0.1 && (lon - 151.3).abs() < 0.1, "{lat} {lon}");
            let (north, east) = ((lat2 - lat) * 60.0, (lon2 - lon) * 60.0 * lat.to_radians().cos());
            let knots = north.hypot(east) * 60.0;
            let said: f64 = value(&before, "speed").parse().unwrap();
            assert!((knots - said).abs() < 1.2, "sails {knots}, says {said}");
            let course: f64 = value(&before, "course").parse().unwrap();
            let turn = (east.atan2(north).to_degrees() - course + 540.0).rem_euclid(360.0) - 180.0;
            assert!(turn.abs() < 35.0, "off by {turn}");
        }
    }
}

#[test]
fn values_stay_in_their_forms_and_a_boat_is_the_same_twice() {
    let (a, b) = (Voyage::new(&[1; 16], None), Voyage::new(&[2; 16], None));
    for minute in 0..3000u64 {
        let state = a.at(UTC + minute * 61 * SECOND);
        assert_eq!(value(&state, "time").len(), 9);
        assert_eq!(value(&state, "date").len(), 6);
        assert_eq!((value(&state, "lat").len(), value(&state, "lon").len()), (11, 12));
        for (name, most) in
            [("course", 360.0), ("wind_angle", 360.0), ("depth", 21.0), ("speed", 8.0), ("wind_speed", 16.0)]
        {
            let number: f64 = value(&state, name).parse().unwrap();
            assert!((0.0..most).contains(&number), "{name} {number}");
        }
    }
    assert_eq!(fix(&a.at(UTC)), fix(&Voyage::new(&[1; 16], None).at(UTC)));
    assert_ne!(fix(&a.at(UTC)), fix(&b.at(UTC)));
    assert!(!a.at(UTC).write("colour", &mut String::new()));
}

#[test]
fn homes_beyond_the_earth_are_brought_back() {
    for home in [(90.0, 180.0), (-1e300, f64::INFINITY), (f64::NAN, 0.0)] {
        for day in 0..100 {
            let (lat, lon) = fix(&Voyage::new(&[3; 16], Some(home)).at(UTC + day * 86_000 * SECOND));
            assert!(lat.abs() < 90.0 && lon.abs() < 180.0, "{lat} {lon}");
        }
    }
}

#[test]
fn what_a_client_says_is_told_and_not_answered() {
    let mut feed = start("nmea");
    let said = offer(&mut *feed, SECOND, b"GET / HTTP/1.0\r\nUser-Agent: curl/8\r\n\r\n");
    assert_eq!(said.facts.len(), 1);
    assert_eq!((said.facts[0].0, said.facts[0].1), (Kind::ServiceRequest, Some(Tool::Curl)));
    assert_eq!(said.octets, b"");
    feed.handle_end(at!(SECOND));
    assert!(drain(&mut *feed, SECOND, 1460).closed);
}
