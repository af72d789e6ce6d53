//! Gatherings: scheduled, rescheduled, cancelled, and who registered, attended, was excused or missed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    ContactId, EventId, ProgramId, Role,
    gathering::{Attendance, AttendanceMethod, GatheringEvent},
    moment,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition, kept},
    text::Line,
};

/// How many contacts' presences one gathering keeps.
const PRESENCES_LIMIT: usize = 20_000;

/// What is known of a gathering.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Planned, over or called off.
    Known(Box<Known>),
    /// Scheduled in error.
    Voided,
}

/// A gathering that counts.
#[derive(Clone, Debug, Default)]
pub struct Known {
    name: String,
    gathering_type: String,
    program: Option<ProgramId>,
    cohort: Option<String>,
    place: Option<String>,
    starts_at: Field<DateTime<Utc>>,
    ends_at: Field<DateTime<Utc>>,
    headcount: Field<u32>,
    cancelled: bool,
    presences: HashMap<ContactId, (Presence, EventId)>,
}

/// What is known of one contact's presence, kept small because there may be thousands.
#[derive(Clone, Copy, Debug)]
struct Presence {
    standing: Standing,
    by_import: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Registered,
    Came(Attendance),
    Voided,
}

/// What can be asked of a gathering.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Plan it.
    Schedule {
        /// Its name.
        name: Line,
        /// What sort of gathering: `workshop`, `dinner`, `assessment`…
        #[serde(rename = "type")]
        gathering_type: Line<60>,
        /// The program that it is part of.
        program: Option<ProgramId>,
        /// The cohort that it is held for.
        cohort: Option<Line<60>>,
        /// When it begins, where known.
        #[serde(default, deserialize_with = "moment::maybe_moment")]
        starts_at: Option<DateTime<Utc>>,
        /// When it ends, where known.
        #[serde(default, deserialize_with = "moment::maybe_moment")]
        ends_at: Option<DateTime<Utc>>,
        /// Where it takes place.
        place: Option<Line>,
    },
    /// It takes place at another time.
    Reschedule {
        /// When it begins.
        #[serde(deserialize_with = "moment::moment")]
        starts_at: DateTime<Utc>,
        /// When it ends; absent where that is not known.
        #[serde(default, deserialize_with = "moment::maybe_moment")]
        ends_at: Option<DateTime<Utc>>,
    },
    /// It does not take place.
    Cancel {},
    /// Somebody means to come.
    Register {
        /// Who.
        contact: ContactId,
    },
    /// Somebody came, registered or not.
    Attend {
        /// Who.
        contact: ContactId,
        /// How it was noticed.
        method: Option<AttendanceMethod>,
    },
    /// Somebody says that they cannot come.
    Excuse {
        /// Who.
        contact: ContactId,
    },
    /// Somebody was expected and did not come.
    Miss {
        /// Who.
        contact: ContactId,
    },
    /// What was said about somebody's presence was wrong and counts nowhere.
    VoidPresence {
        /// Whose presence.
        contact: ContactId,
    },
    /// People were counted without being named; replaces an earlier count.
    RecordHeadcount {
        /// How many.
        people: u32,
    },
    /// It was scheduled in error and counts nowhere.
    Void {},
}

/// Why a command to a gathering is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such gathering.
    #[error("there is no such gathering: schedule it first")]
    UnknownGathering,
    /// It was scheduled with other fields.
    #[error(
        "the gathering is scheduled already, with other fields: `reschedule` changes its times; for anything \
         else `void` it and schedule a new one"
    )]
    ScheduledDifferently,
    /// It would end before it starts.
    #[error("a gathering cannot end before it starts: give an `ends_at` at or after `starts_at`")]
    EndsBeforeItStarts,
    /// It does not take place.
    #[error(
        "the gathering was cancelled, so nobody can be present: where it took place after all, schedule it anew"
    )]
    Cancelled,
    /// They were there.
    #[error("they are recorded as having attended: where that is wrong, `void_presence` first")]
    Attended,
    /// They were not there.
    #[error("they are recorded as having missed it: where that is wrong, `void_presence` first")]
    Missed,
    /// Too many people.
    #[error(
        "a gathering keeps the presence of at most {PRESENCES_LIMIT} people: schedule another for the rest"
    )]
    TooManyPresences,
    /// It was voided.
    #[error("the gathering was voided and takes no more commands: schedule a new one")]
    Voided,
}

/// The decider of gatherings.
pub struct Gathering;

