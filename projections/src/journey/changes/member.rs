//! What the events of a member of staff change.

use domain::member::MemberEvent;

use super::{thing::NAME, told::Told};

pub(super) fn tell(told: &mut Told<'_>, event: &MemberEvent) {
    match event {
        MemberEvent::Joined { name, team, region } => {
            told.is(NAME, name);
            told.may_be("team", team.as_ref());
            told.may_be("region", region.as_ref());
            told.is("on the staff", "yes");
        }
        MemberEvent::Moved { team, region } => {
            told.is_or_is_not("team", team.as_ref());
            told.is_or_is_not("region", region.as_ref());
        }
        MemberEvent::Renamed { name } => told.is(NAME, name),
        MemberEvent::Left {} => told.is_gone("on the staff"),
        MemberEvent::TokenGranted { role } => told.is("token", role.name()),
        MemberEvent::TokenRevoked {} => told.is_gone("token"),
    }
}
