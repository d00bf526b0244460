//! What outlives a connection: certificates that were made, since a decoy's is signed once, not for each connection; and
//! sessions, of products that keep them.

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use super::{certificate::make, key::PrivateKey, session::Session, spec::TlsSpec};
use crate::{
    Identity, Shared,
    limits::tls::{MAX_CERTIFICATES, MAX_SESSIONS},
};

/// In the order of their beginning: decoy, identifier, session.
#[derive(Debug, Default)]
pub(crate) struct Sessions(VecDeque<([u8; 16], Vec<u8>, Session)>);

impl Sessions {
    pub(super) fn keep(&mut self, seed: [u8; 16], name: Vec<u8>, session: Session) {
        if self.0.len() >= MAX_SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back((seed, name, session));
    }

    /// The session of the decoy that has this identifier.
    pub(super) fn find(&self, seed: &[u8; 16], name: &[u8]) -> Option<Session> {
        let own = |entry: &&([u8; 16], Vec<u8>, Session)| entry.0 == *seed && entry.1 == name && !name.is_empty();
        self.0.iter().rev().find(own).map(|entry| entry.2.clone())
    }
}

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
                let certificate = spec.certificate_of(&identity.seed);
                let key = PrivateKey::of(certificate.key, &identity.seed, self)?;
                let octets = make(certificate, identity, &key)?.into();
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
