//! The kinds of things that facts are about, and the sum of all their events: one line per kind.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    contact::ContactEvent,
    conversation::ConversationEvent,
    deal::DealEvent,
    disclosure::DisclosureEvent,
    enrolment::EnrolmentEvent,
    fund::FundEvent,
    gathering::GatheringEvent,
    gift::GiftEvent,
    ids::ContactId,
    lead::LeadEvent,
    member::MemberEvent,
    personal::{FORGETTING, Forgotten},
    program::ProgramEvent,
    setting::SettingEvent,
    tagged,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($event:ident) = $word:literal),+ $(,)?) => {
        /// A kind of thing. Its word is the stream's prefix, the tag's prefix and the segment of the URL.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $kind),+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The one word of the kind.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => $word),+ }
            }

            /// The JSON schema of the kind's events: one property named by its tag for each, its fields inside.
            pub fn event_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self { $(Self::$kind => <$event>::json_schema(generator)),+ }
            }

            /// Every tag that the kind's events are stored under.
            pub fn tags(self) -> &'static [&'static str] {
                match self { $(Self::$kind => tagged::tags::<$event>()),+ }
            }
        }

        /// Any event that can be recorded.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $kind($event)),+
        }

        impl Event {
            /// Which kind of thing the event is about.
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),+ }
            }

            /// The event's tag and its fields as a JSON object, personal values in their clear form.
            pub fn encode(&self) -> serde_json::Result<(String, String)> {
                match self { $(Self::$kind(event) => tagged::encode(event)),+ }
            }

            /// The event of a kind that a tag and its stored fields describe.
            pub fn decode(kind: Kind, tag: &str, fields: &str) -> serde_json::Result<Self> {
                match kind { $(Kind::$kind => tagged::decode(tag, fields).map(Self::$kind)),+ }
            }

            /// The contacts that the event itself names.
            pub fn contacts(&self) -> Vec<ContactId> {
                match self { $(Self::$kind(event) => event.contacts()),+ }
            }

            /// What the event destroys, having happened to the thing with this id.
            pub fn forgets(&self, id: Uuid) -> Option<Forgotten> {
                match self { $(Self::$kind(event) => event.forgets(id)),+ }
            }
        }

        $(impl KindEvent for $event {
            const KIND: Kind = Kind::$kind;

            fn of(event: &Event) -> Option<&Self> {
                match event { Event::$kind(event) => Some(event), _ => None }
            }

            fn into_event(self) -> Event {
                Event::$kind(self)
            }
        })+
    };
}

kinds! {
    /// A person, an organization or a household.
    Contact(ContactEvent) = "contact",
    /// Somebody's interest, before it becomes a deal.
    Lead(LeadEvent) = "lead",
    /// An opportunity in the pipeline.
    Deal(DealEvent) = "deal",
    /// What was said, by whom and through which channel.
    Conversation(ConversationEvent) = "conversation",
    /// A program that people enrol in.
    Program(ProgramEvent) = "program",
    /// One contact's way through one program.
    Enrolment(EnrolmentEvent) = "enrolment",
    /// A calendar event that people attend.
    Gathering(GatheringEvent) = "gathering",
    /// Money or goods received.
    Gift(GiftEvent) = "gift",
    /// What gifts are allocated to.
    Fund(FundEvent) = "fund",
    /// A member of staff.
    Member(MemberEvent) = "member",
    /// Whatever changes a number: the organisation's zone and fiscal year.
    Setting(SettingEvent) = "setting",
    /// That people were shown to somebody.
    Disclosure(DisclosureEvent) = "disclosure",
}

/// Which contacts an event is about.
pub trait Concerns {
    /// The contacts that the event itself names. Whoever is missing here does not find the event in their history,
    /// so that every kind must say it.
    fn contacts(&self) -> Vec<ContactId>;

    /// What the event destroys, having happened to the thing with this id; nothing unless the kind says otherwise.
    fn forgets(&self, _id: Uuid) -> Option<Forgotten> {
        None
    }
}

/// The events of one kind.
pub trait KindEvent:
    Concerns + Serialize + DeserializeOwned + JsonSchema + Clone + fmt::Debug + Send + Sync + 'static
{
    /// The kind that these events are about.
    const KIND: Kind;
    /// The event, where it is of this kind.
    fn of(event: &Event) -> Option<&Self>;
    /// The event as one of all.
    fn into_event(self) -> Event;
}

impl Kind {
    /// Every kind but one, in order; `N` is one less than there are kinds.
    pub const fn all_but<const N: usize>(left_out: Self) -> [Self; N] {
        let mut kinds = [left_out; N];
        let (mut from, mut to) = (0, 0);
        while from < Self::ALL.len() {
            if Self::ALL[from] as u32 != left_out as u32 {
                kinds[to] = Self::ALL[from];
                to += 1;
            }
            from += 1;
        }
        assert!(to == N, "N is one less than there are kinds");
        kinds
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// A text that names no kind.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no kind: use one of {kinds}", kinds = words(Kind::ALL))]
pub struct NotAKind(String);

fn words(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.word() == text).ok_or_else(|| NotAKind(text.to_owned()))
    }
}

/// A set of kinds: which events a reader wants decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSet(u32);

impl KindSet {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(u32::MAX);

    /// The set of the kinds listed.
    pub const fn of(kinds: &[Kind]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < kinds.len() {
            bits |= 1 << kinds[index] as u32;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// The kinds among whose events there are some that destroy keys: whoever must forget reads no others.
    pub fn forgetting() -> Self {
        let forgets = |kind: &Kind| kind.tags().iter().any(|tag| FORGETTING.contains(tag));
        Self(Kind::ALL.iter().filter(|kind| forgets(kind)).fold(0, |bits, kind| bits | 1 << *kind as u32))
    }

    /// The kinds of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
