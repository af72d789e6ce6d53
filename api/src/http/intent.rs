//! What readers say about why they look at people, in two headers.

use axum::http::HeaderMap;
use domain::disclosure::{Manner, Purpose};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    operation::{Types, parameter, words},
    problem::Problem,
};
use crate::application::{Caller, disclosures::Intent};

/// What the reader looks for; one of the words of [`domain::disclosure::Purpose`].
pub(crate) const PURPOSE: &str = "rapport-purpose";
/// In which way the reader will use the answer: `read` or `export`.
pub(crate) const MANNER: &str = "rapport-manner";

/// The two headers, as the document has them.
pub(super) fn headers(types: &mut Types<'_>) -> [Value; 2] {
    let (purpose, manner) = (types.schema::<Purpose>(), words(&["read", "export"]));
    [
        parameter(PURPOSE, "header", false, &purpose, "what people are looked at for: recorded"),
        parameter(MANNER, "header", false, &manner, "whether they are taken away as a file"),
    ]
}

/// Reads the intent of somebody who looks.
pub(super) fn read_intent(caller: &Caller, headers: &HeaderMap) -> Result<Intent, Problem> {
    Ok(Intent::new(caller, read(headers, MANNER)?, read(headers, PURPOSE)?))
}

/// Reads the intent of somebody who takes a file away: that is always an export.
pub(super) fn read_intent_of_export(caller: &Caller, headers: &HeaderMap) -> Result<Intent, Problem> {
    Ok(Intent::new(caller, Some(Manner::Export), read(headers, PURPOSE)?))
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let word = Value::String(value.to_str().unwrap_or_default().to_owned());
    serde_json::from_value(word)
        .map(Some)
        .map_err(|error| Problem::malformed(error.to_string()).at(Some(name.to_owned())))
}
