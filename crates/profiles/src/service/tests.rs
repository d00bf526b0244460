use chaff_config::{Diagnostics, SourceFile};

use super::*;
use crate::loader::parse;

/// What is said of a file, of the catalogue or of the user.
fn said(text: &str, is_shipped: bool) -> String {
    let source = SourceFile::new("own.toml", text);
    let (entries, head) = parse(&source).unwrap();
    let document = Document { source: &source, stem: "own".into(), head, entries, is_shipped };
    let problems = Service::from_document(document).err().unwrap_or_default();
    Diagnostics::unless_empty(problems).err().map_or_else(String::new, |mistakes| mistakes.to_string())
}

#[test]
fn the_catalogue_says_how_far_a_product_is_proved_and_users_may() {
    assert_eq!(said("kind = \"echo\"", false), "", "nothing is claimed, so nothing has to be proved");
    assert_eq!(said("kind = \"echo\"\ntier = \"B\"", true), "");
    let lacking = said("kind = \"echo\"", true);
    assert!(lacking.contains("the service has no `tier`") && lacking.contains("a recording proves it"), "{lacking}");
    for is_shipped in [false, true] {
        let wrong = said("kind = \"echo\"\ntier = \"C\"", is_shipped);
        assert!(wrong.contains("no such tier") && wrong.contains("documents say so"), "{wrong}");
    }
}
