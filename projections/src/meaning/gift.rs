//! What the events of a gift mean.

use domain::{
    Kind, Money,
    gift::{Allocation, GiftCorrection, GiftEvent},
};

use super::{
    said::part,
    told::Told,
    value::{Content, Field, Value},
};
use crate::kit::wording::amount;

pub(super) fn tell(told: &mut Told<'_>, event: &GiftEvent) {
    match event {
        GiftEvent::Received { .. } => tell_received(told, event),
        GiftEvent::Refunded { amount: refunded } => {
            told.say(format_args!("gift refunded by {}", amount(*refunded)));
            let before = told.values(&REFUNDED.into()).into_iter().find_map(|value| match value.content {
                Content::Money(money) if money.currency == refunded.currency => Some(money.minor),
                _ => None,
            });
            let whole = before.unwrap_or_default().saturating_add(refunded.minor);
            told.is(REFUNDED, Money::new(whole, refunded.currency));
        }
        GiftEvent::Allocated { allocations } if allocations.is_empty() => {
            told.say("gift made unrestricted");
            let earlier = told.fields(ALLOCATION);
            for field in &earlier {
                told.is_gone(field.clone());
            }
            if earlier.is_empty() {
                told.is_gone("allocation");
            }
        }
        GiftEvent::Allocated { allocations } => {
            let funds =
                allocations.iter().map(|part| format!("{} to fund {}", amount(part.amount), part.fund));
            told.say(format_args!("gift allocated: {}", funds.collect::<Vec<_>>().join(", ")));
            let named = |field: &Field| allocations.iter().any(|part| allocation(part) == *field);
            for field in told.fields(ALLOCATION).into_iter().filter(|field| !named(field)) {
                told.is_gone(field);
            }
            allocate(told, allocations);
        }
        GiftEvent::Acknowledged {} => {
            told.say("donor thanked for the gift");
            told.is("donor thanked", "yes");
        }
        GiftEvent::Corrected { fact, correction } => {
            let GiftCorrection { donor, amount, stage, campaign, received_at } = correction;
            told.say("gift corrected:");
            told.corrects(*fact);
            told.really_is("donor", donor.map(|id| Value::thing(Kind::Contact, id.0)));
            told.really_is("amount", *amount);
            told.really_is("stage", stage.as_ref());
            told.really_is("campaign", campaign.as_ref());
            told.really_is("received", *received_at);
        }
        GiftEvent::Voided {} => told.is_voided("gift", "recorded"),
    }
}

fn tell_received(told: &mut Told<'_>, event: &GiftEvent) {
    let GiftEvent::Received { donor, amount: received, campaign, method, stage, allocations, soft_credits } =
        event
    else {
        return;
    };
    let count = |count: usize| Some(count).filter(|count| *count > 0);
    told.say(format_args!(
        "gift of {} received{}{}{}{}{}",
        amount(*received),
        part(", campaign ", campaign.as_ref()),
        part(", by ", method.as_ref()),
        part(", stage ", stage.as_ref()),
        part(", funds named: ", count(allocations.len())),
        part(", soft credits: ", count(soft_credits.len()))
    ));
    told.may_be("donor", donor.map(|id| Value::thing(Kind::Contact, id.0)));
    told.is("amount", *received);
    told.is("received", told.recorded.shown_at());
    told.may_be("campaign", campaign.as_ref());
    told.may_be("method", method.as_ref());
    told.may_be("stage", stage.as_ref());
    allocate(told, allocations);
    for credit in soft_credits {
        let credited = Field::of("soft credit of", Kind::Contact, credit.contact.0);
        told.is(credited, Value::from(credit.amount).noting(credit.role.as_str()));
    }
}

const REFUNDED: &str = "refunded in all";
const ALLOCATION: &str = "allocation to";

fn allocation(part: &Allocation) -> Field {
    Field::of(ALLOCATION, Kind::Fund, part.fund.0)
}

/// A fund that is named twice gets both parts.
fn allocate(told: &mut Told<'_>, allocations: &[Allocation]) {
    for (index, part) in allocations.iter().enumerate() {
        if allocations[..index].iter().any(|earlier| earlier.fund == part.fund) {
            continue;
        }
        let parts = allocations.iter().filter(|other| other.fund == part.fund);
        told.set(allocation(part), parts.map(|part| part.amount.into()).collect());
    }
}
