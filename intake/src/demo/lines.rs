//! The lines that are about to be given out.

use std::collections::VecDeque;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar;

/// The lines told and not yet taken.
#[derive(Debug)]
pub(super) struct Lines {
    waiting: VecDeque<String>,
    seed: u64,
    keys: u64,
    end: DateTime<Utc>,
}

impl Lines {
    pub fn new(seed: u64) -> Self {
        Self { waiting: VecDeque::new(), seed, keys: 0, end: calendar::end() }
    }

    /// The next line.
    pub fn take(&mut self) -> Option<String> {
        self.waiting.pop_front()
    }

    /// Whether the history reaches so far.
    pub fn reach(&self, at: DateTime<Utc>) -> bool {
        at < self.end
    }

    /// A command that means nothing when it is repeated.
    pub fn say(&mut self, at: DateTime<Utc>, thing: (Kind, Uuid), command: &str, fields: &Value) {
        self.push(at, thing, command, fields, "");
    }

    /// A command whose repetition would mean something by then, so that a key tells it.
    pub fn say_once(&mut self, at: DateTime<Utc>, thing: (Kind, Uuid), command: &str, fields: &Value) {
        let key = format!(",\"key\":\"demo-{}-{}\"", self.seed, self.keys);
        self.keys += 1;
        self.push(at, thing, command, fields, &key);
    }

    /// A command that something later contradicts or not.
    pub fn say_or_once(
        &mut self,
        once: bool,
        at: DateTime<Utc>,
        thing: (Kind, Uuid),
        command: &str,
        fields: &Value,
    ) {
        if once {
            self.say_once(at, thing, command, fields);
        } else {
            self.say(at, thing, command, fields);
        }
    }

    fn push(
        &mut self,
        at: DateTime<Utc>,
        (kind, id): (Kind, Uuid),
        command: &str,
        fields: &Value,
        key: &str,
    ) {
        if self.reach(at) {
            let at = json!(at.to_rfc3339_opts(SecondsFormat::Secs, true));
            let line = format!(
                "{{\"kind\":\"{kind}\",\"id\":\"{id}\",\"{command}\":{fields},\"occurred_at\":{at}{key}}}"
            );
            self.waiting.push_back(line);
        }
    }
}
