//! Certificates that were made: a decoy's is signed once, not for each connection.

use alloc::{sync::Arc, vec::Vec};

use super::{certificate::make, key::PrivateKey, spec::TlsSpec};
use crate::{Identity, Shared};

/// Certificates that are kept, some KiB each; the one used longest ago goes first.
const MAX_CERTIFICATES: usize = 1024;

/// In the order of their last use.
#[derive(Debug, Default)]
pub(crate) struct Certificates(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    seed: [u8; 16],
    spec: Arc<TlsSpec>,
    key: PrivateKey,
    octets: Arc<[u8]>,
}

impl Shared {
    /// Key and certificate of a decoy; `None` while the key is being searched for.
    pub(super) fn certificate(
        &mut self,
        spec: &Arc<TlsSpec>,
        identity: &Identity<'_>,
    ) -> Option<(PrivateKey, Arc<[u8]>)> {
        let entries = &mut self.certificates.0;
        let place = entries.iter().rposition(|e| e.seed == identity.seed && Arc::ptr_eq(&e.spec, spec));
        let entry = match place {
            Some(place) => entries.remove(place),
            None => {
                let key = PrivateKey::of(spec.certificate.key, &identity.seed, self)?;
                let octets = make(&spec.certificate, identity, &key)?.into();
                Entry { seed: identity.seed, spec: Arc::clone(spec), key, octets }
            }
        };
        let entries = &mut self.certificates.0;
        if entries.len() >= MAX_CERTIFICATES {
            entries.remove(0);
        }
        entries.push(entry.clone());
        Some((entry.key, entry.octets))
    }
}
