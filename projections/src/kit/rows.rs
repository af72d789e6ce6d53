//! The rows of an answer as a flat table of texts: for CSV, and for people at a terminal.

use std::fmt::Write as _;

use serde_json::Value;

/// A flat table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The names of the columns; members of nested objects are joined with a dot.
    pub columns: Vec<String>,
    /// The cells, as many in every row as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    /// The member `rows` of an answer, or the answer itself as one row.
    pub fn of(answer: &Value) -> Self {
        let single = [answer.clone()];
        let values = answer.get("rows").and_then(Value::as_array).map_or(&single[..], Vec::as_slice);
        let mut table = Self::default();
        for value in values {
            let mut cells = vec![String::new(); table.columns.len()];
            table.flatten("", value, &mut cells);
            table.rows.push(cells);
        }
        for row in &mut table.rows {
            row.resize(table.columns.len(), String::new());
        }
        table
    }

    fn flatten(&mut self, name: &str, value: &Value, cells: &mut Vec<String>) {
        match value {
            Value::Object(members) if money(value).is_none() && !members.is_empty() => {
                for (member, value) in members {
                    let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                    self.flatten(&name, value, cells);
                }
            }
            _ => {
                let column = self.columns.iter().position(|column| column == name).unwrap_or_else(|| {
                    self.columns.push(name.to_owned());
                    cells.push(String::new());
                    self.columns.len() - 1
                });
                cells[column] = text(value);
            }
        }
    }

    /// The table as CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe in
    /// front.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let safe = |row: &[String]| row.iter().map(|cell| harmless(cell)).collect::<Vec<_>>();
        // Writing into memory does not fail.
        let _ = writer.write_record(&self.columns);
        for row in &self.rows {
            let _ = writer.write_record(safe(row));
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula && !is_number_or_amount(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// Whether the whole cell is a number, or an amount with the code of its currency.
fn is_number_or_amount(cell: &str) -> bool {
    let (number, currency) = cell.split_once(' ').unwrap_or((cell, "XXX"));
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || b"-.e".contains(&byte));
    plain
        && number.parse::<f64>().is_ok()
        && currency.len() == 3
        && currency.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// How a single value is written in a cell.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let mut joined = String::new();
            for item in items {
                let separator = if joined.is_empty() { "" } else { "; " };
                // Writing into a String does not fail.
                let _ = write!(joined, "{separator}{}", text(item));
            }
            joined
        }
        other => money(other).unwrap_or_else(|| other.to_string()),
    }
}

fn money(value: &Value) -> Option<String> {
    serde_json::from_value::<domain::Money>(value.clone()).ok().map(|money| money.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_become_csv_that_no_spreadsheet_takes_for_a_formula() {
        let answer = json!({"rows": [
            {"name": "=1+1", "value": {"minor": -150, "currency": "USD"}, "tags": ["a", "b"], "rate": -0.5},
            {"name": "-1+1|cmd' /C calc'!A0"},
            {"name": "plain, with comma", "place": {"city": "Rome"}},
        ]});
        let csv = "name,value,tags,rate,place.city\r\n\
                   '=1+1,-1.50 USD,a; b,-0.5,\r\n\
                   '-1+1|cmd' /C calc'!A0,,,,\r\n\
                   \"plain, with comma\",,,,Rome\r\n";
        assert_eq!(Rows::of(&answer).to_csv(), csv);
    }
}
