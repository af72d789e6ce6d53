//! The process ends when it is told to, whatever clients do and however few cores there are, and commands without a server
//! end in good order.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use domain::Kind;
use serde_json::json;

use crate::harness::{Ask, Client, Served, TEST_TIMEOUT, id, printed, program};

/// A server ends within this time, whoever is connected.
const END: Duration = Duration::from_secs(10);

/// A connection on which this was sent, and nothing will be read.
fn stalled(served: &Served, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    stream
}

/// Gifts that are worth reading.
fn gifts(client: &mut Client, count: u64) {
    let lines: Vec<String> = (0..count)
        .map(|number| {
            let gift = json!({ "kind": "gift", "id": id(Kind::Gift, number), "key": number.to_string(),
                "receive": { "amount": { "minor": 100, "currency": "EUR" }, "campaign": "a long name ".repeat(16) } });
            gift.to_string()
        })
        .collect();
    for lines in lines.chunks(1_000) {
        let batch =
            Ask::new("POST", "/commands", lines.join("\n")).header("content-type", "application/x-ndjson");
        client.ask(&batch).unwrap().good();
    }
}

fn ends(mut served: Served, folder: &Path) {
    // What was sent on the connections has arrived.
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    served.terminate();
    let status = served.ended_within(TEST_TIMEOUT).unwrap_or_else(|| panic!("it goes on after SIGTERM"));
    assert!(begun.elapsed() <= END, "it took {:?} to end", begun.elapsed());
    assert!(status.success(), "{status}");
    assert!(!folder.join("rapport.sock").exists());
    assert!(printed(folder, &["check"]).contains("as the log says"));
}

#[test]
fn it_ends_while_a_client_has_sent_half_a_head_or_half_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(folder.path());
    let _half_a_head = stalled(&served, "GET /views HTTP/1.1\r\nhost: local");
    let head = format!(
        "POST /commands HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: \
         application/x-ndjson\r\ncontent-length: 1000\r\n\r\n{{",
        token.trim()
    );
    let _half_a_body = stalled(&served, &head);
    ends(served, folder.path());
}

#[test]
fn it_ends_while_nobody_reads_what_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(folder.path());
    gifts(&mut Client::connect(served.address, token.trim()).unwrap(), 20_000);
    let get = |accept: &str| {
        format!(
            "GET /events?from=0 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\naccept: {accept}\r\n\r\n",
            token.trim()
        )
    };
    let _feed = stalled(&served, &get("text/event-stream"));
    ends(served, folder.path());
}

#[test]
fn it_ends_on_one_core() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start_on_one_core(folder.path());
    gifts(&mut Client::connect(served.address, token.trim()).unwrap(), 1_000);
    let _half_a_head = stalled(&served, "GET /views HTTP/1.1\r\nhost: local");
    ends(served, folder.path());
}

#[test]
fn told_twice_it_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(folder.path());
    let _half_a_head = stalled(&served, "GET /views HTTP/1.1\r\nhost: local");
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    served.terminate();
    std::thread::sleep(Duration::from_millis(300));
    served.terminate();
    let status = served.ended_within(TEST_TIMEOUT).expect("it goes on after two signals");
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?} to end", begun.elapsed());
    assert_eq!(status.code(), Some(130));
}

#[test]
fn commands_without_a_server_end_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let backups = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let to = backups.path().join(round.to_string());
        let to = to.to_str().unwrap();
        let commands: [&[&str]; 6] = [
            &["backup", to],
            &["keys", "rotate"],
            &["view", "giving"],
            &["rebuild", "giving"],
            &["check"],
            &["verify"],
        ];
        for arguments in commands {
            let output = program(folder.path(), arguments).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !errors.contains("panicked"), "{arguments:?}: {errors}");
        }
    }
}

#[test]
fn nobody_who_does_not_read_what_the_process_says_keeps_it_from_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    // A pipe that nobody reads, and one whose reader has gone away.
    for reads in [true, false] {
        let mut served = Served::start_saying(folder.path(), "trace");
        let errors = served.errors();
        let kept = if reads {
            Some(errors)
        } else {
            drop(errors);
            None
        };
        let mut client = Client::connect(served.address, token.trim()).unwrap();
        for number in 0..200 {
            let number = number + if reads { 0 } else { 200 };
            let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" } } });
            client.ask(&Ask::command(Kind::Gift, id(Kind::Gift, number), &gift)).unwrap().good();
        }
        served.terminate();
        let status = served.ended_within(TEST_TIMEOUT).unwrap_or_else(|| panic!("it goes on after SIGTERM"));
        assert!(status.success(), "{status}");
        drop(kept);
    }
}

#[test]
fn a_disk_full_of_what_it_says_keeps_it_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let mut child = program(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
        .env("RAPPORT_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .spawn()
        .unwrap();
    let mut said = [0; 256];
    let length = child.stdout.as_mut().unwrap().read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    let address = said.split("http://").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let mut client = Client::connect(address, token.trim()).unwrap();
    gifts(&mut client, 100);
    client.ask(&Ask::get("/health/ready")).unwrap().good();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
}
