//! A program that was built without the client of clusters says so where it would need it, and how to get it.

use crate::harness::run;

#[test]
fn without_the_client_of_clusters_the_build_line_is_named() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    for command in [
        &["serve", "--store", "esdb://ann:secret@db1"][..],
        &["views", "--store", "kurrentdb://ann:secret@db1,db2"],
        &["copy", "--from", folder, "--to", "esdb://ann:secret@db1"],
    ] {
        std::fs::write(place.path().join("format.json"), "{}").unwrap();
        let output = run(place.path(), command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("build it with `cargo build --release`"), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
