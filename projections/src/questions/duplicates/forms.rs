//! The words for the forms of contacts, as they stand in the tables.

use domain::contact::ContactForm;

const FORMS: [(ContactForm, &str); 3] = [
    (ContactForm::Person, "person"),
    (ContactForm::Organization, "organization"),
    (ContactForm::Household, "household"),
];

pub(super) fn form_word(form: ContactForm) -> &'static str {
    FORMS.into_iter().find(|(known, _)| *known == form).map_or("person", |(_, word)| word)
}

pub(super) fn form_of(word: &str) -> ContactForm {
    FORMS.into_iter().find(|(_, known)| *known == word).map_or(ContactForm::Person, |(form, _)| form)
}
