//! Our servers and the recordings of the real ones: the same octets for the same requests.

mod table;

use std::{net::IpAddr, sync::Arc};

use chaff_services::{Account, Around, Context, Conversation, Identity, Opening, Output, ServiceSpec, Shared, open};
use chaff_wire::Mac;
use table::{Answer, End, Step, kind, recorded, rows, set_up, show, steps};

const SECOND: u64 = 1_000_000_000;
/// 2026-11-27T02:30:00Z, when the recordings were made.
const UTC: u64 = 1_795_746_600 * SECOND;

/// Puts steps to a conversation, without a network.
fn talk(spec: &ServiceSpec, steps: &[Step]) -> Answer {
    let accounts: Arc<[Account]> = [].into();
    let identity =
        Identity { hostname: "decoy", ip: IpAddr::from([127, 0, 0, 1]), mac: Mac([0; 6]), seed: [1; 16], serial: None };
    let opening =
        Opening { identity, now: 0, utc: UTC, chance: [3; 32], accounts: &accounts, around: Around::default() };
    let mut talk = open(spec, &opening);
    let mut answer = Answer::default();
    for step in steps {
        match step {
            Step::Say(octets) => {
                let mut rest = &octets[..];
                while !rest.is_empty() {
                    let taken = talk.handle_octets(&mut Context { now: SECOND, shared: &mut Shared::default() }, rest);
                    rest = &rest[taken..];
                    if !drain(&mut *talk, &mut answer) && taken == 0 {
                        break;
                    }
                }
            }
            Step::Pause => {}
            Step::Fin => talk.handle_end(&mut Context { now: SECOND, shared: &mut Shared::default() }),
        }
        drain(&mut *talk, &mut answer);
    }
    answer
}

fn drain(talk: &mut dyn Conversation, answer: &mut Answer) -> bool {
    let mut any = false;
    while let Some(output) = talk.poll(&mut Context { now: SECOND, shared: &mut Shared::default() }, 65_536) {
        any = true;
        match output {
            Output::Send(octets) => answer.octets.extend(octets),
            Output::Finish | Output::Close => answer.end = End::Fin,
            Output::Reset => answer.end = End::Rst,
            Output::Observe(..) | Output::Wake(_) => {}
        }
    }
    any
}

/// Rows in which ours answers otherwise than the recorded server, with the reason, one a line: `row: reason`.
fn known_differences(name: &str) -> Vec<String> {
    let path = table::root().join("recordings/http").join(name).join("differences.txt");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    rows.map(|(row, _)| row.to_owned()).collect()
}

fn compare(name: &str) {
    let (port, answers) = recorded(name);
    let spec = set_up(name, port);
    let page = spec.pages[0].body.clone().into_bytes();
    let spec = ServiceSpec { name: name.into(), kind: kind(spec), tls: None };
    let head = show(&talk(&spec, &[Step::Say(b"HEAD / HTTP/1.0\r\n\r\n".to_vec())]), b"");
    let of = |field: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_end_matches("\\r\\n").to_owned()
    };
    let (etag, modified) = (of("ETag: "), of("Last-Modified: "));
    let (mut wrong, mut told) = (Vec::new(), String::new());
    for (row, text) in rows() {
        let ours = show(&talk(&spec, &steps(&text, &etag, &modified)), &page);
        // lighttpd's tag is a number that depends on the inode.
        let ours = if answers["get"].contains("{etag}") { table::without_tags(&ours) } else { ours };
        let recorded = table::shown_again(&answers[&row], &page);
        if ours != recorded {
            told += &format!("== {row}\n--- recorded\n{recorded}--- ours\n{ours}");
            wrong.push(row);
        }
    }
    assert_eq!(wrong, known_differences(name), "{told}");
}

#[test]
fn nginx_1_22_answers_as_recorded() {
    compare("nginx-1.22.1-debian12");
}

#[test]
fn nginx_1_18_answers_as_recorded() {
    compare("nginx-1.18.0-debian11");
}

#[test]
fn nginx_1_26_answers_as_recorded() {
    compare("nginx-1.26.3-debian13");
}

#[test]
fn lighttpd_1_4_answers_as_recorded() {
    compare("lighttpd-1.4.69-debian12");
}

#[test]
fn apache_2_4_answers_as_recorded() {
    compare("apache-2.4.71-debian12");
}
