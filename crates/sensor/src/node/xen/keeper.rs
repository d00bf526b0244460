//! The keeper's loop: hears what the node host asks for, and has a thread for each domain.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use chaff_events::Mac;
use rustix::event::{PollFd, PollFlags, poll};

use super::{
    domain::{self, Made},
    next_question,
    vif::Namespaces,
};
use crate::worker::{self, UP, WorkerError};

/// Threads for each decoy: of the domain that ends, and of the one that waits for its name. A question beyond is refused.
const THREADS_EACH: usize = 2;

/// What the supervisor hands to the keeper.
#[derive(Debug)]
pub struct Setup {
    /// The decoys that have a machine, as the node host has them.
    pub fleet: File,
    /// The unikernel.
    pub image: OwnedFd,
    /// Where the node host asks. Of datagrams with their ends kept.
    pub questions: OwnedFd,
    /// Stream to the supervisor.
    pub control: OwnedFd,
    /// Xen's toolstack.
    pub xl: PathBuf,
    /// Memory of each domain, in MiB.
    pub memory_mib: u16,
}

/// Keeps domains until the control stream ends; then none is left.
///
/// # Errors
/// When it cannot start.
pub fn keep(setup: Setup) -> Result<(), WorkerError> {
    let start = |what| move |error: io::Error| WorkerError::Start(what, error);
    let (fleet, _) = worker::read_fleet(&setup.fleet)?;
    let cards: Vec<Mac> = fleet.decoys.iter().map(|decoy| decoy.mac).collect();
    drop(fleet);
    clear(&setup.xl, &cards).map_err(start("ask xl for domains"))?;
    let namespaces = Namespaces::leave().map_err(start("have a network namespace of its own (CAP_SYS_ADMIN)"))?;
    let made = Arc::new(Made { xl: setup.xl, image: setup.image, memory_mib: setup.memory_mib, namespaces });
    // One domain of each name at a time: one that ends is gone before the next begins.
    let turns: Vec<_> = cards.iter().map(|_| Arc::new(Mutex::new(()))).collect();
    rustix::io::write(&setup.control, &[UP]).map_err(|e| start("report to the supervisor")(e.into()))?;
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    // Dropped, it tells every thread to end.
    let (stop, stopped) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map(|(read, write)| (write, Arc::new(read)))
        .map_err(|e| start("make a pipe")(e.into()))?;
    loop {
        let mut fds = [PollFd::new(&setup.control, PollFlags::IN), PollFd::new(&setup.questions, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(WorkerError::Wait(error.into())),
        }
        let [control, _] = fds.map(|fd| !fd.revents().is_empty());
        if control {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        while let Some(wanted) = next_question(&setup.questions).map_err(WorkerError::Wait)? {
            let (Some(&card), Some(turn)) = (cards.get(wanted.index), turns.get(wanted.index)) else { continue };
            if threads.len() >= THREADS_EACH * cards.len() {
                // Whoever asked sees the stream's end, and asks again when it is due.
                continue;
            }
            let (made, turn, stopped) = (Arc::clone(&made), Arc::clone(turn), Arc::clone(&stopped));
            threads.push(std::thread::spawn(move || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                domain::live(&made, card, wanted, &stopped);
            }));
        }
    }
    drop(stop);
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

/// Ends what a keeper before this one has left.
fn clear(xl: &Path, cards: &[Mac]) -> io::Result<()> {
    // Of a domain whose keeper was killed a moment ago, `xl` (4.17) was seen to die.
    let text = domain::waited(|| list(xl))?;
    let names: Vec<String> = cards.iter().map(|&card| domain::name(card)).collect();
    for left in text.lines().filter_map(|line| line.split_whitespace().next()) {
        if names.iter().any(|name| name == left) {
            tracing::warn!("the domain {left} was left by a keeper that was killed; it is destroyed");
            domain::destroy(xl, left);
        }
    }
    Ok(())
}

/// What `xl list` prints.
fn list(xl: &Path) -> io::Result<String> {
    let listed = Command::new(xl).arg("list").stdin(Stdio::null()).output()?;
    if listed.status.success() {
        return Ok(String::from_utf8_lossy(&listed.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&listed.stderr);
    let said = said.lines().last().unwrap_or("it says nothing");
    Err(io::Error::other(format!("{} list: {}: {said}", xl.display(), listed.status)))
}
