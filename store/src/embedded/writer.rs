//! The one thread that writes the log.
//!
//! It takes every append that waits, judges each by the head of its stream and by its key, and writes what
//! passes in one transaction with one sync. A member of such a group that is refused harms no other. Only when
//! all of it is durable does anybody learn anything: the memory, the readers, and then the callers.

use std::{
    collections::HashMap,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use domain::{AppendError, CommandKey, Forgotten, KeyedAnswer, StreamId};
use machine::{files::has_room, waiting::wait_at_most};
use quick_cache::DefaultHashBuilder;
use rusqlite::{Connection, ffi, params};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    embedded::{
        erasures::{self, NOTED_EVERY},
        index::Index,
        log_file::{self, LogFile, Place},
        shared::Shared,
    },
    options::{Faults, SyncFault},
    recording::{
        prepared::{Prepared, keys_failed},
        stream_head::Head,
    },
    sealing::{
        key_error::KeyError,
        keys::{CarriedOut, Keys},
    },
    sqlite::{failure, is_full, to_stored},
};

/// How many appends share one transaction.
const GROUP: usize = 1_024;
/// How many bytes share one transaction.
const GROUP_BYTES: usize = 8 << 20;
/// How long a group waits for the index to catch up.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked at whether what is in the way has passed.
const HEALING_PAUSE: Duration = Duration::from_secs(1);
/// How much room a disk that was full must have again.
const ROOM: usize = 1 << 20;
/// What it is called where its troubles are told.
const PART: &str = "the log";
/// How many expired answers one transaction deletes at most.
const DELETED_AT_ONCE: u64 = 1_024;

/// The position of the last event of an append, or why it was not done.
type Outcome = Result<u64, AppendError>;

/// An append in the queue.
pub(crate) struct Waiting {
    pub(crate) append: Prepared,
    pub(crate) reply: oneshot::Sender<Replied>,
    /// The room it takes up in the queue, given back when it has been answered.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// An append on its way back to its caller, who makes the answer of it: the writer, for whom everybody waits,
/// neither allocates answers nor frees what was written.
pub(crate) struct Replied {
    pub(crate) append: Prepared,
    pub(crate) outcome: Outcome,
}

/// The state of the writing thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    keys: Arc<Keys>,
    index: Index,
    queue: mpsc::Receiver<Waiting>,
    /// Closed after a failure, until it has been opened again.
    log: Option<LogFile>,
    recorded_at: i64,
    next_answer: u64,
    deleted_through: u64,
    page_limit: Option<u32>,
    /// Up to where the keys know that every erasure has been carried out.
    erased_through: u64,
    /// Whether something was in the way of the last group.
    in_trouble: bool,
    /// Whether the disk was full.
    is_full: bool,
}

/// What becomes of a group, before any of it is written.
struct Plan {
    verdicts: Vec<Result<Accepted, AppendError>>,
    heads: HashMap<StreamId, Head, DefaultHashBuilder>,
    answered: HashMap<CommandKey, usize, DefaultHashBuilder>,
    recorded_at: i64,
    next_position: u64,
    next_answer: u64,
    delete_through: u64,
}

