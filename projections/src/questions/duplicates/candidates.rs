//! Who is compared with whom: those who share something that an index finds. The work of one question is bounded,
//! however many contacts there are and whatever they share.

use std::{cmp::Ordering, collections::BTreeSet};

use domain::ContactId;
use rusqlite::params;
use uuid::Uuid;

use super::{
    comparison::{Profile, plain_number},
    pair::Pair,
};
use crate::kit::{Page, Tables, ViewError};

/// How many handles are looked at for one page of pairs.
const HANDLES_READ: usize = 5_000;
/// What more contacts than these share (the address of an office) says nothing about any of them.
const SHARED_BY: usize = 20;
/// How many contacts of a like name are compared with one.
const NAMESAKES: usize = 200;
/// How many words of a name are looked for.
const WORDS: usize = 6;

/// A page of pairs, with the cursor of the next one.
type Pairs = (Vec<Pair>, Option<String>);

/// Those who may be the same as one contact, the likeliest first.
pub(super) fn of_one(tables: &Tables, contact: Uuid, page: &Page) -> Result<Option<Pairs>, ViewError> {
    let Some(profile) = Profile::read(tables, contact)? else { return Ok(None) };
    let mut found = BTreeSet::new();
    for handle in &profile.handles {
        found.extend(sharing(tables, &handle.platform, &handle.text)?);
    }
    if let Some(phone) = profile.details.get("phone") {
        found.extend(reachable_at(tables, phone)?);
    }
    if let Some(name) = &profile.name {
        found.extend(namesakes(tables, name)?);
    }
    let mut rows = Vec::new();
    for other in found {
        rows.extend(compared(tables, &profile, other)?);
    }
    let order =
        |one: &Pair, other: &Pair| other.score.total_cmp(&one.score).then(one.other.cmp(&other.other));
    rows.sort_by(order);
    if let Some((score, other)) = page.after::<(f64, ContactId)>()? {
        rows.retain(|pair| score.total_cmp(&pair.score).then(pair.other.cmp(&other)) == Ordering::Greater);
    }
    let next = page.cut(&mut rows, |pair| (pair.score, pair.other));
    Ok(Some((rows, next)))
}

/// The next pairs that share a handle: every pair is found at the later one of its two links.
pub(super) fn of_all(tables: &Tables, page: &Page) -> Result<Pairs, ViewError> {
    let (mut at, mut before) = page.after::<(i64, Option<Uuid>)>()?.unwrap_or((0, None));
    let sql = "SELECT position, contact, platform, handle FROM handles
         WHERE position >= ?1 AND linked AND handle <> '' ORDER BY position LIMIT ?2";
    // The handle at which the page before ended is read again, for the rest of its pairs.
    let handles = tables.rows(sql, params![at, HANDLES_READ as u64], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Uuid>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    let whole = handles.len() < HANDLES_READ;
    let mut found: Vec<(i64, Pair)> = Vec::new();
    for (position, contact, platform, handle) in handles {
        let rest = before.filter(|_| position == at);
        let others = sharing_before(tables, &platform, &handle, position)?;
        if !others.is_empty()
            && let Some(profile) = Profile::read(tables, contact)?
        {
            for other in others.into_iter().filter(|other| rest.is_none_or(|rest| *other > rest)) {
                // Who shares several things is one pair all the same.
                let known = found.iter().any(|(_, pair)| pair.contact.0 == contact && pair.other.0 == other);
                if !known {
                    found.extend(compared(tables, &profile, other)?.map(|pair| (position, pair)));
                }
            }
        }
        (at, before) = (position, Some(Uuid::max()));
        if found.len() >= page.fetch() {
            break;
        }
    }
    let is_cut = found.len() >= page.fetch();
    let next = page.cut(&mut found, |(position, pair)| (*position, Some(pair.other.0)));
    let next = next.or_else(|| (!whole && !is_cut).then(|| Page::cursor(&(at, before))).flatten());
    Ok((found.into_iter().map(|(_, pair)| pair).collect(), next))
}

/// The two compared, unless they are one already or somebody has told them apart.
fn compared(tables: &Tables, profile: &Profile, other: Uuid) -> Result<Option<Pair>, ViewError> {
    let (ours, theirs) = (tables.parts_of(profile.contact)?, tables.parts_of(other)?);
    if ours.contains(&other) {
        return Ok(None);
    }
    let sql = "SELECT 1 FROM apart WHERE (one = ?1 AND other = ?2) OR (one = ?2 AND other = ?1)";
    for one in &ours {
        for other in &theirs {
            if tables.row(sql, [one, other], |_| Ok(()))?.is_some() {
                return Ok(None);
            }
        }
    }
    let other = Profile::read(tables, other)?;
    Ok(other.and_then(|other| profile.compare(&other)))
}

/// The contacts to which a handle was linked; none where it is everybody's.
fn sharing(tables: &Tables, platform: &str, handle: &str) -> Result<BTreeSet<Uuid>, ViewError> {
    sharing_before(tables, platform, handle, i64::MAX)
}

fn sharing_before(
    tables: &Tables,
    platform: &str,
    handle: &str,
    before: i64,
) -> Result<BTreeSet<Uuid>, ViewError> {
    let sql = "SELECT contact, position FROM handles
         WHERE handle = ?1 COLLATE NOCASE AND platform = ?2 AND linked LIMIT ?3";
    let limit = 2 * SHARED_BY as u64;
    let links = tables.rows(sql, params![handle, platform, limit], |row| {
        Ok((row.get::<_, Uuid>(0)?, row.get::<_, i64>(1)?))
    })?;
    let all: BTreeSet<Uuid> = links.iter().map(|(contact, _)| *contact).collect();
    if all.len() > SHARED_BY {
        return Ok(BTreeSet::new());
    }
    Ok(links.into_iter().filter(|(_, position)| *position < before).map(|(contact, _)| contact).collect())
}

/// The contacts with a telephone number; none where it is everybody's.
fn reachable_at(tables: &Tables, number: &str) -> Result<Vec<Uuid>, ViewError> {
    let sql = "SELECT contact FROM details WHERE detail = 'phone'
             AND replace(replace(replace(replace(replace(replace(value, ' ', ''), '-', ''), '/', ''), '.', ''), '(', ''), ')', '')
                 = ?1
         LIMIT ?2";
    let found = tables.rows(sql, params![plain_number(number), SHARED_BY as u64 + 1], |row| row.get(0))?;
    Ok(if found.len() > SHARED_BY { Vec::new() } else { found })
}

/// Contacts whose name has a word of this name, those with most of them first.
fn namesakes(tables: &Tables, name: &str) -> Result<Vec<Uuid>, ViewError> {
    let words = name.split(|part: char| !part.is_alphanumeric()).filter(|word| !word.is_empty());
    let any: Vec<String> = words.take(WORDS).map(|word| format!("\"{word}\"")).collect();
    if any.is_empty() {
        return Ok(Vec::new());
    }
    // Those with every word first; only where they are few those with some word, which are ranked among a few
    // thousand at most.
    let sql = "SELECT contact FROM contacts WHERE number IN (
             SELECT rowid FROM name_words WHERE name_words MATCH ?1 LIMIT ?2)";
    let all = tables.rows(sql, params![any.join(" AND "), NAMESAKES as u64], |row| row.get(0))?;
    if any.len() == 1 || all.len() == NAMESAKES {
        return Ok(all);
    }
    let some = tables.rows(sql, params![any.join(" OR "), NAMESAKES as u64], |row| row.get(0))?;
    Ok(all.into_iter().chain(some).collect())
}
