//! The stored form of an event: its tag in one column, its fields as a JSON object in another.
//!
//! The tag is written once, in the `serde(rename)` of the variant. `serde_json` writes an enum as
//! `{"<tag>":{<fields>}}`; these functions split that text and join it again, so that decoding goes straight
//! into the variant that the tag names, without a tree in between.

use serde::{
    Serialize,
    de::{DeserializeOwned, Deserializer, Error as _, Visitor},
};

/// The tag of an event and its fields as the text of a JSON object.
pub fn encode<E: Serialize>(event: &E) -> serde_json::Result<(String, String)> {
    let whole = serde_json::to_string(event)?;
    // A tag holds only letters, dots and underscores, so the first quote after the opening one ends it.
    let (tag, rest) =
        whole
            .trim_start_matches('{')
            .strip_prefix('"')
            .and_then(|text| text.split_once('"'))
            .ok_or_else(|| serde_json::Error::custom("an event must be an externally tagged enum"))?;
    let fields = rest.strip_prefix(':').and_then(|text| text.strip_suffix('}')).unwrap_or("{}");
    Ok((tag.to_owned(), fields.to_owned()))
}

/// The event that a tag and its fields describe.
pub fn decode<E: DeserializeOwned>(tag: &str, fields: &str) -> serde_json::Result<E> {
    let mut whole = String::with_capacity(tag.len() + fields.len() + 8);
    whole.push_str("{\"");
    whole.push_str(tag);
    whole.push_str("\":");
    whole.push_str(fields);
    whole.push('}');
    serde_json::from_str(&whole)
}

/// Every tag of an enum, in the order in which its variants are declared.
pub fn tags<E: DeserializeOwned>() -> &'static [&'static str] {
    let mut tags: &'static [&'static str] = &[];
    // The enum announces its variants before it asks for one; the announcement is all that is wanted.
    let _ = E::deserialize(Announcement { tags: &mut tags });
    tags
}

struct Announcement<'a> {
    tags: &'a mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for Announcement<'_> {
    type Error = serde_json::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.tags = variants;
        Err(Self::Error::custom("announced"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only enums have tags"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Sample {
        #[serde(rename = "sample.begun")]
        Begun { by: String },
        #[serde(rename = "sample.ended")]
        Ended {},
    }

    #[test]
    fn an_event_is_split_into_tag_and_fields_and_joined_again() {
        for event in [Sample::Begun { by: "a \"quoted\" }".into() }, Sample::Ended {}] {
            let (tag, fields) = encode(&event).unwrap();
            assert_eq!(decode::<Sample>(&tag, &fields).unwrap(), event);
        }
        assert_eq!(encode(&Sample::Ended {}).unwrap(), ("sample.ended".into(), "{}".into()));
    }

    #[test]
    fn the_tags_of_an_enum_are_known_without_an_event() {
        assert_eq!(tags::<Sample>(), ["sample.begun", "sample.ended"]);
    }
}
