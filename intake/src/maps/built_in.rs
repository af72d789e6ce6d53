//! The maps that ship with Rapport.

use super::map::{Map, MapError};

/// The maps that ship with Rapport.
const BUILT_IN: &[(&str, &str)] = &[
    ("maven-opportunities", include_str!("../../maps/maven-opportunities.toml")),
    ("gdq-gifts", include_str!("../../maps/gdq-gifts.toml")),
    ("npsp-gifts", include_str!("../../maps/npsp-gifts.toml")),
    ("oulad", include_str!("../../maps/oulad.toml")),
];

impl Map {
    /// The names of the maps that ship with Rapport.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The TOML of a map that ships with Rapport: the best example for one's own.
    pub fn text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// A map that ships with Rapport.
    pub fn named(name: &str) -> Result<Self, MapError> {
        let text = Self::text(name).ok_or_else(|| MapError::Unknown {
            name: name.to_owned(),
            names: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(text)
    }
}
