//! `rapport serve`.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Args;
use store::Options;
use tokio_util::sync::CancellationToken;

use crate::{
    application::Rapport,
    command_line::{
        shared::Shared,
        terminal::{log_bar, say},
    },
    server::{Server, connections_max},
};

/// The status of a process that was told twice to end and did not wait for what was under way.
const AT_ONCE: i32 = 130;

/// Serve HTTP until interrupted.
#[derive(Args)]
pub(crate) struct Serve {
    /// The address to listen on. Put a proxy with TLS in front before you listen on more than this machine.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4700", env = "RAPPORT_LISTEN")]
    listen: SocketAddr,
    /// Record although the clock is behind what was recorded last, because that was recorded by a wrong clock: new events
    /// are dated like it.
    #[arg(long)]
    accept_clock: bool,
}

impl Serve {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        connections_max()?;
        let options = Options { accept_clock: self.accept_clock, ..Options::default() };
        let rapport = Rapport::open_with(&shared.data, &shared.place()?, options).await?;
        serve(rapport, self.listen, |address| {
            say(&format!(
                "Rapport listens on http://{address} (API: http://{address}/docs). Stop it with Ctrl-C.\n"
            ))
        })
        .await
    }
}

/// Serves until interrupted; `ready` is told the address when questions can be asked.
pub(super) async fn serve(
    rapport: Arc<Rapport>,
    listen: SocketAddr,
    ready: impl FnOnce(SocketAddr) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let server = Server::bind(Arc::clone(&rapport), listen).await?;
    let address = server.address()?;
    let ending = CancellationToken::new();
    let mut serving = tokio::spawn(server.run(ending.clone()));
    let settling = async {
        settle(&rapport).await;
        // It serves whether or not anybody reads that it does.
        let _ = ready(address);
        std::future::pending::<()>().await;
    };
    // It may be asked to end while it still reads the log.
    tokio::select! {
        () = settling => {}
        served = &mut serving => {
            served??;
            return Ok(ExitCode::SUCCESS);
        }
        interrupted = interrupted() => interrupted?,
    }
    ending.cancel();
    tokio::select! {
        served = serving => {
            served??;
            Ok(ExitCode::SUCCESS)
        }
        interrupted = interrupted() => {
            interrupted?;
            std::process::exit(AT_ONCE);
        }
    }
}

/// Waits until every view has seen the whole log, with a bar.
pub(super) async fn settle(rapport: &Rapport) {
    let following = log_bar("reading the log");
    rapport.log.catch_up(&mut |events| following.set_position(events)).await;
    following.finish_and_clear();
    let head = rapport.views.head();
    let bar = log_bar("building views");
    bar.set_length(head.0);
    rapport.views.settle(head, |position| bar.set_position(position.0)).await;
    bar.finish_and_clear();
}

/// Waits for Ctrl-C or a polite kill.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
