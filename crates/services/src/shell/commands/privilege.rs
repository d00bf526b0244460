//! Programs by which one becomes somebody else: nobody does.

use alloc::{format, string::ToString, vec::Vec};

use super::{Call, lossy, run};
use crate::shell::{Asking, Shell, written::Written};

impl Call<'_> {
    pub(super) fn sudo(&mut self) -> u8 {
        if self.shell.host.user.uid == 0 {
            let words: Vec<Vec<u8>> = self.args.iter().skip_while(|arg| arg.starts_with(b"-")).cloned().collect();
            return run(self.shell, &words, self.input, self.written, self.terminal);
        }
        if self.args.is_empty() {
            self.written.errors(b"usage: sudo -h | -K | -k | -V\nusage: sudo -v [-ABkNnS] [-g group] [-h host] [-p prompt] [-u user]\nusage: sudo -l [-ABkNnS] [-g group] [-h host] [-p prompt] [-U user]\n            [-u user] [command [arg ...]]\nusage: sudo [-ABbEHkNnPS] [-C num] [-D directory]\n            [-g group] [-h host] [-p prompt] [-R directory] [-T timeout]\n            [-u user] [VAR=value] [-i | -s] [command [arg ...]]\nusage: sudo -e [-ABkNnS] [-C num] [-D directory]\n            [-g group] [-h host] [-p prompt] [-R directory] [-T timeout]\n            [-u user] file ...\n");
            return 1;
        }
        if self.args.iter().any(|arg| arg == b"-n") {
            return self.fail("a password is required");
        }
        if !self.shell.terminal {
            self.fail("a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper");
            return self.fail("a password is required");
        }
        self.ask(Asking::Sudo);
        1
    }

    pub(super) fn su(&mut self) -> u8 {
        if self.shell.host.user.uid == 0 {
            return 0;
        }
        if self.shell.terminal {
            self.ask(Asking::Su);
        } else if let Some(ask) = self.shell.ask(Asking::Su) {
            let text = format!("{}{}", ask.prompt, ask.refusal);
            self.written.errors(text.as_bytes());
        } else {
            self.written.errors(b"Password: su: Authentication failure\n");
        }
        1
    }

    pub(super) fn passwd(&mut self) -> u8 {
        let name = self.shell.host.user.name.clone();
        if let Some(other) = self.args.first().filter(|arg| **arg != name.as_bytes()) {
            let text = format!("You may not view or modify password information for {}.", lossy(other));
            return self.fail(&text);
        }
        if self.shell.ask(Asking::Passwd).is_none() {
            self.line(&format!("Changing password for {name}."));
        }
        if self.shell.terminal {
            self.ask(Asking::Passwd);
        } else {
            self.written.errors(
                b"Current password: passwd: Authentication token manipulation error\npasswd: password unchanged\n",
            );
        }
        10
    }

    /// Waits for a password, after what the product's program says first.
    fn ask(&mut self, asking: Asking) {
        if let Some(ask) = self.shell.ask(asking) {
            self.say(&ask.text);
        }
        self.shell.asking = Some(asking);
    }
}

/// The line that a program had asked for has come.
pub(in crate::shell) fn answer(shell: &mut Shell, asking: Asking, written: &mut Written) {
    let own = shell.ask(asking).map(|ask| ask.refusal);
    let text = own.unwrap_or_else(|| match asking {
        Asking::Sudo => format!("{} is not in the sudoers file.\n", shell.host.user.name),
        Asking::Su => "su: Authentication failure\n".to_string(),
        Asking::Passwd => "passwd: Authentication token manipulation error\npasswd: password unchanged\n".to_string(),
    });
    written.errors(text.as_bytes());
    shell.status = if asking == Asking::Passwd { 10 } else { 1 };
}
