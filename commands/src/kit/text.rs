//! Texts as commands may bring them: bounded, not blank, free of control characters.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// One line of text of 1 to `LIMIT` characters, blanks around it removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Line<const LIMIT: usize = 200>(String);

/// A text of 1 to 20,000 characters that may run over several lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Prose(String);

const PROSE_LIMIT: usize = 20_000;

impl<const LIMIT: usize> Line<LIMIT> {
    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Prose {
    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

fn checked(text: &str, limit: usize, allowed: fn(char) -> bool) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be blank".to_owned());
    }
    let length = text.chars().count();
    if length > limit {
        return Err(format!("may have at most {limit} characters, not {length}"));
    }
    if let Some(control) = text.chars().find(|character| character.is_control() && !allowed(*character)) {
        return Err(format!("must not hold the control character U+{:04X}", u32::from(control)));
    }
    Ok(text.to_owned())
}

impl<const LIMIT: usize> TryFrom<&str> for Line<LIMIT> {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        checked(text, LIMIT, |_| false).map(Self)
    }
}

impl TryFrom<&str> for Prose {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let allowed = |character| matches!(character, '\n' | '\r' | '\t');
        checked(text, PROSE_LIMIT, allowed).map(Self)
    }
}

impl<'de, const LIMIT: usize> Deserialize<'de> for Line<LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::try_from(text.as_ref()).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Prose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::try_from(text.as_ref()).map_err(D::Error::custom)
    }
}

impl<const LIMIT: usize> JsonSchema for Line<LIMIT> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Line{LIMIT}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": LIMIT})
    }
}

impl JsonSchema for Prose {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Prose".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": PROSE_LIMIT})
    }
}
