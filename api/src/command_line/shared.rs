//! What every subcommand understands: the folder, the name, where the log is kept.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use store::{Cluster, Place};

use crate::client::Client;

/// What every subcommand understands.
#[derive(Args)]
pub(super) struct Shared {
    /// The folder that holds the log, the keys and the views.
    #[arg(long, global = true, value_name = "DIR", default_value = "./rapport-data", env = "RAPPORT_DATA")]
    pub(super) data: PathBuf,
    /// In whose name: recorded with every event [default: the system user].
    #[arg(long = "as", id = "as", global = true, value_name = "NAME", env = "RAPPORT_AS")]
    acting_as: Option<String>,
    /// Where the log is kept.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "embedded",
        env = "RAPPORT_STORE",
        hide_env_values = true,
        help = "Where the log is kept: `embedded`, in the folder, or the address of a KurrentDB cluster, as its client \
                takes it: esdb://HOST:2113, kurrentdb://HOST1,HOST2,HOST3?tlsCaFile=ca.pem, esdb+discover://NAME"
    )]
    store: String,
    /// A file that holds USER:PASSWORD for the cluster; `RAPPORT_STORE_CREDENTIALS` may hold the same itself.
    #[arg(long, global = true, value_name = "FILE", env = "RAPPORT_STORE_CREDENTIALS_FILE")]
    store_credentials: Option<PathBuf>,
    /// How the names of all streams begin, where several logs lie in one cluster.
    #[arg(
        long,
        global = true,
        value_name = "TEXT",
        default_value = "",
        env = "RAPPORT_STORE_PREFIX",
        hide_default_value = true
    )]
    store_prefix: String,
    /// Where the secrets lie that all nodes of a cluster share, for those that the folder does not hold.
    #[arg(long, global = true, value_name = "DIR", env = "RAPPORT_SECRETS")]
    pub(super) secrets: Option<PathBuf>,
    /// What the process says about itself, for example `info` or `api=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "RAPPORT_LOG")]
    pub(super) log: Option<String>,
    /// Say it as JSON, one object a line.
    #[arg(long, global = true)]
    pub(super) log_json: bool,
}

impl Shared {
    /// In whose name.
    pub(super) fn name(&self) -> String {
        let from_system = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        let name = self.acting_as.clone().or_else(from_system).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| "operator".to_owned())
    }

    /// Where the log is kept.
    pub(super) fn place(&self) -> anyhow::Result<Place> {
        if self.store == "embedded" {
            return Ok(Place::Folder);
        }
        Ok(Place::Cluster { cluster: self.cluster(&self.store)?, secrets: self.secrets.clone() })
    }

    /// The cluster at an address, with the name and the password that were given for it.
    pub(super) fn cluster(&self, address: &str) -> anyhow::Result<Cluster> {
        let cluster: Cluster = address.parse().context("--store")?;
        let cluster = cluster.with_prefix(&self.store_prefix)?;
        let credentials = match &self.store_credentials {
            Some(file) => {
                let read = std::fs::read_to_string(file);
                Some(read.with_context(|| format!("{} cannot be read", file.display()))?)
            }
            None => std::env::var("RAPPORT_STORE_CREDENTIALS").ok().filter(|text| !text.is_empty()),
        };
        match credentials {
            Some(credentials) => Ok(cluster.with_credentials(&credentials)?),
            None => Ok(cluster),
        }
    }

    /// The way into a folder that there is.
    pub(super) async fn open_existing(&self) -> anyhow::Result<Client> {
        Client::open_existing(&self.data, &self.name(), &self.place()?).await
    }

    /// The way into a folder, which is begun where there is none.
    pub(super) async fn open(&self, folder: &Path) -> anyhow::Result<Client> {
        Client::open(folder, &self.name(), &self.place()?).await
    }
}
