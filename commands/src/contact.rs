//! Contacts: registered, renamed, described, identified, tagged, asked for consent, related, merged, voided.

mod merging;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::{
    ContactId, ErasureGround, Evidence, Personal, Role,
    contact::{
        ConsentChannel, ConsentPurpose, ContactEvent, ContactForm, Detail, LawfulBasis, RelationshipKind,
    },
    moment,
};
use merging::{APART_LIMIT, CHAIN_LIMIT, EVIDENCE_LIMIT, Found, Merging};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    decider::{Decider, Decision, Given, Past},
    field::{Comparison, Field, Repetition, kept},
    text::{Line, Prose},
};

/// How many tags a contact may carry.
const TAGS_LIMIT: usize = 200;
/// How many identities a contact may have.
const IDENTITIES_LIMIT: usize = 200;
/// How many contacts a contact may be related to.
const RELATIONSHIPS_LIMIT: usize = 500;
/// How many characters a detail that stands on one line may have.
const DETAIL_LIMIT: usize = 500;

/// What is known of a contact.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Registered.
    Known(Box<Known>),
    /// Registered in error.
    Voided,
    /// Forgotten; known no more, whatever they were before.
    Erased {
        /// Whether they may be known again, as somebody new.
        readmitted: bool,
        /// As which other contact they go on to count.
        into: Option<ContactId>,
    },
}

/// A contact that counts.
#[derive(Clone, Debug)]
pub struct Known {
    form: ContactForm,
    name: Field<String>,
    details: BTreeMap<Detail, Field<String>>,
    identities: BTreeMap<Identity, Link>,
    tags: BTreeMap<String, Field<bool>>,
    consents: BTreeMap<(ConsentPurpose, ConsentChannel), Field<Consent>>,
    relationships: BTreeMap<(RelationshipKind, ContactId), Field<Relationship>>,
    merging: Merging,
    /// Whether anything personal said about them cannot be read any more.
    forgotten: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    platform: String,
    handle: String,
}

