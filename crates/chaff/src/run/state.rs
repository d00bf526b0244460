//! The state directory: mode 0700, the install's secret, a lock, the spool.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use chaff_sensor::ownership;
use rustix::{
    fs::{FlockOperation, flock},
    rand::{GetRandomFlags, getrandom},
};

use crate::{failure::Failure, privileges::User};

/// Octets of a spool in which nothing waits.
const SPOOL_HEADER: u64 = 16;

/// Octets of the install's secret.
pub(crate) const SECRET: usize = 32;

/// The state directory, held by this process alone.
#[derive(Debug)]
pub(crate) struct State {
    directory: PathBuf,
    /// Held for as long as `chaff run` runs.
    lock: File,
}

impl Drop for State {
    /// Unlocks. Closing the descriptor would not be enough: a child that another thread has forked and that has not
    /// become its program yet has a copy of it, and the lock lasts as long as the last copy, flock(2).
    fn drop(&mut self) {
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!("state directory {}: unlock: {error}", self.directory.display());
        }
    }
}

impl State {
    /// Makes the directory if it is missing, and locks it.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        let failed = |what: &str, error: io::Error| {
            Failure::Running(format!(
                "state directory {}: {what}: {error}. Choose another with --state",
                directory.display()
            ))
        };
        if !directory.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| failed("create", e))?;
        }
        let mode = directory.metadata().map_err(|e| failed("read", e))?.mode();
        if mode & 0o077 != 0 {
            // What intruders typed, and the secret that all keys come from, are nobody else's to read.
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(directory, private).map_err(|e| failed("make private", e))?;
        }
        let path = directory.join("lock");
        let lock = private(OpenOptions::new().write(true).create(true)).open(path).map_err(|e| failed("lock", e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::Running(format!(
                "another `chaff run` uses the state directory {}. Stop it, or choose another with --state",
                directory.display()
            )));
        }
        Ok(Self { directory: directory.into(), lock })
    }

    /// The install's secret; drawn once. A damaged one is an error: a new one would change every decoy.
    pub(crate) fn secret(&self) -> Result<[u8; SECRET], Failure> {
        let path = secret_path(&self.directory);
        if let Some(secret) = read_secret(&self.directory)? {
            return Ok(secret);
        }
        let mut secret = [0; SECRET];
        getrandom(&mut secret, GetRandomFlags::empty()).map_err(Failure::running)?;
        write_secret(&self.directory, &secret)
            .map_err(|error| Failure::Running(format!("{}: {error}", path.display())))?;
        Ok(secret)
    }

    /// The spool of worker `index`.
    pub(crate) fn spool(&self, index: usize) -> Result<File, Failure> {
        Self::open_spool(&self.spool_path(index))
    }

    /// The spool of the node host.
    pub(crate) fn spool_of_nodes(&self) -> Result<File, Failure> {
        Self::open_spool(&self.directory.join("spool-nodes"))
    }

    fn open_spool(path: &Path) -> Result<File, Failure> {
        private(OpenOptions::new().read(true).write(true).create(true))
            .open(path)
            .map_err(|error| Failure::Running(format!("{}: {error}", path.display())))
    }

    /// Where `chaff node` asks. The directory keeps others out.
    pub(crate) fn door(&self) -> Result<UnixListener, Failure> {
        let path = self.directory.join(chaff_sensor::node::door::SOCKET);
        let failed = |error: io::Error| Failure::Running(format!("{}: {error}", path.display()));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        UnixListener::bind(&path).map_err(failed)
    }

    /// Removes the spools of workers that there are no more. Their decoys are other workers' now and have other numbers,
    /// so what waits in them can be told to nobody.
    pub(crate) fn forget_spools_from(&self, workers: usize) -> Result<(), Failure> {
        for path in (workers..ownership::MAX_WORKERS).map(|index| self.spool_path(index)) {
            let failed = |error: io::Error| Failure::Running(format!("{}: {error}", path.display()));
            let octets = match path.symlink_metadata() {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if octets > SPOOL_HEADER {
                tracing::warn!(
                    "{}: {octets} octets of observations of a worker that there is no more; they are lost",
                    path.display()
                );
            }
            std::fs::remove_file(&path).map_err(failed)?;
        }
        Ok(())
    }

    fn spool_path(&self, index: usize) -> PathBuf {
        self.directory.join(format!("spool-{index}"))
    }

    /// Gives the directory and the store in it to the user that the hub becomes. The secret stays root's.
    pub(crate) fn give_to(&self, user: User) -> Result<(), Failure> {
        let chown = |path: &Path| std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid));
        let all = || -> io::Result<()> {
            chown(&self.directory)?;
            for entry in std::fs::read_dir(&self.directory)? {
                let path = entry?.path();
                if path != secret_path(&self.directory) {
                    chown(&path)?;
                }
            }
            Ok(())
        };
        all().map_err(|error| Failure::Running(format!("{}: change of owner: {error}", self.directory.display())))
    }
}

/// The secret of the install in `directory`; `None` when it was not drawn yet.
pub(crate) fn read_secret(directory: &Path) -> Result<Option<[u8; SECRET]>, Failure> {
    let path = secret_path(directory);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::Running(format!("{}: {error}", path.display()))),
    };
    let mut octets = Vec::new();
    file.take(SECRET as u64 + 1).read_to_end(&mut octets).map_err(Failure::running)?;
    let secret = <[u8; SECRET]>::try_from(octets.as_slice()).map_err(|_| {
        Failure::Running(format!(
            "{}: the install's secret must have {SECRET} octets. Every decoy's keys and addresses come from it: \
             restore it from a copy, or delete it to let all decoys change their identity",
            path.display()
        ))
    })?;
    Ok(Some(secret))
}

/// Written beside and then renamed, so that half a secret is never seen.
fn write_secret(directory: &Path, secret: &[u8]) -> io::Result<()> {
    let new = directory.join("secret.new");
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&new)?;
    file.write_all(secret)?;
    file.sync_all()?;
    std::fs::rename(new, secret_path(directory))?;
    File::open(directory)?.sync_all()
}

fn secret_path(directory: &Path) -> PathBuf {
    directory.join("secret")
}

/// Readable by its owner alone, and never followed through a link that somebody laid.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
}

#[cfg(test)]
mod tests;
