//! Events as CloudEvents 1.0, for those who read the log itself.

use domain::{
    Keyring, Recorded,
    personal::{SEALED, SealedForm},
};
use serde_json::{Map, Value, json};

/// The event as a `CloudEvent`; what is personal is opened, or marked as erased.
pub(super) fn cloud_event(recorded: &Recorded, log: uuid::Uuid, keyring: &dyn Keyring) -> Option<Value> {
    let (tag, fields) = recorded.event.encode().ok()?;
    let mut data: Value = serde_json::from_str(&fields).ok()?;
    open(&mut data, keyring);
    let mut metadata = serde_json::to_value(recorded.metadata().ok()?).ok()?;
    open(&mut metadata, keyring);
    let mut event = json!({
        "specversion": "1.0",
        "id": recorded.id,
        "source": format!("urn:rapport:log:{log}"),
        "type": format!("rapport.{tag}.v1"),
        "subject": format!("{}/{}", recorded.stream.kind, recorded.stream.id),
        "time": recorded.happened_at(),
        "datacontenttype": "application/json",
        "position": recorded.position,
        "stream": recorded.stream,
        "revision": recorded.revision,
        "recordedtime": recorded.recorded_at,
        "by": recorded.by,
        "subjects": recorded.subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        "data": data,
    });
    if let (Some(event), Value::Object(metadata)) = (event.as_object_mut(), metadata) {
        let renamed =
            |name: &str| if name == "source" { "importedfrom".to_owned() } else { name.replace('_', "") };
        // Extensions of CloudEvents are flat and have names without underscores; `source` is the log itself.
        let flat = metadata.into_iter().map(|(name, value)| {
            let value = if value.is_object() { Value::String(value.to_string()) } else { value };
            (renamed(&name), value)
        });
        event.extend(flat);
    }
    Some(event)
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
    Some(
        clear
            .and_then(|clear| serde_json::from_slice(&clear).ok())
            .unwrap_or_else(|| json!({ "erased": true })),
    )
}
