//! The first event of a log in a cluster says what log it is, and by which its secrets are known again. Whoever opens
//! the log checks both, so that no node writes into the log of somebody else, or seals with a key that no other has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::Kind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    folder::{
        names::{LEDGER_KEY_FILE, SECRET_FILE, epoch_key_file},
        private_files::{exists, read_secret, write_durably},
    },
    kurrent::{
        keys::{epoch_notice::read_epochs, fingerprint::fingerprint, shared_secrets::draw_once},
        kinds::{Kinds, refuse_newer},
        names::Names,
        wire::{
            connection::Connection,
            events::{Expected, Proposed, Raw, random},
            trouble::Trouble,
        },
    },
    open_error::OpenError,
    sealing::epochs::files as epoch_files,
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
pub(crate) struct Identity {
    format: u32,
    pub(crate) log: Uuid,
    kinds: Vec<String>,
    /// File and fingerprint of each secret.
    secrets: Vec<(String, String)>,
    /// Number and fingerprint of each epoch that there was when the log was begun here.
    epochs: Vec<(u32, String)>,
}

/// How the log in the cluster is to be opened.
pub(crate) struct Opening<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) names: &'a Names,
    pub(crate) secrets: Option<&'a Path>,
}

/// What was found in the cluster, or made there.
pub(crate) struct Found {
    pub(crate) log: Uuid,
    /// The oldest epoch that has not ended, and the current one.
    pub(crate) epochs: (u32, u32),
}

impl Opening<'_> {
    /// Finds the log, or begins it where the cluster has none, under an id where one is given. Afterwards the folder
    /// holds the secrets of the log. `belongs_to` is the log that the folder belongs to already.
    pub(crate) async fn open(
        &self,
        folder: &Path,
        belongs_to: Option<Uuid>,
        id: Option<Uuid>,
    ) -> Result<Found, OpenError> {
        let identity = match self.read_identity().await? {
            Some(identity) => identity,
            None if belongs_to.is_some() && id.is_none() => {
                return Err(self.connection.cannot(format!(
                    "there is no log in it, and the folder {} belongs to one: is it the right cluster, and the right \
                     prefix?",
                    folder.display()
                )));
            }
            None => self.create(folder, id).await?,
        };
        if let Some(expected) = belongs_to.or(id).filter(|expected| *expected != identity.log) {
            return Err(self.connection.cannot(format!(
                "it holds the log {}, and the folder {} belongs to the log {expected}",
                identity.log,
                folder.display()
            )));
        }
        let epochs = self.take_all(folder, &identity).await?;
        self.add_kinds(&identity).await?;
        Ok(Found { log: identity.log, epochs })
    }

    /// What the log is; `None` where the cluster has none.
    pub(crate) async fn read_identity(&self) -> Result<Option<Identity>, OpenError> {
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

    /// Begins the log. Where two nodes do so at once, one append decides which of them has, and the other finds what it
    /// has begun and keeps nothing that it has drawn itself.
    async fn create(&self, folder: &Path, id: Option<Uuid>) -> Result<Identity, OpenError> {
        let (mut secrets, mut drawn) = (Vec::new(), Vec::new());
        for name in SECRETS {
            secrets.push(((*name).to_owned(), self.draw(folder, name, &mut drawn)?));
        }
        let mut epochs = Vec::new();
        for epoch in self.epochs_given(folder)? {
            let file = epoch_key_file(folder, epoch);
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            epochs.push((epoch, self.draw(folder, &name, &mut drawn)?));
        }
        let identity =
            Identity { format: FORMAT, log: id.unwrap_or_else(random), kinds: kinds(), secrets, epochs };
        let first = Proposed::of(random(), CREATED, &identity).map_err(|trouble| self.failed(&trouble))?;
        let written =
            self.connection.append_surely(&self.names.identity(), Expected::Events(0), &[first]).await;
        match written {
            Ok(_) | Err(Trouble::Revision(_)) => {}
            Err(trouble) => return Err(self.failed(&trouble)),
        }
        let found = self.read_identity().await?;
        let found =
            found.ok_or_else(|| self.connection.cannot("the log was begun and is not there".to_owned()))?;
        if found.log != identity.log {
            for file in drawn {
                fs::remove_file(&file).map_err(OpenError::io(&file))?;
            }
        }
        Ok(found)
    }

    /// The epochs whose keys are given for a log that is begun now: those of the log that it is a copy of, or one.
    fn epochs_given(&self, folder: &Path) -> Result<Vec<u32>, OpenError> {
        for given in [Some(folder), self.secrets].into_iter().flatten() {
            let epochs: Vec<u32> = epoch_files(given)?.into_iter().map(|(epoch, _)| epoch).collect();
            if !epochs.is_empty() {
                return Ok(epochs);
            }
        }
        Ok(vec![1])
    }

    /// A secret for a log that is begun now, by its fingerprint: the one that there is, or a new one, drawn where all
    /// nodes look for it, so that of several that begin at once all take the same one.
    fn draw(&self, folder: &Path, name: &str, drawn: &mut Vec<PathBuf>) -> Result<String, OpenError> {
        let file = folder.join(name);
        if !exists(&file)? {
            if let Some(secrets) = self.secrets {
                let shared = secrets.join(name);
                draw_once(&shared)?;
                write_durably(&file, &read_secret(&shared)?[..])?;
            } else {
                draw_once(&file)?;
            }
            drawn.push(file.clone());
        }
        Ok(fingerprint(&file, &*read_secret(&file)?))
    }

    /// The oldest epoch that has not ended, the current one, and by which the keys of all of them are known.
    pub(crate) async fn epochs(
        &self,
        identity: &Identity,
    ) -> Result<(u32, u32, Vec<(u32, String)>), OpenError> {
        Ok(read_epochs(&identity.epochs, &self.read(&self.names.epochs()).await?))
    }

    /// Takes over every secret of the log into a folder, and checks that they are those of the log.
    pub(crate) async fn take_all(&self, folder: &Path, identity: &Identity) -> Result<(u32, u32), OpenError> {
        for (name, known) in &identity.secrets {
            self.take(folder, name, known)?;
        }
        let (oldest, current, known) = self.epochs(identity).await?;
        for (epoch, known) in known {
            let file = epoch_key_file(folder, epoch);
            self.take(folder, &file.file_name().unwrap_or_default().to_string_lossy(), &known)?;
        }
        Ok((oldest, current))
    }

    /// Sees to it that a folder holds a secret of the log; another one is not even copied.
    fn take(&self, folder: &Path, name: &str, known: &str) -> Result<(), OpenError> {
        let file = folder.join(name);
        let of_another = |file: &Path| {
            let reason = format!("{} is not the one of this log: copy it from another node", file.display());
            self.connection.cannot(reason)
        };
        if !exists(&file)? {
            let shared = self.secrets.map(|secrets| secrets.join(name)).filter(|shared| shared.is_file());
            let shared = shared.ok_or_else(|| self.lacking(folder, name))?;
            let secret = read_secret(&shared)?;
            if fingerprint(&shared, &secret) != known {
                return Err(of_another(&shared));
            }
            write_durably(&file, &secret[..])?;
        }
        if fingerprint(&file, &*read_secret(&file)?) == known { Ok(()) } else { Err(of_another(&file)) }
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

fn kinds() -> Vec<String> {
    Kind::ALL.iter().map(|kind| kind.word().to_owned()).collect()
}
