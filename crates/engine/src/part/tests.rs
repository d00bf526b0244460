use std::{net::Ipv4Addr, vec};

use super::*;
use crate::spec::NetworkSpec;

/// Runs of addresses on three networks: two VLANs of one link, and another link.
fn fellows(runs: &[(u16, [u8; 4], u32)]) -> Fellows {
    let network = |link, vlan| NetworkSpec {
        name: "net".into(),
        link,
        vlan,
        subnet: Ipv4Addr::new(10, 0, 0, 0).into(),
        prefix: 8,
        gateway: None,
    };
    let run = |&(network, first, count): &(u16, [u8; 4], u32)| AddressRun { network, first: first.into(), count };
    Fellows::new(&FleetSpec {
        sensor: "test".into(),
        networks: vec![network(0, None), network(0, Some(20)), network(1, None)],
        personalities: vec![],
        services: vec![],
        profiles: vec![],
        decoys: vec![],
        chaff: ChaffSpec { packets_per_second: 20 },
        part: PartSpec { sharers: 2, fleet: runs.iter().map(run).collect(), ..PartSpec::default() },
    })
}

#[test]
fn addresses_are_known_by_link_and_vlan() {
    let fellows =
        fellows(&[(0, [10, 0, 0, 5], 3), (0, [10, 0, 1, 0], 1), (1, [10, 0, 0, 6], 1), (2, [10, 0, 0, 7], 2)]);
    let known = |link, vlan| {
        let all = (0..=0x200u32).map(|n| Ipv4Addr::from_bits(0x0a00_0000 + n));
        all.filter(|&ip| fellows.contains(link, vlan, ip.into())).map(|ip| ip.octets()).collect::<Vec<_>>()
    };
    assert_eq!(known(0, None), [[10, 0, 0, 5], [10, 0, 0, 6], [10, 0, 0, 7], [10, 0, 1, 0]]);
    assert_eq!(known(0, Some(20)), [[10, 0, 0, 6]]);
    assert_eq!(known(1, None), [[10, 0, 0, 7], [10, 0, 0, 8]]);
    assert!(known(0, Some(21)).is_empty() && known(2, None).is_empty());
    assert!(!fellows.contains(0, None, IpAddr::from([0u16; 8])));
}

#[test]
fn every_number_is_one_decoy() {
    let fellows = fellows(&[(2, [10, 0, 0, 7], 2), (0, [10, 0, 0, 5], 3), (1, [10, 0, 0, 6], 1)]);
    assert_eq!(fellows.len(), 6);
    let all: Vec<_> = (0..7).map(|n| fellows.at(n)).collect();
    let at = |network, last: u8| Some((network, IpAddr::from([10, 0, 0, last])));
    assert_eq!(all, [at(0, 5), at(0, 6), at(0, 7), at(1, 6), at(2, 7), at(2, 8), None]);
}

#[test]
fn owners_are_dealt_out_by_the_low_bits() {
    let of = |workers| (0..8u8).map(|last| owner(IpAddr::from([10, 0, 0, last]), workers)).collect::<Vec<_>>();
    assert_eq!(of(1), [0; 8]);
    assert_eq!(of(4), [0, 1, 2, 3, 0, 1, 2, 3]);
    // 10.0.0.0 is 167772160, which leaves 1 when divided by 3.
    assert_eq!(of(3), [1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn shares_add_up_to_no_more_than_the_whole() {
    for sharers in 1..=16u16 {
        let share = Share::new(&PartSpec { sharers, ..PartSpec::default() });
        for limit in [256, 65_536, 2 << 20] {
            let all = share.of(limit) * usize::from(sharers);
            assert!(all <= limit && all + usize::from(sharers) > limit, "{sharers}: {all} of {limit}");
        }
        assert!(share.of_budget(10_000) * u64::from(sharers) <= 10_000);
        assert_eq!((share.of(1), share.of_budget(1)), (1, 1), "never nothing at all");
    }
}

#[test]
fn the_pace_of_chaff_is_by_the_number_of_decoys() {
    let chaff = ChaffSpec { packets_per_second: 20 };
    assert_eq!(chaff_interval(chaff, 100, 0), 50_000_000);
    assert_eq!(chaff_interval(chaff, 100, 100), 50_000_000);
    assert_eq!(chaff_interval(chaff, 25, 100), 200_000_000);
    assert_eq!(chaff_interval(chaff, 0, 100), 0);
    assert_eq!(chaff_interval(ChaffSpec { packets_per_second: 0 }, 25, 100), 0);
}

#[test]
fn a_machine_has_less_room_and_the_same_budget() {
    let machine = Share::new(&PartSpec { room: Room::Machine, ..PartSpec::default() });
    assert_eq!((machine.of(65_536), machine.of(3)), (512, 1));
    assert_eq!(machine.of_budget(10_000), Share::WHOLE.of_budget(10_000));
}

#[test]
fn services_are_numbered_anew_and_each_once() {
    let ports = |ranges: &[(u16, u16, Port)], default| PortTable { ranges: ranges.to_vec(), default };
    let mut bound = vec![];
    let tcp = ports(&[(22, 22, Port::Service(7)), (80, 81, Port::Service(3)), (90, 90, Port::Open)], Port::Closed);
    let tcp = renumbered(&tcp, &mut bound).expect("few services");
    assert_eq!(tcp.ranges, [(22, 22, Port::Service(0)), (80, 81, Port::Service(1)), (90, 90, Port::Open)]);
    let udp = renumbered(&ports(&[(53, 53, Port::Service(3))], Port::Service(9)), &mut bound).expect("few services");
    assert_eq!((udp.at(53), udp.at(1), bound), (Port::Service(1), Port::Service(2), vec![7, 3, 9]));
}

#[test]
fn what_is_kept_is_a_whole_fleet_of_its_own() {
    let decoy = |last: u8| crate::spec::DecoySpec {
        name: "d".into(),
        mac: chaff_wire::Mac([2, 0, 0, 0, 0, last]),
        ip: Ipv4Addr::new(10, 0, 0, last).into(),
        network: 0,
        profile: 0,
        seed: [last; 16],
    };
    let fleet = FleetSpec {
        sensor: "test".into(),
        networks: vec![],
        personalities: vec![],
        services: vec![],
        profiles: vec![],
        decoys: (0..4).map(decoy).collect(),
        chaff: ChaffSpec { packets_per_second: 20 },
        part: PartSpec::default(),
    };
    let kept = fleet.only(|index| index % 2 == 1);
    assert_eq!(kept.decoys, [decoy(1), decoy(3)]);
    assert_eq!(kept.part, PartSpec::default());
}
