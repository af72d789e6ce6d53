//! A column as the import uses it: where its value comes from, how it is cleaned and how it is read.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use domain::{Currency, Money};
use serde_json::{Value as Json, json};

use super::{date, number};

/// One column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its name in the map.
    pub name: String,
    /// Where its value comes from.
    pub origin: Origin,
    /// How its text is made comparable.
    pub cleaning: Cleaning,
    /// What the text means.
    pub reading: Reading,
    /// The column that holds days to add.
    pub plus_days: Option<usize>,
}

/// Where a value comes from. Numbers of columns are those of the table.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The file itself, under one of these headers.
    Header { names: Vec<String>, optional: bool },
    /// Another column.
    From(usize),
    /// A companion file.
    Lookup { lookup: usize, by: Vec<usize>, optional: bool },
    /// Other columns put together.
    Template(Vec<Piece>),
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// As it stands.
    Text(String),
    /// The value of a column.
    Column(usize),
}

/// How a text is made comparable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cleaning {
    /// What stands for nothing.
    pub empty: Vec<String>,
    /// What it says, and what is meant.
    pub values: HashMap<String, String>,
    /// Whether capitals are made small.
    pub lower: bool,
    /// The only values allowed; any, where the list is empty.
    pub one_of: Vec<String>,
    /// What is meant by nothing.
    pub default: Option<String>,
}

/// What a text means.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    /// What it says.
    Text,
    /// A whole number.
    Integer,
    /// An amount of money.
    Amount { currency: CurrencyOf, notation: number::Notation },
    /// A day.
    Date(date::Notation),
    /// A moment.
    Time(date::Notation),
}

/// Which currency an amount has.
#[derive(Clone, Debug)]
pub(crate) enum CurrencyOf {
    /// The same in every row.
    All(Currency),
    /// The one named in a column.
    Column(usize),
}

/// A value, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A whole number in plain digits.
    Integer(String),
    /// Money.
    Amount(Money),
    /// A day.
    Date(NaiveDate),
    /// A moment; and the day that it is the beginning of, where the source tells only that.
    Time(DateTime<Utc>, Option<NaiveDate>),
}

impl Value {
    /// The value as a text: in ids, look-ups, templates and conditions.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Integer(text) => text.clone(),
            Self::Amount(money) => money.to_string(),
            Self::Date(day) => day.to_string(),
            Self::Time(moment, _) => rfc3339(*moment),
        }
    }

    /// The value as a field of a command.
    pub fn json(&self) -> Json {
        match self {
            Self::Integer(digits) => {
                digits.parse::<i64>().map_or_else(|_| json!(digits), |number| json!(number))
            }
            Self::Amount(money) => json!({"minor": money.minor, "currency": money.currency.code()}),
            other => json!(other.text()),
        }
    }
}

/// A moment as it goes over the wire.
pub(crate) fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Column {
    /// The text without blanks around it, or what it stands for; nothing where it is empty.
    pub fn clean(&self, raw: &str) -> Result<Option<String>, String> {
        let Cleaning { empty, values, lower, one_of, default } = &self.cleaning;
        let text = raw.trim();
        if text.is_empty() || empty.iter().any(|empty| empty == text) {
            return Ok(default.clone());
        }
        let mut text = values.get(text).cloned().unwrap_or_else(|| text.to_owned());
        if *lower {
            text = text.to_lowercase();
        }
        if matches!(self.reading, Reading::Integer) {
            text = number::integer(&text)?;
        }
        if !one_of.is_empty() && !one_of.contains(&text) {
            return Err(format!("is none of {}", one_of.join(", ")));
        }
        if text.contains('\0') {
            return Err("holds a NUL byte".to_owned());
        }
        // A value table may say that something stands for nothing.
        Ok(if text.is_empty() { default.clone() } else { Some(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cleaning: Cleaning, reading: Reading) -> Column {
        Column {
            name: "column".into(),
            origin: Origin::Header { names: vec!["column".into()], optional: false },
            cleaning,
            reading,
            plus_days: None,
        }
    }

    #[test]
    fn a_literal_select_is_nothing_and_a_known_slip_is_what_was_meant() {
        let cleaning = Cleaning {
            empty: vec!["Select".into()],
            values: HashMap::from([("GTXPro".to_owned(), "GTX Pro".to_owned())]),
            ..Default::default()
        };
        let column = column(cleaning, Reading::Text);
        assert_eq!(column.clean(" Select "), Ok(None));
        assert_eq!(column.clean("  "), Ok(None));
        assert_eq!(column.clean("GTXPro"), Ok(Some("GTX Pro".into())));
        assert_eq!(column.clean("\u{a0}MG Special\t"), Ok(Some("MG Special".into())));
        assert_eq!(column.clean("a\0b"), Err("holds a NUL byte".into()));
    }

    #[test]
    fn a_word_that_the_map_does_not_know_is_refused_where_it_lists_them() {
        let cleaning =
            Cleaning { one_of: vec!["won".into(), "lost".into()], lower: true, ..Default::default() };
        let column = column(cleaning, Reading::Text);
        assert_eq!(column.clean("Won"), Ok(Some("won".into())));
        assert_eq!(column.clean("Wonn"), Err("is none of won, lost".into()));
    }

    #[test]
    fn ids_stay_as_they_are_unless_the_map_says_integer() {
        assert_eq!(column(Cleaning::default(), Reading::Text).clean("3.0"), Ok(Some("3.0".into())));
        assert_eq!(column(Cleaning::default(), Reading::Integer).clean("3.0"), Ok(Some("3".into())));
    }
}
