//! A map: how a kind of file becomes commands.

use chrono_tz::Tz;
use domain::Kind;
use serde_json::Value as Json;

use super::column::Column;

/// How a kind of file becomes commands: made from TOML, checked as a whole before anything is read with it.
#[derive(Clone, Debug)]
pub struct Map {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) zone: Option<Tz>,
    pub(crate) tables: Vec<Table>,
    pub(crate) lookups: Vec<LookupRule>,
}

/// A map that cannot be used. Mend the TOML at the key named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not TOML, or not of the shape of a map; the text shows the place.
    #[error("the map cannot be read: {0}")]
    Shape(String),
    /// It contradicts itself.
    #[error("the map cannot be used: `{key}` {message}")]
    Meaning {
        /// The key at fault, as a path: `table[0].columns.amount.currency`.
        key: String,
        /// What is wrong and what is expected.
        message: String,
    },
    /// No built-in map has this name.
    #[error("there is no map `{name}`: use one of {names}, or the path of a .toml file")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        names: String,
    },
}

impl Map {
    /// Its name, which is the name of the source unless another is given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For which kind of file it is.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The names of the files that it knows, in the order in which they are imported; the first is the main one.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().filter_map(|table| table.files.first().map(String::as_str))
    }
}

/// One file of a map.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The names that the file may have.
    pub files: Vec<String>,
    /// Whether the import goes on without it.
    pub optional: bool,
    /// What stands between two values.
    pub delimiter: u8,
    /// How many lines stand before the header.
    pub skip_before_header: u32,
    /// How many lines stand between the header and the first row.
    pub skip_after_header: u32,
    /// Its columns, read or computed.
    pub columns: Vec<Column>,
    /// What a row asks for.
    pub commands: Vec<CommandRule>,
}

/// One command that a row asks for. Numbers of columns are those of the table.
#[derive(Clone, Debug)]
pub(crate) struct CommandRule {
    /// What it is about.
    pub on: Reference,
    /// Its name.
    pub command: String,
    /// Whether the command, written as JSON, can be read: some are nothing without the person they are about.
    pub understood: fn(&str) -> bool,
    /// Its fields.
    pub fields: Vec<(String, Field)>,
    /// The column that says when it was so.
    pub occurred_at: Option<usize>,
    /// The conditions, all of which must hold.
    pub when: Vec<Condition>,
    /// The columns that must not be empty.
    pub needs: Vec<usize>,
    /// Whether the same words about the same thing are sent once only.
    pub once: bool,
}

/// A thing, by an id rule and the columns that name it.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// What kind of thing.
    pub kind: Kind,
    /// The name of the id rule, which is a part of the external id: household 12 is not person 12.
    pub rule: String,
    /// The columns that name it.
    pub from: Vec<usize>,
}

/// What goes into one field.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    /// The value of a column; left out where it is empty.
    Column(usize),
    /// Always the same.
    Constant(Json),
    /// The id of another thing; left out where a column that names it is empty.
    Reference(Reference),
    /// A list of objects; each is left out where a column that it names is empty.
    List(Vec<Vec<(String, Self)>>),
}

/// A condition on one column.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The column.
    pub column: usize,
    /// What must hold.
    pub test: Test,
}

/// What must hold of a value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// It is one of these.
    Is(Vec<String>),
    /// It is none of these; nothing is none of these, too.
    IsNot(Vec<String>),
    /// There is one.
    Present,
    /// There is none.
    Absent,
}

/// A value of a companion file that rows look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupRule {
    /// The companion file.
    pub table: usize,
    /// Its columns that name a row.
    pub key: Vec<usize>,
    /// Its column to take.
    pub take: usize,
}
