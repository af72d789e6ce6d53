//! Paging: a limit, and a cursor that names the last row seen, so that a page costs the same wherever it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::NaiveDate;
use serde::{Serialize, de::DeserializeOwned};

use crate::kit::error::ViewError;

/// Which part of the rows is wanted.
#[derive(Clone, Debug)]
pub struct Page {
    limit: usize,
    cursor: Option<String>,
    /// The day on which it is asked, where that is known.
    today: Option<NaiveDate>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: Self::LIMIT, cursor: None, today: None }
    }
}

impl Page {
    /// How many rows a page holds unless asked otherwise.
    pub const LIMIT: usize = 100;
    /// How many rows a page may hold.
    pub const MOST: usize = 1_000;

    /// A page of at most `limit` rows (1 to [`Self::MOST`]) after a cursor.
    pub fn new(limit: Option<usize>, cursor: Option<String>) -> Result<Self, ViewError> {
        let limit = limit.unwrap_or(Self::LIMIT);
        if !(1..=Self::MOST).contains(&limit) {
            return Err(ViewError::query("limit", format!("must lie between 1 and {}", Self::MOST)));
        }
        if cursor.as_ref().is_some_and(|cursor| cursor.len() > 1_000) {
            return Err(ViewError::query("cursor", "is too long to be one of ours"));
        }
        Ok(Self { limit, cursor, today: None })
    }

    /// Every row there may be, for those who copy a view into a file.
    pub const fn whole() -> Self {
        Self { limit: 10_000_000, cursor: None, today: None }
    }

    /// The rows after one, of whose key `after` is told.
    pub(crate) fn from(limit: usize, after: Option<&impl Serialize>) -> Self {
        Self { limit, cursor: after.and_then(|key| Self::cursor(key)), today: None }
    }

    /// The same page, asked for on a day.
    #[must_use]
    pub(crate) fn asked_on(mut self, today: NaiveDate) -> Self {
        self.today = Some(today);
        self
    }

    /// The day of the question: that of `as_of`, else the one on which it is asked. What is dated later is no reason to take
    /// another day for today.
    pub(crate) const fn today(&self) -> Option<NaiveDate> {
        self.today
    }

    /// Whether the page begins after another one.
    pub(crate) const fn is_later(&self) -> bool {
        self.cursor.is_some()
    }

    /// How many rows to fetch: one more than are shown, to know whether there are more.
    pub const fn fetch(&self) -> usize {
        self.limit + 1
    }

    /// The key of the last row of the page before.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, ViewError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
        key.map(Some).ok_or_else(|| {
            ViewError::query("cursor", "is not a cursor of this view: take `next` from the page before")
        })
    }

    /// Cuts what was fetched down to the page; the cursor of the next page where there are more rows.
    pub fn cut<R, K: Serialize>(&self, rows: &mut Vec<R>, key: impl Fn(&R) -> K) -> Option<String> {
        if rows.len() <= self.limit {
            return None;
        }
        rows.truncate(self.limit);
        Self::cursor(&key(rows.last()?))
    }

    /// The cursor of the page after a row.
    pub(crate) fn cursor(key: &impl Serialize) -> Option<String> {
        serde_json::to_vec(key).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }
}
