//! The packet sockets of one worker, one for each interface.

use std::os::fd::OwnedFd;

use chaff_sensor::{interface::Interfaces, ownership, socket};

use crate::failure::Failure;

/// Sockets by link, and what they are bound to.
#[derive(Debug)]
pub(super) struct Links {
    sockets: Vec<OwnedFd>,
    names: Vec<String>,
    place: Place,
}

/// Which worker of how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) worker: usize,
    pub(super) workers: usize,
}

impl Links {
    /// Opens a socket on each interface, for the decoys of one worker.
    pub(super) fn open(names: &[String], place: Place, interfaces: &Interfaces) -> Result<Self, Failure> {
        let sockets = names.iter().map(|name| open(name, place, interfaces)).collect::<Result<_, _>>()?;
        Ok(Self { sockets, names: names.to_vec(), place })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &OwnedFd> {
        self.sockets.iter()
    }

    /// A socket whose interface was removed never receives again: a new one is opened when the interface is back.
    pub(super) fn reopen_orphans(&mut self) -> Result<(), Failure> {
        for (socket, name) in self.sockets.iter_mut().zip(&self.names) {
            if socket::is_orphan(socket) {
                let interfaces = Interfaces::read().map_err(Failure::running)?;
                *socket = open(name, self.place, &interfaces)?;
            }
        }
        Ok(())
    }
}

fn open(name: &str, place: Place, interfaces: &Interfaces) -> Result<OwnedFd, Failure> {
    let socket = socket::open(name, interfaces).map_err(Failure::running)?;
    ownership::restrict(&socket, place.worker, place.workers)
        .map_err(|error| Failure::Running(format!("interface `{name}`: attach the filter: {error}")))?;
    Ok(socket)
}
