//! Walking the list of deciders: whoever does is handed every type, one after the other.

use crate::kit::decider::Decider;

/// Whoever walks the list of deciders: see [`crate::all`].
pub trait Registry {
    /// Takes in one decider.
    fn register<D: Decider>(&mut self);
}
