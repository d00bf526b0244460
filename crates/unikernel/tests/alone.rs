//! A decoy taken out of its fleet for a machine of its own.

use std::path::Path;

use chaff_engine::spec::{FleetSpec, Port, Room};
use chaff_unikernel::module::BootModule;

const CONFIG: &str = r#"
[[network]]
name = "net"
interface = "eth0"
subnet = "10.0.0.0/16"

[[network.decoys]]
profile = "windows-server-2022"
addresses = ["10.0.2.1-10.0.2.9"]

[[network]]
name = "other"
interface = "eth1"
subnet = "10.1.0.0/16"
gateway = "10.1.0.1"
vlan = 20

[[network.decoys]]
profile = "linux-server"
addresses = ["10.1.1.6-10.1.1.8"]
"#;

fn fleet() -> FleetSpec {
    let source = chaff_config::SourceFile::new("chaff.toml", CONFIG.to_owned());
    let config = chaff_config::parse(&source, Path::new("")).expect("the configuration is good");
    chaff_profiles::compile(&config, &[7; 32]).expect("the fleet compiles")
}

#[test]
fn a_decoy_alone_is_itself_and_knows_no_other() {
    let fleet = fleet();
    for (index, decoy) in fleet.decoys.iter().enumerate() {
        let alone = fleet.alone(index).expect("it is there");
        let own = &alone.decoys[0];
        assert_eq!((&own.name, own.mac, own.ip, own.seed), (&decoy.name, decoy.mac, decoy.ip, decoy.seed));
        assert_eq!((alone.decoys.len(), alone.part.fleet.len(), alone.part.room), (1, 0, Room::Machine));
        let (network, before) = (&alone.networks[0], &fleet.networks[usize::from(decoy.network)]);
        assert_eq!((network.link, network.vlan, network.gateway), (0, before.vlan, before.gateway));
        let (profile, before) = (&alone.profiles[0], &fleet.profiles[usize::from(decoy.profile)]);
        assert_eq!(alone.personalities, [fleet.personalities[usize::from(before.personality)].clone()]);
        for port in 0..=u16::MAX {
            for (now, then) in [(&profile.tcp, &before.tcp), (&profile.udp, &before.udp)] {
                match (now.at(port), then.at(port)) {
                    (Port::Service(now), Port::Service(then)) => {
                        assert_eq!(alone.services[usize::from(now)], fleet.services[usize::from(then)]);
                    }
                    (now, then) => assert_eq!(now, then),
                }
            }
        }
        // Nothing of another decoy is in what the machine is given.
        let utc = chaff_events::UtcNanos(0);
        let module = BootModule { entropy: [0; 32], now: 0, utc, counter_khz: None, fleet: alone };
        let octets = module.encode().expect("a module");
        let others = fleet.decoys.iter().filter(|other| other.ip != decoy.ip);
        for other in others {
            assert!(!octets.windows(16).any(|window| window == other.seed), "{} knows {}", decoy.name, other.name);
            assert!(!octets.windows(6).any(|window| window == other.mac.0), "{} knows {}", decoy.name, other.name);
        }
        assert_eq!(BootModule::decode(&octets), Ok(module));
    }
    assert!(fleet.alone(fleet.decoys.len()).is_none());
}
