//! How long questions take over HTTP, and what serving them takes in memory and at the start.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use domain::Kind;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    client::Client,
    load::{Ends, id, name, scattered},
    report::{Report, millis, percentile},
    server::Served,
};

/// A question; where it names one of many things, another at every turn.
struct Typical {
    view: &'static str,
    what: &'static str,
    query: fn(&Ends, u64) -> String,
    /// At most so many milliseconds, where there is an aim.
    limit: Option<f64>,
}

const fn typical(view: &'static str, what: &'static str, query: fn(&Ends, u64) -> String) -> Typical {
    Typical { view, what, query, limit: None }
}

const fn limited(view: &'static str, what: &'static str, query: fn(&Ends, u64) -> String) -> Typical {
    Typical { view, what, query, limit: Some(50.0) }
}

/// Asked of every view that there is.
const PLAIN: Typical = typical("", "asked plainly", |_, _| String::new());

const TYPICAL: &[Typical] = &[
    typical("pipeline", "by=region", |_, _| "by=region".into()),
    typical("pipeline", "by=product, closed=2024", |_, _| "by=product&closed=2024".into()),
    typical("pipeline", "show=deals", |_, _| "show=deals".into()),
    limited("engagement", "everything", |_, _| String::new()),
    limited("engagement", "by=program", |_, _| "by=program".into()),
    limited("engagement", "by=program, one quarter", |_, turn| {
        format!("by=program&period={}-Q{}", 2022 + turn % 4, 1 + turn % 3)
    }),
    limited("engagement", "by=month", |_, _| "by=month".into()),
    limited("engagement", "by=cohort, one year", |_, turn| format!("by=cohort&period={}", 2022 + turn % 4)),
    limited("engagement", "one program, any days", |_, turn| {
        let program = id(Kind::Program, turn % 24);
        format!("program={program}&from=2022-0{}-11&to=2025-0{}-17", 1 + turn % 9, 1 + turn % 7)
    }),
    limited("engagement", "by=type, any days", |_, turn| {
        format!("by=type&from=2022-0{}-11&to=2025-0{}-17", 1 + turn % 9, 1 + turn % 7)
    }),
    typical("giving", "by=year", |_, _| "by=year".into()),
    typical("giving", "by=fund, one year", |_, turn| format!("by=fund&received={}", 2022 + turn % 4)),
    typical("giving", "show=retention", |_, turn| format!("show=retention&year={}", 2023 + turn % 3)),
    typical("giving", "show=lybunt", |_, turn| format!("show=lybunt&year={}", 2023 + turn % 3)),
    typical("giving", "show=rollups", |_, _| "show=rollups".into()),
    limited("history", "a contact with 1,000 events", |_, _| {
        format!("contact={}&limit=1000", id(Kind::Contact, 0))
    }),
    typical("history", "some contact", |ends, turn| {
        format!("contact={}", id(Kind::Contact, scattered(7, turn) % ends.contacts))
    }),
    typical("history", "a gathering", |ends, turn| format!("stream=gathering/{}", ends.late_gathering(turn))),
    typical("contacts", "by name", |ends, turn| {
        format!("name={}", name(scattered(8, turn) % ends.contacts).replace(' ', "+"))
    }),
    typical("contacts", "by the beginning of a name", |_, turn| {
        format!(
            "name={}",
            ["an", "Cur", "noeth", "ben+ab", "pla"][usize::try_from(turn % 5).unwrap_or_default()]
        )
    }),
    typical("contacts", "by email", |ends, turn| {
        format!("email=student{}@example.edu", scattered(9, turn) % ends.contacts / 2 * 2)
    }),
    typical("contacts", "one card", |ends, turn| {
        format!("id={}", id(Kind::Contact, scattered(10, turn) % ends.contacts))
    }),
];

/// What is asked of journeys, which are no view: whole paths.
const JOURNEY: &str = "journey";
const JOURNEYS: &[Typical] = &[
    limited(JOURNEY, "a contact with 1,000 events, with what each changed", |_, _| {
        format!("/history/contact/{}?limit=1000", id(Kind::Contact, 0))
    }),
    typical(JOURNEY, "some contact, with what each event changed", |ends, turn| {
        format!("/history/contact/{}", id(Kind::Contact, scattered(7, turn) % ends.contacts))
    }),
    typical(JOURNEY, "two moments of a contact with 1,000 events compared", |_, _| {
        format!("/history/contact/{}/compare?from=2023-01-01&to=2024-01-01", id(Kind::Contact, 0))
    }),
    typical(JOURNEY, "the things behind a cell of the pipeline", |_, _| {
        "/views/pipeline/why?by=region".into()
    }),
];

/// The median of every question that was answered, in milliseconds.
pub fn measure(
    report: &mut Report,
    runtime: &Runtime,
    folder: &Path,
    ends: &Ends,
    is_large: bool,
    quick: bool,
) -> Vec<(String, f64)> {
    let mut served = Served::start(folder, true);
    report.heading("Questions over HTTP, one after the other, while nothing else is done");
    report.figure(&format!("{:.2} s", served.start_up), "start-up, views current, files in the page cache");
    if is_large {
        report.limit("start-up, views current", 1.0, served.start_up, "s");
    }
    let times = if quick { 20 } else { 50 };
    let asked = runtime.block_on(async {
        let mut client = Client::connect(served.address, &served.token).await;
        let (_, listed) = client.get("/views").await;
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        let names = listed["views"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap());
        let mut asked = Vec::new();
        let of_view = |view| {
            let known = TYPICAL.iter().filter(move |typical| typical.view == view);
            [&PLAIN].into_iter().chain(known).map(move |typical| (view, typical))
        };
        let journeys = JOURNEYS.iter().map(|typical| (JOURNEY, typical));
        for (view, typical) in names.flat_map(of_view).chain(journeys) {
            let Some((what, p50, p99)) = ask(report, &mut client, view, typical, ends, times).await else {
                continue;
            };
            if let Some(limit) = typical.limit.filter(|_| is_large) {
                report.limit(&format!("{what}, p99"), limit, p99, "ms");
            }
            asked.push((what, p50));
        }
        asked
    });
    let state = served.state();
    let figure = format!("{:.0} MiB", state.memory);
    report.figure(&figure, &format!("resident memory after these questions, at most {:.0} MiB", state.peak));
    if is_large {
        report.limit("resident memory after questions", 1024.0, state.peak, "MiB");
    }
    served.end();
    asked
}

/// Asks many times: what, and its median and 99th percentile in milliseconds; nothing where the view does not
/// answer such a question.
async fn ask(
    report: &mut Report,
    client: &mut Client,
    view: &str,
    typical: &Typical,
    ends: &Ends,
    times: u64,
) -> Option<(String, f64, f64)> {
    let what = format!("{view}: {}", typical.what);
    let (mut took, mut bytes) = (Vec::<Duration>::new(), 0);
    for turn in 0..times {
        let query = (typical.query)(ends, turn);
        let path = if view == JOURNEY { query } else { format!("/views/{view}?{query}") };
        let begun = Instant::now();
        let (status, body) = client.get(&path).await;
        took.push(begun.elapsed());
        if !status.is_success() {
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            report.figure(status.as_str(), &format!("{what}: {}", problem["detail"]));
            return None;
        }
        bytes = body.len();
    }
    let first = millis(took[0]);
    let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
    let figure = format!("{p50:.1} / {p99:.1} ms");
    report.figure(&figure, &format!("{what}: p50 / p99 of {times}; the first {first:.1} ms, {bytes} bytes"));
    Some((what, p50, p99))
}
