//! The ledger in its folder: the hashes of the tree, every checkpoint that was ever signed, and the public key.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use crate::{
    checkpoint::Checkpoint,
    hashes::{self, Growth, Hashes},
    merkle::{self, Hash, Remembered},
    note::{NoteError, Signer, Verifier},
    tile::{Tile, WIDTH},
};

/// All checkpoints, the oldest first, each followed by an empty line.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// The public key.
pub(crate) const KEY: &str = "key";
/// The last checkpoint is within so many bytes of the end of the file.
const LAST: u64 = 4_096;

/// The ledger of one log.
#[derive(Debug)]
pub struct Ledger {
    signer: Signer,
    hashes: Hashes,
    growing: Mutex<Growing>,
    signed: RwLock<Arc<Signed>>,
}

/// What only one thread at a time may touch.
#[derive(Debug)]
struct Growing {
    growth: Growth,
    checkpoints: File,
    /// How much of the file of checkpoints is whole.
    length: u64,
    /// How many events an earlier run had hashed.
    hashed: u64,
    /// The first event that is not what an earlier run had hashed.
    differs: Option<u64>,
}

/// A checkpoint with the note that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The whole note.
    pub note: String,
}

/// Why the ledger cannot be used, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder is not there, or a file of it.
    #[error(
        "the ledger is missing: there is no {0}. It is never made anew for a log that had one: put it back from a \
         backup; `rapport verify` says how it stands"
    )]
    Missing(PathBuf),
    /// There is no checkpoint, although the first one is signed when a ledger is begun.
    #[error(
        "the ledger's {0} holds no checkpoint any more, although there was one: put the folder of the ledger back from a \
         backup; `rapport verify` says how it stands"
    )]
    Emptied(PathBuf),
    /// It has signed less than is known beside it.
    #[error(
        "the folder `ledger` is older than the log: it has signed {signed} events, and {known} had been signed. Put the right \
         one back from a backup; `rapport verify` says how it stands"
    )]
    Older {
        /// How many events it has signed.
        signed: u64,
        /// How many had been signed.
        known: u64,
    },
    /// It has signed something else than is known beside it.
    #[error(
        "the folder `ledger` is not the one that has signed this log: its first {known} events had another root. Put the \
         right one back from a backup; `rapport verify` says how it stands"
    )]
    OfAnotherLog {
        /// How many events had been signed.
        known: u64,
    },
    /// A file cannot be used.
    #[error("the ledger's {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The last checkpoint is not what was signed.
    #[error("the last checkpoint of the ledger cannot be relied on: {0}. `rapport verify` says more")]
    Checkpoint(#[from] NoteError),
    /// There are fewer hashes than were signed.
    #[error(
        "the ledger holds the hashes of {found} events and has signed {signed}. `rapport verify` says more"
    )]
    Shorter {
        /// How many hashes there are.
        found: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The hashes are not those that were signed.
    #[error("the hashes of the ledger are not those that were signed. `rapport verify` says more")]
    Damaged,
    /// The log holds fewer events than were signed, or others.
    #[error(
        "the log is not the one that the ledger has signed: {0}. `rapport verify` says where they differ"
    )]
    AnotherLog(String),
    /// What is asked about is beyond what was signed.
    #[error("the last checkpoint covers {signed} events: ask for no more")]
    NotCovered {
        /// How many events the last checkpoint covers.
        signed: u64,
    },
}

impl LedgerError {
    /// Whether something is gone, or is not what it was.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::NotCovered { .. })
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            if source.kind() == io::ErrorKind::NotFound {
                Self::Missing(path)
            } else {
                Self::Io { path, source }
            }
        }
    }
}

