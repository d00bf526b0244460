//! How `chaff-node` is linked: without C and without an operating system, by a script of its own.

fn main() {
    println!("cargo:rerun-if-changed=src/node/linker.ld");
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
