//! What the events of the settings change.

use domain::setting::SettingEvent;

use super::told::Told;

pub(super) fn tell(told: &mut Told<'_>, event: &SettingEvent) {
    match event {
        SettingEvent::ZoneChosen { zone } => told.is("zone", zone),
        SettingEvent::FiscalYearChosen { first_month } => {
            told.is("first month of the fiscal year", first_month.to_string());
        }
    }
}
