//! The door of the store: personal values are sealed on their way in, and opened for whoever decides.
//!
//! Both work on the text of an event, not on a tree. The marks `{"$personal":` and `{"$sealed":` cannot occur
//! inside a string of a JSON text, where every quote has a backslash before it; so what is found is the
//! beginning of a form, and the JSON parser says where that form ends.

use std::{borrow::Cow, sync::LazyLock};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use domain::{
    Keyring,
    personal::{CLEAR, ClearForm, SEALED, SealedForm},
};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sealing::{cipher::KeyName, key_error::KeyError, keys::Keys};

/// The beginning of a form.
struct Mark {
    text: String,
    finder: Finder<'static>,
}

impl Mark {
    fn new(member: &str) -> Self {
        let text = format!("{{\"{member}\":");
        Self { finder: Finder::new(&text).into_owned(), text }
    }
}

static CLEAR_MARK: LazyLock<Mark> = LazyLock::new(|| Mark::new(CLEAR));
static SEALED_MARK: LazyLock<Mark> = LazyLock::new(|| Mark::new(SEALED));

/// Why a text could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// Somebody wrote the reserved member by hand.
    #[error("a personal value in it is malformed")]
    Malformed,
    /// The keys cannot be reached.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The text with every clear value sealed. The names of the keys that it is sealed with are added to `names`.
pub(crate) fn seal(text: String, keys: &Keys, names: &mut Vec<KeyName>) -> Result<String, SealError> {
    let sealed = replace::<ClearForm<&RawValue>, SealError>(&text, &CLEAR_MARK, |form, out| {
        let key = form.key.unwrap_or(form.subject.0);
        names.push((form.subject, key));
        let bytes = keys.seal(form.subject, key, form.value.get().as_bytes())?;
        let text = BASE64_STANDARD_NO_PAD.encode(bytes);
        write_form(out, &SEALED_MARK, &SealedForm { subject: form.subject, key: form.key, text })
    })?;
    Ok(sealed.unwrap_or(text))
}

/// The text with every sealed value opened whose key still exists.
pub(crate) fn open<'t>(text: &'t str, keyring: &dyn Keyring) -> Cow<'t, str> {
    let opened = replace::<SealedForm, SealError>(text, &SEALED_MARK, |form, out| {
        let key = form.key.unwrap_or(form.subject.0);
        let value = keyring
            .open(form.subject, key, &form.text)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| RawValue::from_string(text).ok());
        match value {
            Some(value) => {
                write_form(out, &CLEAR_MARK, &ClearForm { subject: form.subject, key: form.key, value })
            }
            None if keyring.is_destroyed(form.subject, key) => write_form(out, &SEALED_MARK, &form),
            None => write_form(out, &SEALED_MARK, &SealedForm { text: String::new(), ..form }),
        }
    });
    // A form that does not parse is left as it stands: decoding will say what is wrong.
    opened.ok().flatten().map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The names of the keys that values in a text are sealed with.
pub(crate) fn names_in(text: &str) -> Vec<KeyName> {
    let mut names = Vec::new();
    // A form that does not parse is left as it stands: decoding will say what is wrong.
    let _ = replace::<SealedForm, SealError>(text, &SEALED_MARK, |form, _| {
        names.push((form.subject, form.key.unwrap_or(form.subject.0)));
        Ok(())
    });
    names
}

fn write_form(out: &mut String, mark: &Mark, form: &impl serde::Serialize) -> Result<(), SealError> {
    out.push_str(&mark.text);
    out.push_str(&serde_json::to_string(form).map_err(|_| SealError::Malformed)?);
    out.push('}');
    Ok(())
}

