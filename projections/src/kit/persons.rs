//! Which contacts are one person. Rows of views are keyed by contact, for ever; what is merged is joined when a
//! question is asked, so that a merge moves nothing and its end leaves nothing behind.
//!
//! The runtime keeps `person` in the file of every view, whatever else the view folds. Contacts that are alone
//! have no row, so that where nothing is merged nothing is joined.

use std::collections::{HashMap, HashSet};

use domain::{Event, Recorded, contact::ContactEvent};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{error::ApplyError, tables::Tables};

/// In `merges` one row per contact that is merged into another; in `person` one per contact that is not alone.
pub(crate) const TABLES: &str = "
    CREATE TABLE merges (contact BLOB PRIMARY KEY, other BLOB NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX merges_by_other ON merges (other);
    CREATE TABLE person (contact BLOB PRIMARY KEY, person BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX person_by_person ON person (person);";

/// Whether the runtime has something to fold here.
pub(crate) const fn wants(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Contact(ContactEvent::Merged { .. } | ContactEvent::Unmerged { .. }))
}

/// Whether an event that cannot be read may have been one that the runtime wants.
pub(crate) fn wants_tag(tag: &str) -> bool {
    matches!(tag, "contact.merged" | "contact.unmerged")
}

/// Folds a merge or its end.
pub(crate) fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
    let Event::Contact(event) = &recorded.event else { return Ok(()) };
    let contact = recorded.stream.id;
    match event {
        ContactEvent::Merged { into, .. } => {
            tables.execute(
                "INSERT OR REPLACE INTO merges VALUES (?1, ?2, ?3)",
                params![contact, into.0, recorded.position.0],
            )?;
            settle(tables, contact)
        }
        ContactEvent::Unmerged { from } => {
            let sql = "DELETE FROM merges WHERE contact = ?1 AND other = ?2";
            tables.execute(sql, params![contact, from.0])?;
            settle(tables, contact)?;
            settle(tables, from.0)
        }
        _ => Ok(()),
    }
}

/// Writes down anew who belongs to the person of a contact, and which of them the person is named after.
fn settle(tables: &Tables, contact: Uuid) -> Result<(), ApplyError> {
    let merges = merges_around(tables, contact)?;
    let mut parts: HashSet<Uuid> = HashSet::from([contact]);
    for (part, (other, _)) in &merges {
        parts.extend([*part, *other]);
    }
    let person = last_of(&merges, contact);
    for part in &parts {
        if parts.len() == 1 {
            tables.execute("DELETE FROM person WHERE contact = ?1", [part])?;
        } else {
            tables.execute("INSERT OR REPLACE INTO person VALUES (?1, ?2)", params![part, person])?;
        }
    }
    Ok(())
}

/// Every merge that a contact has to do with, over others as well: into which, and at which position.
fn merges_around(tables: &Tables, contact: Uuid) -> Result<HashMap<Uuid, (Uuid, u64)>, ApplyError> {
    let sql = "SELECT contact, other, position FROM merges WHERE contact = ?1
         UNION ALL SELECT contact, other, position FROM merges WHERE other = ?1";
    let mut merges = HashMap::new();
    let (mut seen, mut waiting) = (HashSet::from([contact]), vec![contact]);
    while let Some(part) = waiting.pop() {
        let found = tables
            .rows(sql, [part], |row| Ok((row.get::<_, Uuid>(0)?, row.get::<_, Uuid>(1)?, row.get(2)?)))?;
        for (part, other, position) in found {
            merges.insert(part, (other, position));
            waiting.extend([part, other].into_iter().filter(|next| seen.insert(*next)));
        }
    }
    Ok(merges)
}

