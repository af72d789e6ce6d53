//! Whether the index can be relied on. Whoever finds that it cannot says so here; until it has been written again nothing is
//! looked up in it, since what it does not say would be taken for what is not there.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

use rusqlite::{Error, ffi};

use crate::sqlite::is_damaged;

/// How often the index was found damaged and written again: odd while it is damaged.
#[derive(Debug, Default)]
pub(crate) struct IndexWatch(AtomicU64);

impl IndexWatch {
    /// Looks something up, if the index can be relied on from the beginning of that to its end.
    pub(crate) fn consult<T>(&self, look: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let before = self.0.load(Acquire);
        if is_odd(before) {
            return Err(being_written());
        }
        let found = look();
        if found.as_ref().is_err_and(is_damaged) {
            // Where two find it at once, one of them has said it.
            let _ = self.0.compare_exchange(before, before + 1, AcqRel, Acquire);
        }
        if self.0.load(Acquire) == before { found } else { Err(being_written()) }
    }

    /// Whether it waits to be written again.
    pub(crate) fn is_damaged(&self) -> bool {
        is_odd(self.0.load(Acquire))
    }

    /// Takes note that it has been written again.
    pub(crate) fn note_whole(&self) {
        let damaged = self.0.load(Acquire);
        if is_odd(damaged) {
            let _ = self.0.compare_exchange(damaged, damaged + 1, AcqRel, Acquire);
        }
    }
}

const fn is_odd(number: u64) -> bool {
    number % 2 == 1
}

fn being_written() -> Error {
    let text = "the index was damaged and is written again: ask again in a moment";
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use rusqlite::ErrorCode;

    use super::*;
    use crate::embedded::index::damaged;

    #[test]
    fn nothing_is_looked_up_from_the_first_damage_until_the_index_is_whole_again() {
        let watch = IndexWatch::default();
        assert_eq!(watch.consult(|| Ok(1)).unwrap(), 1);
        let error = watch.consult(|| Err::<(), _>(damaged("a row is missing"))).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
        assert!(watch.consult(|| Ok(1)).is_err());
        watch.note_whole();
        assert_eq!(watch.consult(|| Ok(1)).unwrap(), 1);
    }

    #[test]
    fn what_was_looked_up_while_it_turned_out_to_be_damaged_does_not_count() {
        let watch = IndexWatch::default();
        let found = watch.consult(|| {
            let _ = watch.consult(|| Err::<(), _>(damaged("a row is missing")));
            Ok(1)
        });
        assert!(found.is_err());
    }
}
