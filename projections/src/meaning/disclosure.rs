//! What the events of a disclosure mean: it is only ever told.

use domain::{Kind, disclosure::DisclosureEvent};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &DisclosureEvent) {
    match event {
        DisclosureEvent::Recorded { role, purpose, manner, view, query, size, rows, shown } => {
            // The view of history does not want them; whoever looked is asked of `disclosures`.
            told.say("People were shown to somebody");
            told.is("role", role.name());
            told.is("purpose", Value::word(purpose));
            told.is("manner", Value::word(manner));
            told.is("view", view);
            told.may_be("query", Some(query).filter(|query| !query.is_empty()));
            told.is("size of the log", size.to_string());
            told.is("rows", rows.to_string());
            if !shown.is_empty() {
                let shown = shown.iter().map(|id| Value::thing(Kind::Contact, id.0)).collect();
                told.set("shown".into(), shown);
            }
        }
    }
}
