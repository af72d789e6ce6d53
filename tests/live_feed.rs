//! The live feed: whoever follows the log misses nothing and sees nothing twice, and no open feed keeps the
//! server from ending.

use std::{io, path::Path, time::Duration};

use domain::Kind;
use serde_json::{Value, json};

use crate::harness::{Ask, Client, Served, id, printed};

/// An open feed.
struct Feed {
    client: Client,
    read: String,
}

impl Feed {
    fn open(served: &Served, token: &str, path: &str, last: Option<u64>) -> Self {
        let mut client = Client::connect(served.address, token).unwrap();
        let mut ask = Ask::get(path).header("accept", "text/event-stream");
        if let Some(last) = last {
            ask = ask.header("last-event-id", last.to_string());
        }
        let head = client.begin(&ask).unwrap();
        assert_eq!((head.status, head.headers["content-type"].as_str()), (200, "text/event-stream"));
        Self { client, read: String::new() }
    }

    /// The next event: its id, its name and what it says; none at the end.
    fn next(&mut self) -> io::Result<Option<(u64, String, Value)>> {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                // What is no event keeps the connection open.
                let (Some(id), Some(name), Some(data)) = (field("id"), field("event"), field("data")) else {
                    continue;
                };
                return Ok(Some((id.parse().unwrap(), name, serde_json::from_str(&data).unwrap())));
            }
            let chunk = self.client.chunk()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    fn positions(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next().unwrap().unwrap().0).collect()
    }
}

fn serve(folder: &Path) -> (Served, String, Client) {
    let token = printed(folder, &["token", "create", "ann", "--role", "staff"]).trim().to_owned();
    let served = Served::start(folder);
    let writer = Client::connect(served.address, &token).unwrap();
    (served, token, writer)
}

fn tag(writer: &mut Client, tag: &str) -> u64 {
    let ask = Ask::command(Kind::Contact, id(Kind::Contact, 1), &json!({ "tag": { "tag": tag } }));
    writer.ask(&ask).unwrap().good().position()
}

fn begin(writer: &mut Client) -> u64 {
    let register = json!({ "register": { "form": "person", "name": "Zoë" } });
    writer.ask(&Ask::command(Kind::Contact, id(Kind::Contact, 1), &register)).unwrap().good().position()
}

#[test]
fn a_feed_tells_the_past_and_then_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let (served, token, mut writer) = serve(folder.path());
    let first = begin(&mut writer);
    let mut feed = Feed::open(&served, &token, "/events?from=0&kind=contact", None);
    let (position, name, event) = feed.next().unwrap().unwrap();
    assert_eq!((position, name.as_str()), (first, "rapport.contact.registered.v1"));
    assert_eq!((&event["specversion"], &event["data"]["name"]), (&json!("1.0"), &json!("Zoë")));
    for number in 0..20 {
        let position = tag(&mut writer, &number.to_string());
        let (told, name, event) = feed.next().unwrap().unwrap();
        assert_eq!((told, name.as_str()), (position, "rapport.contact.tagged.v1"));
        assert_eq!(event["data"]["tag"], number.to_string());
    }
}

#[test]
fn a_feed_that_is_taken_up_again_misses_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (served, token, mut writer) = serve(folder.path());
    begin(&mut writer);
    let writing = std::thread::spawn(move || {
        (0..300).map(|number| tag(&mut writer, &(number % 150).to_string())).collect::<Vec<_>>().len()
    });
    let (mut seen, mut last) = (Vec::new(), None);
    // 150 different tags and the registration; broken off in the middle again and again.
    while seen.len() < 151 {
        let mut feed = Feed::open(&served, &token, "/events?kind=contact", last);
        let count = (151 - seen.len()).min(17);
        seen.extend(feed.positions(count));
        last = seen.last().copied();
    }
    writing.join().unwrap();
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    let mut reader = Client::connect(served.address, &token).unwrap();
    let all = reader.ask(&Ask::get("/events?kind=contact&limit=1000")).unwrap().good().json();
    let all: Vec<u64> =
        all.as_array().unwrap().iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(seen, all);
}

#[test]
fn the_server_ends_gracefully_while_a_feed_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let (mut served, token, mut writer) = serve(folder.path());
    begin(&mut writer);
    let mut feed = Feed::open(&served, &token, "/events?kind=contact", None);
    feed.positions(1);
    served.terminate();
    let status = served.ended_within(Duration::from_secs(15)).expect("it goes on after SIGTERM");
    assert!(status.success(), "{status}");
    assert!(matches!(feed.next(), Ok(None)), "the feed comes to its end");
    assert!(!folder.path().join("rapport.sock").exists());
    assert!(printed(folder.path(), &["check"]).contains("as the log says"));
}