/// An append that passes.
struct Accepted {
    first_position: u64,
    last_position: u64,
    effective_at: i64,
    /// Under which number the answer is kept, where there is a key.
    number: Option<u64>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        keys: Arc<Keys>,
        log: LogFile,
        index: Index,
        queue: mpsc::Receiver<Waiting>,
    ) -> rusqlite::Result<Self> {
        let (erased_through, recorded_at) = log.head()?;
        let (oldest, newest) = log.answer_numbers()?.unwrap_or_default();
        // A number that the index has seen is not given again, even where the answer has been deleted.
        let next_answer = newest.max(index.reach()?.1) + 1;
        let deleted_through = oldest.saturating_sub(1);
        let log = Some(log);
        Ok(Self {
            shared,
            keys,
            index,
            queue,
            log,
            recorded_at,
            next_answer,
            deleted_through,
            page_limit: None,
            erased_through,
            in_trouble: false,
            is_full: false,
        })
    }

    /// Serves the queue until its last sender is gone.
    pub(crate) fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = self.next() {
            let mut bytes = first.append.size;
            group.push(first);
            while group.len() < GROUP && bytes < GROUP_BYTES {
                let Ok(next) = self.queue.try_recv() else { break };
                bytes += next.append.size;
                group.push(next);
            }
            let outcomes = self.answer(&group).unwrap_or_else(|error| vec![Err(error); group.len()]);
            for (waiting, outcome) in group.drain(..).zip(outcomes) {
                // Whoever has stopped waiting asks again with the same key.
                let _ = waiting.reply.send(Replied { append: waiting.append, outcome });
            }
        }
    }

    /// The next append. While something is in the way it is looked at again and again whether that has passed: nobody
    /// may send a command as long as this process says that it takes none.
    fn next(&mut self) -> Option<Waiting> {
        while self.in_trouble {
            if let Some(next) = wait_at_most(HEALING_PAUSE, self.queue.recv()) {
                return next;
            }
            self.heal();
        }
        self.queue.blocking_recv()
    }

    /// Carries out a group, whatever happens. A panic harms only those who met it: what became of them is in the log, which
    /// is opened again.
    fn answer(&mut self, group: &[Waiting]) -> Result<Vec<Outcome>, AppendError> {
        let carried_out = panic::catch_unwind(AssertUnwindSafe(|| self.carry_out(group)));
        let outcomes = carried_out.unwrap_or_else(|_| {
            self.log = None;
            Err(AppendError::OutcomeUnknown)
        });
        match &outcomes {
            Ok(_) => self.note_passed(),
            Err(AppendError::DiskFull) => {
                self.is_full = true;
                self.note_trouble("the disk is full: free some space; it goes on by itself");
            }
            Err(_) if self.log.is_none() => {
                self.note_trouble("a transaction failed, and the log is opened again");
            }
            // A clock that is not believed and an index that lags say so themselves.
            Err(_) => {}
        }
        outcomes
    }

    fn note_trouble(&mut self, reason: &str) {
        self.in_trouble = true;
        self.shared.troubles.note(PART, reason);
    }

    fn note_passed(&mut self) {
        if self.in_trouble {
            (self.in_trouble, self.is_full) = (false, false);
            self.shared.troubles.clear(PART);
        }
    }

    /// Opens the log again where it is closed, and sees whether a full disk has room again.
    fn heal(&mut self) {
        if self.log.is_none() {
            let recovered = panic::catch_unwind(AssertUnwindSafe(|| self.recover()));
            match recovered {
                Ok(Ok(log)) => self.log = Some(log),
                Ok(Err(error)) => return self.note_trouble(&error.to_string()),
                Err(_) => return,
            }
        }
        if self.is_full && self.shared.log_file.parent().is_none_or(|folder| has_room(folder, ROOM).is_err())
        {
            return;
        }
        self.note_passed();
    }

    /// Writes a group; an error is the outcome of all its members.
    fn carry_out(&mut self, group: &[Waiting]) -> Result<Vec<Outcome>, AppendError> {
        self.shared.options.faults.pass();
        let now = self.shared.now().map_err(AppendError::Unavailable)?;
        if !self.shared.tail.wait_for_room(ROOM_TIMEOUT) {
            return Err(unavailable("the index does not keep up"));
        }
        let log = match self.log.take() {
            Some(log) => log,
            None => self.recover()?,
        };
        match self.write_group(&log, group, now) {
            Ok(outcomes) => {
                self.log = Some(log);
                Ok(outcomes)
            }
            Err(failure) => {
                if failure.is_sound {
                    self.log = Some(log);
                } else {
                    drop(log);
                    // Tried at once, so that whoever asks by key already learns how it stands.
                    self.log = self.recover().ok();
                }
                Err(failure.error)
            }
        }
    }

    fn write_group(&mut self, log: &LogFile, group: &[Waiting], now: i64) -> Result<Vec<Outcome>, Failure> {
        // A key is durable before the first event that is sealed with it.
        self.keys.keep_pending().map_err(|error| Failure::sound(keys_failed(&error)))?;
        let plan = self.plan(log, group, now);
        if plan.writes() {
            self.limit_pages(log);
            let begun = Instant::now();
            write(&log.connection, group, &plan, &self.shared.options.faults)?;
            self.shared.note_sync(begun.elapsed());
            let erases = self.erase(group, &plan)?;
            self.publish(group, &plan);
            if erases {
                self.keys.note_erasure();
            }
        }
        Ok(plan.verdicts.into_iter().map(|verdict| verdict.map(|accepted| accepted.last_position)).collect())
    }

    fn plan(&self, log: &LogFile, group: &[Waiting], now: i64) -> Plan {
        let mut plan = Plan {
            verdicts: Vec::with_capacity(group.len()),
            heads: HashMap::default(),
            answered: HashMap::default(),
            // The log never runs backwards, not even by the small steps by which a clock is set right.
            recorded_at: self.recorded_at.max(now),
            next_position: self.shared.position() + 1,
            next_answer: self.next_answer,
            delete_through: self
                .shared
                .expired_through
                .load(Relaxed)
                .min(self.deleted_through + DELETED_AT_ONCE),
        };
        for waiting in group {
            let verdict = self.judge(log, &plan, group, &waiting.append);
            let verdict = verdict.map(|head| plan.accept(&waiting.append, head));
            plan.verdicts.push(verdict);
        }
        plan
    }

    /// The head that an append goes on from, or why it must not be written.
    fn judge(
        &self,
        log: &LogFile,
        plan: &Plan,
        group: &[Waiting],
        append: &Prepared,
    ) -> Result<Head, AppendError> {
        let unreadable = |error: rusqlite::Error| unavailable(&error);
        // The key comes first: a repeat is answered as before, however far its stream has moved since.
        if let Some((key, _)) = append.key {
            let answered = match plan.answered_in_group(key, group) {
                Some(answer) => Some(answer),
                None => self.shared.answer(key, log, &self.index).map_err(unreadable)?,
            };
            if let Some(answer) = answered {
                return Err(AppendError::Answered(Box::new(answer)));
            }
        }
        let head = match plan.heads.get(&append.stream) {
            Some(head) => *head,
            None => self.shared.head_of(append.stream, log, &self.index).map_err(unreadable)?,
        };
        if head.revision == append.expected {
            Ok(head)
        } else {
            Err(AppendError::WrongRevision { expected: append.expected, actual: head.revision })
        }
    }

    /// Destroys what the group has forgotten, before anybody can see that it has; whether that was anything.
    /// Where it fails, the log is opened again, and nothing is seen until the keys are gone.
    fn erase(&mut self, group: &[Waiting], plan: &Plan) -> Result<bool, Failure> {
        let forgotten: Vec<Forgotten> = plan
            .accepted(group)
            .flat_map(|(append, _)| append.events.iter().filter_map(|event| event.forgets))
            .collect();
        let position = plan.next_position - 1;
        if forgotten.is_empty() && position - self.erased_through < NOTED_EVERY {
            return Ok(false);
        }
        let last = plan.accepted(group).filter_map(|(append, _)| append.events.last()).next_back();
        let Some(event) = last.map(|event| event.id.0) else { return Ok(false) };
        let through = CarriedOut { log: self.shared.log_id, position, event };
        let carried_out = self.destroy(&forgotten, through);
        if let Err(error) = carried_out {
            tracing::error!(%error, "the keys of what was erased could not be destroyed; trying again");
            // That nothing was to be erased can be noted later.
            if !forgotten.is_empty() {
                return Err(Failure { error: AppendError::OutcomeUnknown, is_sound: false });
            }
        }
        self.erased_through = position;
        Ok(!forgotten.is_empty())
    }

    fn destroy(&self, forgotten: &[Forgotten], through: CarriedOut) -> Result<(), KeyError> {
        if self.shared.options.faults.refuses_erasures() {
            return Err(failure(ffi::SQLITE_IOERR).into());
        }
        self.keys.carry_out(forgotten, Some(through))
    }

    /// Takes note of what has been written.
    fn publish(&mut self, group: &[Waiting], plan: &Plan) {
        let (mut places, mut answers) = (Vec::new(), Vec::new());
        for (append, accepted) in plan.accepted(group) {
            let revisions = append.expected + 1..;
            places.extend(revisions.zip(accepted.first_position..).zip(&append.events).map(
                |((revision, position), _)| Place {
                    stream: append.stream,
                    revision,
                    position,
                    effective_at: accepted.effective_at,
                },
            ));
            answers.extend(append.key.map(|(key, _)| key).zip(accepted.number));
        }
        self.recorded_at = plan.recorded_at;
        self.shared.recorded_at.store(self.recorded_at, Relaxed);
        self.next_answer = plan.next_answer;
        self.deleted_through = self.deleted_through.max(plan.delete_through);
        let heads = plan.heads.iter().map(|(stream, head)| (*stream, *head));
        self.shared.publish(plan.next_position - 1, places, answers, heads);
    }

    /// Opens the log again after a failure, and takes note of what is really there.
    fn recover(&mut self) -> Result<LogFile, AppendError> {
        let recovered = self.reopen();
        recovered.map_err(|error| if is_full(&error) { AppendError::DiskFull } else { unavailable(&error) })
    }

    fn reopen(&mut self) -> rusqlite::Result<LogFile> {
        let log = LogFile::reopen(&self.shared.log_file, &self.shared.options)?;
        self.page_limit = None;
        let (mut places, mut answers, mut heads) = (Vec::new(), Vec::new(), HashMap::new());
        log.places(self.shared.position(), |place| {
            let head = Head { revision: place.revision, effective_at: place.effective_at };
            heads.insert(place.stream, head);
            places.push(place);
            Ok(())
        })?;
        log.keys(self.next_answer - 1, |key, number| {
            answers.push((key, number));
            Ok(())
        })?;
        let (position, recorded_at) = log.head()?;
        // What was recorded before the failure may have to be forgotten, and nobody has seen it yet.
        let erased = self.catch_up_with_erasures(&log)?;
        self.recorded_at = self.recorded_at.max(recorded_at);
        self.shared.recorded_at.store(self.recorded_at, Relaxed);
        self.next_answer = answers.last().map_or(self.next_answer, |(_, number)| number + 1);
        self.shared.publish(position, places, answers, heads);
        if erased > 0 {
            self.keys.note_erasure();
        }
        Ok(log)
    }

    fn catch_up_with_erasures(&mut self, log: &LogFile) -> rusqlite::Result<usize> {
        if self.shared.options.faults.refuses_erasures() {
            return Err(failure(ffi::SQLITE_IOERR));
        }
        erasures::catch_up(log, self.shared.log_id, &self.keys).map_err(|error| {
            tracing::error!(%error, "erasures could not be carried out");
            failure(ffi::SQLITE_IOERR)
        })
    }

    /// Follows the limit that a test sets.
    fn limit_pages(&mut self, log: &LogFile) {
        let page_limit = self.shared.options.faults.page_limit();
        if page_limit != self.page_limit {
            let sql = format!("PRAGMA max_page_count = {}", page_limit.unwrap_or(u32::MAX - 1));
            let _ = log.connection.query_row(&sql, [], |_| Ok(()));
            self.page_limit = page_limit;
        }
    }
}

