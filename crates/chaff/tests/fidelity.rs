//! A sample of the installed nmap's fingerprints, drawn by a fixed seed: each is imported, worn by a decoy and named by
//! nmap. `cargo xtask fidelity` is the long form.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use chaff_testkit::{
    fidelity::{self, DATABASE, Setup},
    network::alone,
    seed,
};

/// Fingerprints looked at.
const SAMPLE: usize = 40;
/// Of these, how many must be among nmap's matches of 100 %. All are on a quiet machine; nmap itself says that a busy
/// one spoils its timing.
const NAMED: usize = 38;
const SEED: u64 = 1337;

#[test]
fn nmap_takes_decoys_for_what_its_database_says() {
    let chaff = PathBuf::from(env!("CARGO_BIN_EXE_chaff"));
    let setup =
        Setup { import: build_import(&chaff), chaff, database: DATABASE.into(), routed: false, two_scanners: false };
    let seed = seed(SEED);
    println!("CHAFF_SEED={seed}");
    alone("nmap_takes_decoys_for_what_its_database_says", || {
        let all = setup.fingerprints();
        let outcomes = setup.scan(&fidelity::sample(all, SAMPLE, seed), |_| {});
        let named = outcomes.iter().filter(|outcome| outcome.class.is_exact()).count();
        let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.class.is_exact()).collect();
        assert_eq!(outcomes.len(), SAMPLE);
        assert!(named >= NAMED, "{named} of {SAMPLE} named: {failed:#?}");
    });
}

/// The importer lies beside `chaff`: cargo builds it for its own tests, which the whole test command runs as well. Alone,
/// this test builds it where it is missing.
fn build_import(chaff: &Path) -> PathBuf {
    let import = chaff.with_file_name("nmap-import");
    if !import.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo).args(["build", "--quiet", "-p", "nmap-import"]).status();
        assert!(built.is_ok_and(|status| status.success()), "nmap-import does not build");
    }
    assert!(import.exists(), "{} is not there: is another target folder or profile in use?", import.display());
    import
}
