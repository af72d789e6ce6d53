//! THE DOORS: HTTP and the command line, and behind them the application that both share. No kind and no view is named
//! in HTTP; they come from the registries.
//!
//! `command_line` > `client`, `server` > `http` > `application`: nothing below knows what is above it.

pub mod application;
pub mod client;
pub mod command_line;
pub mod http;
pub mod server;

pub use application::{Rapport, rapport, tokens, witness};
