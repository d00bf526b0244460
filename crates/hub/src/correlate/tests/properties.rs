//! What holds whatever comes.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::json::{ports_from_text, ports_to_text};

proptest! {
    /// The engine may fold what it likes: the numbers are the same.
    #[test]
    fn folding_changes_no_count(
        packets in prop::collection::vec((0_u32..40, 1_u16..2_000, any::<bool>()), 1..300),
        fold in 1_usize..50,
    ) {
        let (mut plain, mut folded) = (Script::new(), Script::new());
        let kind = |credential| if credential { Kind::Credential } else { Kind::TcpSyn };
        for &(decoy, port, credential) in &packets {
            plain.see(INTRUDER, decoy, kind(credential), |syn| syn.port = port);
        }
        for window in packets.chunks(fold) {
            let mut groups: BTreeMap<(u32, bool), Vec<u16>> = BTreeMap::new();
            for &(decoy, port, credential) in window {
                groups.entry((decoy, credential)).or_default().push(port);
            }
            for ((decoy, credential), mut ports) in groups {
                let count = ports.len() as u32;
                ports.sort_unstable();
                ports.dedup();
                folded.see(INTRUDER, decoy, kind(credential), |syn| {
                    syn.count = count;
                    if count == 1 { syn.port = ports[0] } else { syn.ports = ports }
                });
            }
        }
        let (plain, folded) = (plain.only(), folded.only());
        prop_assert_eq!(plain.observations, folded.observations);
        prop_assert_eq!(plain.observations, packets.len() as u64);
        prop_assert_eq!((plain.decoys, plain.ports), (folded.decoys, folded.ports));
        prop_assert_eq!((plain.credentials, plain.severity), (folded.credentials, folded.severity));
        prop_assert_eq!(&plain.techniques, &folded.techniques);
    }

    /// Lists of ports survive being written for a person.
    #[test]
    fn ports_survive_their_text(ports in prop::collection::btree_set(any::<u16>(), 0..200)) {
        let ports: Vec<u16> = ports.into_iter().collect();
        prop_assert_eq!(ports_from_text(&ports_to_text(&ports)), ports);
    }

    /// Whatever comes, an incident's severity never shrinks and its identity stays.
    #[test]
    fn severity_is_monotone(kinds in prop::collection::vec(0..Kind::ALL.len(), 1..60)) {
        let mut script = Script::new();
        let mut worst: HashMap<EventId, Severity> = HashMap::new();
        for kind in kinds {
            script.see(INTRUDER, 0, Kind::ALL[kind], |_| {});
            for incident in script.incidents() {
                let before = worst.insert(incident.id, incident.severity);
                prop_assert!(before.is_none_or(|before| before <= incident.severity));
            }
            // The source, its card where it claims an address, and the sensor itself.
            prop_assert!(script.incidents().len() <= 3);
        }
    }
}
