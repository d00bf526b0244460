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

use chaff_config::{Hypervisor, NodeSettings};
use chaff_engine::spec::FleetSpec;
use chaff_sensor::{interface::Interfaces, node::is_of_this_build, relay::Fellows};
use rustix::net::SocketType;

use super::{
    Plan,
    links::{Links, Place},
    memory_file, pair,
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

/// Name of Xen's toolstack.
const XL: &str = "xl";

/// Where Linux says what it is to Xen.
const CAPABILITIES: &str = "/proc/xen/capabilities";

/// Descriptors of the node host for each machine, and for all else.
const DESCRIPTORS_PER_NODE: u64 = 6;
const DESCRIPTORS: u64 = 256;

/// What the node host inherits. Kept here, so that the next one inherits the same.
#[derive(Debug)]
pub(super) struct NodeFiles {
    pub(super) worker: WorkerFiles,
    image: OwnedFd,
    door: UnixListener,
    by: By,
    settings: NodeSettings,
    nodes: u64,
}

/// What runs the machines.
#[derive(Debug)]
enum By {
    Qemu(PathBuf),
    /// `xl`, and both ends of the socket on which its keeper is asked, which outlives both that use it.
    Xen {
        xl: PathBuf,
        asks: OwnedFd,
        questions: OwnedFd,
    },
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
    let by = match settings.hypervisor {
        Hypervisor::Qemu => By::Qemu(find_qemu(&settings, plan.directory())?),
        Hypervisor::Xen => {
            let xl = find_xl(&settings, plan.directory())?;
            let (asks, questions) = pair(SocketType::SEQPACKET)?;
            By::Xen { xl, asks, questions }
        }
    };
    let image = find_image(&settings, plan.directory())?;
    let nodes = machines.decoys.len() as u64;
    raise_descriptors(nodes)?;
    let image = read_image(&image)?;
    let links = Links::open(names, Place { worker: 0, workers: 1 }, interfaces)?;
    let worker = WorkerFiles::new(machines, state.spool_of_nodes()?, links, others)?;
    Ok(Some(NodeFiles { worker, image, door: state.door()?, by, settings, nodes }))
}

impl NodeFiles {
    pub(super) fn inherited(&self) -> Vec<Inherited<'_>> {
        let mut all = self.worker.inherited();
        all.extend([("--image", self.image.as_fd()), ("--door", self.door.as_fd())]);
        if let By::Xen { asks, .. } = &self.by {
            all.push(("--keeper", asks.as_fd()));
        }
        all
    }

    /// Whether the machines are domains of Xen's, and so have a keeper.
    pub(super) fn are_domains(&self) -> bool {
        matches!(self.by, By::Xen { .. })
    }

    pub(super) fn inherited_by_keeper(&self) -> Vec<Inherited<'_>> {
        let mut all: Vec<Inherited<'_>> = vec![("--fleet", self.worker.fleet.as_fd()), ("--image", self.image.as_fd())];
        if let By::Xen { questions, .. } = &self.by {
            all.push(("--questions", questions.as_fd()));
        }
        all
    }

    /// The words of the keeper's command line.
    pub(super) fn words_of_keeper(&self) -> Vec<String> {
        let By::Xen { xl, .. } = &self.by else { return Vec::new() };
        let (xl, memory) = (xl.display().to_string(), self.settings.memory_mib.to_string());
        ["--xl", &xl, "--memory-mib", &memory].map(str::to_owned).to_vec()
    }

    /// The words of its command line.
    pub(super) fn words(&self) -> Vec<String> {
        let accel = self.settings.accel.name();
        let memory = self.settings.memory_mib.to_string();
        let starts = self.settings.starts_at_once.to_string();
        let nodes = self.nodes.to_string();
        let words = ["--accel", accel, "--memory-mib", &memory, "--starts-at-once", &starts, "--nodes", &nodes];
        let qemu = match &self.by {
            By::Qemu(qemu) => vec!["--qemu".to_owned(), qemu.display().to_string()],
            By::Xen { .. } => Vec::new(),
        };
        words.into_iter().map(str::to_owned).chain(qemu).collect()
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

/// Xen's toolstack: as configured, in `PATH`, or where distributions put it; and whether it can do anything here.
pub(crate) fn find_xl(settings: &NodeSettings, directory: &Path) -> Result<PathBuf, Failure> {
    let xl = match &settings.xl {
        Some(xl) => {
            let xl = directory.join(xl);
            if !xl.is_file() {
                let named = "([node] xl in chaff.toml)";
                return Err(Failure::Running(format!("{}: no such program {named}", xl.display())));
            }
            xl
        }
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
            folders.map(|folder| folder.join(XL)).find(|file| file.is_file()).ok_or_else(|| {
                Failure::Running(format!(
                    "decoys with `runtime = \"node\"` and `[node] hypervisor = \"xen\"` need {XL}, Xen's toolstack, which \
                     is not installed (Debian: apt-get install xen-system-amd64, and boot the Xen that comes with it). \
                     Install it, name it in chaff.toml ([node] xl = \"…\"), or write hypervisor = \"qemu\""
                ))
            })?
        }
    };
    can_make_domains(Path::new(CAPABILITIES))?;
    Ok(xl)
}

/// Whether this system is the one that makes domains, and this user one who may.
fn can_make_domains(capabilities: &Path) -> Result<(), Failure> {
    let said = std::fs::read_to_string(capabilities).unwrap_or_default();
    if !said.contains("control_d") {
        return Err(Failure::Running(format!(
            "`[node] hypervisor = \"xen\"` works in the first domain of a Xen alone, and this is none: {} does not say \
             `control_d`. Boot Xen, mount xenfs at /proc/xen, or write hypervisor = \"qemu\"",
            capabilities.display()
        )));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Running(
            "only root makes domains of Xen's: run as root, and set `user` for all else".into(),
        ));
    }
    Ok(())
}

/// A copy in memory, which whoever the emulator runs as can read, wherever the file is.
fn read_image(path: &Path) -> Result<OwnedFd, Failure> {
    let octets = fitting_image(path)?;
    memory_file("chaff-node", |mut file| file.write_all(&octets).map_err(Failure::running)).map(OwnedFd::from)
}

/// An image that understands what this program tells it. Another would end at each start, and be started for ever.
pub(crate) fn fitting_image(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::Running(format!("{}: {error}", path.display()));
    let mut octets = Vec::new();
    File::open(path).map_err(failed)?.take(LONGEST_IMAGE).read_to_end(&mut octets).map_err(failed)?;
    let refused = |why: &str| Err(Failure::Running(format!("{}: {why}", path.display())));
    if !octets.starts_with(b"\x7fELF") {
        return refused("this is no image; make it with `cargo xtask image`");
    }
    if !is_of_this_build(&octets) {
        return refused(
            "image and program are of different builds. Make the image again with `cargo xtask image`, from the sources \
             of this program, or install the image of the same release",
        );
    }
    Ok(octets)
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
