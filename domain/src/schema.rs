//! Schemas under names that stay, whatever other types come and go.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// The schema of a type that is called the same in many places, as `Command` is in every kind: kept among the
/// definitions under the name of what it belongs to, so that one more place changes no other name. `of` may have
/// several words, as `thank-you`; then `what` "Query" makes `ThankYouQuery`.
pub fn named<T: JsonSchema>(generator: &mut SchemaGenerator, of: &str, what: &str) -> Schema {
    if T::inline_schema() {
        return T::json_schema(generator);
    }
    let name = of.split(|letter: char| !letter.is_alphanumeric()).map(capitalised).collect::<String>() + what;
    if !generator.definitions().contains_key(&name) {
        let schema = T::json_schema(generator).to_value();
        generator.definitions_mut().insert(name.clone(), schema);
    }
    Schema::new_ref(format!("#{}/{name}", generator.settings().definitions_path))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    mod call {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        pub(super) struct Query {
            caller: String,
        }
    }

    mod thank_you {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        pub(super) struct Query {
            donor: String,
        }
    }

    #[test]
    fn types_that_are_called_the_same_stand_under_the_names_of_what_they_belong_to() {
        let mut generator = SchemaGenerator::default();
        let first = named::<call::Query>(&mut generator, "call", "Query");
        let second = named::<thank_you::Query>(&mut generator, "thank-you", "Query");
        assert_eq!(named::<call::Query>(&mut generator, "call", "Query"), first);
        assert_eq!(first.as_value()["$ref"], "#/$defs/CallQuery");
        assert_eq!(second.as_value()["$ref"], "#/$defs/ThankYouQuery");
        let definitions = generator.take_definitions(true);
        assert!(definitions["CallQuery"]["properties"]["caller"].is_object());
        assert!(definitions["ThankYouQuery"]["properties"]["donor"].is_object());
        assert_eq!(definitions.len(), 2);
    }
}
