//! The whole surface as an `OpenAPI` document, written from the types. A new kind or view appears here by itself.

use ::commands::KindDescription;
use projections::Description;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::parts::schema;
use super::problem::Problem;

mod admin;
mod commands;
mod journeys;
mod ledger;
mod others;
mod parts;
mod views;

/// The OpenAPI 3.1 document of these kinds and views.
pub(super) fn describe(kinds: &[KindDescription], descriptions: &[Description]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for kind in kinds {
        paths.insert(format!("/commands/{}/{{id}}", kind.kind), commands::of_kind(kind, &mut generator));
    }
    paths.insert("/commands".to_owned(), commands::batch(&mut generator));
    paths.insert("/views".to_owned(), views::list());
    for view in descriptions {
        paths.insert(format!("/views/{}", view.name), views::one(view, &mut generator));
    }
    paths.insert("/views/{name}/why".to_owned(), journeys::cell(&mut generator));
    paths.extend(journeys::paths(&mut generator));
    paths.extend(others::events());
    paths.extend(admin::paths(&mut generator));
    paths.extend(others::tokens(&mut generator));
    paths.extend(others::links(&mut generator));
    paths.extend(others::about());
    paths.extend(ledger::paths(&mut generator));
    let problem = schema::<Problem>(&mut generator);
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Commands become immutable events; views answer from them, for now and for any moment of the past.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Problem": {
                    "description": "What went wrong, with which field, and what to do (RFC 9457).",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "schemas": schemas,
        },
    })
}