impl Plan {
    fn accept(&mut self, append: &Prepared, head: Head) -> Accepted {
        let first_position = self.next_position;
        self.next_position += append.events.len() as u64;
        let effective_at = head.effective_at.max(append.occurred_at.unwrap_or(self.recorded_at));
        if !append.events.is_empty() {
            let revision = head.revision + append.events.len() as u64;
            self.heads.insert(append.stream, Head { revision, effective_at });
        }
        let number = append.key.map(|(key, _)| {
            self.answered.insert(key, self.verdicts.len());
            self.next_answer += 1;
            self.next_answer - 1
        });
        Accepted { first_position, last_position: self.next_position - 1, effective_at, number }
    }

    fn answered_in_group(&self, key: CommandKey, group: &[Waiting]) -> Option<KeyedAnswer> {
        let place = *self.answered.get(&key)?;
        let append = &group[place].append;
        let answer = append.answer(self.verdicts[place].as_ref().ok()?.last_position);
        Some(KeyedAnswer { body: append.key?.1, answer })
    }

    fn accepted<'p>(
        &'p self,
        group: &'p [Waiting],
    ) -> impl DoubleEndedIterator<Item = (&'p Prepared, &'p Accepted)> {
        let members = group.iter().zip(&self.verdicts);
        members.filter_map(|(waiting, verdict)| Some((&waiting.append, verdict.as_ref().ok()?)))
    }

    /// Whether there is anything to write.
    fn writes(&self) -> bool {
        self.verdicts.iter().flatten().any(|it| it.number.is_some() || it.first_position <= it.last_position)
    }
}

