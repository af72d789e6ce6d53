//! One row of a file: its columns, read and computed as they are asked for, and the commands that it asks for.

use std::collections::HashSet;

use chrono_tz::Tz;
use serde_json::{Map as Object, Value as Json, json};
use uuid::Uuid;

use super::{
    ids::Ids,
    lookup::{self, Found, Lookup},
    reject::Reject,
    source_file::SourceFile,
};
use crate::{
    formats::csv::Record,
    maps::{
        column::{Column, CurrencyOf, Origin, Piece, Reading, Value, rfc3339},
        date::{self, When},
        map::{CommandRule, Condition, Field, Reference, Table, Test},
        number,
    },
};

/// A row while its commands are made.
pub(crate) struct RowReader<'a> {
    table: &'a Table,
    source: &'a SourceFile,
    record: &'a Record,
    lookups: &'a [Lookup],
    zone: Option<Tz>,
    /// Whether somebody was left out of the command that is being made, because they were erased.
    without_person: bool,
    /// Columns that were asked for already; many commands of a row ask for the same.
    known: Vec<Known>,
}

/// What is known of a column.
#[derive(Clone, Debug)]
enum Known {
    /// Nobody has asked for it.
    NotAsked,
    /// Its value, where it has one.
    Read(Option<Value>),
}

/// What a row asks for, and what it would ask for if nobody in it had been erased.
#[derive(Default)]
pub(crate) struct AskedFor<'a> {
    /// The commands, in the order of the map.
    pub commands: Vec<Asked<'a>>,
    /// What commands were left out about: somebody who was erased, or what is nothing without them.
    pub left_out: Vec<Uuid>,
}

/// A command before it becomes a line.
pub(crate) struct Asked<'a> {
    /// What the row asks for.
    pub rule: &'a CommandRule,
    /// Of which thing.
    pub id: Uuid,
    /// The fields.
    pub fields: Object<String, Json>,
    /// When it was so.
    pub occurred_at: Option<String>,
}

impl<'a> RowReader<'a> {
    /// Begins to read a row.
    pub fn new(
        table: &'a Table,
        source: &'a SourceFile,
        record: &'a Record,
        lookups: &'a [Lookup],
        zone: Option<Tz>,
    ) -> Self {
        Self {
            table,
            source,
            record,
            lookups,
            zone,
            without_person: false,
            known: vec![Known::NotAsked; table.columns.len()],
        }
    }

