//! An event exactly as it is stored: what a proof is about, and what a copy of the log carries over.

use crate::recorded::Position;

/// A stored event, borrowed from whoever reads it. Nothing is decoded and nothing opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its place in this log. Not part of the event: a copy of the log may have it elsewhere.
    pub position: Position,
    /// The name of its stream.
    pub stream: &'a str,
    /// Its number in its stream, from 1.
    pub revision: u64,
    /// Its id, 16 bytes.
    pub id: &'a [u8],
    /// Its tag.
    pub tag: &'a str,
    /// When it was so, in microseconds since 1970, where that was said.
    pub occurred_at: Option<i64>,
    /// The latest time of its stream up to it, in microseconds since 1970.
    pub effective_at: i64,
    /// When it was learnt, in microseconds since 1970.
    pub recorded_at: i64,
    /// Who wrote it.
    pub actor: &'a str,
    /// The contacts concerned, 16 bytes each.
    pub subjects: &'a [u8],
    /// The rarer parts of the envelope as JSON, personal values sealed.
    pub metadata: Option<&'a str>,
    /// The fields of the event as JSON, personal values sealed.
    pub data: &'a str,
}
