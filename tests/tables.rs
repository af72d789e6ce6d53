//! Tables are the same whatever stands in them: a column for every member that a row can have, on every page.

use std::collections::BTreeSet;

use domain::Kind;
use serde_json::json;

use crate::harness::{Ask, System, id, printed};

/// More than one page, and most of the first page without a name.
const DONORS: u64 = 1_101;

/// What a donor is called, where anything is known.
fn name(donor: u64) -> Option<String> {
    (donor > 1_000 || donor.is_multiple_of(10)).then(|| format!("Donor {donor}"))
}

fn lines(donor: u64) -> [String; 2] {
    let (contact, gift) = (id(Kind::Contact, donor), id(Kind::Gift, donor));
    let mut register = json!({ "form": "person" });
    if let Some(name) = name(donor) {
        register["name"] = json!(name);
    }
    let receive = json!({ "donor": contact, "amount": { "minor": 700, "currency": "USD" } });
    [
        json!({ "kind": "contact", "id": contact, "register": register }).to_string(),
        json!({ "kind": "gift", "id": gift, "receive": receive }).to_string(),
    ]
}

#[test]
fn a_table_of_several_pages_has_one_header_and_every_cell_under_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let system = System::open(folder.path()).await;
        let batch: Vec<String> = (1..=DONORS).flat_map(lines).collect();
        system.ask(Ask::new("POST", "/commands", batch.join("\n"))).await.good();
        system.close().await;
    });
    let expected: BTreeSet<String> = (1..=DONORS)
        .map(|donor| {
            format!("{},{},1,7.00 USD,,7.00 USD", id(Kind::Contact, donor), name(donor).unwrap_or_default())
        })
        .collect();
    let table = printed(folder.path(), &["view", "giving", "by=donor", "--csv"]);
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("group,name,gifts,received,refunded,net"));
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), expected);

    let expected: BTreeSet<String> = (1..=DONORS)
        .map(|donor| format!("{},person,{},,,,", id(Kind::Contact, donor), name(donor).unwrap_or_default()))
        .collect();
    let table = printed(folder.path(), &["view", "contacts", "--csv"]);
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("id,form,name,erased,emails,tags,parts"));
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_rows_has_the_columns_of_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    for (question, header) in [
        ("pipeline", "group,deals,value,open,won,lost,won_value,win_rate,cycle_days"),
        (
            "pipeline?show=deals",
            "deal,stage,outcome,value,owner,team,region,product,contact,person,opened_at,closed_at",
        ),
        ("leads", "group,captured,open,won,lost,conversion_rate,days_to_conversion"),
        ("giving?show=lybunt&year=2024", "donor,name,last_gave,amount"),
        ("giving", "group,name,gifts,received,refunded,net"),
    ] {
        let ask = Ask::get(format!("/views/{question}")).header("accept", "text/csv");
        assert_eq!(system.ask(ask).await.good().text(), format!("{header}\r\n"), "{question}");
    }
}
