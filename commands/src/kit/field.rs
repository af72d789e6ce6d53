//! A field that remembers which fact set it and what a source last said, so that an import never undoes what
//! a person has corrected.

use domain::EventId;

use super::decider::{Decision, Given, Past};

/// One field of a thing, as far as decisions need it.
#[derive(Clone, Debug)]
pub(crate) struct Field<T> {
    current: Option<T>,
    fact: Option<EventId>,
    imported: Vec<(Box<str>, Option<T>)>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self { current: None, fact: None, imported: Vec::new() }
    }
}

/// How an imported value stands to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Nothing is to be done.
    Same,
    /// The value is new and is to be recorded.
    Differs,
    /// A person has set the field since; it stays.
    Kept,
}

impl Comparison {
    /// The decision on one field: the fact, nothing, or the field's name among those kept.
    pub fn decision<E>(self, name: &'static str, event: E) -> Decision<E> {
        match self {
            Self::Same => Decision::nothing(),
            Self::Differs => Decision::one(event),
            Self::Kept => kept(name),
        }
    }
}

/// Nothing happens, because the field stays as it is.
pub(crate) fn kept<E>(name: &'static str) -> Decision<E> {
    Decision { events: Vec::new(), kept: vec![name] }
}

impl<T: Clone + PartialEq> Field<T> {
    /// The value, where there is one.
    pub const fn value(&self) -> Option<&T> {
        self.current.as_ref()
    }

    /// Records that a fact set the field.
    pub fn set(&mut self, value: Option<T>, past: &Past<'_>) {
        if let Some(source) = past.source {
            self.imported.retain(|(name, _)| &**name != source);
            self.imported.push((source.into(), value.clone()));
        }
        self.current = value;
        self.fact = Some(past.id);
    }

    /// Compares a value with the field. A person's word always counts; a source's word counts only where the
    /// source has changed its mind and no person has spoken since.
    pub fn compare(&self, wanted: Option<&T>, source: Option<&str>) -> Comparison {
        let current = self.current.as_ref();
        let Some(source) = source else {
            return if wanted == current { Comparison::Same } else { Comparison::Differs };
        };
        let last = self.imported.iter().find(|(name, _)| &**name == source).map(|(_, value)| value.as_ref());
        match last {
            None if current.is_none() && wanted.is_some() => Comparison::Differs,
            None if current == wanted => Comparison::Same,
            Some(last) if last == wanted && current == last => Comparison::Same,
            // The source has changed its mind. Where it agrees with the person now, that is recorded too, so
            // that its next change is seen as one.
            Some(last) if last != wanted && (current == last || current == wanted) => Comparison::Differs,
            _ => Comparison::Kept,
        }
    }
}

impl<T: Clone + PartialEq> Field<T> {
    /// Compares like [`Self::compare`], but what is so already is never recorded again: for facts that are
    /// counted rather than overwritten.
    pub fn turn(&self, wanted: &T, source: Option<&str>) -> Comparison {
        if self.value() == Some(wanted) { Comparison::Same } else { self.compare(Some(wanted), source) }
    }

    /// Whether a source's last word on the field was this value.
    pub fn was_said_by(&self, source: &str, value: &T) -> bool {
        self.imported.iter().any(|(name, said)| &**name == source && said.as_ref() == Some(value))
    }

    /// The value that a fact of several fields is to carry: the one wanted, or the current one where that is
    /// to stay.
    pub fn settle(
        &self,
        name: &'static str,
        wanted: Option<T>,
        given: &Given<'_>,
        kept: &mut Vec<&'static str>,
    ) -> Option<T> {
        match self.compare(wanted.as_ref(), given.source) {
            Comparison::Differs => return wanted,
            Comparison::Kept => kept.push(name),
            Comparison::Same => {}
        }
        self.current.clone()
    }

    /// Records a fact of several fields: only what it changes counts as said by it, since the rest of it was
    /// filled in from what was known.
    pub fn update(&mut self, value: Option<T>, past: &Past<'_>) {
        if value != self.current {
            self.set(value, past);
        }
    }
}

/// How turning something on or off stands to what is known of it; what was never heard of is off.
pub(crate) fn switch(known: Option<&Field<bool>>, on: bool, given: &Given<'_>) -> Comparison {
    match known {
        Some(known) => known.turn(&on, given.source),
        None if on => Comparison::Differs,
        None => Comparison::Same,
    }
}

/// How many of them are on.
pub(crate) fn count_on<'a>(switches: impl Iterator<Item = &'a Field<bool>>) -> usize {
    switches.filter(|switch| switch.value() == Some(&true)).count()
}

