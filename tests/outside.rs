//! The whole from outside: what is promised to those who only see what is public.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test are test code as well")]

mod always_ends;
mod attacks;
mod contract;
mod crash;
mod crash_of_the_store;
mod days;
mod demo;
mod disclosures;
mod erasure;
mod formats;
mod golden_events;
mod guides;
mod harness;
mod http_once;
mod http_problems;
mod http_rights;
mod identity;
mod index_damage;
mod journey;
mod known;
mod known_then;
#[cfg(feature = "kurrentdb")]
mod kurrent;
#[cfg(feature = "kurrentdb")]
mod kurrent_double;
mod ledger_proofs;
mod ledger_tampering;
mod live_feed;
mod lost_keys;
mod real_files;
mod rebuilt_equals_live;
mod repair;
mod row_budgets;
mod start_up;
mod store;
mod story;
mod structure;
mod tables;
mod threads;
mod tidiness;
mod unmerged_equals_never_merged;
mod verdicts;
mod what_is_left;
#[cfg(not(feature = "kurrentdb"))]
mod without_clusters;
