//! Steps of a journey as people read them at a terminal: what happened, and under it what that changed.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use domain::{Actor, StreamId, days::midnight};
use projections::{Comparison, FieldChange, HistoryRow, Shown, Step};

use super::table::tame;

/// The widest that a value is shown.
const WIDEST: usize = 300;

/// One step; where it happened to something else than what was asked for, it says to what.
pub(crate) fn step(step: &Step, asked: StreamId) -> String {
    let mut text = format!("{}  {}\n", when(happened_at(&step.row)), tame(&step.row.what));
    changes(&mut text, &step.changes, "    ");
    let mut line = |name: &str, value: &str| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "    {name}: {}", tame(value));
    };
    if let Some(corrected) = step.corrected {
        line("corrects", &format!("what was said of {}", when(corrected.happened_at)));
    }
    line("said by", &said_by(&step.row));
    if let Some(reason) = reason(&step.row) {
        line("because", &reason);
    }
    if let Some(origin) = origin(&step.row) {
        line("from", &origin);
    }
    if learnt_later(&step.row) {
        line("learnt", &when(step.row.recorded_at));
    }
    if step.row.stream != asked {
        line("of", &format!("{}/{}", step.row.stream.kind, step.row.stream.id));
    }
    text.push('\n');
    text
}

fn changes(text: &mut String, changes: &[FieldChange], indent: &str) {
    let width = changes.iter().map(|change| change.label.chars().count()).max().unwrap_or(0);
    for change in changes {
        let label = tame(&change.label);
        let rendered = if change.unchanged {
            format!("{} (as before)", values(&change.after))
        } else {
            format!("{} → {}", values(&change.before), values(&change.after))
        };
        // Writing into a String does not fail.
        let _ = writeln!(text, "{indent}{label:<width$}  {rendered}");
    }
}

/// Two moments compared.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    if comparison.things.is_empty() && comparison.rows.is_empty() {
        return "Nothing is different, and nothing happened between.\n".to_owned();
    }
    let mut text = String::new();
    for compared in &comparison.things {
        let name = compared.name.as_ref().map(|name| format!(" {}", value(name))).unwrap_or_default();
        // Writing into a String does not fail.
        let _ = writeln!(text, "{}/{}{name}", compared.thing.kind, compared.thing.id);
        changes(&mut text, &compared.changes, "    ");
        text.push('\n');
    }
    text += "Between:\n";
    for step in &comparison.rows {
        let _ = writeln!(
            text,
            "    {}  {}  [{}]",
            when(happened_at(&step.row)),
            tame(&step.row.what),
            said_by(&step.row)
        );
    }
    if comparison.more > 0 {
        let _ = writeln!(text, "    and {} more", comparison.more);
    }
    text
}

/// The values of a field.
pub(crate) fn values(values: &[Shown]) -> String {
    if values.is_empty() {
        return "—".to_owned();
    }
    values.iter().map(value).collect::<Vec<_>>().join("; ")
}

fn value(shown: &Shown) -> String {
    let text = match &shown.text {
        Some(text) => tame(text),
        None => shown.instead().map(|instead| format!("({instead})")).unwrap_or_default(),
    };
    let text = match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    match &shown.note {
        Some(note) => format!("{text} ({})", tame(note)),
        None => text,
    }
}

/// When it was so: as said, else when it was learnt. What was told as a day stands at its beginning, wherever that was.
pub(crate) fn happened_at(row: &HistoryRow) -> DateTime<Utc> {
    row.day.map(midnight).or(row.occurred_at).unwrap_or(row.recorded_at)
}

/// A moment; most sources know only days.
pub(crate) fn when(at: DateTime<Utc>) -> String {
    let text = at.format("%Y-%m-%d %H:%M").to_string();
    text.strip_suffix(" 00:00").map_or(text.clone(), str::to_owned)
}

/// Whether it was learnt on another day than it was so.
pub(crate) fn learnt_later(row: &HistoryRow) -> bool {
    row.recorded_at.date_naive() != happened_at(row).date_naive()
}

/// Who wrote it, in words.
pub(crate) fn said_by(row: &HistoryRow) -> String {
    let words = |actor: &str| match actor.parse::<Actor>() {
        Ok(Actor::Member(name)) => name,
        Ok(Actor::Policy(name)) => format!("the rule {name}"),
        Ok(Actor::Import(name)) => format!("the import {name}"),
        Err(_) => actor.to_owned(),
    };
    match &row.on_behalf_of {
        Some(whom) => format!("{}, for {}", words(&row.by), words(whom)),
        None => words(&row.by),
    }
}

/// Why, where that was said.
pub(crate) fn reason(row: &HistoryRow) -> Option<String> {
    let reason = row.reason.as_ref()?;
    Some(if reason.is_empty() { "(erased)".to_owned() } else { reason.clone() })
}

/// Which file and line an imported fact comes from.
pub(crate) fn origin(row: &HistoryRow) -> Option<String> {
    let source = row.source.as_ref()?;
    Some(match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("{file}, line {line}"),
        (Some(file), None) => file.clone(),
        (None, _) => source.clone(),
    })
}
