//! Contacts found by what is known of them.

use domain::{ContactId, contact::ContactForm};
use rusqlite::{params_from_iter, types::Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    card::{are_erased, face_name, identities, tags},
    query::Query,
};
use crate::kit::{
    Page, Tables, ViewError,
    column::{given, read_word, word},
};

/// Those found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// One row a person.
    pub(super) rows: Vec<FoundRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A person found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FoundRow {
    /// The contact, or where several are one, the one that all are merged into.
    id: ContactId,
    form: ContactForm,
    /// Absent where none was ever given, empty where it was forgotten.
    name: Option<String>,
    /// Whether all that was known of them was forgotten on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// Every address, the one linked first in front.
    emails: Vec<String>,
    tags: Vec<String>,
    /// The contacts that are merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<ContactId>,
    #[serde(skip)]
    number: i64,
}

/// Those who meet every condition, page by page; several contacts that are one person are one row, and what one of
/// them lacks another may have.
pub(super) fn find(
    tables: &Tables,
    query: &Query,
    page: &Page,
) -> Result<(Vec<FoundRow>, Option<String>), ViewError> {
    let conditions = conditions(query)?;
    let mut values: Vec<Value> = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    let any_merged = tables.any_merged()?;
    for (index, condition) in conditions.iter().enumerate() {
        // The first condition finds contacts by its index; the others may be met by any of the same person.
        wanted.push(if any_merged && index > 0 { of_any_part(condition) } else { condition.on("c") });
        values.extend(condition.values.iter().cloned());
        if any_merged && index > 0 {
            values.extend(condition.values.iter().cloned());
        }
    }
    if any_merged {
        let first = conditions.first();
        wanted.push(is_first_part(first));
        values.extend(first.into_iter().flat_map(|first| first.values.iter().cloned()));
    }
    wanted.push("c.number > ?".to_owned());
    values.push(Value::Integer(page.after::<i64>()?.unwrap_or_default()));
    values.push(Value::Integer(i64::try_from(page.fetch()).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT c.number, c.contact, c.form, c.named, c.name, c.erased FROM contacts AS c WHERE {} ORDER BY c.number LIMIT ?",
        wanted.join(" AND ")
    );
    let mut rows = tables.rows(&sql, params_from_iter(values), |row| {
        Ok(FoundRow {
            number: row.get(0)?,
            id: ContactId(row.get(1)?),
            form: read_word(row, 2)?,
            name: given(row, 3, 4)?,
            erased: row.get(5)?,
            emails: Vec::new(),
            tags: Vec::new(),
            parts: Vec::new(),
        })
    })?;
    let next = page.cut(&mut rows, |row| row.number);
    for row in &mut rows {
        complete(tables, row)?;
    }
    Ok((rows, next))
}

/// Fills in what is known of all contacts of a person.
fn complete(tables: &Tables, row: &mut FoundRow) -> Result<(), ViewError> {
    let parts = tables.parts_of(row.id.0)?;
    for contact in &parts {
        let addresses =
            identities(tables, *contact)?.into_iter().filter(|identity| identity.platform == EMAIL);
        for address in addresses.map(|identity| identity.handle) {
            // Two contacts of one person often share one.
            if !row.emails.contains(&address) {
                row.emails.push(address);
            }
        }
        row.tags.extend(tags(tables, *contact)?);
    }
    if let [person, _, ..] = parts.as_slice() {
        row.id = ContactId(*person);
        row.name = face_name(tables, &parts)?;
        row.erased = are_erased(tables, &parts)?;
        row.tags.sort_unstable();
        row.tags.dedup();
        row.parts = parts.into_iter().map(ContactId).collect();
    }
    Ok(())
}

/// A condition on a contact, with its values.
struct Condition {
    /// With `{c}` where the name of the table of contacts goes.
    sql: &'static str,
    values: Vec<Value>,
}

impl Condition {
    fn on(&self, contacts: &str) -> String {
        self.sql.replace("{c}", contacts)
    }
}

/// The other contacts of the person of `c`, as `part`: found from `c`, never from whoever else meets a condition, for
/// which reason the order of the joins is fixed and conditions on `part` find nothing by an index.
const PARTS: &str = "person AS me CROSS JOIN person AS mate ON mate.person = me.person
    CROSS JOIN contacts AS part ON part.contact = mate.contact WHERE me.contact = c.contact";

/// Whether the contact or any that is merged with it meets a condition.
fn of_any_part(condition: &Condition) -> String {
    format!("({} OR EXISTS (SELECT 1 FROM {PARTS} AND {}))", condition.on("c"), condition.on("+part"))
}

/// Whether no contact of the same person was found before this one.
fn is_first_part(first: Option<&Condition>) -> String {
    let found = first.map_or("TRUE".to_owned(), |first| first.on("+part"));
    format!("NOT EXISTS (SELECT 1 FROM {PARTS} AND part.number < c.number AND {found})")
}

/// The platform of email addresses.
const EMAIL: &str = "email";

/// Contacts to whom a handle was linked and not unlinked since.
macro_rules! linked_by {
    ($exactly:literal) => {
        concat!(
            "{c}.contact IN (SELECT i.contact FROM identities AS i
                WHERE i.handle = ? COLLATE NOCASE AND i.platform = ? AND i.linked ",
            $exactly,
            " AND NOT EXISTS (SELECT 1 FROM identities AS later
                WHERE later.contact = i.contact AND later.position > i.position AND NOT later.linked
                    AND later.platform = i.platform AND later.handle = i.handle))"
        )
    };
}

/// The conditions of a search, only those asked for, so that each can use its index; the one that few meet first.
fn conditions(query: &Query) -> Result<Vec<Condition>, ViewError> {
    let mut conditions = Vec::new();
    if let Some(email) = &query.email {
        let values = vec![not_empty("email", email)?, Value::Text(EMAIL.to_owned())];
        conditions.push(Condition { sql: linked_by!(""), values });
    }
    match (&query.platform, &query.identity) {
        (Some(platform), Some(identity)) => {
            let identity = not_empty("identity", identity)?;
            let values = vec![identity.clone(), Value::Text(platform.clone()), identity];
            conditions.push(Condition { sql: linked_by!("AND i.handle = ?"), values });
        }
        (Some(_), None) => return Err(ViewError::query("identity", "is missing: say which on the platform")),
        (None, Some(_)) => return Err(ViewError::query("platform", "is missing: say where the identity is")),
        (None, None) => {}
    }
    if let Some(name) = &query.name {
        let sql = "{c}.number IN (SELECT rowid FROM name_search WHERE name_search MATCH ?)";
        conditions.push(Condition { sql, values: vec![Value::Text(search_words(name)?)] });
    }
    if let Some(tag) = &query.tag {
        let sql = "{c}.contact IN (SELECT contact FROM tags WHERE tag = ?)";
        conditions.push(Condition { sql, values: vec![Value::Text(tag.clone())] });
    }
    if let Some(form) = query.form {
        conditions.push(Condition { sql: "{c}.form = ?", values: vec![Value::Text(word(form))] });
    }
    Ok(conditions)
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
