//! Where the log lies when it outgrows one machine: the address of a KurrentDB cluster, as its client takes it, and how
//! to come in. What is secret in it is shown by nothing: not by an error, a log line or `Debug`.

use std::{borrow::Cow, fmt, path::Path, str::FromStr};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// How an address may begin.
const SCHEMES: &[&str] = &["esdb", "kurrentdb", "kurrent", "kdb"];
/// The longest prefix of the names of streams.
const PREFIX_LIMIT: usize = 100;

/// The address of a cluster, and with what name and password to come in.
#[derive(Clone)]
pub struct Cluster {
    /// The address without a name and a password.
    address: String,
    credentials: Option<(String, Zeroizing<String>)>,
    prefix: String,
}

/// Why a text is no address of a cluster. It repeats nothing of the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is something else.
    #[error(
        "it is no address of a cluster: write esdb://HOST:2113, kurrentdb://HOST1,HOST2,HOST3 or esdb+discover://NAME"
    )]
    NoAddress,
    /// The name or the password cannot be read.
    #[error("the credentials cannot be read: they are written USER:PASSWORD")]
    Credentials,
    /// The prefix cannot begin the name of a stream.
    #[error("a prefix of streams has at most {PREFIX_LIMIT} letters, digits, `-`, `_` and `.`")]
    Prefix,
}

impl Cluster {
    /// Comes in with a name and a password, written `USER:PASSWORD`, instead of those in the address.
    pub fn with_credentials(mut self, text: &str) -> Result<Self, AddressError> {
        let (user, password) =
            text.trim_end_matches(['\r', '\n']).split_once(':').ok_or(AddressError::Credentials)?;
        if user.is_empty() || text.chars().any(|sign| sign.is_control() && !matches!(sign, '\r' | '\n')) {
            return Err(AddressError::Credentials);
        }
        self.credentials = Some((user.to_owned(), Zeroizing::new(password.to_owned())));
        Ok(self)
    }

    /// The names of all streams begin with this: several logs may lie in one cluster.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, AddressError> {
        let fits = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if prefix.len() > PREFIX_LIMIT || !prefix.chars().all(fits) {
            return Err(AddressError::Prefix);
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// Whether a text is meant as the address of a cluster, and not as a folder.
    pub fn is_meant_by(text: &str) -> bool {
        scheme(text).is_some()
    }

    /// The certificates that the address names, if any: those of whoever signs for the nodes.
    pub fn authorities(&self) -> Option<&Path> {
        let named = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("tlsCAFile");
        self.parameters().find(named).map(|(_, file)| Path::new(file))
    }

    /// What the address says after its hosts.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.address.split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// The address as it was given, without a name and a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The name and the password to come in with, for whoever connects and for nobody to be shown.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// What the names of all streams begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let known = scheme.strip_suffix("+discover").unwrap_or(scheme);
    SCHEMES.contains(&known).then_some(scheme)
}

impl FromStr for Cluster {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let scheme = scheme(text).ok_or(AddressError::NoAddress)?;
        let rest = &text[scheme.len() + 3..];
        let (authority, parameters) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        if hosts.is_empty() {
            return Err(AddressError::NoAddress);
        }
        let address = format!("{scheme}://{hosts}{parameters}");
        let cluster = Self { address, credentials: None, prefix: String::new() };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned);
        match user {
            None => Ok(cluster),
            Some(user) => cluster.with_credentials(&decoded(user).map_err(|_| AddressError::Credentials)?),
        }
    }
}

impl fmt::Display for Cluster {
    /// The hosts only: parameters may name files of this machine.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.address.find('?').unwrap_or(self.address.len());
        formatter.write_str(&self.address[..end])
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_its_secret_is_never_shown() {
        let cluster: Cluster =
            "esdb+discover://ann:p%40ss%3Aword@one:1113,two?tlsCaFile=/ca.pem&tls=true".parse().unwrap();
        assert_eq!(
            format!("{cluster} {cluster:?}"),
            "esdb+discover://one:1113,two esdb+discover://one:1113,two"
        );
        let (user, password) = cluster.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("ann", "p@ss:word"));
        assert_eq!(cluster.authorities(), Some(Path::new("/ca.pem")));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in ["", "embedded", "http://one", "esdb://", "esdb://ann:secret@", "./folder"] {
            let error = text.parse::<Cluster>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let cluster: Cluster = "kurrentdb://one".parse().unwrap();
        for credentials in ["nobody", ":secret", "ann:se\u{7}cret"] {
            assert!(cluster.clone().with_credentials(credentials).is_err());
        }
        for prefix in ["$system", "a b", "a/b"] {
            assert!(cluster.clone().with_prefix(prefix).is_err());
        }
    }
}
