//! `rapport demo`.

use std::{fs, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use axum::http::{Method, StatusCode};
use clap::Args;
use domain::Role;
use intake::{Campus, Demo as Generated};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use super::serve;
use crate::{
    application::Rapport,
    client::Client,
    command_line::{
        shared::Shared,
        terminal::{bar, say},
    },
    http::Granted,
};

/// How many commands are sent at a time.
const LINES_PER_BATCH: usize = 4_000;
/// How many batches are told ahead.
const BATCHES_AHEAD: usize = 2;
/// In whose name the campus is told; the same at every start, so that nothing is told twice.
const NAME: &str = "demo";
/// The file that says which campus a folder holds.
const MARK: &str = "demo.json";

/// Generate a campus organisation with four years of history and serve it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport demo
  rapport demo --students 88000 --data ./campus     the founding story: three million events")]
pub(crate) struct Demo {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4700", env = "RAPPORT_LISTEN")]
    listen: SocketAddr,
    /// How many students.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    students: u32,
    /// Another seed is another campus.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Which campus a folder holds, and whether it has been told to its end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    students: u32,
    seed: u64,
    told: bool,
}

impl Demo {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let client = Client::open(&shared.data, NAME, &shared.place()?).await?;
        let rapport = client
            .inside()
            .context("a server is running in this folder already: stop it, or give another --data")?;
        let mark = rapport.folder.path().join(MARK);
        match read(&mark)? {
            None if rapport.views.head().0 > 0 => bail!(
                "the folder {} holds other data: give --data DIR with an empty or a new folder",
                shared.data.display()
            ),
            Some(Mark { students, seed, .. }) if (students, seed) != (self.students, self.seed) => bail!(
                "the folder {} holds a campus of {students} students and seed {seed}: give another --data, or these numbers",
                shared.data.display()
            ),
            Some(Mark { told: true, .. }) => {}
            None | Some(Mark { told: false, .. }) => self.tell(&client, &mark).await?,
        }
        let listen = self.listen;
        let tokens = grant(&client).await?;
        client.hand_over();
        let data = shared.data.display().to_string();
        serve::serve(Arc::clone(&rapport), listen, move |address| welcome(&rapport, address, &data, &tokens))
            .await
    }

    /// Tells the campus through the same commands as everybody else's. Interrupted, it is told again from the
    /// beginning, and what is recorded already is not recorded twice.
    async fn tell(&self, client: &Client, mark: &Path) -> anyhow::Result<()> {
        let (students, seed) = (self.students, self.seed);
        write(mark, &Mark { students, seed, told: false })?;
        let generated = Generated::new(Campus::new(students, seed));
        let bar = bar(
            generated.total_lines_estimate(),
            "telling the campus {bar:30} {human_pos} commands  {per_sec}  {eta}",
        );
        let (batches, mut received) = mpsc::channel::<String>(BATCHES_AHEAD);
        let telling = tokio::task::spawn_blocking(move || {
            let mut lines = generated.fuse().peekable();
            while lines.peek().is_some() {
                let mut batch = String::new();
                for line in lines.by_ref().take(LINES_PER_BATCH) {
                    batch.push_str(&line);
                    batch.push('\n');
                }
                if batches.blocking_send(batch).is_err() {
                    return;
                }
            }
        });
        let mut refused = 0;
        while let Some(batch) = received.recv().await {
            let answers =
                client.fetch(Method::POST, "/commands", "application/x-ndjson", batch.into_bytes()).await?;
            for answer in answers.text.lines() {
                let answer: Outcome = serde_json::from_str(answer)?;
                match answer.status {
                    200 => {}
                    // Only when it is told a second time, more than a day later.
                    422 => refused += 1,
                    status => bail!("the campus could not be told: status {status}"),
                }
                bar.inc(1);
            }
        }
        telling.await?;
        bar.finish_and_clear();
        client.fetch(Method::POST, "/admin/checkpoint", "text/plain", Vec::new()).await?;
        if refused > 0 {
            tracing::info!(refused, "commands were refused, because what they ask for has happened already");
        }
        write(mark, &Mark { students, seed, told: true })
    }
}

/// What is read of the outcome of one line.
#[derive(Deserialize)]
struct Outcome {
    status: u16,
}

fn read(mark: &Path) -> anyhow::Result<Option<Mark>> {
    match fs::read(mark) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("demo.json cannot be read")?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write(path: &Path, mark: &Mark) -> anyhow::Result<()> {
    Ok(machine::files::write(path, &serde_json::to_vec(mark)?)?)
}

/// A token for every role. Secrets are not kept, so every start grants new ones.
async fn grant(client: &Client) -> anyhow::Result<Vec<(Role, String)>> {
    let mut granted = Vec::new();
    for role in Role::ALL {
        let name = format!("demo-{role}");
        let old =
            client.send(Method::DELETE, &format!("/tokens/{name}"), "application/json", Vec::new()).await?;
        if !old.status().is_success() && old.status() != StatusCode::NOT_FOUND {
            bail!("the token of {name} could not be replaced: {}", old.status());
        }
        let body = json!({ "name": name, "role": role }).to_string().into_bytes();
        let answer = client.fetch(Method::POST, "/tokens", "application/json", body).await?;
        let answer: Granted = serde_json::from_str(&answer.text)?;
        granted.push((role, answer.token));
    }
    Ok(granted)
}

fn welcome(
    rapport: &Rapport,
    address: SocketAddr,
    data: &str,
    tokens: &[(Role, String)],
) -> anyhow::Result<()> {
    let mut text = format!(
        "\nA campus organisation with {} events of history is served.\n\n  API and its description   http://{address}/docs\n\n",
        rapport.views.head()
    );
    for (role, token) in tokens {
        text += &format!("  {:<12} {token}\n", role.name());
    }
    text += &format!(
        "\nTry, in a second terminal (the data is in {data}):\n\n\
         \x20 rapport --data {data} view engagement by=program\n\
         \x20 rapport --data {data} view pipeline --as-of 2023-06-30\n\
         \x20 curl -H \"Authorization: Bearer {}\" http://{address}/views/giving\n\nStop it with Ctrl-C.\n",
        tokens.iter().find(|(role, _)| *role == Role::Auditor).map_or("TOKEN", |(_, token)| token.as_str())
    );
    say(&text)
}
