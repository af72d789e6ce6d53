//! Verifying a whole log: every event hashed again and held against the ledger, every checkpoint against its root.
//!
//! Whoever verifies reads the stored rows and the files of the ledger, and trusts neither the program that wrote
//! them nor its index. The first event at fault is named with the kind of fault. What is younger than the last
//! checkpoint is not covered by any signature; how much that is belongs to the answer.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use domain::{BadEvent, Stored};
use serde::Serialize;

use crate::{
    checkpoint::Checkpoint,
    hashes::{Hashes, TORN, kept_levels, path},
    leaf::LeafHasher,
    ledger::{CHECKPOINTS, LedgerError, read_key},
    merkle::{Frontier, Hash, Nodes as _},
    note::{NoteError, Verifier},
    sequences::Sequences,
};

/// How many events are looked at behind the first that is not as it was, to see what was done to it.
const LOOKAHEAD: usize = 2;
/// The largest file of checkpoints that is read, in bytes: one a minute for three hundred years.
const CHECKPOINTS_LIMIT: u64 = 32 << 30;

/// What is wrong. Events are numbered from 1 in the order of recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// An event's content or envelope is not what was recorded.
    #[error(
        "event {number} ({stream}, revision {revision}, {tag}) was altered: its content or its envelope is not what was recorded"
    )]
    Altered {
        /// Which event.
        number: u64,
        /// The stream, as it is stored now.
        stream: String,
        /// The revision, as it is stored now.
        revision: u64,
        /// The tag, as it is stored now.
        tag: String,
    },
    /// An event is gone.
    #[error("event {number} was removed: {stream}, revision {revision}, stands where it was")]
    Removed {
        /// Which event.
        number: u64,
        /// The stream of the event that stands there now.
        stream: String,
        /// Its revision.
        revision: u64,
    },
    /// An event was put in that was never recorded.
    #[error("event {number} ({stream}, revision {revision}, {tag}) was put in: it was never recorded there")]
    Inserted {
        /// Its number.
        number: u64,
        /// Its stream.
        stream: String,
        /// Its revision.
        revision: u64,
        /// Its tag.
        tag: String,
    },
    /// An event stands where another was recorded.
    #[error("event {number} is out of order: event {instead} stands in its place")]
    Moved {
        /// Which event is not in its place.
        number: u64,
        /// Which event of the ledger stands there.
        instead: u64,
    },
    /// An event lies at another position than its number.
    #[error(
        "event {number} lies at position {position}: positions were shifted, so that what names a position means another event"
    )]
    Shifted {
        /// Which event.
        number: u64,
        /// Where it lies.
        position: u64,
    },
    /// An event is not the one that was hashed, though nothing of that was signed.
    #[error(
        "event {number} is not signed, and it is not the event that was hashed when it was recorded: it was altered, or checkpoints were taken away"
    )]
    NotHashed {
        /// Which event.
        number: u64,
    },
    /// A stream holds a revision twice, or none where there should be one; it was recorded so.
    #[error(
        "event {number} is revision {revision} of {stream}, where revision {expected} had to follow: the stream holds a revision \
         twice, or has a gap. It was recorded like that: the log was not altered since"
    )]
    Sequence {
        /// Which event.
        number: u64,
        /// The stream.
        stream: String,
        /// Its revision.
        revision: u64,
        /// The revision that had to follow.
        expected: u64,
    },
    /// A row of the log is no event.
    #[error("event {number} cannot be read: {reason}")]
    Unreadable {
        /// Which event.
        number: u64,
        /// What is wrong with the row.
        reason: String,
    },
    /// The log ends before what was signed.
    #[error("the log ends after {held} events, but {which} signs {signed}: the events from {} on were cut off, or this is an older copy", held + 1)]
    CutOff {
        /// Which checkpoint.
        which: String,
        /// How many events the log holds.
        held: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The events are not those over which a checkpoint was signed, though the ledger's hashes agree with them.
    #[error("the events from {} to {size} are not those that {which} signs: the log and the ledger's hashes were altered together, or it signs another log", agreed + 1)]
    AnotherRoot {
        /// Which checkpoint.
        which: String,
        /// Up to which number the log agrees with a checkpoint that can be relied on as much.
        agreed: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// The ledger's own hashes are not what was signed, though the events are.
    #[error("the ledger's hash of event {number} was altered; the events themselves are what was signed")]
    LedgerAltered {
        /// Which event's hash, or the first event under the node that was altered.
        number: u64,
    },
    /// The ledger has fewer hashes than were signed.
    #[error("the ledger holds the hashes of {held} events, but a checkpoint signs {signed}")]
    LedgerCutOff {
        /// How many hashes there are.
        held: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The ledger is not there.
    #[error("the ledger is missing: {reason}")]
    LedgerMissing {
        /// What is missing.
        reason: String,
    },
    /// A checkpoint is not what was signed.
    #[error("{which} cannot be relied on: {reason}")]
    Checkpoint {
        /// Which one.
        which: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many events were read.
    pub events: u64,
    /// How many of them the last checkpoint covers.
    pub covered: u64,
    /// How many are younger than the last checkpoint: recorded, and not signed yet.
    pub younger: u64,
    /// How many checkpoints were found true.
    pub checkpoints: u64,
    /// The public key that signed them.
    pub key: String,
    /// The first fault; none in a log that is what it was.
    pub fault: Option<Fault>,
}

/// A checkpoint to be met on the way.
struct Awaited {
    checkpoint: Checkpoint,
    which: String,
    /// Whether somebody kept it elsewhere. Those of the ledger itself may have been signed anew with its key.
    is_outside: bool,
}

/// An event that is not what the ledger says, and those behind it.
struct Suspect {
    /// Its number from 0.
    index: u64,
    seen: Vec<Seen>,
}

struct Seen {
    leaf: Hash,
    stream: String,
    revision: u64,
    tag: String,
}

/// A walk through a log, event by event.
pub struct Verification {
    folder: PathBuf,
    key: Verifier,
    awaited: VecDeque<Awaited>,
    signed: u64,
    /// How many events the ledger has hashed, signed or not.
    hashed: u64,
    /// Its hashes, for those that are looked up.
    hashes: Hashes,
    /// The files of the ledger from below, read along.
    kept: Vec<(u32, BufReader<File>)>,
    hasher: LeafHasher,
    frontier: Frontier,
    agreed: u64,
    agreed_outside: u64,
    checkpoints: u64,
    suspect: Option<Suspect>,
    sequences: Sequences,
    /// The first event that did not follow the one before it in its stream; told where nothing else is wrong.
    out_of_sequence: Option<Fault>,
    altered_node: Option<u64>,
    fault: Option<Fault>,
    /// Whether the position of an event is its number, as in a log that one machine keeps for itself.
    positions_are_numbers: bool,
}

impl Verification {
    /// Begins at the ledger of a log, with the public key in its folder or another one, and with checkpoints that
    /// were kept elsewhere, each with the name of its file.
    pub fn begin(folder: &Path, key: Option<Verifier>, outside: &[(String, String)]) -> Result<Self, Fault> {
        let missing = |error: LedgerError| Fault::LedgerMissing { reason: error.to_string() };
        let own = read_key(folder).map_err(missing)?;
        let key = key.unwrap_or(own);
        let mut awaited = read_checkpoints(folder, &key)?;
        let signed = awaited.last().map_or(0, |last| last.checkpoint.size);
        for (name, note) in outside {
            let which = format!("the checkpoint in {name}");
            let opened = Checkpoint::open(note, &key).map_err(|error| unreliable(&which, &error))?;
            awaited.push(Awaited { checkpoint: opened, which, is_outside: true });
        }
        awaited.sort_by_key(|awaited| awaited.checkpoint.size);
        let opened = Hashes::open_to_read(folder).and_then(|hashes| Ok((hashes.size()?, hashes)));
        let (held, hashes) = opened.map_err(|error| missing(LedgerError::io(folder)(error)))?;
        if held < signed {
            return Err(Fault::LedgerCutOff { held, signed });
        }
        let kept = kept_levels().enumerate().map(|(number, level)| {
            let file = File::open(path(folder, number));
            file.map(|file| (level, BufReader::with_capacity(1 << 16, file)))
        });
        let kept = kept.collect::<io::Result<_>>();
        let kept = kept.map_err(|error| missing(LedgerError::io(folder)(error)))?;
        let mut begun = Self {
            folder: folder.to_owned(),
            key,
            awaited: awaited.into(),
            signed,
            hashed: held,
            hashes,
            kept,
            hasher: LeafHasher::default(),
            frontier: Frontier::default(),
            agreed: 0,
            agreed_outside: 0,
            checkpoints: 0,
            suspect: None,
            sequences: Sequences::default(),
            out_of_sequence: None,
            altered_node: None,
            fault: None,
            positions_are_numbers: true,
        };
        begun.meet_checkpoints();
        Ok(begun)
    }

    /// Holds the checkpoints of the ledger against the sizes that are known, beside it, to have been signed: one that is taken
    /// away from the middle leaves no trace in the ledger itself.
    #[must_use]
    pub fn with_signed_sizes(mut self, known: &[u64]) -> Self {
        let held: HashSet<u64> =
            self.awaited.iter().filter(|one| !one.is_outside).map(|one| one.checkpoint.size).collect();
        // Also that which was met when the walk began.
        let missing = known.iter().find(|size| **size > 0 && !held.contains(size));
        if let Some(size) = missing
            && self.fault.is_none()
        {
            self.fault = Some(Fault::Checkpoint {
                which: format!("the checkpoint over {size} events"),
                reason: "it was signed, and is gone from the ledger".to_owned(),
            });
        }
        self
    }

    /// Of a log in a cluster, where positions are those of the cluster: they say nothing about an event's number.
    #[must_use]
    pub fn with_positions_of_a_cluster(mut self) -> Self {
        self.positions_are_numbers = false;
        self
    }

    /// The name of the log that the checkpoints sign.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    /// Takes the next event, in the order of the log; whether there is any sense in going on.
    pub fn event(&mut self, event: &Result<Stored<'_>, BadEvent>) -> bool {
        if self.fault.is_some() {
            return false;
        }
        let stored = match event {
            Ok(stored) => stored,
            Err(bad) => {
                let number = self.suspect.as_ref().map_or(self.frontier.size(), |suspect| suspect.index) + 1;
                self.fault = Some(match &self.suspect {
                    Some(suspect) => self.judge(suspect),
                    None => Fault::Unreadable { number, reason: bad.reason.clone() },
                });
                return false;
            }
        };
        let leaf = self.hasher.hash(stored);
        let index = self.frontier.size();
        if index < self.signed && self.suspect.is_none() {
            self.compare_with_ledger(leaf, index);
        } else {
            self.frontier.push(leaf, |_, _, _| {});
            let hashed = (index >= self.signed && index < self.hashed).then(|| self.hash_of(index)).flatten();
            if self.suspect.is_none() && hashed.is_some_and(|hash| hash != leaf && hash != TORN) {
                self.fault = Some(Fault::NotHashed { number: index + 1 });
                return false;
            }
        }
        let is_shifted = self.positions_are_numbers && stored.position.0 != index + 1;
        if self.suspect.is_none() && self.altered_node.is_none() && is_shifted {
            self.fault = Some(Fault::Shifted { number: index + 1, position: stored.position.0 });
            return false;
        }
        if self.suspect.is_none()
            && self.out_of_sequence.is_none()
            && let Err(expected) = self.sequences.take(stored.stream, stored.revision)
        {
            let (number, stream, revision) = (index + 1, stored.stream.to_owned(), stored.revision);
            self.out_of_sequence = Some(Fault::Sequence { number, stream, revision, expected });
        }
        if let Some(suspect) = &mut self.suspect
            && suspect.seen.len() <= LOOKAHEAD
        {
            let (stream, tag) = (stored.stream.to_owned(), stored.tag.to_owned());
            suspect.seen.push(Seen { leaf, stream, revision: stored.revision, tag });
        }
        self.meet_checkpoints();
        self.fault.is_none()
    }

    /// What came out, after the last event.
    pub fn end(mut self) -> Report {
        let events = self.frontier.size();
        if self.fault.is_none() {
            self.fault = match (&self.suspect, self.awaited.front()) {
                (Some(suspect), _) => Some(self.judge(suspect)),
                (None, Some(next)) => Some(cut_off(events, next)),
                (None, None)
                    if events < self.hashed && self.hash_of(events).is_some_and(|hash| hash != TORN) =>
                {
                    let which = "the ledger, which hashed every event as it was recorded,".to_owned();
                    Some(Fault::CutOff { which, held: events, signed: self.hashed })
                }
                (None, None) => self.out_of_sequence.take(),
            };
        }
        Report {
            events,
            covered: events.min(self.signed),
            younger: events.saturating_sub(self.signed),
            checkpoints: self.checkpoints,
            key: self.key.to_string(),
            fault: self.fault,
        }
    }

    /// Holds a leaf and every node that it completes against the ledger's files.
    fn compare_with_ledger(&mut self, leaf: Hash, index: u64) {
        let (kept, mut leaf_differs, mut node_differs) = (&mut self.kept, false, None);
        self.frontier.push(leaf, |level, place, hash| {
            let Some((_, file)) = kept.iter_mut().find(|(of, _)| *of == level) else { return };
            let mut found = [0; 32];
            // A file that ends too early differs.
            if file.read_exact(&mut found).is_err() || found != *hash {
                if level == 0 {
                    leaf_differs = true;
                } else {
                    node_differs = node_differs.or(Some((place << level) + 1));
                }
            }
        });
        if leaf_differs {
            self.suspect = Some(Suspect { index, seen: Vec::new() });
        } else if self.altered_node.is_none() {
            self.altered_node = node_differs;
        }
    }

    /// Holds the root against every checkpoint of this size.
    fn meet_checkpoints(&mut self) {
        let size = self.frontier.size();
        while self.fault.is_none() && self.awaited.front().is_some_and(|next| next.checkpoint.size == size) {
            let Some(next) = self.awaited.pop_front() else { break };
            let agrees = next.checkpoint.root == self.frontier.root();
            self.fault = match (&self.suspect, agrees) {
                // The events are those that were signed, so it is the ledger's copy of a hash that is not.
                (Some(suspect), true) => Some(Fault::LedgerAltered { number: suspect.index + 1 }),
                (Some(suspect), false) => Some(self.judge(suspect)),
                (None, true) => self.altered_node.map(|number| Fault::LedgerAltered { number }),
                (None, false) => {
                    let agreed = if next.is_outside { self.agreed_outside } else { self.agreed };
                    Some(Fault::AnotherRoot { which: next.which, agreed, size })
                }
            };
            if agrees {
                self.agreed = size;
                self.agreed_outside = if next.is_outside { size } else { self.agreed_outside };
                self.checkpoints += 1;
            }
        }
    }

    /// What was done to the first event that is not what the ledger says.
    fn judge(&self, suspect: &Suspect) -> Fault {
        let number = suspect.index + 1;
        let Some((first, rest)) = suspect.seen.split_first() else {
            return Fault::LedgerAltered { number };
        };
        let expected = |ahead: u64| self.ledger_leaf(suspect.index + ahead);
        let (here, next) = (expected(0), expected(1));
        let second = rest.first().map(|seen| seen.leaf);
        let (stream, revision, tag) = (first.stream.clone(), first.revision, first.tag.clone());
        if next == Some(first.leaf) {
            return if second.is_some() && second == here {
                Fault::Moved { number, instead: number + 1 }
            } else {
                Fault::Removed { number, stream, revision }
            };
        }
        if second.is_some() && second == here {
            return Fault::Inserted { number, stream, revision, tag };
        }
        match self.number_of(&first.leaf) {
            // It stands in its own place as well: it was written over another.
            Some(instead) => Fault::Moved { number, instead },
            None => Fault::Altered { number, stream, revision, tag },
        }
    }

    fn ledger_leaf(&self, index: u64) -> Option<Hash> {
        if index < self.signed { self.hash_of(index) } else { None }
    }

    /// The hash that the ledger holds of an event, signed or not.
    fn hash_of(&self, index: u64) -> Option<Hash> {
        self.hashes.node(0, index).ok()
    }

    /// The number of the event that was recorded with this leaf, wherever it is.
    fn number_of(&self, leaf: &Hash) -> Option<u64> {
        let file = File::open(path(&self.folder, 0)).ok()?;
        let mut leaves = BufReader::with_capacity(1 << 20, file);
        let mut found = [0; 32];
        for number in 1..=self.signed {
            leaves.read_exact(&mut found).ok()?;
            if found == *leaf {
                return Some(number);
            }
        }
        None
    }
}

/// Every checkpoint of a ledger, the oldest first, each with its signature proven.
fn read_checkpoints(folder: &Path, key: &Verifier) -> Result<Vec<Awaited>, Fault> {
    let file = folder.join(CHECKPOINTS);
    let missing =
        |error: io::Error| Fault::LedgerMissing { reason: LedgerError::io(&file)(error).to_string() };
    let mut text = String::new();
    File::open(&file)
        .and_then(|file| file.take(CHECKPOINTS_LIMIT).read_to_string(&mut text))
        .map_err(missing)?;
    let mut found: Vec<Awaited> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let which = format!("checkpoint {} of the ledger", found.len() + 1);
        // The text of a note ends with an empty line, and so does its record.
        let end = rest.find("\n\n").and_then(|text| Some(text + 2 + rest[text + 2..].find("\n\n")? + 2));
        // What is not whole at the end was being written when the machine stopped, and nobody has seen it.
        let Some(end) = end else { break };
        let checkpoint =
            Checkpoint::open(&rest[..end - 1], key).map_err(|error| unreliable(&which, &error))?;
        if found.last().is_some_and(|last| last.checkpoint.size >= checkpoint.size) {
            let reason = "it signs no more events than the one before it".to_owned();
            return Err(Fault::Checkpoint { which, reason });
        }
        found.push(Awaited { checkpoint, which, is_outside: false });
        rest = &rest[end..];
    }
    if found.is_empty() {
        return Err(Fault::LedgerMissing { reason: "it holds no checkpoint".to_owned() });
    }
    Ok(found)
}

fn cut_off(held: u64, by: &Awaited) -> Fault {
    Fault::CutOff { which: by.which.clone(), held, signed: by.checkpoint.size }
}

fn unreliable(which: &str, error: &NoteError) -> Fault {
    Fault::Checkpoint { which: which.to_owned(), reason: error.to_string() }
}
