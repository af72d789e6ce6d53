//! The demo: a campus organisation that never was, with four years of history.
//!
//! Everything follows from the seed and from numbers: whoever asks twice who student 17 is, or whether they came
//! to a dinner, gets the same answer, so that nothing has to be remembered while the history is told. It is told
//! week by week. What begins in a week is told with what becomes of it, so that lines of one thing stand in their
//! order and behind the things that they mention.
//!
//! Sent again, the lines change nothing. Lines whose repetition would mean something by then (a reply, a refund,
//! a stage that has been left) carry a key, `demo-<seed>-<n>`; once a key is forgotten, what it stood for is
//! refused, or recognised by its event, and not recorded again.

mod arrivals;
mod calendar;
mod campus;
mod conversations;
mod dice;
mod enrolments;
mod founding;
mod gatherings;
mod gifts;
mod leads;
mod lines;
#[cfg(test)]
mod tests;
mod words;

pub use campus::Campus;

use self::{calendar::Week, lines::Lines};

/// The lines of the history, as `POST /commands` takes them, without line breaks. Told while it is iterated: what
/// is held at a time is one gathering at most.
#[derive(Debug)]
pub struct Demo {
    campus: Campus,
    week: Week,
    chapter: usize,
    /// How many things of the chapter have been told.
    told: u32,
    lines: Lines,
}

/// What is told of every week: how many things there are, and what happens to each.
struct Chapter {
    count: fn(&Campus, Week) -> u32,
    tell: fn(&Campus, Week, u32, &mut Lines),
}

/// The chapters of a week, in the order in which they are told.
const CHAPTERS: [Chapter; 10] = [
    Chapter { count: founding::count, tell: founding::tell },
    Chapter { count: arrivals::count_friends, tell: arrivals::tell_friend },
    Chapter { count: arrivals::count_students, tell: arrivals::tell_student },
    Chapter { count: enrolments::count, tell: enrolments::tell },
    Chapter { count: gatherings::count_sections, tell: gatherings::tell_section },
    Chapter { count: gatherings::count_campus_wide, tell: gatherings::tell_campus_wide },
    Chapter { count: conversations::count, tell: conversations::tell },
    Chapter { count: leads::count, tell: leads::tell },
    Chapter { count: gifts::count, tell: gifts::tell },
    Chapter { count: arrivals::count_graduations, tell: arrivals::tell_graduation },
];

/// About how many lines there are for a thousand students, and for none.
const LINES_PER_THOUSAND: u64 = 34_200;
const LINES_AT_LEAST: u64 = 700;

impl Demo {
    /// The history of a campus, from its beginning.
    pub fn new(campus: Campus) -> Self {
        let lines = Lines::new(campus.seed());
        Self { campus, week: Week::FIRST, chapter: 0, told: 0, lines }
    }

    /// About how many lines there will be, for a progress bar.
    pub fn total_lines_estimate(&self) -> u64 {
        LINES_AT_LEAST + u64::from(self.campus.students()) * LINES_PER_THOUSAND / 1_000
    }

    /// Tells of one more thing, or turns to the next chapter or week; false where the history is over.
    fn go_on(&mut self) -> bool {
        let Some(chapter) = CHAPTERS.get(self.chapter) else {
            // Past the last week the last chapter stays closed, so that a history that is over stays over.
            let Some(next) = self.week.next() else { return false };
            (self.week, self.chapter) = (next, 0);
            return true;
        };
        if self.told < (chapter.count)(&self.campus, self.week) {
            (chapter.tell)(&self.campus, self.week, self.told, &mut self.lines);
            self.told += 1;
        } else {
            self.chapter += 1;
            self.told = 0;
        }
        true
    }
}

impl Iterator for Demo {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.take() {
                return Some(line);
            }
            if !self.go_on() {
                return None;
            }
        }
    }
}
