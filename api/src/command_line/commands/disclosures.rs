//! `rapport disclosures`: who has seen whom.

use std::process::ExitCode;

use anyhow::bail;
use axum::http::Method;
use clap::Args;
use domain::{Kind, StreamId};
use projections::{
    Sheet,
    questions::disclosures::{self, DisclosureRow, View},
};

use crate::{
    client::Client,
    command_line::{
        asking::{ask_list, open},
        rendering::table,
        shared::Shared,
        terminal::{bar, say},
    },
};

/// How many disclosures are asked for at a time.
const PAGE: usize = 1_000;

/// Who has seen people, when, how and what for; or who has seen one contact. Lists that named nobody are asked again
/// as they were answered then.
#[derive(Args)]
#[command(after_help = "Example:\n  rapport disclosures contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11")]
pub(crate) struct Disclosures {
    /// contact/ID: who has seen this contact.
    #[arg(value_name = "contact/ID")]
    about: Option<StreamId>,
    /// How many of the latest lists are asked again at the most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Disclosures {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let client = open(shared).await?;
        let rows = match self.about {
            None => pages(&client, &[], self.limit as usize).await?.0,
            Some(StreamId { kind: Kind::Contact, id }) => self.of(&client, &id.to_string()).await?,
            Some(other) => bail!("{other} is no contact: only people are seen by somebody"),
        };
        let answer = View { rows, next: None };
        say(&if self.json {
            format!("{}\n", serde_json::to_string_pretty(&answer)?)
        } else {
            table::text(&Sheet::of(&answer)?)
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// Those in which a contact was named, and those lists that show it when they are asked again.
    async fn of(&self, client: &Client, id: &str) -> anyhow::Result<Vec<DisclosureRow>> {
        let (mut rows, _) = pages(client, &[("contact", id)], usize::MAX).await?;
        let (lists, more) = pages(client, &[("listed", "true")], self.limit as usize).await?;
        let bar = bar(lists.len() as u64, "asking again {bar:30} {pos}/{len}");
        for list in lists {
            if shows(client, &list, id).await? {
                rows.push(list);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if more {
            say("There are older lists that were not asked again: raise --limit.\n")?;
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.position));
        Ok(rows)
    }
}

/// Disclosures, the newest first, at most so many; whether there are more.
async fn pages(
    client: &Client,
    asked: &[(&str, &str)],
    limit: usize,
) -> anyhow::Result<(Vec<DisclosureRow>, bool)> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut pairs = vec![("limit", PAGE.to_string())];
        pairs.extend(asked.iter().map(|(name, value)| (*name, (*value).to_owned())));
        pairs.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let page = ask_list::<disclosures::Disclosures>(client, &pairs).await?;
        rows.extend(page.rows);
        cursor = page.next;
        if rows.len() >= limit || cursor.is_none() {
            let more = cursor.is_some() || rows.len() > limit;
            rows.truncate(limit);
            return Ok((rows, more));
        }
    }
}

/// Whether the same question, asked as of the same size of the log, names the contact.
async fn shows(client: &Client, disclosure: &DisclosureRow, id: &str) -> anyhow::Result<bool> {
    let (view, query) = (disclosure.view.as_str(), disclosure.query.as_str());
    if view == "events" {
        return events_show(client, disclosure, id).await;
    }
    let mut body = query.to_owned();
    if !query.split('&').any(|pair| pair.starts_with("known_at=")) {
        body += &format!("&known_at={}", disclosure.size);
    }
    let path = format!("/views/{view}");
    let answer = client.fetch(Method::POST, &path, "application/json", body.into_bytes()).await?;
    Ok(answer.text.contains(id))
}

/// Whether a stretch of the log that was read holds an event about the contact.
async fn events_show(client: &Client, disclosure: &DisclosureRow, id: &str) -> anyhow::Result<bool> {
    let query = disclosure.query.as_str();
    let value = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)).and_then(|value| value.parse::<u64>().ok())
    };
    let kind = query.split('&').find(|pair| pair.starts_with("kind="));
    let through = disclosure.size;
    let mut from = value("from=").unwrap_or_default();
    while from < through {
        let mut path = format!("/events?from={from}&subject={id}&limit=1");
        path.extend(kind.map(|kind| format!("&{kind}")));
        let found =
            client.fetch(Method::GET, &path, "application/cloudevents-batch+json", Vec::new()).await?;
        let next = found.next.as_deref().and_then(|next| next.parse::<u64>().ok()).unwrap_or(through);
        if found.text.contains(id) {
            return Ok(next <= through);
        }
        if next <= from {
            break;
        }
        from = next;
    }
    Ok(false)
}
