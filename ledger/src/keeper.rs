//! The keeper: one thread that follows the log behind the writer, hashes what was recorded and signs checkpoints.

use std::{
    fmt, io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use domain::{EventStore, Position, ReadError};
use machine::waiting::wait_at_most;
use tokio::{runtime::Handle, sync::watch};

use crate::{
    checkpoint::Checkpoint,
    leaf::LeafHasher,
    ledger::{Ledger, LedgerError, Signed},
};

/// How often a checkpoint is signed while events are recorded.
const INTERVAL: Duration = Duration::from_mins(1);
/// How long events may gather before they are hashed: fewer and larger reads disturb the writer less.
const GATHERING: Duration = Duration::from_millis(100);
/// How many events are read at a time.
const EVENTS_PER_READ: usize = 8_192;
/// How long a signature waits for what has been recorded and cannot be read yet.
const FOLLOWING: Duration = Duration::from_secs(5);
/// How long it waits before it tries again what failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a ledger up to the log.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Is told of every checkpoint.
type OnSigned = Box<dyn Fn(&Checkpoint) -> io::Result<()> + Send + Sync>;

struct Shared {
    ledger: Ledger,
    store: Arc<dyn EventStore>,
    runtime: Handle,
    on_signed: OnSigned,
    /// Up to how many events somebody wants a signature at once.
    requested: watch::Sender<u64>,
    state: watch::Sender<State>,
    stopping: AtomicBool,
}

/// How the ledger is getting on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How many events it has hashed.
    pub hashed: u64,
    /// How many events the last checkpoint covers.
    pub signed: u64,
    /// What keeps it from going on, where something does.
    pub trouble: Option<String>,
}

