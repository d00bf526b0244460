//! The program that a pattern becomes, and how it goes through a text: all ways at once (Thompson's, with what groups
//! hold as Pike has it), so no octet is looked at twice for the same step.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{Edge, Extent, Part, Reader, Set, Syntax, TOO_BIG, Wrong, is_word};
use crate::limits::shell::MAX_REGEX_STEPS;

/// Where the match and the groups begin and end: the match's own places, then those of nine groups.
const PLACES: usize = 20;
type Places = [usize; PLACES];
const NOWHERE: usize = usize::MAX;

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(Set),
    Edge(Edge),
    /// The first is the better way.
    Split(usize, usize),
    Jump(usize),
    Save(usize),
    Never,
    End,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(in super::super) struct Regex {
    steps: Vec<Step>,
    /// Octets with which a match can begin, if it cannot be empty and hangs on no edge.
    first: Option<Set>,
    /// The first way that fits wins, not the longest.
    takes_first: bool,
    at_start: bool,
    pub(in super::super) groups: usize,
}

/// A match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Found {
    pub(in super::super) start: usize,
    pub(in super::super) end: usize,
    places: Places,
}

impl Found {
    /// Where a group is, and the whole as group 0.
    pub(in super::super) fn group(&self, number: usize) -> Option<(usize, usize)> {
        if number == 0 {
            return Some((self.start, self.end));
        }
        let [start, end] = [0, 1].map(|side| self.places.get(number * 2 + side).copied().unwrap_or(NOWHERE));
        (start != NOWHERE && end != NOWHERE && start <= end).then_some((start, end))
    }
}

/// The ways that are open at one place of the text, the best first.
struct Ways {
    ways: Vec<(usize, Places)>,
    seen: Vec<u32>,
    mark: u32,
}

impl Regex {
    pub(in super::super) fn new(pattern: &[u8], syntax: Syntax, ignore_case: bool) -> Result<Self, Wrong> {
        Self::of(&[pattern], Some(syntax), ignore_case, Extent::Any)
    }

    /// One of several patterns; without a syntax they are fixed texts.
    pub(in super::super) fn of(
        patterns: &[&[u8]],
        syntax: Option<Syntax>,
        ignore_case: bool,
        extent: Extent,
    ) -> Result<Self, Wrong> {
        let mut branches = Vec::new();
        let mut groups = 0;
        for pattern in patterns {
            let Some(syntax) = syntax else {
                branches.push(Part::Row(pattern.iter().map(|octet| Part::Set(Set::of(|o| o == *octet))).collect()));
                continue;
            };
            let mut reader = Reader { rest: pattern, syntax, groups, ignore_case, open: 0 };
            branches.push(reader.either()?);
            groups = reader.groups;
        }
        let part = if branches.len() == 1 { branches.pop().unwrap_or(Part::Empty) } else { Part::Either(branches) };
        let around = |edges: [Edge; 2], part| {
            let [before, after] = edges.map(Part::Edge);
            Part::Row(Vec::from([before, Part::Group(None, Box::new(part)), after]))
        };
        let part = match extent {
            Extent::Any => part,
            Extent::Words => around([Edge::NoWordBefore, Edge::NoWordAfter], part),
            Extent::Line => around([Edge::TextStart, Edge::TextEnd], part),
        };
        let mut steps = Vec::new();
        emit(&part, &mut steps, ignore_case)?;
        push(&mut steps, Step::End)?;
        let start = |part: &Part| matches!(part, Part::Edge(Edge::TextStart));
        let at_start = start(&part) || matches!(&part, Part::Row(parts) if parts.first().is_some_and(start));
        let first = first_octets(&steps);
        Ok(Self { steps, first, takes_first: syntax == Some(Syntax::Perl), at_start, groups })
    }

