//! `rapport rebuild`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::command_line::{long_work::carry_out, shared::Shared, terminal::say};

/// Rebuild views beside those that serve, which go on until the new ones are there.
#[derive(Args)]
pub(crate) struct Rebuild {
    /// Names of views; all where none is given.
    names: Vec<String>,
}

impl Rebuild {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let last = carry_out(shared, "/admin/rebuild", "rebuilding", &json!({ "views": self.names })).await?;
        say(&format!("rebuilt through position {}\n", last["position"]))?;
        Ok(ExitCode::SUCCESS)
    }
}
