//! Numbers as sources write them: `1,230.99`, `1.230,99`, `3.0`, `5.70306E+17`.

use domain::{Currency, Money};

/// How a column writes its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notation {
    /// What stands before the decimals.
    pub decimal: char,
    /// What stands between groups of three digits, where anything does.
    pub thousands: Option<char>,
    /// Signs to pass over, such as `$`.
    pub signs: Vec<String>,
}

impl Notation {
    /// Reads an amount exactly; the reason of an error does not repeat the value.
    pub fn amount(&self, text: &str, currency: Currency) -> Result<Money, String> {
        let plain = self
            .plain(text)
            .ok_or_else(|| format!("is not an amount: expected a number such as {}", self.example()))?;
        Money::parse(&plain, currency).map_err(|error| error.to_string())
    }

    /// The number with a decimal point and nothing else between its digits.
    fn plain(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for sign in &self.signs {
            text = text.replacen(sign.as_str(), "", 1);
        }
        let text = text.trim();
        let (minus, text) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest.trim_start()),
            None => ("", text),
        };
        let (whole, decimals) = match text.split_once(self.decimal) {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (text, None),
        };
        let whole = self.without_thousands(whole)?;
        if decimals.is_some_and(|decimals| !decimals.bytes().all(|byte| byte.is_ascii_digit())) {
            return None;
        }
        Some(match decimals {
            Some(decimals) => format!("{minus}{whole}.{decimals}"),
            None => format!("{minus}{whole}"),
        })
    }

    /// `1,230` is a number and `1,23` is none: a group of other than three digits is a slip or another notation.
    fn without_thousands(&self, whole: &str) -> Option<String> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let groups: Vec<&str> = match self.thousands {
            Some(separator) => whole.split(separator).collect(),
            None => vec![whole],
        };
        let (first, others) = groups.split_first()?;
        let grouped = others.is_empty() || (1..=3).contains(&first.len());
        if !grouped || !digits(first) || !others.iter().all(|group| group.len() == 3 && digits(group)) {
            return None;
        }
        Some(groups.concat())
    }

    fn example(&self) -> String {
        match self.thousands {
            Some(thousands) => format!("1{thousands}230{}99", self.decimal),
            None => format!("1230{}99", self.decimal),
        }
    }
}

/// A whole number in plain digits, whatever a spreadsheet made of it: `3.0` is 3, `5.7E+3` is 5700.
pub(crate) fn integer(text: &str) -> Result<String, String> {
    plain_integer(text).ok_or_else(|| "is not a whole number".to_owned())
}

/// No id is longer, and an exponent must not fill the memory.
const EXPONENT_LIMIT: usize = 40;

fn plain_integer(text: &str) -> Option<String> {
    let (minus, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.strip_prefix('+').unwrap_or(exponent).parse::<usize>().ok()?)
        }
        None => (unsigned, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || exponent > EXPONENT_LIMIT {
        return None;
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > exponent {
        return None;
    }
    let all = format!("{whole}{decimals:0<exponent$}");
    let plain = all.trim_start_matches('0');
    Some(if plain.is_empty() { "0".to_owned() } else { format!("{minus}{plain}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn amount(decimal: char, thousands: Option<char>, text: &str, expected: Option<i64>) {
        let notation = Notation { decimal, thousands, signs: vec!["$".into(), "€".into()] };
        assert_eq!(notation.amount(text, Currency::USD).ok().map(|money| money.minor), expected);
    }

    #[test]
    fn amounts_are_read_in_the_notation_of_the_map() {
        amount('.', None, "811.0", Some(81_100));
        amount('.', Some(','), "$1,230.99", Some(123_099));
        amount('.', Some(','), "-$1,230.99", Some(-123_099));
        amount(',', Some('.'), "1.230,99 €", Some(123_099));
        amount(',', Some('.'), "1230,9", Some(123_090));
    }

    #[test]
    fn another_notation_is_an_error_and_not_another_amount() {
        amount('.', None, "1,230.99", None);
        amount('.', Some(','), "1.230,99", None);
        amount('.', Some(','), "12,30", None);
        amount(',', Some('.'), "12.30", None);
        amount('.', None, "12.345", None);
        amount('.', None, "twelve", None);
        amount('.', None, "--5", None);
    }

    #[track_caller]
    fn whole(text: &str, expected: Option<&str>) {
        assert_eq!(integer(text).ok().as_deref(), expected);
    }

    #[test]
    fn ids_that_a_spreadsheet_turned_into_numbers_are_turned_back() {
        whole("3.0", Some("3"));
        whole("007", Some("7"));
        whole("5.70306E+17", Some("570306000000000000"));
        whole("-159", Some("-159"));
        whole("-0", Some("0"));
        whole("3.5", None);
        whole("1E+99", None);
        whole("12a", None);
        whole("", None);
    }
}
