//! Which file of a crate knows which: every name is followed to the file where it is defined.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Module, ModulePath};

/// From file to file, the names that are known.
pub type Arrows = BTreeMap<(String, String), BTreeSet<String>>;

/// How many names may stand for one another in a row.
const REEXPORTS_LIMIT: u32 = 16;

/// The arrows between the files of a crate.
///
/// That a file declares a module is no arrow. What a module only passes on (`pub use`) leads to where it is
/// defined; what a macro defines is looked for in the module that should have it.
pub fn arrows(modules: &BTreeMap<ModulePath, Module>) -> Arrows {
    let names = Names { modules };
    let mut arrows = Arrows::new();
    for (path, module) in modules {
        let brought_in = module.imports.iter().map(|import| (&import.path, import.name.is_none()));
        let named = module.paths.iter().map(|named| (named, false));
        for (named, is_all) in brought_in.chain(named) {
            let Some(place) = names.resolve(path, named, REEXPORTS_LIMIT) else { continue };
            let file = &modules[&place.module].file;
            if *file != module.file {
                let module_name = || place.module.last().map_or("crate", String::as_str).to_owned();
                let name =
                    if is_all { "*".to_owned() } else { place.item.clone().unwrap_or_else(module_name) };
                arrows.entry((module.file.clone(), file.clone())).or_default().insert(name);
            }
        }
    }
    arrows
}

/// Where a name is defined.
struct Place {
    module: ModulePath,
    /// The item; none where the name is that of the module itself.
    item: Option<String>,
}

struct Names<'a> {
    modules: &'a BTreeMap<ModulePath, Module>,
}

impl Names<'_> {
    /// What a path means within a module; nothing where it leads out of the crate.
    fn resolve(&self, within: &[String], path: &[String], limit: u32) -> Option<Place> {
        let limit = limit.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, limit),
            "self" => self.climb(within.to_vec(), rest, limit),
            "super" => self.climb(within.to_vec(), path, limit),
            _ if self.child(within, first).is_some() => self.descend(within.to_vec(), path, limit),
            _ => {
                let imports = self.modules.get(within)?.imports.iter();
                let mut named = imports.filter(|import| import.name.as_ref() == Some(first));
                // `use toml;` and the like: a crate, not itself.
                let import = named.find(|import| import.path.first() != Some(first))?;
                self.follow(within, &import.path, rest, limit)
            }
        }
    }

    /// Goes up as many modules as the path says, and down the rest.
    fn climb(&self, mut module: ModulePath, mut path: &[String], limit: u32) -> Option<Place> {
        while let [first, rest @ ..] = path
            && first == "super"
        {
            module.pop()?;
            path = rest;
        }
        self.descend(module, path, limit)
    }

    /// Goes down from a module, by modules first, then by what is defined, then by what is passed on.
    fn descend(&self, module: ModulePath, path: &[String], limit: u32) -> Option<Place> {
        let limit = limit.checked_sub(1)?;
        let Some((name, rest)) = path.split_first() else { return Some(Place { module, item: None }) };
        if let Some(child) = self.child(&module, name) {
            return self.descend(child, rest, limit);
        }
        let here = self.modules.get(&module)?;
        if !here.items.contains(name) {
            let mut imports = here.imports.iter().filter(|import| import.name.as_ref() == Some(name));
            if let Some(place) = imports.find_map(|import| self.follow(&module, &import.path, rest, limit)) {
                return Some(place);
            }
            for all in here.imports.iter().filter(|import| import.name.is_none()) {
                if let Some(Place { module, item: None }) = self.resolve(&module, &all.path, limit)
                    && self.has(&module, name)
                {
                    return self.descend(module, path, limit);
                }
            }
        }
        Some(Place { module, item: Some(name.clone()) })
    }

    /// Follows what a name stands for, and goes on where that is a module.
    fn follow(&self, within: &[String], path: &[String], rest: &[String], limit: u32) -> Option<Place> {
        let place = self.resolve(within, path, limit)?;
        if place.item.is_none() { self.descend(place.module, rest, limit) } else { Some(place) }
    }

    fn child(&self, module: &[String], name: &str) -> Option<ModulePath> {
        let child = [module, &[name.to_owned()]].concat();
        self.modules.contains_key(&child).then_some(child)
    }

    fn has(&self, module: &[String], name: &str) -> bool {
        let here = &self.modules[module];
        self.child(module, name).is_some()
            || here.items.contains(name)
            || here.imports.iter().any(|import| import.name.as_deref() == Some(name))
    }
}

/// The circles: files each of which leads to all others of its circle.
pub fn circles(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    let files: BTreeSet<&str> = arrows.keys().map(|(from, _)| from.as_str()).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        files.iter().map(|file| (*file, reached(arrows, file))).collect();
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for file in files {
        let both = |other: &&&str| reached.get(*other).is_some_and(|reached| reached.contains(file));
        let circle: BTreeSet<&str> = reached[file].iter().filter(both).copied().collect();
        if !circle.is_empty() && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn reached<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(from) = waiting.pop() {
        for (_, to) in arrows.keys().filter(|(other, _)| other == from) {
            if reached.insert(to.as_str()) {
                waiting.push(to);
            }
        }
    }
    reached
}
