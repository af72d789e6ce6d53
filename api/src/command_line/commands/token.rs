//! `rapport token`.

use std::process::ExitCode;

use axum::http::Method;
use clap::{Args, Subcommand};
use domain::Role;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::Sheet;
use serde_json::json;

use crate::{
    command_line::{rendering::table, shared::Shared, terminal::say},
    http::{Granted, Tokens},
};

/// Let people and programs in, or put them out.
#[derive(Args)]
#[command(after_help = "Example:\n  rapport token create ann --role staff")]
pub(crate) struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Grant a token and print its secret, which is shown only this once.
    Create {
        /// Under which name their events are recorded.
        name: String,
        /// What they may do: admin, staff, fundraiser, auditor or intake.
        #[arg(long)]
        role: Role,
    },
    /// List who has a token.
    List,
    /// Take a token back; whoever bears it is out at once.
    Revoke {
        /// Whose.
        name: String,
    },
}

impl Token {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let client = shared.open(&shared.data).await?;
        let json = "application/json";
        match self.what {
            What::Create { name, role } => {
                let body = json!({ "name": name, "role": role }).to_string().into_bytes();
                let answer = client.fetch(Method::POST, "/tokens", json, body).await?;
                let Granted { token, .. } = serde_json::from_str(&answer.text)?;
                say(&format!("{token}\n"))?;
            }
            What::List => {
                let answer = client.fetch(Method::GET, "/tokens", json, Vec::new()).await?;
                let tokens: Tokens = serde_json::from_str(&answer.text)?;
                say(&table::text(&Sheet::of(&tokens)?))?;
            }
            What::Revoke { name } => {
                let path = format!("/tokens/{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
                client.fetch(Method::DELETE, &path, json, Vec::new()).await?;
                say("revoked\n")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
