//! Puts the catalogue into the binary: one list of (name, text) for each folder of `profiles/`.

use std::{env, fmt::Write as _, fs, path::Path, path::PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder"));
    let root = root.join("../../profiles").canonicalize().expect("the repository has a folder `profiles`");
    let mut code = String::new();
    for folder in ["devices", "services", "systems", "tls"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        list(&root.join(folder), folder, &mut code);
    }
    let vendors = root.join("vendors.toml");
    println!("cargo::rerun-if-changed={}", vendors.display());
    writeln!(code, "pub(crate) static VENDORS: &str = include_str!({:?});", vendors).expect("a string takes all");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the output folder"));
    fs::write(out.join("catalogue.rs"), code).expect("the output folder can be written");
}

/// Writes one list, ordered by name (as it is looked up, without the ending), so that the same files give the same binary.
fn list(folder: &Path, name: &str, code: &mut String) {
    let entries = fs::read_dir(folder).map(|e| e.filter_map(Result::ok).map(|e| e.path()).collect::<Vec<_>>());
    let mut files = entries.unwrap_or_default();
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));
    writeln!(code, "pub(crate) static {}: &[(&str, &str)] = &[", name.to_uppercase()).expect("a string takes all");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let stem = file.file_stem().and_then(|s| s.to_str()).expect("names of profiles are UTF-8");
        writeln!(code, "    ({stem:?}, include_str!({file:?})),").expect("a string takes all");
    }
    code.push_str("];\n");
}
