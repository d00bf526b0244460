//! The products of SSH that say to be equal to a real one, and these real ones: servers of other suites, in the trees that
//! `cargo xtask goldens trees` unpacks.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{path::PathBuf, sync::Arc};

use chaff_services::{ServiceKind, SshSpec};

use super::{daemon::Daemon, products, server::Server, sshd};

const SSHD: &str = "usr/sbin/sshd";
const DROPBEAR: &str = "usr/sbin/dropbear";

/// A product and the real server that it says to be.
pub(crate) struct Pair {
    pub(crate) product: &'static str,
    suite: &'static str,
    program: &'static str,
}

pub(crate) const PAIRS: [Pair; 9] = [
    Pair { product: "openssh-8.2-ubuntu20.04", suite: "focal", program: SSHD },
    Pair { product: "openssh-8.4-debian11", suite: "bullseye", program: SSHD },
    Pair { product: "openssh-9.2-debian12", suite: "bookworm", program: SSHD },
    Pair { product: "openssh-10.0-debian13", suite: "trixie", program: SSHD },
    Pair { product: "openssh-8.9-ubuntu22.04", suite: "jammy", program: SSHD },
    Pair { product: "openssh-9.6-ubuntu24.04", suite: "noble", program: SSHD },
    Pair { product: "dropbear-2020.81", suite: "bullseye", program: DROPBEAR },
    Pair { product: "dropbear-2022.83", suite: "bookworm", program: DROPBEAR },
    Pair { product: "dropbear-2025.89", suite: "trixie", program: DROPBEAR },
];

impl Pair {
    pub(crate) fn is_openssh(&self) -> bool {
        self.program == SSHD
    }

    /// Whether sources that come to nothing are turned away.
    pub(crate) fn punishes(&self) -> bool {
        self.spec().penalties.is_some()
    }

    /// A file of the real one's packages.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        sshd::tree(self.suite, self.program).join(path)
    }

    /// The real one, with options in the form `Keyword=value`.
    pub(crate) fn real(&self, options: &[&str]) -> Daemon {
        let options: Vec<&str> = options.iter().flat_map(|option| ["-o", option]).collect();
        sshd::of_suite(self.suite, self.program, if self.is_openssh() { &options } else { &[] })
    }

    /// The real one without what would turn a test's own connections away.
    pub(crate) fn patient(&self) -> Daemon {
        let options = ["MaxStartups=1000", "PerSourcePenalties=no"];
        self.real(if self.punishes() { &options } else { &options[..1] })
    }

    /// The product as its newest revision, which is the one that was recorded.
    pub(crate) fn spec(&self) -> SshSpec {
        products::product(self.product)
    }
}

/// A server of ours.
pub(crate) fn start(spec: SshSpec) -> Server {
    Server::start(ServiceKind::Ssh(Arc::new(spec)))
}

/// A product without what would turn a test's own connections away.
pub(crate) fn patient(spec: SshSpec) -> SshSpec {
    SshSpec { startups: None, startups_per_source: 0, penalties: None, ..spec }
}
