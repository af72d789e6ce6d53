//! Money: integer minor units with an ISO 4217 code; amounts of different currencies are never added.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An ISO 4217 currency code, for example `USD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollar, the default of the maps that ship with Rapport.
    pub const USD: Self = Self(*b"USD");

    /// The three capital letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimal digits the minor unit has: 2 for USD, 0 for JPY, 3 for BHD (ISO 4217).
    pub fn minor_digits(self) -> u32 {
        iso_currency::Currency::from_code(self.code())
            .and_then(iso_currency::Currency::exponent)
            .map_or(2, u32::from)
    }
}

/// A text that is not the code of a currency.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no ISO 4217 currency code: use three capital letters, for example USD")]
pub struct NotACurrency(String);

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency(text.to_owned()))?;
        iso_currency::Currency::from_code(text).ok_or_else(|| NotACurrency(text.to_owned()))?;
        Ok(Self(code))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code", "examples": ["USD"]})
    }
}

/// An amount in minor units of one currency: `{"minor": 1999, "currency": "USD"}` is 19.99 US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an amount such as {\"minor\": 1999, \"currency\": \"USD\"}")]
pub struct Money {
    /// The amount in the currency's minor unit (cents for USD). At most 10^12 either way, so that sums of
    /// millions of amounts stay exact.
    pub minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

/// An amount that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// Not a decimal number.
    #[error("is not an amount: write digits with at most one decimal point, for example 1230.99")]
    Malformed,
    /// More decimals than the currency has.
    #[error("has more decimals than {0} has minor units")]
    TooFine(String),
    /// Beyond [`Money::LIMIT`].
    #[error("is larger than any amount Rapport keeps (10^12 minor units)")]
    TooLarge,
}

impl Money {
    /// The largest amount, in minor units, in either direction.
    pub const LIMIT: i64 = 1_000_000_000_000;

    /// An amount of minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a plain decimal number (`-12.5`, `1230.99`, `811.0`) exactly; no rounding ever takes place.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, NotAnAmount> {
        let digits = currency.minor_digits() as usize;
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(NotAnAmount::Malformed);
        }
        let (kept, beyond) = fraction.split_at(fraction.len().min(digits));
        if beyond.bytes().any(|byte| byte != b'0') {
            return Err(NotAnAmount::TooFine(currency.to_string()));
        }
        let minor: i64 = format!("{whole}{kept:0<digits$}").parse().map_err(|_| NotAnAmount::TooLarge)?;
        if minor > Self::LIMIT {
            return Err(NotAnAmount::TooLarge);
        }
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }
}

impl fmt::Display for Money {
    /// The amount with its decimals and code: `19.99 USD`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.minor_digits();
        let unit = 10_u64.pow(digits);
        let (sign, minor) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        write!(formatter, "{sign}{}", minor / unit)?;
        if digits > 0 {
            write!(formatter, ".{:0width$}", minor % unit, width = digits as usize)?;
        }
        write!(formatter, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, currency: &str, expected: Result<&str, NotAnAmount>) {
        let currency = currency.parse().unwrap();
        assert_eq!(Money::parse(text, currency).map(|money| money.to_string()), expected.map(str::to_owned));
    }

    #[test]
    fn amounts_are_read_to_the_minor_unit_and_never_rounded() {
        check("315305.53", "USD", Ok("315305.53 USD"));
        check("811.0", "USD", Ok("811.00 USD"));
        check("-.5", "USD", Ok("-0.50 USD"));
        check("120", "JPY", Ok("120 JPY"));
        check("1.250", "BHD", Ok("1.250 BHD"));
        check("1.005", "USD", Err(NotAnAmount::TooFine("USD".into())));
        check("1.0", "JPY", Ok("1 JPY"));
        check("", "USD", Err(NotAnAmount::Malformed));
        check("1,230.99", "USD", Err(NotAnAmount::Malformed));
        check("99999999999999999999", "USD", Err(NotAnAmount::TooLarge));
    }

    #[test]
    fn only_real_currencies_are_currencies() {
        assert!("EUR".parse::<Currency>().is_ok());
        assert!("eur".parse::<Currency>().is_err());
        assert!("ZZZ".parse::<Currency>().is_err());
        assert!("EURO".parse::<Currency>().is_err());
    }
}
