//! What can be asked about contacts.

use domain::contact::ContactForm;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// What can be asked about contacts: one of them by `id`, or those that meet every other condition.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// This contact, with everything known of it and of those that are merged with it.
    pub(super) id: Option<Uuid>,
    /// Words of the name, or how they begin, in any order; accents and capitals do not matter.
    pub(super) name: Option<String>,
    /// The email address, whole; capitals do not matter.
    pub(super) email: Option<String>,
    /// The platform of `identity`: `mastodon`, `student-number`…
    pub(super) platform: Option<String>,
    /// The handle, address or number on `platform`, exactly.
    pub(super) identity: Option<String>,
    /// Only contacts with this tag.
    pub(super) tag: Option<String>,
    /// Only contacts of this form.
    pub(super) form: Option<ContactForm>,
}