#[derive(Clone, Debug, Default)]
struct Link {
    linked: Field<bool>,
    verified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consent {
    Given(LawfulBasis),
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relationship {
    Lasting { since: Option<NaiveDate> },
    Ended,
}

/// What can be asked of a contact.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Make them known.
    Register {
        /// What sort of contact.
        form: ContactForm,
        /// The name to show, where there is one.
        name: Option<Line>,
    },
    /// They are called something else, or were misspelt.
    Rename {
        /// The name from now on.
        name: Line,
    },
    /// A detail is something else, or is gone.
    ChangeDetail {
        /// Which detail.
        detail: Detail,
        /// The value from now on; absent where there is none any more. Only a note may run over several lines.
        value: Option<Prose>,
    },
    /// They can be found and reached under a handle of some platform. Earlier ones stay.
    LinkIdentity {
        /// The platform: `email`, `mastodon`, `student-number`…
        platform: Line<60>,
        /// The handle, address or number there.
        handle: Line<300>,
        /// Whether it has been proven to be theirs.
        #[serde(default)]
        verified: bool,
    },
    /// A handle is not theirs, or not any more.
    UnlinkIdentity {
        /// The platform.
        platform: Line<60>,
        /// The handle there.
        handle: Line<300>,
    },
    /// Give them a tag.
    Tag {
        /// The tag.
        tag: Line<100>,
    },
    /// Take a tag from them.
    Untag {
        /// The tag.
        tag: Line<100>,
    },
    /// They may be written to.
    GiveConsent {
        /// For what.
        purpose: ConsentPurpose,
        /// Through which channel.
        channel: ConsentChannel,
        /// On what ground.
        basis: LawfulBasis,
        /// Where the proof lies: a form, a letter, a page.
        proof: Option<Line<500>>,
    },
    /// They may not be written to any more, or never wanted to be.
    WithdrawConsent {
        /// For what.
        purpose: ConsentPurpose,
        /// Through which channel.
        channel: ConsentChannel,
    },
    /// They are related to another contact.
    StartRelationship {
        /// How.
        relationship: RelationshipKind,
        /// To whom.
        to: ContactId,
        /// Since when, where known.
        #[serde(default, deserialize_with = "moment::maybe_day")]
        since: Option<NaiveDate>,
    },
    /// They are not related to another contact any more.
    EndRelationship {
        /// How.
        relationship: RelationshipKind,
        /// To whom.
        to: ContactId,
    },
    /// They are the same as another contact. Nothing is deleted and nothing is moved; it can be undone.
    Merge {
        /// As which.
        into: ContactId,
        /// What speaks for it and against it. Without something strong for it, or with something strong against
        /// it, only a person may merge.
        #[serde(default)]
        #[schemars(length(max = 20))]
        evidence: Vec<Evidence>,
        /// The contacts from `into` to the last that it is merged into, looked up before the decision.
        #[serde(skip)]
        chain: Vec<Found>,
    },
    /// They are not the same as another contact after all; what came through each stays with it.
    Unmerge {
        /// The contact that they were merged into.
        from: ContactId,
    },
    /// They only look like another contact: do not suggest that again.
    DismissMerge {
        /// Which one.
        other: ContactId,
    },
    /// They were registered in error and count nowhere.
    Void {},
    /// Forget them: everything personal that was ever said of them, for good. Also somebody who was never
    /// registered or was voided. It cannot be undone.
    Erase {
        /// Why.
        ground: ErasureGround,
    },
    /// They agreed anew after they had been erased: the next import takes them in as somebody new.
    Readmit {
        /// On what ground their data may be used again.
        basis: LawfulBasis,
    },
}

/// Why a command to a contact is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such contact.
    #[error("there is no such contact: register it first")]
    UnknownContact,
    /// They were registered with other fields.
    #[error(
        "the contact is registered already, with other fields: `rename` changes the name; for another form \
         `void` it and register a new one"
    )]
    RegisteredDifferently,
    /// The detail does not fit on its line.
    #[error("this detail stands on one line of at most {DETAIL_LIMIT} characters: put more into a `note`")]
    NotOneLine,
    /// Nobody is their own relation.
    #[error("a contact cannot be related to itself: give another contact in `to`")]
    RelatedToItself,
    /// Too many tags.
    #[error("a contact carries at most {TAGS_LIMIT} tags: `untag` one first")]
    TooManyTags,
    /// Too many identities.
    #[error("a contact has at most {IDENTITIES_LIMIT} identities: `unlink_identity` one first")]
    TooManyIdentities,
    /// Too many relationships.
    #[error("a contact has at most {RELATIONSHIPS_LIMIT} relationships: `end_relationship` with one first")]
    TooManyRelationships,
    /// Nobody is merged with themselves.
    #[error("a contact cannot be merged with itself or told apart from itself: give another contact")]
    MergedIntoItself,
    /// Merged with somebody else.
    #[error("the contact is merged into another one: `unmerge` it from that one first")]
    MergedAlready,
    /// The other one is not there.
    #[error("there is no such contact to merge into, or it was voided: give one that is registered")]
    UnknownOther,
    /// A person is no organization.
    #[error("a person, an organization and a household are never one: merge contacts of the same form")]
    DifferentForms,
    /// The other one is merged into this one.
    #[error(
        "the other contact is merged into this one already, itself or over others: nothing is left to merge"
    )]
    MergedTheOtherWay,
    /// Too many one after the other.
    #[error(
        "at most {CHAIN_LIMIT} contacts may be merged one into the other in a row: merge into the last of them"
    )]
    MergedTooDeep,
    /// More than anybody reads.
    #[error("at most {EVIDENCE_LIMIT} pieces of evidence may be given")]
    TooMuchEvidence,
    /// The evidence does not suffice by itself.
    #[error(
        "only a person may merge these two: nothing strong speaks for it, something strong speaks against it, or \
         somebody has told them apart"
    )]
    NeedsAPerson,
    /// They are one at the moment.
    #[error("the contact is merged into that one: `unmerge` it instead")]
    IsMerged,
    /// Too many look alike.
    #[error("a contact is told apart from at most {APART_LIMIT} others")]
    TooManyDismissed,
    /// They were voided.
    #[error("the contact was voided and takes no more commands: register a new one")]
    Voided,
    /// They were erased.
    #[error(
        "the contact was erased and takes no more commands but `unmerge`: if they agree to be known again, `readmit` them and \
         register a new contact"
    )]
    Erased,
    /// They were not erased.
    #[error("the contact was not erased, so there is nothing to readmit them from")]
    NotErased,
}

/// The decider of contacts.
pub struct Contact;

