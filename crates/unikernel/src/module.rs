//! The boot module: all that a node is told before it starts (QEMU's `-initrd`, Xen's `ramdisk`). A header with magic,
//! version, build, length and checksum, then one postcard value. It holds the decoy's seed, so it is as secret as the fleet.
//!
//! A node has the face that its decoy has in a shared worker, since all of that comes from [`DecoySpec::seed`] and the
//! time of day: card, keys, boot time, skew. What differs from run to run comes from `entropy`, here as there.
//!
//! [`DecoySpec::seed`]: chaff_engine::spec::DecoySpec

use alloc::vec::Vec;
use core::fmt;

use chaff_engine::spec::FleetSpec;
use chaff_events::UtcNanos;
use serde::{Deserialize, Serialize};

use crate::{
    build::{self, BUILD},
    console::checksum,
};

mod reader;

/// Version of the module's header and of the console's messages; a node refuses another. What is in the module follows
/// [`BUILD`].
pub const VERSION: u16 = 3;

/// Longest module. A decoy's pages are a megabyte at most by the limit of the profiles' files, and the machine has
/// eight in all.
pub const MAX_OCTETS: usize = 2 << 20;

const MAGIC: [u8; 8] = *b"CHAFNODE";
/// Magic, version, two octets of zero, build, length, checksum.
const HEADER: usize = 20 + build::LENGTH;

/// What a node is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootModule {
    /// The chance of this run: 32 octets that no run before has had. The node adds its processor's to it.
    pub entropy: [u8; 32],
    /// The host's monotone clock, in nanoseconds, when this was written.
    pub now: u64,
    /// The time of day at that moment. The node asks for it again when it is up, since starting takes a while.
    pub utc: UtcNanos,
    /// How fast the time-stamp counter runs, in kHz, where the host knows: software emulation on the same processor hands
    /// its counter through and does not tell its speed. Else the node measures it.
    pub counter_khz: Option<u64>,
    /// One decoy, of index 0, as [`FleetSpec::alone`] makes it. Its network's `link` is 0 and is the node's only card;
    /// its `vlan` is as in the fleet, so frames to and from the node carry the tag.
    pub fleet: FleetSpec,
}

/// Why a module was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleError {
    /// It does not begin as one, or it is cut off.
    NotAModule,
    /// It is of this other version.
    Version(u16),
    /// It was written by a program of another build.
    Build,
    /// It is longer than [`MAX_OCTETS`].
    TooLong,
    /// Its checksum is wrong, or it does not decode.
    Damaged,
    /// It does not hold exactly one decoy on link 0.
    NotOneDecoy,
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAModule => f.write_str("the boot module does not begin as one, or is cut off"),
            Self::Version(_) | Self::Build => f.write_str(
                "this image and the program that started it are of different builds: make the image again with \
                 `cargo xtask image`, or install the image of the same release",
            ),
            Self::TooLong => write!(f, "the boot module is longer than {MAX_OCTETS} octets"),
            Self::Damaged => f.write_str("the boot module is damaged"),
            Self::NotOneDecoy => f.write_str("the boot module does not hold one decoy on link 0"),
        }
    }
}

impl core::error::Error for ModuleError {}

impl BootModule {
    /// The octets that a hypervisor is given.
    ///
    /// # Errors
    /// When it is too long or holds something else than one decoy: a node would refuse it.
    pub fn encode(&self) -> Result<Vec<u8>, ModuleError> {
        self.holds_one_decoy()?;
        let body = postcard::to_allocvec(self).map_err(|_| ModuleError::Damaged)?;
        let length = u32::try_from(body.len()).map_err(|_| ModuleError::TooLong)?;
        let mut octets = Vec::with_capacity(HEADER + body.len());
        octets.extend(MAGIC);
        octets.extend(VERSION.to_le_bytes());
        octets.extend([0; 2]);
        octets.extend(BUILD);
        octets.extend(length.to_le_bytes());
        octets.extend(checksum(&body).to_le_bytes());
        octets.extend(body);
        if octets.len() > MAX_OCTETS { Err(ModuleError::TooLong) } else { Ok(octets) }
    }

    /// Reads what [`encode`](Self::encode) wrote. What follows it is ignored: loaders fill up pages.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn decode(octets: &[u8]) -> Result<Self, ModuleError> {
        let rest = octets.strip_prefix(&MAGIC).ok_or(ModuleError::NotAModule)?;
        let (&version, rest) = rest.split_first_chunk().ok_or(ModuleError::NotAModule)?;
        let (_, rest) = rest.split_first_chunk::<2>().ok_or(ModuleError::NotAModule)?;
        let (build, rest) = rest.split_first_chunk().ok_or(ModuleError::NotAModule)?;
        let (&length, rest) = rest.split_first_chunk().ok_or(ModuleError::NotAModule)?;
        let (&sum, rest) = rest.split_first_chunk().ok_or(ModuleError::NotAModule)?;
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(ModuleError::Version(version));
        }
        if build != BUILD {
            return Err(ModuleError::Build);
        }
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| ModuleError::TooLong)?;
        if length > MAX_OCTETS - HEADER {
            return Err(ModuleError::TooLong);
        }
        let body = rest.get(..length).ok_or(ModuleError::NotAModule)?;
        if checksum(body) != u32::from_le_bytes(sum) {
            return Err(ModuleError::Damaged);
        }
        let module: Self = reader::from_octets(body).map_err(|_| ModuleError::Damaged)?;
        module.holds_one_decoy()?;
        Ok(module)
    }

    fn holds_one_decoy(&self) -> Result<(), ModuleError> {
        let [decoy] = self.fleet.decoys.as_slice() else { return Err(ModuleError::NotOneDecoy) };
        let network = self.fleet.networks.get(usize::from(decoy.network));
        if network.is_some_and(|network| network.link == 0) { Ok(()) } else { Err(ModuleError::NotOneDecoy) }
    }
}

#[cfg(test)]
mod tests;
