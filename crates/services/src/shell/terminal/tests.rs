use alloc::vec::Vec;

use super::*;

fn typed(octets: &[u8], hidden: bool) -> (Vec<Typed>, Vec<u8>) {
    let mut terminal = Terminal::default();
    let mut echo = Vec::new();
    let lines = octets.iter().filter_map(|octet| terminal.handle_octet(*octet, hidden, &mut echo)).collect();
    (lines, echo)
}

#[test]
fn lines_are_edited_and_echoed() {
    assert_eq!(typed(b"lx\x7fs\r", false), ([Typed::Line(b"ls".to_vec())].into(), b"lx\x08 \x08s\r\n".to_vec()));
    assert_eq!(typed(b"a\r\nb\n", false).0, [Typed::Line(b"a".to_vec()), Typed::Line(b"b".to_vec())]);
    assert_eq!(typed(b"abc\x15d\r", false).0, [Typed::Line(b"d".to_vec())]);
    assert_eq!(typed(b"ab\x03\x04", false), ([Typed::Interrupt, Typed::End].into(), b"ab^C\r\n".to_vec()));
    assert_eq!(typed(b"\x1b[A\x1bOBx\r", false).0, [Typed::Line(b"x".to_vec())]);
    assert_eq!(typed("ä\x7fb\r".as_bytes(), false).0, [Typed::Line(b"b".to_vec())]);
}

#[test]
fn secrets_are_not_echoed() {
    assert_eq!(typed(b"secret\x7f\r", true), ([Typed::Line(b"secre".to_vec())].into(), b"\r\n".to_vec()));
}

#[test]
fn a_line_has_an_end() {
    let (lines, echo) = typed(&[b'x'; MAX_LINE + 100], false);
    assert!(lines.is_empty());
    assert_eq!(echo.len(), MAX_LINE + 100);
    assert_eq!(echo.iter().filter(|o| **o == 7).count(), 100);
}

#[test]
fn output_for_a_terminal() {
    assert_eq!(cooked(b"a\nb\n"), b"a\r\nb\r\n");
}
