//! What every log does alike with an event: encoded, sealed and stamped on its way in, decoded on its way out.

pub(crate) mod clock;
pub(crate) mod decoded;
pub(crate) mod prepared;
pub(crate) mod stream_head;
