//! A client that keeps one HTTP/1.1 connection and waits for each answer before it asks again.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    bearer: String,
}

impl Client {
    pub async fn connect(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        // Its end is noticed by whoever sends next.
        tokio::spawn(connection);
        Self { sender, host: address.to_string(), bearer: format!("Bearer {token}") }
    }

    pub async fn post(&mut self, path: &str, body: String, key: Option<&str>) -> (StatusCode, Bytes) {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request, Bytes::from(body)).await
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, Bytes) {
        self.send(Request::builder().uri(path), Bytes::new()).await
    }

    async fn send(&mut self, request: hyper::http::request::Builder, body: Bytes) -> (StatusCode, Bytes) {
        let request = request
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .unwrap();
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }
}
