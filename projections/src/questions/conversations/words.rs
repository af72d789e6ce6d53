//! The words for channels and directions, as they stand in the tables.

use domain::conversation::{Channel, Direction};

const CHANNELS: [(Channel, &str); 8] = [
    (Channel::Email, "email"),
    (Channel::Phone, "phone"),
    (Channel::Sms, "sms"),
    (Channel::Chat, "chat"),
    (Channel::Social, "social"),
    (Channel::Meeting, "meeting"),
    (Channel::Post, "post"),
    (Channel::Other, "other"),
];

pub(super) fn channel_word(channel: Channel) -> &'static str {
    CHANNELS.into_iter().find(|(known, _)| *known == channel).map_or("other", |(_, word)| word)
}

pub(super) fn channel_of(word: &str) -> Channel {
    CHANNELS.into_iter().find(|(_, known)| *known == word).map_or(Channel::Other, |(channel, _)| channel)
}

pub(super) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "incoming",
        Direction::Outgoing => "outgoing",
        Direction::Note => "note",
    }
}

pub(super) fn direction_of(word: &str) -> Direction {
    match word {
        "incoming" => Direction::Incoming,
        "outgoing" => Direction::Outgoing,
        _ => Direction::Note,
    }
}
