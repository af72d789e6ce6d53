//! The first event of a log in a cluster says what log it is, and by which its secrets are known again. Whoever opens
//! the log checks both, so that no node writes into the log of somebody else, or seals with a key that no other has.

use std::path::Path;

use domain::Kind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    connection::{Connection, Expected, Proposed, Raw, Trouble},
    epochs::{self, fingerprint, read_epochs},
    names::Names,
    peers::random,
    tracker::{Kinds, refuse_newer},
};
use crate::{
    epochs::file as epoch_file,
    folder::{
        Joining, LEDGER_KEY_FILE, SECRET_FILE, draw_if_missing, draw_once, exists, read_secret, write_durably,
    },
    open_error::OpenError,
};

/// The tag of the first event, and of those that add kinds.
const CREATED: &str = "log.created";
const EXTENDED: &str = "log.extended";
/// What this program writes; a newer one may write more.
const FORMAT: u32 = 1;
/// How many events of a stream of the nodes are read at most: it has one for each version, or for each epoch.
const READ: usize = 10_000;
/// The secrets that all nodes share, beside the keys of the epochs.
const SECRETS: &[&str] = &[SECRET_FILE, LEDGER_KEY_FILE];

/// What a log in a cluster is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u32,
    pub(super) log: Uuid,
    kinds: Vec<String>,
    /// File and fingerprint of each secret.
    secrets: Vec<(String, String)>,
}

/// How the log in the cluster is to be opened.
pub(super) struct Opening<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: &'a Names,
    pub(super) secrets: Option<&'a Path>,
}

/// What was found in the cluster, or made there.
pub(super) struct Found {
    pub(super) log: Uuid,
    /// The oldest epoch that has not ended, and the current one.
    pub(super) epochs: (u32, u32),
}

