//! The product, wired together: the folder, the log, the commands, the views and the tokens of one
//! organisation.

use std::{path::Path, sync::Arc};

use commands::Commands;
use domain::{EventStore, Keyring};
use ledger::{Keeper, Ledger, note::Signer};
use projections::{SNAPSHOT_EVERY, Views};
use store::{DataFolder, EmbeddedStore, Options};

use crate::tokens::Tokens;

/// Everything that answers: opened once per process.
pub struct Rapport {
    /// The folder; held for as long as this lives.
    pub folder: DataFolder,
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The embedded log, for its figures.
    pub embedded: Arc<EmbeddedStore>,
    /// Opens what is personal, for those who may see it.
    pub keyring: Arc<dyn Keyring>,
    /// The only way to change anything.
    pub commands: Commands,
    /// The questions.
    pub views: Views,
    /// What proves that the log was not altered.
    pub ledger: Keeper,
    /// Who may come in.
    pub tokens: Tokens,
}

impl Rapport {
    /// Opens a data folder, which is created where there is none.
    pub async fn open(folder: &Path) -> anyhow::Result<Arc<Self>> {
        let (folder, runtime) = (folder.to_owned(), tokio::runtime::Handle::current());
        // Opening reads and checks files, which must not hold up what else the runtime does.
        tokio::task::spawn_blocking(move || Self::open_here(&folder, runtime)).await?
    }

    fn open_here(folder: &Path, runtime: tokio::runtime::Handle) -> anyhow::Result<Arc<Self>> {
        let folder = DataFolder::open(folder)?;
        let embedded = EmbeddedStore::open(&folder, Options::default())?;
        let store: Arc<dyn EventStore> = Arc::clone(&embedded) as _;
        let keyring = embedded.keyring();
        let ledger = Keeper::start(open_ledger(&folder)?, Arc::clone(&store), runtime.clone())?;
        let commands = Commands::new(Arc::clone(&store));
        let views =
            Views::open(Arc::clone(&store), Arc::clone(&keyring), &folder.views()?, runtime, SNAPSHOT_EVERY)?;
        let tokens = Tokens::open(&folder.path().join("tokens.json"))?;
        Ok(Arc::new(Self { folder, store, embedded, keyring, commands, views, ledger, tokens }))
    }
}

/// The ledger of a log; a log that never had one gets it here, and one that had is refused without it.
fn open_ledger(folder: &DataFolder) -> anyhow::Result<Ledger> {
    let signer = Signer::new(&format!("rapport/{}", folder.log_id()), &*folder.ledger_key()?);
    if folder.has_ledger() {
        return Ok(Ledger::open(&folder.ledger(), signer)?);
    }
    let ledger = Ledger::create(&folder.ledger(), signer)?;
    folder.note_ledger()?;
    Ok(ledger)
}
