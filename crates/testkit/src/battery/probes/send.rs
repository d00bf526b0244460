//! What a host does with data of its own: bursts, windows, loss, and its timers.

use super::{
    data::{FULL, PLAIN, ack, push},
    probes,
};
use crate::battery::{flow::Seg, packet::options, port, station::Station};

probes! {
    "send: the first burst" => burst,
    "send: the first burst, plain" => burst_plain,
    "send: segments by the client's size" => sized,
    "send: growth of the congestion window" => growth,
    "send: windows of a few octets" => narrow,
    "send: a closed window" => closed_window,
    "send: a window that closes and opens" => reopened,
    "send: small answers while one is on its way" => nagle,
    "send: three duplicate acknowledgments" => duplicates,
    "send: selective acknowledgments" => selective,
    "send: data again and again" => retransmission,
    "send: data again and again, plain" => retransmission_plain,
    "send: data again, then an acknowledgment" => recovered,
    "send: SYN-ACK again and again" => syn_ack,
    "send: SYN-ACK again and again, plain" => syn_ack_plain,
    "send: SYN-ACK, stopped by RST" => syn_ack_reset,
    "send: SYN-ACK, after a SYN that came again" => syn_ack_again,
    "send: an idle connection" => idle,
}

fn first_burst(station: &mut Station, words: &str) {
    station.meet();
    let flow = station.connect(port::SAYER, words);
    station.listen(1700);
    station.abort(flow, 1);
}

fn burst(station: &mut Station) {
    first_burst(station, FULL);
}

fn burst_plain(station: &mut Station) {
    first_burst(station, PLAIN);
}

fn sized(station: &mut Station) {
    station.meet();
    for words in ["", "mss=536", "mss=100,sok,ts=1000:0,nop,ws=7", "mss=40", "mss=9000", "mss=1400,nop,nop,sok"] {
        station.hides_push = words.starts_with("mss=100") || words == "mss=40";
        station.note(format!("<{words}>"));
        let flow = station.connect(port::SAYER, words);
        station.listen(60);
        station.abort(flow, 1);
    }
}

fn growth(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::SAYER, "mss=500,sok,ts=1000:0,nop,ws=7");
    station.listen(40);
    let mut acked = 1;
    for step in [1, 1, 2, 2] {
        acked += step * 488;
        station.note(format!("acknowledged up to {acked}"));
        station.tcp(flow, &ack(1, acked));
        station.listen(40);
    }
    station.abort(flow, 1);
}

fn narrow(station: &mut Station) {
    station.meet();
    station.hides_push = true;
    for window in [40, 100, 300] {
        station.note(format!("window {window}"));
        let flow = station.connect_with(port::SAYER, "mss=1460,sok,ts=1000:0", window);
        station.listen(50);
        let acked = 1 + i64::from(window);
        for n in 0..3 {
            station.tcp(flow, &Seg { window, ..ack(1, acked + n * i64::from(window)) });
            station.listen(50);
        }
        station.abort(flow, 1);
    }
}

fn closed_window(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.tcp(flow, &Seg { window: 0, ..push(b"hello", 1, 1) });
    for _ in 0..7 {
        // Each probe is answered: the window stays closed.
        let Some((at, text)) = station.heard(std::time::Duration::from_secs(9)) else { break };
        let probe = !text.contains("ack=ours+6 ") || text.contains("seq=theirs+0 ") || text.contains("data=");
        station.write(at, text);
        if probe {
            station.tcp(flow, &Seg { window: 0, ..ack(6, 1) });
        }
    }
    station.note("the window opens");
    station.tcp(flow, &ack(6, 1));
    station.listen(60);
    station.abort(flow, 6);
}

fn reopened(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::SAYER, FULL);
    station.ignore(60);
    station.note("all acknowledged, window closed");
    station.tcp(flow, &Seg { window: 0, ..ack(1, 14_481) });
    station.listen(700);
    station.note("open for 200 octets");
    station.tcp(flow, &Seg { window: 2, ..ack(1, 14_481) });
    station.listen(300);
    station.note("open for much");
    station.tcp(flow, &ack(1, 14_481));
    station.listen(60);
    station.abort(flow, 1);
}

