//! What goes wrong, and when: set by a test, used up by the calls that come after.

use std::{collections::VecDeque, time::Duration};

use tonic::Code;

/// When the connection of an append is cut.
#[allow(dead_code, reason = "what may go wrong is one list, whether or not a test of today wants all of it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing was written.
    Before,
    /// All was written, and only the answer is lost.
    After,
}

/// What happens to one append.
#[derive(Clone, Copy, Debug)]
pub(super) enum AppendFate {
    Lost(Lost),
    Refused(Code),
    Delayed { wait: Duration, took_effect: bool },
}

/// What happens to one read.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadFate {
    Refused(Code),
    Stalled(Duration),
    /// The connection ends after so many events, or where the answer would have ended.
    CutAfter(usize),
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(super) struct Faults {
    appends: VecDeque<AppendFault>,
    pub(super) reads: VecDeque<ReadFate>,
    /// Of all events, forwards.
    pub(super) repeats_in_reads: bool,
    /// Of all events, forwards: the connection ends after so many where more would have come.
    pub(super) cuts_every_read_after: Option<usize>,
}

#[derive(Debug)]
struct AppendFault {
    /// How the stream's name begins.
    prefix: String,
    left: usize,
    fate: AppendFate,
}

impl Faults {
    /// The next so many appends to streams whose names begin so.
    pub(super) fn set_appends(&mut self, prefix: &str, count: usize, fate: AppendFate) {
        self.appends.push_back(AppendFault { prefix: prefix.to_owned(), left: count, fate });
    }

    /// What happens to an append that came now. Faults are used up in the order in which they were set.
    pub(super) fn next_append(&mut self, stream: &str) -> Option<AppendFate> {
        self.appends.retain(|fault| fault.left > 0);
        let fault = self.appends.iter_mut().find(|fault| stream.starts_with(&fault.prefix))?;
        fault.left -= 1;
        Some(fault.fate)
    }

    /// Takes back what calls did not use up, and what was switched on.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
