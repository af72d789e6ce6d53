//! `rapport erase`.

use std::process::ExitCode;

use anyhow::bail;
use axum::http::Method;
use clap::Args;
use domain::{Kind, StreamId};
use serde_json::{Value, json};

use crate::command_line::{
    asking::open,
    long_work::carry_out_with,
    shared::Shared,
    terminal::{bar, say},
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
        let certificate: Value = serde_json::from_str(&answer.text)?;
        say(&if as_json { format!("{certificate:#}\n") } else { told(&certificate) })?;
        Ok(if certificate["complete"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The certificate for people.
fn told(certificate: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (keys, rows) = (&certificate["keys"], certificate["views"].as_array());
    let sum = |name: &str| rows.into_iter().flatten().filter_map(|view| view[name].as_u64()).sum::<u64>();
    let mut lines = vec![
        format!("Erased: contact/{}", text(&certificate["contact"])),
        format!(
            "  by {} at {}, on the ground of {}",
            text(&certificate["by"]),
            text(&certificate["erased_at"]),
            text(&certificate["fields"]["ground"])
        ),
        format!("  event {}, position {}", text(&certificate["event"]), certificate["position"]),
        format!("Keys that still open something: {}", keys["living"]),
        format!(
            "Rows of views about what they said or were called: {}; in which anything is left: {}",
            sum("rows"),
            sum("left")
        ),
        format!(
            "Snapshots: {}; rows in them in which anything is left: {}",
            sum("snapshots"),
            sum("left_in_snapshots")
        ),
        format!(
            "Files of the past: {}; of these begun before: {}",
            certificate["past"], certificate["past_from_before"]
        ),
    ];
    lines.push(if keys["older_copies_are_useless"] == true {
        format!("Copies of the keys from before: useless, since epoch {} has ended", keys["destroyed_in"])
    } else {
        format!(
            "Copies of the keys from before can still be opened with the key of epoch {}, which exists: `rapport keys \
             rotate` ends it",
            keys["destroyed_in"]
        )
    });
    for sentence in certificate["still_to_do"].as_array().into_iter().flatten() {
        lines.push(format!("STILL TO DO: {}", text(sentence)));
    }
    if certificate["complete"] == true {
        lines.push("Nothing is left of them in any file of the data folder.".to_owned());
    }
    lines.join("\n") + "\n"
}
