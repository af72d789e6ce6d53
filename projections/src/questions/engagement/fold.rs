//! Who came to which gathering and is enrolled in what, and the cells in which that counts.

use domain::{
    Recorded,
    enrolment::{EnrolmentEvent, EnrolmentStatus},
    gathering::{Attendance, GatheringEvent},
    program::ProgramEvent,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::cells::{self, Day, Measure, count_in, count_person_in};
use crate::kit::{ApplyError, Tables};

pub(super) fn apply_program(tables: &Tables, id: Uuid, event: &ProgramEvent) -> Result<(), ApplyError> {
    match event {
        ProgramEvent::Started { name, .. } | ProgramEvent::Renamed { name } => {
            tables.execute("INSERT OR REPLACE INTO programs VALUES (?1, ?2)", params![id, name])?;
        }
        // People took part whatever becomes of the program, and its name says in what.
        ProgramEvent::Rescheduled { .. }
        | ProgramEvent::Funded { .. }
        | ProgramEvent::Ended {}
        | ProgramEvent::Voided {} => {}
    }
    Ok(())
}

/// The day on which something was so.
pub(super) fn day_of(tables: &Tables, recorded: &Recorded) -> rusqlite::Result<Day> {
    Ok(Day(tables.when(recorded)?.day_number()))
}

struct Gathering {
    number: i64,
    cells: Vec<u8>,
    cancelled: bool,
    headcount: i64,
    headcount_day: Day,
}

/// What is known of one person at one gathering, with the days from which it counts.
type Presence = domain::gathering::Presence<Day>;

/// What is added up where somebody's presence came to this.
const fn measure_of(attendance: Attendance) -> Measure {
    match attendance {
        Attendance::Attended => Measure::Attended,
        Attendance::Excused => Measure::Excused,
        Attendance::Missed => Measure::Missed,
    }
}

const fn attendance_of(measure: Measure) -> Option<Attendance> {
    match measure {
        Measure::Attended => Some(Attendance::Attended),
        Measure::Excused => Some(Attendance::Excused),
        Measure::Missed => Some(Attendance::Missed),
        Measure::Registered | Measure::Headcount | Measure::Withdrawn | Measure::Completed => None,
    }
}

pub(super) fn apply_gathering(
    tables: &Tables,
    id: Uuid,
    event: &GatheringEvent,
    recorded: &Recorded,
) -> Result<(), ApplyError> {
    if let GatheringEvent::Scheduled { .. } = event {
        return schedule(tables, id, event, recorded);
    }
    let sql =
        "SELECT number, cells, cancelled, headcount, headcount_day FROM gatherings WHERE gathering = ?1";
    let Some(gathering) = tables.row(sql, [id], read_gathering)? else { return Ok(()) };
    let today = day_of(tables, recorded)?;
    match event {
        // When it takes place changes nothing about who came, or on which day they did.
        GatheringEvent::Scheduled { .. } | GatheringEvent::Rescheduled { .. } => Ok(()),
        GatheringEvent::Cancelled {} => {
            if !gathering.cancelled {
                recount(tables, &gathering, -1)?;
                tables.execute("UPDATE gatherings SET cancelled = 1 WHERE gathering = ?1", [id])?;
            }
            Ok(())
        }
        GatheringEvent::StudentRegistered { contact }
        | GatheringEvent::StudentAttended { contact, .. }
        | GatheringEvent::StudentExcused { contact }
        | GatheringEvent::StudentMissed { contact }
        | GatheringEvent::PresenceVoided { contact, .. } => {
            mark(tables, &gathering, contact.0, |presence| presence.after(event, today))
        }
        GatheringEvent::HeadcountRecorded { people } => {
            if !gathering.cancelled {
                count_headcount(tables, &gathering, -1)?;
            }
            let gathering = Gathering { headcount: i64::from(*people), headcount_day: today, ..gathering };
            tables.execute(
                "UPDATE gatherings SET headcount = ?2, headcount_day = ?3 WHERE gathering = ?1",
                params![id, people, today.0],
            )?;
            if !gathering.cancelled {
                count_headcount(tables, &gathering, 1)?;
            }
            Ok(())
        }
        GatheringEvent::Voided {} => forget(tables, id, &gathering),
    }
}

fn schedule(
    tables: &Tables,
    id: Uuid,
    event: &GatheringEvent,
    recorded: &Recorded,
) -> Result<(), ApplyError> {
    let GatheringEvent::Scheduled { name, gathering_type, program, cohort, .. } = event else {
        return Ok(());
    };
    let program = program.map(|program| program.0);
    let cells = cells::of(tables, program, cohort.as_deref(), Some(gathering_type))?;
    let number = recorded.position.0;
    tables.execute(
        "INSERT INTO gatherings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0)",
        params![id, number, name, cells, program, cohort, gathering_type],
    )?;
    Ok(())
}

fn read_gathering(row: &Row<'_>) -> rusqlite::Result<Gathering> {
    Ok(Gathering {
        number: row.get(0)?,
        cells: row.get(1)?,
        cancelled: row.get(2)?,
        headcount: row.get(3)?,
        headcount_day: Day(row.get(4)?),
    })
}

/// Changes what is known of one person, and what is counted of it.
fn mark(
    tables: &Tables,
    gathering: &Gathering,
    contact: Uuid,
    change: impl Fn(Presence) -> Presence,
) -> Result<(), ApplyError> {
    let person = tables.number("people", contact)?;
    let first = change(Presence::default());
    // Mostly nothing is known of somebody yet: to insert at once saves looking first.
    let insert = "INSERT INTO presences VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    if first != Presence::default() && keep(tables, insert, gathering, person, first)? == 1 {
        return if gathering.cancelled { Ok(()) } else { count(tables, gathering, person, first, 1) };
    }
    let sql = "SELECT registered, outcome, day, person FROM presences WHERE gathering = ?1 AND person = ?2";
    let known = tables.row(sql, params![gathering.number, person], read_presence)?;
    let before = known.map(|(presence, _)| presence).unwrap_or_default();
    let now = change(before);
    if now == before {
        return Ok(());
    }
    if now == Presence::default() {
        let sql = "DELETE FROM presences WHERE gathering = ?1 AND person = ?2";
        tables.execute(sql, params![gathering.number, person])?;
    } else {
        keep(tables, "REPLACE INTO presences VALUES (?1, ?2, ?3, ?4, ?5)", gathering, person, now)?;
    }
    if !gathering.cancelled {
        count(tables, gathering, person, before, -1)?;
        count(tables, gathering, person, now, 1)?;
    }
    Ok(())
}

