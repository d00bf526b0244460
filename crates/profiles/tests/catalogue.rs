//! The catalogue as it is shipped.

use std::{collections::BTreeSet, fs, path::Path};

use chaff_config::SourceFile;
use chaff_engine::spec::{FleetSpec, Port};
use chaff_profiles::{Folder, names};
use chaff_services::ServiceKind;

/// Banners that decoys of others are known by, as their sources ship them.
const KNOWN_BANNERS: [&str; 8] = [
    "OpenSSH_6.0p1 Debian-4+deb7u2",
    "9.2p1 Debian-2+deb12u3",
    "OpenSSH_5.1p1 Debian-4",
    "6.6.1p1 Ubuntu-2ubuntu2.8",
    "Ubuntu-2ubuntu0.10",
    "DiskStation FTP server ready.",
    "Welcome to the ftp service",
    "Technodrome",
];

/// A fleet with one group of every profile.
fn whole_catalogue() -> FleetSpec {
    let mut text = "[[network]]\nname = \"office\"\ninterface = \"eth1\"\nsubnet = \"10.20.0.0/16\"\n".to_owned();
    for (i, name) in names(Folder::Devices).enumerate() {
        text += &format!("[[network.decoys]]\nprofile = \"{name}\"\naddresses = [\"10.20.{i}.1-10.20.{i}.40\"]\n");
    }
    let config = chaff_config::parse(&SourceFile::new("chaff.toml", text), Path::new("")).unwrap();
    chaff_profiles::compile(&config, &[7; 32]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_profile_compiles_and_is_coherent() {
    let fleet = whole_catalogue();
    let profiles: BTreeSet<_> = fleet.profiles.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(profiles, names(Folder::Devices).collect());
    assert!(profiles.len() >= 12);
}

#[test]
fn every_personality_fits_a_device() {
    for system in names(Folder::Systems) {
        let fits = |device: &str| {
            let text = format!(
                "[[network]]\nname = \"office\"\ninterface = \"eth1\"\nsubnet = \"10.20.0.0/16\"\n\
                 [[network.decoys]]\nprofile = \"{device}\"\npersonality = \"{system}\"\naddresses = [\"10.20.0.9\"]\n"
            );
            let config = chaff_config::parse(&SourceFile::new("chaff.toml", text), Path::new("")).unwrap();
            chaff_profiles::compile(&config, &[7; 32]).is_ok()
        };
        assert!(names(Folder::Devices).any(fits), "no device of the catalogue can run {system}");
    }
}

/// Services that no device of the catalogue has by itself; people choose them by `ports` in `chaff.toml`.
const FOR_PORTS: [&str; 14] = [
    "apache-2.4.71-debian12-http2",
    "apache-2.4.71-debian12-tls",
    "discard",
    "dropbear-2025.89",
    "echo",
    "iis-10-server-2019-tls",
    "lighttpd-1.4.69-debian12",
    "lighttpd-1.4.69-debian12-tls",
    "nginx-1.18.0-debian11-tls",
    "nginx-1.22.1-debian12-ecdsa",
    "nginx-1.22.1-debian12-http2",
    "openssh-8.0-rhel8",
    "openssh-8.1-windows",
    "openssh-8.7-rhel9",
];

#[test]
fn every_service_is_used_or_built_in() {
    let fleet = whole_catalogue();
    let used: BTreeSet<_> = fleet.services.iter().map(|s| s.name.split('@').next().unwrap()).collect();
    let all: BTreeSet<_> = names(Folder::Services).collect();
    assert_eq!(all.difference(&used).copied().collect::<Vec<_>>(), FOR_PORTS);
}

#[test]
fn every_device_can_be_fingerprinted() {
    for profile in &whole_catalogue().profiles {
        let answers = profile.tcp.default == Port::Closed || profile.tcp.ranges.iter().any(|r| r.2 != Port::Filtered);
        assert!(answers, "{} answers nothing", profile.name);
    }
}

#[test]
fn decoys_of_one_profile_differ_in_their_patch_levels() {
    let fleet = whole_catalogue();
    let openssh = fleet.services.iter().filter(|s| s.name.starts_with("openssh-9.2-debian12@")).count();
    assert!(openssh >= 4, "{openssh} revisions of OpenSSH among 80 hosts");
}

#[test]
fn no_banner_is_one_that_decoys_are_known_by() {
    for service in &whole_catalogue().services {
        let said = match &service.kind {
            ServiceKind::Banner(banner) => &banner.greeting,
            ServiceKind::Ssh(ssh) => &ssh.version,
            _ => continue,
        };
        let known = KNOWN_BANNERS.iter().find(|b| said.contains(**b));
        assert_eq!(known, None, "{}", service.name);
    }
}

#[test]
fn no_name_is_too_long_and_all_are_hosts() {
    for decoy in &whole_catalogue().decoys {
        let ok = decoy.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(ok && (1..=63).contains(&decoy.name.len()), "{}", decoy.name);
    }
}

#[test]
fn every_file_names_its_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    for kind in ["devices", "services"] {
        for file in fs::read_dir(folder.join(kind)).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let kinds = ["measured:", "code:", "rfc:", "vendor:", "published:", "fitted:"];
            let named = kinds.iter().any(|k| text.contains(&format!("\nsource = \"{k}")));
            assert!(named, "{}", path.display());
        }
    }
}

