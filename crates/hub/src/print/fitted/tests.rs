use super::*;

const COLUMNS: [Fitted; 3] = [
    Fitted { head: "WHO", least: 4, most: 8, is_number: false, goes: 0 },
    Fitted { head: "TIMES", least: 5, most: 5, is_number: true, goes: 0 },
    Fitted { head: "WHERE", least: 6, most: 12, is_number: false, goes: 1 },
];

fn shown(rows: &[[&str; 3]], terminal: Option<usize>) -> String {
    let rows: Vec<[String; 3]> = rows.iter().map(|row| row.map(str::to_owned)).collect();
    let mut layout = Layout::new(&COLUMNS);
    rows.iter().for_each(|row| layout.measure(row));
    if let Some(terminal) = terminal {
        layout.shrink_to(terminal);
    }
    let mut out = Vec::new();
    layout.head(&mut out).unwrap();
    rows.iter().for_each(|row| layout.row(row, &mut out).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn columns_are_as_wide_as_their_cells_and_no_wider_than_their_limit() {
    assert_eq!(shown(&[["a", "1", "b"]], None), "WHO  TIMES  WHERE\na        1  b\n");
    let long = "x".repeat(16_384);
    assert_eq!(
        shown(&[["root", "17", &long], [&long, "1", "b"]], None),
        "WHO       TIMES  WHERE\nroot         17  xxxxxxxxxxx…\nxxxxxxx…      1  b\n"
    );
}

#[test]
fn a_narrow_terminal_takes_from_who_can_spare_most_then_whole_columns() {
    let rows = [["administrator", "1", "in the cellar"]];
    assert_eq!(shown(&rows, Some(29)), "WHO       TIMES  WHERE\nadminis…      1  in the cell…\n");
    assert_eq!(shown(&rows, Some(23)), "WHO     TIMES  WHERE\nadmin…      1  in the…\n".replace("in the…", "in the …"));
    assert_eq!(shown(&rows, Some(18)), "WHO       TIMES\nadminis…      1\n");
    assert_eq!(shown(&rows, Some(3)), "WHO   TIMES\nadm…      1\n", "less than the least it cannot be");
}

#[test]
fn wide_characters_take_two_columns_and_unseen_ones_are_written_out() {
    assert_eq!(fit("密碼密碼", 8), ("密碼密碼".into(), 8));
    assert_eq!(fit("密碼密碼", 7), ("密碼密…".into(), 7));
    assert_eq!(fit("密碼密碼", 6), ("密碼…".into(), 5), "half a character is none");
    assert_eq!(fit("a\u{200b}b", 12), ("a\\u{200b}b".into(), 10));
    assert_eq!(fit("e\u{301}", 12), ("e\\u{301}".into(), 8));
    assert_eq!(fit("\u{1b}[2J\\xff", 12), ("\\x1b[2J\\xff".into(), 11));
    assert_eq!(fit("abcd\u{1b}", 7), ("abcd…".into(), 5), "an escape is cut off whole");
}
