//! The client of the command line: through the socket of a server that is running, else into the folder itself; either way
//! by the same routes.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::{Answer, Projection};
use serde_json::Value;
use store::Place;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    application::Rapport,
    http::{self, Trust},
    server::SOCKET,
};

/// How long a folder may be in use by a process that does not answer, and how often to look again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A way in, in somebody's name.
pub struct Client {
    way: Way,
    name: String,
    headers: Vec<(&'static str, String)>,
}

enum Way {
    Socket(std::path::PathBuf),
    Inside(Inside),
}

/// A folder that this process has opened itself.
struct Inside {
    rapport: Arc<Rapport>,
    router: Router,
    /// Whether somebody else goes on with it.
    is_handed_over: bool,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !self.is_handed_over {
            self.rapport.close();
        }
    }
}

impl Client {
    /// Finds the way into a folder that there is; a mistyped path should not become a new folder.
    pub async fn open_existing(folder: &Path, name: &str, place: &Place) -> anyhow::Result<Self> {
        // What is in it, if anything, is for whoever opens it to judge.
        if folder.read_dir().map_or(true, |mut entries| entries.next().is_none()) {
            bail!(
                "there is no Rapport in the folder {}: name another with --data, or begin one with `rapport demo`, \
                 `serve`, `import` or `token create`",
                folder.display()
            );
        }
        Self::open(folder, name, place).await
    }

    /// Finds the way in; begins a new folder where there is none.
    pub async fn open(folder: &Path, name: &str, place: &Place) -> anyhow::Result<Self> {
        let socket = folder.join(SOCKET);
        let name = name.to_owned();
        let mut remaining = LOCK_TIMEOUT;
        let rapport = loop {
            if socket.exists() && UnixStream::connect(&socket).await.is_ok() {
                return Ok(Self { way: Way::Socket(socket), name, headers: Vec::new() });
            }
            match Rapport::open_at(folder, place).await {
                Ok(rapport) => break rapport,
                // A server that is starting has no socket yet, and one that is ending has none any more.
                Err(error) if is_locked(&error) && !remaining.is_zero() => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                    remaining = remaining.saturating_sub(LOCK_PAUSE);
                }
                Err(error) => return Err(error),
            }
        };
        // A node answers nothing before it has come to the end of the log.
        rapport.log.catch_up(&mut |_| ()).await;
        let router = http::router(Arc::clone(&rapport), Trust::Socket, CancellationToken::new());
        Ok(Self {
            way: Way::Inside(Inside { rapport, router, is_handed_over: false }),
            name,
            headers: Vec::new(),
        })
    }

    /// Says with every request that the answers are taken away as a file, and what for.
    #[must_use]
    pub fn exporting(mut self, purpose: &str) -> Self {
        self.headers = vec![(http::MANNER, "export".to_owned()), (http::PURPOSE, purpose.to_owned())];
        self
    }

    /// What answers, where no server stands between.
    pub fn inside(&self) -> Option<Arc<Rapport>> {
        match &self.way {
            Way::Inside(inside) => Some(Arc::clone(&inside.rapport)),
            Way::Socket(_) => None,
        }
    }

    /// Hands over to whoever goes on with what is behind: it stays open.
    pub fn hand_over(mut self) {
        if let Way::Inside(inside) = &mut self.way {
            inside.is_handed_over = true;
        }
    }

    /// Waits until every view has seen all that is recorded, telling how far they have come. A server that is
    /// running keeps up by itself.
    pub async fn settle(&self, progress: impl FnMut(u64, u64)) {
        if let Way::Inside(Inside { rapport, .. }) = &self.way {
            let (head, mut progress) = (rapport.views.head(), progress);
            rapport.views.settle(head, |position| progress(position.0, head.0)).await;
        }
    }

    /// Sends a request and gives the answer, whatever its status.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Response<Body>> {
        let request = self
            .headers
            .iter()
            .fold(Request::builder(), |request, (name, value)| request.header(*name, value));
        let request = request
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(http::AS, utf8_percent_encode(&self.name, NON_ALPHANUMERIC).to_string())
            .header(header::ACCEPT, accept)
            .body(Body::from(body))
            .context("the address or the name cannot be sent")?;
        match &self.way {
            Way::Inside(inside) => Ok(inside.router.clone().oneshot(request).await?),
            Way::Socket(path) => {
                let stream = UnixStream::connect(path).await.context("the server has gone away")?;
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Ok(sender.send_request(request).await?.map(Body::new))
            }
        }
    }

    /// Sends a request and gives the body of a good answer; a problem becomes an error.
    pub async fn fetch(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Fetched> {
        good(self.send(method, path, accept, body).await?).await
    }

    /// The answer of a view in its own type; `None` where what is asked about does not exist. The parameters travel in
    /// the body, since they may be personal.
    pub async fn ask<P: Projection>(
        &self,
        parameters: &[(String, String)],
    ) -> anyhow::Result<Option<P::View>> {
        let body = serde_html_form::to_string(parameters)?.into_bytes();
        let path = format!("/views/{}", P::NAME);
        let response = self.send(Method::POST, &path, "application/json", body).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = Answer::read::<P>(&good(response).await?.text)?;
        Ok(answer.into_view::<P>())
    }
}

/// The body of a good answer; a problem becomes an error.
async fn good(response: Response<Body>) -> anyhow::Result<Fetched> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    if parts.status.is_success() {
        let next = parts.headers.get("rapport-next").and_then(|next| next.to_str().ok()).map(str::to_owned);
        return Ok(Fetched { text: String::from_utf8(bytes.to_vec())?, next });
    }
    bail!(problem(parts.status, &bytes));
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<store::OpenError>(), Some(store::OpenError::Locked(_)))
}

/// A good answer.
pub struct Fetched {
    /// Its body.
    pub text: String,
    /// Where the next page begins, where the answer says so in a header.
    pub next: Option<String>,
}

/// A problem as one sentence for a person at a terminal.
pub fn problem(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("no reason was given");
    match problem["field"].as_str() {
        Some(field) => format!("{field}: {detail}"),
        None if problem.is_null() => format!("{status}: {detail}"),
        None => detail.to_owned(),
    }
}
