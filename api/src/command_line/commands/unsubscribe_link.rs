//! `rapport unsubscribe-link`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::Args;
use domain::{Kind, StreamId};
use serde_json::json;

use crate::{
    command_line::{shared::Shared, terminal::say},
    http::MadeLink,
};

/// Print the link by which a contact ends what they get, to be put into what is sent to them.
#[derive(Args)]
#[command(
    after_help = "Example:\n  rapport unsubscribe-link contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --purpose newsletter --channel email"
)]
pub(crate) struct UnsubscribeLink {
    /// Who is written to.
    #[arg(value_name = "contact/ID")]
    contact: String,
    /// For what: fundraising, newsletter, alerts, marketing or disclosure.
    #[arg(long)]
    purpose: String,
    /// Through which channel: any, email, phone, sms, post or social.
    #[arg(long)]
    channel: String,
}

impl UnsubscribeLink {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let contact: StreamId = self.contact.parse().context("whose link?")?;
        if contact.kind != Kind::Contact {
            bail!("only contacts are written to: give contact/ID");
        }
        let body = json!({ "contact": contact.id, "purpose": self.purpose, "channel": self.channel });
        let client = shared.open_existing().await?;
        let body = body.to_string().into_bytes();
        let answer = client.fetch(Method::POST, "/unsubscribe-links", "application/json", body).await?;
        let MadeLink { path } = serde_json::from_str(&answer.text)?;
        say(&format!("{path}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
