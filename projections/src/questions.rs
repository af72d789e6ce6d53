//! One file or folder per view, which answers one question; and the list of them all.

use crate::kit::view::Registry;

pub mod contacts;
pub mod conversations;
pub mod disclosures;
pub mod duplicates;
pub mod engagement;
pub mod erasures;
pub mod giving;
pub mod history;
pub mod leads;
pub mod pipeline;

/// Every projection, one line each.
pub fn all(registry: &mut impl Registry) {
    registry.register::<contacts::Contacts>();
    registry.register::<conversations::Conversations>();
    registry.register::<disclosures::Disclosures>();
    registry.register::<duplicates::Duplicates>();
    registry.register::<engagement::Engagement>();
    registry.register::<erasures::Erasures>();
    registry.register::<giving::Giving>();
    registry.register::<history::History>();
    registry.register::<leads::Leads>();
    registry.register::<pipeline::Pipeline>();
}