/// A transaction that was not done.
struct Failure {
    error: AppendError,
    /// Whether the connection can be used further, because nothing of the transaction is left.
    is_sound: bool,
}

impl Failure {
    fn sound(error: AppendError) -> Self {
        Self { error, is_sound: true }
    }
}

fn write(connection: &Connection, group: &[Waiting], plan: &Plan, faults: &Faults) -> Result<(), Failure> {
    if let Err(error) = insert(connection, group, plan) {
        let is_clean = roll_back(connection);
        // Nothing has been committed, so nothing is there, whatever the connection has come to.
        return Err(if is_full(&error) {
            Failure { error: AppendError::DiskFull, is_sound: is_clean }
        } else {
            Failure { error: unavailable(&error), is_sound: false }
        });
    }
    let Err(error) = commit(connection, faults) else { return Ok(()) };
    tracing::error!(%error, "a commit failed");
    // A full disk is noticed before the last page of the transaction, the one that makes it valid, is written.
    if is_full(&error) && roll_back(connection) {
        return Err(Failure::sound(AppendError::DiskFull));
    }
    Err(Failure { error: AppendError::OutcomeUnknown, is_sound: false })
}

fn insert(connection: &Connection, group: &[Waiting], plan: &Plan) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    insert_events(connection, group, plan)?;
    insert_answers(connection, group, plan)?;
    if plan.delete_through > 0 {
        let mut delete = connection.prepare_cached("DELETE FROM answers WHERE number <= ?1")?;
        delete.execute([to_stored(plan.delete_through)])?;
    }
    Ok(())
}

