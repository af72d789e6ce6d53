//! How answers look: tables and steps at a terminal, pages and cards as files.

pub(super) mod history_page;
pub(super) mod steps;
pub(super) mod subject_page;
pub(super) mod table;
pub(super) mod vcard;
