//! Feeds the engine frames and nothing else: for callgrind, which counts instructions, and for a clock.
//! `engine_load KIND DECOYS FRAMES`; KIND is `syn`, `closed`, `echo` or `arp`.

use std::time::Instant;

use chaff_testkit::{
    fixture::{self, CLOSED, HOST, OPEN, decoy_ip, decoy_mac},
    load::{self, Kind, Target},
    neighbour,
    rig::{START, START_UTC},
};
/// Different frames at most; after so many they come round.
const DISTINCT: u64 = 1 << 19;
/// Time between two frames: half a million a second.
const GAP: u64 = 2_000;
/// Who sends.
const SENDER: Target = Target { mac: HOST.0, ip: HOST.1 };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, decoys, frames] = words.as_slice() else {
        eprintln!("usage: engine_load syn|closed|echo|arp DECOYS FRAMES");
        std::process::exit(2);
    };
    let decoys: u32 = decoys.parse().expect("DECOYS is a number");
    let frames: u64 = frames.parse().expect("FRAMES is a number");
    let mut engine = chaff_engine::Engine::new(fixture::fleet(decoys), [7; 32], START, START_UTC);
    let models = models(kind, decoys, frames.min(DISTINCT));
    // Whoever sends to a host has asked for it before, and is known to it from then on.
    if kind != "arp" {
        for target in targets(decoys, frames.min(DISTINCT)) {
            engine.handle_frame(START, 0, &neighbour::question(HOST, target.ip));
            drain(&mut engine, START);
        }
    }
    let begun = Instant::now();
    let sent = drive(&mut engine, &models, frames);
    let each = begun.elapsed().as_secs_f64() * 1e9 / frames.max(1) as f64;
    println!("{kind} {decoys} decoys: {frames} frames, {sent} sent, {each:.0} ns a frame");
}

/// The part that is measured: callgrind finds it by its name.
#[inline(never)]
fn drive(engine: &mut chaff_engine::Engine, models: &[Vec<u8>], frames: u64) -> u64 {
    let (mut now, mut sent) = (START, 0);
    for frame in models.iter().cycle().take(usize::try_from(frames).unwrap_or(0)) {
        now += GAP;
        engine.handle_frame(now, 0, frame);
        sent += drain(engine, now);
    }
    sent
}

/// Takes everything the engine gives out, as the sensor does.
fn drain(engine: &mut chaff_engine::Engine, now: u64) -> u64 {
    let mut sent = 0;
    let mut wake = None;
    while let Some(output) = engine.poll() {
        match output {
            chaff_engine::Output::Transmit { .. } => sent += 1,
            chaff_engine::Output::Observe(_) => {}
            chaff_engine::Output::Wake(at) => wake = Some(at),
        }
    }
    if wake.is_some_and(|at| at <= now) {
        engine.handle_wake(now);
        sent += drain(engine, now);
    }
    sent
}

/// As many as there are decoys: one round of the load visits each, the next comes from another port. Spread over the whole
/// fleet, so that every frame meets a decoy that the caches do not hold.
fn targets(decoys: u32, distinct: u64) -> Vec<Target> {
    let chosen = |n: u64| u32::try_from(n * 2_654_435_761 % u64::from(decoys)).unwrap_or(0);
    let target = |n| Target { mac: decoy_mac(chosen(n)), ip: decoy_ip(chosen(n)) };
    (0..distinct.min(u64::from(decoys))).map(target).collect()
}

fn models(kind: &str, decoys: u32, distinct: u64) -> Vec<Vec<u8>> {
    let targets = targets(decoys, distinct);
    let count = usize::try_from(distinct).unwrap_or(0);
    match kind {
        "syn" => load::frames(Kind::Syn, SENDER, &targets, OPEN, count, 1),
        "closed" => load::frames(Kind::Syn, SENDER, &targets, CLOSED, count, 1),
        "echo" => load::frames(Kind::Echo, SENDER, &targets, 0, count, 1),
        "arp" => targets.iter().map(|target| neighbour::question(HOST, target.ip)).collect(),
        _ => Vec::new(),
    }
}
