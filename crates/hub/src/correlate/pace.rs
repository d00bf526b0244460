//! Which tool swept the link: one ARP request tells nothing (most tools send the same octets), their sequence does.
//!
//! Measured with tools of Debian 12 over veth. `arp-scan` sends to one address after the other at an even pace that its
//! default of 256 kbit/s gives, 2 ms an address, with or without an answer. `nmap` sends bursts within microseconds,
//! and pauses of 2 ms and more in between, when its window is full.
//!
//! Several workers tell of one sweep, each of its own decoys and in its own time. So requests are put in the order of
//! their receipt before anything is said of them.

use std::{net::IpAddr, ops::RangeInclusive};

use chaff_events::{Tool, UtcNanos};
use serde::{Deserialize, Serialize};

/// Requests that are looked at; later ones are mostly repetitions.
const REQUESTS: usize = 65;
/// Fewer say nothing.
const ENOUGH: usize = 12;
/// A step that takes less is part of a burst.
const BURST_NS: u64 = 150_000;
/// One that takes longer is a pause.
const PAUSE_NS: u64 = 1_000_000;
/// arp-scan's time for one address: the median, which stays where it is when a busy sender is late now and then.
const ARP_SCAN_NS: RangeInclusive<u64> = 1_700_000..=2_500_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Pace {
    /// When each decoy was asked for, in order of receipt.
    requests: Vec<(UtcNanos, u128)>,
}

/// What the steps from one decoy to the next have in common.
#[derive(Debug, Default)]
struct Steps {
    all: usize,
    ascending: usize,
    bursts: usize,
    pauses: usize,
    /// Time for one address, of each ascending step.
    paces: Vec<u64>,
}

impl Pace {
    /// Takes a request for a decoy.
    pub(super) fn note(&mut self, time: UtcNanos, decoy: IpAddr) {
        if self.requests.len() >= REQUESTS {
            return;
        }
        let ip = match decoy {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip),
        };
        // One worker's come in order: the place is mostly the last.
        let place = self.requests.partition_point(|&(before, _)| before <= time);
        self.requests.insert(place, (time, ip));
    }

    /// The tool that goes through a network like this, if no packet of the sweep has given one away. `touched` is how
    /// many decoys were more than asked for: if they are not few, the requests are what a kernel asks before it sends.
    pub(super) fn tool(&self, known: &[Tool], touched: u32) -> Option<Tool> {
        if self.requests.len() <= ENOUGH || !known.is_empty() {
            return None;
        }
        let steps = Steps::of(&self.requests);
        let most = |count: usize| count >= steps.all - steps.all / 8;
        let few_touched = touched as usize <= steps.all / 8;
        if !few_touched || !most(steps.ascending) {
            return None;
        }
        if steps.bursts >= steps.all / 2 && steps.pauses > 0 {
            return Some(Tool::Nmap);
        }
        (steps.bursts <= steps.all / 4 && ARP_SCAN_NS.contains(&steps.pace()?)).then_some(Tool::ArpScan)
    }
}

impl Steps {
    fn of(requests: &[(UtcNanos, u128)]) -> Self {
        let mut steps = Self::default();
        for pair in requests.windows(2) {
            if let [(last_time, last_ip), (time, ip)] = *pair {
                steps.add(time.0.saturating_sub(last_time.0), ip.checked_sub(last_ip));
            }
        }
        steps
    }

    fn add(&mut self, nanos: u64, addresses: Option<u128>) {
        self.all += 1;
        self.bursts += usize::from(nanos < BURST_NS);
        self.pauses += usize::from(nanos >= PAUSE_NS);
        if let Some(addresses) = addresses.filter(|&addresses| addresses > 0) {
            let addresses = u64::try_from(addresses).unwrap_or(u64::MAX);
            self.ascending += 1;
            self.paces.push(nanos / addresses);
        }
    }

    /// The median.
    fn pace(mut self) -> Option<u64> {
        let middle = self.paces.len() / 2;
        if self.paces.is_empty() {
            return None;
        }
        Some(*self.paces.select_nth_unstable(middle).1)
    }
}
