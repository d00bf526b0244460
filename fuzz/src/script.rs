//! A conversation driven by octets: what the client says, when it ends, when time passes, and how much room there is.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, LazyLock},
};

use chaff_services::{Account, Around, Context, Identity, Opening, Output, ServiceSpec, Shared, answer, open};
use chaff_wire::Mac;

const SECOND: u64 = 1_000_000_000;
/// Octets that a conversation may hold for a client that reads nothing: the limit of what it queues and one answer.
const MAX_HELD: usize = 300_000;
/// Outputs after which a conversation is said never to come to rest.
const MAX_OUTPUTS: usize = 10_000;

/// Planted accounts: a fuzzer that finds one gets further.
static ACCOUNTS: LazyLock<Arc<[Account]>> =
    LazyLock::new(|| [Account { user: "a".into(), password: "a".into() }].into());

/// The decoy that all of this happens on.
pub fn opening() -> Opening<'static> {
    Opening {
        identity: Identity {
            hostname: "nav-1",
            ip: IpAddr::V4(Ipv4Addr::new(10, 20, 1, 16)),
            mac: Mac([0, 0x50, 0x56, 0x9a, 0x10, 7]),
            seed: [7; 16],
            serial: None,
        },
        now: SECOND,
        utc: 1_795_399_800 * SECOND,
        chance: [99; 32],
        accounts: &ACCOUNTS,
        around: Around::default(),
    }
}

/// Reads `octets` as steps and checks the contract of a conversation at each. A step is one octet, its two low bits say
/// what: octets from the client (as many as the other bits say, or all that is left for 63), a wake-up after as many
/// seconds, polls with 64 octets of room for each, or the client's end.
pub fn run_script(spec: &ServiceSpec, octets: &[u8]) {
    if let Some(said) = answer(spec, &opening(), octets) {
        assert!(said.len() <= MAX_HELD);
    }
    let mut talk = open(spec, &opening());
    let (mut now, mut ended, mut closed) = (SECOND, false, false);
    let (mut rest, mut shared) = (octets, Shared::default());
    if spec.name == "http2" {
        talk.handle_protocol(&mut Context { now, shared: &mut shared }, b"h2");
    }
    while let Some((&step, after)) = rest.split_first() {
        rest = after;
        let cx = &mut Context { now, shared: &mut shared };
        let amount = usize::from(step >> 2);
        match step & 3 {
            0 => {
                let length = if amount == 63 { rest.len() } else { amount.min(rest.len()) };
                let (said, after) = rest.split_at(length);
                rest = after;
                if !ended {
                    assert!(talk.handle_octets(cx, said) <= said.len());
                }
            }
            1 => {
                now += u64::from(step >> 2) * SECOND;
                cx.now = now;
                talk.handle_wake(cx);
            }
            2 => drain(&mut |room| talk.poll(cx, room), amount * 64, 4, &mut closed),
            _ => {
                ended = true;
                talk.handle_end(cx);
            }
        }
    }
    let cx = &mut Context { now, shared: &mut shared };
    drain(&mut |room| talk.poll(cx, room), 1460, MAX_OUTPUTS, &mut closed);
    assert!(talk.poll(cx, 1460).is_none(), "never at rest");
    assert!(!ended || closed || matches!(spec.name.as_str(), "banner" | "script"), "the client's end was not answered");
}

fn drain(poll: &mut dyn FnMut(usize) -> Option<Output>, room: usize, most: usize, closed: &mut bool) {
    let mut held = 0;
    for _ in 0..most {
        let Some(output) = poll(room) else { return };
        assert!(!*closed, "{output:?} after the end");
        match output {
            Output::Send(octets) => {
                assert!(!octets.is_empty() && octets.len() <= room);
                held += octets.len();
                assert!(held <= MAX_HELD, "{held} octets held");
            }
            Output::Close | Output::Reset => *closed = true,
            Output::Finish | Output::Observe(..) | Output::Wake(_) => {}
        }
    }
}
