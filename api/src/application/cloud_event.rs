//! Events as CloudEvents 1.0, for those who read the log itself.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    Actor, EventId, Keyring, Kind, Position, Recorded, StreamId,
    personal::{SEALED, SealedForm},
    recorded::Metadata,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// An event of the log as a `CloudEvent`.
#[derive(Clone, Debug, Serialize)]
pub struct CloudEvent {
    #[serde(flatten)]
    envelope: Envelope,
    /// What happened: the fields of the event. What is personal is opened, or marked as erased.
    data: Value,
    #[serde(flatten)]
    extensions: Extensions,
}

/// What is known of every event.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CloudEvent_envelope")]
struct Envelope {
    /// The version of the specification: `1.0`.
    specversion: &'static str,
    /// The id of the event.
    id: EventId,
    /// The log: `urn:rapport:log:` and its id.
    source: String,
    /// What sort of event it is: `rapport.`, its tag, and `.v1`.
    #[serde(rename = "type")]
    name: String,
    /// The thing that it is about: kind and id.
    subject: String,
    /// When it was so.
    time: DateTime<Utc>,
    /// Always `application/json`.
    datacontenttype: &'static str,
    /// Its place in the log.
    position: Position,
    /// The stream of the thing.
    stream: StreamId,
    /// Its number in the stream, from 1.
    revision: u64,
    /// When it was learnt.
    recordedtime: DateTime<Utc>,
    /// Who wrote it: `member:ann`, `policy:route`, `import:maven-opportunities`.
    #[schemars(with = "String")]
    by: Actor,
    /// The contacts concerned, separated by commas.
    subjects: String,
}

/// What is known of some events. Extensions of `CloudEvents` are flat and have names without underscores; `source` is the
/// log itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CloudEvent_extensions")]
struct Extensions {
    /// For whom the writer acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    onbehalfof: Option<Actor>,
    /// Why, in the writer's own words; `{"erased":true}` where it was erased, `{"lost":true}` where its key is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where an imported fact comes from: JSON in a text, with `name`, and where known `file`, `line`, `zone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    importedfrom: Option<String>,
    /// What the event belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<Uuid>,
    /// The event that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    /// The day on which it was so, where it was told as a day; `time` is then its beginning where the organisation was.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<chrono::NaiveDate>,
}

impl CloudEvent {
    /// The event; none where it cannot be written as one.
    pub(super) fn of(recorded: &Recorded, log: Uuid, keyring: &dyn Keyring) -> Option<Self> {
        let (tag, fields) = recorded.event.encode().ok()?;
        let mut data: Value = serde_json::from_str(&fields).ok()?;
        open(&mut data, keyring);
        let envelope = Envelope {
            specversion: "1.0",
            id: recorded.id,
            source: format!("urn:rapport:log:{log}"),
            name: name(&tag),
            subject: format!("{}/{}", recorded.stream.kind, recorded.stream.id),
            time: recorded.happened_at(),
            datacontenttype: "application/json",
            position: recorded.position,
            stream: recorded.stream,
            revision: recorded.revision,
            recordedtime: recorded.recorded_at,
            by: recorded.by.clone(),
            subjects: recorded.subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let extensions = Extensions::of(recorded.metadata().ok()?, keyring)?;
        Some(Self { envelope, data, extensions })
    }

    /// What sort of event it is.
    pub fn name(&self) -> &str {
        &self.envelope.name
    }
}

impl Extensions {
    fn of(metadata: Metadata, keyring: &dyn Keyring) -> Option<Self> {
        let Metadata { on_behalf_of, reason, source, correlation, causation, day } = metadata;
        let reason = match reason {
            Some(reason) => {
                let mut reason = serde_json::to_value(reason).ok()?;
                open(&mut reason, keyring);
                Some(reason.as_str().map_or_else(|| reason.to_string(), str::to_owned))
            }
            None => None,
        };
        let importedfrom = source.map(|source| serde_json::to_string(&source)).transpose().ok()?;
        Some(Self { onbehalfof: on_behalf_of, reason, importedfrom, correlation, causation, day })
    }
}

/// What sort of event a tag stands for.
fn name(tag: &str) -> String {
    format!("rapport.{tag}.v1")
}

/// Replaces every sealed value by what it says.
fn open(value: &mut Value, keyring: &dyn Keyring) {
    match value {
        Value::Object(members) => match opened(members, keyring) {
            Some(opened) => *value = opened,
            None => members.values_mut().for_each(|member| open(member, keyring)),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| open(item, keyring)),
        _ => {}
    }
}

fn opened(members: &Map<String, Value>, keyring: &dyn Keyring) -> Option<Value> {
    let sealed: SealedForm = serde_json::from_value(members.get(SEALED)?.clone()).ok()?;
    let key = sealed.key.unwrap_or(sealed.subject.0);
    let clear = keyring.open(sealed.subject, key, &sealed.text);
    let clear = clear.and_then(|clear| serde_json::from_slice(&clear).ok());
    Some(clear.unwrap_or_else(|| {
        if keyring.is_destroyed(sealed.subject, key) {
            json!({ "erased": true })
        } else {
            json!({ "lost": true })
        }
    }))
}

impl JsonSchema for CloudEvent {
    fn schema_name() -> Cow<'static, str> {
        "CloudEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let around = [generator.subschema_for::<Envelope>(), generator.subschema_for::<Extensions>()];
        let events: Vec<Value> = Kind::ALL.iter().map(|kind| schema_of(*kind, generator)).collect();
        say_what_may_be_erased(generator);
        json_schema!({
            "description": "An event of the log. Its `type` says which fields its `data` has.",
            "type": "object",
            "allOf": around,
            "oneOf": events,
        })
    }
}

