//! Sweeps whose pace names the tool.

use super::*;

/// Times of requests as a tool sends them, taken from captures of the real ones.
fn sweep(script: &mut Script, gaps: impl Iterator<Item = u64>) -> Vec<Tool> {
    for (decoy, gap) in gaps.take(60).enumerate() {
        script.arp(INTRUDER, decoy as u32);
        script.wait(gap);
    }
    script.only().tools.clone()
}

#[test]
fn the_pace_of_a_sweep_names_the_tool() {
    let arp_scan = [2_200_000, 2_000_000, 1_800_000, 1_800_000, 2_000_000, 2_200_000, 2_100_000, 2_100_000];
    assert_eq!(sweep(&mut Script::new(), arp_scan.into_iter().cycle()), [Tool::ArpScan]);
    let nmap = [5_000, 4_000, 6_000, 4_000, 5_000, 4_000, 3_000, 4_000, 5_000, 2_300_000];
    assert_eq!(sweep(&mut Script::new(), nmap.into_iter().cycle()), [Tool::Nmap]);
    let netdiscover = [1_100_000];
    assert_eq!(sweep(&mut Script::new(), netdiscover.into_iter().cycle()), [], "a single packet names that one");
    let kernel = [10_400_000];
    assert_eq!(sweep(&mut Script::new(), kernel.into_iter().cycle()), [], "a ping sweep seen by its ARP requests");
}

#[test]
fn a_sweep_is_named_by_its_pace_also_after_another_tool_but_not_where_the_kernel_asks() {
    let arp_scan = || [2_200_000, 2_000_000, 1_800_000, 1_800_000, 2_000_000, 2_200_000].into_iter().cycle();
    let mut script = Script::new();
    script.see(INTRUDER, 9, Kind::TcpSyn, |syn| syn.tool = Some(Tool::Hping3));
    assert_eq!(sweep(&mut script, arp_scan()), [Tool::Hping3, Tool::ArpScan]);

    let mut script = Script::new();
    for (decoy, gap) in arp_scan().take(60).enumerate() {
        script.arp(INTRUDER, decoy as u32);
        script.syn(INTRUDER, decoy as u32, 22);
        script.wait(gap);
    }
    assert_eq!(script.only().tools, [], "something that connects at that pace");
}

#[test]
fn what_a_packet_gives_away_is_believed_before_the_pace() {
    let mut script = Script::new();
    for decoy in 0..60 {
        script.see(INTRUDER, decoy, Kind::ArpRequest, |arp| arp.tool = Some(Tool::Netdiscover));
        script.wait(2_000_000);
    }
    assert_eq!(script.only().tools, [Tool::Netdiscover]);
}