/// The text with each marked form replaced by what `with` writes; `None` where there is none.
fn replace<'t, F: Deserialize<'t>, E: From<SealError>>(
    text: &'t str,
    mark: &Mark,
    mut with: impl FnMut(F, &mut String) -> Result<(), E>,
) -> Result<Option<String>, E> {
    let mut replaced = String::new();
    let mut copied = 0;
    while let Some(found) = mark.finder.find(&text.as_bytes()[copied..]) {
        let begin = copied + found;
        let inside = &text[begin + mark.text.len()..];
        let mut forms = serde_json::Deserializer::from_str(inside).into_iter::<F>();
        let form = forms.next().and_then(Result::ok).ok_or(SealError::Malformed)?;
        let length = forms.byte_offset();
        if inside.as_bytes().get(length) != Some(&b'}') {
            return Err(SealError::Malformed.into());
        }
        replaced.push_str(&text[copied..begin]);
        with(form, &mut replaced)?;
        copied = begin + mark.text.len() + length + 1;
    }
    if copied == 0 {
        return Ok(None);
    }
    replaced.push_str(&text[copied..]);
    Ok(Some(replaced))
}

#[cfg(test)]
mod tests {
    use domain::{ContactId, Personal};
    use uuid::Uuid;

    use super::*;
    use crate::{folder::data_folder::DataFolder, options::Options};

    fn with_keys(check: impl FnOnce(&Keys)) {
        let folder = DataFolder::temporary().unwrap();
        check(&Keys::open(&folder, &Options::default()).unwrap());
    }

    fn sample() -> String {
        let whose = ContactId(Uuid::from_u128(7));
        let values = [
            Personal::new(whose, "Zoë \"Z\" {\"$personal\": \\".to_owned()),
            Personal::with_key(whose, Uuid::from_u128(8), String::new()),
        ];
        serde_json::json!({"before": "{\"$personal\":", "values": values, "after": 1}).to_string()
    }

    #[test]
    fn what_is_sealed_opens_to_what_it_was() {
        with_keys(|keys| {
            let mut names = Vec::new();
            let sealed = seal(sample(), keys, &mut names).unwrap();
            let whose = ContactId(Uuid::from_u128(7));
            assert_eq!(names, [(whose, whose.0), (whose, Uuid::from_u128(8))]);
            assert!(!sealed.contains("Zoë"));
            assert_eq!(open(&sealed, keys), sample());
        });
    }

    #[test]
    fn the_same_value_looks_different_each_time() {
        with_keys(|keys| {
            assert_ne!(
                seal(sample(), keys, &mut Vec::new()).unwrap(),
                seal(sample(), keys, &mut Vec::new()).unwrap()
            );
        });
    }

    #[test]
    fn a_text_without_personal_values_stays_as_it_is() {
        with_keys(|keys| {
            let text = r#"{"note":"{\"$personal\":","sealed":"{\"$sealed\":"}"#;
            assert_eq!(seal(text.to_owned(), keys, &mut Vec::new()).unwrap(), text);
            assert_eq!(open(text, keys), text);
        });
    }

    #[test]
    fn a_malformed_value_is_refused_and_not_let_in_clear() {
        with_keys(|keys| {
            for text in [r#"{"a":{"$personal":"secret"}}"#, r#"{"a":{"$personal":{"subject":1}}}"#] {
                assert!(matches!(seal(text.to_owned(), keys, &mut Vec::new()), Err(SealError::Malformed)));
            }
        });
    }

    #[test]
    fn a_value_whose_key_is_lost_is_told_from_one_that_was_erased() {
        let (one, other) = (DataFolder::temporary().unwrap(), DataFolder::temporary().unwrap());
        let [keys, others] = [one, other].map(|folder| Keys::open(&folder, &Options::default()).unwrap());
        let sealed = seal(sample(), &keys, &mut Vec::new()).unwrap();
        assert_eq!(open(&sealed, &others).matches("\"text\":\"\"").count(), 2);
        others.destroy_owned_by(ContactId(Uuid::from_u128(7))).unwrap();
        assert_eq!(open(&sealed, &others), sealed);
    }

    #[test]
    fn a_value_whose_key_is_destroyed_stays_sealed() {
        with_keys(|keys| {
            let sealed = seal(sample(), keys, &mut Vec::new()).unwrap();
            keys.destroy(ContactId(Uuid::from_u128(7)), Uuid::from_u128(8)).unwrap();
            let opened = open(&sealed, keys);
            assert!(opened.contains("Zoë") && opened.contains("$sealed\":{\"subject"));
            keys.destroy_owned_by(ContactId(Uuid::from_u128(7))).unwrap();
            assert!(!open(&sealed, keys).contains("Zoë"));
        });
    }
}
