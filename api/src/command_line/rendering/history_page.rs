//! A history as a page that people read, print and file: one file, no script, nothing from outside.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::StreamId;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use projections::{FieldChange, FieldValue, Shown, Step, Steps};

use super::steps::{happened_at, learnt_later, origin, reason, said_by, when};

/// What stands on the page.
pub(crate) struct Sheet<'a> {
    pub(crate) steps: &'a Steps,
    pub(crate) as_of: Option<&'a str>,
    pub(crate) known_at: Option<&'a str>,
    pub(crate) printed_by: &'a str,
    pub(crate) printed_at: DateTime<Utc>,
    /// The signed checkpoint of the ledger.
    pub(crate) checkpoint: String,
}

const STYLE: &str = include_str!("history_page.css");

/// The page.
pub(crate) fn page(sheet: &Sheet<'_>) -> Markup {
    let title = title(sheet.steps);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                title { "History of " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                // The head of a table is repeated on every printed page.
                table.sheet {
                    thead { tr { td { div.running { span { "History of " (title) } span { (sheet.steps.thing) } } } } }
                    tbody { tr { td { main { (content(sheet, &title)) } } } }
                }
            }
        }
    }
}

fn content(sheet: &Sheet<'_>, title: &str) -> Markup {
    let steps = sheet.steps;
    html! {
        header {
            p.kind { (capital(steps.thing.kind.word())) }
            h1 { "History of " (title) }
            p.soft { (moment_told(sheet)) }
        }
        (summary(steps))
        h2 { "What happened, in the order in which it was so" }
        (events(steps.thing, &in_order(&steps.rows)))
        @if steps.next.is_some() {
            p.notice { "There are more events than fit on one page: ask for an earlier moment for the rest." }
        }
        (foot(sheet))
    }
}

/// What the contact or thing is called.
fn title(steps: &Steps) -> String {
    match &steps.name {
        Some(Shown { text: Some(text), .. }) => text.clone(),
        Some(name) => format!("{} ({})", steps.thing.kind, name.instead().unwrap_or_default()),
        None => format!("{} {}", steps.thing.kind, short(&steps.thing.id.to_string())),
    }
}

/// As of when, in words.
fn moment_told(sheet: &Sheet<'_>) -> String {
    let size = sheet.steps.log.size;
    match (sheet.as_of, sheet.known_at) {
        (None, None) => format!("Everything that was recorded up to event {size} of the log."),
        (Some(as_of), None) => {
            format!("What had happened by {as_of}, as it was known at event {size} of the log.")
        }
        (None, Some(_)) => format!("What was recorded by {}.", known(sheet)),
        (Some(as_of), Some(_)) => {
            format!("What had happened by {as_of}, of what was recorded by {}.", known(sheet))
        }
    }
}

fn known(sheet: &Sheet<'_>) -> String {
    let size = sheet.steps.log.size;
    match sheet.known_at {
        Some(text) if text.parse::<u64>().is_err() => format!("{text} (event {size} of the log)"),
        _ => format!("event {size} of the log"),
    }
}

/// How everything stands, and how much there is.
fn summary(steps: &Steps) -> Markup {
    let corrections = steps.rows.iter().filter(|step| step.corrected.is_some()).count();
    let days = || steps.rows.iter().map(|step| happened_at(&step.row));
    let standing = || steps.standing.iter().filter(|field| !field.values.is_empty());
    // What is only so or not so needs no line of its own: tags, relations.
    let simply_so = |field: &&FieldValue| matches!(field.values.as_slice(), [Shown { text: Some(text), note: None, .. }] if text == "yes");
    let also: Vec<&str> = standing().filter(simply_so).map(|field| field.label.as_str()).collect();
    html! {
        section.card {
            dl {
                @for field in standing().filter(|field| !simply_so(field)) { (fact(field)) }
                @if !also.is_empty() { div { dt { "also" } dd { (also.join("; ")) } } }
                div {
                    dt { "events" }
                    dd {
                        (steps.rows.len())
                        @if let (Some(first), Some(last)) = (days().min(), days().max()) {
                            ", " (day(first)) " to " (day(last))
                        }
                        @if corrections > 0 { ", " (corrections) @if corrections == 1 { " of them a correction" } @else { " of them corrections" } }
                    }
                }
            }
        }
    }
}