impl Decider for Contact {
    type Event = ContactEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff];

    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] = &[
        ("register", &[Role::Admin, Role::Staff, Role::Intake]),
        ("link_identity", &[Role::Admin, Role::Staff, Role::Intake]),
        ("erase", &[Role::Admin]),
        ("readmit", &[Role::Admin]),
    ];

    fn asks(command: &Command) -> Option<Uuid> {
        match command {
            Command::Merge { into, chain, .. } => merging::next_asked(*into, chain),
            _ => None,
        }
    }

    fn told(command: &mut Command, id: Uuid, state: &State, revision: u64) {
        if let Command::Merge { chain, .. } = command {
            chain.push(Found::of(id, state, revision));
        }
    }

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        match (state, command) {
            (State::Erased { .. }, Command::Erase { .. }) => Ok(Decision::nothing()),
            (State::Erased { readmitted, .. }, Command::Readmit { basis }) => {
                Ok(Decision::unless(*readmitted, ContactEvent::Readmitted { basis }))
            }
            // Who they are one person with was perhaps a mistake, and nothing of it is personal.
            (State::Erased { into, .. }, Command::Unmerge { from }) => match into {
                Some(into) if *into == from => Ok(Decision::one(ContactEvent::Unmerged { from })),
                Some(_) => Err(Rejection::MergedAlready),
                None => Ok(Decision::nothing()),
            },
            (State::Erased { .. }, _) => Err(Rejection::Erased),
            (_, Command::Erase { ground }) => Ok(Decision::one(ContactEvent::Erased { ground })),
            (_, Command::Readmit { .. }) => Err(Rejection::NotErased),
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Register { form, name }) => {
                let name = name.map(|name| personal(given, name.into_string()));
                Ok(Decision::one(ContactEvent::Registered { form, name }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownContact),
            (State::Known(contact), command) => match personal_field(&command) {
                // Who was forgotten is not brought back by a file that still lists them.
                Some(field) if contact.forgotten && given.source.is_some() => Ok(kept(field)),
                _ => contact.decide(command, given),
            },
        }
    }

    fn evolve(state: &mut State, event: &ContactEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (State::Erased { readmitted, .. }, ContactEvent::Readmitted { .. }) => *readmitted = true,
            (State::Erased { into, .. }, ContactEvent::Unmerged { .. }) => *into = None,
            (State::Erased { .. }, _) => {}
            (_, ContactEvent::Erased { .. }) => {
                let into = match state {
                    State::Known(contact) => contact.merging.counts_as(),
                    _ => None,
                };
                *state = State::Erased { readmitted: false, into };
            }
            (_, ContactEvent::Voided {}) => *state = State::Voided,
            (_, ContactEvent::Registered { form, name }) => {
                let mut contact = Known::registered_as(*form);
                let name = name.as_ref().and_then(|name| contact.recall(name));
                contact.name.set(name, past);
                *state = State::Known(Box::new(contact));
            }
            (State::Known(contact), event) => contact.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }
}

