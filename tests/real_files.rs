//! Real files, where they are at hand: `RAPPORT_REAL_DATA=FOLDER cargo test -p tests real_files`. The folder holds
//! the data sets named below; without it these tests say so and do nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::harness::{printed, run};

/// A copy of one data set, since rejects are written beside a file.
#[expect(clippy::print_stdout, reason = "whoever runs the suite should see what was not tried")]
fn copy(of: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let Some(root) = std::env::var_os("RAPPORT_REAL_DATA") else {
        println!("skipped: RAPPORT_REAL_DATA names no folder");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    for entry in fs::read_dir(Path::new(&root).join(of)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, files.join(path.file_name().unwrap())).unwrap();
        }
    }
    Some((folder, files))
}

fn import(data: &Path, file: &Path, map: &str) -> String {
    let output = run(data, &["import", "csv", file.to_str().unwrap(), "--map", map]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

fn view(data: &Path, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = ["view"].iter().chain(arguments).chain(&["--json"]).copied().collect();
    serde_json::from_str(&printed(data, &arguments)).unwrap()
}

/// The number that a member of the group's row holds; for money its minor units.
fn cell(view: &Value, group: &str, member: &str) -> i64 {
    let rows = view["rows"].as_array().unwrap();
    let row =
        rows.iter().find(|row| row["group"] == group).unwrap_or_else(|| panic!("no row {group} in {view}"));
    row[member].as_i64().or_else(|| row[member][0]["minor"].as_i64()).unwrap_or_default()
}

#[test]
fn the_opportunities_come_in_to_the_last_dollar_once() {
    let Some((folder, files)) = copy("crm_maven") else { return };
    let (data, file) = (folder.path().join("data"), files.join("sales_pipeline.csv"));
    import(&data, &file, "maven-opportunities");
    let now = view(&data, &["pipeline"]);
    let counts = ["Won", "Lost", "Engaging", "Prospecting"].map(|stage| cell(&now, stage, "deals"));
    assert_eq!(counts, [4_238, 2_473, 1_589, 500]);
    assert_eq!(cell(&now, "Won", "value"), 1_000_553_400);
    let regions = view(&data, &["pipeline", "by=region"]);
    let won = ["West", "Central", "East"].map(|region| cell(&regions, region, "won_value"));
    assert_eq!(won, [356_864_700, 334_629_300, 309_059_400]);
    let then = view(&data, &["pipeline", "--as-of", "2017-06-30"]);
    assert_eq!(["Won", "Lost", "Engaging"].map(|stage| cell(&then, stage, "deals")), [1_785, 894, 1_686]);
    assert_eq!(cell(&then, "Won", "value"), 422_078_300);
    assert!(import(&data, &file, "maven-opportunities").contains(": 0 events recorded"));
}

#[test]
fn the_gifts_come_in_to_the_last_cent_once() {
    let Some((folder, files)) = copy("gifts_gdq") else { return };
    let (data, file) = (folder.path().join("data"), files.join("donations_2009_2012.csv"));
    import(&data, &file, "gdq-gifts");
    let giving = view(&data, &["giving"]);
    assert_eq!(giving["totals"]["gifts"], 14_631);
    assert_eq!(giving["totals"]["net"][0]["minor"], 31_530_553);
    assert!(import(&data, &file, "gdq-gifts").contains(": 0 events recorded"));
}

#[test]
fn the_households_gifts_come_in_once() {
    let Some((folder, files)) = copy("nonprofit_npsp_pmm/csv") else { return };
    let (data, file) = (folder.path().join("data"), files.join("npsp_Opportunity.csv"));
    import(&data, &file, "npsp-gifts");
    let giving = view(&data, &["giving"]);
    assert_eq!(giving["totals"]["gifts"], 1_517);
    assert_eq!(giving["totals"]["net"][0]["minor"], 173_955_500);
    assert!(import(&data, &file, "npsp-gifts").contains(": 0 events recorded"));
}

#[test]
fn the_students_come_in_once_with_all_that_they_handed_in() {
    let Some((folder, files)) = copy("students_oulad") else { return };
    let (data, file) = (folder.path().join("data"), files.join("student_registration.csv"));
    import(&data, &file, "oulad");
    let totals = &view(&data, &["engagement"])["totals"];
    assert_eq!(totals["enrolments"], 32_593);
    assert_eq!(totals["enrolled_people"], 28_785);
    assert_eq!(totals["participations"], 173_912);
    assert!(import(&data, &file, "oulad").contains(": 0 events recorded"));
}
