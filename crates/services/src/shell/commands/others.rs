//! Programs that are there and do little: those that take the whole terminal, those for archives, those with a language
//! of their own.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{Call, listing::human_size, lossy};
use crate::shell::{NANOS, files::Refusal};

/// The lines that `top` shows on a terminal of the usual size.
const TOP_ROWS: usize = 17;

impl Call<'_> {
    /// A program by its path, or one that is looked for.
    pub(super) fn other(&mut self) -> u8 {
        if !self.is_gnu() || self.by_path.is_none() && self.place_of(self.name).is_none() {
            return self.not_found();
        }
        match self.name {
            "top" => return self.top(),
            "lsblk" => return self.lsblk(),
            "tar" => return self.tar(),
            "gzip" | "gunzip" | "zcat" => return self.gzip(),
            "diff" | "cmp" => return self.diff(),
            "nano" | "vi" | "watch" => return self.full_screen(),
            _ => {}
        }
        // Interpreters are kept for those who administer the machine; what else was brought here does not run on it.
        let (text, status) = match (self.name, self.shell.host.user.uid) {
            ("perl" | "python3", 1..) => ("Permission denied", 126),
            _ => ("Segmentation fault", 139),
        };
        let shown = self.by_path.map_or_else(|| self.place_of(self.name).unwrap_or_default(), String::from);
        let line = match (status, self.shell.terminal) {
            (126, _) => format!("{}{shown}: {text}\n", self.shell.error_prefix()),
            (_, true) => format!("{text}\n"),
            (_, false) => {
                let pid = self.shell.host.next_pid(self.shell.lines);
                format!("{}{pid} {text:<24}{shown}\n", self.shell.error_prefix())
            }
        };
        self.written.errors(line.as_bytes());
        status
    }

    /// The terminal is one of which the system has no description (ncurses, newterm).
    fn full_screen(&mut self) -> u8 {
        let terminal =
            self.shell.variables.get("TERM").map_or_else(|| "unknown".into(), |name| lossy(name).into_owned());
        self.written.errors(format!("Error opening terminal: {terminal}.\n").as_bytes());
        1
    }

    /// One screen; it goes on until it is interrupted.
    fn top(&mut self) -> u8 {
        let words: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let batch = words.iter().any(|word| word.starts_with('-') && word.contains('b'));
        if !batch && !self.terminal {
            self.written.errors(b"top: failed tty get\n");
            return 1;
        }
        let mut own = self.written.part();
        super::run(self.shell, &[b"uptime".to_vec()], &mut Vec::new().into(), &mut own, false);
        let uptime = lossy(&own.all()).trim().to_string();
        let host = &self.shell.host;
        let (m, swap) = (host.memory(), host.swap_kib);
        let (all, mib) = (host.processes.len() + 1, |kib: u64| format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024));
        let mut text = format!("top - {uptime}\n");
        let _ = writeln!(text, "Tasks: {all:>3} total,   1 running, {:>3} sleeping,   0 stopped,   0 zombie", all - 1);
        text.push_str("%Cpu(s):  0.0 us,  0.3 sy,  0.0 ni, 99.7 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st \n");
        let [total, free, used, cache, left] =
            [m.total, m.free, m.total - m.available(), m.cache, m.available()].map(mib);
        let _ = writeln!(text, "MiB Mem :{total:>9} total,{free:>9} free,{used:>9} used,{cache:>9} buff/cache     ");
        let swap = mib(swap);
        let _ = writeln!(text, "MiB Swap:{swap:>9} total,{swap:>9} free,      0.0 used.{left:>9} avail Mem ");
        text.push_str("\n    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n");
        let most = if batch { usize::MAX } else { TOP_ROWS };
        for process in host.processes.iter().take(most) {
            let command = process.command.split(' ').next().unwrap_or("");
            let name = match command.strip_prefix('[') {
                Some(thread) => thread.trim_end_matches(']'),
                None => command.rsplit('/').next().unwrap_or(command).trim_end_matches(':'),
            };
            let thousandths = process.rss * 1000 / m.total.max(1);
            let state = process.state.get(..1).unwrap_or("S");
            let _ = writeln!(
                text,
                "{:>7} {:<8.8}  20   0 {:>7} {:>6} {:>6} {state}   0.0 {:>3}.{} {:>3}:{:02}.{:02} {name:.15}",
                process.pid,
                process.user,
                process.vsz,
                process.rss,
                process.rss * 2 / 3,
                thousandths / 10,
                thousandths % 10,
                process.cpu_seconds / 60,
                process.cpu_seconds % 60,
                process.pid % 100,
            );
        }
        if batch {
            self.say(&text);
            let once = words.windows(2).any(|pair| matches!(pair, [n, one] if n.ends_with('n') && one == "1"));
            self.written.endless |= !once && !words.iter().any(|word| word.ends_with("n1"));
        } else {
            self.say(&format!("\x1b[H\x1b[2J{text}"));
            self.written.endless = true;
        }
        0
    }

    /// The one disk, as `df` has it.
    fn lsblk(&mut self) -> u8 {
        let disks = self.disks(|kib| human_size(kib * 1024));
        let root = disks.iter().find(|row| row.get(5).is_some_and(|place| place == "/"));
        let (device, size) = root.map_or(("sda1", ""), |row| (row[0].trim_start_matches("/dev/"), row[1].as_str()));
        let name = device.trim_end_matches(|c: char| c.is_ascii_digit());
        let swap = human_size(self.shell.host.swap_kib * 1024);
        self.say(&format!(
            "NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS\n{name:<6}   8:0    0 {size:>5}  0 disk \n├─{device}   8:1    0 {size:>5}  0 part /\n├─{name}2   8:2    0    1K  0 part \n└─{name}5   8:5    0 {swap:>5}  0 part [SWAP]\n"
        ));
        0
    }

    /// Archives are made of nothing, and nothing is one.
    fn tar(&mut self) -> u8 {
        let words: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let Some((letters, rest)) = words.split_first() else {
            self.fail("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options");
            self.written.errors(b"Try 'tar --help' or 'tar --usage' for more information.\n");
            return 2;
        };
        let failure = "Exiting with failure status due to previous errors";
        let (archive, names) = rest.split_first().map_or(("-", rest), |(first, names)| (first.as_str(), names));
        if !letters.contains('c') {
            let path = self.full(archive);
            match self.shell.read(&path) {
                Err(refusal) => {
                    self.fail(&format!("{archive}: Cannot open: {}", refusal.text()));
                    self.fail("Error is not recoverable: exiting now");
                }
                Ok(_) if letters.contains('z') => {
                    self.written.errors(b"\ngzip: stdin: not in gzip format\n");
                    self.fail("Child returned status 1");
                    self.fail("Error is not recoverable: exiting now");
                }
                Ok(_) => {
                    self.fail("This does not look like a tar archive");
                    self.fail(failure);
                }
            }
            return 2;
        }
        let (mut octets, mut missing) = (10_240, false);
        for name in names.iter().filter(|name| !name.starts_with('-')) {
            if self.shell.files.find(&self.full(name), self.shell.asker()).is_err() {
                self.fail(&format!("{name}: Cannot stat: No such file or directory"));
                missing = true;
                continue;
            }
            for path in self.files_below(name) {
                let node = self.shell.files.find(&self.full(&path), self.shell.asker());
                octets += node.map_or(512, |(_, node)| 512 + node.size().div_ceil(512) * 512);
                if letters.contains('v') {
                    self.line(&path);
                }
            }
        }
        if archive != "-" {
            let octets = if letters.contains('z') { octets / 4 } else { octets };
            if let Err(refusal) = self.make(archive, octets) {
                self.fail(&format!("{archive}: Cannot open: {}", refusal.text()));
                self.fail("Error is not recoverable: exiting now");
                return 2;
            }
        }
        if missing {
            self.fail(failure);
        }
        if missing { 2 } else { 0 }
    }

    fn gzip(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let asker = self.shell.asker();
        let mut status = 0;
        for path in paths {
            let found = self.shell.files.find(&self.full(&path), asker).map(|(_, node)| node.size());
            match found {
                Err(refusal) => status = self.fail(&format!("{path}: {}", refusal.text())),
                Ok(_) if self.name != "gzip" || letters.contains('d') => {
                    self.written.errors(format!("\ngzip: {path}: not in gzip format\n").as_bytes());
                    status = 1;
                }
                Ok(size) => {
                    let packed = self.make(&format!("{path}.gz"), 20 + size / 4);
                    let gone = packed.and_then(|()| self.shell.files.remove(&self.full(&path), asker, false));
                    if let Err(refusal) = gone {
                        status = self.fail(&format!("{path}.gz: {}", refusal.text()));
                    }
                }
            }
        }
        status
    }

    /// Makes a file of so many octets of which nothing more is known.
    fn make(&mut self, path: &str, octets: u64) -> Result<(), Refusal> {
        let full = self.full(path);
        self.shell.files.write(&full, self.shell.asker(), self.utc / NANOS, b"", false)?;
        self.shell.files.keep_length(&full, octets);
        Ok(())
    }

    /// Whether two files are the same; where they differ, as a whole.
    fn diff(&mut self) -> u8 {
        let (_, paths) = self.options();
        let [one, other] = paths.as_slice() else {
            self.fail("missing operand");
            return 2;
        };
        let mut texts = Vec::new();
        for path in [one, other] {
            match self.shell.read(&self.full(path)) {
                Ok(text) => texts.push(text),
                Err(refusal) => {
                    self.fail(&format!("{path}: {}", refusal.text()));
                    return 2;
                }
            }
        }
        let [one_text, other_text] = texts.as_slice() else { return 2 };
        if one_text == other_text {
            return 0;
        }
        let place = one_text.iter().zip(other_text).take_while(|(one, other)| one == other).count();
        let line = 1 + one_text.iter().take(place).filter(|octet| **octet == b'\n').count();
        if self.name == "cmp" {
            self.line(&format!("{one} {other} differ: byte {}, line {line}", place + 1));
        } else {
            let lines = |text: &[u8]| {
                text.split(|octet| *octet == b'\n').skip(line - 1).map(<[u8]>::to_vec).collect::<Vec<_>>()
            };
            let [mut removed, mut added] = [lines(one_text), lines(other_text)];
            while removed.len() > 1 && added.len() > 1 && removed.last() == added.last() {
                removed.pop();
                added.pop();
            }
            let range =
                |count: usize| if count == 1 { line.to_string() } else { format!("{line},{}", line + count - 1) };
            self.line(&format!("{}c{}", range(removed.len()), range(added.len())));
            for row in removed {
                self.line(&format!("< {}", lossy(&row)));
            }
            self.line("---");
            for row in added {
                self.line(&format!("> {}", lossy(&row)));
            }
        }
        1
    }
}
