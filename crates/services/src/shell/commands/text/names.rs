//! `basename`, `dirname` and `tee`.

use alloc::{format, vec::Vec};

use super::{Call, lossy};

impl Call<'_> {
    pub(in super::super) fn basename(&mut self) -> u8 {
        let options = match self.getopt("+as:z", &[("multiple", 'a'), ("suffix", 's')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let several = options.has('a') || options.has('s');
        if options.rest.is_empty() {
            return self.fail_with_hint("missing operand");
        }
        if let Some(extra) = options.rest.get(2).filter(|_| !several) {
            return self.fail_with_hint(&format!("extra operand ‘{}’", lossy(extra)));
        }
        let suffix = options.value('s').or_else(|| options.rest.get(1).map(Vec::as_slice).filter(|_| !several));
        let names = if several { options.rest.len() } else { 1 };
        for path in options.rest.iter().take(names) {
            let bare = path.as_slice();
            let kept = bare.iter().rposition(|octet| *octet != b'/').map_or(0, |at| at + 1);
            let bare = bare.get(..kept).unwrap_or_default();
            let name = bare.rsplit(|octet| *octet == b'/').next().unwrap_or_default();
            let name = if bare.is_empty() && !path.is_empty() { b"/" } else { name };
            let shown = suffix.and_then(|suffix| name.strip_suffix(suffix)).filter(|name| !name.is_empty());
            self.put(shown.unwrap_or(name));
        }
        0
    }

    pub(in super::super) fn dirname(&mut self) -> u8 {
        let options = match self.getopt("+z", &[("zero", 'z')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        if options.rest.is_empty() {
            return self.fail_with_hint("missing operand");
        }
        for path in &options.rest {
            let path = lossy(path);
            let shown = match path.trim_end_matches('/').rsplit_once('/') {
                None if path.starts_with('/') => "/",
                None => ".",
                Some((parent, _)) if parent.trim_end_matches('/').is_empty() => "/",
                Some((parent, _)) => parent.trim_end_matches('/'),
            };
            self.put(shown.as_bytes());
        }
        0
    }

    pub(in super::super) fn tee(&mut self) -> u8 {
        let options = match self.getopt("aip", &[("append", 'a'), ("ignore-interrupts", 'i')]) {
            Ok(options) => options,
            Err(status) => return status,
        };
        let input = self.input.take();
        let mut status = 0;
        for path in options.paths() {
            let (full, asker) = (self.full(&path), self.shell.asker());
            if let Err(refusal) = self.shell.files.write(&full, asker, self.now, &input, options.has('a')) {
                status = self.fail_at(&path, refusal, &format!("{path}: {}", refusal.text()));
            }
        }
        self.written.output(&input);
        status
    }
}
