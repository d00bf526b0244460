//! From a configuration to a fleet.

mod decoys;
mod groups;

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use chaff_config::{
    AddressRange, Cidr, Config, Decoys, Diagnostics, Located, MAX_FILE_OCTETS, Network, Problem, SourceFile,
};
use chaff_engine::spec::{ChaffSpec, FleetSpec, NetworkSpec, PartSpec};

use self::{decoys::Cards, groups::Groups};
use crate::{device::Device, identity::Secret};

/// Reads `chaff.toml` and compiles it, with every mistake of either told in one go.
///
/// # Errors
/// All that is wrong with the file, and with the user's files that it names.
pub fn load(path: &Path, secret: &[u8; 32]) -> Result<(Config, FleetSpec), Diagnostics> {
    let source = SourceFile::open(path, MAX_FILE_OCTETS)?;
    let (config, mut problems) = chaff_config::read(&source, path.parent().unwrap_or_else(|| Path::new("")));
    if !problems.is_empty() {
        problems.extend(groups::resolve_all(&config));
    }
    Diagnostics::unless_empty(problems)?;
    let fleet = compile(&config, secret)?;
    Ok((config, fleet))
}

/// Compiles a configuration.
///
/// # Errors
/// Unknown profiles, personalities and services, mistakes in the user's own files, bad host names, incoherent groups.
pub fn compile(config: &Config, secret: &[u8; 32]) -> Result<FleetSpec, Diagnostics> {
    let mut groups = Groups::new(config);
    let secret = Secret::new(secret);
    let mut links = Vec::new();
    let mut networks = Vec::with_capacity(config.networks.len());
    let mut decoys = Vec::with_capacity(usize::try_from(config.decoy_count()).unwrap_or(0));
    let mut cards = Cards::new(config);
    for (index, network) in config.networks.iter().enumerate() {
        networks.push(network_spec(network, link(&mut links, &network.interface)));
        for group in &network.decoys {
            let Some(kind) = groups.resolve(group) else { continue };
            decoys::append(group, &kind, (index, network), &secret, &mut cards, &mut groups, &mut decoys);
        }
    }
    let (profiles, problems) = groups.finish();
    Diagnostics::unless_empty(problems)?;
    Ok(FleetSpec {
        sensor: config.sensor.clone(),
        networks,
        personalities: profiles.personalities,
        services: profiles.services,
        profiles: profiles.profiles,
        decoys,
        chaff: ChaffSpec { packets_per_second: config.chaff.packets_per_second },
        part: PartSpec::default(),
    })
}

/// All that is wrong with what a file of the user's refers to, and with its coherence, told at the file itself.
pub(crate) fn check_device(device: &Device, path: &Path) -> Vec<Problem> {
    let (source, directory) = (Arc::clone(&device.source), path.parent().unwrap_or_else(|| Path::new("")));
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let head = 0..source.text().find('\n').unwrap_or_else(|| source.text().len());
    groups::resolve_all(&one_decoy(source, directory, Located { value: format!("file:{file}"), span: head }))
}

/// A configuration with one decoy of a profile.
fn one_decoy(source: Arc<SourceFile>, directory: &Path, profile: Located<String>) -> Config {
    let here = |text: &str| Located { value: text.to_owned(), span: 0..0 };
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let range = Located { value: AddressRange { first: address, last: address }, span: 0..0 };
    let group = Decoys {
        span: 0..0,
        profile,
        personality: None,
        addresses: vec![range],
        hostname: None,
        ports: Vec::new(),
        mac: None,
        identity: None,
        serial: None,
        coherent: true,
        accounts: Vec::new(),
        runtime: chaff_config::Runtime::Shared,
    };
    let network = Network {
        name: here("check"),
        interface: here("lo"),
        subnet: Located { value: Cidr { network: Ipv4Addr::new(192, 0, 2, 0), prefix: 24 }, span: 0..0 },
        gateway: None,
        vlan: None,
        decoys: vec![group],
    };
    Config {
        source,
        directory: directory.to_owned(),
        state_dir: None,
        sensor: "check".to_owned(),
        user: None,
        workers: 1,
        without: Vec::new(),
        networks: vec![network],
        allow: Vec::new(),
        notify: Vec::new(),
        chaff: chaff_config::Chaff::default(),
        node: chaff_config::NodeSettings::default(),
    }
}

/// The sensor's interfaces are numbered as they appear in the file.
fn link<'c>(links: &mut Vec<&'c str>, interface: &'c str) -> u16 {
    let at = links.iter().position(|l| *l == interface).unwrap_or_else(|| {
        links.push(interface);
        links.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn network_spec(network: &chaff_config::Network, link: u16) -> NetworkSpec {
    NetworkSpec {
        name: network.name.value.clone(),
        link,
        vlan: network.vlan.as_ref().map(|v| v.value),
        subnet: network.subnet.network.into(),
        prefix: network.subnet.prefix,
        gateway: network.gateway.as_ref().map(|g| g.value.into()),
    }
}
