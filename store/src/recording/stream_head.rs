//! How far a stream has come.

/// The revision of a stream and the latest time in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) revision: u64,
    pub(crate) effective_at: i64,
}

impl Head {
    /// The head of a stream that holds nothing.
    pub(crate) const NONE: Self = Self { revision: 0, effective_at: i64::MIN };
}