    /// The leftmost match from `from` on; what it takes is taken from `budget`, and without any left nothing is found.
    pub(in super::super) fn find(&self, text: &[u8], from: usize, budget: &mut u32) -> Option<Found> {
        let size = self.steps.len();
        let new = || Ways { ways: Vec::new(), seen: vec![0; size], mark: 1 };
        let (mut now, mut next) = (new(), new());
        let mut best: Option<Found> = None;
        let mut at = from;
        let mut stack = Vec::new();
        loop {
            if best.is_none() {
                if now.ways.is_empty() {
                    if self.at_start && at > 0 {
                        break;
                    }
                    if let Some(first) = &self.first {
                        let rest = text.get(at..).unwrap_or_default();
                        at += rest.iter().position(|octet| first.contains(*octet))?;
                    }
                }
                let mut places = [NOWHERE; PLACES];
                places[0] = at;
                self.follow(0, places, text, at, &mut now, &mut stack, budget);
            }
            let octet = text.get(at).copied();
            for (step, places) in &now.ways {
                *budget = budget.saturating_sub(1);
                match self.steps.get(*step) {
                    Some(Step::End) => {
                        let found = Found { start: places[0], end: at, places: *places };
                        let better = best.is_none_or(|best| {
                            self.takes_first || found.start < best.start || found.start == best.start && at > best.end
                        });
                        if better {
                            best = Some(found);
                        }
                        if self.takes_first {
                            break;
                        }
                    }
                    Some(Step::Set(set))
                        if octet.is_some_and(|octet| set.contains(octet))
                        // What began later than the match that there is cannot be better.
                        && best.is_none_or(|best| places[0] <= best.start || self.takes_first) =>
                    {
                        self.follow(step + 1, *places, text, at + 1, &mut next, &mut stack, budget);
                    }
                    _ => {}
                }
            }
            if *budget == 0 {
                return None;
            }
            now.clear();
            core::mem::swap(&mut now, &mut next);
            if octet.is_none() || (now.ways.is_empty() && best.is_some()) {
                break;
            }
            at += 1;
        }
        best
    }

    pub(in super::super) fn fits(&self, text: &[u8], budget: &mut u32) -> bool {
        self.find(text, 0, budget).is_some()
    }

    /// Opens all ways that lead on from a step without an octet.
    #[expect(clippy::too_many_arguments, reason = "one place of the text, and what is kept between places")]
    fn follow(
        &self,
        step: usize,
        places: Places,
        text: &[u8],
        at: usize,
        ways: &mut Ways,
        stack: &mut Vec<(usize, Places)>,
        budget: &mut u32,
    ) {
        stack.push((step, places));
        while let Some((step, mut places)) = stack.pop() {
            let Some(seen) = ways.seen.get_mut(step) else { continue };
            if *seen == ways.mark {
                continue;
            }
            *seen = ways.mark;
            *budget = budget.saturating_sub(1);
            match self.steps.get(step) {
                Some(Step::Jump(to)) => stack.push((*to, places)),
                Some(Step::Split(better, other)) => stack.extend([(*other, places), (*better, places)]),
                Some(Step::Save(place)) => {
                    if let Some(place) = places.get_mut(*place) {
                        *place = at;
                    }
                    stack.push((step + 1, places));
                }
                Some(Step::Edge(edge)) if is_at(*edge, text, at) => stack.push((step + 1, places)),
                Some(Step::Set(_) | Step::End) => ways.ways.push((step, places)),
                _ => {}
            }
        }
    }
}

impl Ways {
    fn clear(&mut self) {
        self.ways.clear();
        self.mark = self.mark.wrapping_add(1);
    }
}

fn is_at(edge: Edge, text: &[u8], at: usize) -> bool {
    let word = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|octet| is_word(*octet));
    let (before, after) = (word(at.checked_sub(1)), word(Some(at)));
    match edge {
        Edge::TextStart => at == 0,
        Edge::TextEnd => at == text.len(),
        Edge::Word => before != after,
        Edge::NotWord => before == after,
        Edge::WordStart => !before && after,
        Edge::WordEnd => before && !after,
        Edge::NoWordBefore => !before,
        Edge::NoWordAfter => !after,
    }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<usize, Wrong> {
    if steps.len() >= MAX_REGEX_STEPS {
        return Err(TOO_BIG);
    }
    steps.push(step);
    Ok(steps.len() - 1)
}

