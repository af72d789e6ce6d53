//! WHAT HAPPENED: every fact that Rapport can record, and the port through which facts are kept.
//!
//! One file per kind of thing holds its events with their stored tags, and what a thing is after them where that is
//! a word of a closed list; it is all that the author of a projection must read. This crate knows no other crate of
//! the workspace, no clock and no disk.

pub mod contact;
pub mod conversation;
pub mod days;
pub mod deal;
pub mod disclosure;
pub mod enrolment;
pub mod event;
pub mod event_store;
pub mod evidence;
pub mod fund;
pub mod gathering;
pub mod gift;
pub mod ids;
pub mod lead;
pub mod member;
pub mod moment;
pub mod money;
pub mod outcome;
pub mod personal;
pub mod program;
pub mod recorded;
pub mod role;
pub mod schema;
pub mod setting;
pub mod stored;
pub mod tagged;
pub mod zones;

pub use event::{Event, Kind, KindEvent, KindSet};
pub use event_store::{
    Answer, AnsweredEvent, Append, AppendError, CommandKey, EventPage, EventStore, KeyedAnswer, NewEvent,
    READ_AT_ONCE, ReadError,
};
pub use evidence::Evidence;
pub use ids::{
    ContactId, ConversationId, DealId, EventId, FundId, GatheringId, ID_OF, LeadId, MemberId, ProgramId,
    StreamId,
};
pub use money::{Currency, Money};
pub use outcome::Outcome;
pub use personal::{ErasureGround, Forgotten, Keyring, Personal};
pub use recorded::{Actor, BadEvent, LookedUp, Metadata, Position, Recorded, Source};
pub use role::Role;
pub use stored::Stored;
pub use zones::Zones;
