//! Tokens: who may come in through HTTP. Only their hashes are kept; a token itself is shown once.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use chrono::{DateTime, Utc};
use domain::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Document, Log};
use tokio::sync::watch;

/// How many tokens there may be, living and revoked.
const LIMIT: usize = 10_000;
/// How often a change is made anew because another node has made one at the same time.
const TRIES: usize = 8;
/// How many bytes all of them may have where several nodes share them: less than one event of a cluster.
const SHARED_LIMIT: usize = 900 << 10;

/// A token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose it is: the name under which their events are recorded.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was granted.
    pub granted_at: DateTime<Utc>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token, hexadecimal. A token is 256 random bits, so that a plain hash is enough.
    hash: String,
}

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
    /// The file is not ours.
    #[error("the file of the tokens cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
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
    /// The version of the document that they were read from.
    revision: u64,
}

impl Known {
    fn new(all: Vec<Token>, revision: u64) -> Self {
        let living = all.iter().filter(|token| token.revoked_at.is_none());
        let living = living.filter_map(|token| Some((hash_in(&token.hash)?, token.clone()))).collect();
        Self { all, living, revision }
    }
}

impl Tokens {
    /// Reads the tokens; none where there is no file.
    pub fn open(file: &Path, log: Arc<dyn Log>) -> Result<Self, TokenError> {
        let all: Vec<Token> = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let (shared, known) = (log.document(), RwLock::new(Known::new(all, 0)));
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
                    *known = Known::new(all, document.revision);
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

    /// Grants a token and gives its secret, which is not kept.
    pub async fn grant(&self, name: &str, role: Role, at: DateTime<Utc>) -> Result<String, TokenError> {
        let secret = format!("rapport_{}", hex::encode(rand::random::<[u8; 32]>()));
        let hash = hex::encode(Sha256::digest(&secret));
        self.change(|all| {
            may_be_granted(all, name)?;
            let name = name.to_owned();
            all.push(Token { name, role, granted_at: at, revoked_at: None, hash: hash.clone() });
            Ok(())
        })
        .await?;
        Ok(secret)
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
                *known = Known::new(all, revision);
            }
            return Ok(());
        }
        Err(TokenError::Shared("others keep changing them; try again".to_owned()))
    }
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
