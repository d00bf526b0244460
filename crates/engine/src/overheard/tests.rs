use super::*;

const PLACE: (u16, Option<u16>) = (0, None);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const CARD: Mac = Mac([2, 0, 0, 0, 0, 7]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 8]);

fn hear(heard: &mut Overheard, chance: &Chance, place: (u16, Option<u16>), ip: Ipv4Addr, card: Mac) {
    heard.note(chance, 7, place, &arp::Packet::new(arp::REQUEST, (card, ip), (Mac::ZERO, ip)));
}

fn card(word: Option<Word>) -> Option<Mac> {
    word.map(|word| word.card)
}

#[test]
fn the_last_word_counts_and_only_what_came_later() {
    let (chance, mut heard) = (Chance::new([1; 32]), Overheard::new());
    hear(&mut heard, &chance, PLACE, HOST, CARD);
    hear(&mut heard, &chance, PLACE, HOST, OTHER);
    assert_eq!(card(heard.since(&chance, PLACE, HOST, 1)), Some(OTHER));
    assert_eq!(card(heard.since(&chance, PLACE, HOST, heard.count())), None);
}

#[test]
fn a_link_and_a_vlan_are_worlds_of_their_own() {
    let (chance, mut heard) = (Chance::new([1; 32]), Overheard::new());
    hear(&mut heard, &chance, (1, Some(0)), HOST, CARD);
    for place in [PLACE, (1, None), (0, Some(0)), (1, Some(7))] {
        assert_eq!(card(heard.since(&chance, place, HOST, 0)), None, "{place:?}");
    }
    assert_eq!(card(heard.since(&chance, (1, Some(0)), HOST, 0)), Some(CARD));
}

#[test]
fn what_no_host_can_be_is_not_kept() {
    let (chance, mut heard) = (Chance::new([1; 32]), Overheard::new());
    for (ip, card) in [(Ipv4Addr::UNSPECIFIED, CARD), (HOST, Mac::BROADCAST), (HOST, Mac::ZERO)] {
        hear(&mut heard, &chance, PLACE, ip, card);
    }
    assert_eq!(heard.count(), 0);
}

#[test]
fn the_count_may_wrap() {
    let (chance, mut heard) = (Chance::new([1; 32]), Overheard::new());
    heard.count = u32::MAX - 1;
    let before = heard.count();
    for _ in 0..3 {
        hear(&mut heard, &chance, PLACE, HOST, CARD);
    }
    assert_eq!((heard.count(), card(heard.since(&chance, PLACE, HOST, before))), (1, Some(CARD)));
}
