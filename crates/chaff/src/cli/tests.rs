use clap::CommandFactory;

use super::*;

fn failure(line: &[&str]) -> String {
    let cli = Cli::try_parse_from(line).expect("a command line");
    match dispatch(cli.command, Instant::now()) {
        Err(Failure::Usage(text)) => text,
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_fixed_and_not_built_is_refused_by_name() {
    for name in ["plan", "learn", "sensor", "hub", "user"] {
        assert_eq!(failure(&["chaff", name]), format!("`chaff {name}` is not in this version"));
        assert_eq!(failure(&["chaff", name, "add", "--x", "y"]), format!("`chaff {name}` is not in this version"));
    }
    assert_eq!(failure(&["chaff", "run", "--console", "1.2.3.4:1"]), "`--console` is not in this version");
    assert_eq!(failure(&["chaff", "lab", "--console", "1.2.3.4:1"]), "`--console` is not in this version");
}

#[test]
fn bad_usage_is_an_error_of_clap() {
    for line in [&["chaff"][..], &["chaff", "runn"], &["chaff", "run", "--decoys"], &["chaff", "lab", "--decoys", "0"]]
    {
        let error = Cli::try_parse_from(line).expect_err("refused");
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
}
