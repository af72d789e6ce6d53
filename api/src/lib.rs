//! THE DOORS: HTTP, the pages, and the command line, and the wiring behind them. No kind and no view is named
//! here outside the pages; they come from the registries.

mod clock;
pub mod command_line;
pub mod door;
pub mod http;
pub mod rapport;
pub mod server;
pub mod tokens;
mod whole_file;
pub mod witness;

pub use rapport::Rapport;
