//! Sums of money per currency; amounts of different currencies are never added.

use std::collections::BTreeMap;

use domain::{Currency, Money};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A sum per currency, written as a list of amounts in the order of their codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<Currency, i64>);

impl Amounts {
    /// Adds an amount of minor units.
    pub fn add(&mut self, minor: i64, currency: Currency) {
        let sum = self.0.entry(currency).or_default();
        // One amount is at most 10^12, so that this takes millions of the largest to reach.
        *sum = sum.saturating_add(minor);
    }

    /// Adds all amounts of another sum.
    pub fn add_all(&mut self, other: &Self) {
        for (currency, minor) in &other.0 {
            self.add(*minor, *currency);
        }
    }
}

impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(currency, minor)| Money::new(*minor, *currency)))
    }
}

impl<'de> Deserialize<'de> for Amounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut sums = Self::default();
        for amount in Vec::<Money>::deserialize(deserializer)? {
            sums.add(amount.minor, amount.currency);
        }
        Ok(sums)
    }
}

impl JsonSchema for Amounts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amounts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<Money>::json_schema(generator)
    }
}
