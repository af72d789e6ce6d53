//! One at a time through the gate of a stream: whoever decides on the same thing waits for the one before, and
//! then goes on from the state that is remembered, instead of racing for one revision and folding the stream anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::lock::{Mutex as Gate, OwnedMutexGuard};
use uuid::Uuid;

/// The gates of the streams that somebody is working on.
#[derive(Default)]
pub(crate) struct Gates(Mutex<HashMap<Uuid, Arc<Gate<()>>>>);

/// Somebody who is through the gate; it opens for the next when they are done, however that ends.
pub(crate) struct Through<'a> {
    gates: &'a Gates,
    id: Uuid,
    gate: Arc<Gate<()>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Gates {
    /// Waits until nobody else is working on the stream.
    pub(crate) async fn pass(&self, id: Uuid) -> Through<'_> {
        let gate = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        let mut through = Through { gates: self, id, gate, guard: None };
        through.guard = Some(Arc::clone(&through.gate).lock_owned().await);
        through
    }
}

impl Drop for Through<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut gates = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map holds one and this holds one; anybody else who waits holds another.
        if Arc::strong_count(&self.gate) == 2 {
            gates.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, executor::block_on};

    use super::*;

    #[test]
    fn the_second_waits_for_the_first_and_nothing_is_left_behind() {
        let gates = Gates::default();
        let first = block_on(gates.pass(Uuid::nil()));
        let mut second = Box::pin(gates.pass(Uuid::nil()));
        assert!((&mut second).now_or_never().is_none());
        assert!(gates.pass(Uuid::max()).now_or_never().is_some());
        drop(first);
        drop(block_on(second));
        // One who gives up waiting leaves nothing behind either.
        let first = block_on(gates.pass(Uuid::nil()));
        assert!(gates.pass(Uuid::nil()).now_or_never().is_none());
        drop(first);
        assert!(gates.0.lock().unwrap().is_empty());
    }
}