/// Writes the steps of a part. It calls itself as deep as parts nest, which the reader bounds.
fn emit(part: &Part, steps: &mut Vec<Step>, ignore_case: bool) -> Result<(), Wrong> {
    match part {
        Part::Empty => {}
        Part::Never => drop(push(steps, Step::Never)?),
        Part::Begin => drop(push(steps, Step::Save(0))?),
        Part::Edge(edge) => drop(push(steps, Step::Edge(*edge))?),
        Part::Set(set) => {
            let set = set.in_both_cases(ignore_case);
            push(steps, Step::Set(set))?;
        }
        Part::Group(number, part) => {
            // Groups beyond the ninth have no place; their step still counts, so that no repetition of it is free.
            let place = number.map_or(PLACES, |number| number * 2);
            push(steps, Step::Save(place))?;
            emit(part, steps, ignore_case)?;
            push(steps, Step::Save(place.saturating_add(1)))?;
        }
        Part::Row(parts) => {
            for part in parts {
                emit(part, steps, ignore_case)?;
            }
        }
        Part::Either(branches) => {
            let mut ends = Vec::new();
            for (place, branch) in branches.iter().enumerate() {
                if place + 1 == branches.len() {
                    emit(branch, steps, ignore_case)?;
                    break;
                }
                let split = push(steps, Step::Split(steps.len() + 1, 0))?;
                emit(branch, steps, ignore_case)?;
                ends.push(push(steps, Step::Jump(0))?);
                let next = steps.len();
                set(steps, split, Step::Split(split + 1, next));
            }
            let end = steps.len();
            ends.into_iter().for_each(|jump| set(steps, jump, Step::Jump(end)));
        }
        Part::Repeat { part, least, most, lazy } => {
            let split = |on: usize, out: usize| if *lazy { Step::Split(out, on) } else { Step::Split(on, out) };
            for _ in 0..*least {
                let before = steps.len();
                emit(part, steps, ignore_case)?;
                if steps.len() == before {
                    return Ok(());
                }
            }
            match most {
                None => {
                    let start = push(steps, Step::Jump(0))?;
                    emit(part, steps, ignore_case)?;
                    push(steps, Step::Jump(start))?;
                    let end = steps.len();
                    set(steps, start, split(start + 1, end));
                }
                Some(most) => {
                    let mut splits = Vec::new();
                    for _ in *least..*most {
                        splits.push(push(steps, Step::Jump(0))?);
                        emit(part, steps, ignore_case)?;
                    }
                    let end = steps.len();
                    splits.into_iter().for_each(|place| set(steps, place, split(place + 1, end)));
                }
            }
        }
    }
    Ok(())
}

fn set(steps: &mut [Step], place: usize, step: Step) {
    if let Some(old) = steps.get_mut(place) {
        *old = step;
    }
}

/// The octets with which a match can begin, unless it can be empty or hangs on an edge.
fn first_octets(steps: &[Step]) -> Option<Set> {
    let mut first = Set::default();
    let mut seen = vec![false; steps.len()];
    let mut waiting = Vec::from([0]);
    while let Some(step) = waiting.pop() {
        if core::mem::replace(seen.get_mut(step)?, true) {
            continue;
        }
        match steps.get(step)? {
            Step::Set(set) => (0..=u8::MAX).filter(|o| set.contains(*o)).for_each(|o| first.insert(o)),
            Step::Split(one, other) => waiting.extend([*one, *other]),
            Step::Jump(to) => waiting.push(*to),
            Step::Save(_) => waiting.push(step + 1),
            Step::Never => {}
            Step::Edge(_) | Step::End => return None,
        }
    }
    Some(first)
}
