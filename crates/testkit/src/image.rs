//! The image of a node, for tests: with the holes that it falls into where it is told to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The image with holes (`crates/unikernel/src/node/hole.rs`). It is the product's as long as no word on its command line
/// and no decoy's name says otherwise. Built at the first call.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn with_holes() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = root.join("target");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "-p", "chaff-unikernel", "--profile", "image", "--features", "hole"]);
        let built = build.current_dir(&root).env("CARGO_TARGET_DIR", &target).status().expect("cargo runs");
        assert!(built.success(), "the image does not build");
        // Out of the way of an image without holes, which has the same name there; and never half written.
        let (image, copy) = (target.join("tmp/chaff-node-with-holes"), target.join("tmp/chaff-node-with-holes.new"));
        fs::create_dir_all(target.join("tmp")).expect("a folder for tests");
        fs::copy(target.join("image/chaff-node"), &copy).expect("the image");
        fs::rename(&copy, &image).expect("the image");
        image
    })
}
