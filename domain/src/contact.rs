//! A contact: a person, an organization or a household.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    event::Concerns,
    evidence::Evidence,
    ids::ContactId,
    moment,
    personal::{ErasureGround, Forgotten, Personal},
    recorded::LookedUp,
};

/// What sort of contact it is (vCard KIND).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactForm {
    /// One human being.
    Person,
    /// A company, a foundation, a school.
    Organization,
    /// People who live and give together.
    Household,
}

/// A single-valued detail of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Form of address.
    Salutation,
    /// Title of a job.
    JobTitle,
    /// Telephone number.
    Phone,
    /// Postal address, on one line.
    Address,
    /// Country.
    Country,
    /// Date of birth, as written by the source.
    Birthday,
    /// Line of business of an organization.
    Sector,
    /// Anything worth knowing.
    Note,
}

/// For what a contact may be written to, or their data used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPurpose {
    /// Asking for gifts.
    Fundraising,
    /// News of the organisation.
    Newsletter,
    /// Alerts about gatherings.
    Alerts,
    /// Offers.
    Marketing,
    /// Being named to others.
    Disclosure,
}

/// Through which channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentChannel {
    /// Any channel.
    Any,
    /// Electronic mail.
    Email,
    /// Telephone.
    Phone,
    /// Text message.
    Sms,
    /// Letter.
    Post,
    /// A social network.
    Social,
}

/// On what ground (GDPR Article 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LawfulBasis {
    /// They agreed.
    Consent,
    /// A contract needs it.
    Contract,
    /// A law demands it.
    LegalObligation,
    /// Somebody's life depends on it.
    ProtectionOfInterest,
    /// A task in the public interest.
    PublicInterest,
    /// An interest that outweighs theirs.
    LegitimateInterest,
}

/// How one contact is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelationshipKind {
    /// A person in a household.
    MemberOf,
    /// A person with a job at an organization.
    EmployeeOf,
    /// Related by blood or law.
    RelativeOf,
    /// Husband, wife or partner.
    PartnerOf,
    /// Works with.
    ColleagueOf,
    /// Brought the other in.
    ReferrerOf,
    /// An organization owned by another.
    SubsidiaryOf,
    /// Anything else.
    RelatedTo,
}

/// What can happen to a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum ContactEvent {
    /// Became known.
    #[serde(rename = "contact.registered")]
    Registered {
        /// What sort of contact.
        form: ContactForm,
        /// The name to show; absent where the source gives none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Personal<String>>,
    },
    /// Is called something else, or was misspelt.
    #[serde(rename = "contact.renamed")]
    Renamed {
        /// The name from now on.
        name: Personal<String>,
    },
    /// A detail is something else, or is gone.
    #[serde(rename = "contact.detail_changed")]
    DetailChanged {
        /// Which detail.
        detail: Detail,
        /// The value from now on; absent where there is none any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Personal<String>>,
    },
    /// Can be found and reached under a handle of some platform.
    #[serde(rename = "contact.identity_linked")]
    IdentityLinked {
        /// The platform: `email`, `mastodon`, `student-number`…
        platform: String,
        /// The handle, address or number there.
        handle: Personal<String>,
        /// Whether it has been proven to be theirs.
        #[serde(default)]
        verified: bool,
    },
    /// A handle is not theirs, or not any more.
    #[serde(rename = "contact.identity_unlinked")]
    IdentityUnlinked {
        /// The platform.
        platform: String,
        /// The handle there.
        handle: Personal<String>,
    },
    /// Was given a tag.
    #[serde(rename = "contact.tagged")]
    Tagged {
        /// The tag.
        tag: String,
    },
    /// Lost a tag.
    #[serde(rename = "contact.untagged")]
    Untagged {
        /// The tag.
        tag: String,
    },
    /// May be written to.
    #[serde(rename = "contact.consent_given")]
    ConsentGiven {
        /// For what.
        purpose: ConsentPurpose,
        /// Through which channel.
        channel: ConsentChannel,
        /// On what ground.
        basis: LawfulBasis,
        /// Where the proof lies: a form, a letter, a page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Personal<String>>,
    },
    /// May not be written to any more.
    #[serde(rename = "contact.consent_withdrawn")]
    ConsentWithdrawn {
        /// For what.
        purpose: ConsentPurpose,
        /// Through which channel.
        channel: ConsentChannel,
    },
    /// Is related to another contact.
    #[serde(rename = "contact.relationship_started")]
    RelationshipStarted {
        /// How.
        relationship: RelationshipKind,
        /// To whom.
        to: ContactId,
        /// Since when, where known.
        #[serde(default, deserialize_with = "moment::maybe_day", skip_serializing_if = "Option::is_none")]
        since: Option<NaiveDate>,
    },
    /// Is not related to another contact any more.
    #[serde(rename = "contact.relationship_ended")]
    RelationshipEnded {
        /// How.
        relationship: RelationshipKind,
        /// To whom.
        to: ContactId,
    },
    /// Is the same as another contact. Both stay what they are; whoever shows people shows them as one.
    #[serde(rename = "contact.merged")]
    Merged {
        /// As which.
        into: ContactId,
        /// What spoke for it and what against it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
        /// The other contacts that the decision looked at, from `into` to the last that it is merged into.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        looked_up: Vec<LookedUp>,
    },
    /// Is not the same as the other contact after all.
    #[serde(rename = "contact.unmerged")]
    Unmerged {
        /// As which.
        from: ContactId,
    },
    /// Is somebody else than another contact, who looks alike.
    #[serde(rename = "contact.merge_dismissed")]
    MergeDismissed {
        /// Than which.
        other: ContactId,
    },
    /// Was registered in error and counts nowhere.
    #[serde(rename = "contact.voided")]
    Voided {},
    /// Was forgotten: their keys are destroyed, and with them everything personal that was ever said of them.
    #[serde(rename = "contact.erased")]
    Erased {
        /// Why.
        ground: ErasureGround,
    },
    /// May be known again, as somebody new: what is imported about them gets ids of the next generation.
    #[serde(rename = "contact.readmitted")]
    Readmitted {
        /// On what ground their data may be used again.
        basis: LawfulBasis,
    },
}

impl Concerns for ContactEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::RelationshipStarted { to: other, .. }
            | Self::RelationshipEnded { to: other, .. }
            | Self::Merged { into: other, .. }
            | Self::Unmerged { from: other }
            | Self::MergeDismissed { other } => vec![*other],
            Self::Registered { .. }
            | Self::Renamed { .. }
            | Self::DetailChanged { .. }
            | Self::IdentityLinked { .. }
            | Self::IdentityUnlinked { .. }
            | Self::Tagged { .. }
            | Self::Untagged { .. }
            | Self::ConsentGiven { .. }
            | Self::ConsentWithdrawn { .. }
            | Self::Voided { .. }
            | Self::Erased { .. }
            | Self::Readmitted { .. } => Vec::new(),
        }
    }

    fn forgets(&self, id: Uuid) -> Option<Forgotten> {
        matches!(self, Self::Erased { .. }).then_some(Forgotten::Contact(ContactId(id)))
    }
}
