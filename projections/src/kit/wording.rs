//! Words, moments and amounts as people write them.

use chrono::{DateTime, Utc};
use domain::Money;
use serde::Serialize;

/// A word of a closed list as people write it.
pub(crate) fn plain(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        // Closed lists are written as words.
        Ok(_) | Err(_) => String::new(),
    }
}

pub(crate) fn moment(at: DateTime<Utc>) -> String {
    let text = at.format("%Y-%m-%d %H:%M").to_string();
    // Most sources know only days.
    text.strip_suffix(" 00:00").map_or(format!("{text} UTC"), str::to_owned)
}

/// An amount with its thousands apart: `1,054.00 USD`.
pub(crate) fn amount(money: Money) -> String {
    let text = money.to_string();
    let digits = text.find(['.', ' ']).unwrap_or(text.len());
    let mut apart = String::with_capacity(text.len() + 4);
    for (index, letter) in text.char_indices() {
        let before = index > 0 && index < digits && (digits - index).is_multiple_of(3);
        if before && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(letter);
    }
    apart
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;

    #[test]
    fn amounts_are_written_with_their_thousands_apart() {
        for (minor, expected) in [
            (105_400, "1,054.00 USD"),
            (99, "0.99 USD"),
            (-12_345_600, "-123,456.00 USD"),
            (100_000_000, "1,000,000.00 USD"),
        ] {
            assert_eq!(amount(Money::new(minor, Currency::USD)), expected);
        }
    }
}
