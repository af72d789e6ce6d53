//! Asking views and histories through a client, from the command line.

use anyhow::{Context as _, bail};
use axum::http::Method;
use domain::StreamId;
use projections::Projection;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{shared::Shared, terminal::log_bar};
use crate::client::Client;

/// A client for which every view has seen all that is recorded.
pub(super) async fn open(shared: &Shared) -> anyhow::Result<Client> {
    let client = shared.open_existing().await?;
    let bar = log_bar("building views");
    client
        .settle(|position, head| {
            bar.set_length(head);
            bar.set_position(position);
        })
        .await;
    bar.finish_and_clear();
    Ok(client)
}

/// Asks a view by its name and gives the answer as JSON; the parameters travel in the body, since they may be personal.
pub(super) async fn ask(client: &Client, view: &str, pairs: &[(String, String)]) -> anyhow::Result<String> {
    let body = serde_html_form::to_string(pairs)?;
    let answer = client.fetch(Method::POST, &view_path(view)?, "application/json", body.into_bytes()).await?;
    Ok(answer.text)
}

/// Asks a view whose answers are there whatever is asked.
pub(super) async fn ask_list<P: Projection>(
    client: &Client,
    pairs: &[(String, String)],
) -> anyhow::Result<P::View> {
    let answer = client.ask::<P>(pairs).await?;
    answer.with_context(|| format!("the server has no view `{}`", P::NAME))
}

/// JSON as people read it.
pub(super) fn pretty(json: &str) -> anyhow::Result<String> {
    let value: Value = serde_json::from_str(json)?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

/// The path of a view.
pub(super) fn view_path(view: &str) -> anyhow::Result<String> {
    if view.is_empty()
        || !view.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        bail!("`{view}` is no name of a view: `rapport views` lists them");
    }
    Ok(format!("/views/{view}"))
}

/// The path of what is asked of one thing.
pub(super) fn history_path(stream: StreamId, what: &str) -> String {
    format!("/history/{}/{}{what}", stream.kind, stream.id)
}

/// Asks for something by a query.
pub(super) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    pairs: &[(String, String)],
) -> anyhow::Result<T> {
    let path = format!("{path}?{}", serde_html_form::to_string(pairs)?);
    let answer = client.fetch(Method::GET, &path, "application/json", Vec::new()).await?;
    Ok(serde_json::from_str(&answer.text)?)
}
