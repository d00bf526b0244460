//! Programs that read text and write some of it.

use alloc::{format, string::String, vec::Vec};

use super::Call;
use crate::{limits::shell::MAX_TEXTS, shell::files::Refusal};

impl Call<'_> {
    /// The texts that a filter reads: of the files it names, else its input. Says what cannot be read; the status.
    pub(super) fn texts(&mut self, paths: &[String]) -> (Vec<(String, Vec<u8>)>, u8) {
        if paths.is_empty() {
            return (Vec::from([(String::new(), self.input.take())]), 0);
        }
        let mut status = 0;
        let mut texts = Vec::new();
        for path in paths {
            if path == "-" {
                texts.push((path.clone(), self.input.take()));
                continue;
            }
            match self.shell.read(&self.full(path)) {
                Ok(text) => texts.push((path.clone(), text)),
                Err(refusal) => {
                    status = match (self.name, refusal) {
                        _ if !self.is_gnu() => self.fail_at(path, refusal, ""),
                        ("head" | "tail", Refusal::IsADirectory) => {
                            self.fail(&format!("error reading '{path}': Is a directory"))
                        }
                        ("head" | "tail", _) => {
                            self.fail(&format!("cannot open '{path}' for reading: {}", refusal.text()))
                        }
                        ("tac", Refusal::IsADirectory) => self.fail(&format!("{path}: read error: Invalid argument")),
                        ("tac", _) => self.fail(&format!("failed to open '{path}' for reading: {}", refusal.text())),
                        ("rev", Refusal::IsADirectory) => self.fail(&format!("{path}: 0: Is a directory")),
                        ("rev", _) => self.fail(&format!("cannot open {path}: {}", refusal.text())),
                        ("uniq", Refusal::IsADirectory) => self.fail(&format!("error reading '{path}'")),
                        ("base64" | "od", Refusal::IsADirectory) => self.fail("read error: Is a directory"),
                        ("sed", Refusal::IsADirectory) => self.fail(&format!("read error on {path}: Is a directory")),
                        ("sed", _) => self.fail(&format!("can't read {path}: {}", refusal.text())),
                        ("sort", Refusal::IsADirectory) => self.fail(&format!("read failed: {path}: Is a directory")),
                        ("sort", _) => self.fail(&format!("cannot read: {path}: {}", refusal.text())),
                        _ => self.fail(&format!("{path}: {}", refusal.text())),
                    };
                }
            }
            if texts.len() >= MAX_TEXTS {
                break;
            }
        }
        (texts, status)
    }

    pub(super) fn cat(&mut self) -> u8 {
        let (letters, paths) = self.options();
        let mut status = 0;
        let sources = if paths.is_empty() { Vec::from([String::new()]) } else { paths };
        let mut number = 0;
        for path in sources {
            let only: Vec<String> = if path.is_empty() { Vec::new() } else { Vec::from([path]) };
            let (texts, failed) = self.texts(&only);
            status = status.max(failed);
            for (_, text) in texts {
                if letters.contains('n') {
                    for line in text.split_inclusive(|o| *o == b'\n') {
                        number += 1;
                        self.say(&format!("{number:>6}\t"));
                        self.written.output(line);
                    }
                } else {
                    self.written.output(&text);
                }
            }
        }
        status
    }
}
