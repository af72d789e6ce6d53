//! Two contacts compared feature by feature.

use std::collections::BTreeMap;

use domain::{
    ContactId,
    contact::ContactForm,
    evidence::{Bearing, Evidence, Feature, Strength, weigh},
};
use uuid::Uuid;

use super::pair::Pair;
use crate::kit::{
    Tables,
    column::{given, read_word},
    handles::{Handle, held},
};

/// How alike two names must be to speak for one person, and how unlike to speak against it (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.92;
const UNLIKE: f64 = 0.6;
/// The platform of email addresses.
pub(super) const EMAIL: &str = "email";

/// What is known of one contact, as far as it can be compared. What was forgotten is not there.
pub(super) struct Profile {
    pub(super) contact: Uuid,
    pub(super) form: ContactForm,
    pub(super) name: Option<String>,
    pub(super) handles: Vec<Handle<()>>,
    pub(super) details: BTreeMap<String, String>,
}

impl Profile {
    /// None where the contact is not registered.
    pub(super) fn read(tables: &Tables, contact: Uuid) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT form, named, name FROM contacts WHERE contact = ?1";
        let found = tables.row(sql, [contact], |row| {
            let name: Option<String> = given(row, 1, 2)?;
            Ok((read_word(row, 0)?, name))
        })?;
        let Some((form, name)) = found else { return Ok(None) };
        let sql = "SELECT detail, value FROM details WHERE contact = ?1 AND value <> ''";
        let details = tables.rows(sql, [contact], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let handles = handles(tables, contact)?;
        Ok(Some(Self { contact, form, name, handles, details: details.into_iter().collect() }))
    }

    /// What the two come to as a pair; none where nothing speaks for it, or they are not of one form.
    pub(super) fn compare(&self, other: &Self) -> Option<Pair> {
        if self.form != other.form {
            return None;
        }
        let mut evidence = Vec::new();
        self.compare_handles(other, &mut evidence);
        self.compare_names(other, &mut evidence);
        let phone = self.details.get("phone").zip(other.details.get("phone"));
        if phone.is_some_and(|(one, other)| plain_number(one) == plain_number(other)) {
            evidence.push(speaks(Feature::Phone, Bearing::For, Strength::Weak));
        }
        if let Some((one, other)) = self.details.get("birthday").zip(other.details.get("birthday")) {
            evidence.push(if one.trim() == other.trim() {
                speaks(Feature::Birthday, Bearing::For, Strength::Weak)
            } else {
                speaks(Feature::Birthday, Bearing::Against, Strength::Strong)
            });
        }
        // People move, so that another address says nothing.
        let address = self.details.get("address").zip(other.details.get("address"));
        if address.is_some_and(|(one, other)| folded(one) == folded(other)) {
            evidence.push(speaks(Feature::Address, Bearing::For, Strength::Weak));
        }
        if !evidence.iter().any(|one| one.bearing == Bearing::For) {
            return None;
        }
        Some(Pair {
            contact: ContactId(self.contact),
            name: self.name.clone(),
            other: ContactId(other.contact),
            other_name: other.name.clone(),
            form: self.form,
            strength: weigh(&evidence),
            score: score(&evidence),
            evidence,
        })
    }

    fn compare_handles(&self, other: &Self, evidence: &mut Vec<Evidence>) {
        let mut shared: Vec<(&Handle<()>, &Handle<()>)> = Vec::new();
        for one in &self.handles {
            shared.extend(other.handles.iter().filter(|other| is_same(one, other)).map(|other| (one, other)));
        }
        if shared.iter().any(|(one, other)| one.verified && other.verified) {
            evidence.push(speaks(Feature::VerifiedIdentity, Bearing::For, Strength::Strong));
        }
        if shared.iter().any(|(one, _)| one.platform == EMAIL) {
            evidence.push(speaks(Feature::Email, Bearing::For, Strength::Strong));
        }
        let accounts = |handles: &[Handle<()>]| -> BTreeMap<String, Vec<String>> {
            let mut accounts = BTreeMap::<String, Vec<String>>::new();
            for handle in handles.iter().filter(|handle| handle.platform != EMAIL) {
                accounts.entry(handle.platform.clone()).or_default().push(folded(&handle.text));
            }
            accounts
        };
        let (mine, theirs) = (accounts(&self.handles), accounts(&other.handles));
        let both = || mine.iter().filter_map(|(platform, mine)| Some((mine, theirs.get(platform)?)));
        let alike =
            |(mine, theirs): (&Vec<String>, &Vec<String>)| mine.iter().any(|one| theirs.contains(one));
        if both().any(alike) {
            evidence.push(speaks(Feature::ExternalId, Bearing::For, Strength::Strong));
        }
        // One person has one number at one place; who has another there is mostly somebody else.
        if both().any(|pair| !alike(pair)) {
            evidence.push(speaks(Feature::ExternalId, Bearing::Against, Strength::Strong));
        }
    }

    fn compare_names(&self, other: &Self, evidence: &mut Vec<Evidence>) {
        let name = |profile: &Self| profile.name.as_deref().map(sorted_words).filter(|name| !name.is_empty());
        let Some((one, other)) = name(self).zip(name(other)) else { return };
        let alike = strsim::jaro_winkler(&one, &other);
        if alike >= ALIKE {
            evidence.push(speaks(Feature::Name, Bearing::For, Strength::Weak));
        } else if alike < UNLIKE {
            evidence.push(speaks(Feature::Name, Bearing::Against, Strength::Weak));
        }
    }
}

/// Whether two handles are the same but for how they are written.
fn is_same(one: &Handle<()>, other: &Handle<()>) -> bool {
    one.platform == other.platform && folded(&one.text) == folded(&other.text)
}

/// The handles that hold now. What was forgotten cannot be told from anything, and is left out.
fn handles(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Handle<()>>> {
    let sql = "SELECT platform, handle, verified, linked FROM handles WHERE contact = ?1 AND handle <> ''
         ORDER BY position";
    let links = tables.rows(sql, [contact], |row| {
        let handle = Handle { platform: row.get(0)?, text: row.get(1)?, verified: row.get(2)?, with: () };
        Ok((handle, row.get::<_, bool>(3)?))
    })?;
    Ok(held(links))
}

const fn speaks(feature: Feature, bearing: Bearing, strength: Strength) -> Evidence {
    Evidence { feature, bearing, strength }
}

fn score(evidence: &[Evidence]) -> f64 {
    let points = evidence.iter().map(|one| {
        let points = if one.strength == Strength::Strong { 0.6 } else { 0.2 };
        if one.bearing == Bearing::For { points } else { -points }
    });
    // In tenths, since that is how exactly it is meant.
    (points.sum::<f64>().clamp(0.0, 1.0) * 10.0).round() / 10.0
}

/// Without capitals and blanks around it.
fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The words of a name in alphabetical order, so that it does not matter which comes first.
fn sorted_words(name: &str) -> String {
    let name = name.to_lowercase();
    let mut words: Vec<&str> =
        name.split(|part: char| !part.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.join(" ")
}

/// A telephone number as the index compares it.
pub(super) fn plain_number(number: &str) -> String {
    number.chars().filter(|character| !" -/.()".contains(*character)).collect()
}
