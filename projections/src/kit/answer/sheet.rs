//! An answer as people read it: facts, rows, and lists beside them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    columns::{Column, Member, ROWS, Shape},
    error::AnswerError,
    rows::{Rows, text},
};

/// The member of an answer that holds the cursor of its next page.
const NEXT: &str = "next";

/// An answer as people read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What stands beside the rows, name and text; what is absent is left out.
    pub facts: Vec<(String, String)>,
    /// The rows, where it has any.
    pub rows: Option<Rows>,
    /// Other lists of things, those without anything in them left out.
    pub lists: Vec<(String, Rows)>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Sheet {
    /// Of any answer.
    pub fn of<T: Serialize + JsonSchema>(answer: &T) -> Result<Self, AnswerError> {
        Self::shaped(Shape::of::<T>(), &serde_json::to_value(answer)?)
    }

    /// Of an answer of a shape.
    pub(super) fn shaped(shape: Shape, answer: &Value) -> Result<Self, AnswerError> {
        let mut sheet = Self { next: next(answer), ..Self::default() };
        if let Some(rows) = rows(answer) {
            sheet.rows = Some(Rows::under(&shape.columns()?, rows));
        }
        for (name, member) in shape.members()? {
            let Some(value) = answer.get(&name).filter(|_| name != NEXT) else { continue };
            match member {
                Member::List(columns) => {
                    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    if !items.is_empty() {
                        sheet.lists.push((name, Rows::under(&columns, items)));
                    }
                }
                Member::Fact(columns) => sheet.facts(&name, &columns, value),
            }
        }
        Ok(sheet)
    }

    fn facts(&mut self, name: &str, columns: &[Column], value: &Value) {
        for column in columns {
            let Some(cell) = column.cell(value) else { continue };
            let name =
                if column.name.is_empty() { name.to_owned() } else { format!("{name}.{}", column.name) };
            match cell.as_object().filter(|_| column.is_a_map) {
                // Of a map every entry is a fact: there is no table that it could put out of order.
                Some(entries) => {
                    let entries =
                        entries.iter().map(|(entry, value)| (format!("{name}.{entry}"), text(value)));
                    self.facts.extend(entries.filter(|(_, text)| !text.is_empty()));
                }
                None => self.facts.extend(Some((name, text(cell))).filter(|(_, text)| !text.is_empty())),
            }
        }
    }
}

/// The rows of an answer that has any.
pub(super) fn rows(answer: &Value) -> Option<&[Value]> {
    answer.get(ROWS).and_then(Value::as_array).map(Vec::as_slice)
}

/// The cursor of the next page, which every answer of several pages calls so.
pub(super) fn next(answer: &Value) -> Option<String> {
    answer.get(NEXT).and_then(Value::as_str).map(str::to_owned)
}
