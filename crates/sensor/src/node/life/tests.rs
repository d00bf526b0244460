use super::*;

#[test]
fn one_that_dies_again_and_again_is_started_ever_less_often() {
    let mut life = Life::new(0);
    let mut now = 0;
    let mut pauses = vec![];
    for _ in 0..12 {
        assert_eq!(life.due(now), Some(Due::Start));
        life.handle_start(now);
        let pause = life.handle_end(now + 1);
        pauses.push(pause / (SECOND / 10));
        now += 1 + pause;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(life.restarts, 11);
    life.handle_start(now);
    assert_eq!(life.handle_end(now + STEADY + 1), FIRST_PAUSE, "one that lived long is not blamed");
}

#[test]
fn one_that_does_not_come_up_or_does_not_answer_is_ended() {
    let mut life = Life::new(0);
    life.handle_start(0);
    assert_eq!(life.due(START_LIMIT - 1), None);
    assert!(matches!(life.due(START_LIMIT), Some(Due::End(_))));
    assert!(life.handle_up(SECOND));
    assert_eq!(life.due(SECOND + ASK_EVERY), Some(Due::Ask));
    let asked = SECOND + ASK_EVERY;
    life.handle_asked(asked);
    assert!(matches!(life.due(asked + ANSWER_LIMIT), Some(Due::End(_))));
    assert!(!life.handle_up(asked + 1), "no news");
    assert_eq!(life.due(asked + ANSWER_LIMIT), None);
}

#[test]
fn one_that_says_anything_is_there() {
    let mut life = Life::new(0);
    life.handle_start(0);
    life.handle_word(SECOND);
    assert!(matches!(life.due(START_LIMIT), Some(Due::End(_))), "what it says before it is up is not that it is");
    assert!(life.handle_up(SECOND));
    life.handle_word(SECOND + ASK_EVERY);
    assert_eq!(life.due(SECOND + ASK_EVERY), None);
    let asked = SECOND + 2 * ASK_EVERY;
    assert_eq!(life.due(asked), Some(Due::Ask));
    life.handle_asked(asked);
    life.handle_word(asked + ANSWER_LIMIT - 1);
    assert_eq!(life.due(asked + ANSWER_LIMIT), None);
}
