//! Answers as people read them at a terminal: facts as lines, rows as a table.

use std::fmt::Write as _;

use projections::{Rows, Sheet};

/// The widest that a column is shown.
const WIDEST: usize = 100;

/// An answer as text.
pub(crate) fn text(sheet: &Sheet) -> String {
    let mut text = String::new();
    for (name, fact) in &sheet.facts {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name:<28} {}", number(fact));
    }
    if let Some(rows) = &sheet.rows {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table(rows));
    }
    // What the figures mean, and other lists, are read after the figures.
    for (name, rows) in &sheet.lists {
        let _ = write!(text, "\n{name}\n{}", table(rows));
    }
    if let Some(next) = &sheet.next {
        let _ = writeln!(text, "\nThere are more rows: add cursor={next}, or a larger limit=");
    }
    text
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
    use domain::{Currency, Money};
    use schemars::JsonSchema;
    use serde::Serialize;

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Answer {
        totals: Totals,
        rows: Vec<Row>,
        next: Option<&'static str>,
        definitions: Vec<Definition>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Totals {
        deals: u32,
        value: Vec<Money>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Row {
        group: &'static str,
        deals: u32,
        rate: Option<f64>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Definition {
        name: &'static str,
        is: Option<&'static str>,
    }

    #[test]
    fn an_answer_reads_well_at_a_terminal() {
        let answer = Answer {
            totals: Totals { deals: 8800, value: vec![Money::new(1_000_553_400, Currency::USD)] },
            rows: vec![
                Row { group: "Won", deals: 4238, rate: Some(0.631_498_9) },
                Row { group: "Engaging", deals: 1589, rate: None },
            ],
            next: Some("abc"),
            definitions: vec![Definition { name: "rate", is: None }],
        };
        insta::assert_snapshot!(text(&Sheet::of(&answer).unwrap()), @r"
        totals.deals                 8800
        totals.value                 10,005,534.00 USD

        group     deals    rate
        Won        4238  0.6315
        Engaging   1589

        definitions
        name
        rate

        There are more rows: add cursor=abc, or a larger limit=
        ");
    }
}
