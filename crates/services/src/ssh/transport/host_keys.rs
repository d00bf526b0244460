//! The host keys that a client has not seen yet: they are named to it, and it may ask for proof (PROTOCOL of OpenSSH, 2.5).

use alloc::{string::String, vec::Vec};

use super::{
    super::{
        PROVE,
        wire::{Put, Reader, message},
    },
    Transport,
};
use crate::{Context, Shared, outbox::Outbox};

impl Transport {
    /// Signs for the host keys that a client asks about (PROTOCOL of OpenSSH, 2.5): the answer, or `None` if one of them
    /// is none of this server's.
    pub(crate) fn prove(&self, shared: &mut Shared, mut blobs: Reader<'_>) -> Option<Vec<u8>> {
        let mut answer = alloc::vec![message::REQUEST_SUCCESS];
        // Of one kind each: who asks twice for one gets nothing, so that no request costs more than all keys.
        let mut left = self.spec.host_keys.clone();
        while !blobs.is_empty() {
            let blob = blobs.string()?;
            // All were made when they were announced.
            let place =
                left.iter().position(|key| key.derive(&self.seed, shared).is_some_and(|key| key.blob() == blob))?;
            let kind = left.remove(place);
            let mut signed = Vec::new();
            signed.put_string(PROVE);
            signed.put_string(&self.session);
            signed.put_string(blob);
            // An RSA key signs as in the key exchange, where it took part in that, else in the way that is named first.
            let fits = |name: &&str| kind.serves(name);
            let of_exchange = Some(self.signature.as_str()).filter(fits);
            let name = of_exchange.or_else(|| self.spec.host_key_algorithms.iter().map(String::as_str).find(fits))?;
            answer.put_string(&kind.derive(&self.seed, shared)?.sign(name, &signed));
        }
        (answer.len() > 1).then_some(answer)
    }

    /// Names all host keys, so that the client learns those that it has not seen (PROTOCOL of OpenSSH, 2.5). `false`
    /// while one of them is searched for.
    pub(crate) fn announce(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> bool {
        let mut payload = alloc::vec![message::GLOBAL_REQUEST];
        payload.put_string(b"hostkeys-00@openssh.com");
        payload.push(0);
        for key in &self.spec.host_keys {
            let Some(key) = key.derive(&self.seed, cx.shared) else { return false };
            payload.put_string(&key.blob());
        }
        self.send(outbox, &payload);
        true
    }
}