impl Known {
    fn registered_as(form: ContactForm) -> Self {
        Self {
            form,
            name: Field::default(),
            details: BTreeMap::new(),
            identities: BTreeMap::new(),
            tags: BTreeMap::new(),
            consents: BTreeMap::new(),
            relationships: BTreeMap::new(),
            merging: Merging::default(),
            forgotten: false,
        }
    }

    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<ContactEvent>, Rejection> {
        match command {
            Command::Register { form, name } => {
                let mut again = Repetition::new();
                again.compare_fixed("form", Some(&self.form), Some(&form));
                let name = name.map(Line::into_string);
                again.compare(("name", &self.name), name, given, |name| ContactEvent::Renamed {
                    name: personal(given, name),
                });
                again.finish(given, Rejection::RegisteredDifferently)
            }
            Command::Rename { name } => {
                let name = name.into_string();
                let comparison = self.name.compare(Some(&name), given.source);
                Ok(comparison.decision("name", ContactEvent::Renamed { name: personal(given, name) }))
            }
            Command::ChangeDetail { detail, value } => {
                self.change_detail(detail, value.map(Prose::into_string), given)
            }
            Command::LinkIdentity { platform, handle, verified } => {
                let identity = Identity { platform: platform.into_string(), handle: handle.into_string() };
                self.link(identity, verified, given)
            }
            Command::UnlinkIdentity { platform, handle } => {
                let identity = Identity { platform: platform.into_string(), handle: handle.into_string() };
                let linked = self.identities.get(&identity).map(|link| &link.linked);
                let comparison = switch(linked, false, given);
                let Identity { platform, handle } = identity;
                let event = ContactEvent::IdentityUnlinked { platform, handle: personal(given, handle) };
                Ok(comparison.decision("identity", event))
            }
            Command::Tag { tag } => {
                let tag = tag.into_string();
                let comparison = switch(self.tags.get(&tag), true, given);
                if comparison == Comparison::Differs && count_on(self.tags.values()) >= TAGS_LIMIT {
                    return Err(Rejection::TooManyTags);
                }
                Ok(comparison.decision("tag", ContactEvent::Tagged { tag }))
            }
            Command::Untag { tag } => {
                let tag = tag.into_string();
                let comparison = switch(self.tags.get(&tag), false, given);
                Ok(comparison.decision("tag", ContactEvent::Untagged { tag }))
            }
            Command::GiveConsent { purpose, channel, basis, proof } => {
                let wanted = Consent::Given(basis);
                let consent = self.consents.get(&(purpose, channel));
                let comparison =
                    consent.map_or(Comparison::Differs, |consent| consent.turn(&wanted, given.source));
                let proof = proof.map(|proof| personal(given, proof.into_string()));
                let event = ContactEvent::ConsentGiven { purpose, channel, basis, proof };
                Ok(comparison.decision("consent", event))
            }
            Command::WithdrawConsent { purpose, channel } => {
                Ok(self.withdraw_consent(purpose, channel, given))
            }
            Command::StartRelationship { relationship, to, since } => {
                self.start_relationship(relationship, to, since, given)
            }
            Command::EndRelationship { relationship, to } => {
                let known = self.relationships.get(&(relationship, to));
                let comparison =
                    known.map_or(Comparison::Same, |known| known.turn(&Relationship::Ended, given.source));
                let event = ContactEvent::RelationshipEnded { relationship, to };
                Ok(comparison.decision("relationship", event))
            }
            Command::Merge { into, evidence, chain } => self.merge(into, evidence, &chain, given),
            Command::Unmerge { from } => self.unmerge(from, given),
            Command::DismissMerge { other } => self.dismiss_merge(other, given),
            Command::Void {} => Ok(self.void()),
            // Decided above, whatever else is known of them.
            Command::Erase { .. } | Command::Readmit { .. } => Ok(Decision::nothing()),
        }
    }

    fn change_detail(
        &self,
        detail: Detail,
        value: Option<String>,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        let too_long =
            |value: &String| value.contains(['\n', '\r', '\t']) || value.chars().count() > DETAIL_LIMIT;
        if detail != Detail::Note && value.as_ref().is_some_and(too_long) {
            return Err(Rejection::NotOneLine);
        }
        let comparison = match self.details.get(&detail) {
            Some(known) => known.compare(value.as_ref(), given.source),
            None if value.is_none() => Comparison::Same,
            None => Comparison::Differs,
        };
        let value = value.map(|value| personal(given, value));
        Ok(comparison.decision(name_of(detail), ContactEvent::DetailChanged { detail, value }))
    }

    fn link(
        &self,
        identity: Identity,
        verified: bool,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        let link = self.identities.get(&identity);
        let is_linked = link.is_some_and(|link| link.linked.value() == Some(&true));
        // Linking again proves what was not proven before, and never takes a proof away.
        let comparison = match link {
            Some(link) if is_linked && verified && !link.verified => Comparison::Differs,
            _ => switch(link.map(|link| &link.linked), true, given),
        };
        let count = count_on(self.identities.values().map(|link| &link.linked));
        if comparison == Comparison::Differs && !is_linked && count >= IDENTITIES_LIMIT {
            return Err(Rejection::TooManyIdentities);
        }
        let Identity { platform, handle } = identity;
        let event = ContactEvent::IdentityLinked { platform, handle: personal(given, handle), verified };
        Ok(comparison.decision("identity", event))
    }

    fn withdraw_consent(
        &self,
        purpose: ConsentPurpose,
        channel: ConsentChannel,
        given: &Given<'_>,
    ) -> Decision<ContactEvent> {
        let comparison = self.consents.get(&(purpose, channel)).map_or(Comparison::Differs, |consent| {
            // A withdrawal counts whoever brings it; only one that was told before may have been overtaken.
            let is_news =
                given.source.is_some_and(|source| !consent.was_said_by(source, &Consent::Withdrawn));
            match consent.turn(&Consent::Withdrawn, given.source) {
                Comparison::Kept if is_news => Comparison::Differs,
                comparison => comparison,
            }
        });
        comparison.decision("consent", ContactEvent::ConsentWithdrawn { purpose, channel })
    }

