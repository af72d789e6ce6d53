//! The columns of a table, from the type of its rows and never from what stands in them: whatever is asked, every
//! page has the same ones.

use domain::{ContactId, ID_OF, Money};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::error::AnswerError;

/// The member of an answer that holds its rows.
pub(super) const ROWS: &str = "rows";
/// How deep objects lie in each other at most before they are one cell.
const DEPTH: usize = 8;

/// The type of an answer, as far as a table needs it.
#[derive(Clone, Copy)]
pub struct Shape(fn(&mut SchemaGenerator) -> Schema);

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; the members of nested objects are joined with a dot.
    pub name: String,
    /// Whether ids of contacts stand in it, one or several in a cell.
    pub shows_contacts: bool,
    /// Whether its cells are maps.
    pub is_a_map: bool,
    path: Vec<String>,
}

/// A member of an answer beside its rows.
pub(super) enum Member {
    /// A list of objects, which is a table.
    List(Vec<Column>),
    /// Anything else; an object has several cells.
    Fact(Vec<Column>),
}

impl Shape {
    /// Of an answer of this type.
    pub const fn of<T: JsonSchema>() -> Self {
        Self(SchemaGenerator::subschema_for::<T>)
    }

    /// The columns of its rows; where it has none, it is one row of itself.
    pub(super) fn columns(self) -> Result<Vec<Column>, AnswerError> {
        let types = Types::of(self);
        let members = types.members(&types.root).ok_or(AnswerError::SeveralTypes("the answer is"))?;
        let Some(rows) = members.get(ROWS).and_then(|rows| types.items(rows)) else {
            return Ok(types.columns(&types.root));
        };
        match types.members(rows) {
            Some(_) => Ok(types.columns(rows)),
            None => Err(AnswerError::SeveralTypes("the rows are")),
        }
    }

    /// What is answered beside the rows, in the declared order.
    pub(super) fn members(self) -> Result<Vec<(String, Member)>, AnswerError> {
        let types = Types::of(self);
        let members = types.members(&types.root).ok_or(AnswerError::SeveralTypes("the answer is"))?;
        let besides = members.iter().filter(|(name, _)| name.as_str() != ROWS);
        Ok(besides.map(|(name, schema)| (name.clone(), types.member(schema))).collect())
    }
}

impl Column {
    /// What stands in this column of a row, where anything does.
    pub(super) fn cell<'a>(&self, row: &'a Value) -> Option<&'a Value> {
        self.path.iter().try_fold(row, |value, member| value.get(member))
    }
}

/// The schema of a type, with the types that it names.
struct Types {
    root: Value,
    definitions: Map<String, Value>,
}

impl Types {
    fn of(shape: Shape) -> Self {
        // As it is written, not as it is read: what may be left out has its column all the same.
        let mut generator = SchemaSettings::default().for_serialize().into_generator();
        let root = (shape.0)(&mut generator).to_value();
        Self { root, definitions: generator.take_definitions(true) }
    }

    /// The type that a name stands for, and that of what may be absent.
    fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        // A name of a name of a name: nothing of ours is deeper.
        for _ in 0..DEPTH {
            let named = schema["$ref"].as_str().and_then(|name| self.definitions.get(last_part(name)));
            let optional = || {
                let [one, null] = schema["anyOf"].as_array()?.as_slice() else { return None };
                (null["type"] == "null").then_some(one)
            };
            let Some(next) = named.or_else(optional) else { return schema };
            schema = next;
        }
        schema
    }

    /// The members of an object with declared ones; an amount is none, it is one cell.
    fn members<'a>(&'a self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        if is_money(schema) {
            return None;
        }
        self.resolve(schema)["properties"].as_object()
    }

    fn items<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        self.resolve(schema).get("items")
    }

    fn member(&self, schema: &Value) -> Member {
        match self.items(schema).filter(|items| self.members(items).is_some()) {
            Some(items) => Member::List(self.columns(items)),
            None => Member::Fact(self.columns(schema)),
        }
    }

    fn columns(&self, schema: &Value) -> Vec<Column> {
        let mut columns = Vec::new();
        self.collect(schema, &mut Vec::new(), &mut columns);
        columns
    }

    fn collect(&self, schema: &Value, path: &mut Vec<String>, columns: &mut Vec<Column>) {
        if let Some(members) = self.members(schema).filter(|_| path.len() < DEPTH) {
            for (name, schema) in members {
                path.push(name.clone());
                self.collect(schema, path, columns);
                path.pop();
            }
            return;
        }
        let shows_contacts =
            self.is_contact(schema) || self.items(schema).is_some_and(|items| self.is_contact(items));
        let is_a_map = !is_money(schema) && self.resolve(schema)["type"] == "object";
        columns.push(Column { name: path.join("."), shows_contacts, is_a_map, path: path.clone() });
    }

    fn is_contact(&self, schema: &Value) -> bool {
        self.resolve(schema)[ID_OF] == *ContactId::schema_name()
    }
}

fn is_money(schema: &Value) -> bool {
    let is_named =
        |schema: &Value| schema["$ref"].as_str().is_some_and(|name| last_part(name) == Money::schema_name());
    is_named(schema) || schema["anyOf"].as_array().is_some_and(|either| either.iter().any(is_named))
}

fn last_part(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The members of a value that no column takes in.
#[cfg(test)]
pub(super) fn without_a_column(columns: &[Column], value: &Value, name: &str, found: &mut Vec<String>) {
    if columns.iter().any(|column| column.name == name) {
        return;
    }
    let is_absent =
        value.is_null() && columns.iter().any(|column| column.name.starts_with(&format!("{name}.")));
    match value.as_object() {
        Some(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                without_a_column(columns, value, &name, found);
            }
        }
        None if is_absent => {}
        None => found.push(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;
    use crate::kit::Amounts;

    #[derive(Serialize, JsonSchema)]
    #[expect(dead_code, reason = "only its type is looked at")]
    struct Row {
        #[serde(flatten)]
        first: First,
        value: Option<Money>,
        sums: Amounts,
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
        tags: Vec<String>,
        others: Vec<ContactId>,
        free: BTreeMap<String, Place>,
        #[serde(rename = "type")]
        kind: u8,
        #[serde(skip)]
        hidden: u8,
    }

    #[derive(Serialize, JsonSchema)]
    struct First {
        contact: Option<ContactId>,
        other: uuid::Uuid,
    }

    #[derive(Serialize, JsonSchema)]
    struct Place {
        city: Option<String>,
        zip: u32,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its type is looked at")]
    enum Either {
        Row(Box<Row>),
        Place(Place),
    }

    #[derive(Serialize, JsonSchema)]
    struct Page<R> {
        total: u8,
        rows: Vec<R>,
    }

    #[test]
    fn columns_are_the_declared_members_whatever_a_row_holds() {
        let columns = Shape::of::<Page<Row>>().columns().unwrap();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let declared = [
            "contact",
            "other",
            "value",
            "sums",
            "place.city",
            "place.zip",
            "tags",
            "others",
            "free",
            "type",
        ];
        assert_eq!(names, declared);
        assert_eq!(columns, Shape::of::<Row>().columns().unwrap());
        let shown: Vec<&str> = columns
            .iter()
            .filter(|column| column.shows_contacts)
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(shown, ["contact", "others"]);
    }

    #[test]
    fn of_several_types_one_has_to_be_said() {
        for (shape, sentence) in [
            (Shape::of::<Page<Either>>(), "the rows are of several types"),
            (Shape::of::<Either>(), "the answer is of several types"),
        ] {
            assert!(shape.columns().unwrap_err().to_string().starts_with(sentence));
        }
    }
}
