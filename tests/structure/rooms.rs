//! The rooms of a crate: the files and folders that lie in its `src`, and which of them may know which.

use std::collections::BTreeSet;

use super::arrows::Arrows;

/// What is wrong with the rooms of a crate, a sentence each.
///
/// `order` is written as `lib > import > maps, formats; lib > demo`: a room may know those to its right, but not
/// those beside it (`,`), and nothing of another line (`;`). Empty, it says that the crate has one room only.
pub fn complaints(member: &str, order: &str, files: &BTreeSet<&str>, arrows: &Arrows) -> Vec<String> {
    let mut complaints = Vec::new();
    if order.is_empty() {
        if files.iter().any(|file| file.contains('/')) {
            complaints.push(format!("{member} has folders: write the order of its rooms into ROOMS"));
        }
        return complaints;
    }
    let order = Order::parse(order);
    let there: BTreeSet<&str> = files.iter().map(|file| room(file)).collect();
    for room in there.difference(&order.rooms) {
        complaints.push(format!(
            "{member}/src/{room} is a room without a place: move it into one of the others, or write into ROOMS \
             who may know it and whom it knows"
        ));
    }
    for room in order.rooms.difference(&there) {
        complaints.push(format!("{member} has no room {room} any more: take it out of ROOMS"));
    }
    for ((from, to), names) in arrows {
        let (upper, lower) = (room(from), room(to));
        let is_placed = order.rooms.contains(upper) && order.rooms.contains(lower);
        if upper != lower && is_placed && !order.allowed.contains(&(upper, lower)) {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            complaints.push(format!(
                "{member}: {upper} may not know {lower}, but {from} uses {names} of {to}: move what {from} needs \
                 into {upper} or into a room below both"
            ));
        }
    }
    complaints
}

/// The rooms, and who may know whom.
struct Order<'a> {
    rooms: BTreeSet<&'a str>,
    allowed: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Order<'a> {
    fn parse(order: &'a str) -> Self {
        let (mut rooms, mut allowed) = (BTreeSet::new(), BTreeSet::new());
        for line in order.split(';') {
            let mut above: Vec<&str> = Vec::new();
            for level in line.split('>') {
                let level: Vec<&str> = level.split(',').map(str::trim).collect();
                allowed.extend(above.iter().flat_map(|upper| level.iter().map(|lower| (*upper, *lower))));
                above.extend(&level);
            }
            rooms.extend(above);
        }
        Self { rooms, allowed }
    }
}

fn room(file: &str) -> &str {
    file.split_once('/').map_or(file, |(folder, _)| folder).trim_end_matches(".rs")
}
