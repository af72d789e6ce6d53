//! From the written map to the one that is used: names become numbers, and contradictions are found before any
//! row is read.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use commands::{Decider, Registry};
use domain::{Kind, KindEvent as _, tagged};
use serde_json::Value as Json;

use super::{
    column::{Cleaning, Column, CurrencyOf, Origin, Piece, Reading},
    date,
    map::{CommandRule, Condition, Field, LookupRule, Map, MapError, Reference, Table, Test},
    map_file::{
        ColumnFile, ColumnType, CommandFile, ConditionFile, FieldFile, LookupFile, MapFile, OneOrMore,
        ReferenceFile, TableFile,
    },
    number,
};
use crate::formats::Format;

impl Map {
    /// A map of one's own.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let file: MapFile = toml::from_str(text).map_err(|error| MapError::Shape(error.to_string()))?;
        compile(file)
    }
}

/// Checks a written map and makes it usable.
fn compile(file: MapFile) -> Result<Map, MapError> {
    // Where there is more than one format, this no longer compiles: then a table has to say its format, and
    // `import::source_file` has to read its files with the reader of that format.
    let Format::Csv = file.format;
    check_name(&file.name)?;
    let zone = zone(file.zone.as_deref())?;
    if file.tables.iter().all(|table| table.commands.is_empty()) {
        return wrong("table", "asks for nothing: at least one [[table]] needs a [[table.command]]");
    }
    let mut compiler = Compiler {
        ids: file.ids,
        commands: known_commands(),
        empty: file.empty,
        files: file.tables.iter().map(|table| table.file.0.clone()).collect(),
        columns: file.tables.iter().map(Columns::declared).collect(),
        lookups: Vec::new(),
    };
    let mut rules = Vec::new();
    for (index, table) in file.tables.iter().enumerate() {
        for (name, column) in &table.columns {
            compiler.column(index, name, column)?;
        }
        rules.push(compiler.commands(index, &table.commands)?);
    }
    let mut tables = Vec::new();
    for (index, (table, commands)) in file.tables.into_iter().zip(rules).enumerate() {
        tables.push(compiler.table(index, table, commands)?);
    }
    Ok(Map { name: file.name, description: file.description, zone, tables, lookups: compiler.lookups })
}

fn wrong<T>(key: impl Into<String>, message: impl Into<String>) -> Result<T, MapError> {
    Err(MapError::Meaning { key: key.into(), message: message.into() })
}

fn check_name(name: &str) -> Result<(), MapError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.is_empty() || name.len() > domain::Actor::LIMIT || !name.chars().all(allowed) {
        return wrong("name", "must be 1 to 100 letters, digits, hyphens, underscores or dots");
    }
    Ok(())
}

fn zone(name: Option<&str>) -> Result<Option<Tz>, MapError> {
    let Some(name) = name else { return Ok(None) };
    match name.parse() {
        Ok(zone) => Ok(Some(zone)),
        Err(_) => {
            wrong("zone", format!("is `{name}`, which is no time zone: expected one such as Europe/Berlin"))
        }
    }
}

/// The names of the commands of a kind, and whether one of them can be read from JSON.
type KnownCommands = (&'static [&'static str], fn(&str) -> bool);

/// The commands of every kind that takes any.
fn known_commands() -> HashMap<Kind, KnownCommands> {
    #[derive(Default)]
    struct Known(HashMap<Kind, KnownCommands>);
    impl Registry for Known {
        fn register<D: Decider>(&mut self) {
            let understood = |json: &str| serde_json::from_str::<D::Command>(json).is_ok();
            self.0.insert(D::Event::KIND, (tagged::tags::<D::Command>(), understood));
        }
    }
    let mut known = Known::default();
    commands::all(&mut known);
    known.0
}

/// The columns of one table, by name; one that is only mentioned is a text under its own header.
struct Columns {
    names: BTreeMap<String, usize>,
    columns: Vec<Option<Column>>,
}

impl Columns {
    fn declared(table: &TableFile) -> Self {
        let names = table.columns.keys().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Self { names, columns: vec![None; table.columns.len()] }
    }
}

struct Compiler {
    ids: BTreeMap<String, Kind>,
    commands: HashMap<Kind, KnownCommands>,
    empty: Vec<String>,
    files: Vec<Vec<String>>,
    columns: Vec<Columns>,
    lookups: Vec<LookupRule>,
}

impl Compiler {
    /// The number of a column, which is taken in where the map only mentions it.
    fn index(&mut self, table: usize, name: &str) -> usize {
        let columns = &mut self.columns[table];
        if let Some(index) = columns.names.get(name) {
            return *index;
        }
        let index = columns.columns.len();
        columns.names.insert(name.to_owned(), index);
        columns.columns.push(Some(Column {
            name: name.to_owned(),
            origin: Origin::Header { names: vec![name.to_owned()], optional: false },
            cleaning: Cleaning { empty: self.empty.clone(), ..Default::default() },
            reading: Reading::Text,
            plus_days: None,
        }));
        index
    }

