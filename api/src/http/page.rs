//! The frame of every page: one sheet of style, no script, nothing from outside.

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A whole page.
pub(super) fn page(title: &str, content: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Rapport" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    let mut response = Html(whole.into_string()).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

const STYLE: &str = "
:root { --ink: #1d2733; --soft: #5b6b7c; --line: #dfe5ea; --ground: #f7f8fa; --accent: #0b6e6e; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 5rem; }
h1 { font-size: 1.7rem; letter-spacing: -.01em; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
p.hint, .hint { color: var(--soft); }
p.problem { background: #fdecea; border-left: 4px solid #b3261e; padding: .6rem .9rem; }
code, pre { font: 13px/1.5 ui-monospace, 'DejaVu Sans Mono', monospace; }
pre { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .8rem; overflow-x: auto; }
details { background: #fff; border: 1px solid var(--line); border-radius: 6px; margin: .45rem 0; }
summary { cursor: pointer; padding: .55rem .9rem; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
summary b { font: 600 12px ui-monospace, monospace; color: #fff; background: var(--accent); border-radius: 4px;
  padding: .1rem .45rem; min-width: 3.6rem; text-align: center; }
summary b.post { background: #8a4b08; } summary b.delete { background: #8c1d18; }
h3 { font-size: 15px; margin: 1.1rem 0 .2rem; }
td:first-child { white-space: nowrap; width: 11rem; }
details > div { padding: 0 .9rem .8rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; background: #fff; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
form { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 1.2rem; max-width: 30rem;
  margin: 1rem 0; display: grid; gap: .6rem; }
input { font: inherit; padding: .5rem .6rem; border: 1px solid #b8c2cc; border-radius: 5px; }
button { font: inherit; font-weight: 600; color: #fff; background: var(--accent); border: 0; border-radius: 5px;
  padding: .55rem 1rem; justify-self: start; cursor: pointer; }
:focus-visible { outline: 3px solid #7cc4c4; outline-offset: 1px; }
nav a { margin-right: 1rem; color: var(--accent); }
@media print { body { background: #fff; } details { break-inside: avoid; } }
";