impl Opening<'_> {
    /// Finds the log, or begins it where the cluster has none, under an id where one is given. Afterwards the folder
    /// holds the secrets of the log.
    pub(super) async fn open(&self, folder: &Joining, id: Option<Uuid>) -> Result<Found, OpenError> {
        let identity = match self.read_identity().await? {
            Some(identity) => identity,
            None => self.create(folder, id).await?,
        };
        for expected in [folder.log_id(), id].into_iter().flatten() {
            if expected != identity.log {
                return Err(self.connection.cannot(format!(
                    "it holds the log {}, and the folder {} belongs to the log {expected}",
                    identity.log,
                    folder.path().display()
                )));
            }
        }
        self.take_secrets(folder.path(), &identity)?;
        let epochs = self.take_epoch_keys(folder.path()).await?;
        self.add_kinds(&identity).await?;
        Ok(Found { log: identity.log, epochs })
    }

    /// What the log is; `None` where the cluster has none.
    pub(super) async fn read_identity(&self) -> Result<Option<Identity>, OpenError> {
        let events = self.read(&self.names.identity()).await?;
        for event in &events {
            refuse_newer(event).map_err(|error| self.connection.cannot(error.to_string()))?;
        }
        let Some(first) = events.first() else { return Ok(None) };
        let identity: Identity = serde_json::from_slice(&first.data)
            .map_err(|_| self.connection.cannot("its first event does not say which log it is".to_owned()))?;
        if identity.format > FORMAT {
            return Err(self.connection.cannot("it was begun by a newer program: use that one".to_owned()));
        }
        Ok(Some(identity))
    }

    async fn read(&self, name: &str) -> Result<Vec<Raw>, OpenError> {
        let events = self.connection.read_stream(name, 0, READ).await;
        Ok(events.map_err(|trouble| self.failed(&trouble))?.unwrap_or_default())
    }

    fn failed(&self, trouble: &Trouble) -> OpenError {
        self.connection.cannot(trouble.to_string())
    }

    /// Begins the log. Where two nodes do so at once, one of them is first, and the other finds what it has begun.
    async fn create(&self, folder: &Joining, id: Option<Uuid>) -> Result<Identity, OpenError> {
        if folder.log_id().is_some() {
            let reason = format!(
                "there is no log in it, and the folder {} belongs to one: is it the right cluster, and the right prefix?",
                folder.path().display()
            );
            return Err(self.connection.cannot(reason));
        }
        let mut fingerprints = Vec::new();
        for name in SECRETS {
            let file = folder.path().join(name);
            self.draw_secret(&file)?;
            fingerprints.push(((*name).to_owned(), fingerprint(&file, &*read_secret(&file)?)));
        }
        let (oldest, current) = self.epochs_given(folder)?;
        let events = (oldest..=current).map(|epoch| {
            let file = epoch_file(folder.path(), epoch);
            let key = read_secret(&file)?;
            epochs::begun(epoch, &file, &key).map_err(|trouble| self.failed(&trouble))
        });
        let events = events.collect::<Result<Vec<_>, OpenError>>()?;
        let identity = Identity {
            format: FORMAT,
            log: id.unwrap_or_else(random),
            kinds: kinds(),
            secrets: fingerprints,
        };
        let first = Proposed::of(random(), CREATED, &identity).map_err(|trouble| self.failed(&trouble))?;
        // The epochs stand there before the log does: whoever finds the log finds them.
        let written = self.connection.append_surely(&self.names.epochs(), Expected::Events(0), &events).await;
        refused_only_if_there(written).map_err(|trouble| self.failed(&trouble))?;
        let written =
            self.connection.append_surely(&self.names.identity(), Expected::Events(0), &[first]).await;
        refused_only_if_there(written).map_err(|trouble| self.failed(&trouble))?;
        let found = self.read_identity().await?;
        found.ok_or_else(|| self.connection.cannot("the log was begun and is not there".to_owned()))
    }

    /// The epochs whose keys are given for a log that is begun now: those of the log that it is a copy of, or one.
    fn epochs_given(&self, folder: &Joining) -> Result<(u32, u32), OpenError> {
        if let Some(from) = self.secrets {
            for (_, file) in crate::epochs::files(from)? {
                self.copy_secret(&folder.path().join(file.file_name().unwrap_or_default()))?;
            }
        }
        let given = crate::epochs::files(folder.path())?;
        if let (Some((oldest, _)), Some((current, _))) = (given.first(), given.last()) {
            return Ok((*oldest, *current));
        }
        self.draw_secret(&epoch_file(folder.path(), 1))?;
        Ok((1, 1))
    }

    /// Draws a secret for a log that is begun now: where all nodes look for it, so that of several that begin at once
    /// all take the same one.
    fn draw_secret(&self, file: &Path) -> Result<(), OpenError> {
        if let Some(secrets) = self.secrets {
            draw_once(&secrets.join(file.file_name().unwrap_or_default()))?;
        }
        self.copy_secret(file)?;
        draw_if_missing(file)
    }

    fn copy_secret(&self, to: &Path) -> Result<(), OpenError> {
        let from = self.secrets.map(|secrets| secrets.join(to.file_name().unwrap_or_default()));
        match from.filter(|from| from.is_file()) {
            Some(from) if !exists(to)? => write_durably(to, &read_secret(&from)?[..]),
            _ => Ok(()),
        }
    }

    fn take_secrets(&self, folder: &Path, identity: &Identity) -> Result<(), OpenError> {
        for (name, known) in &identity.secrets {
            let file = folder.join(name);
            self.copy_secret(&file)?;
            if !exists(&file)? {
                return Err(self.lacking(folder, name));
            }
            if fingerprint(&file, &*read_secret(&file)?) != *known {
                let reason =
                    format!("{} is not the one of this log: copy it from another node", file.display());
                return Err(self.connection.cannot(reason));
            }
        }
        Ok(())
    }

    async fn take_epoch_keys(&self, folder: &Path) -> Result<(u32, u32), OpenError> {
        let (oldest, current, known) = read_epochs(&self.read(&self.names.epochs()).await?);
        for (epoch, known) in known {
            let file = epoch_file(folder, epoch);
            self.copy_secret(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if !exists(&file)? {
                return Err(self.lacking(folder, &name));
            }
            if fingerprint(&file, &*read_secret(&file)?) != known {
                let reason =
                    format!("{} is not the one of this log: copy it from another node", file.display());
                return Err(self.connection.cannot(reason));
            }
        }
        Ok((oldest, current))
    }

    /// Takes over every secret of the log into a folder, and checks that they are those of the log.
    pub(super) async fn take_all(&self, folder: &Path) -> Result<(u32, u32), OpenError> {
        if let Some(identity) = self.read_identity().await? {
            self.take_secrets(folder, &identity)?;
        }
        self.take_epoch_keys(folder).await
    }

    fn lacking(&self, folder: &Path, name: &str) -> OpenError {
        self.connection.cannot(format!(
            "the log has secrets that this node does not have: copy {name} from another node into {}, or say with \
             --secrets in which folder they lie",
            folder.display()
        ))
    }

    /// Says which kinds this program knows, so that an older one does not pass over them in silence.
    async fn add_kinds(&self, identity: &Identity) -> Result<(), OpenError> {
        let events = self.read(&self.names.identity()).await?;
        let read =
            |event: &Raw| serde_json::from_slice::<Kinds>(&event.data).map(|it| it.kinds).unwrap_or_default();
        let known: Vec<String> = events.iter().flat_map(read).chain(identity.kinds.iter().cloned()).collect();
        if kinds().iter().all(|kind| known.contains(kind)) {
            return Ok(());
        }
        let event = Proposed::of(random(), EXTENDED, &Kinds { kinds: kinds() });
        let event = event.map_err(|trouble| self.failed(&trouble))?;
        let written = self.connection.append_surely(&self.names.identity(), Expected::Any, &[event]).await;
        written.map(|_| ()).map_err(|trouble| self.failed(&trouble))
    }
}

fn refused_only_if_there<T>(written: Result<T, Trouble>) -> Result<(), Trouble> {
    match written {
        Ok(_) | Err(Trouble::Revision(_)) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

fn kinds() -> Vec<String> {
    Kind::ALL.iter().map(|kind| kind.word().to_owned()).collect()
}