    fn start_relationship(
        &self,
        relationship: RelationshipKind,
        to: ContactId,
        since: Option<NaiveDate>,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        if to.0 == given.id {
            return Err(Rejection::RelatedToItself);
        }
        let known = self.relationships.get(&(relationship, to));
        let lasting = match known.and_then(Field::value) {
            Some(Relationship::Lasting { since }) => Some(*since),
            Some(Relationship::Ended) | None => None,
        };
        if lasting.is_some() && since.is_none() {
            return Ok(Decision::nothing());
        }
        let comparison = known
            .map_or(Comparison::Differs, |known| known.turn(&Relationship::Lasting { since }, given.source));
        let is_lasting = |known: &&Field<Relationship>| known.value() != Some(&Relationship::Ended);
        if comparison == Comparison::Differs
            && lasting.is_none()
            && self.relationships.values().filter(is_lasting).count() >= RELATIONSHIPS_LIMIT
        {
            return Err(Rejection::TooManyRelationships);
        }
        let event = ContactEvent::RelationshipStarted { relationship, to, since };
        Ok(comparison.decision("relationship", event))
    }

    fn evolve(&mut self, event: &ContactEvent, past: &Past<'_>) {
        match event {
            ContactEvent::Registered { .. }
            | ContactEvent::Voided {}
            | ContactEvent::Erased { .. }
            | ContactEvent::Readmitted { .. } => {}
            ContactEvent::Renamed { name } => {
                let name = self.recall(name);
                self.name.set(name, past);
            }
            ContactEvent::DetailChanged { detail, value } => {
                let value = value.as_ref().and_then(|value| self.recall(value));
                self.details.entry(*detail).or_default().set(value, past);
            }
            ContactEvent::IdentityLinked { platform, handle, verified } => {
                if let Some(link) = self.link_of(platform, handle) {
                    link.linked.set(Some(true), past);
                    link.verified |= verified;
                }
            }
            ContactEvent::IdentityUnlinked { platform, handle } => {
                if let Some(link) = self.link_of(platform, handle) {
                    link.linked.set(Some(false), past);
                    link.verified = false;
                }
            }
            ContactEvent::Tagged { tag } => self.tags.entry(tag.clone()).or_default().set(Some(true), past),
            ContactEvent::Untagged { tag } => {
                self.tags.entry(tag.clone()).or_default().set(Some(false), past);
            }
            ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
                if let Some(proof) = proof {
                    self.recall(proof);
                }
                let consent = self.consents.entry((*purpose, *channel)).or_default();
                consent.set(Some(Consent::Given(*basis)), past);
            }
            ContactEvent::ConsentWithdrawn { purpose, channel } => {
                let consent = self.consents.entry((*purpose, *channel)).or_default();
                consent.set(Some(Consent::Withdrawn), past);
            }
            ContactEvent::RelationshipStarted { relationship, to, since } => {
                let known = self.relationships.entry((*relationship, *to)).or_default();
                known.set(Some(Relationship::Lasting { since: *since }), past);
            }
            ContactEvent::RelationshipEnded { relationship, to } => {
                let known = self.relationships.entry((*relationship, *to)).or_default();
                known.set(Some(Relationship::Ended), past);
            }
            ContactEvent::Merged { into, evidence: _, looked_up: _ } => self.merging.merged(*into, past),
            ContactEvent::Unmerged { from } => self.merging.unmerged(*from, past),
            ContactEvent::MergeDismissed { other } => self.merging.dismissed(*other),
        }
    }

    /// What a personal value says, where it can still be read; where not, they were forgotten.
    fn recall(&mut self, personal: &Personal<String>) -> Option<String> {
        let value = personal.clear().cloned();
        self.forgotten |= value.is_none();
        value
    }

    fn link_of(&mut self, platform: &str, handle: &Personal<String>) -> Option<&mut Link> {
        let handle = self.recall(handle)?;
        Some(self.identities.entry(Identity { platform: platform.to_owned(), handle }).or_default())
    }
}

fn personal(given: &Given<'_>, value: String) -> Personal<String> {
    Personal::new(ContactId(given.id), value)
}

/// How turning something on or off stands to what is known of it.
fn switch(known: Option<&Field<bool>>, on: bool, given: &Given<'_>) -> Comparison {
    match known {
        Some(known) => known.turn(&on, given.source),
        None if on => Comparison::Differs,
        None => Comparison::Same,
    }
}

