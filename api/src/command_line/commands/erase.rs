//! `rapport erase`.

use std::process::ExitCode;

use anyhow::bail;
use axum::http::Method;
use chrono::SecondsFormat;
use clap::Args;
use domain::{Kind, StreamId};
use projections::LeftInView;
use serde_json::json;

use crate::{
    application::erasures::Certificate,
    command_line::{
        asking::{open, pretty},
        long_work::carry_out_with,
        shared::Shared,
        terminal::{bar, say},
    },
};

/// Forget a contact for good, and print the certificate: what was looked up in every file afterwards. Said again,
/// it only looks again.
#[derive(Args)]
#[command(after_help = "\
Example:
  rapport erase contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --ground request --rotate")]
pub(crate) struct Erase {
    /// Who: contact/ID. Also somebody who was never registered.
    #[arg(value_name = "contact/ID")]
    contact: StreamId,
    /// Why: `request`, `consent_withdrawn`, `retention`, `legal_obligation`, `unlawful` or `other`.
    #[arg(long, value_name = "GROUND", default_value = "request")]
    ground: String,
    /// Begin a new epoch of the keys as well, so that copies of the keys from before are useless.
    #[arg(long)]
    rotate: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Erase {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let Self { contact, ground, rotate, json: as_json } = self;
        if contact.kind != Kind::Contact {
            bail!(
                "{contact} is no contact: only contacts are erased; `void` takes back what was recorded in error"
            );
        }
        let client = open(shared).await?;
        let (json, id) = ("application/json", contact.id);
        let command = json!({ "erase": { "ground": ground } }).to_string().into_bytes();
        client.fetch(Method::POST, &format!("/commands/{}/{id}", contact.kind), json, command).await?;
        if rotate {
            let bar = bar(0, "wrapping keys anew {bar:30} {human_pos}/{human_len}  {eta}");
            carry_out_with(&client, "/admin/keys", bar, &json!({})).await?;
        }
        let answer = client.fetch(Method::GET, &format!("/erasures/{id}"), json, Vec::new()).await?;
        let certificate: Certificate = serde_json::from_str(&answer.text)?;
        say(&if as_json { pretty(&answer.text)? } else { rendered(&certificate) })?;
        Ok(if certificate.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The certificate for people.
fn rendered(certificate: &Certificate) -> String {
    let Certificate { contact, complete, still_to_do, event, position, fields, by, erased_at, keys, left } =
        certificate;
    let sum = |of: fn(&LeftInView) -> u64| left.views.iter().map(of).sum::<u64>();
    let epoch = keys.destroyed_in.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string());
    let ground = fields["ground"].as_str().unwrap_or("none that was said");
    let mut lines = vec![
        format!("Erased: contact/{contact}"),
        format!(
            "  by {by} at {}, on the ground of {ground}",
            erased_at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        ),
        format!("  event {event}, position {position}"),
        format!("Keys that still open something: {}", keys.living),
        format!(
            "Rows of views about what they said or were called: {}; in which anything is left: {}",
            sum(|view| view.rows),
            sum(|view| view.left)
        ),
        format!(
            "Snapshots: {}; rows in them in which anything is left: {}",
            sum(|view| view.snapshots),
            sum(|view| view.left_in_snapshots)
        ),
        format!("Files of the past: {}; of these begun before: {}", left.past, left.past_from_before),
    ];
    lines.push(if keys.older_copies_are_useless {
        format!("Copies of the keys from before: useless, since epoch {epoch} has ended")
    } else {
        format!(
            "Copies of the keys from before can still be opened with the key of epoch {epoch}, which exists: `rapport keys \
             rotate` ends it"
        )
    });
    lines.extend(still_to_do.iter().map(|sentence| format!("STILL TO DO: {sentence}")));
    if *complete {
        lines.push("Nothing is left of them in any file of the data folder.".to_owned());
    }
    lines.join("\n") + "\n"
}
