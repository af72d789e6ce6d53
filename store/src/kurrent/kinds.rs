//! The kinds of things that a log holds, as the cluster says: a program that does not know all of them is refused.

use serde::{Deserialize, Serialize};

use crate::kurrent::wire::events::{Raw, read_data};

/// What the log is, as the cluster says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kinds {
    pub(crate) kinds: Vec<String>,
}

/// The log holds what only a newer program knows.
#[derive(Debug, thiserror::Error)]
#[error("the log holds facts that this program does not know ({0}): use the newer program that wrote them")]
pub(crate) struct Newer(String);

/// Whatever this program has no kind for, it would leave out of every count without a word.
pub(crate) fn refuse_newer(raw: &Raw) -> Result<(), Newer> {
    let Some(Kinds { kinds }) = read_data(raw) else { return Ok(()) };
    let unknown: Vec<String> =
        kinds.into_iter().filter(|kind| kind.parse::<domain::Kind>().is_err()).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Newer(unknown.join(", "))) }
}
