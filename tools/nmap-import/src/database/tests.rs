use super::*;

const MADE_UP: &str = "\
# A comment
MatchPoints
SEQ(SP=1%GCD=2)

Fingerprint Made-up 1.0
Class Nobody | made-up | 1.X | general purpose
CPE cpe:/o:nobody:made-up:1
SEQ(SP=1-2%TI=I|RD)
T1(R=Y%DF=Y%S=O%Q=)
IE(R=N)
";

#[test]
fn entries_and_their_places() {
    let entries = parse(MADE_UP).unwrap();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.line, entry.name.as_str()), (5, "Made-up 1.0"));
    assert_eq!(entry.get("SEQ", "TI"), Some("I|RD"));
    assert_eq!(entry.get("T1", "Q"), Some(""));
    assert!(entry.silent("IE") && !entry.silent("T1"));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let wrong = |text: &str| parse(&format!("{MADE_UP}{text}\n")).unwrap_err();
    assert_eq!(wrong("T9(R=Y)").0, 11);
    assert!(wrong("T2(R=Y").1.contains("expected a test"));
    assert!(wrong("T2(R)").1.contains("expected `NAME=VALUE` in T2"));
    assert!(wrong("IE(R=Y)").1.contains("twice"));
    assert!(parse("root:x:0:0").unwrap_err().1.contains("is this nmap-os-db?"));
}

#[test]
fn wrapped_output_of_nmap_is_joined() {
    let said = "noise\nOS:SCAN(V=7.93%E=4)SEQ(SP=FB%GC\nOS:D=1%ISR=FF)T1(R=Y%DF=Y%T=40)T1(R=N)\nnoise (of)\n";
    let entry = raw(said, "mine").unwrap();
    assert_eq!(entry.get("SEQ", "GCD"), Some("1"));
    assert_eq!(entry.get("T1", "T"), Some("40"));
    assert!(raw("nothing", "mine").is_err());
}
