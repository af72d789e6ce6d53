//! The way to the servers: the only room that knows their client.

pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod events;
pub(crate) mod pause;
pub(crate) mod session;
pub(crate) mod timeout;
pub(crate) mod trouble;
