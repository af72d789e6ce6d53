//! The answer itself.

use std::{any::Any, fmt, sync::OnceLock};

use domain::ContactId;
use serde_json::Value;
use uuid::Uuid;

use super::{
    columns::Shape,
    error::AnswerError,
    rows::Rows,
    sheet::{self, Sheet},
};
use crate::kit::projection::Projection;

/// What a view has answered. Its type is known to nobody but itself; who knows which to expect gets it back.
pub struct Answer {
    typed: Box<dyn Typed>,
    value: OnceLock<Value>,
}

/// An answer whose type is known.
trait Typed: Send + Sync {
    fn shape(&self) -> Shape;
    fn json(&self) -> serde_json::Result<String>;
    fn value(&self) -> serde_json::Result<Value>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

struct Of<P: Projection>(P::View);

impl<P: Projection> Typed for Of<P> {
    fn shape(&self) -> Shape {
        P::shape(&self.0)
    }

    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.0)
    }

    fn value(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.0)
    }
}

impl Answer {
    pub(crate) fn of<P: Projection>(view: P::View) -> Self {
        Self { typed: Box::new(Of::<P>(view)), value: OnceLock::new() }
    }

    /// Reads what a view of this type has answered elsewhere. Whatever this program does not know of it is an error,
    /// and so is whatever it misses.
    pub fn read<P: Projection>(json: &str) -> Result<Self, AnswerError> {
        let foreign = |at: String, what: String| AnswerError::Foreign { view: P::NAME, at, what };
        let sent: Value =
            serde_json::from_str(json).map_err(|error| foreign(".".to_owned(), error.to_string()))?;
        let view: P::View = serde_path_to_error::deserialize(&sent)
            .map_err(|error| foreign(error.path().to_string(), error.inner().to_string()))?;
        let answer = Self::of::<P>(view);
        match difference(answer.value()?, &sent) {
            None => Ok(answer),
            Some(at) => Err(foreign(at, "nothing is known of this member".to_owned())),
        }
    }

    /// The answer in the type of its view; `None` where that is another one.
    pub fn into_view<P: Projection>(self) -> Option<P::View> {
        self.typed.into_any().downcast().ok().map(|view| *view)
    }

    /// The answer as JSON text, in the order in which the type declares its members.
    pub fn to_json(&self) -> Result<String, AnswerError> {
        Ok(self.typed.json()?)
    }

    fn value(&self) -> Result<&Value, AnswerError> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let value = self.typed.value()?;
        Ok(self.value.get_or_init(|| value))
    }

    /// The rows as a table whose columns depend on the question only; an answer without rows is one row of itself.
    pub fn rows(&self) -> Result<Rows, AnswerError> {
        Ok(Rows::under(&self.typed.shape().columns()?, self.row_values()?))
    }

    /// The answer as people read it.
    pub fn sheet(&self) -> Result<Sheet, AnswerError> {
        Sheet::shaped(self.typed.shape(), self.value()?)
    }

    /// How many rows it has.
    pub fn count(&self) -> Result<u64, AnswerError> {
        Ok(self.row_values()?.len() as u64)
    }

    /// The cursor of the next page.
    pub fn next(&self) -> Result<Option<String>, AnswerError> {
        Ok(sheet::next(self.value()?))
    }

    /// Everybody whom the rows show, each once: whose ids stand in them, first as what a row is about.
    pub fn contacts(&self) -> Result<Vec<ContactId>, AnswerError> {
        let mut shown = Vec::new();
        let rows = self.row_values()?;
        for column in self.typed.shape().columns()?.iter().filter(|column| column.shows_contacts) {
            for cell in rows.iter().filter_map(|row| column.cell(row)) {
                let ids = cell.as_array().map_or(std::slice::from_ref(cell), Vec::as_slice);
                shown.extend(ids.iter().filter_map(|id| Uuid::parse_str(id.as_str()?).ok()).map(ContactId));
            }
        }
        let mut seen = std::collections::HashSet::new();
        shown.retain(|contact| seen.insert(*contact));
        Ok(shown)
    }

    /// Members of rows for which there is no column, which tests want none of.
    #[cfg(test)]
    pub(crate) fn without_a_column(&self) -> Vec<String> {
        let columns = self.typed.shape().columns().unwrap();
        let mut found = Vec::new();
        for row in self.row_values().unwrap() {
            super::columns::without_a_column(&columns, row, "", &mut found);
        }
        found
    }

    fn row_values(&self) -> Result<&[Value], AnswerError> {
        let value = self.value()?;
        Ok(sheet::rows(value).unwrap_or(std::slice::from_ref(value)))
    }
}

impl fmt::Debug for Answer {
    // What is answered is personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Answer")
    }
}

/// The first member that was sent and is not there after reading, or otherwise.
fn difference(read: &Value, sent: &Value) -> Option<String> {
    match (read, sent) {
        (Value::Object(read), Value::Object(sent)) => sent.iter().find_map(|(name, sent)| {
            let within = match read.get(name) {
                Some(read) => difference(read, sent)?,
                None => String::new(),
            };
            Some(joined(name, &within))
        }),
        (Value::Array(read), Value::Array(sent)) if read.len() == sent.len() => {
            let mut pairs = read.iter().zip(sent).enumerate();
            pairs.find_map(|(index, (read, sent))| {
                Some(joined(&format!("[{index}]"), &difference(read, sent)?))
            })
        }
        _ => (read != sent).then(String::new),
    }
}

fn joined(name: &str, within: &str) -> String {
    let dot = if within.is_empty() || within.starts_with('[') { "" } else { "." };
    format!("{name}{dot}{within}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::questions::erasures::Erasures;

    fn row() -> Value {
        json!({
            "position": 7, "event": Uuid::nil(), "of": "contact", "contact": Uuid::nil(), "message": null,
            "ground": "request", "by": "member:ann", "erased_at": "2024-01-01T00:00:00Z", "readmitted_at": null,
            "readmitted_on": null,
        })
    }

    #[track_caller]
    fn read(answer: &Value) -> Result<Answer, String> {
        Answer::read::<Erasures>(&answer.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_read_in_the_type_of_its_view_or_not_at_all() {
        let sent = json!({ "rows": [row()], "next": "abc" });
        let answer = read(&sent).unwrap();
        assert_eq!((answer.count().unwrap(), answer.next().unwrap().as_deref()), (1, Some("abc")));
        assert_eq!(answer.contacts().unwrap(), [ContactId(Uuid::nil())]);
        assert_eq!(answer.to_json().unwrap(), sent.to_string());
        assert_eq!(answer.into_view::<Erasures>().unwrap().rows[0].position, 7);

        let mut renamed = row();
        let by = renamed.as_object_mut().unwrap().remove("by").unwrap();
        let missing = read(&json!({ "rows": [renamed] })).unwrap_err();
        assert!(missing.contains("rows[0]") && missing.contains("missing field `by`"), "{missing}");
        let mut more = row();
        more["writer"] = by;
        let unknown = read(&json!({ "rows": [row(), more] })).unwrap_err();
        assert!(unknown.contains("`rows[1].writer`"), "{unknown}");
    }
}