    /// Everything that the row asks for, in the order of the map.
    /// Whoever was erased is left out of it, and so is what is nothing without them (`before` holds what was left
    /// out of earlier rows).
    pub fn commands(
        mut self,
        ids: &Ids,
        source_name: &str,
        before: &HashSet<Uuid>,
    ) -> Result<AskedFor<'a>, Reject> {
        let mut asked = AskedFor::default();
        let table = self.table;
        for rule in &table.commands {
            let mut applies = true;
            for condition in &rule.when {
                applies = applies && self.holds(condition)?;
            }
            if !applies {
                continue;
            }
            for column in &rule.needs {
                if self.value(*column)?.is_none() {
                    return Err(self.blame(*column, "is empty and must not be"));
                }
            }
            let Some(id) = self.id(&rule.on, ids, source_name)? else {
                let empty = rule.on.from.iter().find(|column| matches!(self.value(**column), Ok(None)));
                let column = empty.or(rule.on.from.first()).copied().unwrap_or_default();
                return Err(self.blame(column, "is empty, so that nobody can tell what the row is about"));
            };
            if ids.is_erased(rule.on.kind, id) || before.contains(&id) || asked.left_out.contains(&id) {
                asked.left_out.push(id);
                continue;
            }
            self.without_person = false;
            let fields = self.object(&rule.fields, ids, source_name)?;
            if self.without_person && !(rule.understood)(&json!({ &rule.command: fields }).to_string()) {
                asked.left_out.push(id);
                continue;
            }
            let occurred_at = match rule.occurred_at {
                Some(column) => self.moment(column)?,
                None => None,
            };
            asked.commands.push(Asked { rule, id, fields, occurred_at });
        }
        Ok(asked)
    }

    fn holds(&mut self, condition: &Condition) -> Result<bool, Reject> {
        let text = self.text(condition.column)?;
        Ok(match &condition.test {
            Test::Is(words) => text.is_some_and(|text| words.contains(&text)),
            Test::IsNot(words) => text.is_none_or(|text| !words.contains(&text)),
            Test::Present => text.is_some(),
            Test::Absent => text.is_none(),
        })
    }

    fn object(
        &mut self,
        fields: &[(String, Field)],
        ids: &Ids,
        source_name: &str,
    ) -> Result<Object<String, Json>, Reject> {
        let mut object = Object::new();
        for (name, field) in fields {
            let value = match field {
                Field::Column(column) => self.value(*column)?.map(|value| value.json()),
                Field::Constant(value) => Some(value.clone()),
                Field::Reference(reference) => {
                    let id = self.id(reference, ids, source_name)?;
                    let erased = id.is_some_and(|id| ids.is_erased(reference.kind, id));
                    self.without_person |= erased;
                    id.filter(|_| !erased).map(|id| Json::String(id.to_string()))
                }
                Field::List(elements) => {
                    let mut list = Vec::new();
                    for element in elements {
                        let object = self.object(element, ids, source_name)?;
                        if object.len() == element.len() {
                            list.push(Json::Object(object));
                        }
                    }
                    (!list.is_empty()).then_some(Json::Array(list))
                }
            };
            if let Some(value) = value {
                object.insert(name.clone(), value);
            }
        }
        Ok(object)
    }

    fn id(&mut self, reference: &Reference, ids: &Ids, source_name: &str) -> Result<Option<Uuid>, Reject> {
        let mut parts = vec![reference.rule.clone()];
        for column in &reference.from {
            match self.text(*column)? {
                Some(text) => parts.push(text),
                None => return Ok(None),
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(Some(ids.id(reference.kind, source_name, &parts)))
    }

    fn moment(&mut self, column: usize) -> Result<Option<String>, Reject> {
        let moment = match self.value(column)? {
            None => return Ok(None),
            // What the source tells as a day is told as one.
            Some(Value::Time(_, Some(day)) | Value::Date(day)) => return Ok(Some(day.to_string())),
            Some(Value::Time(moment, None)) => moment,
            Some(_) => return Err(self.blame(column, "is neither a date nor a time by the map")),
        };
        Ok(Some(rfc3339(moment)))
    }

    fn text(&mut self, column: usize) -> Result<Option<String>, Reject> {
        Ok(self.value(column)?.map(|value| value.text()))
    }

    /// The value of a column. Columns that need each other in a circle were refused with the map.
    fn value(&mut self, index: usize) -> Result<Option<Value>, Reject> {
        if let Known::Read(value) = &self.known[index] {
            return Ok(value.clone());
        }
        let value = self.read(index)?;
        self.known[index] = Known::Read(value.clone());
        Ok(value)
    }

    fn read(&mut self, index: usize) -> Result<Option<Value>, Reject> {
        let table = self.table;
        let column = &table.columns[index];
        if let Origin::From(from) = column.origin
            && let Some(when) = self.value(from)?.as_ref().and_then(when_of)
        {
            return self.dated(index, when);
        }
        let raw = self.raw(index)?.unwrap_or_default();
        let Some(text) = column.clean(&raw).map_err(|reason| self.blame(index, &reason))? else {
            return Ok(None);
        };
        match &column.reading {
            Reading::Text => Ok(Some(Value::Text(text))),
            Reading::Integer => Ok(Some(Value::Integer(text))),
            Reading::Amount { currency, notation } => {
                let currency = match currency {
                    CurrencyOf::All(currency) => *currency,
                    CurrencyOf::Column(column) => self.currency(*column)?,
                };
                let amount = notation.amount(&text, currency);
                amount.map(|money| Some(Value::Amount(money))).map_err(|reason| self.blame(index, &reason))
            }
            Reading::Date(notation) | Reading::Time(notation) => {
                let when = notation.read(&text).map_err(|reason| self.blame(index, &reason))?;
                self.dated(index, when)
            }
        }
    }

    fn currency(&mut self, column: usize) -> Result<domain::Currency, Reject> {
        let text = self.text(column)?.unwrap_or_default();
        text.parse().map_err(|_| {
            self.blame(column, "is no ISO 4217 currency code: expected three capital letters, such as USD")
        })
    }

    fn dated(&mut self, index: usize, when: date::When) -> Result<Option<Value>, Reject> {
        let column = &self.table.columns[index];
        let mut when = when;
        if let Some(days) = column.plus_days {
            let Some(text) = self.text(days)? else { return Ok(None) };
            let number = number::integer(&text).ok().and_then(|digits| digits.parse::<i64>().ok());
            let shifted = number.and_then(|number| when.plus_days(number));
            when = shifted.ok_or_else(|| self.blame(days, "is not a number of days that leads to a date"))?;
        }
        match column.reading {
            Reading::Time(_) => {
                let moment = when.moment(self.zone).map_err(|reason| self.blame(index, &reason))?;
                let day = matches!(when, date::When::Day(_)).then(|| when.day());
                Ok(Some(Value::Time(moment, day)))
            }
            _ => Ok(Some(Value::Date(when.day()))),
        }
    }

    /// The text of a column before it is cleaned.
    fn raw(&mut self, index: usize) -> Result<Option<String>, Reject> {
        let table = self.table;
        match &table.columns[index].origin {
            Origin::Header { .. } => {
                let bytes = self.source.positions[index].and_then(|position| self.record.get(position));
                Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            }
            Origin::From(from) => self.text(*from),
            Origin::Lookup { lookup, by, optional } => self.look_up(*lookup, by, *optional),
            Origin::Template(pieces) => self.template(pieces).map(Some),
        }
    }

    fn look_up(&mut self, lookup: usize, by: &[usize], optional: bool) -> Result<Option<String>, Reject> {
        let mut keys = Vec::new();
        for column in by {
            match self.text(*column)? {
                Some(key) => keys.push(key),
                None => return Ok(None),
            }
        }
        let lookup = &self.lookups[lookup];
        match lookup.get(&lookup::key(keys.iter().map(String::as_str))) {
            Found::Value(value) => Ok(value.map(str::to_owned)),
            Found::Nothing if optional => Ok(None),
            Found::Nothing => Err(self.blame(by[0], &format!("has no counterpart in {}", lookup.described))),
            Found::Two => {
                Err(self.blame(by[0], &format!("has two different counterparts in {}", lookup.described)))
            }
        }
    }

    /// Pieces without value vanish, and so do the blanks around them.
    fn template(&mut self, pieces: &[Piece]) -> Result<String, Reject> {
        let mut whole = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Column(column) => whole.push_str(&self.text(*column)?.unwrap_or_default()),
            }
        }
        Ok(whole.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A reject that names the column of the file from which a value comes.
    fn blame(&self, index: usize, reason: &str) -> Reject {
        let column = self.stated(index);
        let Some(position) = self.source.positions[column] else {
            let name = self.table.columns[column].name.clone();
            return Reject { column: Some(name), value: None, reason: reason.to_owned() };
        };
        let value = self.record.get(position).unwrap_or_default();
        Reject {
            column: Some(self.source.header_of(position)),
            value: Some(String::from_utf8_lossy(value).into_owned()),
            reason: reason.to_owned(),
        }
    }

    /// The column of the file behind a computed one.
    fn stated(&self, index: usize) -> usize {
        let Column { origin, .. } = &self.table.columns[index];
        match origin {
            Origin::Header { .. } | Origin::Template(_) => index,
            Origin::From(from) => self.stated(*from),
            Origin::Lookup { by, .. } => by.first().map_or(index, |by| self.stated(*by)),
        }
    }
}

fn when_of(value: &Value) -> Option<When> {
    match value {
        Value::Date(day) => Some(When::Day(*day)),
        Value::Time(_, Some(day)) => Some(When::Day(*day)),
        Value::Time(moment, None) => Some(When::Moment(*moment)),
        Value::Text(_) | Value::Integer(_) | Value::Amount(_) => None,
    }
}
