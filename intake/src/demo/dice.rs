//! Chance that can be repeated: numbers that follow from a seed, a topic and what they are drawn for.

/// What is drawn for: two questions about the same student must not share their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topic {
    Person,
    Habit,
    Enrolment,
    Section,
    CampusWide,
    Conversation,
    Lead,
    Donor,
    Gift,
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): ten lines that will draw the same numbers for ever, which a
/// generator out of a library does not promise from one version to the next.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice for one question.
    pub fn new(seed: u64, topic: Topic, about: [u64; 2]) -> Self {
        let mut state = seed;
        for part in [topic as u64, about[0], about[1]] {
            state = Self(state ^ part.wrapping_mul(0xD6E8_FEB8_6659_FD93)).roll();
        }
        Self(state)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one below the limit; 0 where the limit is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        let product = (self.roll() >> 32) * u64::from(limit);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// A number from the first to the last, both included.
    pub fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below((last + 1).saturating_sub(first))
    }

    /// Whether something happens that happens so many times in a thousand.
    pub fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.below(1_000) < in_a_thousand
    }

    /// One of several.
    pub fn pick<T: Copy, const COUNT: usize>(&mut self, several: &[T; COUNT]) -> T {
        let count = u32::try_from(COUNT).unwrap_or(u32::MAX);
        several[self.below(count) as usize]
    }
}
