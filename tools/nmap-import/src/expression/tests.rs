use super::*;

// The expressions below are made up for these tests; none is of a database.

#[test]
fn alternatives_ranges_and_bounds() {
    for way in [strict, quirky] {
        assert!(way("A|B", "A") && way("A|B", "B") && !way("A|B", "C"));
        assert!(way("10-20", "18") && !way("10-20", "21") && !way("10-20", "F"));
        assert!(way("<7", "6") && !way("<7", "7") && way(">7", "8") && !way(">7", "7"));
    }
}

#[test]
fn quirks_of_the_older_way() {
    assert!(quirky("AB|C", "ABX") && !strict("AB|C", "ABX"));
    assert!(!quirky("77|80-90", "77") && strict("77|80-90", "77"));
    assert!(quirky("|Z9", "whatever") && !strict("|Z9", "whatever"));
    assert!(quirky("0-3", "") && !strict("0-3", ""));
}

#[test]
fn ranges_inside_of_strings() {
    assert!(strict("M[>500]NW[1-5]", "M5B4NW3"));
    assert!(!strict("M[>500]NW[1-5]", "M400NW3") && !strict("M[>500]NW[1-5]", "M5B4NW6"));
    assert!(strict("X|M[1|2]S", "M2S") && !strict("X|M[1|2]S", "M3S"));
}

#[test]
fn candidates_are_accepted_by_both() {
    assert_eq!(candidates("77|80-90"), ["88", "80", "90"]);
    assert_eq!(candidates("M[600-602]L"), ["M601L", "M600L", "M602L"]);
    assert_eq!(candidates("|U"), ["", "U"]);
    assert!(candidates("AB|ABC").contains(&"ABC".into()));
    assert_eq!(numbers("3-5|9", 20), [3, 4, 5, 9]);
}
