//! IPv4 identification by the personality's rules.

use crate::{chance::Chance, fleet::Host, personality::IdRule};

/// The steps of a counter that grows at random (nmap's class RI starts above 1,000).
const RANDOM_STEP: (u32, u32) = (1_001, 500);

/// The next identification. `own` is the counter of the flow or the peer, for the rules that count there.
pub(crate) fn next(rule: IdRule, host: &mut Host, own: &mut u16, chance: &mut Chance) -> u16 {
    if !host.counting {
        host.counting = true;
        // Low enough that a scan of a thousand ports does not wrap it.
        host.id = 1_000 + (chance.below(40_000) & 0xffff) as u16;
        host.second_id = host.id.wrapping_add(0x4000);
    }
    let count = |counter: &mut u16, step: u16| {
        *counter = counter.wrapping_add(step);
        *counter
    };
    match rule {
        IdRule::Zero | IdRule::Request => 0,
        IdRule::Constant(id) => id,
        IdRule::Random => chance.next_u16(),
        IdRule::Flow | IdRule::Peer => count(own, 1),
        IdRule::Host => count(&mut host.id, 1),
        IdRule::HostSwapped => {
            if host.id & 0xff >= 0xf0 {
                host.id &= 0xff00;
            }
            count(&mut host.id, 1).swap_bytes()
        }
        IdRule::HostRandomStep => {
            let step = RANDOM_STEP.0 + chance.below(RANDOM_STEP.1);
            count(&mut host.id, (step & 0xffff) as u16)
        }
        IdRule::SecondHost => count(&mut host.second_id, 1),
    }
}
