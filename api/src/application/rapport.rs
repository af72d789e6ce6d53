//! The product, wired together: the folder, the log, the commands, the views and the tokens of one
//! organisation.

use std::{
    io,
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use commands::Commands;
use domain::{EventStore, Keyring};
use ledger::{Keeper, Ledger, LedgerError, checkpoint::Checkpoint, note::Signer};
use projections::{SNAPSHOT_EVERY, ViewOptions, Views};
use store::{DataFolder, Log, Options, Place};

use super::{tokens::Tokens, witness::Witness};

/// How often a node looks at what the others have signed.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// About how many bytes an event takes in a cluster.
const BYTES_OF_AN_EVENT: u64 = 800;

/// Everything that answers: opened once per process.
pub struct Rapport {
    /// The folder; held for as long as this lives.
    pub folder: DataFolder,
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// What goes beyond the port: files, keys, other nodes.
    pub log: Arc<dyn Log>,
    /// Opens what is personal, for those who may see it.
    pub keyring: Arc<dyn Keyring>,
    /// The only way to change anything.
    pub commands: Commands,
    /// The questions.
    pub views: Views,
    /// What proves that the log was not altered.
    pub ledger: Keeper,
    /// Whether the other nodes read the same log.
    pub witness: Witness,
    /// Who may come in.
    pub tokens: Tokens,
}

impl Rapport {
    /// Opens a data folder with the log in it, which is created where there is none.
    pub async fn open(folder: &Path) -> anyhow::Result<Arc<Self>> {
        Self::open_at(folder, &Place::Folder).await
    }

    /// Opens a data folder whose log is kept somewhere.
    pub async fn open_at(folder: &Path, place: &Place) -> anyhow::Result<Arc<Self>> {
        Self::open_with(folder, place, Options::default()).await
    }

    /// Opens a data folder whose log is kept somewhere, with choices.
    pub async fn open_with(folder: &Path, place: &Place, options: Options) -> anyhow::Result<Arc<Self>> {
        let log = store::open(folder, place, options).await?;
        let runtime = tokio::runtime::Handle::current();
        // Opening reads and checks files, which must not hold up what else the runtime does.
        tokio::task::spawn_blocking(move || Self::open_here(log, &runtime)).await?
    }

    fn open_here(log: Arc<dyn Log>, runtime: &tokio::runtime::Handle) -> anyhow::Result<Arc<Self>> {
        let folder = log.folder().clone();
        let (store, keyring) = (Arc::clone(&log) as Arc<dyn EventStore>, log.keyring());
        let ledger = open_ledger(&folder, &log)?;
        let held = runtime.block_on(store.size_at(store.head()))?;
        if log.node_status().is_some() && held < ledger.hashed_before()? {
            // The index of the node is younger than its ledger: what was hashed is read first.
            runtime.block_on(log.catch_up(&mut |_| ()));
        }
        let signs = Arc::clone(&log);
        let on_signed = move |checkpoint: &Checkpoint| {
            signs.keys().note_signed(checkpoint.size, checkpoint.root).map_err(io::Error::other)
        };
        let ledger = Keeper::start(ledger, Arc::clone(&store), runtime.clone(), on_signed)?;
        let witness = Witness::default();
        let commands = Commands::new(Arc::clone(&store));
        // Positions in a cluster count bytes, not events.
        let snapshot_every =
            if store.is_shared() { SNAPSHOT_EVERY * BYTES_OF_AN_EVENT } else { SNAPSHOT_EVERY };
        let views = Views::open(
            Arc::clone(&store),
            Arc::clone(&keyring),
            &folder.views()?,
            runtime.clone(),
            ViewOptions { snapshot_every, ..ViewOptions::default() },
        )?;
        let tokens = runtime.block_on(Tokens::open(&folder.path().join("tokens.json"), log.clone()))?;
        let rapport =
            Arc::new(Self { folder, store, log, keyring, commands, views, ledger, witness, tokens });
        if rapport.log.node_status().is_some() {
            runtime.spawn(watch_one_another(Arc::downgrade(&rapport)));
        }
        Ok(rapport)
    }

    /// Ends following, folding and signing, once what was folded and hashed is saved. Waits for threads that may need
    /// the runtime: for a thread that the runtime can do without, before the runtime ends.
    pub fn close(&self) {
        self.views.close();
        self.ledger.close();
        self.log.close();
    }

    /// Why this node should be asked nothing at the moment; `None` where it may be asked.
    pub fn is_behind(&self) -> Option<String> {
        let node = self.log.node_status().filter(|node| !node.is_near)?;
        Some(match (node.trouble, node.behind) {
            (Some(trouble), _) => format!("this node cannot follow the log: {trouble}"),
            (None, None) => "this node is reading the log for the first time since it was started".to_owned(),
            (None, Some(behind)) => format!("this node is {} seconds behind the log", behind.as_secs()),
        })
    }
}

/// Says to the other nodes what is signed here, and looks at what they have signed, for as long as anybody is served.
async fn watch_one_another(rapport: Weak<Rapport>) {
    while let Some(rapport) = rapport.upgrade() {
        let ledger = rapport.ledger.ledger();
        rapport.log.announce(&ledger.signed().note);
        rapport.witness.look(&rapport.log.peers(), ledger);
        drop(rapport);
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Refuses a ledger that has signed less than is known beside it, or something else: that of an earlier day, say.
fn check_signed(ledger: &Ledger, log: &Arc<dyn Log>) -> anyhow::Result<()> {
    let Some((known, root)) = log.keys().signed()? else { return Ok(()) };
    let signed = ledger.signed().checkpoint.size;
    if signed < known {
        return Err(LedgerError::Older { signed, known }.into());
    }
    if known > 0 && ledger.root(known)? != root {
        return Err(LedgerError::OfAnotherLog { known }.into());
    }
    Ok(())
}

/// The ledger of a log; a log that never had one gets it here, and one that had is refused without it.
fn open_ledger(folder: &DataFolder, log: &Arc<dyn Log>) -> anyhow::Result<Ledger> {
    let signer = Signer::new(&format!("rapport/{}", folder.log_id()), &*folder.ledger_key()?);
    if folder.has_ledger() {
        let ledger = Ledger::open(&folder.ledger(), signer)?;
        check_signed(&ledger, log)?;
        return Ok(ledger);
    }
    if log.keys().signed()?.is_some() {
        // Whatever `format.json` says: this log has been signed.
        return Err(LedgerError::Missing(folder.ledger()).into());
    }
    let ledger = Ledger::create(&folder.ledger(), signer)?;
    let Checkpoint { size, root, .. } = ledger.signed().checkpoint;
    folder.note_ledger()?;
    log.keys().note_signed(size, root)?;
    Ok(ledger)
}
