//! What can be asked of a kind, as data: for OpenAPI, help and the tests that walk all commands.

use domain::{Kind, KindEvent as _, Role, schema, tagged};
use schemars::{Schema, SchemaGenerator};

use super::rights::writers;
use crate::kit::decider::Decider;

/// The commands of one kind.
#[derive(Clone, Debug)]
pub struct KindDescription {
    /// The kind.
    pub kind: Kind,
    /// The names of its commands, each with who may send it.
    pub commands: Vec<(&'static str, &'static [Role])>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl KindDescription {
    pub(crate) fn of<D: Decider>() -> Self {
        Self {
            kind: D::Event::KIND,
            commands: tagged::tags::<D::Command>().iter().map(|name| (*name, writers::<D>(name))).collect(),
            schema: |generator| schema::named::<D::Command>(generator, D::Event::KIND.word(), "Command"),
        }
    }

    /// The JSON schema of the commands.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    struct Described(Vec<(KindDescription, Vec<&'static str>)>);

    impl Registry for Described {
        fn register<D: Decider>(&mut self) {
            let exceptions = D::EXCEPTIONS.iter().map(|(name, _)| *name).collect();
            self.0.push((KindDescription::of::<D>(), exceptions));
        }
    }

    fn described() -> Vec<(KindDescription, Vec<&'static str>)> {
        let mut described = Described(Vec::new());
        crate::all(&mut described);
        described.0
    }

    fn allowed(role: Role) -> Vec<String> {
        let commands = described().into_iter().flat_map(|(kind, _)| {
            let of = move |(name, writers): (&str, &[Role])| {
                writers.contains(&role).then(|| format!("{} {name}", kind.kind))
            };
            kind.commands.into_iter().filter_map(of)
        });
        commands.collect()
    }

    #[test]
    fn every_exception_is_about_a_command_that_there_is() {
        for (kind, exceptions) in described() {
            for exception in exceptions {
                assert!(
                    kind.commands.iter().any(|(name, _)| *name == exception),
                    "{} {exception}",
                    kind.kind
                );
            }
        }
    }

    #[test]
    fn an_intake_token_registers_and_captures_and_nothing_else() {
        let expected = [
            "contact register",
            "contact link_identity",
            "lead capture",
            "conversation log",
            "conversation reply",
            "gathering register",
            "gathering attend",
        ];
        assert_eq!(allowed(Role::Intake), expected);
    }

    #[test]
    fn erasing_and_settings_are_for_administrators_tokens_for_nobody_and_auditors_change_nothing() {
        let staff = allowed(Role::Staff);
        let only_admin: Vec<_> =
            allowed(Role::Admin).into_iter().filter(|command| !staff.contains(command)).collect();
        let expected = [
            "contact erase",
            "contact readmit",
            "conversation redact",
            "setting choose_zone",
            "setting choose_fiscal_year",
        ];
        assert_eq!(only_admin, expected);
        assert_eq!(allowed(Role::Auditor), Vec::<String>::new());
    }
}
