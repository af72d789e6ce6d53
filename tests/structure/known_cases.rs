//! The structure of small crates, told right.

use std::{collections::BTreeMap, fmt::Write as _};

use super::Structure;

fn structure(files: &[(&str, &str)]) -> Structure {
    let texts: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Structure::of("small", &texts)
}

/// A crate of three modules, `a`, `b` and `a::inner`, has these arrows.
#[track_caller]
fn check(a: &str, b: &str, inner: &str, expected: &str) {
    let lib = "mod a; mod b; pub use a::A; pub struct Top;";
    let a = format!("mod inner; {a}");
    let files = [("lib.rs", lib), ("a.rs", a.as_str()), ("a/inner.rs", inner), ("b/mod.rs", b)];
    let mut told = String::new();
    for ((from, to), names) in &structure(&files).arrows {
        if from != "lib.rs" {
            write!(told, "{from} -> {to}: {}; ", names.iter().cloned().collect::<Vec<_>>().join(" "))
                .unwrap();
        }
    }
    assert_eq!(told.trim_end_matches("; "), expected);
}

#[test]
fn a_name_leads_to_the_file_that_defines_it() {
    check("struct A;", "use crate::a::A;", "", "b/mod.rs -> a.rs: A");
    check("struct A;", "use super::{a::{self, A as B}};", "", "b/mod.rs -> a.rs: A a");
    check("struct A;", "fn f(_: crate::a::A) {}", "", "b/mod.rs -> a.rs: A");
    check("struct A;", "fn f() { json!({ \"a\": [super::a::A::new()] }); }", "", "b/mod.rs -> a.rs: A");
    check("fn f() {}", "#[serde(with = \"crate::a\")] struct B;", "", "b/mod.rs -> a.rs: a");
    check("struct A;", "fn f() { use crate::a; g::<a::A>(); }", "", "b/mod.rs -> a.rs: A a");
    check("kinds! { A }", "use crate::a::A;", "", "b/mod.rs -> a.rs: A");
    check("", "use crate::Top;", "", "b/mod.rs -> lib.rs: Top");
}

#[test]
fn what_is_passed_on_leads_to_where_it_is_from() {
    let inner = "pub struct A; pub struct C;";
    check("pub use inner::A;", "use crate::a::A;", inner, "a.rs -> a/inner.rs: A; b/mod.rs -> a/inner.rs: A");
    check("pub use inner::A;", "use crate::A;", inner, "a.rs -> a/inner.rs: A; b/mod.rs -> a/inner.rs: A");
    check(
        "pub use self::inner::*;",
        "use crate::a::C;",
        inner,
        "a.rs -> a/inner.rs: *; b/mod.rs -> a/inner.rs: C",
    );
    check("pub use uuid::Uuid as A;", "use crate::a::A;", "", "b/mod.rs -> a.rs: A");
    check(
        "use crate::b::B;",
        "pub struct B;",
        "use super::B;",
        "a.rs -> b/mod.rs: B; a/inner.rs -> b/mod.rs: B",
    );
}

#[test]
fn children_count_where_they_are_used_and_tests_never() {
    check("fn f() { inner::g() }", "", "pub fn g() {}", "a.rs -> a/inner.rs: g");
    check("struct A;", "#[cfg(test)] mod tests { use crate::a::A; }", "", "");
    check("struct A;", "#[cfg(test)] mod tests;", "#[cfg(test)] use super::A;", "");
    check("", "mod within { use super::super::a::inner::G; }", "struct G;", "b/mod.rs -> a/inner.rs: G");
    check("struct A;", "/* use crate::a::A; */ // crate::a::A", "", "");
    check("struct A;", "fn f() -> &'static str { \"not crate::a::A\" }", "", "");
    check("", "struct B { pub(in crate::a) c: u8 }", "", "");
}

#[test]
fn a_circle_names_its_files_and_what_ties_them() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::a::A; pub struct C;"),
    ];
    let circles = structure(&files).circles(&[]);
    assert_eq!(
        circles,
        [
            "small: a.rs, b.rs, c.rs are a circle, so that none can be read alone. Move what both ends of an arrow \
          need into a file below both:\n    a.rs -> b.rs: B\n    b.rs -> c.rs: C\n    c.rs -> a.rs: A"
        ]
    );
    let names = ["a.rs", "b.rs", "c.rs"].map(str::to_owned);
    assert_eq!(structure(&files).circles(&names), [] as [&str; 0]);
    assert_eq!(structure(&files).circles(&names[..2]), circles);
}

#[test]
fn a_room_knows_only_those_below_it() {
    let files = [
        ("lib.rs", "mod top; mod low; mod beside; pub use low::L;"),
        ("top.rs", "mod part; use crate::low::L;"),
        ("top/part.rs", "pub struct P;"),
        ("low.rs", "use crate::top::part::P; pub struct L;"),
        ("beside.rs", "use crate::low::L;"),
    ];
    let structure = structure(&files);
    assert_eq!(
        structure.against("lib > top > low; lib > beside"),
        [
            "small: beside may not know low, but beside.rs uses L of low.rs: move what beside.rs needs into beside \
             or into a room below both",
            "small: low may not know top, but low.rs uses P of top/part.rs: move what low.rs needs into low or \
             into a room below both"
        ]
    );
    assert_eq!(
        structure.against("lib > top > gone"),
        [
            "small/src/beside is a room without a place: move it into one of the others, or write into ROOMS who \
             may know it and whom it knows",
            "small/src/low is a room without a place: move it into one of the others, or write into ROOMS who may \
             know it and whom it knows",
            "small has no room gone any more: take it out of ROOMS"
        ]
    );
    assert_eq!(structure.against("lib, top, low, beside").len(), 4);
    assert_eq!(structure.against(""), ["small has folders: write the order of its rooms into ROOMS"]);
}
