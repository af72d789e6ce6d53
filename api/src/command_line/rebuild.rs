//! `rapport rebuild`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Shared, check::upkeep, say};

/// Rebuild views beside those that serve, which go on until the new ones are there.
#[derive(Args)]
pub(super) struct Rebuild {
    /// Names of views; all where none is given.
    names: Vec<String>,
}

impl Rebuild {
    pub(super) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let last = upkeep(shared, "/upkeep/rebuild", "rebuilding", &json!({ "views": self.names })).await?;
        say(&format!("rebuilt through position {}\n", last["position"]))?;
        Ok(ExitCode::SUCCESS)
    }
}
