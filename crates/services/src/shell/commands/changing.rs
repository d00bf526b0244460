//! Programs that change files: for this session alone.

use alloc::{format, string::String};

use super::{Call, name_of};
use crate::shell::{
    ShellSystem,
    files::{Refusal, join},
};

impl Call<'_> {
    /// What `mkdir` says of what is there already.
    fn making(&self, path: &str) -> String {
        if self.is_gnu() {
            format!("cannot create directory ‘{path}’: File exists")
        } else if self.is_applet() {
            format!("can't create directory '{path}': File exists")
        } else if self.shell.spec.system == ShellSystem::Solaris {
            format!("Failed to make directory \"{path}\"; File exists")
        } else {
            format!("{path}: File exists")
        }
    }

    /// `touch`, `mkdir`, `rm`, `rmdir`, `chmod`, `cp`, `mv`: for this session alone.
    pub(super) fn change(&mut self) -> u8 {
        let (letters, paths) = self.options();
        if self.is_applet() && paths.len() < usize::from(matches!(self.name, "cp" | "mv" | "chmod")) + 1 {
            return self.usage();
        }
        if paths.is_empty() {
            self.fail(match self.name {
                "touch" | "cp" | "mv" => "missing file operand",
                _ => "missing operand",
            });
            self.written.errors(format!("Try '{} --help' for more information.\n", self.name).as_bytes());
            return 1;
        }
        let asker = self.shell.asker();
        let mut status = 0;
        match (self.name, paths.as_slice()) {
            ("cp" | "mv", [from, to]) => {
                let mut target = self.full(to);
                if self.shell.files.list(&target, asker).is_ok() {
                    target = join(&target, name_of(&self.full(from)));
                }
                let source = self.full(from);
                match self.shell.files.read(&source, asker) {
                    Err(Refusal::IsADirectory) if self.name == "cp" => {
                        let gnu = format!("-r not specified; omitting directory '{from}'");
                        return self.fail_at(from, Refusal::IsADirectory, &gnu);
                    }
                    Err(refusal) => {
                        return self.fail_at(from, refusal, &format!("cannot stat '{from}': {}", refusal.text()));
                    }
                    Ok(text) => {
                        if let Err(refusal) = self.shell.files.write(&target, asker, self.now, &text, false) {
                            let what = if self.name == "cp" { "cannot create regular file" } else { "cannot move" };
                            let what = if self.is_applet() { "can't create" } else { what };
                            if !self.is_gnu() && !self.is_applet() {
                                return self.fail_at(to, refusal, "");
                            }
                            return self.fail(&format!("{what} '{to}': {}", refusal.text()));
                        }
                        if self.name == "mv"
                            && let Err(refusal) = self.shell.files.remove(&source, asker, false)
                        {
                            return self.fail(&format!("cannot remove '{from}': {}", refusal.text()));
                        }
                    }
                }
            }
            ("cp" | "mv", _) => {
                return self.fail("missing destination file operand");
            }
            ("chmod", [mode, rest @ ..]) => {
                for path in rest {
                    let full = self.full(path);
                    let old = self.shell.files.find(&full, asker).map(|(_, node)| node.mode);
                    let result = old.and_then(|old| {
                        let mode = u16::from_str_radix(mode, 8)
                            .unwrap_or_else(|_| old | if mode.contains('x') { 0o111 } else { 0 });
                        self.shell.files.change_mode(&full, asker, mode & 0o7777)
                    });
                    status = match result {
                        Ok(()) => status,
                        Err(Refusal::Denied) if !self.is_gnu() => {
                            self.fail(&format!("{path}: Operation not permitted"))
                        }
                        Err(Refusal::Denied) => {
                            self.fail(&format!("changing permissions of '{path}': Operation not permitted"))
                        }
                        Err(refusal) => {
                            self.fail_at(path, refusal, &format!("cannot access '{path}': {}", refusal.text()))
                        }
                    };
                }
            }
            (name, paths) => {
                for path in paths {
                    let full = self.full(path);
                    let files = &mut self.shell.files;
                    let (result, what) = match name {
                        "touch" if files.list(&full, asker).is_ok() => continue,
                        "touch" => (files.write(&full, asker, self.now, b"", true), "cannot touch"),
                        "mkdir" if files.find(&full, asker).is_ok() => {
                            if !letters.contains('p') {
                                status = self.fail(&self.making(path));
                            }
                            continue;
                        }
                        "mkdir" => {
                            // With the folders above it, where that is asked for.
                            for (at, _) in full.match_indices('/').skip(1).filter(|_| letters.contains('p')) {
                                let above = full.get(..at).unwrap_or_default();
                                if files.find(above, asker).is_err() {
                                    let _ = files.make_directory(above, asker, self.now);
                                }
                            }
                            (files.make_directory(&full, asker, self.now), "cannot create directory")
                        }
                        "rmdir" if files.list(&full, asker).is_ok_and(|names| !names.is_empty()) => {
                            status = self.fail(&format!("failed to remove '{path}': Directory not empty"));
                            continue;
                        }
                        "rmdir" => (files.remove(&full, asker, true), "failed to remove"),
                        _ => (files.remove(&full, asker, letters.contains(['r', 'R'])), "cannot remove"),
                    };
                    match result {
                        Ok(()) => {}
                        Err(Refusal::NotFound) if name == "rm" && letters.contains('f') => {}
                        Err(refusal) => {
                            let (open, close) = if name == "mkdir" { ('‘', '’') } else { ('\'', '\'') };
                            let gnu = format!("{what} {open}{path}{close}: {}", refusal.text());
                            status = self.fail_at(path, refusal, &gnu);
                        }
                    }
                }
            }
        }
        status
    }
}
