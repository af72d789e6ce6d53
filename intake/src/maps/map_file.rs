//! A map as it is written: the shape of its TOML. Unknown keys are errors, so that a slip of the pen is seen.

use std::{collections::BTreeMap, fmt};

use domain::Kind;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::formats::Format;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapFile {
    /// The name, which is also the default name of the source.
    pub name: String,
    /// For which kind of file it is, in one sentence.
    pub description: String,
    /// The format of the files.
    pub format: Format,
    /// The zone in which the source states its times; absent where it states none.
    pub zone: Option<String>,
    /// What stands for an empty value.
    #[serde(default = "only_blank")]
    pub empty: Vec<String>,
    /// What things are named by: the name of an id rule and the kind of thing.
    pub ids: BTreeMap<String, Kind>,
    /// One per file, in the order in which they are imported.
    #[serde(rename = "table")]
    pub tables: Vec<TableFile>,
}

fn only_blank() -> Vec<String> {
    vec![String::new()]
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableFile {
    /// Its name, or its possible names.
    pub file: OneOrMore,
    /// Whether the import goes on without it.
    #[serde(default)]
    pub optional: bool,
    /// What stands between two values.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// How many lines stand before the header.
    #[serde(default)]
    pub skip_before_header: u32,
    /// How many lines stand between the header and the first row.
    #[serde(default)]
    pub skip_after_header: u32,
    /// The columns that are more than a text under its own header.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnFile>,
    /// What a row asks for, in this order.
    #[serde(default, rename = "command")]
    pub commands: Vec<CommandFile>,
}

const fn comma() -> char {
    ','
}

/// A column, read from the file or computed from others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnFile {
    /// Its header, or its possible headers; by default the column's name.
    pub header: Option<OneOrMore>,
    /// Computed: another column, read again in another way.
    pub from: Option<String>,
    /// Computed: a value of a companion file.
    pub lookup: Option<LookupFile>,
    /// Computed: a text with other columns in braces.
    pub template: Option<String>,
    /// Whether the file may lack it.
    #[serde(default)]
    pub optional: bool,
    /// What it holds.
    #[serde(default, rename = "type")]
    pub column_type: ColumnType,
    /// What stands for an empty value, in place of the map's list.
    pub empty: Option<Vec<String>>,
    /// What it says, and what is meant.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Whether capitals are made small.
    #[serde(default)]
    pub lower: bool,
    /// The only values allowed.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// The value where there is none.
    pub default: Option<String>,
    /// Dates and times: the notations, as of `strftime`.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Dates: terms named by a year and a word, and the day (MM-DD) on which each begins.
    #[serde(default)]
    pub terms: BTreeMap<String, String>,
    /// Dates and times: the first of the hundred years that a year of two digits may mean; 1930 where it is absent.
    pub years_from: Option<i32>,
    /// Dates and times: the column that holds the days to add.
    pub plus_days: Option<String>,
    /// Amounts: the currency of all.
    pub currency: Option<String>,
    /// Amounts: the column that holds the currency.
    pub currency_column: Option<String>,
    /// Numbers: what stands before the decimals.
    pub decimal: Option<char>,
    /// Numbers: what stands between thousands.
    pub thousands: Option<char>,
    /// Amounts: signs to pass over, such as `$`.
    #[serde(default)]
    pub signs: Vec<String>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColumnType {
    #[default]
    Text,
    Integer,
    Amount,
    Date,
    Time,
}

/// A value of a companion file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookupFile {
    /// The companion file, which has a table of its own.
    pub file: String,
    /// Its columns that name a row.
    pub key: OneOrMore,
    /// The columns here that hold the name of the row; by default those of the same names.
    pub by: Option<OneOrMore>,
    /// Its column to take.
    pub take: String,
    /// Whether a row without counterpart is without value instead of an error.
    #[serde(default)]
    pub optional: bool,
}

/// One command that a row asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandFile {
    /// What it is about.
    pub on: ReferenceFile,
    /// Its name.
    pub command: String,
    /// Its fields.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldFile>,
    /// The column that says when it was so.
    pub occurred_at: Option<String>,
    /// The conditions, all of which must hold.
    #[serde(default)]
    pub when: Vec<ConditionFile>,
    /// The columns that must not be empty.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Whether the same words about the same thing are sent once only.
    #[serde(default)]
    pub once: bool,
}

/// A thing, by an id rule and the columns that name it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferenceFile {
    /// The id rule.
    pub id: String,
    /// The columns.
    pub from: Vec<String>,
}

/// A condition on one column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionFile {
    /// The column.
    pub column: String,
    /// It holds one of these.
    pub is: Option<OneOrMore>,
    /// It holds none of these.
    pub is_not: Option<OneOrMore>,
    /// It holds something (true) or nothing (false).
    pub present: Option<bool>,
}

/// What goes into one field of a command.
#[derive(Debug)]
pub(crate) enum FieldFile {
    /// `"column"`
    Column(String),
    /// `{ value = … }`
    Constant(toml::Value),
    /// `{ id = …, from = […] }`
    Reference(ReferenceFile),
    /// `[ { field = … }, … ]`: each element is left out when a column that it names is empty.
    List(Vec<BTreeMap<String, Self>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldTable {
    value: Option<toml::Value>,
    id: Option<String>,
    from: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for FieldFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = FieldFile;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "the name of a column, { value = … }, { id = \"rule\", from = [\"column\"] } or a list",
        )
    }

    fn visit_str<E>(self, column: &str) -> Result<FieldFile, E> {
        Ok(FieldFile::Column(column.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldFile, A::Error> {
        match FieldTable::deserialize(MapAccessDeserializer::new(map))? {
            FieldTable { value: Some(value), id: None, from: None } => Ok(FieldFile::Constant(value)),
            FieldTable { value: None, id: Some(id), from: Some(from) } => {
                Ok(FieldFile::Reference(ReferenceFile { id, from }))
            }
            _ => Err(serde::de::Error::custom(
                "expected either { value = … } or { id = \"rule\", from = [\"column\"] }",
            )),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<FieldFile, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(FieldFile::List(elements))
    }
}

/// One text or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMoreVisitor)
    }
}

struct OneOrMoreVisitor;

impl<'de> Visitor<'de> for OneOrMoreVisitor {
    type Value = OneOrMore;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, one: &str) -> Result<OneOrMore, E> {
        Ok(OneOrMore(vec![one.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<OneOrMore, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = sequence.next_element()? {
            all.push(one);
        }
        if all.is_empty() {
            return Err(serde::de::Error::invalid_length(0, &"at least one text"));
        }
        Ok(OneOrMore(all))
    }
}
