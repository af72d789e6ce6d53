//! What tells a repetition from another command under the same key: what it says, by whichever door it came in and however it
//! was spaced. Members in another order make another command; nobody writes them in another order when they repeat.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Actor, EventId, Source};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What stands around a command.
#[derive(Debug, Serialize)]
pub(super) struct Around<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) occurred_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) day: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_behalf_of: Option<&'a Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) correlation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) causation: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a Source>,
}

/// SHA-256 of a command: its name, its fields as JSON, and what stands around it.
pub(super) fn hash(name: &str, fields: &str, around: &Around<'_>) -> serde_json::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    for part in [name, &without_blanks(fields), &serde_json::to_string(around)?] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().into())
}

/// A JSON text without the blanks between its parts. Those inside strings stay.
fn without_blanks(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let stays = |character: &char| {
        let is_blank = !inside && matches!(character, ' ' | '\t' | '\n' | '\r');
        if *character == '"' && !escaped {
            inside = !inside;
        }
        escaped = *character == '\\' && !escaped;
        !is_blank
    };
    json.chars().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_between_the_parts_are_left_out() {
        for (json, expected) in [
            (r#"{ "a" : [ 1 , 2 ] }"#, r#"{"a":[1,2]}"#),
            (r#"{"a": "b  \" : c\\" , "d": "\\\\\" e"}"#, r#"{"a":"b  \" : c\\","d":"\\\\\" e"}"#),
            ("{\n\t\"a\":\r\n\"\u{a0}\"}", "{\"a\":\"\u{a0}\"}"),
        ] {
            assert_eq!(without_blanks(json), expected);
        }
    }
}