fn fact(field: &FieldValue) -> Markup {
    html! { div { dt { (field.label) } dd { (values(&field.values)) } } }
}

/// The steps as they were so, not as they were learnt. What was learnt late about a thing stays behind what was
/// known of it: there every before is the after of the step above.
fn in_order(steps: &[Step]) -> Vec<&Step> {
    let mut latest: HashMap<StreamId, DateTime<Utc>> = HashMap::new();
    let timed = steps.iter().map(|step| {
        let latest = latest.entry(step.row.stream).or_insert(DateTime::<Utc>::MIN_UTC);
        *latest = (*latest).max(happened_at(&step.row));
        (*latest, step)
    });
    let mut timed: Vec<(DateTime<Utc>, &Step)> = timed.collect();
    timed.sort_by_key(|(at, step)| (*at, step.row.position));
    timed.into_iter().map(|(_, step)| step).collect()
}

/// Every event.
fn events(subject: StreamId, steps: &[&Step]) -> Markup {
    let numbers: HashMap<u64, usize> =
        steps.iter().zip(1..).map(|(step, number)| (step.row.position, number)).collect();
    let corrected_by: HashMap<u64, usize> = steps
        .iter()
        .zip(1..)
        .filter_map(|(step, number)| Some((step.corrected?.position.0, number)))
        .collect();
    html! {
        ol.events {
            @for (step, number) in steps.iter().zip(1..) {
                (event(subject, step, number, &numbers, corrected_by.get(&step.row.position).copied()))
            }
        }
    }
}

fn event(
    subject: StreamId,
    step: &Step,
    number: usize,
    numbers: &HashMap<u64, usize>,
    corrected_by: Option<usize>,
) -> Markup {
    let row = &step.row;
    let class = match (step.corrected, corrected_by) {
        (Some(_), _) => Some("correction"),
        (None, Some(_)) => Some("corrected"),
        (None, None) => None,
    };
    html! {
        li id={ "step-" (number) } class=[class] {
            div.when { span.number { (number) } time datetime=(happened_at(row).to_rfc3339()) { (when(happened_at(row))) } }
            div.what {
                h3 { (capital(&short_ids(&row.what))) }
                @if let Some(corrected) = step.corrected {
                    p.tie {
                        "Corrects "
                        (link(numbers.get(&corrected.position.0).copied(), &format!("what was said of {}", day(corrected.happened_at))))
                    }
                }
                @if let Some(by) = corrected_by { p.tie { "Corrected later by " (link(Some(by), "")) } }
                (changes(subject, &step.changes))
                (envelope(step))
            }
        }
    }
}

fn link(number: Option<usize>, otherwise: &str) -> Markup {
    html! {
        @match number {
            Some(number) => a href={ "#step-" (number) } { "no. " (number) },
            None => (otherwise),
        }
    }
}

/// On a page about somebody it goes without saying that something happened to them.
fn label(subject: StreamId, change: &FieldChange) -> &str {
    let words = change.field.strip_suffix(&format!(" {subject}")).map(str::len);
    let label = words.and_then(|length| change.label.get(..length)).unwrap_or(&change.label);
    if words.is_some() { label.strip_suffix(" of").unwrap_or(label) } else { label }
}

fn changes(subject: StreamId, changes: &[FieldChange]) -> Markup {
    html! {
        @if changes.is_empty() {
            p.soft { "Nothing on record changed." }
        } @else {
            table.changes {
                @for change in changes {
                    tr {
                        th scope="row" { (label(subject, change)) }
                        td { (change_told(change)) }
                    }
                }
            }
        }
    }
}

