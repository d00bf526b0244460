use std::process::Command;

use crate::{root, shown};

/// Where the packages of real servers lie, unpacked, one folder for each suite.
const SERVERS: &str = "target/tools/http";

/// `cargo xtask goldens NAME`: records anew what real servers answer.
pub(crate) fn run(name: &str) -> Result<(), String> {
    if name != "http" {
        return Err(format!("no goldens `{name}`; there are: http"));
    }
    let mut command = Command::new("python3");
    command.current_dir(root()).args(["recordings/http/record.py", SERVERS]);
    eprintln!("── {}", shown(&command));
    let ended = command.status().map_err(|error| format!("cannot run python3: {error}"))?;
    let help = "recordings/http/record.py says which packages must lie there";
    ended.success().then_some(()).ok_or_else(|| format!("recording failed; servers are taken from {SERVERS}: {help}"))
}
