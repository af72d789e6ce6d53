//! Imports of small files: what goes in, what comes out, what is refused.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use commands::BatchLine;
use tempfile::TempDir;

use super::{Ids, Import, ImportError, Reject};
use crate::{formats::csv::RECORD_LIMIT, maps::Map};

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn open(map: &Map, folder: &Path, files: &[&str]) -> Result<Import, ImportError> {
    let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
    Import::open(map.clone(), map.name(), &files, Ids::new(&[7; 32]))
}

/// Imports files (the first is named), and shows each row: its lines without the ids' digits, or its reject.
fn shown(map: &Map, files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let mut shown = String::new();
    for row in open(map, folder.path(), &[files[0].0]).unwrap() {
        let row = row.unwrap();
        writeln!(shown, "{} {}", row.original.file(), row.original.line()).unwrap();
        match row.outcome {
            Ok(lines) => {
                for line in lines {
                    BatchLine::parse(line.json.as_bytes()).unwrap();
                    let (before, source) = line.json.split_once(",\"source\":").unwrap();
                    assert!(source.contains(&format!("\"line\":{}", row.original.line())));
                    writeln!(shown, "  {before}").unwrap();
                }
            }
            Err(Reject { column, value, reason }) => {
                writeln!(shown, "  {column:?} {value:?} {reason}").unwrap();
            }
        }
    }
    shorten(&shown)
}

/// An id is shown by its first four digits: enough to see which are the same.
fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let (before, tail) = rest.split_at(start + 1);
        short.push_str(before);
        rest = match tail.get(..36).filter(|id| uuid::Uuid::parse_str(id).is_ok()) {
            Some(id) => {
                short.push_str(&id[..4]);
                &tail[36..]
            }
            None => tail,
        };
    }
    short + rest
}

/// A map with one column of each sort that the tests need.
fn small_map(more: &str) -> Map {
    Map::parse(&format!(
        r#"
        name = "small"
        description = "A small map for tests"
        format = "csv"
        [ids]
        gift = "gift"
        [[table]]
        file = "gifts.csv"
        {more}
        [table.columns.number]
        header = ["Gift No", "number"]
        [table.columns.amount]
        type = "amount"
        currency = "EUR"
        decimal = ","
        thousands = "."
        [table.columns.day]
        type = "date"
        formats = ["%d.%m.%Y"]
        [[table.command]]
        on = {{ id = "gift", from = ["number"] }}
        command = "receive"
        occurred_at = "day"
        needs = ["amount"]
        fields = {{ amount = "amount" }}
        "#
    ))
    .unwrap()
}

