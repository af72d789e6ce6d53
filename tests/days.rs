//! A day is a day. What is told as a day stays that day in every zone; what is told as a moment belongs to the day that the clocks
//! of the organisation showed, in the zone that was chosen when it was recorded.

use std::time::{Duration, Instant};

use domain::{Kind, setting::SETTINGS};
use serde_json::{Value, json};

use crate::harness::{Ask, System, TEST_TIMEOUT, id};

async fn choose(system: &System, zone: &str) {
    system.command(Kind::Setting, SETTINGS, json!({ "choose_zone": { "zone": zone } })).await;
}

async fn receive(system: &System, number: u64, minor: u64, when: &str) {
    let amount = json!({ "minor": minor, "currency": "USD" });
    let body = json!({ "receive": { "amount": amount }, "occurred_at": when });
    system.command(Kind::Gift, id(Kind::Gift, number), body).await;
}

/// What came in, by month, year or day of the question.
fn received(view: &Value) -> String {
    let rows = view["rows"].as_array().unwrap().iter();
    let cells =
        rows.map(|row| format!("{}: {}", row["group"].as_str().unwrap(), row["received"][0]["minor"]));
    cells.collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gifts_are_counted_in_the_years_and_months_of_the_organisation() {
    for (zone, by_year) in [
        ("America/New_York", "2024: 7, 2025: 56"),
        ("Europe/Berlin", "2024: 3, 2025: 60"),
        ("Pacific/Auckland", "2024: 1, 2025: 30, 2026: 32"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let system = System::open(folder.path()).await;
        choose(&system, zone).await;
        // Told as a day, it is that day everywhere.
        receive(&system, 1, 1, "2024-12-31").await;
        receive(&system, 2, 2, "2024-12-31T21:00:00Z").await;
        receive(&system, 3, 4, "2024-12-31T21:00:00-05:00").await;
        receive(&system, 4, 8, "2025-01-01").await;
        receive(&system, 5, 16, "2025-12-31").await;
        receive(&system, 6, 32, "2025-12-31T20:00:00Z").await;
        assert_eq!(received(&system.view("giving", "by=year").await), by_year, "{zone}");
        let days = system.view("giving", "by=month&received=2024-12").await;
        assert!(received(&days).starts_with("2024-12: "), "{zone}: {days}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_of_a_day_shows_what_was_so_at_its_end_and_nothing_of_the_next() {
    for zone in ["Pacific/Auckland", "Pacific/Kiritimati", "UTC", "America/New_York", "Pacific/Pago_Pago"] {
        let folder = tempfile::tempdir().unwrap();
        let system = System::open(folder.path()).await;
        choose(&system, zone).await;
        for (number, day) in [(1, "2017-06-29"), (2, "2017-06-30"), (4, "2017-07-01"), (8, "2017-07-02")] {
            receive(&system, number, number, day).await;
        }
        for (day, sum) in [("2017-06-29", 1), ("2017-06-30", 3), ("2017-07-01", 7), ("2017-07-02", 15)] {
            let then = system.view("giving", &format!("by=year&as_of={day}")).await;
            assert_eq!(received(&then), format!("2017: {sum}"), "{zone} {day}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_zone_moves_nothing_that_was_counted_unless_it_is_said_to_have_held_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    receive(&system, 1, 1, "2025-01-01T02:00:00Z").await;
    receive(&system, 2, 2, "2025-01-01").await;
    let by_year = async || received(&system.view("giving", "by=year").await);
    assert_eq!(by_year().await, "2025: 3");
    choose(&system, "America/New_York").await;
    receive(&system, 3, 4, "2025-01-01T02:00:00Z").await;
    assert_eq!(by_year().await, "2024: 4, 2025: 3");
    let body = json!({ "choose_zone": { "zone": "America/New_York", "from_the_beginning": true } });
    system.command(Kind::Setting, SETTINGS, body).await;
    let began = Instant::now();
    while by_year().await != "2024: 5, 2025: 2" {
        assert!(began.elapsed() < TEST_TIMEOUT, "{}", by_year().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = Ask::post("/admin/check", &json!({}));
    let last = system.ask(asked).await.good().lines().pop().unwrap();
    assert_eq!(last["sound"], true, "{last}");
    system.close().await;
    let system = System::open(folder.path()).await;
    assert_eq!(received(&system.view("giving", "by=year").await), "2024: 5, 2025: 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_has_happened_in_the_future_and_a_mistyped_year_moves_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    receive(&system, 1, 1, "2025-01-01").await;
    let gift = |number: u64| id(Kind::Gift, number);
    let body =
        json!({ "receive": { "amount": { "minor": 2, "currency": "USD" } }, "occurred_at": "2925-01-01" });
    let refused = system.ask(Ask::command(Kind::Gift, gift(2), &body)).await;
    assert_eq!(
        (refused.status, &refused.json()["field"]),
        (400, &json!("occurred_at")),
        "{}",
        refused.text()
    );
    let line = |number: u64, day: &str| {
        json!({ "kind": "gift", "id": gift(number), "receive": { "amount": { "minor": 2, "currency": "USD" } },
                "occurred_at": day })
    };
    let batch = [line(3, "2925-01-01"), line(4, "2025-01-02"), line(5, "9999-12-31T23:59:59Z")];
    let text: String = batch.iter().map(|line| format!("{line}\n")).collect();
    let outcomes = system.ask(Ask::new("POST", "/commands", text)).await.good().lines();
    let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [400, 200, 400], "{outcomes:?}");
    assert_eq!(received(&system.view("giving", "by=year").await), "2025: 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn today_is_the_day_of_the_question_and_not_that_of_the_last_gift() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let donor = id(Kind::Contact, 1);
    system.command(Kind::Contact, donor, json!({ "register": { "form": "person" } })).await;
    for (number, day) in [(1, "2015-03-01"), (2, "2016-03-01")] {
        let receive = json!({ "amount": { "minor": 100, "currency": "USD" }, "donor": donor });
        let body = json!({ "receive": receive, "occurred_at": day });
        system.command(Kind::Gift, id(Kind::Gift, number), body).await;
    }
    let streak = async |query: &str| {
        let rollups = system.view("giving", &format!("show=rollups&donor={donor}{query}")).await;
        rollups["rows"][0]["donor_streak"].clone()
    };
    assert_eq!(streak("&as_of=2016-12-31").await, 2);
    assert_eq!(streak("&on=2017-01-01").await, 2);
    // Years have passed without a gift.
    assert_eq!(streak("").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_set_right_and_deals_and_leads_are_counted_by_days_too() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    choose(&system, "America/New_York").await;
    let gift = id(Kind::Gift, 1);
    for day in ["2025-01-01", "2024-12-31"] {
        // The bank says it again, and better.
        let amount = json!({ "minor": 1, "currency": "USD" });
        let said =
            json!({ "receive": { "amount": amount }, "occurred_at": day, "source": { "name": "bank" } });
        system.command(Kind::Gift, gift, said).await;
    }
    assert_eq!(received(&system.view("giving", "by=month").await), "2024-12: 1");

    let deal = id(Kind::Deal, 1);
    let open = json!({ "open": { "stage": "Prospecting" }, "occurred_at": "2017-07-01T03:00:00Z" });
    system.command(Kind::Deal, deal, open).await;
    system.command(Kind::Deal, deal, json!({ "convert": {}, "occurred_at": "2017-07-31" })).await;
    let months = |view: Value| -> Vec<String> {
        let rows = view["rows"].as_array().unwrap().iter();
        rows.map(|row| row["group"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(months(system.view("pipeline", "by=opened").await), ["2017-06"]);
    assert_eq!(months(system.view("pipeline", "by=closed").await), ["2017-07"]);
    let of_june = system.view("pipeline", "show=deals&opened=2017-06").await;
    assert_eq!(of_june["rows"].as_array().unwrap().len(), 1, "{of_june}");

    let history = system.view("history", &format!("stream=deal/{deal}")).await;
    assert_eq!(
        (&history["rows"][0]["day"], &history["rows"][1]["day"]),
        (&Value::Null, &json!("2017-07-31"))
    );
}
