//! The zones in which the organisation keeps its days, as it has chosen them.

use chrono_tz::Tz as Zone;

use crate::{
    event::{Event, Kind},
    event_store::{EventStore, ReadError},
    ids::StreamId,
    setting::{SETTINGS, SettingEvent},
};

/// How many settings are read at a time: they change a few times in the life of an organisation.
const SETTINGS_PER_READ: usize = 1_000;

/// The zones that the organisation has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zones {
    /// The one that holds for facts from before any was chosen.
    pub beginning: Zone,
    /// The one that holds now.
    pub current: Zone,
}

impl Default for Zones {
    /// UTC until one is chosen.
    fn default() -> Self {
        Self { beginning: Zone::UTC, current: Zone::UTC }
    }
}

impl Zones {
    /// Takes the next event of the settings.
    pub fn take(&mut self, event: &Event) {
        if let Event::Setting(SettingEvent::ZoneChosen { zone, from_the_beginning }) = event
            && let Ok(zone) = zone.parse()
        {
            self.current = zone;
            if *from_the_beginning {
                self.beginning = zone;
            }
        }
    }

    /// Those of a log.
    pub async fn of(store: &dyn EventStore) -> Result<Self, ReadError> {
        let (mut zones, mut after) = (Self::default(), 0);
        loop {
            let stream = StreamId::new(Kind::Setting, SETTINGS);
            let events = store.read_stream(stream, after, SETTINGS_PER_READ).await?;
            for recorded in &events {
                zones.take(&recorded.event);
                after = recorded.revision;
            }
            if events.len() < SETTINGS_PER_READ {
                return Ok(zones);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_holds_from_then_on_unless_it_says_that_it_always_held() {
        let chosen = |zone: &str, from_the_beginning| {
            Event::Setting(SettingEvent::ZoneChosen { zone: zone.to_owned(), from_the_beginning })
        };
        let mut zones = Zones::default();
        zones.take(&chosen("Europe/Berlin", false));
        assert_eq!(zones, Zones { beginning: Zone::UTC, current: Zone::Europe__Berlin });
        zones.take(&chosen("America/New_York", true));
        let new_york = Zone::America__New_York;
        assert_eq!(zones, Zones { beginning: new_york, current: new_york });
        zones.take(&chosen("nowhere", true));
        assert_eq!(zones.current, new_york);
    }
}
