//! How `chaff-node` is linked: without C and without an operating system, by a script of its own. And a fingerprint of the
//! sources, by which a node and its host know that they are of one build.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Crates that make up a node. What it is told is their types, so sources that differ may read it differently.
const SOURCES: [&str; 5] = ["engine", "events", "services", "unikernel", "wire"];

fn main() {
    println!("cargo:rustc-env=CHAFF_BUILD={:016x}", fingerprint());
    if std::env::var_os("CARGO_FEATURE_IMAGE").is_none() {
        return;
    }
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = format!("-Wl,-T,{folder}/src/node/linker.ld");
    let words = [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,norelro",
        "-Wl,--gc-sections",
        &script,
    ];
    for word in words {
        println!("cargo:rustc-link-arg-bin=chaff-node={word}");
    }
}

/// FNV-1a over names and contents of all sources but tests.
fn fingerprint() -> u64 {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for name in SOURCES {
        let source = crates.join(name).join("src");
        println!("cargo:rerun-if-changed={}", source.display());
        collect(&source, &mut files);
    }
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |octets: &[u8]| {
        for &octet in octets {
            hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in &files {
        take(file.strip_prefix(&crates).unwrap_or(file).as_os_str().as_encoded_bytes());
        take(&fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    hash
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}
