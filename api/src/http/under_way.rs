//! How much each caller has under way at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Semaphore;

/// How many requests of one caller are worked on at a time.
pub(super) const REQUESTS_PER_CALLER_MAX: usize = 256;
/// How many live feeds one caller may have open.
const FEEDS_PER_CALLER_MAX: usize = 32;

/// How much of something each caller has under way.
pub(super) struct UnderWay {
    at_a_time: usize,
    callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl UnderWay {
    /// So many requests at a time.
    pub(super) fn requests() -> Arc<Self> {
        Arc::new(Self { at_a_time: REQUESTS_PER_CALLER_MAX, callers: Mutex::default() })
    }

    /// So many live feeds at a time.
    pub(super) fn feeds() -> Arc<Self> {
        Arc::new(Self { at_a_time: FEEDS_PER_CALLER_MAX, callers: Mutex::default() })
    }

    pub(super) fn of(&self, name: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // Callers are bounded by the tokens; those who rest are forgotten now and then.
        if callers.len() > 1_000 {
            callers.retain(|_, permits| permits.available_permits() < self.at_a_time);
        }
        let permits =
            callers.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.at_a_time)));
        Arc::clone(permits)
    }
}
