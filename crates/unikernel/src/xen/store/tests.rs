use std::{string::ToString, vec};

use proptest::prelude::*;

use super::*;

fn message(kind: u32, number: u32, payload: &[u8]) -> Vec<u8> {
    let words = [kind, number, 0, u32::try_from(payload.len()).expect("short")];
    [words.map(u32::to_le_bytes).as_flattened(), payload].concat()
}

#[test]
fn a_question_and_its_answer() {
    let page = StorePage::new();
    let (mut answers, mut questions) = page.far_ends();
    let mut store = Store::new(&page);
    store.read("device/vif/0/state");
    assert_eq!(store.poll(), Ok(None));
    let mut heard = [0; 256];
    let length = questions.read(&mut heard).expect("sound");
    assert_eq!(heard[..length], message(READ, 1, b"device/vif/0/state\0"));
    answers.write(&message(READ, 1, b"4")).expect("room");
    assert_eq!(store.poll(), Ok(Some(Answer::Value("4".to_string()))));

    store.write("a/b", "17");
    assert_eq!(store.poll(), Ok(None));
    let length = questions.read(&mut heard).expect("sound");
    assert_eq!(heard[..length], message(WRITE, 2, b"a/b\x0017"));
    answers.write(&message(WRITE, 2, b"OK\0")).expect("room");
    assert_eq!(store.poll(), Ok(Some(Answer::Value(String::new()))));

    store.read("nothing");
    answers.write(&message(ERROR, 3, b"ENOENT\0")).expect("room");
    assert_eq!(store.poll(), Ok(Some(Answer::Refused("ENOENT".to_string()))));
}

#[test]
fn an_answer_in_pieces_is_put_together_and_what_answers_something_else_is_passed_over() {
    let page = StorePage::new();
    let (mut answers, _) = page.far_ends();
    let mut store = Store::new(&page);
    store.read("a");
    // A watch that fired, an answer to another question, one of a kind that nobody asked for.
    let others =
        [message(15, 0, b"path\0token\0"), message(READ, 9, b"no"), message(7, 1, b""), message(READ, 1, b"yes")];
    for octet in others.concat() {
        assert_eq!(store.poll(), Ok(None));
        assert_eq!(answers.write(&[octet]), Ok(1));
    }
    assert_eq!(store.poll(), Ok(Some(Answer::Value("yes".to_string()))));
}

#[test]
fn the_longest_answer_is_taken_and_a_longer_one_is_a_fault() {
    let page = StorePage::new();
    let (mut answers, _) = page.far_ends();
    let mut store = Store::new(&page);
    store.read("a");
    let longest = message(READ, 1, &vec![b'x'; MAX_PAYLOAD]);
    let (mut at, mut answer) = (0, None);
    while answer.is_none() {
        at += answers.write(&longest[at..]).expect("sound");
        answer = store.poll().expect("sound");
    }
    assert_eq!(answer, Some(Answer::Value("x".repeat(MAX_PAYLOAD))));
    let header = [READ, 2, 0, 4_097].map(u32::to_le_bytes);
    answers.write(header.as_flattened()).expect("room");
    store.read("b");
    assert_eq!(store.poll(), Err(Fault::Message));
}

proptest! {
    #[test]
    fn nonsense_is_no_answer_of_unbounded_length(octets in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let page = StorePage::new();
        let (mut answers, _) = page.far_ends();
        let mut store = Store::new(&page);
        store.read("a");
        for piece in octets.chunks(100) {
            let _ = answers.write(piece);
            if store.poll().is_err() {
                break;
            }
            prop_assert!(store.heard.len() <= HEADER + MAX_PAYLOAD);
        }
    }
}