fn nagle(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    for (n, text) in ["one", "two", "six", "ten"].iter().enumerate() {
        station.note(format!("request {n}"));
        station.tcp(flow, &push(text.as_bytes(), 1 + 3 * i64::try_from(n).unwrap(), 1));
        station.listen(12);
    }
    station.note("the first answer acknowledged");
    station.tcp(flow, &ack(13, 4));
    station.listen(60);
    station.abort(flow, 13);
}

/// When the missing segment comes again. How much of what is new comes beside it is not part of this: that hangs on
/// how a stack gathers segments for its card.
fn duplicates(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::SAYER, PLAIN);
    station.ignore(60);
    for n in 0..5 {
        station.note(format!("acknowledgment {n}"));
        station.tcp(flow, &ack(1, 1461));
        station.listen_to("seq=theirs+1461 ", 25);
    }
    station.abort(flow, 1);
}

fn selective(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::SAYER, "mss=1460,nop,nop,sok");
    station.ignore(60);
    let irs = station.irs(flow);
    let block = [irs.wrapping_add(2921).to_be_bytes(), irs.wrapping_add(4381).to_be_bytes()].concat();
    let hex: String = block.iter().map(|octet| format!("{octet:02x}")).collect();
    let options = options(&format!("nop,nop,raw=050a{hex}"));
    station.note("the third reported, the second missing");
    station.tcp(flow, &Seg { options: Some(options), ..ack(1, 1461) });
    station.listen_to("seq=theirs+1461 ", 40);
    station.abort(flow, 1);
}

fn unacknowledged(station: &mut Station, words: &str) {
    station.meet();
    let flow = station.connect(port::ECHO, words);
    station.ignore(30);
    station.tcp(flow, &push(b"hello", 1, 1));
    station.listen(25_000);
    station.abort(flow, 6);
}

fn retransmission(station: &mut Station) {
    unacknowledged(station, FULL);
}

fn retransmission_plain(station: &mut Station) {
    unacknowledged(station, PLAIN);
}

fn recovered(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.ignore(30);
    station.tcp(flow, &push(b"hello", 1, 1));
    station.listen(1000);
    station.note("acknowledged");
    station.tcp(flow, &ack(6, 6));
    station.listen(60);
    station.note("another request");
    station.tcp(flow, &push(b"again", 6, 6));
    station.listen(1500);
    station.abort(flow, 11);
}

fn half_open(station: &mut Station, words: &str, ms: u64) {
    station.meet();
    let flow = station.flow(port::ECHO);
    station.tcp(flow, &Seg { flags: "S", options: Some(options(words)), ..Seg::default() });
    station.listen(ms);
    station.note("the acknowledgment, at last");
    station.tcp(flow, &ack(1, 1));
    station.listen(100);
    station.abort(flow, 1);
}

fn syn_ack(station: &mut Station) {
    half_open(station, FULL, 68_000);
}

fn syn_ack_plain(station: &mut Station) {
    half_open(station, PLAIN, 20_000);
}

fn syn_ack_reset(station: &mut Station) {
    station.meet();
    let flow = station.flow(port::ECHO);
    station.tcp(flow, &Seg { flags: "S", options: Some(options(FULL)), ..Seg::default() });
    station.listen(1500);
    station.note("RST");
    station.tcp(flow, &Seg { flags: "R", seq: 1, options: Some(Vec::new()), ..Seg::default() });
    station.listen(4000);
}

fn syn_ack_again(station: &mut Station) {
    station.meet();
    let flow = station.flow(port::ECHO);
    let syn = Seg { flags: "S", options: Some(options(PLAIN)), ..Seg::default() };
    station.tcp(flow, &syn);
    station.listen(2500);
    station.note("the SYN again");
    station.tcp(flow, &syn);
    station.listen(12_000);
    station.note("RST");
    station.tcp(flow, &Seg { flags: "R", seq: 1, options: Some(Vec::new()), ..Seg::default() });
    station.listen(100);
}

fn idle(station: &mut Station) {
    station.meet();
    let flow = station.connect(port::ECHO, FULL);
    station.listen(65_000);
    station.note("still there");
    station.tcp(flow, &push(b"x", 1, 1));
    station.listen(30);
    station.abort(flow, 2);
}
