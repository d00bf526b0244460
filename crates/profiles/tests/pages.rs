//! The pages of devices: no two products are of one template, so that no single signature finds them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use toml::{Table, Value};

/// Words and signs that are compared as one, and how many of a hundred of them two products may have in common: what
/// HTML itself makes every page say.
const SHINGLE: usize = 6;
const MOST_PERCENT: usize = 20;

/// What one product shows and is told.
#[derive(Default)]
struct Pages {
    bodies: String,
    paths: BTreeSet<String>,
    /// Fields of forms, and cookies.
    names: BTreeSet<String>,
}

impl Pages {
    fn of(http: &Table) -> Self {
        let mut pages = Self::default();
        for page in http.get("pages").and_then(Value::as_array).into_iter().flatten() {
            pages.bodies += text(page, "body");
            pages.bodies.push('\n');
            pages.paths.insert(text(page, "path").into());
        }
        if let Some(form) = http.get("form") {
            pages.bodies += text(form, "refused-body");
            pages.paths.insert(text(form, "path").into());
            pages.names.insert(text(form, "cookie").into());
            let fields = ["user-fields", "password-fields"].into_iter().filter_map(|key| form.get(key)?.as_array());
            pages.names.extend(fields.flatten().filter_map(Value::as_str).map(Into::into));
        }
        pages.paths.remove("/");
        pages.names.remove("");
        pages
    }

    /// Every run of so many words and signs.
    fn shingles(&self) -> BTreeSet<Vec<&str>> {
        let words = words(&self.bodies);
        words.windows(SHINGLE).map(<[&str]>::to_vec).collect()
    }

    /// Of the smaller one's runs, how many of a hundred the other has as well.
    fn alike(&self, other: &Self) -> usize {
        let [one, two] = [self, other].map(Self::shingles);
        let least = one.len().min(two.len());
        (one.intersection(&two).count() * 100).checked_div(least).unwrap_or_default()
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for run in text.split_whitespace() {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let is_word = |char: char| char.is_alphanumeric() || char == '-' || char == '_';
            let end = if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
            words.push(&rest[..end]);
            rest = &rest[end..];
        }
    }
    words
}

/// Devices' pages: those that say a decoy's own serial number or hardware address, or have a form for its login.
fn devices() -> BTreeMap<String, Pages> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/services");
    let mut devices = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(http) = file.get("kind").and_then(|kind| kind.get("http")?.as_table()) else { continue };
        let pages = Pages::of(http);
        if http.contains_key("form") || ["{serial}", "{mac}"].iter().any(|own| pages.bodies.contains(own)) {
            devices.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), pages);
        }
    }
    devices
}

#[test]
fn no_two_devices_have_pages_of_one_template() {
    let devices = devices();
    let known = ["camera-web", "cisco-ios-http", "management-controller-web", "nas-web", "plug-web", "printer-web"];
    assert!(known.iter().all(|name| devices.contains_key(*name)) && devices.len() >= 12, "{:?}", devices.keys());
    let mut wrong = Vec::new();
    for (at, (one, pages)) in devices.iter().enumerate() {
        for (two, others) in devices.iter().skip(at + 1) {
            let alike = pages.alike(others);
            println!("{alike:>3} % {one} {two}");
            if alike > MOST_PERCENT {
                wrong.push(format!("{one} and {two}: {alike} of 100 runs of words are the same"));
            }
            let same: Vec<_> =
                pages.paths.intersection(&others.paths).chain(pages.names.intersection(&others.names)).collect();
            if !same.is_empty() {
                wrong.push(format!("{one} and {two} share {same:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The measure finds what it is for: a page whose words, title and names were swapped.
#[test]
fn a_template_with_other_words_in_it_is_found() {
    let devices = devices();
    for name in ["router-web", "switch-web", "printer-web", "camera-web", "nas-web", "management-controller-web"] {
        let pages = &devices[name];
        let swap =
            ["Log in", "Printer", "Camera", "Management", "Storage", "Switch", "{serial}", "{hostname}", "admin"];
        let bodies = swap.iter().fold(pages.bodies.clone(), |bodies, word| bodies.replace(word, "Other thing"));
        let swapped = Pages { bodies, ..Pages::default() };
        assert!(pages.alike(&swapped) > 3 * MOST_PERCENT, "{name}: {}", pages.alike(&swapped));
    }
}

#[test]
fn pages_say_what_they_show_by_its_name() {
    for (name, pages) in devices() {
        assert!(!pages.bodies.contains("Uptime check"), "{name}");
        for line in pages.bodies.lines().filter(|line| line.contains("{uuid}")) {
            let line = line.to_ascii_lowercase();
            let fits = ["uuid", "guid", "instance", "/*"].iter().any(|word| line.contains(word));
            assert!(fits, "{name} shows an identifier as something else: {line}");
        }
    }
}
