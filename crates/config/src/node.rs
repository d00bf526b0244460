//! `[node]`: how decoys run that have a virtual machine of their own.

use crate::{Accel, NodeSettings, Reader, Table};

/// Memory of a machine in MiB: the image takes two, the engine's tables grow with what is left; beyond 64 nothing is
/// gained, and a hundred machines would take what a server has.
const MEMORY_MIB: std::ops::RangeInclusive<u64> = 4..=64;

/// Machines that may be started at the same time: more than a few for each core only makes all of them late.
const STARTS_AT_ONCE: std::ops::RangeInclusive<u64> = 1..=64;

pub(crate) fn node(reader: &mut Reader, root: &Table<'_>) -> NodeSettings {
    let usual = NodeSettings::default();
    let Some(table) = reader.table(root, "node", "[node]") else { return usual };
    reader.keys(&table, &["image", "qemu", "accel", "memory_mib", "starts_at_once"]);
    let mut number = |key, bounds| reader.number(&table, key, bounds).and_then(|n| u16::try_from(n.value).ok());
    let memory_mib = number("memory_mib", MEMORY_MIB).unwrap_or(usual.memory_mib);
    let starts_at_once = number("starts_at_once", STARTS_AT_ONCE).unwrap_or(usual.starts_at_once);
    let mut path = |key| reader.name(&table, key).map(|path| path.value.into());
    let (image, qemu) = (path("image"), path("qemu"));
    NodeSettings { image, qemu, accel: accel(reader, &table).unwrap_or(usual.accel), memory_mib, starts_at_once }
}

fn accel(reader: &mut Reader, table: &Table<'_>) -> Option<Accel> {
    let accel = reader.text(table, "accel")?;
    let named = Accel::named(accel.as_str());
    if named.is_none() {
        let message = format!("unknown accelerator `{}`", accel.as_str());
        let help = "write \"kvm\" for the processor, \"tcg\" for emulation, or \"auto\" for the better that works";
        reader.wrong(accel.span.clone(), message, "here", help);
    }
    named
}
