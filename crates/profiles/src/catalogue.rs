//! The files of `profiles/`, as they were when the binary was made.

/// The folders of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Folder {
    /// Kinds of decoys: what `profile` names.
    Devices,
    /// TCP/IP stacks: what `personality` names.
    Systems,
    /// Application servers: what `ports` names.
    Services,
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

impl Folder {
    /// What one of its files is called in a sentence.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Devices => "profile",
            Self::Systems => "personality",
            Self::Services => "service",
        }
    }

    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Devices => DEVICES,
            Self::Systems => SYSTEMS,
            Self::Services => SERVICES,
        }
    }

    /// The text of one file.
    pub(crate) fn text(self, name: &str) -> Option<&'static str> {
        let files = self.files();
        let found = files.binary_search_by_key(&name, |(name, _)| name).ok()?;
        files.get(found).map(|(_, text)| *text)
    }
}

/// What the `[tls]` table of a service may have for its `base`: a library as a server sets it up.
pub(crate) fn tls(name: &str) -> Option<&'static str> {
    TLS.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}

/// The names of those.
pub(crate) fn tls_names() -> impl Iterator<Item = &'static str> {
    TLS.iter().map(|(name, _)| *name)
}

/// The names in a folder, ascending.
pub fn names(folder: Folder) -> impl Iterator<Item = &'static str> {
    folder.files().iter().map(|(name, _)| *name)
}
