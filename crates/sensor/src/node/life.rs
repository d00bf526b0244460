//! When a machine is started, doubted, and started again. Pure: time is an argument, in nanoseconds.

use crate::clock::SECOND;

/// The pause before a machine that ended is started again; doubles with each end in a row.
const FIRST_PAUSE: u64 = SECOND / 10;

/// The longest pause: a machine that never comes up costs a start every half minute.
const LONGEST_PAUSE: u64 = 30 * SECOND;

/// A machine that has lived so long starts with the first pause again. Long against the time of a start, so that one that
/// an intruder ends again and again costs little; short, so that one that dies now and then is back at once.
const STEADY: u64 = 10 * SECOND;

/// How long a machine may take to say that it answers: a hundred times what it takes on an idle processor.
pub(super) const START_LIMIT: u64 = 15 * SECOND;

/// A machine that has said nothing for so long is asked whether it is there.
const ASK_EVERY: u64 = 20 * SECOND;

/// How long it may take to say so.
const ANSWER_LIMIT: u64 = 10 * SECOND;

/// What a machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does not run; it shall from then on.
    Waiting { from: u64 },
    /// It runs and has not said yet that it answers.
    Starting { since: u64 },
    /// It answers.
    Up { since: u64, asked: Option<u64>, heard: u64 },
}

/// What is to be done with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Start it.
    Start,
    /// Ask whether it is there.
    Ask,
    /// It hangs: end it.
    End(&'static str),
}

/// One machine's life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) state: State,
    /// Ends in a row.
    deaths: u32,
    /// Starts after the first.
    pub(super) restarts: u32,
    started: u64,
}

impl Life {
    pub(super) fn new(now: u64) -> Self {
        Self { state: State::Waiting { from: now }, deaths: 0, restarts: 0, started: 0 }
    }

    pub(super) fn handle_start(&mut self, now: u64) {
        if self.started != 0 {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.started = now.max(1);
        self.state = State::Starting { since: now };
    }

    /// It said that it answers; whether that is news.
    pub(super) fn handle_up(&mut self, now: u64) -> bool {
        self.handle_word(now);
        let news = !self.is_up();
        if news {
            self.state = State::Up { since: now, asked: None, heard: now };
        }
        news
    }

    /// It said anything: so it is there. A machine in a storm says more than its host takes at once; its answer to a
    /// question would wait behind all of that.
    pub(super) fn handle_word(&mut self, now: u64) {
        if let State::Up { asked, heard, .. } = &mut self.state {
            (*asked, *heard) = (None, now);
        }
    }

    pub(super) fn handle_asked(&mut self, now: u64) {
        if let State::Up { asked, .. } = &mut self.state {
            *asked = Some(now);
        }
    }

    /// It ended; gives the pause before the next start.
    pub(super) fn handle_end(&mut self, now: u64) -> u64 {
        self.deaths = if now.saturating_sub(self.started) > STEADY { 0 } else { self.deaths.saturating_add(1) };
        let pause = FIRST_PAUSE << self.deaths.saturating_sub(1).min(16);
        let pause = pause.min(LONGEST_PAUSE);
        self.state = State::Waiting { from: now + pause };
        pause
    }

    /// It shall run again at once: somebody asked for it.
    pub(super) fn handle_wish(&mut self, now: u64) {
        self.deaths = 0;
        self.state = State::Waiting { from: now };
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// When [`Self::due`] has something next.
    pub(super) fn deadline(&self) -> u64 {
        match self.state {
            State::Waiting { from } => from,
            State::Starting { since } => since + START_LIMIT,
            State::Up { asked: Some(asked), .. } => asked + ANSWER_LIMIT,
            State::Up { asked: None, heard, .. } => heard + ASK_EVERY,
        }
    }

    /// What is to be done now.
    pub(super) fn due(&self, now: u64) -> Option<Due> {
        if self.deadline() > now {
            return None;
        }
        Some(match self.state {
            State::Waiting { .. } => Due::Start,
            State::Starting { .. } => Due::End("it did not come up in time"),
            State::Up { asked: Some(_), .. } => Due::End("it does not answer its host"),
            State::Up { asked: None, .. } => Due::Ask,
        })
    }
}

#[cfg(test)]
mod tests;
