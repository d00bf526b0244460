//! `[node]`: how decoys run that have a virtual machine of their own.

use crate::{Accel, Hypervisor, NodeSettings, Reader, Table};

/// Memory of a machine in MiB: the image takes two, the engine's tables grow with what is left; beyond 64 nothing is
/// gained, and a hundred machines would take what a server has.
const MEMORY_MIB: std::ops::RangeInclusive<u64> = 4..=64;

/// Machines that may be started at the same time: more than a few for each core only makes all of them late.
const STARTS_AT_ONCE: std::ops::RangeInclusive<u64> = 1..=64;

pub(crate) fn node(reader: &mut Reader, root: &Table<'_>) -> NodeSettings {
    let usual = NodeSettings::default();
    let Some(table) = reader.table(root, "node", "[node]") else { return usual };
    reader.keys(&table, &["hypervisor", "image", "qemu", "xl", "accel", "memory_mib", "starts_at_once"]);
    let mut number = |key, bounds| reader.number(&table, key, bounds).and_then(|n| u16::try_from(n.value).ok());
    let memory_mib = number("memory_mib", MEMORY_MIB).unwrap_or(usual.memory_mib);
    let starts_at_once = number("starts_at_once", STARTS_AT_ONCE).unwrap_or(usual.starts_at_once);
    let mut path = |key| reader.name(&table, key).map(|path| path.value.into());
    let (image, qemu, xl) = (path("image"), path("qemu"), path("xl"));
    let hypervisor = hypervisor(reader, &table).unwrap_or(usual.hypervisor);
    let accel = accel(reader, &table).unwrap_or(usual.accel);
    NodeSettings { hypervisor, image, qemu, xl, accel, memory_mib, starts_at_once }
}

fn hypervisor(reader: &mut Reader, table: &Table<'_>) -> Option<Hypervisor> {
    let hypervisor = reader.text(table, "hypervisor")?;
    let named = Hypervisor::named(hypervisor.as_str());
    if named.is_none() {
        let message = format!("unknown hypervisor `{}`", hypervisor.as_str());
        let help = "write \"qemu\", or \"xen\" where this system is the first domain of a Xen";
        reader.wrong(hypervisor.span.clone(), message, "here", help);
    }
    named
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
