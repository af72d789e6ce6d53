//! What is held about somebody, for that person: a page to read, a vCard, and everything as JSON.

use std::{
    fs::{DirBuilder, OpenOptions, read_dir},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use axum::http::{Method, StatusCode};
use domain::{ContactId, Kind, StreamId};
use projections::Projection;

use crate::{
    application::subject::{self, Held, Source},
    client::Client,
    command_line::{
        asking::open,
        rendering::{subject_page, vcard},
        shared::Shared,
        terminal::say,
    },
};

impl Source for Client {
    async fn ask<P: Projection>(&self, parameters: &[(String, String)]) -> anyhow::Result<Option<P::View>> {
        Self::ask::<P>(self, parameters).await
    }
}

/// Writes the folder.
pub(super) async fn write(
    shared: &Shared,
    about: StreamId,
    folder: &Path,
    purpose: &str,
) -> anyhow::Result<ExitCode> {
    if about.kind != Kind::Contact {
        bail!("{about} is no contact: what is held about somebody is asked for by contact/ID");
    }
    let client = open(shared).await?.exporting(purpose);
    let contact = ContactId(about.id);
    let held = subject::gather(&client, contact).await?;
    refuse_erased(&client, contact).await?;
    keep(folder, contact, &held)?;
    // Whoever was erased while it was written is taken out again.
    if let Err(error) = refuse_erased(&client, contact).await {
        std::fs::remove_dir_all(folder)?;
        return Err(error);
    }
    say(&format!(
        "{} events and {} conversations of {about}: open {}\n",
        held.events.len(),
        held.conversations.len(),
        folder.join("index.html").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The certificate of an erasure is there for whoever was erased, and for nobody else.
async fn refuse_erased(client: &Client, contact: ContactId) -> anyhow::Result<()> {
    let path = format!("/erasures/{contact}");
    let answer = client.send(Method::GET, &path, "application/json", Vec::new()).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(()),
        StatusCode::OK => {
            bail!("contact/{contact} was erased: nothing is held about them; `rapport erase` says more")
        }
        status => {
            bail!("whether contact/{contact} was erased cannot be told ({status}): try again in a moment")
        }
    }
}

/// Writes the files, readable by their owner only, into a folder of their own.
fn keep(folder: &Path, contact: ContactId, held: &Held) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if read_dir(folder)?.next().is_some() {
        bail!("{} is not empty: name an empty folder or a new one", folder.display());
    }
    let page = subject_page::page(contact, held).into_string();
    let files = [
        ("data.json", format!("{:#}\n", held.document(contact)?)),
        ("contact.vcf", vcard::of(contact, held.card.as_ref())),
        ("index.html", page),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        file.sync_all()?;
    }
    Ok(())
}
