//! Tokens: who may come in through HTTP. Only their hashes are kept; a token itself is shown once.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use chrono::{DateTime, Utc};
use domain::{EventStore, ReadError, Role};
use sha2::{Digest as _, Sha256};
use store::{Document, Log};
use tokio::sync::watch;

use super::{recorded_tokens, token::Token};

/// How many tokens there may be, living and revoked.
const LIMIT: usize = 10_000;
/// How often a change is made anew because another node has made one at the same time.
const TRIES: usize = 8;
/// How many bytes all of them may have where several nodes share them: less than one event of a cluster.
const SHARED_LIMIT: usize = 900 << 10;

/// Why a token was not granted or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is taken.
    #[error("`{0}` has a token already: revoke it first")]
    Taken(String),
    /// There is no such token.
    #[error("`{0}` has no token")]
    Unknown(String),
    /// A name that cannot be a name.
    #[error("a name has 1 to 100 characters, without control characters")]
    BadName,
    /// Another node keeps changing them, or the others cannot be told.
    #[error("the tokens cannot be shared with the other nodes: {0}")]
    Shared(String),
    /// There are too many.
    #[error("there are as many tokens as there may be: no more can be granted")]
    TooMany,
    /// The file could not be read or written.
    #[error("the tokens cannot be kept: {0}")]
    Io(#[from] io::Error),
    /// What the log says of them cannot be read.
    #[error("what the log says of tokens cannot be read: {0}")]
    Log(#[from] ReadError),
    /// They cannot be written as JSON.
    #[error("the tokens cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// All tokens, in memory, in a file, and where there are several nodes in a document that they share.
pub struct Tokens {
    file: PathBuf,
    log: Arc<dyn Log>,
    shared: Option<watch::Receiver<Option<Document>>>,
    known: RwLock<Known>,
    /// Held while they are changed.
    changing: tokio::sync::Mutex<()>,
}

/// The tokens as this node knows them.
#[derive(Default)]
struct Known {
    all: Vec<Token>,
    living: HashMap<[u8; 32], Token>,
    lent: Vec<Token>,
    /// The version of the document that they were read from.
    revision: u64,
}

impl Known {
    fn new(all: Vec<Token>, revision: u64, lent: Vec<Token>) -> Self {
        let living = all.iter().filter(|token| token.revoked_at.is_none()).chain(&lent);
        let living = living.filter_map(|token| Some((hash_in(&token.hash)?, token.clone()))).collect();
        Self { all, living, lent, revision }
    }
}

impl Tokens {
    /// Reads the tokens. Where the file is lost it is written again from the log; what the log does not say is refused.
    /// Nodes of a cluster have them from the document that they share.
    pub async fn open(file: &Path, log: Arc<dyn Log>) -> Result<Self, TokenError> {
        let (kept, is_shared) = (read(file)?, log.document().is_some());
        let all = match kept {
            Some(all) if is_shared => all,
            None if is_shared => Vec::new(),
            Some(all) => refuse_unrecorded(&*log, all, file).await?,
            None => {
                let all = recorded_tokens::all(&*log).await?;
                machine::files::write(file, serde_json::to_vec_pretty(&all)?)?;
                all
            }
        };
        let (shared, known) = (log.document(), RwLock::new(Known::new(all, 0, Vec::new())));
        Ok(Self { file: file.to_owned(), log, shared, known, changing: tokio::sync::Mutex::default() })
    }

    /// What is known, with what other nodes have changed since.
    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.take_over();
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_over(&self) {
        let Some(shared) = &self.shared else { return };
        let shared = shared.borrow();
        let Some(document) = shared.as_ref() else { return };
        if self.known.read().unwrap_or_else(PoisonError::into_inner).revision >= document.revision {
            return;
        }
        match serde_json::from_str(&document.text) {
            Ok(all) => {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                if known.revision < document.revision {
                    *known = Known::new(all, document.revision, std::mem::take(&mut known.lent));
                }
            }
            Err(error) => tracing::error!(%error, "the tokens that another node has written cannot be read"),
        }
    }

    /// The bearer of a secret. Looked up by hash, so that the time it takes says nothing about any token.
    pub fn find(&self, secret: &str) -> Option<Token> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        self.known().living.get(&hash).cloned()
    }

    /// Every token, the oldest first.
    pub fn all(&self) -> Vec<Token> {
        self.known().all.clone()
    }

    /// Grants a token that was drawn, once it is recorded with its hash.
    pub(super) async fn grant(
        &self,
        name: &str,
        role: Role,
        hash: &str,
        at: DateTime<Utc>,
    ) -> Result<(), TokenError> {
        self.change(|all| {
            may_be_granted(all, name)?;
            let (name, hash) = (name.to_owned(), hash.to_owned());
            all.push(Token { name, role, granted_at: at, revoked_at: None, hash });
            Ok(())
        })
        .await
    }

    /// Lets somebody in for as long as this process lives, without a word to anybody else: for tests.
    #[doc(hidden)]
    pub fn lend(&self, name: &str, role: Role) -> String {
        let Drawn { secret, hash } = Drawn::new();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let token =
            Token { name: name.to_owned(), role, granted_at: DateTime::UNIX_EPOCH, revoked_at: None, hash };
        known.lent.push(token);
        *known = Known::new(std::mem::take(&mut known.all), known.revision, std::mem::take(&mut known.lent));
        secret
    }

    /// Whether a token of this name could be granted now.
    pub fn check(&self, name: &str) -> Result<(), TokenError> {
        may_be_granted(&self.known().all, name)
    }

    /// Whether a token of this name is living.
    pub fn is_living(&self, name: &str) -> bool {
        self.known().living.values().any(|token| token.name == name)
    }

    /// Revokes a token; whoever bears it is out from this moment.
    pub async fn revoke(&self, name: &str, at: DateTime<Utc>) -> Result<(), TokenError> {
        self.change(|all| {
            let living = all.iter_mut().find(|token| token.name == name && token.revoked_at.is_none());
            living.ok_or_else(|| TokenError::Unknown(name.to_owned()))?.revoked_at = Some(at);
            Ok(())
        })
        .await
    }

    /// Changes the tokens, everywhere before anything changes in memory here. Where another node was faster the change
    /// is made anew on what that one has written.
    async fn change(
        &self,
        change: impl Fn(&mut Vec<Token>) -> Result<(), TokenError>,
    ) -> Result<(), TokenError> {
        let _alone = self.changing.lock().await;
        for _ in 0..TRIES {
            let (mut all, revision) = {
                let known = self.known();
                (known.all.clone(), known.revision)
            };
            change(&mut all)?;
            if self.shared.is_some() {
                fit(&mut all)?;
            }
            let is_written = self.log.write_document(revision, &serde_json::to_string(&all)?).await;
            if !is_written.map_err(|error| TokenError::Shared(error.to_string()))? {
                continue;
            }
            machine::files::write(&self.file, &serde_json::to_vec_pretty(&all)?)?;
            let revision = if self.shared.is_some() { revision + 1 } else { 0 };
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            // Another node may have changed them once more, and this one may have seen that already.
            if known.revision <= revision {
                *known = Known::new(all, revision, std::mem::take(&mut known.lent));
            }
            return Ok(());
        }
        Err(TokenError::Shared("others keep changing them; try again".to_owned()))
    }
}

/// A token that nobody has yet: its secret, which is shown once, and its hash.
pub(super) struct Drawn {
    pub(super) secret: String,
    pub(super) hash: String,
}

impl Drawn {
    pub(super) fn new() -> Self {
        let secret = format!("rapport_{}", hex::encode(rand::random::<[u8; 32]>()));
        let hash = hex::encode(Sha256::digest(&secret));
        Self { secret, hash }
    }
}

/// The tokens of a file; none where there is no file or what is in it is no list of tokens.
fn read(file: &Path) -> io::Result<Option<Vec<Token>>> {
    match fs::read(file) {
        Ok(bytes) => {
            let all = serde_json::from_slice(&bytes);
            if all.is_err() {
                let file = file.display().to_string();
                tracing::warn!(
                    file,
                    "the file of the tokens holds no list of tokens: it is written again from the log"
                );
            }
            Ok(all.ok())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes out what somebody has put into the file: tokens that the log does not tell of, or that it says are revoked.
async fn refuse_unrecorded(
    store: &dyn EventStore,
    all: Vec<Token>,
    file: &Path,
) -> Result<Vec<Token>, TokenError> {
    let (count, mut kept) = (all.len(), Vec::with_capacity(all.len()));
    for token in all {
        if token.revoked_at.is_some() || recorded_tokens::lives(store, &token).await? {
            kept.push(token);
        }
    }
    if kept.len() < count {
        let (refused, file_name) = (count - kept.len(), file.display().to_string());
        tracing::error!(
            file = file_name,
            refused,
            "the file of the tokens holds tokens that were never granted, or revoked since: they let nobody in"
        );
        machine::files::write(file, serde_json::to_vec_pretty(&kept)?)?;
    }
    Ok(kept)
}

fn may_be_granted(all: &[Token], name: &str) -> Result<(), TokenError> {
    if name.trim() != name || name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control)
    {
        return Err(TokenError::BadName);
    }
    if all.iter().any(|token| token.name == name && token.revoked_at.is_none()) {
        return Err(TokenError::Taken(name.to_owned()));
    }
    if all.len() >= LIMIT { Err(TokenError::TooMany) } else { Ok(()) }
}

/// Lets go of those that were revoked first, where all together are more than nodes can share.
fn fit(all: &mut Vec<Token>) -> Result<(), TokenError> {
    let mut excess = serde_json::to_vec(all)?.len().saturating_sub(SHARED_LIMIT);
    let mut sizes = Vec::with_capacity(all.len());
    for token in all.iter() {
        sizes.push(serde_json::to_vec(token)?.len());
    }
    let mut size = sizes.into_iter();
    all.retain(|token| {
        let size = size.next().unwrap_or_default();
        let stays = excess == 0 || token.revoked_at.is_none();
        if !stays {
            excess = excess.saturating_sub(size);
        }
        stays
    });
    if excess == 0 { Ok(()) } else { Err(TokenError::TooMany) }
}

/// The bytes of a hash.
fn hash_in(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_read_as_a_hash() {
        assert_eq!(hash_in(&hex::encode([7; 32])), Some([7; 32]));
        for text in ["+f", "0x", "-1", " 1", "g0", "é"] {
            assert_eq!(hash_in(&text.repeat(32)), None, "{text}");
        }
        assert_eq!(hash_in("0f"), None);
    }

    #[test]
    fn where_too_many_are_shared_those_revoked_first_are_let_go() {
        let token = |number: usize, revoked_at| Token {
            name: format!("{number:0>90}"),
            role: Role::Auditor,
            granted_at: DateTime::UNIX_EPOCH,
            revoked_at,
            hash: "0".repeat(64),
        };
        let mut all: Vec<Token> = (0..4_000).map(|number| token(number, None)).collect();
        all.splice(0..0, (0..500).map(|number| token(number, Some(DateTime::UNIX_EPOCH))));
        let revoked = |all: &[Token]| all.iter().filter(|token| token.revoked_at.is_some()).count();
        while serde_json::to_vec(&all).unwrap().len() <= SHARED_LIMIT {
            all.push(token(all.len(), None));
        }
        let living = all.len() - revoked(&all);
        fit(&mut all).unwrap();
        assert!(serde_json::to_vec(&all).unwrap().len() <= SHARED_LIMIT);
        assert_eq!(all.len() - revoked(&all), living, "whoever may come in still may");
        assert_eq!(all[0].name, format!("{:0>90}", 500 - revoked(&all)), "the oldest go first");
        all.retain(|token| token.revoked_at.is_none());
        all.extend((0..500).map(|number| token(10_000 + number, None)));
        assert!(matches!(fit(&mut all), Err(TokenError::TooMany)));
    }
}
