//! What may be chosen when a store is opened.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering::SeqCst},
};

/// Choices for [`crate::EmbeddedStore::open`]; the default is right for production.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many events are written to the index at once.
    pub index_batch: usize,
    /// Whether a commit waits for the disk. Only a store that is thrown away may say no.
    pub durable: bool,
    /// Whether events are recorded although the clock is behind what was recorded last: they are dated like that.
    pub accept_clock: bool,
    /// What is to go wrong, in tests.
    #[doc(hidden)]
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self { index_batch: 65_536, durable: true, accept_clock: false, faults: Faults::default() }
    }
}

/// What is to go wrong in a test: a handle that is kept outside while the store runs.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next_sync: AtomicU8,
    pages: AtomicU32,
    clock_shift: AtomicI64,
    clock_jump: AtomicI64,
    panicking: Mutex<Option<&'static str>>,
    no_erasures: AtomicBool,
}

/// How a sync fails: the caller never learns which of the two it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncFault {
    /// Nothing had reached the disk.
    Lost,
    /// Everything had reached the disk.
    Kept,
}

impl Faults {
    /// Makes the next sync fail, with the events written or not.
    pub fn fail_next_sync(&self, written: bool) {
        self.0.next_sync.store(if written { 2 } else { 1 }, SeqCst);
    }

    /// Makes the disk full when the log has grown to so many pages; `None` gives it room again.
    pub fn limit_pages(&self, pages: Option<u32>) {
        self.0.pages.store(pages.unwrap_or(0), SeqCst);
    }

    /// Lets so many microseconds pass (or takes them back) on every clock.
    pub fn shift_clock(&self, micros: i64) {
        self.0.clock_shift.store(micros, SeqCst);
    }

    /// Sets the clock ahead (or back) by so many microseconds.
    pub fn jump_clock(&self, micros: i64) {
        self.0.clock_jump.store(micros, SeqCst);
    }

    /// Makes the thread of this name panic when it next comes by.
    pub fn panic_on(&self, thread: &'static str) {
        *self.0.panicking.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Where threads come by: panics if this one is to.
    #[expect(clippy::panic, reason = "only a test asks for it")]
    pub(crate) fn pass(&self) {
        let mut panicking = self.0.panicking.lock().unwrap_or_else(PoisonError::into_inner);
        if panicking.is_some() && *panicking == std::thread::current().name() {
            *panicking = None;
            drop(panicking);
            panic!("a test has asked for it");
        }
    }

    /// Keeps keys from being destroyed, as if the machine stopped right after an erasure was recorded.
    pub fn refuse_erasures(&self, refuse: bool) {
        self.0.no_erasures.store(refuse, SeqCst);
    }

    pub(crate) fn refuses_erasures(&self) -> bool {
        self.0.no_erasures.load(SeqCst)
    }

    pub(crate) fn clock_shift(&self) -> i64 {
        self.0.clock_shift.load(SeqCst)
    }

    pub(crate) fn clock_jump(&self) -> i64 {
        self.0.clock_jump.load(SeqCst)
    }

    pub(crate) fn page_limit(&self) -> Option<u32> {
        Some(self.0.pages.load(SeqCst)).filter(|pages| *pages > 0)
    }

    pub(crate) fn take_sync_fault(&self) -> Option<SyncFault> {
        match self.0.next_sync.swap(0, SeqCst) {
            1 => Some(SyncFault::Lost),
            2 => Some(SyncFault::Kept),
            _ => None,
        }
    }
}
