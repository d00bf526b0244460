use alloc::vec;

use proptest::prelude::*;

use super::*;

fn text(text: &str, quoted: bool) -> Piece {
    Piece::Text { text: text.as_bytes().to_vec(), quoted }
}

fn simple(command: &Command) -> &[Word] {
    let Body::Simple(words) = &command.body else { panic!("{command:?}") };
    words
}

#[test]
fn steps_and_words() {
    let steps = parse(b"a 'b c'\"$d\" && e | f > g &", true).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(
        simple(&steps[0].pipeline[0]),
        [
            vec![text("a", false)],
            vec![text("b c", true), text("", true), Piece::Variable { name: "d".into(), quoted: true }]
        ]
    );
    assert_eq!((steps[1].when, steps[1].background, steps[1].pipeline.len()), (When::Success, true, 2));
    assert_eq!(
        steps[1].pipeline[1].redirections,
        [Redirection::Output { target: vec![text("g", false)], append: false, from: Channel::Output }]
    );
}

#[test]
fn faults() {
    let unexpected = |sign: &str| Fault::Unexpected(sign.into());
    for (line, fault) in [
        ("a &&", Fault::Ends("")),
        ("| a", unexpected("|")),
        ("a ;;", unexpected(";;")),
        ("; a", unexpected(";")),
        ("a >", unexpected("newline")),
        ("a |", Fault::Ends("")),
        ("a (b)", unexpected("(")),
        ("(a", Fault::Ends(")")),
        ("a )", unexpected(")")),
        ("fi", unexpected("fi")),
        ("if a; fi", unexpected("fi")),
        ("while a; do done", unexpected("done")),
        ("for a in b; echo", unexpected("echo")),
        ("for a in b; do c", Fault::Ends("done")),
        ("if a", Fault::Ends("then")),
        ("a \"b", Fault::Open('"')),
        ("a $(b", Fault::Open(')')),
    ] {
        assert_eq!(parse(line.as_bytes(), true), Err(fault), "{line}");
    }
}

proptest! {
    #[test]
    fn any_octets(line in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&line, true);
    }

    #[test]
    fn any_signs(line in "[ab$`'\"()<>|&;{}\\\\ 12]{0,60}") {
        let _ = parse(line.as_bytes(), false);
    }
}
