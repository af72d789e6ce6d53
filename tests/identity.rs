//! One person under several contacts, from outside: merges that race, answers that go where they should, and the
//! link that ends a newsletter. Each sentence is something that other systems are known to get wrong.

use domain::{Kind, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Ask, Reply, System, id, printed, send};

fn contact(number: u64) -> Uuid {
    id(Kind::Contact, number)
}

async fn registered(system: &System, count: u64) {
    for number in 0..count {
        let name = (number == 0).then_some("Ann Lee");
        let body = json!({ "register": { "form": "person", "name": name } });
        system.command(Kind::Contact, contact(number), body).await;
    }
}

async fn card(system: &System, number: u64) -> Value {
    system.view("contacts", &format!("id={}", contact(number))).await
}

/// What is asked of a contact at once.
fn merge(one: u64, into: u64) -> Ask {
    Ask::command(Kind::Contact, contact(one), &json!({ "merge": { "into": contact(into) } }))
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_that_race_never_close_a_circle() {
    const RING: u64 = 16;
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, RING).await;
    for round in 0..3 {
        let all = (0..RING).map(|one| system.ask(merge(one, (one + 1) % RING)));
        let replies: Vec<Reply> = futures::future::join_all(all).await;
        let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 200).collect();
        // All but one are merged, whoever came last.
        assert_eq!(refused.len(), 1, "round {round}");
        assert_eq!(refused[0].json()["type"], "urn:rapport:problem:contact/merged-the-other-way");
        assert_eq!(card(&system, 3).await["parts"].as_array().unwrap().len(), 16);
        for one in 0..RING {
            let body = json!({ "unmerge": { "from": contact((one + 1) % RING) } });
            system.command(Kind::Contact, contact(one), body).await;
        }
        assert_eq!(card(&system, 3).await["parts"], json!(null));
    }
    system.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_may_merge_both_ways_and_one_way_wins() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 2).await;
    let line = |one: u64, into: u64| {
        json!({ "kind": "contact", "id": contact(one), "merge": { "into": contact(into) } }).to_string()
    };
    let body = format!("{}\n{}\n", line(0, 1), line(1, 0));
    let outcomes = system.ask(Ask::new("POST", "/commands", body)).await.good().lines();
    let mut statuses: Vec<_> = outcomes.iter().map(|outcome| outcome["status"].as_u64().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    system.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_merges_on_strong_evidence_only_and_never_in_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 3).await;
    let merge = |strength: &str| {
        json!({
            "merge": { "into": contact(1), "evidence": [{ "feature": "email", "bearing": "for", "strength": strength }] },
            "source": { "name": "sheet" }
        })
    };
    let weak = system.ask(Ask::command(Kind::Contact, contact(0), &merge("weak"))).await;
    assert_eq!(weak.json()["type"], "urn:rapport:problem:contact/needs-a-person");
    system.command(Kind::Contact, contact(0), merge("strong")).await;
    let history = system.view("history", &format!("contact={}&order=newest", contact(1))).await;
    let told = &history["rows"][0];
    assert_eq!((&told["by"], &told["on_behalf_of"]), (&json!("import:sheet"), &json!("member:admin")));
    assert_eq!(
        told["what"],
        format!("contact merged into contact {}, on evidence: email for it (strong)", contact(1))
    );
    system.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_to_the_contact_that_wrote_and_not_to_the_one_it_is_merged_with() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 2).await;
    let conversation = id(Kind::Conversation, 1);
    let logged =
        json!({ "log": { "contact": contact(1), "channel": "email", "direction": "incoming", "text": "?" } });
    system.command(Kind::Conversation, conversation, logged).await;
    system.ask(merge(1, 0)).await.good();
    let answered = json!({ "reply": { "direction": "outgoing", "text": "!" } });
    system.command(Kind::Conversation, conversation, answered).await;
    let listed = system.view("conversations", &format!("contact={}", contact(0))).await;
    assert_eq!(listed["rows"][0]["contact"], json!(contact(1)));
    assert_eq!(listed["rows"][0]["person"], json!(contact(0)));
    let thread = system.view("conversations", &format!("conversation={conversation}")).await;
    assert_eq!(thread["tree"][1]["to"], json!(contact(1)));
    system.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_absorbed_record_is_told_under_the_other_and_goes_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 2).await;
    system.ask(merge(1, 0)).await.good();
    let captured = json!({ "capture": { "contact": contact(1), "source": "website" } });
    system.command(Kind::Lead, id(Kind::Lead, 1), captured).await;
    let tags = async |number: u64| {
        let told = system.view("history", &format!("contact={}", contact(number))).await;
        let rows = told["rows"].as_array().unwrap().clone();
        rows.into_iter().map(|row| row["tag"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = ["contact.registered", "contact.registered", "contact.merged", "lead.captured"];
    assert_eq!(tags(0).await, both);
    assert_eq!(tags(1).await, both);
    // As it was before the merge was recorded, nobody was merged.
    let before = format!("contact={}&known_at=2", contact(0));
    assert_eq!(system.view("history", &before).await["rows"].as_array().unwrap().len(), 1);
    system.command(Kind::Contact, contact(1), json!({ "unmerge": { "from": contact(0) } })).await;
    assert_eq!(tags(0).await, ["contact.registered", "contact.merged", "contact.unmerged"]);
    assert_eq!(tags(1).await, ["contact.registered", "contact.merged", "lead.captured", "contact.unmerged"]);
    system.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribing_by_link_leaves_a_trace_and_holds_for_the_whole_person() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 2).await;
    for number in [0, 1] {
        let given =
            json!({ "give_consent": { "purpose": "newsletter", "channel": "email", "basis": "consent" } });
        system.command(Kind::Contact, contact(number), given).await;
    }
    system.ask(merge(1, 0)).await.good();
    let asked = json!({ "contact": contact(1), "purpose": "newsletter", "channel": "email" });
    let made = system.ask_as(Role::Staff, Ask::post("/unsubscribe-links", &asked)).await.good().json();
    let path = made["path"].as_str().unwrap();

    // Looking changes nothing: programs that follow every link of a letter do only that.
    let before = system.head();
    let page = send(&system.router, &Ask::get(path)).await.unwrap().good();
    assert!(page.text().contains("newsletter (email)"), "{}", page.text());
    assert!(!page.text().contains("Ann"));
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(system.head(), before);

    let one_click = || Ask::new("POST", path, "List-Unsubscribe=One-Click");
    for _ in 0..3 {
        send(&system.router, &one_click()).await.unwrap().good();
    }
    let history = system.view("history", &format!("contact={}&order=newest", contact(0))).await;
    let told = &history["rows"][0];
    assert_eq!(told["tag"], "contact.consent_withdrawn");
    assert_eq!(told["by"], "policy:unsubscribe-link");
    assert_eq!(told["stream"], format!("contact-{}", contact(1)));
    assert_eq!(history["rows"][1]["tag"], "contact.merged");
    assert_eq!(card(&system, 0).await["consents"][0]["in_force"], false);

    // What was not signed here does nothing, and nor does a link whose contact is not there.
    let last = path.chars().last().unwrap();
    let forged = format!("{}{}", &path[..path.len() - 1], if last == 'A' { 'B' } else { 'A' });
    let head = system.head();
    for asked in ["/unsubscribe/x", forged.as_str()] {
        assert_eq!(send(&system.router, &Ask::new("POST", asked, "")).await.unwrap().status, 404);
        assert_eq!(send(&system.router, &Ask::get(asked)).await.unwrap().status, 404);
    }
    let asked = json!({ "contact": contact(9), "purpose": "newsletter", "channel": "email" });
    let nobody = system.ask(Ask::post("/unsubscribe-links", &asked)).await.good().json();
    let nobody = Ask::new("POST", nobody["path"].as_str().unwrap(), "");
    assert_eq!(send(&system.router, &nobody).await.unwrap().status, 404);
    assert_eq!(system.head(), head);
    let path = path.to_owned();
    system.close().await;

    let subject = format!("contact/{}", contact(1));
    let arguments = ["unsubscribe-link", &subject, "--purpose", "newsletter", "--channel", "email"];
    assert_eq!(printed(folder.path(), &arguments).trim(), path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggestion_is_taken_as_it_stands_by_whoever_decides() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    registered(&system, 3).await;
    for number in [0, 1] {
        let linked = json!({ "link_identity": { "platform": "email", "handle": "ann@example.org" } });
        system.command(Kind::Contact, contact(number), linked).await;
    }
    let suggested = system.view("duplicates", "").await;
    let pair = &suggested["rows"][0];
    assert_eq!(suggested["rows"].as_array().unwrap().len(), 1);
    // It stands there and nothing happens by itself.
    assert_eq!(card(&system, 0).await["parts"], json!(null));
    let one = pair["contact"].as_str().unwrap().parse().unwrap();
    let body = json!({ "merge": { "into": pair["other"], "evidence": pair["evidence"] } });
    system.command(Kind::Contact, one, body).await;
    assert_eq!(system.view("duplicates", "").await["rows"], json!([]));
    system.close().await;
}
