//! Tiles (C2SP `tlog-tiles`): the tree cut into pieces of 256 hashes, each under an address of its own that never
//! changes what it answers, so that anybody can keep them.

use std::{fmt, str::FromStr};

/// How many hashes a full tile holds.
pub const WIDTH: u64 = 256;
/// How many levels of the tree one level of tiles covers.
pub const HEIGHT: u32 = 8;

/// The address of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Its level: hashes of the tree's level `8 × level`; none for a bundle of entries.
    pub level: Option<u32>,
    /// Its place on the level.
    pub index: u64,
    /// How many hashes or entries it holds, from 1 to 256.
    pub width: u64,
}

/// An address that names no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no tile: expected LEVEL/INDEX or entries/INDEX, as in `0/x001/234` or `0/001.p/17`")]
pub struct NotATile;

impl Tile {
    /// Whether a tree of `size` leaves has this tile.
    pub fn is_within(&self, size: u64) -> bool {
        let level = self.level.unwrap_or_default() * HEIGHT;
        let nodes = if level < u64::BITS { size >> level } else { 0 };
        self.index
            .checked_mul(WIDTH)
            .and_then(|begin| begin.checked_add(self.width))
            .is_some_and(|end| end <= nodes)
    }
}

impl FromStr for Tile {
    type Err = NotATile;

    /// Reads `0/x001/234`, `entries/001` or, for a tile that is not full, `0/001.p/17`.
    fn from_str(text: &str) -> Result<Self, NotATile> {
        let (level, rest) = text.split_once('/').ok_or(NotATile)?;
        let level = match level {
            "entries" => None,
            number => Some(canonical(number).filter(|level| *level < 64).ok_or(NotATile)?),
        };
        let (path, width) = match rest.split_once(".p/") {
            Some((path, width)) => {
                let width = canonical(width).filter(|width| (1..256).contains(width)).ok_or(NotATile)?;
                (path, u64::from(width))
            }
            None => (rest, WIDTH),
        };
        let mut index: u64 = 0;
        let parts: Vec<&str> = path.split('/').collect();
        for (place, part) in parts.iter().enumerate() {
            let digits = if place + 1 < parts.len() { part.strip_prefix('x').ok_or(NotATile)? } else { part };
            if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(NotATile);
            }
            let part: u64 = digits.parse().map_err(|_| NotATile)?;
            index = index.checked_mul(1_000).and_then(|index| index.checked_add(part)).ok_or(NotATile)?;
        }
        let tile = Self { level, index, width };
        // One address for one tile: no zeros in front.
        if tile.to_string() == text { Ok(tile) } else { Err(NotATile) }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(formatter, "{level}")?,
            None => formatter.write_str("entries")?,
        }
        let mut parts = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            parts.push(rest % 1_000);
            rest /= 1_000;
        }
        for (place, part) in parts.iter().enumerate().rev() {
            let mark = if place > 0 { "x" } else { "" };
            write!(formatter, "/{mark}{part:03}")?;
        }
        if self.width < WIDTH { write!(formatter, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// A number without a sign and without zeros in front.
fn canonical(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for (text, level, index, width) in [
            ("0/000", Some(0), 0, 256),
            ("0/x001/x234/067", Some(0), 1_234_067, 256),
            ("2/003.p/17", Some(2), 3, 17),
            ("entries/x001/000.p/1", None, 1_000, 1),
        ] {
            assert_eq!(text.parse(), Ok(Tile { level, index, width }), "{text}");
        }
    }

    #[test]
    fn one_tile_has_one_address() {
        let wrong = [
            "",
            "0",
            "0/1",
            "0/0001",
            "00/001",
            "0/x000/001",
            "0/x001",
            "0/001/002",
            "0/001.p/256",
            "0/001.p/0",
            "0/001.p/07",
            "-1/001",
            "64/000",
            "data/001",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Tile>(), Err(NotATile), "{text}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_that_its_size_fills() {
        let has = |text: &str, size| text.parse::<Tile>().unwrap().is_within(size);
        assert!(has("0/000", 256) && !has("0/000", 255) && has("0/000.p/255", 255));
        assert!(has("1/000.p/1", 256) && !has("1/000.p/1", 255));
        assert!(has("entries/001.p/4", 260) && !has("entries/001.p/5", 260));
        assert!(!has("63/000.p/1", u64::MAX));
    }
}