fn insert_events(connection: &Connection, group: &[Waiting], plan: &Plan) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(log_file::INSERT)?;
    for (append, accepted) in plan.accepted(group) {
        let places = (append.expected + 1..).zip(accepted.first_position..);
        for (event, (revision, position)) in append.events.iter().zip(places) {
            insert.execute(params![
                to_stored(position),
                append.stream_name,
                to_stored(revision),
                event.id.0.as_bytes(),
                event.tag,
                append.occurred_at,
                accepted.effective_at,
                plan.recorded_at,
                append.actor,
                event.subjects,
                append.metadata,
                event.data,
            ])?;
        }
    }
    Ok(())
}

fn insert_answers(connection: &Connection, group: &[Waiting], plan: &Plan) -> rusqlite::Result<()> {
    let sql = "INSERT INTO answers(number, key, body, answered_at, answer) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare_cached(sql)?;
    for (append, accepted) in plan.accepted(group) {
        if let (Some((key, body)), Some(number)) = (append.key, accepted.number) {
            let answer = serde_json::to_string(&append.answer(accepted.last_position))
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            insert.execute(params![to_stored(number), key.0, body, plan.recorded_at, answer])?;
        }
    }
    Ok(())
}

fn commit(connection: &Connection, faults: &Faults) -> rusqlite::Result<()> {
    let fault = faults.take_sync_fault();
    if fault != Some(SyncFault::Lost) {
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    fault.map_or(Ok(()), |_| Err(failure(ffi::SQLITE_IOERR_FSYNC)))
}

/// Whether nothing of the transaction is left.
fn roll_back(connection: &Connection) -> bool {
    connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok()
}

fn unavailable(reason: &(impl ToString + ?Sized)) -> AppendError {
    AppendError::Unavailable(reason.to_string())
}
