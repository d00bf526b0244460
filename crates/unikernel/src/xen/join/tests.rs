use std::{collections::HashMap, string::ToString, vec, vec::Vec};

use super::*;

const PATH: &str = "/local/domain/0/backend/vif/1/0";

/// A toolstack and a netback, as far as a machine sees them.
#[derive(Default)]
struct Fake {
    values: HashMap<String, String>,
    written: Vec<(String, String)>,
    pauses: u32,
    /// What the other end's state becomes, in turn, with each pause.
    states: Vec<&'static str>,
}

impl Fake {
    fn new(states: &[&'static str]) -> Self {
        let mut fake = Self { states: states.iter().rev().copied().collect(), ..Self::default() };
        fake.set("device/vif/0/backend", PATH);
        fake.set("device/vif/0/backend-id", "3");
        fake.set(&format!("{PATH}/feature-rx-copy"), "1");
        fake.set(&format!("{PATH}/state"), "1");
        fake
    }

    fn set(&mut self, path: &str, value: &str) {
        self.values.insert(path.into(), value.into());
    }
}

impl Asks for Fake {
    fn read(&mut self, path: &str) -> Result<Answer, Fault> {
        Ok(self.values.get(path).map_or_else(|| Answer::Refused("ENOENT".into()), |value| Answer::Value(value.clone())))
    }

    fn write(&mut self, path: &str, value: &str) -> Result<Answer, Fault> {
        self.written.push((path.into(), value.into()));
        if path == "device/vif/0/state" && value == CONNECTED {
            self.set(&format!("{PATH}/state"), CONNECTED);
        }
        Ok(Answer::Value(String::new()))
    }

    fn pause(&mut self) {
        self.pauses += 1;
        if let Some(state) = self.states.pop() {
            self.set(&format!("{PATH}/state"), state);
        }
    }
}

#[test]
fn it_waits_for_the_other_end_and_declines_what_it_cannot() {
    let mut fake = Fake::new(&["1", "1", WAITS]);
    let backend = find(&mut fake).expect("a card");
    assert_eq!((backend.domain, backend.path.as_str(), fake.pauses), (3, PATH, 3));
    connect(&mut fake, &backend, Offer { transmit: 56, receive: 57, port: 9 }).expect("connected");
    let written: Vec<_> = fake.written.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    for word in [
        ("device/vif/0/tx-ring-ref", "56"),
        ("device/vif/0/rx-ring-ref", "57"),
        ("device/vif/0/event-channel", "9"),
        ("device/vif/0/request-rx-copy", "1"),
        ("device/vif/0/feature-no-csum-offload", "1"),
        ("device/vif/0/feature-sg", "0"),
    ] {
        assert!(written.contains(&word), "{word:?}");
    }
    assert_eq!(written.last(), Some(&("device/vif/0/state", CONNECTED)), "all else comes before");
}

#[test]
fn what_is_no_card_is_said() {
    let mut none = Fake::default();
    let refused = JoinError::Refused("device/vif/0/backend-id".to_string(), "ENOENT".to_string());
    assert_eq!(find(&mut none), Err(refused));

    let mut nonsense = Fake::new(&[WAITS]);
    nonsense.set("device/vif/0/backend-id", "-1");
    assert!(matches!(find(&mut nonsense), Err(JoinError::Value(..))));

    let mut old = Fake::new(&[WAITS]);
    old.set(&format!("{PATH}/feature-rx-copy"), "0");
    assert!(matches!(find(&mut old), Err(JoinError::Value(..))));

    let mut closing = Fake::new(&[CLOSING]);
    assert_eq!(find(&mut closing), Err(JoinError::State(CLOSING.to_string())));

    let mut never = Fake::new(&[]);
    assert_eq!(find(&mut never), Err(JoinError::State("1".to_string())));
    assert_eq!(never.pauses, LOOKS, "it does not wait for ever");
    let errors = vec![closing.pauses, old.pauses];
    assert_eq!(errors, [1, 1]);
}