    fn indexes(&mut self, table: usize, names: &[String]) -> Vec<usize> {
        names.iter().map(|name| self.index(table, name)).collect()
    }

    fn column(&mut self, table: usize, name: &str, file: &ColumnFile) -> Result<(), MapError> {
        let key = format!("table[{table}].columns.{name}");
        let origin = self.origin(table, name, &key, file)?;
        let reading = self.reading(table, &key, file)?;
        let cleaning = Cleaning {
            empty: file.empty.clone().unwrap_or_else(|| self.empty.clone()),
            values: file.values.clone().into_iter().collect(),
            lower: file.lower,
            one_of: file.one_of.clone(),
            default: file.default.clone(),
        };
        let plus_days = file.plus_days.as_ref().map(|days| self.index(table, days));
        let column = Column { name: name.to_owned(), origin, cleaning, reading, plus_days };
        let index = self.index(table, name);
        self.columns[table].columns[index] = Some(column);
        Ok(())
    }

    fn origin(&mut self, table: usize, name: &str, key: &str, file: &ColumnFile) -> Result<Origin, MapError> {
        let ColumnFile { header, from, lookup, template, optional, .. } = file;
        match (header, from, lookup, template) {
            (header, None, None, None) => {
                let names = header.as_ref().map_or_else(|| vec![name.to_owned()], |header| header.0.clone());
                Ok(Origin::Header { names, optional: *optional })
            }
            _ if *optional => wrong(
                format!("{key}.optional"),
                "belongs to columns of the file; in a look-up it stands inside `lookup`",
            ),
            (None, Some(from), None, None) => Ok(Origin::From(self.index(table, from))),
            (None, None, Some(lookup), None) => self.lookup(table, key, lookup),
            (None, None, None, Some(template)) => self.template(table, key, template),
            _ => wrong(key, "can have one of `header`, `from`, `lookup` and `template` only"),
        }
    }

    fn lookup(&mut self, table: usize, key: &str, file: &LookupFile) -> Result<Origin, MapError> {
        let LookupFile { file, key: names, by, take, optional } = file;
        let Some(companion) = self.files.iter().position(|files| files.contains(file)) else {
            return wrong(
                format!("{key}.lookup.file"),
                format!("is `{file}`, which is no table of this map: add a [[table]] with file = \"{file}\""),
            );
        };
        let by = by.as_ref().unwrap_or(names);
        if by.0.len() != names.0.len() {
            return wrong(format!("{key}.lookup.by"), "must name as many columns as `key`");
        }
        let by = self.indexes(table, &by.0);
        let rule = LookupRule {
            table: companion,
            key: self.indexes(companion, &names.0),
            take: self.index(companion, take),
        };
        let lookup = self.lookups.iter().position(|known| *known == rule).unwrap_or_else(|| {
            self.lookups.push(rule);
            self.lookups.len() - 1
        });
        Ok(Origin::Lookup { lookup, by, optional: *optional })
    }

