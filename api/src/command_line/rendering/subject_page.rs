//! What is held about somebody, as a page that they can read, print and file: without script, and complete in itself.

use chrono::{DateTime, Utc};
use domain::ContactId;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use projections::questions::{contacts::Card, conversations::MessageRow};
use serde::Serialize;
use serde_json::Value;

use super::steps;
use crate::application::subject::{Held, SAID_BY_OTHERS};

const STYLE: &str = "
    body { font: 16px/1.5 Georgia, 'Times New Roman', serif; color: #1a1a1a; max-width: 46rem; margin: 2rem auto;
           padding: 0 1rem; }
    h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #999; }
    table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
           border-bottom: 1px solid #ddd; } th { font-weight: normal; color: #555; white-space: nowrap; }
    blockquote { margin: .2rem 0 .2rem 1rem; white-space: pre-wrap; } .small { color: #555; font-size: .85rem; }
    .message { margin: .6rem 0 .6rem 1rem; border-left: 2px solid #ccc; padding-left: .8rem; }
    @media print { body { margin: 0; max-width: none; font-size: 11pt; } tr, .message { break-inside: avoid; }
           h2 { break-after: avoid; } }";

/// The page.
pub(crate) fn page(contact: ContactId, held: &Held) -> Markup {
    let name = held.card.as_ref().and_then(|card| card.name.as_deref()).filter(|name| !name.is_empty());
    let name = name.unwrap_or("a contact without a name");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "What we hold about you" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "What we hold about you" }
                p class="small" { (name) " · contact " (contact) }
                p { "This is everything that is recorded about you, in the order of your card, your agreements, your \
                     conversations, and every single entry. What other people have said or are called is left out. \
                     The same is in the file data.json for machines, and your card in contact.vcf." }
                (card(held.card.as_ref()))
                (consents(held.card.as_ref()))
                (conversations(held))
                (events(held))
            }
        }
    }
}

/// A day and a time of day, as people read them.
fn when(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn maybe_when(at: Option<DateTime<Utc>>) -> String {
    at.map(when).unwrap_or_default()
}

/// One word of a closed list, as people read it.
fn plain(word: impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(Value::String(word)) => word.replace('_', " "),
        // Closed lists are written as words.
        Ok(_) | Err(_) => String::new(),
    }
}

fn card(card: Option<&Card>) -> Markup {
    let Some(card) = card else {
        return html! {
            h2 { "Your card" }
            p { "You are not registered yourself; others have mentioned you." }
            table {}
        };
    };
    html! {
        h2 { "Your card" }
        table {
            tr { th { "name" } td { (card.name.as_deref().unwrap_or_default()) } }
            tr { th { "registered" } td { (when(card.registered_at)) } }
            @for (detail, value) in &card.details {
                tr { th { (plain(detail)) } td { (value) } }
            }
            @for identity in &card.identities {
                tr { th { (identity.platform) } td {
                    (identity.handle) @if identity.verified { " (verified)" }
                } }
            }
            @for tag in &card.tags {
                tr { th { "tag" } td { (tag) } }
            }
            @for relationship in &card.relationships {
                tr { th { "relationship" } td {
                    (plain(relationship.kind)) " · contact " (relationship.contact)
                } }
            }
        }
    }
}

fn consents(card: Option<&Card>) -> Markup {
    html! {
        h2 { "What you have agreed to" }
        table {
            @for consent in card.into_iter().flat_map(|card| &card.consents) {
                tr {
                    th { (plain(consent.purpose)) ", " (plain(consent.channel)) }
                    td {
                        @if consent.in_force { "yes, since " (maybe_when(consent.given_at)) }
                        @else { "no" @if let Some(at) = consent.withdrawn_at { ", withdrawn " (when(at)) } }
                        @if let Some(basis) = consent.basis { " · basis: " (plain(basis)) }
                        @if let Some(proof) = consent.proof.as_deref().filter(|proof| !proof.is_empty()) { " · proof: " (proof) }
                    }
                }
            }
        }
    }
}

fn conversations(held: &Held) -> Markup {
    html! {
        h2 { "Conversations" }
        @for conversation in &held.conversations {
            p class="small" { (plain(conversation.row.channel)) ", since " (when(conversation.row.began_at)) }
            @for message in &conversation.tree { (self::message(message, held)) }
        }
    }
}

fn message(message: &MessageRow, held: &Held) -> Markup {
    html! {
        div class="message" {
            span class="small" { (when(message.occurred_at.unwrap_or(message.recorded_at))) ", " (plain(message.direction)) }
            @if held.withheld.contains(&message.message) { p class="small" { "(" (SAID_BY_OTHERS) ")" } }
            @else { blockquote { (message.text.as_deref().unwrap_or_default()) } }
            @for reply in &message.replies { (self::message(reply, held)) }
        }
    }
}

fn events(held: &Held) -> Markup {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    html! {
        h2 { "Every entry" }
        table {
            @for row in held.events.iter().map(|event| &event.row) {
                tr {
                    th { (steps::when(steps::happened_at(row))) }
                    td {
                        (row.what)
                        @if let Some(detail) = given(&row.detail) { ": " (detail) }
                        @if let Some(reason) = given(&row.reason) { br; span class="small" { "why: " (reason) } }
                        br; span class="small" { "by " (row.by) ", entry " (row.position) }
                    }
                }
            }
        }
    }
}
