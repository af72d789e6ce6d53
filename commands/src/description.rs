//! What can be asked of a kind, as data: for OpenAPI, help and the tests that walk all commands.

use domain::{Kind, KindEvent as _, Role, tagged};
use schemars::{Schema, SchemaGenerator};

use crate::decider::Decider;

/// The commands of one kind.
#[derive(Clone, Debug)]
pub struct KindDescription {
    /// The kind.
    pub kind: Kind,
    /// The names of its commands.
    pub commands: &'static [&'static str],
    /// Who may send them, unless a single command says otherwise.
    pub writers: &'static [Role],
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl KindDescription {
    pub(crate) fn of<D: Decider>() -> Self {
        Self {
            kind: D::Event::KIND,
            commands: tagged::tags::<D::Command>(),
            writers: D::WRITERS,
            schema: |generator| generator.subschema_for::<D::Command>(),
        }
    }

    /// The JSON schema of the commands.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}
