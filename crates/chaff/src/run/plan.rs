//! What `chaff.toml` asks for, translated into what the fleet and the hub are made from.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::PathBuf,
};

use chaff_config::{Config, Layer, NotifyKind};
use chaff_engine::spec::FleetSpec;
use chaff_hub::{Addresses, Allow, HubNetwork, HubSpec, Notify, SyslogTransport};

use super::state::SECRET;
use crate::{cli::Files, failure::Failure, whereabouts};

/// The configuration, read; the fleet is compiled from it when the secret is known.
#[derive(Debug)]
pub(crate) struct Plan {
    config: Config,
    /// Where state is kept.
    pub(crate) state_dir: PathBuf,
}

impl Plan {
    /// Reads the configuration; every mistake in it and in what it names is told at once.
    pub(crate) fn read(files: &Files) -> Result<Self, Failure> {
        let file = files.config.clone().map_or_else(whereabouts::configuration, Ok)?;
        let config = match chaff_config::load(&file) {
            Ok(config) => config,
            // The same again, with the mistakes that only the catalogue knows.
            Err(first) => return Err(chaff_profiles::load(&file, &[0; SECRET]).err().unwrap_or(first).into()),
        };
        let state_dir = files.state.clone().unwrap_or_else(|| whereabouts::configured(&config));
        Ok(Self { config, state_dir })
    }

    /// The fleet of the install that has this secret.
    pub(crate) fn compile(&self, secret: &[u8; SECRET]) -> Result<FleetSpec, Failure> {
        Ok(chaff_profiles::compile(&self.config, secret)?)
    }

    /// User to become.
    pub(crate) fn user(&self) -> Option<&str> {
        self.config.user.as_ref().map(|user| user.value.as_str())
    }

    /// Layers of the sandbox that are not required.
    pub(crate) fn without(&self) -> &[Layer] {
        &self.config.without
    }

    /// Workers that share the fleet.
    pub(crate) fn workers(&self) -> usize {
        self.config.workers.into()
    }

    /// Which decoys of the fleet have a machine of their own.
    pub(crate) fn nodes(&self) -> Vec<std::ops::Range<u64>> {
        self.config.nodes()
    }

    /// How they run.
    pub(crate) fn node(&self) -> &chaff_config::NodeSettings {
        &self.config.node
    }

    /// What paths of the configuration are relative to.
    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.config.directory
    }

    /// Names of the interfaces, by link.
    pub(crate) fn interfaces(&self, fleet: &FleetSpec) -> Vec<String> {
        let mut names = Vec::new();
        for (network, spec) in self.config.networks.iter().zip(&fleet.networks) {
            if usize::from(spec.link) == names.len() {
                names.push(network.interface.value.clone());
            }
        }
        names
    }

    /// Writes what the hub is told.
    pub(crate) fn write_hub_spec(&self, fleet: &FleetSpec, mut file: &File) -> Result<(), Failure> {
        let spec = self.hub_spec(fleet)?;
        let octets = postcard::to_allocvec(&spec).map_err(Failure::running)?;
        Ok(file.write_all(&octets)?)
    }

    fn hub_spec(&self, fleet: &FleetSpec) -> Result<HubSpec, Failure> {
        let network = |n: &chaff_engine::spec::NetworkSpec| HubNetwork { name: n.name.clone(), gateway: n.gateway };
        Ok(HubSpec {
            state_dir: std::path::absolute(&self.state_dir)?,
            sensor: fleet.sensor.clone(),
            networks: fleet.networks.iter().map(network).collect(),
            allow: self.config.allow.iter().map(allow).collect::<Result<_, _>>()?,
            notify: self.config.notify.iter().map(notify).collect(),
        })
    }
}

fn allow(allow: &chaff_config::Allow) -> Result<Allow, Failure> {
    let source = &allow.source.value;
    let source = Addresses::new(source.network.into(), source.prefix).map_err(Failure::running)?;
    Ok(Allow { source, reason: allow.reason.clone() })
}

fn notify(notify: &chaff_config::Notify) -> Notify {
    let min_severity = notify.min_severity;
    match &notify.kind {
        NotifyKind::Stdout(_) => Notify::Stdout { json: false, min_severity },
        NotifyKind::Syslog(syslog) => Notify::Syslog {
            address: std::net::SocketAddr::new(syslog.address, syslog.port).to_string(),
            transport: match syslog.transport {
                chaff_config::SyslogTransport::Udp => SyslogTransport::Udp,
                chaff_config::SyslogTransport::Tcp => SyslogTransport::Tcp,
            },
            facility: syslog.facility,
            app_name: "chaff".into(),
            min_severity,
        },
        NotifyKind::Webhook(webhook) => {
            Notify::Webhook { url: webhook.url.clone(), headers: webhook.headers.clone(), min_severity }
        }
    }
}

/// What [`Plan::write_hub_spec`] wrote. The file's position is shared with every hub before this one.
pub(crate) fn read_hub_spec(file: &mut File) -> Result<HubSpec, Failure> {
    let mut octets = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut octets)?;
    postcard::from_bytes(&octets).map_err(|error| Failure::Running(format!("the hub's settings: {error}")))
}

#[cfg(test)]
mod tests;