#[test]
fn a_row_says_where_and_why_it_cannot_be_used() {
    let files = [(
        "gifts.csv",
        "\u{feff} GIFT NO ;amount\t;day;\r\n1;1.230,99;31.12.1899;x\r\n\r\n2;12;31.02.2020;x\r\n3;1,230.99;;x\r\n4;;;x\r\n;5;;x\r\n\
         6;7;;\"two\r\nlines\"\r\n7;8\r\n8;9;;x;y\r\n;;;\r\n9;\"1",
    )];
    insta::assert_snapshot!(shown(&small_map("delimiter = \";\""), &files), @r#"
    gifts.csv 2
      {"kind":"gift","id":"2505","receive":{"amount":{"minor":123099,"currency":"EUR"}},"occurred_at":"1899-12-31"
    gifts.csv 4
      Some("day") Some("31.02.2020") is not a date that exists, written as %d.%m.%Y
    gifts.csv 5
      Some("amount") Some("1,230.99") is not an amount: expected a number such as 1.230,99
    gifts.csv 6
      Some("amount") Some("") is empty and must not be
    gifts.csv 7
      Some("GIFT NO") Some("") is empty, so that nobody can tell what the row is about
    gifts.csv 8
      {"kind":"gift","id":"af42","receive":{"amount":{"minor":700,"currency":"EUR"}}
    gifts.csv 10
      None None has 2 values, and the header has 4 columns
    gifts.csv 11
      None None has 5 values, and the header has 4 columns
    gifts.csv 13
      None None has a quote that is never closed: everything from here to the end of the file is in this row
    "#);
}

#[test]
fn bytes_that_are_no_text_name_their_column() {
    let folder = folder(&[]);
    let mut text = b"number,amount,day,name\n1,2,,Zo\xEB\n2,3,,".to_vec();
    text.extend(std::iter::repeat_n(b'x', RECORD_LIMIT + 1));
    text.extend_from_slice(b"\n3\0,4,,\n4,5,,\n");
    fs::write(folder.path().join("gifts.csv"), &text).unwrap();
    let outcomes: Vec<_> = open(&small_map(""), folder.path(), &["gifts.csv"])
        .unwrap()
        .map(|row| {
            row.unwrap().outcome.map(|lines| lines.len()).map_err(|reject| (reject.column, reject.reason))
        })
        .collect();
    let reject = |column: Option<&str>, reason: &str| Err((column.map(str::to_owned), reason.to_owned()));
    assert_eq!(
        outcomes,
        [
            reject(Some("name"), "is not UTF-8"),
            reject(None, "is longer than 1 MiB and is not copied here; a quote may have been left open"),
            reject(Some("number"), "holds a NUL byte"),
            Ok(1),
        ]
    );
}

#[track_caller]
fn check_refused(text: &[u8], expected: &str) {
    let folder = folder(&[]);
    fs::write(folder.path().join("gifts.csv"), text).unwrap();
    let error = open(&small_map(""), folder.path(), &["gifts.csv"]).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_file_of_another_kind_is_refused_before_anything_is_imported() {
    check_refused(
        b"",
        "gifts.csv is empty: expected a header on line 1, with the columns amount, day, Gift No",
    );
    check_refused(
        b"number,Amount,date\n1,2,3\n",
        "gifts.csv lacks the column `day` in line 1; the columns there are `number`, `Amount`, `date`",
    );
    check_refused(
        b"number,amount,AMOUNT ,day\n",
        "gifts.csv has more than one column for `amount` in line 1: rename all but one",
    );
    check_refused(b"\xFF\xFEn\0", "gifts.csv is encoded as UTF-16: save it as UTF-8 and import it again");
}

#[test]
fn instructions_around_the_header_are_passed_over_and_kept_in_the_rejects() {
    let map = small_map("skip_before_header = 2\nskip_after_header = 1");
    let folder = folder(&[(
        "gifts.csv",
        "INSTRUCTIONS:,,\r\n,\"read, me\",\r\nnumber,amount,day,note\r\nNO__C,AMOUNT__C,DAY__C,NOTE__C\r\n1,x,,\"a,b\"\r\n2,3,,\r\n4,5\r\n6,7,,n,m\r\n",
    )]);
    let mut import = open(&map, folder.path(), &["gifts.csv"]).unwrap();
    let mut rejects = import.rejects(None);
    for row in &mut import {
        let row = row.unwrap();
        match &row.outcome {
            Ok(_) => rejects.write(&row.original, &Reject::refused("the gift was voided")).unwrap(),
            Err(reject) => rejects.write(&row.original, reject).unwrap(),
        }
    }
    let written = rejects.finish().unwrap();
    assert_eq!(written[0].path, folder.path().join("gifts.rejects.csv"));
    assert_eq!(written[0].rows, 4);
    insta::assert_snapshot!(fs::read_to_string(&written[0].path).unwrap(), @r#"
    INSTRUCTIONS:,,
    ,"read, me",
    number,amount,day,note,rapport_file,rapport_line,rapport_column,rapport_value,rapport_reason
    NO__C,AMOUNT__C,DAY__C,NOTE__C
    1,x,,"a,b",gifts.csv,5,amount,x,"is not an amount: expected a number such as 1.230,99"
    2,3,,,gifts.csv,6,,,the gift was voided
    4,5,,,gifts.csv,7,,,"has 2 values, and the header has 4 columns"
    6,7,,n,gifts.csv,8,,,"has 5 values, and the header has 4 columns",m
    "#);
    // Half mended, they are imported with the same map, and what is still wrong is written down once more.
    let mended = fs::read_to_string(&written[0].path).unwrap().replace("1,x,", "1,10,");
    fs::write(&written[0].path, mended).unwrap();
    let mut import = open(&map, folder.path(), &["gifts.rejects.csv"]).unwrap();
    let mut rejects = import.rejects(None);
    let mut imported = 0;
    for row in &mut import {
        let row = row.unwrap();
        match &row.outcome {
            Ok(lines) => imported += lines.len(),
            Err(reject) => rejects.write(&row.original, reject).unwrap(),
        }
    }
    assert_eq!(imported, 3);
    let written = rejects.finish().unwrap();
    assert_eq!(written[0].path, folder.path().join("gifts.rejects-2.csv"));
    let text = fs::read_to_string(&written[0].path).unwrap();
    assert_eq!(text.matches("rapport_reason").count(), 1);
    assert_eq!(written[0].rows, 1);
}

#[test]
fn nothing_is_written_where_nothing_is_rejected() {
    let folder = folder(&[("gifts.csv", "number,amount,day\n1,2,\n")]);
    let import = open(&small_map(""), folder.path(), &["gifts.csv"]).unwrap();
    let rejects = import.rejects(None);
    assert_eq!(import.count(), 1);
    assert_eq!(rejects.finish().unwrap(), []);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_row_that_is_rejected_has_said_nothing() {
    let map = Map::named("gdq-gifts").unwrap();
    let text =
        "gift_no,campaign,donor_id,date,amount\n1,c,d1,2010-01-02T00:00:00,x\n2,c,d1,2010-01-02T00:00:00,5\n";
    let folder = folder(&[("gifts.csv", text)]);
    let rows: Vec<_> = open(&map, folder.path(), &["gifts.csv"]).unwrap().map(Result::unwrap).collect();
    assert!(rows[0].outcome.is_err());
    assert_eq!(rows[1].outcome.as_ref().unwrap().len(), 3, "the donor is registered with the next row");
}

#[test]
fn a_look_up_without_counterpart_or_with_two_is_a_reject() {
    let map = Map::named("npsp-gifts").unwrap();
    let files = [
        (
            "npsp_Opportunity.csv",
            "id,amount,stage_name,close_date,account_id\n1,5.0,Pledged,2017-01-02,3.0\n2,5,Pledged,2017-01-02,4\n3,5,Pledged,2017-01-02,5\n",
        ),
        ("npsp_Account.csv", "id,Name,RecordTypeId\n3,Ada House,R1\n5,One,R1\n5,Two,R1\n6,No Type,R9\n"),
        ("npsp_Account_rt_mapping.csv", "record_type_id,developer_name\nR1,HH_Account\n"),
    ];
    insta::assert_snapshot!(shown(&map, &files), @r#"
    npsp_Opportunity.csv 2
      {"kind":"contact","id":"55e0","register":{"form":"household","name":"Ada House"}
      {"kind":"gift","id":"4bbf","receive":{"amount":{"minor":500,"currency":"USD"},"donor":"55e0","stage":"Pledged"},"occurred_at":"2017-01-02"
    npsp_Opportunity.csv 3
      Some("account_id") Some("4") has no counterpart in npsp_Account.csv by id
    npsp_Opportunity.csv 4
      Some("account_id") Some("5") has two different counterparts in npsp_Account.csv by id
    npsp_Account.csv 2
    npsp_Account.csv 3
      {"kind":"contact","id":"4b70","register":{"form":"household","name":"One"}
    npsp_Account.csv 4
      {"kind":"contact","id":"4b70","register":{"form":"household","name":"Two"}
    npsp_Account.csv 5
      Some("RecordTypeId") Some("R9") has no counterpart in npsp_Account_rt_mapping.csv by record_type_id
    "#);
}

#[test]
fn a_missing_companion_is_an_error_where_rows_need_it_and_a_notice_elsewhere() {
    let text = "id_assessment,id_student,date_submitted\n1,2,3\n";
    let folder = folder(&[("student_assessment.csv", text), ("sales_pipeline.csv", PIPELINE)]);
    let error = open(&Map::named("oulad").unwrap(), folder.path(), &["student_assessment.csv"]).unwrap_err();
    assert!(error.to_string().starts_with("assessment.csv is missing: lay it beside "), "{error}");
    let import =
        open(&Map::named("maven-opportunities").unwrap(), folder.path(), &["sales_pipeline.csv"]).unwrap();
    assert_eq!(
        import.notices(),
        [
            "sales_teams.csv is not there; the import goes on without it",
            "accounts.csv is not there; the import goes on without it",
        ]
    );
}

const PIPELINE: &str = "\
opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value
A1,Ada Pole,GTXPro,Oak & Co,Won,2020-01-02,2020-03-04,1054
A2,Ada Pole,GTX Basic,Oak & Co,Lost,2020-01-02,2020-02-01,0
A3,Bo Rill,GTX Basic,,Engaging,2020-05-06,,
A4,Bo Rill,MG Special,,Prospecting,,,
A5,Bo Rill,MG Special,,Wonn,2020-01-02,2020-02-01,5
A6,Bo Rill,MG Special,,Won,2020-01-02,,5
";

#[test]
fn opportunities_become_deals() {
    let map = Map::named("maven-opportunities").unwrap();
    let files = [
        ("sales_pipeline.csv", PIPELINE),
        ("sales_teams.csv", "sales_agent,manager,regional_office\nAda Pole,Cy Dee,West\n"),
        (
            "accounts.csv",
            "account,sector,year_established,revenue,employees,office_location,subsidiary_of\nOak & Co,technolgy,1,2,3,Kenya,Elm\n",
        ),
    ];
    insta::assert_snapshot!(shown(&map, &files), @r#"
    sales_pipeline.csv 2
      {"kind":"member","id":"f21a","join":{"name":"Ada Pole","region":"West","team":"Cy Dee"},"occurred_at":"2020-01-02"
      {"kind":"contact","id":"d7e0","register":{"form":"organization","name":"Oak & Co"}
      {"kind":"deal","id":"9ece","open":{"contact":"d7e0","owner":"f21a","product":"GTX Pro","stage":"Engaging"},"occurred_at":"2020-01-02"
      {"kind":"deal","id":"9ece","convert":{"value":{"minor":105400,"currency":"USD"}},"occurred_at":"2020-03-04"
    sales_pipeline.csv 3
      {"kind":"deal","id":"ff63","open":{"contact":"d7e0","owner":"f21a","product":"GTX Basic","stage":"Engaging"},"occurred_at":"2020-01-02"
      {"kind":"deal","id":"ff63","lose":{},"occurred_at":"2020-02-01"
    sales_pipeline.csv 4
      {"kind":"member","id":"be9a","join":{"name":"Bo Rill"},"occurred_at":"2020-05-06"
      {"kind":"deal","id":"14de","open":{"owner":"be9a","product":"GTX Basic","stage":"Engaging"},"occurred_at":"2020-05-06"
      {"kind":"deal","id":"14de","advance":{"stage":"Engaging"}
    sales_pipeline.csv 5
      {"kind":"deal","id":"743e","open":{"owner":"be9a","product":"MG Special","stage":"Prospecting"}
      {"kind":"deal","id":"743e","advance":{"stage":"Prospecting"}
    sales_pipeline.csv 6
      Some("deal_stage") Some("Wonn") is none of Prospecting, Engaging, Won, Lost
    sales_pipeline.csv 7
      Some("close_date") Some("") is empty and must not be
    sales_teams.csv 2
    accounts.csv 2
      {"kind":"contact","id":"d7e0","change_detail":{"detail":"sector","value":"technology"}
      {"kind":"contact","id":"d7e0","change_detail":{"detail":"country","value":"Kenya"}
      {"kind":"contact","id":"d7e0","start_relationship":{"relationship":"subsidiary_of","to":"9bba"}
    "#);
}

#[test]
fn donations_become_gifts() {
    let map = Map::named("gdq-gifts").unwrap();
    let files = [(
        "any name.csv",
        "gift_no,campaign,donor_id,date,amount,with_comment\n1,c9,d77,2009-12-31T23:09:39,1.00,1\n2,c9,anonymous,2010-01-02T00:59:08,50.00,0\n3,c9,d77,2010-01-02T01:13:12,50.5,0\n",
    )];
    insta::assert_snapshot!(shown(&map, &files), @r#"
    any name.csv 2
      {"kind":"contact","id":"e4c9","register":{"form":"person"}
      {"kind":"contact","id":"e4c9","link_identity":{"handle":"d77","platform":"gdq"}
      {"kind":"gift","id":"add6","receive":{"amount":{"minor":100,"currency":"USD"},"campaign":"c9","donor":"e4c9"},"occurred_at":"2009-12-31T23:09:39Z"
    any name.csv 3
      {"kind":"gift","id":"820e","receive":{"amount":{"minor":5000,"currency":"USD"},"campaign":"c9"},"occurred_at":"2010-01-02T00:59:08Z"
    any name.csv 4
      {"kind":"gift","id":"565b","receive":{"amount":{"minor":5050,"currency":"USD"},"campaign":"c9","donor":"e4c9"},"occurred_at":"2010-01-02T01:13:12Z"
    "#);
}

#[test]
fn nonprofit_gifts_bring_their_households_and_people() {
    let map = Map::named("npsp-gifts").unwrap();
    let files = [
        (
            "npsp_Opportunity.csv",
            "id,name,amount,stage_name,close_date,account_id,primary_contact__c,campaign_id\n1,Gift,811.0,Closed Won,2016-11-25,2,94,7\n",
        ),
        (
            "npsp_Account.csv",
            "id,Name,BillingCountry,BillingStreet,BillingState,BillingCity,BillingPostalCode,RecordTypeId\n2,Pole Household,Norway,1 Side St,,Bergen,5003,R1\n",
        ),
        ("npsp_Account_rt_mapping.csv", "record_type_id,developer_name\nR1,HH_Account\nR2,Organization\n"),
        (
            "npsp_Contact.csv",
            "id,Salutation,FirstName,LastName,Email,Phone,Title,account_id,primary_affiliation__c\n94,Select,Ada,Pole,Ada@Example.org,,Judge,2,5\n",
        ),
        ("npsp_Campaign.csv", "id,name\n7,Spring Meeting\n"),
    ];
    insta::assert_snapshot!(shown(&map, &files), @r#"
    npsp_Opportunity.csv 2
      {"kind":"contact","id":"6df2","register":{"form":"household","name":"Pole Household"}
      {"kind":"contact","id":"b868","register":{"form":"person","name":"Ada Pole"}
      {"kind":"gift","id":"4bbf","receive":{"amount":{"minor":81100,"currency":"USD"},"campaign":"Spring Meeting","donor":"6df2","soft_credits":[{"amount":{"minor":81100,"currency":"USD"},"contact":"b868","role":"household"}],"stage":"Closed Won"},"occurred_at":"2016-11-25"
    npsp_Account.csv 2
      {"kind":"contact","id":"6df2","change_detail":{"detail":"address","value":"1 Side St Bergen 5003"}
      {"kind":"contact","id":"6df2","change_detail":{"detail":"country","value":"Norway"}
    npsp_Contact.csv 2
      {"kind":"contact","id":"b868","change_detail":{"detail":"given_name","value":"Ada"}
      {"kind":"contact","id":"b868","change_detail":{"detail":"family_name","value":"Pole"}
      {"kind":"contact","id":"b868","change_detail":{"detail":"job_title","value":"Judge"}
      {"kind":"contact","id":"b868","link_identity":{"handle":"ada@example.org","platform":"email"}
      {"kind":"contact","id":"b868","start_relationship":{"relationship":"member_of","to":"6df2"}
      {"kind":"contact","id":"b868","start_relationship":{"relationship":"employee_of","to":"4b70"}
    "#);
}

#[test]
fn registrations_and_submissions_become_enrolments_and_attendance() {
    let map = Map::named("oulad").unwrap();
    let files = [
        (
            "student_registration.csv",
            "code_module,code_presentation,id_student,date_registration,date_unregistration\nXYZ,2013J,11,-159,\nXYZ,2013J,12,,\nXYZ,2014B,11,-5,12\nXYZ,2014K,11,-5,12\n",
        ),
        ("course.csv", "code_module,code_presentation,module_presentation_length\nXYZ,2013J,268\n"),
        (
            "student.csv",
            "code_module,code_presentation,id_student,final_result\nXYZ,2013J,11,Pass\nXYZ,2013J,12,Withdrawn\nXYZ,2014B,11,Withdrawn\n",
        ),
        (
            "assessment.csv",
            "code_module,code_presentation,id_assessment,assessment_type,date,weight\nXYZ,2013J,1752,TMA,19,10.0\nXYZ,2013J,1753,Exam,,100\n",
        ),
        (
            "student_assessment.csv",
            "id_assessment,id_student,date_submitted,is_banked,score\n1752,11,18,False,78\n1752,12,-3,True,70\n9999,12,-3,True,70\n",
        ),
    ];
    insta::assert_snapshot!(shown(&map, &files), @r#"
    student_registration.csv 2
      {"kind":"program","id":"7e56","start":{"name":"XYZ"}
      {"kind":"contact","id":"b9de","register":{"form":"person"}
      {"kind":"contact","id":"b9de","link_identity":{"handle":"11","platform":"student-number"}
      {"kind":"enrolment","id":"c6b7","enrol":{"cohort":"2013J","contact":"b9de","program":"7e56"},"occurred_at":"2013-04-25"
      {"kind":"enrolment","id":"c6b7","complete":{"result":"Pass"},"occurred_at":"2014-06-26"
    student_registration.csv 3
      {"kind":"contact","id":"aa9f","register":{"form":"person"}
      {"kind":"contact","id":"aa9f","link_identity":{"handle":"12","platform":"student-number"}
      {"kind":"enrolment","id":"286e","enrol":{"cohort":"2013J","contact":"aa9f","program":"7e56"}
      {"kind":"enrolment","id":"286e","withdraw":{}
    student_registration.csv 4
      {"kind":"enrolment","id":"61d8","enrol":{"cohort":"2014B","contact":"b9de","program":"7e56"},"occurred_at":"2014-01-27"
      {"kind":"enrolment","id":"61d8","withdraw":{},"occurred_at":"2014-02-13"
    student_registration.csv 5
      Some("code_presentation") Some("2014K") is not a term such as 2024B or 2024J
    assessment.csv 2
      {"kind":"gathering","id":"7db9","schedule":{"cohort":"2013J","name":"XYZ 2013J TMA 1752","program":"7e56","starts_at":"2013-10-20T00:00:00Z","type":"tma"}
    assessment.csv 3
      {"kind":"gathering","id":"5526","schedule":{"cohort":"2013J","name":"XYZ 2013J Exam 1753","program":"7e56","type":"exam"}
    student_assessment.csv 2
      {"kind":"gathering","id":"7db9","attend":{"contact":"b9de","method":"submission"},"occurred_at":"2013-10-19"
    student_assessment.csv 3
      {"kind":"gathering","id":"7db9","attend":{"contact":"aa9f","method":"submission"},"occurred_at":"2013-09-28"
    student_assessment.csv 4
      Some("id_assessment") Some("9999") has no counterpart in assessment.csv by id_assessment
    "#);
}

#[test]
fn rejects_of_a_later_table_are_imported_alone() {
    let map = Map::named("oulad").unwrap();
    let folder = folder(&[
        (
            "student_registration.csv",
            "code_module,code_presentation,id_student,date_registration,date_unregistration\nX,2013J,1,1,\n",
        ),
        (
            "assessment.csv",
            "code_module,code_presentation,id_assessment,assessment_type,date\nX,2013J,7,TMA,19\n",
        ),
        (
            "student_assessment.rejects.csv",
            "id_assessment,id_student,date_submitted,rapport_reason\n7,1,2,because\n",
        ),
    ]);
    let import = open(&map, folder.path(), &["student_assessment.rejects.csv"]).unwrap();
    let lines: Vec<_> = import.flat_map(|row| row.unwrap().outcome.unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].command, "attend");
}

#[test]
fn the_zone_of_the_source_is_kept_where_it_states_one() {
    let toml = Map::text("gdq-gifts").unwrap().replace("format =", "zone = \"America/New_York\"\nformat =");
    let folder = folder(&[
        ("a.csv", "gift_no,campaign,donor_id,date,amount\n1,c,,2010-01-02T20:00:00,1\n"),
        ("b.csv", "gift_no,campaign,donor_id,date,amount\n2,c,,2010-01-02T20:00:00Z,1\n"),
    ]);
    let map = Map::parse(&toml).unwrap();
    let moments: Vec<_> = open(&map, folder.path(), &["a.csv", "b.csv"])
        .unwrap()
        .flat_map(|row| row.unwrap().outcome.unwrap())
        .map(|line| {
            let body = BatchLine::parse(line.json.as_bytes()).unwrap().body;
            (body.occurred_at.unwrap().to_rfc3339(), body.source.unwrap().zone.unwrap())
        })
        .collect();
    let zone = || "America/New_York".to_owned();
    assert_eq!(
        moments,
        [("2010-01-03T01:00:00+00:00".to_owned(), zone()), ("2010-01-02T20:00:00+00:00".to_owned(), zone()),]
    );
}