fn keep(
    tables: &Tables,
    sql: &str,
    gathering: &Gathering,
    person: u32,
    presence: Presence,
) -> rusqlite::Result<usize> {
    let row = params![
        gathering.number,
        person,
        presence.registered.map(|day| day.0),
        presence.attendance.map(|(attendance, _)| measure_of(attendance).number()),
        presence.attendance.map(|(_, day)| day.0),
    ];
    tables.execute(sql, row)
}

fn read_presence(row: &Row<'_>) -> rusqlite::Result<(Presence, u32)> {
    let attendance = row.get::<_, Option<u32>>(1)?.and_then(Measure::of).and_then(attendance_of);
    let day = row.get::<_, Option<i32>>(2)?.map(Day);
    let registered = row.get::<_, Option<i32>>(0)?.map(Day);
    Ok((Presence { registered, attendance: attendance.zip(day) }, row.get(3)?))
}

/// Counts a presence in (`sign` 1) or out (−1).
fn count(
    tables: &Tables,
    gathering: &Gathering,
    person: u32,
    presence: Presence,
    sign: i64,
) -> Result<(), ApplyError> {
    if let Some(day) = presence.registered {
        count_in(tables, &gathering.cells, day, Measure::Registered, sign)?;
    }
    match presence.attendance {
        Some((Attendance::Attended, day)) => {
            count_person_in(tables, "attended", &gathering.cells, day, person, sign)?;
        }
        Some((attendance, day)) => {
            count_in(tables, &gathering.cells, day, measure_of(attendance), sign)?;
        }
        None => {}
    }
    Ok(())
}

fn count_headcount(tables: &Tables, gathering: &Gathering, sign: i64) -> Result<(), ApplyError> {
    if gathering.headcount > 0 {
        let people = sign * gathering.headcount;
        count_in(tables, &gathering.cells, gathering.headcount_day, Measure::Headcount, people)?;
    }
    Ok(())
}

