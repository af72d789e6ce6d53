//! A whole log, read as it stands, wherever it is kept and without taking part in it.

use async_trait::async_trait;
use domain::{BadEvent, Stored};
use uuid::Uuid;

use crate::open_error::OpenError;

/// What is done with every event; whether to go on.
pub type Each<'e> = &'e mut (dyn for<'a, 's> FnMut(&'a Result<Stored<'s>, BadEvent>) -> bool + Send);

/// A log that is only read, as it stands.
#[async_trait]
pub trait WholeLog: Send {
    /// The id that the log was given when it was made; none where there is not exactly one.
    fn log_id(&self) -> Option<Uuid>;

    /// About how many events there are, where that is known.
    fn length(&self) -> Option<u64>;

    /// Whether an event's position is its number.
    fn numbers_its_positions(&self) -> bool;

    /// Hands out every event in the order of the log until told to stop. One that cannot be read ends it.
    async fn each(&mut self, each: Each<'_>) -> Result<(), OpenError>;
}
