//! A contact as a vCard 4.0 (RFC 6350).

use serde_json::Value;

/// A line is folded after so many bytes.
const WIDTH: usize = 75;

/// The card of a contact as the view shows it.
pub(crate) fn of(id: &str, card: &Value) -> String {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let detail = |name: &str| text(&card["details"][name]);
    let kind = match card["form"].as_str() {
        Some("organization") => "org",
        Some("household") => "group",
        _ => "individual",
    };
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:4.0".to_owned(),
        format!("UID:urn:uuid:{id}"),
        format!("KIND:{kind}"),
        // A vCard without this is none.
        format!("FN:{}", text(&card["name"])),
    ];
    let mut add = |name: &str, value: String| {
        if value.chars().any(|letter| letter != ';') {
            lines.push(format!("{name}:{value}"));
        }
    };
    add("N", format!("{};{};;{};", detail("family_name"), detail("given_name"), detail("salutation")));
    add("TITLE", detail("job_title"));
    add("TEL;VALUE=text", detail("phone"));
    add("ADR", format!(";;{};;;;{}", detail("address"), detail("country")));
    add("BDAY;VALUE=text", detail("birthday"));
    add("NOTE", detail("note"));
    for identity in card["identities"].as_array().into_iter().flatten() {
        let platform = identity["platform"].as_str().unwrap_or_default();
        let name = if platform == "email" {
            "EMAIL".to_owned()
        } else {
            // A parameter stands in quotes, and can hold neither quotes nor line ends.
            format!(
                "X-IDENTITY;TYPE=\"{}\"",
                platform.replace(|letter: char| letter == '"' || letter.is_control(), " ")
            )
        };
        add(&name, text(&identity["handle"]));
    }
    let tags: Vec<String> = card["tags"].as_array().into_iter().flatten().map(text).collect();
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
        let card = json!({
            "form": "person", "name": "Zoë; \"Z\", née\nLee", "tags": ["a,b", "vip"],
            "details": { "note": "é".repeat(60), "country": "IT" },
            "identities": [{ "platform": "email", "handle": "z@example.org" }, { "platform": "a\"b", "handle": "@z" }],
        });
        let text = of("5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11", &card);
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
