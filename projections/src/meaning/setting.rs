//! What the events of the settings mean.

use domain::setting::SettingEvent;

use super::told::Told;

pub(super) fn tell(told: &mut Told<'_>, event: &SettingEvent) {
    match event {
        SettingEvent::ZoneChosen { zone, from_the_beginning } => {
            let since = if *from_the_beginning { ", from the beginning" } else { "" };
            told.say(format_args!("zone {zone} chosen{since}"));
            told.is("zone", zone);
        }
        SettingEvent::FiscalYearChosen { first_month } => {
            told.say(format_args!("fiscal year chosen to begin with month {first_month}"));
            told.is("first month of the fiscal year", first_month.to_string());
        }
        SettingEvent::LossAccepted { lost, held, known, because } => {
            told.say(format_args!("loss accepted: {}", lost.join(", ")));
            told.is("lost", lost.join(", "));
            told.is("events held", held.to_string());
            told.is("events known of", known.to_string());
            told.is("because", because);
        }
    }
}
