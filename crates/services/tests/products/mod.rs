//! The products of SSH as the catalogue has them.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use chaff_services::{ServiceKind, SshSpec};

/// Our product of that name, as its newest revision, which is the one that was recorded.
pub(crate) fn product(name: &str) -> SshSpec {
    let path = services().join(format!("{name}.toml"));
    spec_of(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|| panic!("{name} is no SSH server")).1
}

/// All products that speak SSH, by name.
pub(crate) fn products() -> BTreeMap<String, SshSpec> {
    let files = fs::read_dir(services()).unwrap();
    files.filter_map(|file| spec_of(&fs::read_to_string(file.unwrap().path()).unwrap())).collect()
}

fn services() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/services")
}

/// The name and what is said of SSH; `None` where a file is of another service.
fn spec_of(text: &str) -> Option<(String, SshSpec)> {
    #[derive(serde::Deserialize)]
    struct Head {
        name: String,
        #[serde(default)]
        revisions: Vec<String>,
    }
    #[derive(serde::Deserialize)]
    struct Body {
        kind: ServiceKind,
    }
    if !text.contains("[kind.ssh]") {
        return None;
    }
    let head: Head = toml::from_str(text).unwrap();
    let newest = head.revisions.last().map_or("", String::as_str);
    let body: Body = toml::from_str(&text.replace("{revision}", newest)).unwrap();
    let ServiceKind::Ssh(spec) = body.kind else { return None };
    Some((head.name, (*spec).clone()))
}
