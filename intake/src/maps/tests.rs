//! Every built-in map can be used, and a map that cannot be says where and why.

use super::Map;

#[test]
fn every_map_in_the_folder_of_maps_ships_with_rapport() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/maps");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            name.strip_suffix(".toml").is_some_and(|name| Map::text(name).is_some()),
            "maps/{name} is read by nobody: add its line to BUILT_IN in src/maps/built_in.rs"
        );
    }
}

#[test]
fn every_built_in_map_can_be_used_and_bears_its_name() {
    for name in Map::names() {
        let map = Map::named(name).unwrap();
        assert_eq!(map.name(), name);
        assert!(map.files().next().is_some());
    }
    assert_eq!(
        Map::named("gdq").unwrap_err().to_string(),
        "there is no map `gdq`: use one of maven-opportunities, gdq-gifts, npsp-gifts, oulad, or the path of a \
         .toml file"
    );
}

/// A map that is right but for one piece.
#[track_caller]
fn check(columns: &str, command: &str, expected: &str) {
    let text = format!(
        "name = \"m\"\ndescription = \"d\"\nformat = \"csv\"\n[ids]\ngift = \"gift\"\n[[table]]\nfile = \
         \"a.csv\"\n{columns}\n[[table.command]]\non = {{ id = \"gift\", from = [\"no\"] }}\n{command}"
    );
    let error = Map::parse(&text).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

const RECEIVE: &str = "command = \"receive\"";

#[test]
fn an_error_names_the_key_and_what_is_expected() {
    check("[table.columns.a]\ntipe = \"date\"", RECEIVE, "unknown field `tipe`, expected one of `header`,");
    check("[table.columns.a]\ntype = \"day\"", RECEIVE, "unknown variant `day`, expected one of `text`,");
    check(
        "",
        "command = \"recieve\"",
        "`table[0].command[0].command` is no command of gift: expected one of",
    );
    check(
        "",
        "command = \"receive\"\nfields = { donor = { id = \"donor\", from = [\"a\"] } }",
        "`table[0].command[0].fields.donor.id` is `donor`, which [ids] does not list: expected one of gift",
    );
    check("", "command = \"receive\"\nfields = { a = { val = 1 } }", "unknown field `val`, expected one of");
    check("", "command = \"receive\"\nfields = { a = 1 }", "expected the name of a column, { value = … }");
    check(
        "[table.columns.a]\ntype = \"amount\"",
        RECEIVE,
        "`table[0].columns.a.currency` is missing: an amount needs either",
    );
    check(
        "[table.columns.a]\ntype = \"amount\"\ncurrency = \"EURO\"",
        RECEIVE,
        "is wrong: `EURO` is no ISO 4217 currency code",
    );
    check("[table.columns.a]\nformats = [\"%Y\"]", RECEIVE, "needs type = \"date\"");
    check(
        "[table.columns.a]\ntype = \"date\"\nformats = [\"%Q\"]",
        RECEIVE,
        "has `%Q`, which is no notation",
    );
    check(
        "[table.columns.a]\ntype = \"date\"\nterms = { J = \"13-01\" }",
        RECEIVE,
        "must be a day written MM-DD",
    );
    check(
        "[table.columns.a]\nlookup = { file = \"b.csv\", key = \"k\", take = \"t\" }",
        RECEIVE,
        "add a [[table]] with file = \"b.csv\"",
    );
    check(
        "[table.columns.a]\nfrom = \"b\"\n[table.columns.b]\nfrom = \"a\"",
        RECEIVE,
        "computed from itself",
    );
    check("", "command = \"receive\"\nwhen = [{ column = \"a\" }]", "needs exactly one of `is`, `is_not`");
    check("delimiter = \"€\"", RECEIVE, "`table[0].delimiter` must be one ASCII character");
}
