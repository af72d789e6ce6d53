//! Rows as a flat table of texts: for CSV, and for people at a terminal.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    columns::{Column, Shape},
    error::AnswerError,
};

/// A flat table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The names of the columns; members of nested objects are joined with a dot.
    pub columns: Vec<String>,
    /// The cells, as many in every row as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    /// The rows of a type, whichever there are.
    pub fn of<T: Serialize + JsonSchema>(rows: &[T]) -> Result<Self, AnswerError> {
        let columns = Shape::of::<T>().columns()?;
        let values: Result<Vec<Value>, _> = rows.iter().map(serde_json::to_value).collect();
        Ok(Self::under(&columns, &values?))
    }

    /// Values under the columns of their type.
    pub(super) fn under(columns: &[Column], values: &[Value]) -> Self {
        let cells = |value: &Value| {
            columns.iter().map(|column| column.cell(value).map_or_else(String::new, text)).collect()
        };
        Self {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            rows: values.iter().map(cells).collect(),
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
pub(super) fn text(value: &Value) -> String {
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
    use domain::{Currency, Money};

    use super::*;

    #[derive(Default, Serialize, JsonSchema)]
    struct Row {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
        tags: Vec<&'static str>,
        rate: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Place {
        city: &'static str,
    }

    #[test]
    fn rows_become_csv_that_no_spreadsheet_takes_for_a_formula() {
        let row = |name: &str| Row { name: name.to_owned(), ..Row::default() };
        let rows = [
            Row {
                value: Some(Money::new(-150, Currency::USD)),
                tags: vec!["a", "b"],
                rate: Some(-0.5),
                ..row("=1+1")
            },
            row("-1+1|cmd' /C calc'!A0"),
            Row { place: Some(Place { city: "Rome" }), ..row("plain, with comma") },
        ];
        let csv = "name,value,tags,rate,place.city\r\n\
                   '=1+1,-1.50 USD,a; b,-0.5,\r\n\
                   '-1+1|cmd' /C calc'!A0,,,,\r\n\
                   \"plain, with comma\",,,,Rome\r\n";
        assert_eq!(Rows::of(&rows).unwrap().to_csv(), csv);
        assert_eq!(Rows::of::<Row>(&[]).unwrap().to_csv(), "name,value,tags,rate,place.city\r\n");
    }
}
