//! The document that all nodes share: who may come in. It is small, is written whole, and the cluster keeps its last
//! versions only.

use crate::{
    kurrent::{
        node::Node,
        wire::{
            connection::set_metadata,
            events::{Expected, Proposed, Raw, random},
            trouble::Trouble,
        },
    },
    log::Document,
};

/// How many versions the cluster keeps.
const KEPT: u64 = 10;
const WRITTEN: &str = "tokens.kept";

/// Reads it from the cluster.
pub(crate) async fn read(node: &Node) -> Result<(), Trouble> {
    if let Some(found) = node.connection.last_of(&node.names.document()).await? {
        replace(node, of(&found));
    }
    Ok(())
}

/// Takes note of a version, unless a newer one is known.
pub(crate) fn replace(node: &Node, document: Document) {
    node.document.send_if_modified(|known| {
        let is_newer = known.as_ref().is_none_or(|known| known.revision < document.revision);
        if is_newer {
            *known = Some(document);
        }
        is_newer
    });
}

/// Writes it, unless somebody else has written it since it was read; whether it was.
pub(crate) async fn write(node: &Node, revision: u64, text: &str) -> Result<bool, Trouble> {
    let event = event(text)?;
    let id = event.id;
    let name = node.names.document();
    if revision == 0 {
        set_metadata(&node.connection, &name, &kept()).await?;
    }
    match node.connection.append_surely(&name, Expected::Events(revision), &[event]).await {
        Ok(_) => {}
        // It may be this very version, whose answer was lost.
        Err(Trouble::Revision(_)) => {
            let last = node.connection.last_of(&name).await?;
            let is_ours = last.as_ref().is_some_and(|last| last.id == id);
            if let Some(last) = last.filter(|_| !is_ours) {
                replace(node, of(&last));
            }
            if !is_ours {
                return Ok(false);
            }
        }
        Err(trouble) => return Err(trouble),
    }
    replace(node, Document { revision: revision + 1, text: text.to_owned() });
    Ok(true)
}

/// What the cluster is told about how much of it is kept.
pub(crate) fn kept() -> serde_json::Value {
    serde_json::json!({ "$maxCount": KEPT })
}

/// A version of the document.
pub(crate) fn event(text: &str) -> Result<Proposed, Trouble> {
    let data = serde_json::from_str::<&serde_json::value::RawValue>(text);
    let data = data.map_err(|error| Trouble::Refused(error.to_string()))?;
    Ok(Proposed { id: random(), tag: WRITTEN.to_owned(), data: data.to_owned(), metadata: None })
}

/// The version that stands in an event.
pub(crate) fn of(raw: &Raw) -> Document {
    Document { revision: raw.revision + 1, text: String::from_utf8(raw.data.clone()).unwrap_or_default() }
}