impl Ledger {
    /// Makes the ledger of a log that has none, and signs that it is empty. What an interrupted beginning has left
    /// is finished.
    pub fn create(folder: &Path, signer: Signer) -> Result<Self, LedgerError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(LedgerError::io(folder))?;
        Hashes::open(folder, true).map_err(LedgerError::io(folder))?;
        write_new(&folder.join(KEY), &format!("{}\n", signer.verifier()))?;
        let checkpoints = folder.join(CHECKPOINTS);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(&checkpoints).map_err(LedgerError::io(&checkpoints))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(LedgerError::io(folder))?;
        Self::open_or_begin(folder, signer, true)
    }

    /// Opens the ledger of a log, and goes on from its last checkpoint. Hashes that were never signed are made again
    /// from the log, and must come out as they stand.
    pub fn open(folder: &Path, signer: Signer) -> Result<Self, LedgerError> {
        Self::open_or_begin(folder, signer, false)
    }

    fn open_or_begin(folder: &Path, signer: Signer, begins: bool) -> Result<Self, LedgerError> {
        let fail = LedgerError::io;
        let key = read_key(folder)?;
        if key != signer.verifier() {
            return Err(NoteError::NotSigned(signer.verifier().name().to_owned()).into());
        }
        let file = folder.join(CHECKPOINTS);
        let mut checkpoints = OpenOptions::new().read(true).write(true).open(&file).map_err(fail(&file))?;
        let (length, last) = last_note(&mut checkpoints).map_err(fail(&file))?;
        let hashes = Hashes::open(folder, false).map_err(fail(folder))?;
        let (size, signed) = match last {
            Some(note) => {
                let checkpoint = Checkpoint::open(&note, &key)?;
                (checkpoint.size, Some(Signed { checkpoint, note }))
            }
            None if begins => (0, None),
            None => return Err(LedgerError::Emptied(file)),
        };
        let found = hashes.size().map_err(fail(folder))?;
        if found < size {
            return Err(LedgerError::Shorter { found, signed: size });
        }
        let growth = Growth::after(&hashes, size).map_err(fail(folder))?;
        if signed.as_ref().is_some_and(|signed| signed.checkpoint.root != growth.frontier().root()) {
            return Err(LedgerError::Damaged);
        }
        // What was hashed and not signed stays until it is hashed again, and must come out the same.
        let mut growing = Growing { growth, checkpoints, length, hashed: found, differs: None };
        let signed = match signed {
            Some(signed) => Arc::new(signed),
            None => Arc::new(growing.sign(&hashes, &signer).map_err(fail(&file))?),
        };
        Ok(Self { signer, hashes, growing: Mutex::new(growing), signed: RwLock::new(signed) })
    }

    /// The public key.
    pub fn key(&self) -> Verifier {
        self.signer.verifier()
    }

    /// The last checkpoint.
    pub fn signed(&self) -> Arc<Signed> {
        Arc::clone(&self.signed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many events the tree has, signed or not.
    pub fn size(&self) -> u64 {
        self.growing().growth.frontier().size()
    }

    /// How many events an earlier run had hashed, signed or not.
    pub fn hashed_before(&self) -> Result<u64, LedgerError> {
        let (mut size, signed) = (self.growing().hashed, self.signed().checkpoint.size);
        // What a power cut has torn was never written.
        let torn = |index: u64| -> io::Result<bool> {
            Ok(merkle::Nodes::node(&self.hashes, 0, index)? == hashes::TORN)
        };
        while size > signed && torn(size - 1).map_err(LedgerError::io(Path::new("hashes")))? {
            size -= 1;
        }
        Ok(size)
    }

    /// Adds leaves and writes their hashes. After an error they are added and wait to be written.
    pub(crate) fn add(&self, leaves: &[Hash]) -> io::Result<()> {
        let mut growing = self.growing();
        growing.compare(&self.hashes, leaves)?;
        for leaf in leaves {
            growing.growth.push(*leaf);
        }
        growing.growth.write(&self.hashes)
    }

    /// Signs the tree as it is and keeps the checkpoint; the last one where nothing was added since.
    pub(crate) fn sign(&self) -> io::Result<Arc<Signed>> {
        let mut growing = self.growing();
        growing.compare(&self.hashes, &[])?;
        let last = self.signed();
        if last.checkpoint.size == growing.growth.frontier().size() {
            return Ok(last);
        }
        growing.growth.write(&self.hashes)?;
        self.hashes.sync()?;
        let signed = Arc::new(growing.sign(&self.hashes, &self.signer)?);
        *self.signed.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&signed);
        Ok(signed)
    }

    /// The proofs that some events (from 0) are among the first `size`.
    pub fn inclusions(&self, indexes: &[u64], size: u64) -> Result<Vec<Vec<Hash>>, LedgerError> {
        if indexes.iter().any(|index| *index >= size) {
            return Err(self.not_covered());
        }
        self.covered(size)?;
        let nodes = Remembered::new(&self.hashes);
        let proofs = indexes.iter().map(|index| merkle::inclusion(&nodes, *index, size));
        proofs.collect::<io::Result<_>>().map_err(LedgerError::io(Path::new("hashes")))
    }

    /// The proof that the first `old` events are the beginning of the first `size`.
    pub fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        if old == 0 || old > size {
            return Err(self.not_covered());
        }
        self.covered(size)?;
        merkle::consistency(&self.hashes, old, size).map_err(LedgerError::io(Path::new("hashes")))
    }

    /// The leaf of the event `index` (from 0).
    pub fn leaf(&self, index: u64) -> Result<Hash, LedgerError> {
        self.covered(index + 1)?;
        merkle::Nodes::node(&self.hashes, 0, index).map_err(LedgerError::io(Path::new("hashes")))
    }

    /// The root over the first `size` events.
    pub fn root(&self, size: u64) -> Result<Hash, LedgerError> {
        self.covered(size)?;
        merkle::root(&self.hashes, size).map_err(LedgerError::io(Path::new("hashes")))
    }

    /// The hashes of a tile, one after the other; not of a bundle of entries, which the log has.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<u8>, LedgerError> {
        let level = tile.level.filter(|_| tile.is_within(self.signed().checkpoint.size));
        let Some(level) = level else { return Err(self.not_covered()) };
        // A tile has at most 256 hashes.
        let width = usize::try_from(tile.width).unwrap_or_default();
        self.hashes.of_tile(level, tile.index * WIDTH, width).map_err(LedgerError::io(Path::new("hashes")))
    }

    fn covered(&self, size: u64) -> Result<(), LedgerError> {
        if size > self.signed().checkpoint.size { Err(self.not_covered()) } else { Ok(()) }
    }

    fn not_covered(&self) -> LedgerError {
        LedgerError::NotCovered { signed: self.signed().checkpoint.size }
    }

    // What is added under the lock cannot panic half-way but for want of memory, which ends the process.
    fn growing(&self) -> MutexGuard<'_, Growing> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Growing {
    /// Refuses what is not the event that an earlier run had hashed in its place.
    fn compare(&mut self, kept: &Hashes, leaves: &[Hash]) -> io::Result<()> {
        let size = self.growth.frontier().size();
        for (index, leaf) in (size..self.hashed).zip(leaves) {
            let known = merkle::Nodes::node(kept, 0, index)?;
            if known != *leaf && known != hashes::TORN {
                self.differs = Some(index + 1);
                break;
            }
        }
        match self.differs {
            Some(number) => Err(io::Error::other(format!(
                "event {number} is not the one that was hashed when it was recorded, so nothing more is signed: run \
                 `rapport verify`"
            ))),
            None => Ok(()),
        }
    }

    fn sign(&mut self, hashes: &Hashes, signer: &Signer) -> io::Result<Signed> {
        debug_assert!(hashes.size().is_ok_and(|size| size >= self.growth.frontier().size()));
        let frontier = self.growth.frontier();
        let origin = signer.verifier().name().to_owned();
        let checkpoint = Checkpoint { origin, size: frontier.size(), root: frontier.root() };
        let note = checkpoint.signed(signer);
        let record = format!("{note}\n");
        // What an earlier failure has left half written is written over.
        self.checkpoints.write_all_at(record.as_bytes(), self.length)?;
        let length = self.length + record.len() as u64;
        self.checkpoints.set_len(length)?;
        self.checkpoints.sync_all()?;
        self.length = length;
        Ok(Signed { checkpoint, note })
    }
}

