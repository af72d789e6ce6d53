//! All that the author of a kind reads: the shape of a decision, the fields that it rests on, the texts that
//! commands bring, and the sentences in which decisions are tested.

pub mod decider;
pub(crate) mod field;
pub(crate) mod identity;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
