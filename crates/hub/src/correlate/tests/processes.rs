//! What a sensor tells of its own processes, and of virtual machines that do what they should not.

use super::*;

fn ended(script: &mut Script, decoy: u32) -> Verdict {
    script.see([0; 4], decoy, Kind::ProcessEnded, |observation| observation.source.mac = Mac::ZERO)
}

#[test]
fn ended_processes_are_one_incident_of_medium_severity_however_many_end() {
    let mut script = Script::new();
    ended(&mut script, 0);
    assert_eq!(script.only().title, "end of the process that hosts FS-00");
    for decoy in 1..200 {
        script.wait(SECOND);
        ended(&mut script, decoy);
    }
    let incident = script.only();
    assert_eq!(incident.title, "end of processes that host 200 decoys");
    assert_eq!((incident.severity, incident.observations, incident.techniques.len()), (Severity::Medium, 200, 0));
}

#[test]
fn a_machine_that_forges_frames_is_a_critical_incident_of_its_own() {
    let mut script = Script::new();
    ended(&mut script, 3);
    script.see([10, 20, 1, 3], 3, Kind::NodeMisbehaved, |_| {});
    let incidents = script.incidents();
    let forged = incidents.iter().find(|incident| incident.severity == Severity::Critical).unwrap();
    assert_eq!(forged.title, "forged frames out of the virtual machine of FS-03 from 10.20.1.3");
    assert_eq!((incidents.len(), forged.techniques.as_slice()), (2, ["T1210".to_owned()].as_slice()));
}