/// Whoever doubts a value must find it: a file of the published source, and the line in it.
#[test]
fn code_is_named_by_file_and_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/systems");
    let place = |word: &str| {
        let (file, line) = word.rsplit_once(':').unwrap_or_default();
        file.contains('.') && !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
    };
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let sources = text.lines().filter_map(|line| line.strip_prefix("source = "));
        let parts = sources.flat_map(|source| source.trim_matches('"').split("; "));
        for part in parts.filter(|part| part.starts_with("code:")) {
            let named = part.split([' ', ',', '(', ')']).any(place);
            assert!(named, "{} names no line: {part}", path.display());
        }
    }
}

/// `tier = "A"` claims that a recording or a test beside the real server proves it: the file names one that is there.
#[test]
fn tiers_are_said_by_the_file_itself_and_the_upper_one_names_its_proof() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut proved = 0;
    for entry in fs::read_dir(root.join("profiles/services")).unwrap() {
        let path = entry.unwrap().path();
        let file: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let text = |key: &str| file.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        match text("tier") {
            "A" => {
                let words = text("source").split([' ', ';', ',', '(', ')', ':']);
                let places: Vec<&str> = words.filter(|word| word.contains('/')).collect();
                assert!(places.iter().any(|place| root.join(place).exists()), "{}: {places:?}", path.display());
                proved += 1;
            }
            "B" => {}
            other => panic!("{} has the tier `{other}`", path.display()),
        }
    }
    assert!(proved >= 20, "{proved}");
}

#[test]
fn list_names_everything_and_show_shows_it() {
    let mut out = Vec::new();
    chaff_profiles::list(&mut out).unwrap();
    let listed = String::from_utf8(out).unwrap();
    for folder in [Folder::Devices, Folder::Systems, Folder::Services] {
        for name in names(folder) {
            assert!(listed.contains(&format!("  {name} ")), "{name}");
            let mut shown = Vec::new();
            chaff_profiles::show(name, &mut shown).unwrap();
            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.contains("from "), "{name} shows no source:\n{shown}");
        }
    }
    let wrong = chaff_profiles::show("linux-6.y", &mut Vec::new()).unwrap_err();
    assert!(wrong.to_string().contains("did you mean `linux-6.x`"), "{wrong}");
}

#[test]
fn show_names_the_source_of_each_group() {
    let mut out = Vec::new();
    chaff_profiles::show("linux-6.x", &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    let groups = shown.lines().filter(|l| !l.is_empty() && !l.starts_with(' ') && !l.contains([' ', '='])).count();
    let sources = shown.lines().filter(|l| l.starts_with("  from ")).count();
    assert!(groups >= 10 && groups == sources, "{groups} groups, {sources} sources:\n{shown}");
}
