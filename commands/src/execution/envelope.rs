//! How commands are read from JSON: one member named after the command, and around it what comes with it.

use std::fmt;

use domain::{Actor, EventId, Source, days::midnight, moment::Told};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    command::{BatchLine, Body, Fields, Form, KEY_LIMIT, Malformed},
    repetition::{self, Around},
};
use crate::kit::text::{Line, Prose};

impl Body {
    /// Reads the body of a single command.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        let envelope: Envelope = parse(json)?;
        if envelope.kind.is_some()
            || envelope.id.is_some()
            || envelope.key.is_some()
            || envelope.if_match.is_some()
        {
            return Err(Malformed {
                field: None,
                message: "`kind`, `id`, `key` and `if_match` belong to the lines of a batch; here they stand in the \
                          URL and in the headers Idempotency-Key and If-Match"
                    .to_owned(),
            });
        }
        envelope.into_body()
    }
}

impl BatchLine {
    /// Reads one line of a batch.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        let mut envelope: Envelope = parse(json)?;
        let missing = |field: &str| Malformed {
            field: Some(field.to_owned()),
            message: format!("`{field}` is missing: every line of a batch names its kind and id"),
        };
        let kind = envelope.kind.take().ok_or_else(|| missing("kind"))?;
        let kind = kind.as_str().parse().map_err(|error: domain::event::NotAKind| Malformed {
            field: Some("kind".to_owned()),
            message: error.to_string(),
        })?;
        let id = envelope.id.take().ok_or_else(|| missing("id"))?;
        let (key, if_match) = (envelope.key.take().map(Line::into_string), envelope.if_match.take());
        Ok(Self { kind, id, key, if_match, body: envelope.into_body()? })
    }
}

fn parse(json: &[u8]) -> Result<Envelope, Malformed> {
    let text = std::str::from_utf8(json).map_err(|error| Malformed {
        field: None,
        message: format!("is not UTF-8 after byte {}", error.valid_up_to()),
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let envelope = serde_path_to_error::deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(|error| Malformed { field: None, message: error.to_string() })?;
    Ok(envelope)
}

/// The error of a deserializer with the path to the field at fault.
pub(super) fn malformed(error: serde_path_to_error::Error<serde_json::Error>) -> Malformed {
    let path = error.path().to_string();
    let mut message = error.into_inner().to_string();
    // Places in a text that was put together on the way would only mislead; the path says where it is.
    if let Some(place) = message.rfind(" at line ") {
        message.truncate(place);
    }
    Malformed { field: (path != ".").then_some(path), message }
}

/// Everything that may stand around a command; the one member that is none of these is the command.
#[derive(Default)]
struct Envelope {
    command: Option<(String, Box<RawValue>)>,
    occurred_at: Option<Told>,
    reason: Option<Prose>,
    on_behalf_of: Option<Actor>,
    correlation: Option<Uuid>,
    causation: Option<EventId>,
    source: Option<Source>,
    kind: Option<String>,
    id: Option<Uuid>,
    key: Option<Line<KEY_LIMIT>>,
    if_match: Option<u64>,
}

impl Envelope {
    fn into_body(self) -> Result<Body, Malformed> {
        let (name, fields) = self.command.ok_or_else(|| Malformed {
            field: None,
            message: "the command is missing: expected one member named after it, for example {\"qualify\": \
                      {\"score\": 80}}"
                .to_owned(),
        })?;
        if let Some(source) = &self.source {
            check_source(source)?;
        }
        let reason = self.reason.map(Prose::into_string);
        let (occurred_at, day) = match self.occurred_at {
            Some(Told::Moment(moment)) => (Some(moment), None),
            Some(Told::Day(day)) => (Some(midnight(day)), Some(day)),
            None => (None, None),
        };
        let around = Around {
            occurred_at,
            day,
            reason: reason.as_deref(),
            on_behalf_of: self.on_behalf_of.as_ref(),
            correlation: self.correlation,
            causation: self.causation,
            source: self.source.as_ref(),
        };
        let hash = repetition::hash(&name, fields.get(), &around);
        let hash = hash.map_err(|error| Malformed { field: None, message: error.to_string() })?;
        Ok(Body {
            name,
            fields: Fields(Form::Json(fields)),
            occurred_at,
            day,
            begins_at: None,
            reason,
            on_behalf_of: self.on_behalf_of,
            correlation: self.correlation,
            causation: self.causation,
            source: self.source,
            hash,
        })
    }
}

/// Whether the texts of a source are such as a command may bring.
pub(super) fn check_source(source: &Source) -> Result<(), Malformed> {
    let texts = [
        ("source.name", Some(&source.name)),
        ("source.file", source.file.as_ref()),
        ("source.zone", source.zone.as_ref()),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            let malformed =
                |message: &str| Malformed { field: Some(field.to_owned()), message: message.to_owned() };
            let checked = Line::<{ Actor::LIMIT }>::try_from(text.as_str());
            let checked = checked.map_err(|message| malformed(&message))?;
            // Kept as it was sent, so what a line would leave off must not be there.
            if checked.as_str() != text {
                return Err(malformed("must not begin or end with blanks"));
            }
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object with one command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "occurred_at" => put(&mut envelope.occurred_at, &name, Some(map.next_value()?))?,
                "reason" => put(&mut envelope.reason, &name, map.next_value()?)?,
                "on_behalf_of" => put(&mut envelope.on_behalf_of, &name, map.next_value()?)?,
                "correlation" => put(&mut envelope.correlation, &name, map.next_value()?)?,
                "causation" => put(&mut envelope.causation, &name, map.next_value()?)?,
                "source" => put(&mut envelope.source, &name, map.next_value()?)?,
                "kind" => put(&mut envelope.kind, &name, map.next_value()?)?,
                "id" => put(&mut envelope.id, &name, map.next_value()?)?,
                "key" => put(&mut envelope.key, &name, map.next_value()?)?,
                "if_match" => put(&mut envelope.if_match, &name, map.next_value()?)?,
                _ => {
                    if let Some((first, _)) = &envelope.command {
                        return Err(A::Error::custom(format!(
                            "`{first}` and `{name}` cannot both be the command: send one at a time"
                        )));
                    }
                    envelope.command = Some((name, map.next_value()?));
                }
            }
        }
        Ok(envelope)
    }
}

/// Keeps a member of the envelope, unless it was there already.
fn put<E: serde::de::Error, T>(place: &mut Option<T>, name: &str, value: Option<T>) -> Result<(), E> {
    if place.is_some() {
        return Err(E::custom(format!("`{name}` stands there twice")));
    }
    *place = value;
    Ok(())
}
