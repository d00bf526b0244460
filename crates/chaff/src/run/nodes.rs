//! What the node host inherits, and where its image and its emulator are found.

use std::{
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

use chaff_config::NodeSettings;
use chaff_engine::spec::FleetSpec;
use chaff_sensor::{interface::Interfaces, relay::Fellows};

use super::{
    Plan,
    links::{Links, Place},
    memory_file,
    process::Inherited,
    state::State,
    supervisor::WorkerFiles,
};
use crate::failure::Failure;

/// Name of the image.
const IMAGE: &str = "chaff-node.elf";

/// Where packages put it.
const LIBRARIES: [&str; 2] = ["/usr/lib/chaff", "/usr/local/lib/chaff"];

/// Octets of an image at most: eight times what `cargo xtask image` lets one have. More is some other file.
const LONGEST_IMAGE: u64 = 16 << 20;

/// Name of the emulator.
const QEMU: &str = "qemu-system-x86_64";

/// Descriptors of the node host for each machine, and for all else.
const DESCRIPTORS_PER_NODE: u64 = 6;
const DESCRIPTORS: u64 = 256;

/// What the node host inherits. Kept here, so that the next one inherits the same.
#[derive(Debug)]
pub(super) struct NodeFiles {
    pub(super) worker: WorkerFiles,
    image: OwnedFd,
    door: UnixListener,
    qemu: PathBuf,
    settings: NodeSettings,
    nodes: u64,
}

/// Opens all that the decoys in `machines` need; `None` where there are none.
pub(super) fn prepare(
    plan: &Plan,
    machines: &FleetSpec,
    names: &[String],
    interfaces: &Interfaces,
    state: &State,
    others: &Fellows,
) -> Result<Option<NodeFiles>, Failure> {
    if machines.decoys.is_empty() {
        return Ok(None);
    }
    let settings = plan.node().clone();
    let (qemu, image) = (find_qemu(&settings, plan.directory())?, find_image(&settings, plan.directory())?);
    let nodes = machines.decoys.len() as u64;
    raise_descriptors(nodes)?;
    let image = read_image(&image)?;
    let links = Links::open(names, Place { worker: 0, workers: 1 }, interfaces)?;
    let worker = WorkerFiles::new(machines, state.spool_of_nodes()?, links, others)?;
    Ok(Some(NodeFiles { worker, image, door: state.door()?, qemu, settings, nodes }))
}

impl NodeFiles {
    pub(super) fn inherited(&self) -> Vec<Inherited<'_>> {
        let mut all = self.worker.inherited();
        all.extend([("--image", self.image.as_fd()), ("--door", self.door.as_fd())]);
        all
    }

    /// The words of its command line.
    pub(super) fn words(&self) -> Vec<String> {
        let accel = self.settings.accel.name();
        let memory = self.settings.memory_mib.to_string();
        let starts = self.settings.starts_at_once.to_string();
        let qemu = self.qemu.display().to_string();
        let nodes = self.nodes.to_string();
        let words = ["--qemu", &qemu, "--accel", accel, "--memory-mib", &memory, "--starts-at-once", &starts];
        words.into_iter().chain(["--nodes", &nodes]).map(str::to_owned).collect()
    }
}

/// The image: as configured, beside the program, or where packages put it.
pub(crate) fn find_image(settings: &NodeSettings, directory: &Path) -> Result<PathBuf, Failure> {
    let places = match &settings.image {
        Some(image) => vec![directory.join(image)],
        None => {
            let program = std::env::current_exe().ok();
            let beside = program.as_deref().and_then(Path::parent).map(|folder| folder.join(IMAGE));
            beside.into_iter().chain(LIBRARIES.map(|folder| Path::new(folder).join(IMAGE))).collect()
        }
    };
    if let Some(found) = places.iter().find(|place| place.is_file()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places.iter().map(|place| format!("    {}", place.display())).collect();
    Err(Failure::Running(format!(
        "the image of decoys with `runtime = \"node\"` is not there. Looked for at\n\n{}\n\nMake it with `cargo xtask \
         image` and put it at one of these places, or name it in chaff.toml: [node] image = \"…\"",
        looked.join("\n")
    )))
}

/// The emulator: as configured, or in `PATH`.
pub(crate) fn find_qemu(settings: &NodeSettings, directory: &Path) -> Result<PathBuf, Failure> {
    if let Some(qemu) = &settings.qemu {
        let qemu = directory.join(qemu);
        return if qemu.is_file() {
            Ok(qemu)
        } else {
            Err(Failure::Running(format!("{}: no such program ([node] qemu in chaff.toml)", qemu.display())))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(QEMU)).find(|file| file.is_file()).ok_or_else(|| {
        Failure::Running(format!(
            "decoys with `runtime = \"node\"` need {QEMU}, which is not installed (Debian: apt-get install \
             --no-install-recommends qemu-system-x86). Install it, name it in chaff.toml ([node] qemu = \"…\"), or \
             write runtime = \"shared\""
        ))
    })
}

/// A copy in memory, which whoever the emulator runs as can read, wherever the file is.
fn read_image(path: &Path) -> Result<OwnedFd, Failure> {
    let failed = |error: std::io::Error| Failure::Running(format!("{}: {error}", path.display()));
    let mut octets = Vec::new();
    File::open(path).map_err(failed)?.take(LONGEST_IMAGE).read_to_end(&mut octets).map_err(failed)?;
    if !octets.starts_with(b"\x7fELF") {
        return Err(Failure::Running(format!(
            "{}: this is no image; make it with `cargo xtask image`",
            path.display()
        )));
    }
    memory_file("chaff-node", |mut file| file.write_all(&octets).map_err(Failure::running)).map(OwnedFd::from)
}

/// Lets the node host have as many descriptors as it needs; it inherits the limit.
fn raise_descriptors(nodes: u64) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = descriptors(nodes);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
        .map_err(|error| Failure::Running(format!("{nodes} machines need {needed} descriptors (ulimit -n): {error}")))
}

/// Descriptors that a host of so many machines needs.
pub(crate) fn descriptors(nodes: u64) -> u64 {
    DESCRIPTORS + nodes * DESCRIPTORS_PER_NODE
}