/// The contact that all are merged into in the end. A circle cannot be closed here, but may have been closed by
/// two writers far from each other: then the latest merge of the circle does not count.
fn last_of(merges: &HashMap<Uuid, (Uuid, u64)>, contact: Uuid) -> Uuid {
    let (mut last, mut seen) = (contact, HashSet::new());
    while let Some((other, _)) = merges.get(&last)
        && seen.insert(last)
    {
        last = *other;
    }
    if !merges.contains_key(&last) {
        return last;
    }
    let mut circle = vec![last];
    while let Some((other, _)) = circle.last().and_then(|part| merges.get(part))
        && *other != last
    {
        circle.push(*other);
    }
    let position = |part: &Uuid| merges.get(part).map(|(_, position)| *position);
    circle.into_iter().max_by_key(position).unwrap_or(last)
}

/// For the questions of views.
impl Tables {
    /// Whether any contacts are merged at all.
    pub fn any_merged(&self) -> rusqlite::Result<bool> {
        Ok(self.row("SELECT 1 FROM person LIMIT 1", [], |_| Ok(()))?.is_some())
    }

    /// The person that a contact belongs to: the contact that all of them are merged into, or itself.
    pub fn person_of(&self, contact: Uuid) -> rusqlite::Result<Uuid> {
        let person = self.row("SELECT person FROM person WHERE contact = ?1", [contact], |row| row.get(0))?;
        Ok(person.unwrap_or(contact))
    }

    /// Every contact of the person that a contact belongs to, the one that all are merged into in front.
    pub fn parts_of(&self, contact: Uuid) -> rusqlite::Result<Vec<Uuid>> {
        let sql = "SELECT part.contact FROM person AS me JOIN person AS part ON part.person = me.person
             WHERE me.contact = ?1 ORDER BY part.contact <> part.person, part.contact";
        let parts = self.rows(sql, [contact], |row| row.get(0))?;
        Ok(if parts.is_empty() { vec![contact] } else { parts })
    }

    /// The person that a contact belongs to, where it is not alone: what a row shows beside its contact.
    pub fn merged_person(&self, contact: Uuid) -> rusqlite::Result<Option<Uuid>> {
        self.row("SELECT person FROM person WHERE contact = ?1", [contact], |row| row.get(0))
    }

