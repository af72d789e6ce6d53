//! Contacts: registered, renamed, described, identified, tagged, asked for consent, related, merged, voided.

mod consent;
mod details;
#[cfg(test)]
mod examples;
mod identities;
mod merging;
mod personal;
mod rejection;
mod relationships;
mod tags;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use consent::Consents;
use details::{Details, name_of};
use domain::{
    ContactId, ErasureGround, Evidence, Personal, Role,
    contact::{
        ConsentChannel, ConsentPurpose, ContactEvent, ContactForm, Detail, LawfulBasis, RelationshipKind,
    },
    moment,
};
use identities::{Identities, Identity};
use merging::{Found, Merging, Standing};
use personal::personal;
pub use rejection::Rejection;
use relationships::Relationships;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tags::Tags;
use uuid::Uuid;

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition, kept},
    text::{Line, Prose},
};

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
    details: Details,
    identities: Identities,
    tags: Tags,
    consents: Consents,
    relationships: Relationships,
    merging: Merging,
    /// Whether anything personal said about them cannot be read any more.
    forgotten: bool,
}

/// What can be asked of a contact.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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

    fn requires(command: &Command) -> Option<Uuid> {
        match command {
            Command::Merge { into, chain, .. } => merging::next_required(*into, chain),
            _ => None,
        }
    }

    fn supply(command: &mut Command, id: Uuid, state: &State, revision: u64) {
        if let Command::Merge { chain, .. } = command {
            chain.push(Found::at(id, revision, state.standing()));
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

    // The loop adds the contact itself, whose id the state does not hold; others are named by the events about them.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

impl State {
    fn standing(&self) -> Standing {
        match self {
            Self::Unknown | Self::Voided => Standing::Gone,
            Self::Erased { into, .. } => Standing::Erased { into: *into },
            Self::Known(contact) => contact.merging.standing(contact.form),
        }
    }
}

impl Known {
    fn registered_as(form: ContactForm) -> Self {
        Self {
            form,
            name: Field::default(),
            details: Details::default(),
            identities: Identities::default(),
            tags: Tags::default(),
            consents: Consents::default(),
            relationships: Relationships::default(),
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
                self.details.change(detail, value.map(Prose::into_string), given)
            }
            Command::LinkIdentity { platform, handle, verified } => {
                self.identities.link(identity(platform, handle), verified, given)
            }
            Command::UnlinkIdentity { platform, handle } => {
                Ok(self.identities.unlink(identity(platform, handle), given))
            }
            Command::Tag { tag } => self.tags.tag(tag.into_string(), given),
            Command::Untag { tag } => Ok(self.tags.untag(tag.into_string(), given)),
            Command::GiveConsent { purpose, channel, basis, proof } => {
                let proof = proof.map(|proof| personal(given, proof.into_string()));
                Ok(self.consents.give((purpose, channel), basis, proof, given))
            }
            Command::WithdrawConsent { purpose, channel } => {
                Ok(self.consents.withdraw(purpose, channel, given))
            }
            Command::StartRelationship { relationship, to, since } => {
                self.relationships.start(relationship, to, since, given)
            }
            Command::EndRelationship { relationship, to } => {
                Ok(self.relationships.end(relationship, to, given))
            }
            Command::Merge { into, evidence, chain } => {
                self.merging.merge(self.form, into, evidence, &chain, given)
            }
            Command::Unmerge { from } => self.merging.unmerge(from, given),
            Command::DismissMerge { other } => self.merging.dismiss(other, given),
            Command::Void {} => Ok(self.merging.void()),
            // Decided above, whatever else is known of them.
            Command::Erase { .. } | Command::Readmit { .. } => Ok(Decision::nothing()),
        }
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
                self.details.changed(*detail, value, past);
            }
            ContactEvent::IdentityLinked { platform, handle, verified } => {
                if let Some(identity) = self.identity(platform, handle) {
                    self.identities.linked(identity, *verified, past);
                }
            }
            ContactEvent::IdentityUnlinked { platform, handle } => {
                if let Some(identity) = self.identity(platform, handle) {
                    self.identities.unlinked(identity, past);
                }
            }
            ContactEvent::Tagged { tag } => self.tags.tagged(tag, past),
            ContactEvent::Untagged { tag } => self.tags.untagged(tag, past),
            ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
                if let Some(proof) = proof {
                    self.recall(proof);
                }
                self.consents.given(*purpose, *channel, *basis, past);
            }
            ContactEvent::ConsentWithdrawn { purpose, channel } => {
                self.consents.withdrawn(*purpose, *channel, past);
            }
            ContactEvent::RelationshipStarted { relationship, to, since } => {
                self.relationships.started(*relationship, *to, *since, past);
            }
            ContactEvent::RelationshipEnded { relationship, to } => {
                self.relationships.ended(*relationship, *to, past);
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

    /// The identity that an event names, where its handle can still be read.
    fn identity(&mut self, platform: &str, handle: &Personal<String>) -> Option<Identity> {
        let handle = self.recall(handle)?;
        Some(Identity { platform: platform.to_owned(), handle })
    }
}

fn identity(platform: Line<60>, handle: Line<300>) -> Identity {
    Identity { platform: platform.into_string(), handle: handle.into_string() }
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
