//! The official client, made anew when it has given up.

use std::sync::{PoisonError, RwLock};

use eventstore::{Client, ClientSettings};
use tokio::runtime::Handle;

use crate::{cluster::Cluster, kurrent::wire::trouble::Trouble, open_error::OpenError};

/// A client that is made anew when it has given up.
pub(crate) struct Renewable {
    address: String,
    current: RwLock<(u64, Client)>,
}

impl Renewable {
    pub(crate) fn new(address: String, runtime: &Handle, cluster: &Cluster) -> Result<Self, OpenError> {
        let cannot = |reason: String| OpenError::Cluster { cluster: cluster.to_string(), reason };
        let client = connect(&address, runtime).map_err(cannot)?;
        Ok(Self { address, current: RwLock::new((0, client)) })
    }

    /// The client, and which one it is by number.
    pub(crate) fn client(&self) -> (u64, Client) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        (current.0, current.1.clone())
    }

    /// A client that found no node any more never looks again, and one whose node is gone asks it over and over.
    pub(crate) fn renew_if_lost(&self, trouble: &Trouble, generation: u64, runtime: &Handle) {
        if matches!(trouble, Trouble::NotDone(_) | Trouble::Unknown(_)) {
            self.renew(generation, runtime);
        }
    }

    /// Makes the client anew, unless somebody else has since it was taken.
    pub(crate) fn renew(&self, generation: u64, runtime: &Handle) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 == generation {
            match connect(&self.address, runtime) {
                Ok(client) => *current = (generation + 1, client),
                Err(reason) => tracing::error!(reason, "the client of the cluster cannot be made anew"),
            }
        }
    }
}

/// The address holds no secret here, so that what is wrong with it may be said.
fn connect(address: &str, runtime: &Handle) -> Result<Client, String> {
    let settings = address.parse::<ClientSettings>().map_err(|error| error.message().to_owned())?;
    Client::with_runtime_handle(runtime.clone(), settings).map_err(|error| error.to_string())
}

/// The client takes it for granted that a file of certificates can be read.
pub(crate) fn check_authorities(cluster: &Cluster) -> Result<(), OpenError> {
    let Some(file) = cluster.authorities() else { return Ok(()) };
    let unusable = |reason: &str| OpenError::Cluster {
        cluster: cluster.to_string(),
        reason: format!("the file of certificates {} {reason}", file.display()),
    };
    let text =
        std::fs::read_to_string(file).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    let is_whole = text.matches("-----BEGIN CERTIFICATE-----").count();
    if is_whole == 0 || is_whole != text.matches("-----END CERTIFICATE-----").count() {
        return Err(unusable("holds no whole certificate in PEM"));
    }
    for body in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let body: String = body.split("-----END").next().unwrap_or_default().split_whitespace().collect();
        if BASE64_STANDARD.decode(body).is_err() {
            return Err(unusable("holds a certificate that is not base64"));
        }
    }
    Ok(())
}
