//! `rapport keys`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::command_line::{
    long_work::carry_out_with,
    shared::Shared,
    terminal::{bar, say},
};

/// The keys that seal what is personal.
#[derive(Args)]
#[command(after_help = "Example:\n  rapport keys rotate")]
pub(crate) struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Begin a new epoch: wrap the living keys anew and destroy the old epoch key. Copies of the keys that were
    /// made before can then no longer bring back who was erased since.
    Rotate,
}

impl Keys {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let What::Rotate = self.what;
        let client = shared.open_existing().await?;
        let bar = bar(0, "wrapping keys anew {bar:30} {human_pos}/{human_len}  {eta}");
        let last = carry_out_with(&client, "/admin/keys", bar, &json!({})).await?;
        say(&format!("epoch {} has begun: {} keys wrapped anew\n", last["epoch"], last["rewrapped"]))?;
        Ok(ExitCode::SUCCESS)
    }
}
