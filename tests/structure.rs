//! How the files of a crate hang together: which knows which, where they run in circles, and which way the rooms
//! look.

mod arrows;
mod known_cases;
mod rooms;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use self::arrows::Arrows;

/// The files of one crate.
pub struct Structure {
    member: String,
    files: BTreeSet<String>,
    arrows: Arrows,
}

impl Structure {
    /// Of a crate of this name, with the texts of its files by their paths from `src` on. What is there for tests
    /// only, or for a program rather than for the library, is left out.
    pub fn of(member: &str, texts: &BTreeMap<String, String>) -> Self {
        let modules = source::modules(texts);
        let files = modules.values().map(|module| module.file.clone()).collect();
        Self { member: member.to_owned(), files, arrows: arrows::arrows(&modules) }
    }

    /// The circles of files, apart from `excepted`, which is one circle that is allowed.
    pub fn circles(&self, excepted: &[String]) -> Vec<String> {
        let mut complaints = Vec::new();
        for circle in arrows::circles(&self.arrows) {
            if circle.iter().all(|file| excepted.iter().any(|excepted| excepted == file)) {
                continue;
            }
            let files = circle.iter().copied().collect::<Vec<_>>().join(", ");
            let mut complaint = format!(
                "{}: {files} are a circle, so that none can be read alone. Move what both ends of an arrow need \
                 into a file below both:",
                self.member
            );
            for ((from, to), names) in &self.arrows {
                if circle.contains(from.as_str()) && circle.contains(to.as_str()) {
                    let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    complaint.push_str(&format!("\n    {from} -> {to}: {names}"));
                }
            }
            complaints.push(complaint);
        }
        complaints
    }

    /// The arrows that run up, and the rooms without a place in the order.
    pub fn against(&self, order: &str) -> Vec<String> {
        let files = self.files.iter().map(String::as_str).collect();
        rooms::complaints(&self.member, order, &files, &self.arrows)
    }
}
