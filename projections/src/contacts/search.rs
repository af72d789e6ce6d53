//! Contacts found by what is known of them.

use domain::contact::ContactForm;
use rusqlite::{params_from_iter, types::Value};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Query, View,
    card::{identities, tags},
    given, read_word, word,
};
use crate::{page::Page, projection::ViewError, tables::Tables};

/// A contact found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FoundRow {
    id: Uuid,
    form: ContactForm,
    /// Absent where none was ever given, empty where it was forgotten.
    name: Option<String>,
    /// Every address, the one linked first in front.
    emails: Vec<String>,
    tags: Vec<String>,
    #[serde(skip)]
    number: i64,
}

/// Those who meet every condition, page by page.
pub(super) fn find(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let (mut conditions, mut values) = conditions(query)?;
    conditions.push("number > ?");
    values.push(Value::Integer(page.after::<i64>()?.unwrap_or_default()));
    values.push(Value::Integer(i64::try_from(page.fetch()).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT number, contact, form, named, name FROM contacts WHERE {} ORDER BY number LIMIT ?",
        conditions.join(" AND ")
    );
    let mut rows = tables.rows(&sql, params_from_iter(values), |row| {
        Ok(FoundRow {
            number: row.get(0)?,
            id: row.get(1)?,
            form: read_word(row, 2)?,
            name: given(row, 3, 4)?,
            emails: Vec::new(),
            tags: Vec::new(),
        })
    })?;
    let next = page.cut(&mut rows, |row| row.number);
    for row in &mut rows {
        let addresses = identities(tables, row.id)?.into_iter().filter(|identity| identity.platform == EMAIL);
        row.emails = addresses.map(|identity| identity.handle).collect();
        row.tags = tags(tables, row.id)?;
    }
    Ok(View::Found { rows, next })
}

/// The platform of email addresses.
const EMAIL: &str = "email";

/// Contacts to whom a handle was linked and not unlinked since.
macro_rules! linked_by {
    ($exactly:literal) => {
        concat!(
            "contact IN (SELECT i.contact FROM identities AS i
                WHERE i.handle = ? COLLATE NOCASE AND i.platform = ? AND i.linked ",
            $exactly,
            " AND NOT EXISTS (SELECT 1 FROM identities AS later
                WHERE later.contact = i.contact AND later.position > i.position AND NOT later.linked
                    AND later.platform = i.platform AND later.handle = i.handle))"
        )
    };
}

/// The conditions of a search and their values, only those asked for, so that each can use its index.
fn conditions(query: &Query) -> Result<(Vec<&'static str>, Vec<Value>), ViewError> {
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    if let Some(name) = &query.name {
        conditions.push("number IN (SELECT rowid FROM name_search WHERE name_search MATCH ?)");
        values.push(Value::Text(search_words(name)?));
    }
    if let Some(email) = &query.email {
        conditions.push(linked_by!(""));
        values.extend([not_empty("email", email)?, Value::Text(EMAIL.to_owned())]);
    }
    match (&query.platform, &query.identity) {
        (Some(platform), Some(identity)) => {
            conditions.push(linked_by!("AND i.handle = ?"));
            let identity = not_empty("identity", identity)?;
            values.extend([identity.clone(), Value::Text(platform.clone()), identity]);
        }
        (Some(_), None) => return Err(ViewError::query("identity", "is missing: say which on the platform")),
        (None, Some(_)) => return Err(ViewError::query("platform", "is missing: say where the identity is")),
        (None, None) => {}
    }
    if let Some(tag) = &query.tag {
        conditions.push("contact IN (SELECT contact FROM tags WHERE tag = ?)");
        values.push(Value::Text(tag.clone()));
    }
    if let Some(form) = query.form {
        conditions.push("form = ?");
        values.push(Value::Text(word(form)));
    }
    Ok((conditions, values))
}

/// What was forgotten is empty, and must not be found by asking for nothing.
fn not_empty(field: &str, text: &str) -> Result<Value, ViewError> {
    if text.is_empty() {
        return Err(ViewError::query(field, "is empty"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// Every word in quotes, so that nothing in it is taken for the search's own grammar, and open at its end.
fn search_words(name: &str) -> Result<String, ViewError> {
    let words = name.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
    let quoted: Vec<_> = words.map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    if quoted.is_empty() || name.len() > 300 {
        return Err(ViewError::query("name", "takes one or more words of a name, at most 300 bytes"));
    }
    Ok(quoted.join(" "))
}
