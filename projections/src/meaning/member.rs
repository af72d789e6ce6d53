//! What the events of a member of staff mean.

use domain::member::MemberEvent;

use super::{said::part, told::Told};

pub(super) fn tell(told: &mut Told<'_>, event: &MemberEvent) {
    match event {
        MemberEvent::Joined { name, team, region } => {
            let (in_team, in_region) = (part(", team ", team.as_ref()), part(", region ", region.as_ref()));
            told.say(format_args!("{name} joined the staff{in_team}{in_region}"));
            told.is_called(name);
            told.may_be("team", team.as_ref());
            told.may_be("region", region.as_ref());
            told.is("on the staff", "yes");
        }
        MemberEvent::Moved { team, region } => {
            let (in_team, in_region) = (part(", team ", team.as_ref()), part(", region ", region.as_ref()));
            let name = told.name();
            told.say(format_args!("{name} moved{in_team}{in_region}"));
            told.is_or_is_not("team", team.as_ref());
            told.is_or_is_not("region", region.as_ref());
        }
        MemberEvent::Renamed { name } => {
            let before = told.name();
            told.say(format_args!("{before} renamed {name}"));
            told.is_called(name);
        }
        MemberEvent::Left {} => {
            let name = told.name();
            told.say(format_args!("{name} left the staff"));
            told.is_gone("on the staff");
        }
        MemberEvent::TokenGranted { role, .. } => {
            let name = told.name();
            told.say(format_args!("{name} given a token with the role {role}"));
            told.is("token", role.name());
        }
        MemberEvent::TokenRevoked {} => {
            let name = told.name();
            told.say(format_args!("{name} lost their token"));
            told.is_gone("token");
        }
    }
}