    fn template(&mut self, table: usize, key: &str, template: &str) -> Result<Origin, MapError> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((text, tail)) = rest.split_once('{') {
            let Some((column, tail)) = tail.split_once('}') else {
                return wrong(format!("{key}.template"), "has a brace that is not closed: expected {column}");
            };
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Column(self.index(table, column)));
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Origin::Template(pieces))
    }

    fn reading(&mut self, table: usize, key: &str, file: &ColumnFile) -> Result<Reading, MapError> {
        let is_date = matches!(file.column_type, ColumnType::Date | ColumnType::Time);
        let is_amount = file.column_type == ColumnType::Amount;
        let of_dates = [
            ("formats", !file.formats.is_empty()),
            ("terms", !file.terms.is_empty()),
            ("plus_days", file.plus_days.is_some()),
            ("years_from", file.years_from.is_some()),
        ];
        let of_amounts = [
            ("currency", file.currency.is_some()),
            ("currency_column", file.currency_column.is_some()),
            ("decimal", file.decimal.is_some()),
            ("thousands", file.thousands.is_some()),
            ("signs", !file.signs.is_empty()),
        ];
        if let Some((name, _)) = of_dates.iter().find(|(_, given)| *given && !is_date) {
            return wrong(format!("{key}.{name}"), "needs type = \"date\" or type = \"time\"");
        }
        if let Some((name, _)) = of_amounts.iter().find(|(_, given)| *given && !is_amount) {
            return wrong(format!("{key}.{name}"), "needs type = \"amount\"");
        }
        match file.column_type {
            ColumnType::Text => Ok(Reading::Text),
            ColumnType::Integer => Ok(Reading::Integer),
            ColumnType::Amount => self.amount(table, key, file),
            ColumnType::Date => Ok(Reading::Date(dates(key, file, &["%Y-%m-%d"])?)),
            ColumnType::Time => Ok(Reading::Time(dates(key, file, TIMES)?)),
        }
    }

    fn amount(&mut self, table: usize, key: &str, file: &ColumnFile) -> Result<Reading, MapError> {
        let currency = match (&file.currency, &file.currency_column) {
            (Some(code), None) => {
                CurrencyOf::All(code.parse().or_else(|error: domain::money::NotACurrency| {
                    wrong(format!("{key}.currency"), format!("is wrong: {error}"))
                })?)
            }
            (None, Some(column)) => CurrencyOf::Column(self.index(table, column)),
            _ => {
                return wrong(
                    format!("{key}.currency"),
                    "is missing: an amount needs either `currency` (ISO 4217, for example \"USD\") or `currency_column`",
                );
            }
        };
        let notation = number::Notation {
            decimal: file.decimal.unwrap_or('.'),
            thousands: file.thousands,
            signs: file.signs.clone(),
        };
        if notation.thousands == Some(notation.decimal) {
            return wrong(format!("{key}.thousands"), "must differ from `decimal`");
        }
        Ok(Reading::Amount { currency, notation })
    }

    fn commands(&mut self, table: usize, files: &[CommandFile]) -> Result<Vec<CommandRule>, MapError> {
        let mut rules = Vec::new();
        for (number, file) in files.iter().enumerate() {
            rules.push(self.command(table, &format!("table[{table}].command[{number}]"), file)?);
        }
        Ok(rules)
    }

    fn command(&mut self, table: usize, key: &str, file: &CommandFile) -> Result<CommandRule, MapError> {
        let on = self.reference(table, &format!("{key}.on"), &file.on)?;
        let Some((known, understood)) = self.commands.get(&on.kind).copied() else {
            return wrong(format!("{key}.on"), format!("is about a {}, which takes no commands", on.kind));
        };
        if !known.contains(&file.command.as_str()) {
            let message = format!("is no command of {}: expected one of {}", on.kind, known.join(", "));
            return wrong(format!("{key}.command"), message);
        }
        let mut when = Vec::new();
        for (number, condition) in file.when.iter().enumerate() {
            when.push(self.condition(table, &format!("{key}.when[{number}]"), condition)?);
        }
        Ok(CommandRule {
            on,
            command: file.command.clone(),
            understood,
            fields: self.fields(table, &format!("{key}.fields"), &file.fields)?,
            occurred_at: file.occurred_at.as_ref().map(|column| self.index(table, column)),
            when,
            needs: self.indexes(table, &file.needs),
            once: file.once,
        })
    }

    fn reference(&mut self, table: usize, key: &str, file: &ReferenceFile) -> Result<Reference, MapError> {
        let Some(kind) = self.ids.get(&file.id).copied() else {
            let known: Vec<&str> = self.ids.keys().map(String::as_str).collect();
            return wrong(
                format!("{key}.id"),
                format!("is `{}`, which [ids] does not list: expected one of {}", file.id, known.join(", ")),
            );
        };
        if file.from.is_empty() {
            return wrong(format!("{key}.from"), "must name at least one column");
        }
        Ok(Reference { kind, rule: file.id.clone(), from: self.indexes(table, &file.from) })
    }

    fn fields(
        &mut self,
        table: usize,
        key: &str,
        files: &BTreeMap<String, FieldFile>,
    ) -> Result<Vec<(String, Field)>, MapError> {
        let mut fields = Vec::new();
        for (name, file) in files {
            let key = format!("{key}.{name}");
            let field = match file {
                FieldFile::Column(column) => Field::Column(self.index(table, column)),
                FieldFile::Constant(value) => Field::Constant(constant(&key, value)?),
                FieldFile::Reference(reference) => Field::Reference(self.reference(table, &key, reference)?),
                FieldFile::List(elements) => {
                    let mut list = Vec::new();
                    for (number, element) in elements.iter().enumerate() {
                        list.push(self.fields(table, &format!("{key}[{number}]"), element)?);
                    }
                    Field::List(list)
                }
            };
            fields.push((name.clone(), field));
        }
        Ok(fields)
    }

    fn condition(&mut self, table: usize, key: &str, file: &ConditionFile) -> Result<Condition, MapError> {
        let column = self.index(table, &file.column);
        let test = match (&file.is, &file.is_not, file.present) {
            (Some(OneOrMore(words)), None, None) => Test::Is(words.clone()),
            (None, Some(OneOrMore(words)), None) => Test::IsNot(words.clone()),
            (None, None, Some(true)) => Test::Present,
            (None, None, Some(false)) => Test::Absent,
            _ => return wrong(key, "needs exactly one of `is`, `is_not` and `present`"),
        };
        Ok(Condition { column, test })
    }

    fn table(
        &mut self,
        index: usize,
        file: TableFile,
        commands: Vec<CommandRule>,
    ) -> Result<Table, MapError> {
        let key = format!("table[{index}]");
        let Some(delimiter) = u8::try_from(file.delimiter).ok().filter(|byte| !b"\"\r\n".contains(byte))
        else {
            return wrong(format!("{key}.delimiter"), "must be one ASCII character, such as `,` or `;`");
        };
        let columns: Vec<Column> =
            std::mem::take(&mut self.columns[index].columns).into_iter().flatten().collect();
        check_circles(&key, &columns)?;
        for rule in self.lookups.iter().filter(|rule| rule.table == index) {
            for column in rule.key.iter().chain([&rule.take]).map(|column| &columns[*column]) {
                if !matches!(column.origin, Origin::Header { .. }) {
                    return wrong(
                        format!("{key}.columns.{}", column.name),
                        "is computed, and only columns of the file itself can be looked up",
                    );
                }
            }
        }
        Ok(Table {
            files: file.file.0,
            optional: file.optional,
            delimiter,
            skip_before_header: file.skip_before_header,
            skip_after_header: file.skip_after_header,
            columns,
            commands,
        })
    }
}