/// Before and after; of a set only what came and what went stands out.
fn change_told(change: &FieldChange) -> Markup {
    let FieldChange { before, after, unchanged, .. } = change;
    let parted = |wanted: bool, of: &[Shown], other: &[Shown]| -> Vec<Shown> {
        of.iter().filter(|value| other.contains(value) == wanted).cloned().collect()
    };
    let (kept, gone, new) =
        (parted(true, after, before), parted(false, before, after), parted(false, after, before));
    html! {
        @if *unchanged {
            (values(after)) " " span.soft { "(as before)" }
        } @else if before.is_empty() {
            ins { (values(after)) }
        } @else if after.is_empty() {
            del { (values(before)) } span.arrow { " → " } span.soft { "none" }
        } @else if kept.is_empty() || (gone.is_empty() && new.is_empty()) {
            del { (values(before)) } span.arrow { " → " } ins { (values(after)) }
        } @else {
            (values(&kept))
            @if !gone.is_empty() { "; " del { (values(&gone)) } }
            @if !new.is_empty() { "; " ins { (values(&new)) } }
        }
    }
}

/// Who says so, why, from where, and when it was learnt.
fn envelope(step: &Step) -> Markup {
    let row = &step.row;
    html! {
        p.envelope {
            span { "Said by " b { (said_by(row)) } }
            @if let Some(origin) = origin(row) { span { "from " (origin) } }
            @if row.occurred_at.is_some() && learnt_later(row) { span { "learnt " (day(row.recorded_at)) } }
            span.place { "event " (row.position) " of the log" }
        }
        @match reason(row) {
            Some(reason) if reason.is_empty() => p.reason { "Reason: " (erased()) },
            Some(reason) => p.reason { "Reason: " (reason) },
            None => {}
        }
    }
}

fn values(shown: &[Shown]) -> Markup {
    html! {
        @if shown.is_empty() { span.soft { "none" } }
        @for (index, value) in shown.iter().enumerate() {
            @if index > 0 { "; " }
            @match &value.text {
                Some(text) => span.value.long[text.len() > LONG] { (short_ids(text)) },
                None => em.erased { (value.instead().unwrap_or_default()) },
            }
            @if let Some(note) = &value.note { " " span.soft { "(" (note) ")" } }
        }
    }
}

/// From how many bytes on a value is a text to be read, not a word to be seen.
const LONG: usize = 80;

fn erased() -> Markup {
    html! { em.erased { "erased" } }
}

fn foot(sheet: &Sheet<'_>) -> Markup {
    let log = sheet.steps.log;
    html! {
        footer {
            h2 { "What this page rests on" }
            p {
                "Written for " b { (sheet.printed_by) } " on " (sheet.printed_at.format("%Y-%m-%d at %H:%M UTC")) " from the first "
                b { (log.size) } " events of the log " code { (log.id) } ". Times are UTC. Events are never changed: what was wrong is "
                "corrected by a later event, and both are shown. " (erased()) " stands where somebody asked to be forgotten."
            }
            p {
                "The checkpoint below was signed over every event of the log up to the number on its second line. Keep it "
                "with this page: whoever puts it into a file of its own can prove with "
                code { "rapport verify --checkpoint FILE" }
                " that the log still holds the same events in the same order as on that day."
            }
            pre { (sheet.checkpoint) }
        }
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The beginning of an id, which is enough to tell things apart on one page.
fn short(id: &str) -> String {
    format!("{}…", &id[..id.len().min(8)])
}

/// A text in which ids are shortened.
fn short_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && uuid::Uuid::try_parse(word).is_ok();
    let mut shortened = String::with_capacity(text.len());
    for word in text.split_inclusive([' ', ',', ';', ':']) {
        let bare = word.trim_end_matches([' ', ',', ';', ':']);
        if is_id(bare) {
            shortened += &short(bare);
            shortened += &word[bare.len()..];
        } else {
            shortened += word;
        }
    }
    shortened
}
