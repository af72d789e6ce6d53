//! Tokens: who may come in through HTTP. Only their hashes are kept; a token itself is shown once.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use domain::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::whole_file;

/// How many tokens there may be, living and revoked.
const LIMIT: usize = 10_000;

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
    /// There are too many.
    #[error("there are {LIMIT} tokens; no more can be granted")]
    TooMany,
    /// The file could not be read or written.
    #[error("the tokens cannot be kept: {0}")]
    Io(#[from] io::Error),
    /// The file is not ours.
    #[error("the file of the tokens cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// All tokens, in memory and in a file.
pub struct Tokens {
    file: PathBuf,
    living: RwLock<HashMap<[u8; 32], Token>>,
    all: Mutex<Vec<Token>>,
}

impl Tokens {
    /// Reads the tokens; none where there is no file.
    pub fn open(file: &Path) -> Result<Self, TokenError> {
        let all: Vec<Token> = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let tokens = Self { file: file.to_owned(), living: RwLock::default(), all: Mutex::new(all.clone()) };
        tokens.index(&all);
        Ok(tokens)
    }

    fn index(&self, all: &[Token]) {
        let living = all.iter().filter(|token| token.revoked_at.is_none());
        let indexed = living.filter_map(|token| Some((from_hex(&token.hash)?, token.clone()))).collect();
        *self.living.write().unwrap_or_else(PoisonError::into_inner) = indexed;
    }

    /// The bearer of a secret. Looked up by hash, so that the time it takes says nothing about any token.
    pub fn find(&self, secret: &str) -> Option<Token> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        self.living.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()
    }

    /// Every token, the oldest first.
    pub fn all(&self) -> Vec<Token> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Grants a token and gives its secret, which is not kept.
    pub fn grant(&self, name: &str, role: Role, at: DateTime<Utc>) -> Result<String, TokenError> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        may_be_granted(&all, name)?;
        let secret = format!("rapport_{}", hex(&rand::random::<[u8; 32]>()));
        let hash = hex(&Sha256::digest(&secret));
        let mut changed = all.clone();
        changed.push(Token { name: name.to_owned(), role, granted_at: at, revoked_at: None, hash });
        self.keep(&mut all, changed)?;
        Ok(secret)
    }

    /// Whether a token of this name could be granted now.
    pub fn check(&self, name: &str) -> Result<(), TokenError> {
        may_be_granted(&self.all.lock().unwrap_or_else(PoisonError::into_inner), name)
    }

    /// Whether a token of this name is living.
    pub fn is_living(&self, name: &str) -> bool {
        self.living.read().unwrap_or_else(PoisonError::into_inner).values().any(|token| token.name == name)
    }

    /// Revokes a token; whoever bears it is out from this moment.
    pub fn revoke(&self, name: &str, at: DateTime<Utc>) -> Result<(), TokenError> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = all.clone();
        let living = changed.iter_mut().find(|token| token.name == name && token.revoked_at.is_none());
        living.ok_or_else(|| TokenError::Unknown(name.to_owned()))?.revoked_at = Some(at);
        self.keep(&mut all, changed)
    }

    /// Writes the file whole before anything changes in memory.
    fn keep(&self, all: &mut Vec<Token>, changed: Vec<Token>) -> Result<(), TokenError> {
        whole_file::write(&self.file, &serde_json::to_vec_pretty(&changed)?)?;
        self.index(&changed);
        *all = changed;
        Ok(())
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
