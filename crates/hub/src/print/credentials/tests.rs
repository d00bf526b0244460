use chaff_events::Observation;

use crate::print::{
    PrintOptions, credentials,
    tests::{JSON, TABLE, hub, observe, shown},
};

use super::*;

/// One attempt of each kind that there is.
fn attempts() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = hub(dir.path());
    let mut number = 0;
    let mut attempt = |service: &str, username: &[u8], kind: &str, secret: &[u8], client: &str, accepted: bool| {
        number += 1;
        observe(&mut hub, number, |login: &mut Observation| {
            login.kind = chaff_events::Kind::Credential;
            login.port = 22;
            login.service = service.into();
            login.tool = None;
            login.detail = Detail::Credential {
                username: username.to_vec(),
                secret_kind: kind.into(),
                secret: secret.to_vec(),
                client: client.as_bytes().to_vec(),
                accepted,
            };
        });
    };
    let debian = "openssh-9.2-debian12@deb12u6";
    let client = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6";
    attempt(debian, b"root", "password", b"123456", client, false);
    attempt(debian, b"root", "password", b"123456", client, false);
    attempt(debian, b"backup", "password", b"Winter2019!", client, true);
    attempt("nginx-1.22.1-debian12-http2", b"admin", "basic", b"admin", "curl/8.14.1", false);
    attempt(debian, &[b'A'; 16_384], "password", &[b'B'; 16_384], "SSH-2.0-libssh2_1.11.0", false);
    attempt(debian, b"caf\xe9", "password", b"\x00\xff\x1b[2J", "SSH-2.0-Go", false);
    attempt("cisco-telnet", "密碼".as_bytes(), "password", "пароль".as_bytes(), "", false);
    attempt(debian, b"git", "none", b"", client, false);
    dir
}

fn table_at(dir: &tempfile::TempDir, terminal: Option<usize>) -> String {
    shown(|out| credentials(dir.path(), &PrintOptions { terminal, ..TABLE }, out))
}

/// The table as `tests/NAME.txt` has it; UPDATE_GOLDENS=1 writes that anew.
fn assert_golden(name: &str, table: &str) {
    let path = format!("{}/src/print/credentials/tests/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn rows_line_up_and_no_cell_is_longer_than_its_column() {
    let dir = attempts();
    assert_golden("no-terminal", &table_at(&dir, None));
    assert_golden("200-columns", &table_at(&dir, Some(200)));
}

#[test]
fn a_narrow_terminal_shows_what_it_has_room_for() {
    let dir = attempts();
    for (terminal, golden) in [(120, "120-columns"), (80, "80-columns")] {
        let table = table_at(&dir, Some(terminal));
        assert_golden(golden, &table);
        let wide = |char| unicode_width::UnicodeWidthChar::width(char).unwrap();
        assert!(table.lines().all(|line| line.chars().map(wide).sum::<usize>() <= terminal), "{table}");
    }
}

#[test]
fn json_has_all_that_a_table_cuts_off() {
    let json = shown(|out| credentials(attempts().path(), &JSON, out));
    assert!(json.contains(&format!("\"secret\":\"{}\"", "B".repeat(16_384))), "all of a long secret");
    assert!(json.contains(r#""username":"caf\\xe9""#), "{json}");
}
