//! Whether callers prove who they are.

/// Whether callers prove who they are, or stand in the data folder already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By a token or a session.
    Tokens,
    /// By having access to the socket, which only the owner of the folder has.
    Socket,
}