/// Notations of times that leave no doubt.
const TIMES: &[&str] = &["%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d"];

fn dates(key: &str, file: &ColumnFile, default: &[&str]) -> Result<date::Notation, MapError> {
    let mut formats = file.formats.clone();
    if formats.is_empty() {
        formats = default.iter().map(|&format| format.to_owned()).collect();
    }
    let unknown = |format: &&String| {
        chrono::format::StrftimeItems::new(format).any(|item| matches!(item, chrono::format::Item::Error))
    };
    if let Some(format) = formats.iter().find(unknown) {
        return wrong(
            format!("{key}.formats"),
            format!("has `{format}`, which is no notation of dates: expected one such as %d/%m/%Y"),
        );
    }
    let mut terms = BTreeMap::new();
    for (word, day) in &file.terms {
        // 2024 has a 29 February, so that every day of any year can be named.
        let parsed = chrono::NaiveDate::parse_from_str(&format!("2024-{day}"), "%Y-%m-%d");
        let Ok(parsed) = parsed else {
            return wrong(format!("{key}.terms.{word}"), "must be a day written MM-DD, such as 10-01");
        };
        terms.insert(word.clone(), (chrono::Datelike::month(&parsed), chrono::Datelike::day(&parsed)));
    }
    let years_from = file.years_from.unwrap_or(date::YEARS_FROM);
    if !(1_000..=9_899).contains(&years_from) {
        return wrong(format!("{key}.years_from"), "must be a year from 1000 to 9899");
    }
    Ok(date::Notation { formats, terms, years_from })
}

fn constant(key: &str, value: &toml::Value) -> Result<Json, MapError> {
    match value {
        toml::Value::Datetime(_) => wrong(key, "is a TOML date: write it as a text"),
        value => serde_json::to_value(value).or_else(|error| wrong(key, error.to_string())),
    }
}

/// A column that needs itself would never have a value.
fn check_circles(table: &str, columns: &[Column]) -> Result<(), MapError> {
    let mut done = vec![false; columns.len()];
    // Each pass settles every column whose needs are settled; as many passes as columns settle all but circles.
    for _ in 0..columns.len() {
        for (index, column) in columns.iter().enumerate() {
            done[index] = done[index] || needs(column).iter().all(|needed| done[*needed]);
        }
    }
    match columns.iter().zip(done).find(|(_, done)| !done) {
        Some((column, _)) => wrong(format!("{table}.columns.{}", column.name), "is computed from itself"),
        None => Ok(()),
    }
}

fn needs(column: &Column) -> Vec<usize> {
    let mut needs: Vec<usize> = match &column.origin {
        Origin::Header { .. } => Vec::new(),
        Origin::From(from) => vec![*from],
        Origin::Lookup { by, .. } => by.clone(),
        Origin::Template(pieces) => pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Column(column) => Some(*column),
                Piece::Text(_) => None,
            })
            .collect(),
    };
    needs.extend(column.plus_days);
    if let Reading::Amount { currency: CurrencyOf::Column(column), .. } = &column.reading {
        needs.push(*column);
    }
    needs
}
