//! The table of `chaff credentials`: who tried what, where, on which product, how often, first and last.

use std::io::Write;

use chaff_events::Detail;

use super::{
    PrintError,
    fitted::{Fitted, Layout},
    later, source, time,
};
use crate::store::{Reader, StoredSecret};

/// Limits of 16 KiB of user name or secret, of which `--json` has all.
const COLUMNS: [Fitted; 9] = [
    column("FIRST (UTC)", 19, 19),
    Fitted { goes: 1, ..column("LAST", 11, 11) },
    column("SOURCE", 15, 39),
    column("PRODUCT", 12, 40),
    column("USERNAME", 8, 32),
    column("SECRET", 8, 40),
    Fitted { is_number: true, ..column("TIMES", 5, 12) },
    Fitted { goes: 2, ..column("DECOYS", 8, 24) },
    Fitted { goes: 3, ..column("NOTES", 8, 72) },
];

const fn column(head: &'static str, least: usize, most: usize) -> Fitted {
    Fitted { head, least, most, is_number: false, goes: 0 }
}

/// A row for each secret that a source tried on a product, and a line of totals.
pub(super) fn table(reader: &Reader, terminal: Option<usize>, out: &mut impl Write) -> Result<(), PrintError> {
    let mut layout = Layout::new(&COLUMNS);
    reader.secrets(|secret| -> Result<(), PrintError> {
        layout.measure(&cells(secret));
        Ok(())
    })?;
    if let Some(terminal) = terminal {
        layout.shrink_to(terminal);
    }
    let (mut secrets, mut attempts, mut let_in) = (0_u64, 0, 0);
    layout.head(out)?;
    reader.secrets(|secret| -> Result<(), PrintError> {
        secrets += u64::from(secret.kind != Detail::NOTHING);
        attempts += secret.attempts;
        let_in += if secret.accepted { secret.attempts } else { 0 };
        Ok(layout.row(&cells(secret), out)?)
    })?;
    let let_in = if let_in > 0 { format!(", {let_in} let in by a planted account") } else { String::new() };
    match (secrets, attempts) {
        (_, 0) => writeln!(out, "(none)")?,
        (_, 1) => writeln!(out, "\n1 attempt{let_in}")?,
        (1, _) => writeln!(out, "\n1 secret in {attempts} attempts{let_in}")?,
        _ => writeln!(out, "\n{secrets} secrets in {attempts} attempts{let_in}")?,
    }
    let left_out = layout.left_out();
    if attempts > 0 && !left_out.is_empty() {
        writeln!(out, "no room for {}: a wider terminal or --json shows more", left_out.join(", "))?;
    }
    Ok(out.flush()?)
}

fn cells(secret: &StoredSecret) -> [String; 9] {
    let accepted = secret.accepted.then(|| "let in (planted account)".to_owned());
    let allowed = secret.allowed.as_ref().map(|reason| format!("[allowed: {reason}]"));
    let kind = (secret.kind != "password").then(|| secret.kind.clone());
    let client = (!secret.client.is_empty()).then(|| secret.client.clone());
    let notes: Vec<String> = [accepted, allowed, kind, client].into_iter().flatten().collect();
    let decoys = if secret.decoys > 1 { format!("{} decoys", secret.decoys) } else { secret.decoy.clone() };
    [
        time(secret.first),
        later(secret.first, secret.last),
        source(&secret.source_ip, &secret.source_mac),
        secret.service.clone(),
        secret.username.clone(),
        secret.secret.clone(),
        secret.attempts.to_string(),
        decoys,
        notes.join(" "),
    ]
}

#[cfg(test)]
mod tests;
