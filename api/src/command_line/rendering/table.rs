//! Answers as people read them at a terminal: facts as lines, rows as a table.

use std::fmt::Write as _;

use projections::Rows;
use serde_json::Value;

/// The widest that a column is shown.
const WIDEST: usize = 100;

/// An answer as text.
pub(crate) fn text(answer: &Value) -> String {
    let mut text = String::new();
    let members = answer.as_object().into_iter().flatten();
    let (lists, single): (Vec<_>, Vec<_>) = members
        .filter(|(name, _)| !matches!(name.as_str(), "rows" | "next"))
        .partition(|(_, value)| value.as_array().is_some_and(|items| items.iter().any(Value::is_object)));
    for (name, value) in single {
        facts(&mut text, name, value);
    }
    if answer.get("rows").is_some_and(Value::is_array) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table(&Rows::of(answer)));
    }
    // What the figures mean, and other lists, are read after the figures.
    for (name, value) in lists {
        let _ = write!(text, "\n{name}\n{}", table(&Rows::of(&serde_json::json!({ "rows": value }))));
    }
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        // Writing into a String does not fail.
        let _ = writeln!(text, "\nThere are more rows: add cursor={next}, or a larger limit=");
    }
    text
}

/// One member of the answer beside its rows.
fn facts(text: &mut String, name: &str, value: &Value) {
    let rows = Rows::of(value);
    let Some(row) = rows.rows.first() else { return };
    for (column, cell) in rows.columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let name = if column.is_empty() { name.to_owned() } else { format!("{name}.{column}") };
        let _ = writeln!(text, "{name:<28} {}", number(cell));
    }
}

fn table(rows: &Rows) -> String {
    if rows.rows.is_empty() {
        return "(no rows)\n".to_owned();
    }
    let shown = |cell: &str| -> String {
        let cell = cell.split("; ").map(number).collect::<Vec<_>>().join("; ");
        if cell.chars().count() > WIDEST {
            cell.chars().take(WIDEST - 1).chain(['…']).collect()
        } else {
            cell
        }
    };
    let cells: Vec<Vec<String>> =
        rows.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let used: Vec<usize> =
        (0..rows.columns.len()).filter(|column| cells.iter().any(|row| !row[*column].is_empty())).collect();
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(rows.columns[column].chars().count())
    };
    let right = |column: usize| rows.rows.iter().all(|row| row[column].is_empty() || is_number(&row[column]));
    let widths: Vec<(usize, usize, bool)> =
        used.iter().map(|column| (*column, width(*column), right(*column))).collect();
    let mut text = String::new();
    let mut line = |cell: &dyn Fn(usize) -> String| {
        let mut line = String::new();
        for (column, width, right) in &widths {
            let cell = cell(*column);
            let _ = if *right { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&|column| rows.columns[column].clone());
    for row in &cells {
        line(&|column| row[column].clone());
    }
    text
}

/// Whether a cell is a number, or an amount with its currency.
fn is_number(cell: &str) -> bool {
    cell.split(' ').next().is_some_and(|first| first.parse::<f64>().is_ok())
}

/// A text without what would move the cursor, colour the screen or turn the reading direction.
pub(crate) fn tame(text: &str) -> String {
    let wild = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if wild(character) { '·' } else { character }).collect()
}

/// Whole parts of five digits and more in groups of three, long fractions shortened.
fn number(cell: &str) -> String {
    let cell = tame(cell);
    let cell = cell.as_str();
    let (digits, rest) = cell.split_once(' ').map_or((cell, ""), |(digits, rest)| (digits, rest));
    let plain = digits.strip_prefix('-').unwrap_or(digits);
    // Four decimals are enough for a person; amounts have fewer.
    let decimals = plain.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let rounded = plain.parse::<f64>().ok().filter(|_| decimals > 4).map(|number| format!("{number:.4}"));
    let plain = rounded.as_deref().unwrap_or(plain);
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let amount = rest.is_empty() || (rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_uppercase()));
    if whole.is_empty()
        || !all_digits(whole)
        || !all_digits(fraction)
        || !amount
        || whole.starts_with('0') && whole.len() > 1
    {
        return cell.to_owned();
    }
    // Years are not grouped.
    let groups = whole.len() > 4 || !rest.is_empty();
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if groups && index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if digits.starts_with('-') { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    let gap = if rest.is_empty() { "" } else { " " };
    format!("{sign}{grouped}{point}{fraction}{gap}{rest}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_reads_well_at_a_terminal() {
        let answer = json!({
            "totals": { "deals": 8800, "value": [{ "minor": 1_000_553_400, "currency": "USD" }] },
            "rows": [
                { "group": "Won", "deals": 4238, "rate": 0.631_498_9 },
                { "group": "Engaging", "deals": 1589, "rate": null },
            ],
            "next": "abc",
        });
        insta::assert_snapshot!(text(&answer), @r"
        totals.deals                 8800
        totals.value                 10,005,534.00 USD

        group     deals    rate
        Won        4238  0.6315
        Engaging   1589

        There are more rows: add cursor=abc, or a larger limit=
        ");
    }
}