/// What can keep it from going on.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("its files cannot be written: {0}")]
    Files(#[from] io::Error),
    #[error("reading the log has panicked: please report it")]
    Panicked,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    /// Begins to follow the log. Refuses a log that is shorter than what was signed, or whose last signed event is
    /// another one.
    ///
    /// `on_signed` is told of every checkpoint; what it says of a failure keeps the ledger from going on.
    pub fn start(
        ledger: Ledger,
        store: Arc<dyn EventStore>,
        runtime: Handle,
        on_signed: impl Fn(&Checkpoint) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, LedgerError> {
        let signed = ledger.signed().checkpoint.size;
        let position = check_log(&ledger, &*store, &runtime, signed)?;
        let state = State { hashed: signed, signed, trouble: None };
        let shared = Arc::new(Shared {
            ledger,
            store,
            runtime,
            on_signed: Box::new(on_signed),
            requested: watch::Sender::new(0),
            state: watch::Sender::new(state),
            stopping: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || of_thread.run(position));
        let thread = thread.map_err(LedgerError::io(std::path::Path::new("thread")))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Whether its thread has ended although nobody has asked it to: nothing is hashed and signed until a new start, which
    /// takes the tree from the disk.
    pub fn has_ended(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// How it is getting on.
    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Signs what has been recorded so far, and gives the checkpoint; `None` where the keeper cannot go on.
    pub async fn sign(&self) -> Result<Option<Arc<Signed>>, ReadError> {
        self.follow().await;
        let size = self.shared.store.size_at(self.shared.store.head()).await?;
        self.shared.requested.send_if_modified(|requested| {
            let more = size > *requested;
            *requested = size.max(*requested);
            more
        });
        let mut state = self.shared.state.subscribe();
        let done = state.wait_for(|state| state.signed >= size || state.trouble.is_some()).await;
        let is_signed = done.is_ok_and(|state| state.signed >= size);
        Ok(is_signed.then(|| self.shared.ledger.signed()))
    }

    /// Waits, for a while, until everything can be read that this process has recorded: where others write as well,
    /// reading follows behind.
    async fn follow(&self) {
        let store = &self.shared.store;
        let latest = store.latest();
        let following = async {
            while store.head() < latest {
                store.changed(store.head()).await;
            }
        };
        if tokio::time::timeout(FOLLOWING, following).await.is_err() {
            tracing::warn!("what was recorded last could not be read in time and is signed later");
        }
    }

    /// Hashes and signs what is still missing, and ends.
    pub fn close(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Whoever waits for `requested` looks up.
        self.shared.requested.send_modify(|_| {});
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the ledger had panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where to go on reading, if the log still holds what was signed.
fn check_log(
    ledger: &Ledger,
    store: &dyn EventStore,
    runtime: &Handle,
    signed: u64,
) -> Result<Position, LedgerError> {
    let another = |error: ReadError| LedgerError::AnotherLog(error.to_string());
    let held = runtime.block_on(store.size_at(store.head())).map_err(another)?;
    let hashed = ledger.hashed_before()?;
    for (count, what) in [(signed, "signed"), (hashed, "hashed when they were recorded")] {
        if held < count {
            let reason = format!(
                "it holds {held} events, and {count} were {what}; its end has been lost: put back the log that belongs here, \
                 with the -wal that lay beside it, or restore a backup"
            );
            return Err(LedgerError::AnotherLog(reason));
        }
    }
    let Some(before) = signed.checked_sub(1) else { return Ok(Position::START) };
    let after = runtime.block_on(store.position_of_size(before)).map_err(another)?;
    let (mut hasher, mut last) = (LeafHasher::default(), None);
    let read = runtime.block_on(store.read_stored(after, 1, &mut |event| last = Some(hasher.hash(&event))));
    let position = read.map_err(another)?;
    if last != Some(ledger.leaf(before)?) {
        return Err(LedgerError::AnotherLog(format!("event {signed}, the last that was signed, is another")));
    }
    Ok(position)
}

impl Shared {
    fn run(&self, mut position: Position) {
        let mut hasher = LeafHasher::default();
        let mut signed_at = Instant::now();
        loop {
            let stopping = self.stopping.load(Ordering::Acquire);
            let result = self.catch_up(&mut position, &mut hasher).and_then(|()| {
                let requested = *self.requested.borrow() > self.ledger.signed().checkpoint.size;
                if stopping || requested || signed_at.elapsed() >= INTERVAL {
                    signed_at = Instant::now();
                    (self.on_signed)(&self.ledger.sign()?.checkpoint)?;
                }
                Ok(())
            });
            self.tell(result.err().as_ref());
            if stopping {
                return;
            }
            let trouble = self.state.borrow().trouble.is_some();
            self.wait(position, signed_at, trouble);
        }
    }

    /// Hashes everything that has been recorded so far.
    fn catch_up(&self, position: &mut Position, hasher: &mut LeafHasher) -> Result<(), Trouble> {
        // What an earlier failure has left unwritten goes first.
        self.ledger.add(&[])?;
        let mut leaves = Vec::with_capacity(EVENTS_PER_READ);
        while *position < self.store.head() {
            leaves.clear();
            let mut each = |event: domain::Stored<'_>| leaves.push(hasher.hash(&event));
            let read = self.store.read_stored(*position, EVENTS_PER_READ, &mut each);
            // Nothing of a page is hashed before all of it is read.
            let read = panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(read)));
            let through = read.map_err(|_| Trouble::Panicked)??;
            if through == *position {
                break;
            }
            *position = through;
            self.ledger.add(&leaves)?;
        }
        Ok(())
    }

    fn tell(&self, trouble: Option<&Trouble>) {
        let now = State {
            hashed: self.ledger.size(),
            signed: self.ledger.signed().checkpoint.size,
            trouble: trouble.map(ToString::to_string),
        };
        self.state.send_if_modified(|state| {
            if let Some(trouble) = now.trouble.as_ref().filter(|_| state.trouble != now.trouble) {
                tracing::error!(trouble, "the ledger cannot go on; it tries again");
            }
            let changed = *state != now;
            *state = now;
            changed
        });
    }

    /// Waits until there is something to do.
    fn wait(&self, position: Position, signed_at: Instant, trouble: bool) {
        let mut requested = self.requested.subscribe();
        // What was asked for before this is seen here, what is asked for after it wakes the wait below.
        let signed = self.ledger.signed().checkpoint.size;
        let is_requested = *requested.borrow_and_update() > signed && !trouble;
        if is_requested || self.stopping.load(Ordering::Acquire) {
            return;
        }
        let is_signed = signed == self.ledger.size();
        let until_signing = if is_signed { INTERVAL } else { INTERVAL.saturating_sub(signed_at.elapsed()) };
        if trouble {
            thread::sleep(PAUSE);
            return;
        }
        let is_recorded = async {
            tokio::select! {
                () = self.store.changed(position) => true,
                _ = requested.changed() => false,
            }
        };
        if wait_at_most(until_signing, is_recorded) == Some(true) {
            wait_at_most(GATHERING, requested.changed());
        }
    }
}
