//! `rapport erase`.

use std::{io::IsTerminal as _, process::ExitCode};

use anyhow::bail;
use axum::http::{Method, StatusCode};
use chrono::SecondsFormat;
use clap::Args;
use domain::{Kind, StreamId};
use projections::{
    LeftInView,
    questions::contacts::{Card, Contacts, View},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    application::erasures::Certificate,
    client::Client,
    command_line::{
        asking::{open, pretty},
        long_work::carry_out_with,
        shared::Shared,
        terminal::{bar, say},
    },
};

/// Forget a person for good, with all contacts that are merged, and print the certificate: what was looked up in every
/// file afterwards. Said again, it only looks again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport erase contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11             shows who that is, and asks
  rapport erase contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --yes --ground request --rotate")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Erase {
    /// Who: contact/ID. Also somebody who was never registered and is only spoken of.
    #[arg(value_name = "contact/ID")]
    contact: StreamId,
    /// Why: `request`, `consent_withdrawn`, `retention`, `legal_obligation`, `unlawful` or `other`.
    #[arg(long, value_name = "GROUND", default_value = "request")]
    ground: String,
    /// Go on without being asked.
    #[arg(long)]
    yes: bool,
    /// Erase this contact alone, and leave those that are merged with it.
    #[arg(long)]
    only: bool,
    /// Begin a new epoch of the keys as well, so that copies of the keys from before are useless.
    #[arg(long)]
    rotate: bool,
    /// As JSON; a list where several contacts are erased.
    #[arg(long)]
    json: bool,
}

impl Erase {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let contact = self.contact;
        if contact.kind != Kind::Contact {
            bail!(
                "{contact} is no contact: only contacts are erased; `void` takes back what was recorded in error"
            );
        }
        let client = open(shared).await?;
        let card = card(&client, contact.id).await?;
        let chosen = match &card {
            Some(card) if !self.only && !card.parts.is_empty() => {
                card.parts.iter().map(|part| part.contact.0).collect()
            }
            _ => vec![contact.id],
        };
        if !self.yes {
            confirm(contact.id, card.as_ref(), &chosen)?;
        }
        let json = "application/json";
        for id in &chosen {
            let command = json!({ "erase": { "ground": self.ground } }).to_string().into_bytes();
            client.fetch(Method::POST, &format!("/commands/{}/{id}", contact.kind), json, command).await?;
        }
        if self.rotate {
            let bar = bar(0, "wrapping keys anew {bar:30} {human_pos}/{human_len}  {eta}");
            carry_out_with(&client, "/admin/keys", bar, &json!({})).await?;
        }
        let mut certificates = Vec::with_capacity(chosen.len());
        for id in &chosen {
            let answer = client.fetch(Method::GET, &format!("/erasures/{id}"), json, Vec::new()).await?;
            certificates.push(serde_json::from_str::<Certificate>(&answer.text)?);
        }
        say(&match certificates.as_slice() {
            [certificate] if self.json => pretty(&serde_json::to_string(certificate)?)?,
            several if self.json => pretty(&serde_json::to_string(several)?)?,
            several => several.iter().map(rendered).collect::<Vec<_>>().join("\n"),
        })?;
        let complete = certificates.iter().all(|certificate| certificate.complete);
        Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What is known of whoever is to be erased; nothing where they are only spoken of. Nobody at all is an error: a mistyped
/// id must not be certified as forgotten.
async fn card(client: &Client, id: Uuid) -> anyhow::Result<Option<Card>> {
    client.settle(|_, _| ()).await;
    match client.ask::<Contacts>(&[("id".to_owned(), id.to_string())]).await? {
        Some(View::Card(card)) => return Ok(Some(*card)),
        Some(View::Found(_)) | None => {}
    }
    let path = format!("/history/{}/{id}", Kind::Contact);
    let history = client.send(Method::GET, &path, "application/json", Vec::new()).await?;
    if history.status() == StatusCode::NOT_FOUND {
        bail!("nothing was erased: nobody is known as contact/{id}");
    }
    Ok(None)
}

/// Says who it is and what goes, and waits for a word; where nobody can be asked, nothing is done.
fn confirm(id: Uuid, card: Option<&Card>, chosen: &[Uuid]) -> anyhow::Result<()> {
    let name = card.and_then(|card| card.name.clone()).filter(|name| !name.is_empty());
    let called = name.clone().unwrap_or_else(|| "somebody without a name".to_owned());
    let mut lines = vec![format!("This forgets {called} for good:")];
    lines.extend(chosen.iter().map(|contact| {
        let part = card.and_then(|card| card.parts.iter().find(|part| part.contact.0 == *contact));
        let part = part.and_then(|part| part.name.clone()).filter(|name| !name.is_empty());
        format!("  contact/{contact}{}", part.map(|name| format!("  {name}")).unwrap_or_default())
    }));
    if chosen.len() > 1 {
        lines.push(format!("These {} contacts are merged: they are the same person.", chosen.len()));
    }
    let merged = card.map_or(0, |card| card.parts.len());
    if merged > chosen.len() {
        lines.push(format!("{} other contacts of the same person stay.", merged - chosen.len()));
    }
    lines.push(
        "Names, addresses, texts and reasons can be read by nobody afterwards, in no backup of the log either. What they \
         gave and attended stays, without saying whose it was."
            .to_owned(),
    );
    let lines = lines.join("\n");
    if !std::io::stdin().is_terminal() {
        bail!("{lines}\nNothing was erased: say --yes to go on");
    }
    let word = name.unwrap_or_else(|| id.to_string());
    say(&format!("{lines}\n\nType {word} to go on: "))?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    if typed.trim() == word.trim() { Ok(()) } else { bail!("nothing was erased") }
}

/// The certificate for people.
fn rendered(certificate: &Certificate) -> String {
    let Certificate {
        contact,
        others: _,
        complete,
        still_to_do,
        event,
        position,
        fields,
        by,
        erased_at,
        keys,
        left,
    } = certificate;
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
