//! Why commands to contacts are refused, and the limits that are named there.

/// How many tags a contact may carry.
pub(super) const TAGS_LIMIT: usize = 200;
/// How many identities a contact may have.
pub(super) const IDENTITIES_LIMIT: usize = 200;
/// How many contacts a contact may be related to.
pub(super) const RELATIONSHIPS_LIMIT: usize = 500;
/// How many characters a detail that stands on one line may have.
pub(super) const DETAIL_LIMIT: usize = 500;
/// How many pieces of evidence may be given for one merge.
pub(super) const EVIDENCE_LIMIT: usize = 20;
/// Over how many other contacts a contact may be merged into another.
pub(super) const CHAIN_LIMIT: usize = 50;
/// From how many others a contact may be told apart.
pub(super) const APART_LIMIT: usize = 500;

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
