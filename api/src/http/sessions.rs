//! Those who have signed in to the pages: the browser keeps a random session id, never the token.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::application::clock::now;

/// The cookie of those who have signed in to the pages.
pub(super) const SESSION: &str = "rapport_session";
/// How long a session lasts.
pub(super) const SESSION_TIMEOUT: TimeDelta = TimeDelta::hours(12);
/// How many there may be.
const SESSIONS_MAX: usize = 10_000;

/// The sessions of this process.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, (String, DateTime<Utc>)>>);

impl Sessions {
    /// The token behind a session, while it lasts.
    pub(super) fn secret(&self, session: &str) -> Option<String> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).filter(|(_, until)| *until > now()).map(|(secret, _)| secret.clone())
    }

    /// Begins a session of a token; none where there are too many.
    pub(super) fn begin(&self, secret: String) -> Option<String> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        sessions.retain(|_, (_, until)| *until > now);
        if sessions.len() >= SESSIONS_MAX {
            return None;
        }
        let id = hex::encode(rand::random::<[u8; 32]>());
        sessions.insert(id.clone(), (secret, now + SESSION_TIMEOUT));
        Some(id)
    }
}
