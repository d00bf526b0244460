//! One domain: `xl` makes it, this carries its frames and its console, `xl` ends it.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use chaff_events::Mac;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags},
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use super::{Wanted, vif::Namespaces};
use crate::{
    node::{machine::in_memory, switch},
    offload::{self, Placement},
    sys,
};

/// How often, and with what pause, something is looked for that comes into being a moment after `xl` has said that it has.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Frames, and pieces of the console, that are carried before others have their turn.
const AT_ONCE: usize = 64;
/// Octets of a piece of the console.
const PIECE: usize = 4_096;

/// What is the same for all domains.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) xl: PathBuf,
    pub(super) image: OwnedFd,
    pub(super) memory_mib: u16,
    pub(super) namespaces: Namespaces,
}

/// The name of the domain with this card, by which it is known after a crash: no two on a network have the same.
pub(super) fn name(card: Mac) -> String {
    card.0.iter().fold("chaff-".to_owned(), |name, octet| format!("{name}{octet:02x}"))
}

/// From its making to its end, of which the node host is told why.
pub(super) fn live(made: &Made, card: Mac, wanted: Wanted, stopped: &OwnedFd) {
    let name = name(card);
    let reason = match Domain::make(made, card, &wanted) {
        Ok(domain) => domain.carry(&wanted, stopped),
        Err(reason) => reason,
    };
    destroy(&made.xl, &name);
    // Whoever asked may be gone.
    let _ = rustix::net::send(&wanted.life, reason.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// Ends a domain, and waits until its name is free. It may have ended by itself.
pub(super) fn destroy(xl: &Path, name: &str) {
    let quietly = |words: [&str; 2]| {
        let mut command = Command::new(xl);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    for _ in 0..LOOKS {
        if !quietly(["domid", name]) {
            return;
        }
        quietly(["destroy", name]);
        std::thread::sleep(PAUSE);
    }
    tracing::error!("the domain {name} does not end; see `xl list`");
}

/// What `xl create` is given. Image and module are descriptors of this process: the latter is a secret, and is on no disk.
fn configuration(name: &str, card: Mac, memory_mib: u16, image: &str, module: &str) -> String {
    format!(
        "name = \"{name}\"\ntype = \"pvh\"\nkernel = \"{image}\"\nramdisk = \"{module}\"\nmemory = {memory_mib}\n\
         maxmem = {memory_mib}\nvcpus = 1\nvif = [ \"mac={card},type=vif,script=/bin/true\" ]\n\
         on_poweroff = \"destroy\"\non_reboot = \"destroy\"\non_crash = \"destroy\"\non_watchdog = \"destroy\"\n"
    )
}

fn path_of(file: &OwnedFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// One that runs.
struct Domain {
    interface: OwnedFd,
    console: OwnedFd,
}

impl Domain {
    /// Makes it, takes its interface and its console, and only then lets it run.
    fn make(made: &Made, card: Mac, wanted: &Wanted) -> Result<Self, String> {
        let name = name(card);
        let text = configuration(&name, card, made.memory_mib, &path_of(&made.image), &path_of(&wanted.module));
        let file = in_memory("chaff-domain", text.as_bytes()).map_err(|error| error.to_string())?;
        told(made, wanted, &["create", "-q", "-p", &path_of(&file)])?;
        let number = ask(&made.xl, &["domid", &name])?;
        let number: u32 = number.parse().map_err(|_| format!("xl domid says `{number}`"))?;
        let interface = waited(|| made.namespaces.take(&format!("vif{number}.0")))
            .map_err(|error| format!("its interface vif{number}.0: {error}"))?;
        connected(made, number)?;
        let console = waited(|| open_console(made, number)).map_err(|error| format!("its console: {error}"))?;
        told(made, wanted, &["unpause", &number.to_string()])?;
        Ok(Self { interface, console })
    }

    /// Carries frames and octets until it ends or is to end; why.
    fn carry(&self, wanted: &Wanted, stopped: &OwnedFd) -> String {
        let (mut to_domain, mut to_host) = (Vec::new(), Vec::new());
        loop {
            let from = |waiting: &Vec<u8>| if waiting.is_empty() { PollFlags::IN } else { PollFlags::empty() };
            let to = |waiting: &Vec<u8>| if waiting.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            let mut fds = [
                PollFd::new(stopped, PollFlags::IN),
                PollFd::new(&wanted.life, PollFlags::IN),
                PollFd::new(&wanted.frames, PollFlags::IN),
                PollFd::new(&self.interface, PollFlags::IN),
                PollFd::new(&wanted.console, from(&to_domain) | to(&to_host)),
                PollFd::new(&self.console, from(&to_host) | to(&to_domain)),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return error.to_string(),
            }
            let [stopped, life, frames, interface, host, domain] = fds.map(|fd| fd.revents());
            if !stopped.is_empty() || !life.is_empty() {
                return "its host ended it".to_owned();
            }
            let over = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
            if interface.intersects(over) || domain.intersects(over) {
                return "the domain ended".to_owned();
            }
            if frames.contains(PollFlags::IN) {
                self.send(wanted);
            }
            if interface.contains(PollFlags::IN) {
                self.receive(wanted);
            }
            if !(host.is_empty() && domain.is_empty()) {
                pass(&wanted.console, &self.console, &mut to_domain);
                pass(&self.console, &wanted.console, &mut to_host);
            }
        }
    }

    /// Frames for the domain. One for which there is no room is lost, as on a full queue of a card.
    fn send(&self, wanted: &Wanted) {
        let mut frame = [0; switch::LONGEST + 1];
        for _ in 0..AT_ONCE {
            match rustix::net::recv(&wanted.frames, &mut frame[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) if length > 0 => {
                    let frame = frame.get(..length).unwrap_or_default();
                    let _ = rustix::net::send(&self.interface, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                }
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Frames of the domain's, as they were on its card: the kernel takes tags out. A frame that is too long is cut one octet
    /// behind what a card sends, which the switch finds.
    fn receive(&self, wanted: &Wanted) {
        let mut buffer = [0; offload::ROOM + switch::LONGEST + 1];
        for _ in 0..AT_ONCE {
            let Some(room) = buffer.get_mut(offload::ROOM..) else { return };
            let Ok((length, tag)) = sys::receive_tagged(&self.interface, room) else { return };
            let place = Placement { start: offload::ROOM, length, tag, checksum_missing: false };
            let Some(frame) = offload::restore(&mut buffer, &place).and_then(|range| buffer.get(range)) else { return };
            let _ = rustix::net::send(&wanted.frames, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }
}

/// Moves octets from one stream to another: what waits first, and more once nothing does.
fn pass(from: &OwnedFd, to: &OwnedFd, waiting: &mut Vec<u8>) {
    for _ in 0..AT_ONCE {
        if waiting.is_empty() {
            let mut octets = [0; PIECE];
            match rustix::io::read(from, &mut octets) {
                Ok(length) if length > 0 => waiting.extend(octets.iter().take(length)),
                Ok(_) | Err(_) => return,
            }
        }
        match rustix::io::write(to, waiting) {
            Ok(length) => drop(waiting.drain(..length)),
            Err(_) => return,
        }
    }
}

/// Has `xl` do something, what it says goes to the machine's lines.
fn told(made: &Made, wanted: &Wanted, words: &[&str]) -> Result<(), String> {
    let said = || wanted.said.try_clone().map_err(|error| error.to_string());
    let mut command = Command::new(&made.xl);
    command.args(words).stdin(Stdio::null()).stdout(said()?).stderr(said()?);
    let status = command.status().map_err(|error| format!("{}: {error}", made.xl.display()))?;
    if status.success() {
        Ok(())
    } else {
        // One line of this process's own, behind what xl said.
        let line = format!("{} {}: {status}\n", made.xl.display(), words.join(" "));
        let _ = said().map(|said| File::from(said).write_all(line.as_bytes()));
        Err(format!("xl {} failed; `chaff node console` says why", words.first().copied().unwrap_or_default()))
    }
}

/// What a program says.
fn ask(program: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(format!("{} {}: {} ({})", program.display(), words.join(" "), said(&output.stderr), output.status))
    }
}

/// Tells netback that its interface is connected: it waits for this word of a script, and there is none.
fn connected(made: &Made, number: u32) -> Result<(), String> {
    let path = format!("/local/domain/0/backend/vif/{number}/0/hotplug-status");
    ask(&tool(&made.xl, "xenstore-write"), &[&path, "connected"]).map(drop)
}

/// The domain's console, as a stream of octets.
fn open_console(made: &Made, number: u32) -> io::Result<OwnedFd> {
    let path = format!("/local/domain/{number}/console/tty");
    let path = ask(&tool(&made.xl, "xenstore-read"), &[&path]).map_err(io::Error::other)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let console = rustix::fs::open(&path, flags, Mode::empty())?;
    sys::make_raw(console.as_fd())?;
    Ok(console)
}

/// A program of the store's: beside `xl`, or wherever programs are.
fn tool(xl: &Path, name: &str) -> PathBuf {
    let beside = xl.parent().map(|folder| folder.join(name)).filter(|path| path.is_file());
    beside.unwrap_or_else(|| name.into())
}

/// What comes into being a moment later, or the reason why it has not.
pub(super) fn waited<T>(mut what: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut last = what();
    for _ in 0..LOOKS {
        if last.is_ok() {
            break;
        }
        std::thread::sleep(PAUSE);
        last = what();
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_named_by_its_card_and_configured_by_nothing_of_its_own() {
        let card = Mac([0, 0x50, 0x56, 0x9a, 0x10, 7]);
        assert_eq!(name(card), "chaff-0050569a1007");
        let text = configuration(&name(card), card, 8, "/proc/1/fd/5", "/proc/1/fd/6");
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "name = \"chaff-0050569a1007\"",
            "type = \"pvh\"",
            "ramdisk = \"/proc/1/fd/6\"",
            "memory = 8",
            "vif = [ \"mac=00:50:56:9a:10:07,type=vif,script=/bin/true\" ]",
            "on_crash = \"destroy\"",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
        assert!(!text.contains("bridge"), "its frames go nowhere but through the switch");
    }
}
