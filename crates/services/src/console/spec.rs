//! What the command line of a device shows: data, to be written in a TOML file.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// The command line of a device: words, and what is said to them. All texts may hold the placeholders that
/// docs/services.md lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleSpec {
    /// Said after a login at a terminal.
    pub greeting: String,
    /// Said to control-D on an empty line, which ends the session; empty: it does nothing.
    pub farewell: String,
    /// Where a session can be; the first is where a login leads to.
    pub modes: Vec<ConsoleMode>,
    /// What can be typed.
    pub commands: Vec<ConsoleCommand>,
    /// Words may be cut short as long as they are no other's.
    pub abbreviates: bool,
    /// Words may be written in capitals.
    pub ignores_case: bool,
    /// Before a line, this stands for the first mode, wherever the session is; alone, it leads there.
    pub root: String,
    /// Shown where a page ends; empty: output is not paged.
    pub more: String,
    /// What `?` shows before the words that fit; empty: `?` is a character like any other.
    pub help: String,
    /// What words mean, by the whole way to them: `show version`.
    pub helps: BTreeMap<String, String>,
    /// What may stand behind `|`.
    pub filters: BTreeMap<String, ConsoleFilter>,
    /// Parts of texts, by name: `{text:name}`.
    pub texts: BTreeMap<String, String>,
    /// What is said to what cannot be done.
    pub refusals: ConsoleRefusals,
    /// What `scp` and SFTP show and where they take files; left out: there is no SFTP.
    pub files: Option<ConsoleFiles>,
    /// Said to `scp` where there are no files, with the status 1; left out: it is a command like any other.
    pub scp_refusal: Option<String>,
    /// `ssh host command` is a session at a terminal, whatever the command.
    pub ignores_commands: bool,
}

/// The folders of a device. Files are taken into each of them, and shown by name only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleFiles {
    /// Where a session starts, as SFTP names it.
    pub home: String,
    /// Folders by their whole path, and what is in them; the name of a folder ends with `/`.
    pub folders: BTreeMap<String, Vec<String>>,
}

/// Where a session is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleMode {
    /// Its name, which commands name.
    pub name: String,
    /// Shown before each line.
    pub prompt: String,
}

/// What can be typed, and what comes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleCommand {
    /// Forms of it: words, `<word>` for any word, and at the end `<line>` for whatever follows.
    pub lines: Vec<String>,
    /// Modes in which it is known; none: all.
    pub modes: Vec<String>,
    /// What it says. `{word}` is the first word that stood for a `<word>`.
    pub text: String,
    /// The mode that it leads to.
    pub to: String,
    /// It asks for a secret with this prompt, and goes on only if that is the account's own.
    pub asks: String,
    /// How often it asks; 0: once.
    pub tries: u32,
    /// Said after the last secret in vain.
    pub refused: String,
    /// Its last word is the number of lines of a page, 0 for no pages.
    pub sets_page: bool,
    /// It ends the session.
    pub ends: bool,
}

/// What is shown of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleFilter {
    /// Lines with the text.
    With,
    /// Lines without it.
    Without,
    /// All from the first line with it.
    From,
}

/// Refusals. `{caret}` is a line that points at the word in question below what was typed, `{word}` that word,
/// `{first}` the first one, `{line}` all that was typed, `{column}` where the word stands, counted from one, `{end}`
/// where the line ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleRefusals {
    /// A word that fits nothing.
    pub unknown: String,
    /// A word cut so short that it fits several.
    pub ambiguous: String,
    /// Words are missing.
    pub incomplete: String,
    /// What is not known, where it comes as the command of `ssh host command`; empty: as at the prompt.
    pub unknown_command: String,
    /// With `ssh host command` a refusal is an error, and this the status; left out: it is output like any other.
    pub status: Option<u8>,
}