/// What the command that begins a thing comes to where the thing is there already, gathered field by field.
#[derive(Debug)]
pub(crate) struct Repetition<E> {
    /// The changes that the fields mentioned ask for.
    pub events: Vec<E>,
    /// The fields that stay as they are.
    pub kept: Vec<&'static str>,
}

impl<E> Repetition<E> {
    /// Nothing compared yet.
    pub const fn new() -> Self {
        Self { events: Vec::new(), kept: Vec::new() }
    }

    /// Compares a field that a fact of its own changes. Absent means: not mentioned.
    pub fn compare<T: Clone + PartialEq>(
        &mut self,
        (name, field): (&'static str, &Field<T>),
        wanted: Option<T>,
        given: &Given<'_>,
        event: impl FnOnce(T) -> E,
    ) {
        let Some(wanted) = wanted else { return };
        match field.compare(Some(&wanted), given.source) {
            Comparison::Same => {}
            Comparison::Differs => self.events.push(event(wanted)),
            Comparison::Kept => self.kept.push(name),
        }
    }

    /// Compares a field that no fact changes. Absent means: not mentioned.
    pub fn compare_fixed<T: PartialEq>(
        &mut self,
        name: &'static str,
        current: Option<&T>,
        wanted: Option<&T>,
    ) {
        if wanted.is_some() && wanted != current {
            self.kept.push(name);
        }
    }

    /// The changes, for an import; a person who asks for any is told which command makes them.
    pub fn finish<R>(self, given: &Given<'_>, refusal: R) -> Result<Decision<E>, R> {
        let Self { events, kept } = self;
        if given.source.is_none() && !(events.is_empty() && kept.is_empty()) {
            return Err(refusal);
        }
        Ok(Decision { events, kept })
    }
}

/// Corrections gathered per fact that they correct.
#[derive(Debug)]
pub(crate) struct Corrections<C> {
    by_fact: Vec<(EventId, C)>,
    kept: Vec<&'static str>,
}

impl<C: Default> Corrections<C> {
    /// No corrections yet.
    pub const fn new() -> Self {
        Self { by_fact: Vec::new(), kept: Vec::new() }
    }

    /// Compares a field with the value wanted for it; where it is to change, `put` writes it into the
    /// correction of the fact that set the field, or of `first` where none did. Absent means: not mentioned.
    pub fn compare<T: Clone + PartialEq>(
        &mut self,
        (name, field, first): (&'static str, &Field<T>, EventId),
        wanted: Option<T>,
        given: &Given<'_>,
        put: impl FnOnce(&mut C, T),
    ) {
        let Some(wanted) = wanted else { return };
        match field.compare(Some(&wanted), given.source) {
            Comparison::Same => {}
            Comparison::Kept => self.kept.push(name),
            Comparison::Differs => {
                let fact = field.fact.unwrap_or(first);
                let index = self.by_fact.iter().position(|(id, _)| *id == fact).unwrap_or_else(|| {
                    self.by_fact.push((fact, C::default()));
                    self.by_fact.len() - 1
                });
                put(&mut self.by_fact[index].1, wanted);
            }
        }
    }

    /// The corrections as events, and the names of the fields kept.
    pub fn into_events<E>(self, event: impl Fn(EventId, C) -> E) -> (Vec<E>, Vec<&'static str>) {
        (self.by_fact.into_iter().map(|(fact, correction)| event(fact, correction)).collect(), self.kept)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Sets the field by turns (`source` empty: a person), then compares what the source says now.
    #[track_caller]
    fn check(turns: &[(&str, &str)], says: &str, expected: Comparison) {
        let mut field = Field::default();
        for (source, value) in turns {
            let past = Past {
                id: EventId(Uuid::nil()),
                occurred_at: None,
                source: (!source.is_empty()).then_some(*source),
            };
            field.set(Some((*value).to_owned()), &past);
        }
        assert_eq!(field.compare(Some(&says.to_owned()), Some("sheet")), expected);
    }

    #[test]
    fn a_source_that_repeats_itself_changes_nothing() {
        check(&[("sheet", "a")], "a", Comparison::Same);
    }

    #[test]
    fn a_source_that_changes_its_mind_is_followed() {
        check(&[("sheet", "a")], "b", Comparison::Differs);
    }

    #[test]
    fn what_a_person_has_set_stays_whatever_the_source_says() {
        check(&[("sheet", "a"), ("", "p")], "a", Comparison::Kept);
        check(&[("sheet", "a"), ("", "p")], "b", Comparison::Kept);
        check(&[("", "p")], "a", Comparison::Kept);
    }

    #[test]
    fn a_source_that_comes_round_to_the_person_is_recorded_and_followed_again_later() {
        check(&[("sheet", "a"), ("", "p")], "p", Comparison::Differs);
        check(&[("sheet", "a"), ("", "p"), ("sheet", "p")], "c", Comparison::Differs);
    }
}
