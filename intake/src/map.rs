//! A map: how a kind of file becomes commands.

use chrono_tz::Tz;
use domain::Kind;
use serde_json::Value as Json;

use crate::{column::Column, compile, map_file::MapFile};

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

/// The maps that ship with Rapport.
const BUILT_IN: &[(&str, &str)] = &[
    ("maven-opportunities", include_str!("../maps/maven-opportunities.toml")),
    ("gdq-gifts", include_str!("../maps/gdq-gifts.toml")),
    ("npsp-gifts", include_str!("../maps/npsp-gifts.toml")),
    ("oulad", include_str!("../maps/oulad.toml")),
];

impl Map {
    /// The names of the maps that ship with Rapport.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The TOML of a map that ships with Rapport: the best example for one's own.
    pub fn text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// A map that ships with Rapport.
    pub fn named(name: &str) -> Result<Self, MapError> {
        let text = Self::text(name).ok_or_else(|| MapError::Unknown {
            name: name.to_owned(),
            names: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(text)
    }

    /// A map of one's own.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let file: MapFile = toml::from_str(text).map_err(|error| MapError::Shape(error.to_string()))?;
        compile::compile(file)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_map_can_be_used_and_bears_its_name() {
        for name in Map::names() {
            let map = Map::named(name).unwrap();
            assert_eq!(map.name(), name);
            assert!(map.files().next().is_some());
        }
        assert_eq!(
            Map::named("gdq").unwrap_err().to_string(),
            "there is no map `gdq`: use one of maven-opportunities, gdq-gifts, npsp-gifts, oulad, or the path of a \
             .toml file"
        );
    }

    /// A map that is right but for one piece.
    #[track_caller]
    fn check(columns: &str, command: &str, expected: &str) {
        let text = format!(
            "name = \"m\"\ndescription = \"d\"\nformat = \"csv\"\n[ids]\ngift = \"gift\"\n[[table]]\nfile = \
             \"a.csv\"\n{columns}\n[[table.command]]\non = {{ id = \"gift\", from = [\"no\"] }}\n{command}"
        );
        let error = Map::parse(&text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    const RECEIVE: &str = "command = \"receive\"";

    #[test]
    fn an_error_names_the_key_and_what_is_expected() {
        check(
            "[table.columns.a]\ntipe = \"date\"",
            RECEIVE,
            "unknown field `tipe`, expected one of `header`,",
        );
        check("[table.columns.a]\ntype = \"day\"", RECEIVE, "unknown variant `day`, expected one of `text`,");
        check(
            "",
            "command = \"recieve\"",
            "`table[0].command[0].command` is no command of gift: expected one of",
        );
        check(
            "",
            "command = \"receive\"\nfields = { donor = { id = \"donor\", from = [\"a\"] } }",
            "`table[0].command[0].fields.donor.id` is `donor`, which [ids] does not list: expected one of gift",
        );
        check(
            "",
            "command = \"receive\"\nfields = { a = { val = 1 } }",
            "unknown field `val`, expected one of",
        );
        check(
            "",
            "command = \"receive\"\nfields = { a = 1 }",
            "expected the name of a column, { value = … }",
        );
        check(
            "[table.columns.a]\ntype = \"amount\"",
            RECEIVE,
            "`table[0].columns.a.currency` is missing: an amount needs either",
        );
        check(
            "[table.columns.a]\ntype = \"amount\"\ncurrency = \"EURO\"",
            RECEIVE,
            "is wrong: `EURO` is no ISO 4217 currency code",
        );
        check("[table.columns.a]\nformats = [\"%Y\"]", RECEIVE, "needs type = \"date\"");
        check(
            "[table.columns.a]\ntype = \"date\"\nformats = [\"%Q\"]",
            RECEIVE,
            "has `%Q`, which is no notation",
        );
        check(
            "[table.columns.a]\ntype = \"date\"\nterms = { J = \"13-01\" }",
            RECEIVE,
            "must be a day written MM-DD",
        );
        check(
            "[table.columns.a]\nlookup = { file = \"b.csv\", key = \"k\", take = \"t\" }",
            RECEIVE,
            "add a [[table]] with file = \"b.csv\"",
        );
        check(
            "[table.columns.a]\nfrom = \"b\"\n[table.columns.b]\nfrom = \"a\"",
            RECEIVE,
            "computed from itself",
        );
        check(
            "",
            "command = \"receive\"\nwhen = [{ column = \"a\" }]",
            "needs exactly one of `is`, `is_not`",
        );
        check("delimiter = \"€\"", RECEIVE, "`table[0].delimiter` must be one ASCII character");
    }
}