/// The events of a kind, each with its type and its fields, as a schema of its own; what refers to it.
fn schema_of(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let tagged = Value::from(kind.event_schema(generator));
    let mut events = Vec::new();
    for event in tagged["oneOf"].as_array().into_iter().flatten() {
        for (tag, fields) in event["properties"].as_object().into_iter().flatten() {
            events.push(json!({
                "description": event["description"],
                "type": "object",
                "properties": { "type": { "const": name(tag) }, "data": fields },
                "required": ["type", "data"],
            }));
        }
    }
    let own = format!("CloudEvent_{kind}");
    let reference = format!("#{}/{own}", generator.settings().definitions_path);
    generator.definitions_mut().insert(own, json!({ "oneOf": events }));
    json!({ "$ref": reference })
}

/// Where a personal value was erased, it is said in its place. Nothing but events has values of these types.
fn say_what_may_be_erased(generator: &mut SchemaGenerator) {
    let instead = |word: &str, description: &str| {
        json!({
            "description": description,
            "type": "object",
            "properties": { word: { "const": true } },
            "required": [word],
        })
    };
    let erased = instead("erased", "It was erased.");
    let lost = instead("lost", "Its key is gone, although nobody erased it.");
    for (name, personal) in generator.definitions_mut() {
        if name.starts_with("Personal_") {
            *personal = json!({ "anyOf": [personal, erased, lost] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_an_event_stand_in_their_order() {
        let at = DateTime::UNIX_EPOCH;
        let envelope = Envelope {
            specversion: "1.0",
            id: EventId(Uuid::nil()),
            source: "urn:rapport:log:1".into(),
            name: name("deal.won"),
            subject: "deal/1".into(),
            time: at,
            datacontenttype: "application/json",
            position: Position(7),
            stream: StreamId::new(Kind::Deal, Uuid::nil()),
            revision: 1,
            recordedtime: at,
            by: Actor::Member("ann".into()),
            subjects: String::new(),
        };
        let extensions = Extensions {
            onbehalfof: Some(Actor::Member("bea".into())),
            reason: Some("r".into()),
            importedfrom: Some(r#"{"name":"npsp"}"#.into()),
            correlation: None,
            causation: Some(EventId(Uuid::nil())),
            day: None,
        };
        let event = CloudEvent { envelope, data: json!({ "b": 1, "a": 2 }), extensions };
        let nil = Uuid::nil();
        let expected = format!(
            r#"{{"specversion":"1.0","id":"{nil}","source":"urn:rapport:log:1","type":"rapport.deal.won.v1","subject":"deal/1","time":"1970-01-01T00:00:00Z","datacontenttype":"application/json","position":7,"stream":"deal-{nil}","revision":1,"recordedtime":"1970-01-01T00:00:00Z","by":"member:ann","subjects":"","data":{{"b":1,"a":2}},"onbehalfof":"member:bea","reason":"r","importedfrom":"{{\"name\":\"npsp\"}}","causation":"{nil}"}}"#
        );
        assert_eq!(serde_json::to_string(&event).unwrap(), expected);
    }

    #[test]
    fn every_event_that_there_is_has_its_type_and_its_fields_in_the_schema() {
        let mut generator = SchemaGenerator::default();
        generator.subschema_for::<CloudEvent>();
        let text = serde_json::to_string(generator.definitions()).unwrap();
        for tag in Kind::ALL.iter().flat_map(|kind| kind.tags()) {
            assert_eq!(text.matches(&format!("\"const\":\"{}\"", name(tag))).count(), 1, "{tag}");
        }
    }
}