fn count_on<'a>(switches: impl Iterator<Item = &'a Field<bool>>) -> usize {
    switches.filter(|switch| switch.value() == Some(&true)).count()
}

/// The field of a command that is personal, where one is filled.
fn personal_field(command: &Command) -> Option<&'static str> {
    match command {
        Command::Register { name: Some(_), .. } | Command::Rename { .. } => Some("name"),
        Command::ChangeDetail { detail, value: Some(_) } => Some(name_of(*detail)),
        Command::LinkIdentity { .. } | Command::UnlinkIdentity { .. } => Some("identity"),
        Command::GiveConsent { proof: Some(_), .. } => Some("consent"),
        _ => None,
    }
}

/// The name under which a detail is reported.
const fn name_of(detail: Detail) -> &'static str {
    match detail {
        Detail::GivenName => "given_name",
        Detail::FamilyName => "family_name",
        Detail::Salutation => "salutation",
        Detail::JobTitle => "job_title",
        Detail::Phone => "phone",
        Detail::Address => "address",
        Detail::Country => "country",
        Detail::Birthday => "birthday",
        Detail::Sector => "sector",
        Detail::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{ID, given};

    const ME: ContactId = ContactId(ID);
    const BEN: ContactId = ContactId(Uuid::from_u128(2));

    fn own(value: &str) -> Personal<String> {
        Personal::new(ME, value.to_owned())
    }

    /// A value whose key was destroyed.
    fn forgotten() -> Personal<String> {
        serde_json::from_value(json!({"$sealed": {"subject": ME, "text": "AAAA"}})).unwrap()
    }

    fn registered() -> ContactEvent {
        ContactEvent::Registered { form: ContactForm::Person, name: Some(own("Ann")) }
    }

    fn renamed(name: &str) -> ContactEvent {
        ContactEvent::Renamed { name: own(name) }
    }

    fn phone(value: Option<&str>) -> ContactEvent {
        ContactEvent::DetailChanged { detail: Detail::Phone, value: value.map(own) }
    }

    fn linked(handle: &str, verified: bool) -> ContactEvent {
        ContactEvent::IdentityLinked { platform: "email".into(), handle: own(handle), verified }
    }

    fn email(handle: &str) -> Value {
        json!({"platform": "email", "handle": handle})
    }

    fn given_consent() -> ContactEvent {
        ContactEvent::ConsentGiven {
            purpose: ConsentPurpose::Newsletter,
            channel: ConsentChannel::Email,
            basis: LawfulBasis::Consent,
            proof: None,
        }
    }

    fn withdrawn_consent() -> ContactEvent {
        let (purpose, channel) = (ConsentPurpose::Newsletter, ConsentChannel::Email);
        ContactEvent::ConsentWithdrawn { purpose, channel }
    }

    fn consent() -> Value {
        json!({"purpose": "newsletter", "channel": "email", "basis": "consent"})
    }

    fn withdrawal() -> Value {
        json!({"purpose": "newsletter", "channel": "email"})
    }

    #[test]
    fn a_contact_is_registered_once() {
        given::<Contact>(&[])
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then(&[registered()])
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then_nothing()
            .when("register", json!({"form": "person", "name": "Anna"}))
            .then_refused("registered-differently")
            .when("register", json!({"form": "household"}))
            .then_refused("registered-differently");
    }

    #[test]
    fn nobody_tags_a_stranger() {
        given::<Contact>(&[]).when("tag", json!({"tag": "alumna"})).then_refused("unknown-contact");
    }

    #[test]
    fn a_contact_is_renamed_and_described() {
        given::<Contact>(&[registered()])
            .when("rename", json!({"name": "Anna"}))
            .then(&[renamed("Anna")])
            .when("rename", json!({"name": "Anna"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone", "value": "+1 555 0100"}))
            .then(&[phone(Some("+1 555 0100"))])
            .when("change_detail", json!({"detail": "phone", "value": "+1 555 0100"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone"}))
            .then(&[phone(None)])
            .when("change_detail", json!({"detail": "phone", "value": "one\ntwo"}))
            .then_refused("not-one-line");
    }

    #[test]
    fn a_second_email_stands_beside_the_first() {
        given::<Contact>(&[registered()])
            .when("link_identity", email("ann@example.org"))
            .then(&[linked("ann@example.org", false)])
            .when("link_identity", email("ann@example.com"))
            .then(&[linked("ann@example.com", false)])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .when(
                "link_identity",
                json!({"platform": "email", "handle": "ann@example.org", "verified": true}),
            )
            .then(&[linked("ann@example.org", true)])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .when("unlink_identity", email("ann@example.org"))
            .then(&[ContactEvent::IdentityUnlinked {
                platform: "email".into(),
                handle: own("ann@example.org"),
            }])
            .when("unlink_identity", email("ann@example.org"))
            .then_nothing()
            .when("link_identity", email("ann@example.com"))
            .then_nothing();
    }

    #[test]
    fn a_contact_is_tagged_and_untagged() {
        given::<Contact>(&[registered()])
            .when("untag", json!({"tag": "alumna"}))
            .then_nothing()
            .when("tag", json!({"tag": "alumna"}))
            .then(&[ContactEvent::Tagged { tag: "alumna".into() }])
            .when("tag", json!({"tag": "alumna"}))
            .then_nothing()
            .when("untag", json!({"tag": "alumna"}))
            .then(&[ContactEvent::Untagged { tag: "alumna".into() }]);
    }

    #[test]
    fn what_a_contact_may_carry_is_bounded() {
        let tags = (0..200).map(|n| ContactEvent::Tagged { tag: n.to_string() });
        let events: Vec<_> = std::iter::once(registered()).chain(tags).collect();
        given::<Contact>(&events)
            .when("tag", json!({"tag": "7"}))
            .then_nothing()
            .when("tag", json!({"tag": "one too many"}))
            .then_refused("too-many-tags")
            .when("untag", json!({"tag": "7"}))
            .when("tag", json!({"tag": "one too many"}))
            .then(&[ContactEvent::Tagged { tag: "one too many".into() }]);
        let emails = (0..200).map(|n| linked(&format!("{n}@example.org"), false));
        given::<Contact>(&std::iter::once(registered()).chain(emails).collect::<Vec<_>>())
            .when("link_identity", email("ann@example.org"))
            .then_refused("too-many-identities");
        let others = (1..=500).map(|n| ContactEvent::RelationshipStarted {
            relationship: RelationshipKind::RelatedTo,
            to: ContactId(Uuid::from_u128(n)),
            since: None,
        });
        given::<Contact>(&std::iter::once(registered()).chain(others).collect::<Vec<_>>())
            .when("start_relationship", json!({"relationship": "partner_of", "to": BEN}))
            .then_refused("too-many-relationships");
    }

    #[test]
    fn consent_is_given_and_withdrawn() {
        given::<Contact>(&[registered()])
            .when("give_consent", consent())
            .then(&[given_consent()])
            .when("give_consent", consent())
            .then_nothing()
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .when("withdraw_consent", withdrawal())
            .then_nothing();
    }

    #[test]
    fn who_never_consented_may_still_object() {
        given::<Contact>(&[registered()])
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .imported_from("sheet")
            .when("give_consent", consent())
            .then_nothing()
            .then_kept(&["consent"]);
    }

    #[test]
    fn a_withdrawal_counts_whoever_brings_it_and_once() {
        given::<Contact>(&[registered(), given_consent()])
            .imported_from("sheet")
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .by_a_person()
            .when("give_consent", consent())
            .then(&[given_consent()])
            .imported_from("sheet")
            .when("withdraw_consent", withdrawal())
            .then_nothing()
            .then_kept(&["consent"]);
    }

    #[test]
    fn contacts_are_related_to_others() {
        let to_ben = json!({"relationship": "partner_of", "to": BEN});
        let started = |since: Option<&str>| ContactEvent::RelationshipStarted {
            relationship: RelationshipKind::PartnerOf,
            to: BEN,
            since: since.map(|since| since.parse().unwrap()),
        };
        let ended = ContactEvent::RelationshipEnded { relationship: RelationshipKind::PartnerOf, to: BEN };
        given::<Contact>(&[registered()])
            .when("end_relationship", to_ben.clone())
            .then_nothing()
            .when("start_relationship", to_ben.clone())
            .then(&[started(None)])
            .when("start_relationship", to_ben.clone())
            .then_nothing()
            .when(
                "start_relationship",
                json!({"relationship": "partner_of", "to": BEN, "since": "2020-05-01"}),
            )
            .then(&[started(Some("2020-05-01"))])
            .when("end_relationship", to_ben.clone())
            .then(&[ended])
            .when("end_relationship", to_ben)
            .then_nothing()
            .when("start_relationship", json!({"relationship": "related_to", "to": ME}))
            .then_refused("related-to-itself");
    }

    #[test]
    fn a_voided_contact_takes_no_more_commands() {
        given::<Contact>(&[registered()])
            .when("void", json!({}))
            .then(&[ContactEvent::Voided {}])
            .when("void", json!({}))
            .then_nothing()
            .when("rename", json!({"name": "Anna"}))
            .then_refused("voided");
    }

    #[test]
    fn whoever_was_erased_is_unmerged_all_the_same() {
        let merged = ContactEvent::Merged { into: BEN, evidence: Vec::new(), looked_up: Vec::new() };
        given::<Contact>(&[registered(), merged, ContactEvent::Erased { ground: ErasureGround::Request }])
            .when("unmerge", json!({"from": ME}))
            .then_refused("merged-already")
            .when("unmerge", json!({"from": BEN}))
            .then(&[ContactEvent::Unmerged { from: BEN }])
            .when("unmerge", json!({"from": BEN}))
            .then_nothing();
    }

    #[test]
    fn whoever_was_erased_takes_no_command_but_to_be_readmitted() {
        let erased = || ContactEvent::Erased { ground: ErasureGround::Request };
        let voided = [registered(), ContactEvent::Voided {}];
        // Somebody who was never registered, who is known, and who was voided.
        for before in [&[][..], &[registered()], &voided] {
            given::<Contact>(before)
                .when("readmit", json!({"basis": "consent"}))
                .then_refused("not-erased")
                .when("erase", json!({"ground": "request"}))
                .then(&[erased()])
                .when("erase", json!({"ground": "retention"}))
                .then_nothing()
                .when("register", json!({"form": "person", "name": "Ann"}))
                .then_refused("erased")
                .when("void", json!({}))
                .then_refused("erased")
                .when("readmit", json!({"basis": "consent"}))
                .then(&[ContactEvent::Readmitted { basis: LawfulBasis::Consent }])
                .when("readmit", json!({"basis": "contract"}))
                .then_nothing()
                .when("rename", json!({"name": "Ann"}))
                .then_refused("erased");
        }
    }

    #[test]
    fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
        given::<Contact>(&[])
            .imported_from("sheet")
            .when("register", json!({"form": "person", "name": "Ann"}))
            .when("change_detail", json!({"detail": "phone", "value": "1"}))
            .when("tag", json!({"tag": "alumna"}))
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone", "value": "1"}))
            .then_nothing()
            .when("tag", json!({"tag": "alumna"}))
            .then_nothing()
            .when("register", json!({"form": "household", "name": "Anna"}))
            .then(&[renamed("Anna")])
            .then_kept(&["form"])
            .when("change_detail", json!({"detail": "phone", "value": "2"}))
            .then(&[phone(Some("2"))]);
    }

    #[test]
    fn what_a_person_said_survives_the_next_import_and_is_reported() {
        given::<Contact>(&[])
            .imported_from("sheet")
            .when("register", json!({"form": "person", "name": "Ann"}))
            .when("change_detail", json!({"detail": "phone", "value": "1"}))
            .when("link_identity", email("ann@example.org"))
            .when("tag", json!({"tag": "alumna"}))
            .by_a_person()
            .when("rename", json!({"name": "Anna"}))
            .when("change_detail", json!({"detail": "phone"}))
            .when("unlink_identity", email("ann@example.org"))
            .when("untag", json!({"tag": "alumna"}))
            .imported_from("sheet")
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then_nothing()
            .then_kept(&["name"])
            .when("change_detail", json!({"detail": "phone", "value": "1"}))
            .then_nothing()
            .then_kept(&["phone"])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .then_kept(&["identity"])
            .when("tag", json!({"tag": "alumna"}))
            .then_nothing()
            .then_kept(&["tag"]);
    }

    #[test]
    fn who_was_forgotten_is_not_brought_back_by_an_import() {
        given::<Contact>(&[ContactEvent::Registered { form: ContactForm::Person, name: Some(forgotten()) }])
            .imported_from("sheet")
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then_nothing()
            .then_kept(&["name"])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .then_kept(&["identity"])
            .when("change_detail", json!({"detail": "phone", "value": "1"}))
            .then_nothing()
            .then_kept(&["phone"])
            .when("tag", json!({"tag": "alumna"}))
            .then(&[ContactEvent::Tagged { tag: "alumna".into() }]);
    }
}
