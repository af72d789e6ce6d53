//! The log itself, as a batch or followed live, for those who may read it; that they read it is recorded.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::{ContactId, Kind, KindSet, Position, Role};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    caller::Caller,
    cloud_event::CloudEvent,
    disclosures::{self, Intent, Showing},
    error::Error,
    rapport::Rapport,
};

/// Who may read the log itself.
pub const READERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];
/// How many events a batch holds unless asked otherwise, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// How often it is recorded that somebody still follows.
const RECORD_INTERVAL: Duration = Duration::from_hours(1);
/// How long a feed waits for a notice before it looks again.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many events one request looks through for those it wants; the next request goes on from there.
const LOOK_THROUGH_MAX: usize = 20_000;

/// Which events are requested.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// After this position.
    #[serde(default)]
    pub from: u64,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only those that concern this contact.
    pub subject: Option<ContactId>,
    /// How many, 1 to 1,000.
    pub limit: Option<usize>,
}

/// Reads events as `CloudEvents`; up to where the log was looked through, which may lie beyond the last event shown.
pub async fn read(
    rapport: &Rapport,
    caller: &Caller,
    query: &Query,
    intent: Intent,
) -> Result<(Vec<CloudEvent>, Position), Error> {
    caller.must_be(READERS)?;
    let limit = query.limit()?;
    let (events, next) = look_through(rapport, query, limit).await?;
    if query.is_recorded(caller, intent) {
        disclosures::record(rapport, caller, intent, query.showing(next, events.len() as u64)).await?;
    }
    Ok((events.into_iter().map(|(_, event)| event).collect(), next))
}

impl Query {
    /// How many events are requested; refuses what no page holds and where no log goes.
    fn limit(&self) -> Result<usize, Error> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::malformed_at("limit", format!("must lie between 1 and {LIMIT_MAX}")));
        }
        if i64::try_from(self.from).is_err() {
            return Err(Error::malformed_at("from", "is beyond any position"));
        }
        Ok(limit)
    }

    /// Whether showing this is recorded. Disclosures are never disclosed themselves: reading them would make more.
    fn is_recorded(&self, caller: &Caller, intent: Intent) -> bool {
        intent.is_recorded(caller) && self.kind != Some(Kind::Disclosure)
    }

    fn showing(&self, position: Position, rows: u64) -> Showing<'static> {
        let mut parts = vec![format!("from={}", self.from)];
        parts.extend(self.kind.map(|kind| format!("kind={kind}")));
        parts.extend(self.subject.map(|subject| format!("subject={subject}")));
        parts.extend(self.limit.map(|limit| format!("limit={limit}")));
        Showing { view: "events", query: parts.join("&"), position, rows, shown: Vec::new() }
    }
}

/// Events with their positions.
type Found = Vec<(Position, CloudEvent)>;

/// Looks through the log for events; how far it came.
async fn look_through(rapport: &Rapport, query: &Query, limit: usize) -> Result<(Found, Position), Error> {
    let store = &rapport.store;
    let kinds = query.kind.map_or(KindSet::ALL, |kind| KindSet::of(&[kind]));
    let (mut found, mut position, mut looked) = (Vec::new(), Position(query.from), 0);
    while found.len() < limit && looked < LOOK_THROUGH_MAX {
        // No more is read than may be shown, so that the page ends where its last event stands.
        let requested = (limit - found.len()).min(LOOK_THROUGH_MAX - looked);
        let read =
            if query.subject.is_some() || query.kind.is_some() { requested.max(1_000) } else { requested };
        let page = store.read_all(position, read, kinds).await?;
        if page.through <= position {
            break;
        }
        looked += read;
        for event in page.events {
            let recorded = event.map_err(Error::unavailable)?;
            let concerns = query.subject.is_none_or(|subject| recorded.subjects.contains(&subject));
            if concerns && let Some(event) = CloudEvent::of(&recorded, store.log_id(), &*rapport.keyring) {
                found.push((recorded.position, event));
            }
            if found.len() == limit {
                return Ok((found, recorded.position));
            }
        }
        position = page.through;
    }
    Ok((found, position))
}

/// Somebody who follows the log.
pub struct Feed {
    rapport: Arc<Rapport>,
    caller: Caller,
    query: Query,
    waiting: VecDeque<(Position, CloudEvent)>,
    /// What the reader said, where it is recorded; then when it was recorded last, and what was shown since.
    intent: Option<Intent>,
    recorded_at: Instant,
    shown: Query,
    rows: u64,
    /// Whether it ends when the token of the caller is revoked.
    ends_with_token: bool,
    ending: CancellationToken,
}

impl Drop for Feed {
    /// What was shown since it was last recorded, however the feed ends.
    fn drop(&mut self) {
        let Some(intent) = self.intent.filter(|_| self.rows > 0) else { return };
        let (rapport, caller, rows) = (Arc::clone(&self.rapport), self.caller.clone(), self.rows);
        let (since, position) = (std::mem::take(&mut self.shown), Position(self.query.from));
        // A feed lives inside the runtime that serves it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let showing = since.showing(position, rows);
                if let Err(error) = disclosures::record(&rapport, &caller, intent, showing).await {
                    tracing::error!(detail = %error, "the end of a feed could not be recorded");
                }
            });
        }
    }
}

impl Feed {
    /// Begins to follow, once that is recorded. `ending` ends it with the server.
    pub async fn begin(
        rapport: Arc<Rapport>,
        caller: Caller,
        query: Query,
        intent: Intent,
        ends_with_token: bool,
        ending: CancellationToken,
    ) -> Result<Self, Error> {
        caller.must_be(READERS)?;
        query.limit()?;
        let intent = intent.following();
        let intent = query.is_recorded(&caller, intent).then_some(intent);
        let mut feed = Self {
            rapport,
            caller,
            shown: query.clone(),
            query,
            waiting: VecDeque::new(),
            intent,
            recorded_at: Instant::now(),
            rows: 0,
            ends_with_token,
            ending,
        };
        feed.record().await?;
        Ok(feed)
    }

    /// Records what was shown since the last time, and where it goes on from.
    async fn record(&mut self) -> Result<(), Error> {
        self.recorded_at = Instant::now();
        if let Some(intent) = self.intent {
            let since = std::mem::replace(&mut self.shown, self.query.clone());
            let showing = since.showing(Position(self.query.from), std::mem::take(&mut self.rows));
            disclosures::record(&self.rapport, &self.caller, intent, showing).await?;
        }
        Ok(())
    }

    /// The next event with its position, however long it takes; none when the server ends or the log cannot be read, after which
    /// the client comes back with the id of the last event that it has seen.
    pub async fn next(&mut self) -> Option<(Position, CloudEvent)> {
        loop {
            // Whoever has lost their token sees no more, however long ago they began.
            if self.ends_with_token && !self.rapport.tokens.is_living(&self.caller.name) {
                return None;
            }
            if self.recorded_at.elapsed() >= RECORD_INTERVAL {
                self.record().await.ok()?;
            }
            if let Some((position, event)) = self.waiting.pop_front() {
                self.rows += 1;
                return Some((position, event));
            }
            let (found, through) = look_through(&self.rapport, &self.query, LIMIT).await.ok()?;
            if through.0 == self.query.from {
                let changed = tokio::time::timeout(POLL_INTERVAL, self.rapport.store.changed(through));
                tokio::select! {
                    // Whether woken or not, the log is looked at again.
                    _ = changed => {}
                    () = self.ending.cancelled() => return None,
                }
            }
            self.query.from = through.0;
            self.waiting.extend(found);
        }
    }
}
