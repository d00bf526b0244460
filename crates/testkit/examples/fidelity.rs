//! `cargo xtask fidelity`: imports fingerprints of the installed nmap, puts a decoy on a network for each, and has nmap
//! look at them, once. What it prints of the database is for the screen, not for the repository.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use chaff_testkit::fidelity::{self, Class, DATABASE, Fingerprint, Outcome, Setup};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let number = |word: &str, otherwise: u64| {
        let value = words.iter().position(|other| other == word).and_then(|at| words.get(at + 1));
        value.map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{word} {value}: no number")))
    };
    let folder = folder();
    let setup = Setup {
        chaff: folder.join("chaff"),
        import: folder.join("nmap-import"),
        database: PathBuf::from(DATABASE),
        routed: has("--routed"),
        two_scanners: has("--two-scanners"),
    };
    let all = setup.fingerprints();
    let lines: Vec<usize> = words.iter().filter_map(|word| word.strip_prefix("--line=")?.parse().ok()).collect();
    let (seed, count) = (number("--seed", 1), usize::try_from(number("--sample", 40)).unwrap_or(40));
    let wanted = match () {
        () if !lines.is_empty() => all.into_iter().filter(|f| lines.contains(&f.line)).collect(),
        () if has("--whole") => all,
        () => fidelity::sample(all, count, seed),
    };
    println!("{} fingerprints, seed {seed}", wanted.len());
    let begun = Instant::now();
    let mut done = 0;
    let outcomes = setup.scan(&wanted, |chunk| {
        done += chunk.len();
        let exact = chunk.iter().filter(|outcome| outcome.class.is_exact()).count();
        eprintln!("{done}: {exact} of {}, {:.0} s", chunk.len(), begun.elapsed().as_secs_f64());
    });
    report(&outcomes);
}

/// Totals, and what was not named, with the reason.
fn report(outcomes: &[Outcome]) {
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.class.is_exact()).collect();
    for outcome in &failed {
        let Outcome { fingerprint: Fingerprint { line, name }, class, why, .. } = outcome;
        println!("{class}: line {line}, {name}: {why}");
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.note.is_empty()) {
        let Outcome { fingerprint: Fingerprint { line, name }, class, note, .. } = outcome;
        println!("importer's note ({class}): line {line}, {name}: {note}");
    }
    let totals = fidelity::totals(outcomes);
    let order = [Class::Exact, Class::ExactMany, Class::First, Class::Guess, Class::OtherHundred, Class::Miss];
    let said: Vec<String> =
        order.iter().map(|class| format!("{class} {}", totals.get(class).copied().unwrap_or(0))).collect();
    println!("{}", said.join(", "));
    let hundred: usize = outcomes.iter().map(|outcome| outcome.hundred).sum();
    println!("names at 100 % for each decoy: {:.2}", hundred as f64 / outcomes.len().max(1) as f64);
    let share = fidelity::share(outcomes);
    println!("mean of names among the 100 % matches: {share:.2} % of {}", outcomes.len());
}

/// Where cargo puts programs: examples are one folder deeper.
fn folder() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.parent().and_then(Path::parent).expect("target/PROFILE/examples/fidelity").to_owned()
}
