//! What all conversations of one engine share: keys that take long to make, and who knocks at which door.

use crate::{
    keys::{RsaKeys, RsaPurpose},
    shell::Disks,
    ssh::Startups,
    tls::{Certificates, Sessions},
};
use alloc::sync::Arc;

/// State that outlives a conversation. It holds nothing that one decoy could show of another: every entry belongs to
/// one decoy's seed.
#[derive(Debug, Default)]
pub struct Shared {
    rsa: RsaKeys,
    pub(crate) certificates: Certificates,
    /// Sessions of TLS.
    pub(crate) sessions: Sessions,
    /// Who is at the doors of SSH.
    pub(crate) startups: Startups,
    /// What was changed behind planted accounts.
    pub(crate) disks: Disks,
}

impl Shared {
    /// The RSA key that the decoy with this seed uses for `purpose`, of `bits` bits. `None` while it is being searched
    /// for: each call does a bounded part of the search ([`RsaKeys::find`]), so ask again at the next wake-up.
    pub(crate) fn rsa_key(
        &mut self,
        seed: &[u8; 16],
        purpose: RsaPurpose,
        bits: u16,
    ) -> Option<Arc<rsa::RsaPrivateKey>> {
        self.rsa.find(seed, purpose, bits)
    }
}