impl Decider for Gathering {
    type Event = GatheringEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff];

    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] = &[
        ("register", &[Role::Admin, Role::Staff, Role::Intake]),
        ("attend", &[Role::Admin, Role::Staff, Role::Intake]),
    ];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<GatheringEvent>, Rejection> {
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (
                State::Unknown,
                Command::Schedule { name, gathering_type, program, cohort, starts_at, ends_at, place },
            ) => {
                check_times(starts_at, ends_at)?;
                Ok(Decision::one(GatheringEvent::Scheduled {
                    name: name.into_string(),
                    gathering_type: gathering_type.into_string(),
                    program,
                    cohort: cohort.map(Line::into_string),
                    starts_at,
                    ends_at,
                    place: place.map(Line::into_string),
                }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownGathering),
            (State::Known(gathering), command) => gathering.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &GatheringEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, GatheringEvent::Voided {}) => *state = State::Voided,
            (
                _,
                GatheringEvent::Scheduled {
                    name,
                    gathering_type,
                    program,
                    cohort,
                    starts_at,
                    ends_at,
                    place,
                },
            ) => {
                let mut gathering = Known {
                    name: name.clone(),
                    gathering_type: gathering_type.clone(),
                    program: *program,
                    cohort: cohort.clone(),
                    place: place.clone(),
                    ..Known::default()
                };
                gathering.starts_at.set(*starts_at, past);
                gathering.ends_at.set(*ends_at, past);
                *state = State::Known(Box::new(gathering));
            }
            (State::Known(gathering), event) => gathering.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    // Whoever is registered or attends is named by each event about them.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<GatheringEvent>, Rejection> {
        match command {
            Command::Schedule { name, gathering_type, program, cohort, starts_at, ends_at, place } => {
                let mut again = Repetition::new();
                again.compare_fixed("name", Some(&self.name), Some(&name.into_string()));
                let gathering_type = gathering_type.into_string();
                again.compare_fixed("type", Some(&self.gathering_type), Some(&gathering_type));
                again.compare_fixed("program", self.program.as_ref(), program.as_ref());
                let (cohort, place) = (cohort.map(Line::into_string), place.map(Line::into_string));
                again.compare_fixed("cohort", self.cohort.as_ref(), cohort.as_ref());
                again.compare_fixed("place", self.place.as_ref(), place.as_ref());
                let starts_at = starts_at.or(self.starts_at.value().copied());
                let ends_at = ends_at.or(self.ends_at.value().copied());
                let Decision { events, kept } = self.reschedule(starts_at, ends_at, given)?;
                again.events.extend(events);
                again.kept.extend(kept);
                again.finish(given, Rejection::ScheduledDifferently)
            }
            Command::Reschedule { starts_at, ends_at } => self.reschedule(Some(starts_at), ends_at, given),
            Command::Cancel {} => Ok(Decision::unless(self.cancelled, GatheringEvent::Cancelled {})),
            Command::Register { contact } => self.mark(contact, Standing::Registered, None, given),
            Command::Attend { contact, method } => {
                self.mark(contact, Standing::Came(Attendance::Attended), method, given)
            }
            Command::Excuse { contact } => {
                self.mark(contact, Standing::Came(Attendance::Excused), None, given)
            }
            Command::Miss { contact } => self.mark(contact, Standing::Came(Attendance::Missed), None, given),
            Command::VoidPresence { contact } => Ok(self.void_presence(contact, given)),
            Command::RecordHeadcount { people } => {
                let comparison = self.headcount.compare(Some(&people), given.source);
                if self.cancelled && self.headcount.value() != Some(&people) {
                    return Err(Rejection::Cancelled);
                }
                Ok(comparison.decision("people", GatheringEvent::HeadcountRecorded { people }))
            }
            Command::Void {} => Ok(Decision::one(GatheringEvent::Voided {})),
        }
    }

    fn reschedule(
        &self,
        starts_at: Option<DateTime<Utc>>,
        ends_at: Option<DateTime<Utc>>,
        given: &Given<'_>,
    ) -> Result<Decision<GatheringEvent>, Rejection> {
        let mut kept = Vec::new();
        let starts_at = self.starts_at.settle("starts_at", starts_at, given, &mut kept);
        let ends_at = self.ends_at.settle("ends_at", ends_at, given, &mut kept);
        let same = starts_at.as_ref() == self.starts_at.value() && ends_at.as_ref() == self.ends_at.value();
        if same {
            return Ok(Decision { events: Vec::new(), kept });
        }
        check_times(starts_at, ends_at)?;
        match starts_at {
            Some(_) if self.cancelled && given.source.is_none() => Err(Rejection::Cancelled),
            Some(starts_at) if !self.cancelled => {
                Ok(Decision { events: vec![GatheringEvent::Rescheduled { starts_at, ends_at }], kept })
            }
            // An end without a beginning cannot be recorded, nor the times of what does not take place.
            _ => Ok(Decision {
                events: Vec::new(),
                kept: vec![if self.cancelled { "starts_at" } else { "ends_at" }],
            }),
        }
    }

    fn mark(
        &self,
        contact: ContactId,
        wanted: Standing,
        method: Option<AttendanceMethod>,
        given: &Given<'_>,
    ) -> Result<Decision<GatheringEvent>, Rejection> {
        let known = self.presences.get(&contact).copied();
        let standing = known.map(|(presence, _)| presence.standing);
        // Who attended had registered well enough.
        let outranked =
            wanted == Standing::Registered && standing == Some(Standing::Came(Attendance::Attended));
        if standing == Some(wanted) || outranked {
            return Ok(Decision::nothing());
        }
        if self.cancelled {
            return Err(Rejection::Cancelled);
        }
        let event = match wanted {
            Standing::Registered => GatheringEvent::StudentRegistered { contact },
            Standing::Came(Attendance::Attended) => GatheringEvent::StudentAttended { contact, method },
            Standing::Came(Attendance::Excused) => GatheringEvent::StudentExcused { contact },
            Standing::Came(Attendance::Missed) => GatheringEvent::StudentMissed { contact },
            Standing::Voided => return Ok(self.void_presence(contact, given)),
        };
        match known {
            None if self.presences.len() >= PRESENCES_LIMIT => Err(Rejection::TooManyPresences),
            Some(known) if given.source.is_some() => Ok(mark_from_import(contact, wanted, event, known)),
            Some((Presence { standing: Standing::Came(Attendance::Attended), .. }, _)) => {
                Err(Rejection::Attended)
            }
            Some((Presence { standing: Standing::Came(Attendance::Missed), .. }, _))
                if wanted == Standing::Registered =>
            {
                Err(Rejection::Missed)
            }
            None | Some(_) => Ok(Decision::one(event)),
        }
    }

    fn void_presence(&self, contact: ContactId, given: &Given<'_>) -> Decision<GatheringEvent> {
        match self.presences.get(&contact) {
            None | Some((Presence { standing: Standing::Voided, .. }, _)) => Decision::nothing(),
            Some((presence, _)) if given.source.is_some() && !presence.by_import => kept("presence"),
            Some((_, fact)) => Decision::one(GatheringEvent::PresenceVoided { contact, fact: *fact }),
        }
    }

    fn evolve(&mut self, event: &GatheringEvent, past: &Past<'_>) {
        match event {
            GatheringEvent::Scheduled { .. } | GatheringEvent::Voided {} => {}
            GatheringEvent::Rescheduled { starts_at, ends_at } => {
                self.starts_at.update(Some(*starts_at), past);
                self.ends_at.update(*ends_at, past);
            }
            GatheringEvent::Cancelled {} => self.cancelled = true,
            GatheringEvent::StudentRegistered { contact } => {
                self.marked(*contact, Standing::Registered, past);
            }
            GatheringEvent::StudentAttended { contact, method: _ } => {
                self.marked(*contact, Standing::Came(Attendance::Attended), past);
            }
            GatheringEvent::StudentExcused { contact } => {
                self.marked(*contact, Standing::Came(Attendance::Excused), past);
            }
            GatheringEvent::StudentMissed { contact } => {
                self.marked(*contact, Standing::Came(Attendance::Missed), past);
            }
            GatheringEvent::PresenceVoided { contact, fact: _ } => {
                self.marked(*contact, Standing::Voided, past);
            }
            GatheringEvent::HeadcountRecorded { people } => self.headcount.set(Some(*people), past),
        }
    }

    fn marked(&mut self, contact: ContactId, standing: Standing, past: &Past<'_>) {
        let presence = Presence { standing, by_import: past.source.is_some() };
        self.presences.insert(contact, (presence, past.id));
    }
}

/// What an import may say about a presence that is known already: it follows its own word, not a person's.
fn mark_from_import(
    contact: ContactId,
    wanted: Standing,
    event: GatheringEvent,
    (presence, fact): (Presence, EventId),
) -> Decision<GatheringEvent> {
    match presence.standing {
        // A row may say both that they registered and what came of it; only the latter changes anything.
        Standing::Came(Attendance::Excused | Attendance::Missed) if wanted == Standing::Registered => {
            Decision::nothing()
        }
        // Registering is a plan, and what came of it is no contradiction, whoever recorded the plan.
        Standing::Registered => Decision::one(event),
        _ if !presence.by_import => kept("presence"),
        Standing::Came(Attendance::Attended) => {
            Decision::all(vec![GatheringEvent::PresenceVoided { contact, fact }, event])
        }
        _ => Decision::one(event),
    }
}

fn check_times(starts_at: Option<DateTime<Utc>>, ends_at: Option<DateTime<Utc>>) -> Result<(), Rejection> {
    match starts_at.zip(ends_at) {
        Some((starts_at, ends_at)) if ends_at < starts_at => Err(Rejection::EndsBeforeItStarts),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
