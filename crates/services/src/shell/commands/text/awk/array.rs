//! The arrays of `awk`, gone through in the order of mawk's hash table.

use alloc::{collections::BTreeMap, rc::Rc, vec::Vec};

use super::values::Value;

/// Lists of the smallest table, less one, and how long they get before it is doubled.
const FIRST_MASK: u32 = 63;
const MAX_LIST: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Array {
    elements: BTreeMap<Rc<[u8]>, (Value, usize)>,
    added: usize,
}

impl Array {
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.elements.contains_key(key)
    }

    /// An element, made if it is not there.
    pub(super) fn element(&mut self, key: Rc<[u8]>) -> &mut Value {
        self.added += 1;
        let added = self.added;
        &mut self.elements.entry(key).or_insert_with(|| (Value::Unset, added)).0
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.elements.remove(key);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The keys, list by list, and in a list the newest first.
    pub(super) fn keys(&self) -> Vec<Rc<[u8]>> {
        let mut mask = FIRST_MASK;
        while self.len() > usize::try_from(mask).unwrap_or(usize::MAX).saturating_add(1).saturating_mul(MAX_LIST) {
            mask = mask * 2 + 1;
        }
        let mut keys: Vec<_> = self
            .elements
            .iter()
            .map(|(key, (_, added))| (hash(key) & mask, core::cmp::Reverse(*added), Rc::clone(key)))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(.., key)| key).collect()
    }
}

/// FNV-1a of 32 bits.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash: u32, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}
