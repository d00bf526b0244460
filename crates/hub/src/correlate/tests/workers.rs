//! What several workers tell of one intruder, each of its own decoys and each in its own time.

use super::*;

/// Requests for sixty decoys, told in batches of `batch` by each of `workers` in turn: the owner of a decoy tells of it.
fn told_by(workers: usize, batch: usize, gaps: &[u64]) -> Script {
    let mut script = Script::new();
    let mut time = START;
    let mut sent = Vec::new();
    for (decoy, gap) in (0..60_u32).zip(gaps.iter().cycle()) {
        sent.push((decoy, time));
        time += gap;
    }
    script.now = time;
    for together in sent.chunks(batch * workers) {
        for worker in (0..workers).rev() {
            for &(decoy, at) in together.iter().filter(|(decoy, _)| *decoy as usize % workers == worker) {
                script.see(INTRUDER, decoy, Kind::ArpRequest, |arp| arp.time = UtcNanos(at));
            }
        }
    }
    script
}

#[test]
fn one_sweep_is_one_incident_and_its_tool_is_named_however_many_tell_of_it() {
    let arp_scan = [2_200_000, 2_000_000, 1_800_000, 1_800_000, 2_000_000, 2_200_000, 2_100_000, 2_100_000];
    let nmap = [5_000, 4_000, 6_000, 4_000, 5_000, 4_000, 3_000, 4_000, 5_000, 2_300_000];
    let kernel = [10_400_000];
    for (workers, batch) in [(1, 1), (2, 1), (2, 7), (2, 30), (3, 1), (3, 5), (3, 20), (16, 4)] {
        for (gaps, tools) in [(&arp_scan[..], &[Tool::ArpScan][..]), (&nmap, &[Tool::Nmap]), (&kernel, &[])] {
            let script = told_by(workers, batch, gaps);
            let incident = script.only();
            assert_eq!(incident.tools, tools, "{workers} workers, batches of {batch}");
            assert_eq!((incident.decoys, incident.observations), (60, 60), "{workers} workers, batches of {batch}");
            assert_eq!(incident.opened, UtcNanos(START), "{workers} workers, batches of {batch}");
        }
    }
}