/// How many events the hashes in a ledger's folder are about, as far as they can be read.
pub fn hashed(folder: &Path) -> Option<u64> {
    Hashes::open_to_read(folder).and_then(|hashes| hashes.size()).ok()
}

/// The public key that lies in a ledger's folder.
pub fn read_key(folder: &Path) -> Result<Verifier, LedgerError> {
    let file = folder.join(KEY);
    let text = std::fs::read_to_string(&file).map_err(LedgerError::io(&file))?;
    Ok(text.parse::<Verifier>()?)
}

/// How much of the file is whole, and the last note in it. A note that was being written when the machine stopped
/// is not whole, and nobody has seen it.
fn last_note(file: &mut File) -> io::Result<(u64, Option<String>)> {
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(LAST);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A record ends with an empty line, and so does the text of its note: an end comes after a signature.
    let is_end = |place: &usize| {
        let before = &bytes[..*place];
        let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        bytes[*place..].starts_with(b"\n\n") && before[line..].starts_with("\u{2014}".as_bytes())
    };
    let mut ends = (0..bytes.len()).filter(is_end).map(|place| place + 2).rev();
    let Some(end) = ends.next() else { return Ok((0, None)) };
    let start = ends.next().unwrap_or_default();
    let note = String::from_utf8(bytes[start..end - 1].to_vec())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((begin + end as u64, Some(note)))
}

