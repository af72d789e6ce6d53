//! `rapport check`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::Args;
use http_body_util::BodyExt as _;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Shared, log_bar, say};
use crate::door::{self, Door};

/// Fold views anew and compare them row by row; exit status 1 where anything differs.
#[derive(Args)]
#[command(after_help = "Example, for a nightly job:\n  rapport check || notify-somebody")]
pub(super) struct Check {
    /// Names of views; all where none is given.
    names: Vec<String>,
}

impl Check {
    pub(super) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let last = upkeep(shared, "/upkeep/check", "checking", &json!({ "views": self.names })).await?;
        for view in last["rows"].as_array().into_iter().flatten() {
            say(&report(view))?;
        }
        Ok(if last["sound"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn report(view: &Value) -> String {
    let name = view["view"].as_str().unwrap_or_default();
    let mut text = String::new();
    for difference in view["differences"].as_array().into_iter().flatten() {
        let part = |name: &str| difference[name].as_str().unwrap_or_default();
        text += &format!("{name}: table {}, row {}: {}\n", part("table"), part("row"), part("what"));
    }
    if let Some(stopped) = view["stopped"].as_str() {
        text += &format!("{name}: {stopped}\n");
    }
    if text.is_empty() {
        text =
            format!("{name}: as the log says, {} rows through position {}\n", view["rows"], view["position"]);
    }
    text
}

/// Sends for long work and shows a bar until its last line, which it gives.
pub(super) async fn upkeep(
    shared: &Shared,
    path: &str,
    what: &'static str,
    body: &Value,
) -> anyhow::Result<Value> {
    let door = super::view::open(shared).await?;
    upkeep_at(&door, path, log_bar(what), body).await
}

/// Sends for long work through an open door.
pub(super) async fn upkeep_at(
    door: &Door,
    path: &str,
    bar: ProgressBar,
    body: &Value,
) -> anyhow::Result<Value> {
    let response =
        door.send(Method::POST, path, "application/x-ndjson", body.to_string().into_bytes()).await?;
    let (parts, mut body) = response.into_parts();
    if !parts.status.is_success() {
        bail!(door::problem(parts.status, &body.collect().await?.to_bytes()));
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