    /// Of the numbers of [`Tables::number`], those that stand for a person who bears a lower one as well, each
    /// with the lowest: who is counted by numbers is counted once under that.
    pub fn merged_numbers(&self, table: &str) -> rusqlite::Result<Vec<(u32, u32)>> {
        let sql = format!(
            "SELECT number, lowest FROM (
                 SELECT number, min(number) OVER (PARTITION BY person) AS lowest
                 FROM person CROSS JOIN {table} ON id = contact)
             WHERE number > lowest"
        );
        self.rows(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

/// The person of the contact in a column, as an expression of SQL.
pub(crate) fn person_in(column: &str) -> String {
    format!("coalesce((SELECT person FROM person WHERE contact = {column}), {column})")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{Actor, ContactId, EventId, Kind, Position, StreamId};
    use proptest::prelude::*;

    use super::*;
    use crate::kit::testing::NoKeys;

    fn empty() -> Tables {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection
            .execute_batch("CREATE TABLE people (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE)")
            .unwrap();
        Tables::new(connection, std::sync::Arc::new(NoKeys))
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn tell(tables: &Tables, position: u64, contact: u128, event: ContactEvent) {
        let at = chrono::DateTime::UNIX_EPOCH;
        let recorded = Recorded {
            position: Position(position),
            stream: StreamId::new(Kind::Contact, id(contact)),
            revision: 1,
            id: EventId(id(0)),
            occurred_at: None,
            effective_at: at,
            recorded_at: at,
            by: Actor::Member("ann".to_owned()),
            subjects: Vec::new(),
            metadata: None,
            event: Event::Contact(event),
        };
        assert!(wants(&recorded));
        apply(tables, &recorded).unwrap();
    }

    fn merged(into: u128) -> ContactEvent {
        ContactEvent::Merged { into: ContactId(id(into)), evidence: Vec::new(), looked_up: Vec::new() }
    }

    fn unmerged(from: u128) -> ContactEvent {
        ContactEvent::Unmerged { from: ContactId(id(from)) }
    }

    #[test]
    fn a_person_is_named_after_the_contact_that_all_are_merged_into() {
        let tables = empty();
        assert!(!tables.any_merged().unwrap());
        tell(&tables, 1, 1, merged(2));
        tell(&tables, 2, 3, merged(1));
        tell(&tables, 3, 2, merged(4));
        assert_eq!(tables.parts_of(id(3)).unwrap(), [id(4), id(1), id(2), id(3)]);
        assert_eq!(tables.person_of(id(3)).unwrap(), id(4));
        assert_eq!(tables.parts_of(id(9)).unwrap(), [id(9)]);
        assert_eq!(tables.merged_person(id(9)).unwrap(), None);
    }

    #[test]
    fn an_unmerge_parts_what_hung_together_by_it_and_leaves_nothing_behind() {
        let tables = empty();
        tell(&tables, 1, 1, merged(2));
        tell(&tables, 2, 3, merged(2));
        tell(&tables, 3, 2, merged(4));
        tell(&tables, 4, 2, unmerged(4));
        assert_eq!(tables.parts_of(id(1)).unwrap(), [id(2), id(1), id(3)]);
        assert_eq!(tables.parts_of(id(4)).unwrap(), [id(4)]);
        tell(&tables, 5, 1, unmerged(2));
        tell(&tables, 6, 3, unmerged(2));
        assert!(!tables.any_merged().unwrap());
        assert_eq!(tables.row("SELECT count(*) FROM merges", [], |row| row.get(0)).unwrap(), Some(0));
    }

    #[test]
    fn of_a_circle_that_arrives_anyway_the_latest_merge_does_not_count() {
        let tables = empty();
        tell(&tables, 1, 1, merged(2));
        tell(&tables, 2, 2, merged(3));
        tell(&tables, 3, 3, merged(1));
        tell(&tables, 4, 9, merged(1));
        assert_eq!(tables.parts_of(id(9)).unwrap(), [id(3), id(1), id(2), id(9)]);
        // Where the circle is cut elsewhere, it counts again.
        tell(&tables, 5, 1, unmerged(2));
        assert_eq!(tables.parts_of(id(9)).unwrap(), [id(1), id(2), id(3), id(9)]);
    }

    #[test]
    fn numbers_of_one_person_count_under_the_lowest() {
        let tables = empty();
        for number in [5, 3, 1] {
            tables.number("people", id(number)).unwrap();
        }
        tell(&tables, 1, 1, merged(2));
        tell(&tables, 2, 5, merged(2));
        assert_eq!(tables.merged_numbers("people").unwrap(), [(3, 1)]);
    }

    proptest! {
        /// Whatever is merged and unmerged: who hangs together is one person, and nobody else is.
        #[test]
        fn persons_are_what_the_merges_that_stand_hold_together(
            steps in prop::collection::vec((0_u128..7, 0_u128..7, any::<bool>()), 0..40),
        ) {
            let tables = empty();
            let mut standing = BTreeMap::<u128, u128>::new();
            for (position, (contact, other, merge)) in (1..).zip(steps) {
                match standing.get(&contact).copied() {
                    None if merge && contact != other => {
                        standing.insert(contact, other);
                        tell(&tables, position, contact, merged(other));
                    }
                    Some(other) if !merge => {
                        standing.remove(&contact);
                        tell(&tables, position, contact, unmerged(other));
                    }
                    _ => {}
                }
            }
            let mut group: Vec<u128> = (0..7).collect();
            for _ in 0..7 {
                for (one, other) in &standing {
                    let (one, other) = (usize::try_from(*one).unwrap(), usize::try_from(*other).unwrap());
                    let lowest = group[one].min(group[other]);
                    (group[one], group[other]) = (lowest, lowest);
                }
            }
            for one in 0..7 {
                let expected: HashSet<Uuid> =
                    (0..7_usize).filter(|other| group[*other] == group[one]).map(|other| id(other as u128)).collect();
                let parts: HashSet<Uuid> = tables.parts_of(id(one as u128)).unwrap().into_iter().collect();
                prop_assert_eq!(parts, expected);
            }
        }
    }
}
