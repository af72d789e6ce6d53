//! Which things a question of a counting view asks for: the conditions and their values, built once for the cells, for
//! the rows of the things, and for what stands behind a cell. So the three cannot come to count different things.

use rusqlite::{Row, types::Value};
use uuid::Uuid;

use crate::kit::{
    error::ViewError,
    page::Page,
    period::{Month, Period},
};

/// Which of the two tables of a counting view is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// That of the cells, in which things are counted together.
    Cells,
    /// That of the things themselves.
    Things,
}

/// A property by which things are looked for and grouped, and how it stands in either table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    /// What its parameter is called: `stage` for `:stage`.
    name: &'static str,
    cells: &'static str,
    things: &'static str,
    /// Whether cells hold the month of it and things the moment.
    is_time: bool,
}

impl Property {
    /// One that stands alike in both tables.
    pub(crate) const fn alike(name: &'static str, sql: &'static str) -> Self {
        Self { name, cells: sql, things: sql, is_time: false }
    }

    /// One that stands differently in either.
    pub(crate) const fn unlike(name: &'static str, cells: &'static str, things: &'static str) -> Self {
        Self { name, cells, things, is_time: false }
    }

    /// One of which cells hold the month ([`Month::NONE`] where there is none) and things the moment (or nothing).
    pub(crate) const fn time(name: &'static str, month: &'static str, moment: &'static str) -> Self {
        Self { name, cells: month, things: moment, is_time: true }
    }

    /// How it stands in a table, in the words of SQL.
    pub(crate) const fn over(&self, over: Over) -> &'static str {
        match over {
            Over::Cells => self.cells,
            Over::Things => self.things,
        }
    }

    /// What the group of a row of cells is called, empty where the things have none.
    pub(crate) fn group(&self, row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
        if !self.is_time {
            return row.get(column);
        }
        let month = Month(row.get(column)?);
        Ok(if month == Month::NONE { String::new() } else { month.to_string() })
    }
}

/// The conditions of a question with the values that they name.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    over: Over,
    conditions: Vec<String>,
    values: Vec<(String, Value)>,
    page: String,
}

impl Filter {
    /// Everything in a table.
    pub(crate) const fn over(over: Over) -> Self {
        Self { over, conditions: Vec::new(), values: Vec::new(), page: String::new() }
    }

    /// Only what has this value, where one is given.
    pub(crate) fn only(mut self, property: &Property, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.conditions.push(format!("{} = :{}", property.over(self.over), property.name));
            self.values.push((format!(":{}", property.name), value.into()));
        }
        self
    }

    /// Only what falls into a period, where one is given.
    pub(crate) fn within(mut self, property: &Property, period: Option<Period>) -> Self {
        if let Some(period) = period {
            self.span(property.name, property, period);
        }
        self
    }

    fn span(&mut self, name: &str, property: &Property, period: Period) {
        let sql = property.over(self.over);
        let (sign, first, last) = match self.over {
            Over::Cells => ("<=", period.first.0.into(), period.last.0.into()),
            Over::Things => {
                let (first, end) = period.days();
                ("<", first, end)
            }
        };
        self.conditions.push(format!("{sql} >= :{name}_from AND {sql} {sign} :{name}_to"));
        self.values.push((format!(":{name}_from"), Value::Integer(first)));
        self.values.push((format!(":{name}_to"), Value::Integer(last)));
    }

    /// Only what counts in the cell of this group, where one is given.
    pub(crate) fn in_group(mut self, property: &Property, group: Option<&str>) -> Self {
        let Some(group) = group else { return self };
        let sql = property.over(self.over);
        if !property.is_time {
            self.conditions.push(format!("{sql} = :group"));
            self.values.push((":group".to_owned(), Value::Text(group.to_owned())));
        } else if group.is_empty() {
            self.conditions.push(match self.over {
                Over::Cells => format!("{sql} = {}", Month::NONE.0),
                Over::Things => format!("{sql} IS NULL"),
            });
        } else if let Some(month) = Month::named(group) {
            self.span("group", property, Period { first: month, last: month });
        } else {
            // What is no month names no cell.
            self.conditions.push("false".to_owned());
        }
        self
    }

    /// Only the page of things after the cursor, in the order of their ids.
    pub(crate) fn page(mut self, id: &str, page: &Page) -> Result<Self, ViewError> {
        if let Some(after) = page.after::<Uuid>()? {
            self.conditions.push(format!("{id} > :after"));
            self.values.push((":after".to_owned(), after.into()));
        }
        self.page = format!(" ORDER BY {id} LIMIT :limit");
        let limit = i64::try_from(page.fetch()).unwrap_or(i64::MAX);
        self.values.push((":limit".to_owned(), limit.into()));
        Ok(self)
    }

    /// What follows `WHERE`.
    pub(crate) fn sql(&self) -> String {
        let conditions =
            if self.conditions.is_empty() { "true".to_owned() } else { self.conditions.join(" AND ") };
        conditions + &self.page
    }

    /// The values of what [`Self::sql`] names.
    pub(crate) fn params(&self) -> Vec<(&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }
}
