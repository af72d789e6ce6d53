//! The document that all nodes share: who may come in. It is small, is written whole, and the cluster keeps its last
//! versions only.

use super::{
    connection::{Expected, Proposed, Raw, Trouble},
    node::Node,
    peers::{random, set_metadata},
};
use crate::log::Document;

/// How many versions the cluster keeps.
const KEPT: u64 = 10;
const WRITTEN: &str = "tokens.kept";

/// Reads it from the cluster.
pub(super) async fn read(node: &Node) -> Result<(), Trouble> {
    let found = node.connection.last_of(&node.names.document()).await?;
    node.document.send_replace(found.map(|raw| document(&raw)));
    Ok(())
}

/// Writes it, unless somebody else has written it since it was read; whether it was.
pub(super) async fn write(node: &Node, revision: u64, text: &str) -> Result<bool, Trouble> {
    let event = event(text)?;
    let id = event.id;
    let name = node.names.document();
    if revision == 0 {
        set_metadata(node, &name, &serde_json::json!({ "$maxCount": KEPT })).await?;
    }
    match node.connection.append_surely(&name, Expected::Events(revision), &[event]).await {
        Ok(_) => {}
        // It may be this very version, whose answer was lost.
        Err(Trouble::Revision(_)) => {
            let last = node.connection.last_of(&name).await?;
            if last.as_ref().is_none_or(|last| last.id != id) {
                node.document.send_replace(last.map(|raw| document(&raw)));
                return Ok(false);
            }
        }
        Err(trouble) => return Err(trouble),
    }
    node.document.send_replace(Some(Document { revision: revision + 1, text: text.to_owned() }));
    Ok(true)
}

/// A version of the document.
pub(super) fn event(text: &str) -> Result<Proposed, Trouble> {
    let data = serde_json::from_str::<&serde_json::value::RawValue>(text);
    let data = data.map_err(|error| Trouble::Refused(error.to_string()))?;
    Ok(Proposed { id: random(), tag: WRITTEN.to_owned(), data: data.to_owned(), metadata: None })
}

fn document(raw: &Raw) -> Document {
    Document { revision: raw.revision + 1, text: String::from_utf8(raw.data.clone()).unwrap_or_default() }
}
