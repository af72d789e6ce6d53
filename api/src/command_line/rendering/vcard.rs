//! A contact as a vCard 4.0 (RFC 6350).

use domain::{
    ContactId,
    contact::{ContactForm, Detail},
};
use projections::questions::contacts::Card;

/// A line is folded after so many bytes.
const WIDTH: usize = 75;

/// The card of a contact as the view shows it; an empty one where they were never registered.
pub(crate) fn of(contact: ContactId, card: Option<&Card>) -> String {
    let detail =
        |detail: Detail| escaped(card.and_then(|card| card.details.get(&detail)).map_or("", String::as_str));
    let kind = match card.map(|card| card.form) {
        Some(ContactForm::Organization) => "org",
        Some(ContactForm::Household) => "group",
        Some(ContactForm::Person) | None => "individual",
    };
    let name = card.and_then(|card| card.name.as_deref()).unwrap_or_default();
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:4.0".to_owned(),
        format!("UID:urn:uuid:{contact}"),
        format!("KIND:{kind}"),
        // A vCard without this is none.
        format!("FN:{}", escaped(name)),
    ];
    let mut add = |name: &str, value: String| {
        if value.chars().any(|letter| letter != ';') {
            lines.push(format!("{name}:{value}"));
        }
    };
    add(
        "N",
        format!(
            "{};{};;{};",
            detail(Detail::FamilyName),
            detail(Detail::GivenName),
            detail(Detail::Salutation)
        ),
    );
    add("TITLE", detail(Detail::JobTitle));
    add("TEL;VALUE=text", detail(Detail::Phone));
    add("ADR", format!(";;{};;;;{}", detail(Detail::Address), detail(Detail::Country)));
    add("BDAY;VALUE=text", detail(Detail::Birthday));
    add("NOTE", detail(Detail::Note));
    for identity in card.into_iter().flat_map(|card| &card.identities) {
        let platform = identity.platform.as_str();
        let name = if platform == "email" {
            "EMAIL".to_owned()
        } else {
            // A parameter stands in quotes, and can hold neither quotes nor line ends.
            format!(
                "X-IDENTITY;TYPE=\"{}\"",
                platform.replace(|letter: char| letter == '"' || letter.is_control(), " ")
            )
        };
        add(&name, escaped(&identity.handle));
    }
    let tags: Vec<String> = card.into_iter().flat_map(|card| &card.tags).map(|tag| escaped(tag)).collect();
    add("CATEGORIES", tags.join(","));
    lines.push("END:VCARD".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.replace("\r\n", "\n").chars() {
        match letter {
            '\\' | ',' | ';' => escaped.extend(['\\', letter]),
            '\n' | '\r' => escaped.push_str("\\n"),
            letter if letter.is_control() && letter != '\t' => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Folds a line between letters; what is folded begins with a blank.
fn folded(line: &str) -> String {
    let (mut folded, mut width) = (String::new(), 0);
    for letter in line.chars() {
        if width + letter.len_utf8() > WIDTH {
            folded.push_str("\r\n ");
            width = 1;
        }
        folded.push(letter);
        width += letter.len_utf8();
    }
    folded + "\r\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_card_is_escaped_and_folded() {
        let (id, at) = ("5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11", "2024-01-01T00:00:00Z");
        let identity = |platform: &str, handle: &str| json!({ "platform": platform, "handle": handle, "verified": true, "linked_at": at, "contact": id });
        let card = json!({
            "id": id, "form": "person", "name": "Zoë; \"Z\", née\nLee", "registered_at": at, "tags": ["a,b", "vip"],
            "details": { "note": "é".repeat(60), "country": "IT" }, "consents": [], "relationships": [],
            "identities": [identity("email", "z@example.org"), identity("a\"b", "@z")],
        });
        let card: Card = serde_json::from_value(card).unwrap();
        let text = of(card.id, Some(&card));
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= WIDTH, "{line}");
        }
        let unfolded = text.replace("\r\n ", "");
        for line in [
            "FN:Zoë\\; \"Z\"\\, née\\nLee",
            "ADR:;;;;;;IT",
            "EMAIL:z@example.org",
            "X-IDENTITY;TYPE=\"a b\":@z",
            "CATEGORIES:a\\,b,vip",
        ] {
            assert!(unfolded.contains(&format!("{line}\r\n")), "{line}: {unfolded}");
        }
        assert!(unfolded.contains(&"é".repeat(60)) && !unfolded.contains("TITLE"));
    }
}
