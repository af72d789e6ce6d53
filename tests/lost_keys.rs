//! A key that is gone is "erased" only where the log says so. Whatever else became of it is a loss: whom it concerns is named
//! when the log is proven and checked, and a server that has lost keys is not ready.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use domain::Kind;
use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Ask, Client, Served, TEST_TIMEOUT, id, printed, run};

fn register(client: &mut Client, number: u64, name: &str) {
    let register = json!({ "register": { "form": "person", "name": name } });
    client.ask(&Ask::command(Kind::Contact, id(Kind::Contact, number), &register)).unwrap().good();
}

/// A folder with three contacts of whom the second is erased, and a copy of its keys from when there was one only.
fn lived(folder: &Path, older: &Path) -> String {
    let token = printed(folder, &["token", "create", "ann", "--role", "admin"]).trim().to_owned();
    let end = |mut served: Served| {
        served.terminate();
        served.ended_within(TEST_TIMEOUT).unwrap();
    };
    let served = Served::start(folder);
    register(&mut Client::connect(served.address, &token).unwrap(), 1, "Ada Lovelace");
    end(served);
    fs::copy(folder.join("keys.sqlite"), older).unwrap();
    let served = Served::start(folder);
    let mut client = Client::connect(served.address, &token).unwrap();
    register(&mut client, 2, "Charles Babbage");
    register(&mut client, 3, "Mary Somerville");
    let erase = json!({ "erase": { "ground": "request" } });
    client.ask(&Ask::command(Kind::Contact, id(Kind::Contact, 2), &erase)).unwrap().good();
    end(served);
    token
}

/// Everything that is said of lost keys: when the log is proven, checked, served, and read.
fn told(folder: &Path, token: &str) -> String {
    let (verified, checked) = (run(folder, &["verify"]), run(folder, &["check"]));
    let mut told = format!("verify {:?}\n", verified.status.code());
    let lost = |bytes: &[u8], mark: &str| -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().filter(|line| line.starts_with(mark)).map(|line| format!("{line}\n")).collect()
    };
    told += &lost(&verified.stdout, "LOST");
    told += &format!("check {:?}\n{}", checked.status.code(), lost(&checked.stdout, "keys"));
    let served = Served::start(folder);
    let mut client = Client::connect(served.address, token).unwrap();
    let began = Instant::now();
    // It is looked up beside the start.
    while client.ask(&Ask::get("/health/ready")).unwrap().status == 200 && began.elapsed().as_secs() < 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let ready = client.ask(&Ask::get("/health/ready")).unwrap();
    told += &format!("ready {}\n", ready.status);
    for number in 1..=3 {
        let contact = id(Kind::Contact, number);
        let events = client.ask(&Ask::get("/events?limit=1000")).unwrap().json();
        let subject = format!("contact/{contact}");
        let of = events.as_array().unwrap().iter().find(|event| event["subject"] == subject).unwrap();
        let history = client.ask(&Ask::get(format!("/history/contact/{contact}"))).unwrap().json();
        told += &format!("{number}: feed {}, history {}\n", of["data"]["name"], history["name"]);
    }
    told.replace(&id(Kind::Contact, 1).to_string(), "1")
        .replace(&id(Kind::Contact, 2).to_string(), "2")
        .replace(&id(Kind::Contact, 3).to_string(), "3")
}

#[test]
fn whose_key_is_gone_without_an_erasure_is_named_and_never_called_erased() {
    let place = tempfile::tempdir().unwrap();
    let (whole, older) = (place.path().join("whole"), place.path().join("older.sqlite"));
    let token = lived(&whole, &older);
    let after = |befalls: &dyn Fn(&Path)| {
        let folder = place.path().join("tried");
        crate::start_up::copy(&whole, &folder);
        befalls(&folder.join("keys.sqlite"));
        let told = told(&folder, &token);
        fs::remove_dir_all(&folder).unwrap();
        told
    };
    let with = |sql: &str| {
        let owner = id(Kind::Contact, 3).simple().to_string();
        let sql = sql.replace("OWNER", &format!("x'{owner}'"));
        move |keys: &Path| assert_eq!(Connection::open(keys).unwrap().execute(&sql, []).unwrap(), 1)
    };
    let mut all = String::new();
    for (what, befalls) in [
        ("nothing", &(|_: &Path| ()) as &dyn Fn(&Path)),
        ("the row of a key is gone", &with("DELETE FROM keys WHERE owner = OWNER")),
        (
            "a key has a mark that it does not deserve",
            &with("UPDATE keys SET wrapped = NULL WHERE owner = OWNER"),
        ),
        ("an older file of keys", &|keys: &Path| {
            fs::copy(&older, keys).unwrap();
        }),
    ] {
        all += &format!("# {what}\n{}\n", after(befalls));
    }
    insta::assert_snapshot!(all);
}
