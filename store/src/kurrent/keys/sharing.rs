//! Handing a key to the cluster before anything that is sealed with it.

use domain::AppendError;

use crate::{
    kurrent::{
        keys::{
            mirror::WrappedKey,
            streams::{DRAWN, id_of},
        },
        node::Node,
        wire::{
            events::{Expected, Proposed},
            trouble::{Trouble, not_done},
        },
    },
    recording::prepared::keys_failed,
};

/// Hands a key that waits here to the cluster; whether it is the one that stands in the cluster now.
pub(crate) async fn share_key(node: &Node, key: &WrappedKey) -> Result<bool, AppendError> {
    let name = node.names.key(key.name());
    let event = Proposed::of(id_of(key), DRAWN, key).map_err(|trouble| not_done(&trouble))?;
    match node.connection.append_surely(&name, Expected::Events(0), &[event]).await {
        Ok(_) => {
            // While it was on its way it may have been drawn for somebody who is erased by now.
            node.keys.adopt(std::slice::from_ref(key)).map_err(|error| keys_failed(&error))?;
            Ok(true)
        }
        Err(Trouble::Revision(_)) => {
            let found = node.connection.last_of(&name).await.map_err(|trouble| not_done(&trouble))?;
            let found = found.and_then(|found| serde_json::from_slice::<WrappedKey>(&found.data).ok());
            let found = found.ok_or_else(|| AppendError::Unavailable(format!("{name} cannot be read")))?;
            let is_ours = node.keys.is_waiting(&found);
            node.keys.adopt(&[found]).map_err(|error| keys_failed(&error))?;
            Ok(is_ours)
        }
        Err(Trouble::Destroyed) => {
            // Whose it is has been erased, and this node is about to learn of it: nothing is kept for them.
            let (owner, destroyed) = key.name();
            node.keys.destroy(owner, destroyed).map_err(|error| keys_failed(&error))?;
            Ok(false)
        }
        Err(trouble) => Err(not_done(&trouble)),
    }
}
