//! Long work on the server (rebuilding, checking, copying), with a bar that follows it.

use anyhow::{Context as _, bail};
use axum::http::Method;
use http_body_util::BodyExt as _;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{asking::open, shared::Shared, terminal::log_bar};
use crate::client::{self, Client};

/// Sends for long work and shows a bar until its last line, which it gives.
pub(super) async fn carry_out(
    shared: &Shared,
    path: &str,
    what: &'static str,
    body: &Value,
) -> anyhow::Result<Value> {
    let client = open(shared).await?;
    carry_out_with(&client, path, log_bar(what), body).await
}

/// The same through a client that is open already, with a bar of its own.
pub(super) async fn carry_out_with(
    client: &Client,
    path: &str,
    bar: ProgressBar,
    body: &Value,
) -> anyhow::Result<Value> {
    let response =
        client.send(Method::POST, path, "application/x-ndjson", body.to_string().into_bytes()).await?;
    let (parts, mut body) = response.into_parts();
    if !parts.status.is_success() {
        bail!(client::problem(parts.status, &body.collect().await?.to_bytes()));
    }
    let (mut text, mut last) = (Vec::new(), Value::Null);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            text.extend_from_slice(&data);
        }
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            last = serde_json::from_slice(&line)?;
            bar.set_length(last["head"].as_u64().unwrap_or_default());
            bar.set_position(last["position"].as_u64().unwrap_or_default());
        }
    }
    bar.finish_and_clear();
    if let Some(problem) = last["problem"]["detail"].as_str() {
        bail!("{problem}");
    }
    last["done"].as_bool().context("the server ended before the work was done")?;
    Ok(last)
}
