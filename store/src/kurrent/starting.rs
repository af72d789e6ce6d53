//! What a node does before it begins to follow the log: its id, its index, and what the others last said.

use uuid::Uuid;

use crate::{
    folder::{data_folder::DataFolder, private_files::write_durably},
    kurrent::{
        node::Node,
        node_index::{NodeIndex, Reach},
        peer::{ANNOUNCED, Announcement, Peer},
        wire::{connection::set_metadata, events::random},
    },
    open_error::OpenError,
    recording::clock::ANSWER_LIFE,
    sealing::{key_error::KeyError, keys::Keys},
};

/// How many announcements of other nodes are looked at when a node begins.
const ANNOUNCEMENTS: usize = 200;
/// The file in which a node keeps its id.
const NODE_FILE: &str = "node.id";

/// The index of a node, and how far it reaches: no further than the copy of the keys. Where that was lost, or is an
/// older one, everything is followed again from the beginning.
pub(crate) fn open_index(folder: &DataFolder, keys: &Keys) -> Result<(NodeIndex, Reach), OpenError> {
    let (file, log) = (folder.index_file(), folder.log_id());
    let fail = |error| OpenError::Database { path: folder.index_file(), source: error };
    let index = NodeIndex::open(&file, log)?;
    let reach = index.reach().map_err(fail)?;
    let unreadable =
        |error: KeyError| OpenError::Keys { path: folder.keys_file(), reason: error.to_string() };
    let carried_out = keys.carried_out().map_err(unreadable)?.filter(|mark| mark.log == log);
    if reach.position == 0 || carried_out.is_some_and(|mark| mark.position >= reach.position) {
        return Ok((index, reach));
    }
    tracing::warn!(
        "the copy of the keys does not go as far as the index; the log is followed from its beginning"
    );
    drop(index);
    let index = NodeIndex::begin_anew(&file, log)?;
    let reach = index.reach().map_err(fail)?;
    Ok((index, reach))
}

/// What the other nodes last said, so that this one knows of them before they speak again.
pub(crate) async fn hear_others(node: &Node) {
    let Ok(said) = node.connection.newest_of_all(ANNOUNCEMENTS, &node.names.of_nodes()).await else { return };
    let now = node.clock.now();
    node.peers.send_modify(|known| {
        for raw in said.iter().rev().filter(|raw| raw.tag == ANNOUNCED) {
            if let Ok(announcement) = serde_json::from_slice::<Announcement>(&raw.data) {
                let peer = Peer::heard_of(announcement, now);
                known.insert(peer.node, peer);
            }
        }
    });
}

/// Answers are asked for within a day; after that the cluster may forget them.
pub(crate) async fn keep_answers_a_day(node: &Node) {
    let metadata = serde_json::json!({ "$maxAge": ANSWER_LIFE / 1_000_000 });
    let name = node.names.answers();
    if matches!(node.connection.last_of(&format!("$${name}")).await, Ok(Some(_))) {
        return;
    }
    if let Err(trouble) = set_metadata(&node.connection, &name, &metadata).await {
        tracing::warn!(%trouble, "answers to commands that changed nothing are kept for longer than a day");
    }
}

/// The id of a node, drawn when its folder is first used.
pub(crate) fn node_id(folder: &DataFolder) -> Result<Uuid, OpenError> {
    let file = folder.path().join(NODE_FILE);
    if let Ok(text) = std::fs::read_to_string(&file) {
        let unreadable =
            |_| OpenError::Unreadable { file: file.clone(), reason: "it holds no id".to_owned() };
        return text.trim().parse().map_err(unreadable);
    }
    let id = random();
    write_durably(&file, id.to_string().as_bytes())?;
    Ok(id)
}
