//! A line of a batch: one command with its address, as `POST /commands` takes it.

use domain::{Kind, Source};
use serde_json::json;
use uuid::Uuid;

/// One command that a row asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLine {
    /// What kind of thing it is about.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// The name of the command.
    pub command: String,
    /// The whole line as JSON, without a line break; [`commands::BatchLine::parse`] reads it.
    pub json: String,
}

impl ImportLine {
    pub(crate) fn new(
        (kind, id): (Kind, Uuid),
        (command, fields): (&str, &str),
        occurred_at: Option<&str>,
        source: &Source,
    ) -> Self {
        let occurred_at = occurred_at.map(|moment| format!(",\"occurred_at\":{}", json!(moment)));
        let json = format!(
            "{{\"kind\":\"{kind}\",\"id\":\"{id}\",{}:{fields}{},\"source\":{}}}",
            json!(command),
            occurred_at.unwrap_or_default(),
            json!(source)
        );
        Self { kind, id, command: command.to_owned(), json }
    }
}
