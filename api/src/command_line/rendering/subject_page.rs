//! What is held about somebody, as a page that they can read, print and file: without script, and complete in itself.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::application::subject::Held;

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
pub(crate) fn page(id: &str, held: &Held) -> Markup {
    let name =
        held.card["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("a contact without a name");
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
                p class="small" { (name) " · contact " (id) }
                p { "This is everything that is recorded about you, in the order of your card, your agreements, your \
                     conversations, and every single entry. What other people have said or are called is left out. \
                     The same is in the file data.json for machines, and your card in contact.vcf." }
                (card(&held.card))
                (consents(&held.card))
                (conversations(held))
                (events(held))
            }
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// A day and a time of day, as people read them.
fn when(value: &Value) -> String {
    text(value).chars().take(16).collect::<String>().replace('T', " ")
}

fn plain(word: &str) -> String {
    word.replace('_', " ")
}

fn card(card: &Value) -> Markup {
    html! {
        h2 { "Your card" }
        @if card.is_null() { p { "You are not registered yourself; others have mentioned you." } }
        table {
            @if !card.is_null() {
                tr { th { "name" } td { (text(&card["name"])) } }
                tr { th { "registered" } td { (when(&card["registered_at"])) } }
            }
            @for (detail, value) in card["details"].as_object().into_iter().flatten() {
                tr { th { (plain(detail)) } td { (text(value)) } }
            }
            @for identity in card["identities"].as_array().into_iter().flatten() {
                tr { th { (text(&identity["platform"])) } td {
                    (text(&identity["handle"])) @if identity["verified"] == true { " (verified)" }
                } }
            }
            @for tag in card["tags"].as_array().into_iter().flatten() {
                tr { th { "tag" } td { (text(tag)) } }
            }
            @for relationship in card["relationships"].as_array().into_iter().flatten() {
                tr { th { "relationship" } td {
                    (plain(&text(&relationship["relationship"]))) " · contact " (text(&relationship["contact"]))
                } }
            }
        }
    }
}

fn consents(card: &Value) -> Markup {
    html! {
        h2 { "What you have agreed to" }
        table {
            @for consent in card["consents"].as_array().into_iter().flatten() {
                tr {
                    th { (plain(&text(&consent["purpose"]))) ", " (plain(&text(&consent["channel"]))) }
                    td {
                        @if consent["in_force"] == true { "yes, since " (when(&consent["given_at"])) }
                        @else { "no" @if !consent["withdrawn_at"].is_null() { ", withdrawn " (when(&consent["withdrawn_at"])) } }
                        @if !consent["basis"].is_null() { " · basis: " (plain(&text(&consent["basis"]))) }
                        @if !text(&consent["proof"]).is_empty() { " · proof: " (text(&consent["proof"])) }
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
            p class="small" { (plain(&text(&conversation["channel"]))) ", since " (when(&conversation["began_at"])) }
            @for message in conversation["tree"].as_array().into_iter().flatten() { (self::message(message)) }
        }
    }
}

fn message(message: &Value) -> Markup {
    let at = if message["occurred_at"].is_null() { &message["recorded_at"] } else { &message["occurred_at"] };
    html! {
        div class="message" {
            span class="small" { (when(at)) ", " (plain(&text(&message["direction"]))) }
            @if message["withheld"].is_null() { blockquote { (text(&message["text"])) } }
            @else { p class="small" { "(" (text(&message["withheld"])) ")" } }
            @for reply in message["replies"].as_array().into_iter().flatten() { (self::message(reply)) }
        }
    }
}

fn events(held: &Held) -> Markup {
    html! {
        h2 { "Every entry" }
        table {
            @for event in &held.events {
                @let at = if event["occurred_at"].is_null() { &event["recorded_at"] } else { &event["occurred_at"] };
                tr {
                    th { (when(at)) }
                    td {
                        (text(&event["what"]))
                        @if !text(&event["detail"]).is_empty() { ": " (text(&event["detail"])) }
                        @if !text(&event["reason"]).is_empty() { br; span class="small" { "why: " (text(&event["reason"])) } }
                        br; span class="small" { "by " (text(&event["by"])) ", entry " (text(&event["position"])) }
                    }
                }
            }
        }
    }
}
