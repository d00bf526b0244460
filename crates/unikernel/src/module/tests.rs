use alloc::vec;
use core::net::Ipv4Addr;

use chaff_engine::spec::{ChaffSpec, DecoySpec, NetworkSpec, PartSpec, Port, PortTable, ProfileSpec};
use chaff_events::Mac;
use proptest::prelude::*;

use super::*;

fn module() -> BootModule {
    let fleet = FleetSpec {
        sensor: "test".into(),
        networks: vec![NetworkSpec {
            name: "office".into(),
            link: 0,
            vlan: Some(20),
            subnet: Ipv4Addr::new(10, 0, 0, 0).into(),
            prefix: 24,
            gateway: None,
        }],
        personalities: vec![],
        services: vec![],
        profiles: vec![ProfileSpec {
            name: "file-server".into(),
            personality: 0,
            tcp: PortTable { ranges: vec![], default: Port::Closed },
            udp: PortTable { ranges: vec![], default: Port::Closed },
            accounts: [].into(),
            serial: Some("CNB7K3X02Q".into()),
        }],
        decoys: vec![DecoySpec {
            name: "FS-07".into(),
            mac: Mac([0, 0x50, 0x56, 1, 2, 3]),
            ip: Ipv4Addr::new(10, 0, 0, 7).into(),
            network: 0,
            profile: 0,
            seed: [7; 16],
        }],
        chaff: ChaffSpec { packets_per_second: 1 },
        part: PartSpec::default(),
    };
    BootModule { entropy: [9; 32], now: 5, utc: UtcNanos(6), counter_khz: Some(2_400_000), fleet }
}

#[test]
fn it_comes_back_as_it_was_with_a_page_filled_up() {
    let mut octets = module().encode().expect("a module");
    assert_eq!(BootModule::decode(&octets), Ok(module()));
    octets.resize(octets.len().next_multiple_of(4_096), 0);
    assert_eq!(BootModule::decode(&octets), Ok(module()));
}

#[test]
fn what_is_wrong_with_it_is_said() {
    let good = module().encode().expect("a module");
    let changed = |at: usize, to: u8| {
        let mut octets = good.clone();
        octets[at] = to;
        BootModule::decode(&octets)
    };
    assert_eq!(BootModule::decode(b""), Err(ModuleError::NotAModule));
    assert_eq!(BootModule::decode(&good[..good.len() - 1]), Err(ModuleError::NotAModule));
    assert_eq!(changed(0, b'X'), Err(ModuleError::NotAModule));
    assert_eq!(changed(8, 9), Err(ModuleError::Version(9)));
    assert_eq!(changed(12, b'x'), Err(ModuleError::Build));
    assert_eq!(changed(31, 0xff), Err(ModuleError::TooLong));
    assert_eq!(changed(32, !good[32]), Err(ModuleError::Damaged));
    assert_eq!(changed(HEADER + 3, 0), Err(ModuleError::Damaged));
}

#[test]
fn it_holds_one_decoy_on_its_only_link() {
    let mut none = module();
    none.fleet.decoys.clear();
    let mut two = module();
    two.fleet.decoys.push(two.fleet.decoys[0].clone());
    let mut elsewhere = module();
    elsewhere.fleet.networks[0].link = 1;
    let mut nowhere = module();
    nowhere.fleet.decoys[0].network = 1;
    for wrong in [none, two, elsewhere, nowhere] {
        assert_eq!(wrong.encode(), Err(ModuleError::NotOneDecoy));
    }
    let mut long = module();
    long.fleet.sensor = "x".repeat(MAX_OCTETS);
    assert_eq!(long.encode(), Err(ModuleError::TooLong));
}

proptest! {
    #[test]
    fn a_mutated_module_is_refused_or_read(at in any::<proptest::sample::Index>(), to: u8) {
        let mut octets = module().encode().expect("a module");
        let at = at.index(octets.len());
        octets[at] = to;
        let _ = BootModule::decode(&octets);
    }

    #[test]
    fn any_body_with_a_right_checksum_is_survived(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut octets = MAGIC.to_vec();
        octets.extend(VERSION.to_le_bytes());
        octets.extend([0; 2]);
        octets.extend(BUILD);
        octets.extend((body.len() as u32).to_le_bytes());
        octets.extend(checksum(&body).to_le_bytes());
        octets.extend(&body);
        let _ = BootModule::decode(&octets);
    }
}