/// Counts everything about a gathering in or out.
fn recount(tables: &Tables, gathering: &Gathering, sign: i64) -> Result<(), ApplyError> {
    let sql = "SELECT registered, outcome, day, person FROM presences WHERE gathering = ?1";
    for (presence, person) in tables.rows(sql, [gathering.number], read_presence)? {
        count(tables, gathering, person, presence, sign)?;
    }
    count_headcount(tables, gathering, sign)
}

fn forget(tables: &Tables, id: Uuid, gathering: &Gathering) -> Result<(), ApplyError> {
    if !gathering.cancelled {
        recount(tables, gathering, -1)?;
    }
    tables.execute("DELETE FROM presences WHERE gathering = ?1", [gathering.number])?;
    tables.execute("DELETE FROM gatherings WHERE gathering = ?1", [id])?;
    Ok(())
}

#[derive(Clone)]
struct Enrolment {
    person: u32,
    program: Uuid,
    cohort: String,
    day: Day,
    outcome: Option<(Measure, Day)>,
}

pub(super) fn apply_enrolment(
    tables: &Tables,
    id: Uuid,
    event: &EnrolmentEvent,
    today: Day,
) -> Result<(), ApplyError> {
    let sql =
        "SELECT person, program, cohort, day, outcome, outcome_day FROM enrolments WHERE enrolment = ?1";
    let before = tables.row(sql, [id], read_enrolment)?;
    if let Some(before) = &before {
        count_enrolment(tables, before, -1)?;
    }
    let outcome = match EnrolmentStatus::default().after(event) {
        EnrolmentStatus::Enrolled => None,
        EnrolmentStatus::Completed => Some(Measure::Completed),
        EnrolmentStatus::Withdrawn => Some(Measure::Withdrawn),
    };
    let now = match event {
        EnrolmentEvent::Enrolled { contact, program, cohort, role: _ } => Some(Enrolment {
            person: tables.number("people", contact.0)?,
            program: program.0,
            cohort: cohort.clone().unwrap_or_default(),
            day: today,
            outcome: None,
        }),
        EnrolmentEvent::Advanced { stage: _ } => before.clone(),
        EnrolmentEvent::Completed { .. } | EnrolmentEvent::Withdrawn {} | EnrolmentEvent::Reinstated {} => {
            before
                .clone()
                .map(|before| Enrolment { outcome: outcome.map(|outcome| (outcome, today)), ..before })
        }
        EnrolmentEvent::Corrected { fact: _, cohort, role: _ } => before.clone().map(|before| {
            let cohort = cohort.clone().unwrap_or_else(|| before.cohort.clone());
            Enrolment { cohort, ..before }
        }),
        EnrolmentEvent::Voided {} => None,
    };
    let Some(now) = now else {
        tables.execute("DELETE FROM enrolments WHERE enrolment = ?1", [id])?;
        return Ok(());
    };
    count_enrolment(tables, &now, 1)?;
    tables.execute(
        "INSERT OR REPLACE INTO enrolments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            now.person,
            now.program,
            now.cohort,
            now.day.0,
            now.outcome.map(|(outcome, _)| outcome.number()),
            now.outcome.map(|(_, day)| day.0),
        ],
    )?;
    Ok(())
}

fn read_enrolment(row: &Row<'_>) -> rusqlite::Result<Enrolment> {
    let outcome = row.get::<_, Option<u32>>(4)?.and_then(Measure::of);
    Ok(Enrolment {
        person: row.get(0)?,
        program: row.get(1)?,
        cohort: row.get(2)?,
        day: Day(row.get(3)?),
        outcome: outcome.zip(row.get::<_, Option<i32>>(5)?.map(Day)),
    })
}

fn count_enrolment(tables: &Tables, enrolment: &Enrolment, sign: i64) -> Result<(), ApplyError> {
    let cells = cells::of(tables, Some(enrolment.program), Some(&enrolment.cohort), None)?;
    count_person_in(tables, "enrolled", &cells, enrolment.day, enrolment.person, sign)?;
    if let Some((outcome, day)) = enrolment.outcome {
        count_in(tables, &cells, day, outcome, sign)?;
    }
    Ok(())
}
