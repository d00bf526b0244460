//! What a worker says to the hub: in wrong hands it says anything. The hub takes it or leaves it, stores what it takes,
//! goes on serving the other worker, starts again on what it has stored, and prints nothing that a terminal obeys.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use chaff_events::{
    DecoyId, Detail, EventId, Kind, Mac, Observation, RosterDecoy, RosterNetwork, Source, Transport, UtcNanos, VERSION,
    message::{FromHub, ToHub},
};
use chaff_hub::{
    HubNetwork, HubSpec, Ingest, json,
    print::{self, PrintOptions},
};

const START: UtcNanos = UtcNanos(1_800_000_000_000_000_000);
const SECOND: u64 = 1_000_000_000;
/// The worker in wrong hands, and the one beside it.
const TAKEN: usize = 0;
const HONEST: usize = 1;
/// Decoys of each.
const DECOYS: u8 = 8;

/// The state directory: in memory where that is to be had, for each commit waits for the disk.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    parent.join(format!("chaff-fuzz-hub-{}", std::process::id()))
});

/// Reads `octets` as steps of the worker in wrong hands. A step is two octets and what follows: what is done, and the length
/// of a datagram (all that is left for 255).
pub fn check_hub(octets: &[u8]) {
    let _ = fs::remove_dir_all(&*FOLDER);
    let mut hub = Hub { ingest: start(), now: START };
    hub.greet(HONEST);
    let mut rest = octets;
    while let Some((&[kind, long], behind)) = rest.split_first_chunk() {
        let long = if long == u8::MAX { behind.len() } else { usize::from(long).min(behind.len()) };
        let (datagram, behind) = behind.split_at(long);
        match kind & 3 {
            0 => hub.greet(TAKEN),
            1 => hub.wait(u64::from(kind >> 2) * SECOND),
            _ => hub.hear(TAKEN, datagram),
        }
        rest = behind;
    }
    hub.serves_the_other();
    drop(hub);
    prints();
    let mut hub = Hub { ingest: start(), now: START };
    hub.greet(HONEST);
    hub.serves_the_other();
    drop(hub);
    let _ = fs::remove_dir_all(&*FOLDER);
}

fn start() -> Ingest {
    let networks = vec![HubNetwork { name: "office".into(), gateway: Some(Ipv4Addr::new(10, 20, 0, 1).into()) }];
    let spec = HubSpec { state_dir: FOLDER.clone(), sensor: "lab".into(), networks, allow: vec![], notify: vec![] };
    Ingest::start(&spec, 2, START).expect("a hub starts on what it has stored")
}

struct Hub {
    ingest: Ingest,
    now: UtcNanos,
}

impl Hub {
    fn hear(&mut self, worker: usize, datagram: &[u8]) {
        self.ingest.handle_datagram(self.now, worker, datagram).expect("the store takes whatever is taken");
        self.tell();
    }

    fn say(&mut self, worker: usize, message: &ToHub) {
        self.hear(worker, &postcard::to_stdvec(message).expect("it can be written"));
    }

    /// A roster as it should be.
    fn greet(&mut self, worker: usize) {
        self.say(
            worker,
            &ToHub::RosterBegin {
                version: VERSION,
                sensor: "lab".into(),
                networks: vec![RosterNetwork { name: "office".into() }],
                profiles: vec!["switch".into()],
                decoys: u32::from(DECOYS),
            },
        );
        let third = u8::try_from(worker).expect("one of two");
        let decoy = |n: u8| RosterDecoy {
            name: format!("FS-{n:02}"),
            ip: Ipv4Addr::new(10, 20, third, n).into(),
            mac: Mac([0, 0x50, 0x56, 0, third, n]),
            profile: 0,
            network: 0,
        };
        self.say(worker, &ToHub::RosterPart { first: 0, decoys: (0..DECOYS).map(decoy).collect() });
    }

    fn wait(&mut self, time: u64) {
        self.now.0 += time;
        self.ingest.handle_wake(self.now).expect("the store takes it");
        self.ingest.handle_idle(self.now).expect("the store takes it");
        self.tell();
    }

    /// What people hear is an object a line.
    fn tell(&mut self) {
        for notice in self.ingest.poll_notices() {
            let line = json::notice(notice.change, &notice.incident).expect("it can be written");
            is_an_object(&line);
            self.ingest.handle_told(notice.incident.id, notice.incident.severity);
        }
    }

    /// An observation of the other worker is stored and acknowledged.
    fn serves_the_other(&mut self) {
        let number = self.now.0;
        let observation = Observation {
            id: EventId(u128::from(number)),
            time: self.now,
            decoy: DecoyId(1),
            source: Source { ip: IpAddr::from([10, 20, 3, 9]), mac: Mac([2, 0, 0, 0, 0, 1]), port: 0 },
            kind: Kind::TcpSyn,
            transport: Transport::Tcp,
            port: 22,
            service: String::new(),
            tool: None,
            count: 1,
            ports: vec![],
            detail: Detail::None,
        };
        self.say(HONEST, &ToHub::Observations { first: number, observations: vec![observation] });
        self.ingest.commit(self.now).expect("the store takes it");
        self.tell();
        assert_eq!(self.ingest.acknowledgement(HONEST), Some(FromHub::Acknowledge { up_to: number }));
    }
}

/// All that `chaff events`, `incidents` and `credentials` show, for programs and for people.
fn prints() {
    for json in [true, false] {
        let options = PrintOptions { json, ..PrintOptions::default() };
        let mut out = Vec::new();
        print::events(&FOLDER, &options, &mut out).expect("what was stored can be printed");
        print::incidents(&FOLDER, &options, &mut out).expect("what was stored can be printed");
        print::credentials(&FOLDER, &options, &mut out).expect("what was stored can be printed");
        let text = String::from_utf8(out).expect("UTF-8");
        let obeyed = text.chars().find(|&c| c.is_control() && c != '\n');
        assert_eq!(obeyed, None, "a terminal obeys it: {text:?}");
        if json {
            text.lines().for_each(is_an_object);
        }
    }
}

fn is_an_object(line: &str) {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(value.is_object(), "{line}");
}
