//! What the router names: one file per resource. Each reads a request, asks the application, and writes its answer.

pub(super) mod admin;
pub(super) mod commands;
pub(super) mod documentation;
pub(super) mod erasures;
pub(super) mod events;
pub(super) mod health;
pub(super) mod history;
pub(super) mod ledger;
pub(super) mod metrics;
pub(super) mod openapi;
pub(super) mod session;
pub(super) mod tokens;
pub(super) mod unsubscribe;
pub(super) mod views;
