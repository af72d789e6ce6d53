//! The log on a cluster: the contract, and what only shows where servers fail, connections are cut and several nodes
//! write. It runs against a double of the protocol ([`crate::kurrent_double`]), and the contract, the crashes and the
//! story of several nodes also against a real server, where one is named:
//!
//! `RAPPORT_TEST_KURRENTDB=esdb://… cargo test -p tests kurrent`
//!
//! Whatever is written there begins with a prefix drawn for each test.

mod contract;
mod epochs;
mod faults;
mod moving;
mod nodes;
mod servers;
