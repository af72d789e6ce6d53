//! What all handlers share.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{sessions::Sessions, surface::Surface, trust::Trust, under_way::UnderWay};
use crate::application::Rapport;

/// How many batches are carried out at a time; others wait for their turn.
const BATCHES_AT_A_TIME: usize = 2;
/// How many live feeds may be open.
const FEEDS_MAX: usize = 256;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(super) rapport: Arc<Rapport>,
    pub(super) trust: Trust,
    /// What the document is collected from.
    pub(super) surface: Arc<Surface>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) under_way: Arc<UnderWay>,
    pub(super) feeds: Arc<Semaphore>,
    pub(super) feeds_of_caller: Arc<UnderWay>,
    /// One check at a time: it reads the whole log.
    pub(super) checks: Arc<Semaphore>,
    /// The batches that are carried out at a time: each may be 16 MiB, and is a few times that while it is under way.
    pub(super) batches: Arc<Semaphore>,
    /// Tells long answers to come to their end.
    pub(super) ending: CancellationToken,
}

impl App {
    pub(super) fn new(
        rapport: Arc<Rapport>,
        trust: Trust,
        ending: CancellationToken,
        surface: Surface,
    ) -> Self {
        Self {
            rapport,
            trust,
            surface: Arc::new(surface),
            sessions: Arc::default(),
            under_way: UnderWay::requests(),
            feeds: Arc::new(Semaphore::new(FEEDS_MAX)),
            feeds_of_caller: UnderWay::feeds(),
            checks: Arc::new(Semaphore::new(1)),
            batches: Arc::new(Semaphore::new(BATCHES_AT_A_TIME)),
            ending,
        }
    }
}
