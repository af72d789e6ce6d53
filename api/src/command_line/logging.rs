//! Where the process speaks about itself: to standard error, through a thread of its own. Whoever has something to say
//! never waits for whoever reads it, and never fails because nobody can: what cannot be written is dropped.

use std::panic;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;

use super::shared::Shared;

/// Begins to speak; unless asked otherwise only when something is wrong, or when it serves. What was said last is written
/// when the guard is dropped.
pub(super) fn begin(shared: &Shared, serves: bool) -> WorkerGuard {
    // The client of the cluster speaks of every attempt; what comes of them is told here.
    let default = if serves { "info,kurrentdb=off" } else { "warn,kurrentdb=off" };
    let filter = shared.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(default));
    let (writer, guard) = NonBlocking::new(std::io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // It would complain of what cannot be written where it cannot be written, and panic.
        .log_internal_errors(false);
    // A second subscriber in one process is refused; the first stays.
    let _ = if shared.log_json { subscriber.json().try_init() } else { subscriber.try_init() };
    panic::set_hook(Box::new(tell_of_panic));
    guard
}

/// A panic is told like everything else. Only a text that stands in the program is repeated: others may hold what people
/// have entered.
fn tell_of_panic(panicked: &panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let message = panicked.payload().downcast_ref::<&'static str>().copied();
    let place = panicked.location().map(ToString::to_string);
    tracing::error!(
        thread = thread.name().unwrap_or("without a name"),
        place,
        message,
        "a thread has panicked: please report it"
    );
}