/// Writes a small file that must not change afterwards; one that is there already must say the same.
fn write_new(path: &Path, text: &str) -> Result<(), LedgerError> {
    match fs::read_to_string(path) {
        Ok(found) if found == text => Ok(()),
        Ok(_) => Err(NoteError::MalformedKey("it is not the key of this log").into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            machine::files::write(path, text).map_err(LedgerError::io(path))
        }
        Err(error) => Err(LedgerError::io(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, proves_consistency, proves_inclusion};

    fn signer() -> Signer {
        Signer::new("rapport/test", &[1; 32])
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    fn ledger_of(count: u64) -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(folder.path(), signer()).unwrap();
        ledger.add(&leaves(count)).unwrap();
        ledger.sign().unwrap();
        (folder, ledger)
    }

    #[test]
    fn a_ledger_goes_on_after_a_restart_from_its_last_checkpoint() {
        let (folder, ledger) = ledger_of(300);
        ledger.add(&leaves(5)).unwrap();
        let signed = ledger.signed();
        drop(ledger);
        let again = Ledger::open(folder.path(), signer()).unwrap();
        assert_eq!((again.size(), &again.signed()), (300, &signed));
        again.add(&leaves(1_000)).unwrap();
        assert_eq!(again.sign().unwrap().checkpoint.size, 1_300);
        drop(again);
        // What was hashed and never signed is not passed over when it has become another.
        let again = Ledger::open(folder.path(), signer()).unwrap();
        again.add(&leaves(2)).unwrap();
        drop(again);
        let again = Ledger::open(folder.path(), signer()).unwrap();
        assert!(again.add(&[leaf_hash(b"another")]).is_err());
        assert!(again.sign().is_err() && again.add(&leaves(1)).is_err(), "it goes on all the same");
        drop(again);
        let again = Ledger::open(folder.path(), signer()).unwrap();
        let path = again.consistency(300, 1_300).unwrap();
        assert!(proves_consistency(
            300,
            &signed.checkpoint.root,
            1_300,
            &again.signed().checkpoint.root,
            &path
        ));
    }

    #[test]
    fn what_is_signed_is_proven_and_what_is_younger_is_not() {
        let (_folder, ledger) = ledger_of(300);
        ledger.add(&leaves(5)).unwrap();
        let root = ledger.signed().checkpoint.root;
        for index in [0, 255, 256, 299] {
            let path = ledger.inclusions(&[index], 300).unwrap().remove(0);
            assert!(proves_inclusion(&ledger.leaf(index).unwrap(), index, 300, &path, &root));
        }
        assert!(matches!(ledger.inclusions(&[300], 301), Err(LedgerError::NotCovered { signed: 300 })));
        assert!(matches!(ledger.leaf(300), Err(LedgerError::NotCovered { signed: 300 })));
        assert_eq!(ledger.tile(&"0/000".parse().unwrap()).unwrap(), leaves(256).concat());
        assert_eq!(ledger.tile(&"1/000.p/1".parse().unwrap()).unwrap(), ledger.root(256).unwrap());
        assert!(ledger.tile(&"0/001.p/45".parse().unwrap()).is_err());
    }

    #[test]
    fn a_checkpoint_that_was_half_written_is_written_over() {
        let (folder, ledger) = ledger_of(10);
        drop(ledger);
        let file = folder.path().join(CHECKPOINTS);
        let whole = std::fs::read_to_string(&file).unwrap();
        for half in ["rapport/test\n11\n", "rapport/test\n11\nAAAA\n\n\u{2014} rapport/te"] {
            std::fs::write(&file, format!("{whole}{half}")).unwrap();
            let ledger = Ledger::open(folder.path(), signer()).unwrap();
            assert_eq!(ledger.signed().checkpoint.size, 10);
            ledger.add(&leaves(1)).unwrap();
            ledger.sign().unwrap();
            assert_eq!(Ledger::open(folder.path(), signer()).unwrap().size(), 11);
            std::fs::write(&file, &whole).unwrap();
        }
    }

    #[test]
    fn a_ledger_that_is_not_what_was_signed_does_not_open() {
        let (folder, ledger) = ledger_of(300);
        drop(ledger);
        let file = crate::hashes::path(folder.path(), 0);
        let bytes = std::fs::read(&file).unwrap();
        let mut altered = bytes.clone();
        altered[299 * 32] ^= 1;
        std::fs::write(&file, &altered).unwrap();
        assert!(matches!(Ledger::open(folder.path(), signer()), Err(LedgerError::Damaged)));
        std::fs::write(&file, &bytes[..299 * 32]).unwrap();
        let shorter = Ledger::open(folder.path(), signer());
        assert!(matches!(shorter, Err(LedgerError::Shorter { found: 299, signed: 300 })));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(Ledger::open(folder.path(), signer()), Err(LedgerError::Missing(_))));
        std::fs::write(&file, &bytes).unwrap();
        assert!(Ledger::open(folder.path(), Signer::new("rapport/test", &[2; 32])).is_err());
    }
}
